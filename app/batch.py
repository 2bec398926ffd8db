"""One push: who sends it, what came, which of it is fresh, and what is kept of each mutation."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.context import Context
from app.database import Transaction
from app.incoming import Arrived
from app.problems import Problem
from app.tables import ReceivedMutation
from app.working import as_uuid
from sync.wire import Outbox, Outcome

_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]
NO_HOME = UUID(int=0)


@dataclass(frozen=True)
class Actor:
    """Who writes. Without a person it is the operator at the server's own command line."""

    person: UUID | None
    replica: UUID | None = None


@dataclass(frozen=True)
class Incoming:
    """Mutations of one home, as they came."""

    home: UUID | None
    arrived: Sequence[Arrived]
    sent_at: datetime | None = None
    epoch: str | None = None
    received: int = 0
    outbox: Outbox = field(default_factory=Outbox)


class Batch:
    """The mutations of one push with their outcomes, and what is kept of each."""

    def __init__(
        self, context: Context, actor: Actor, incoming: Incoming, home: UUID, now: datetime, epoch: str
    ) -> None:
        """Nothing is read yet: `recall` does."""
        self.actor, self.incoming, self.home, self.now, self.epoch = actor, incoming, home, now, epoch
        self.key, self.seams = context.subkey("content"), context.seams
        self.answers: dict[int, Outcome] = {}
        self.fresh: list[int] = []
        self.repeats: dict[int, int] = {}
        """The same mutation twice in one push: the place of the first."""
        self.plain: set[UUID] = set()
        """Mutations of which the history has every word."""
        self.ids: dict[int, UUID] = {}
        """Under which id each fresh one is kept: its own, or the server's where that is of no use."""

    async def recall(self, transaction: Transaction) -> None:
        """Finds stored outcomes; what remains is fresh."""
        sent = [as_uuid(a.sent_id) for a in self.incoming.arrived]
        known = {row.id: row for row in await self._stored(transaction, [id for id in sent if id])}
        contents: dict[UUID, bytes] = {id: row.content for id, row in known.items()}
        first: dict[UUID, int] = {}
        for place, (arrived, id) in enumerate(zip(self.incoming.arrived, sent, strict=True)):
            content = self.digest(arrived)
            mine = id not in known or known[id].person_id == (self.actor.person or NO_HOME)
            if id is None or id not in contents:
                self.fresh.append(place)
                self.ids[place] = id or self.seams.new_id()
                if id:
                    contents[id], first[id] = content, place
            elif mine and hmac.compare_digest(contents[id], content):
                if id in known:
                    self.answers[place] = Outcome.model_validate({**known[id].answer, "replayed": True})
                else:
                    self.repeats[place] = first[id]
            else:
                self.fresh.append(place)
                self.ids[place] = self.seams.new_id()
                self.answers[place] = Outcome(
                    id=arrived.sent_id, outcome="refused", problem=Problem("mutation_reused").as_body()
                )

    async def _stored(self, transaction: Transaction, ids: list[UUID]) -> Sequence[sa.Row[Any]]:
        if not ids:
            return []
        wanted = sa.select(_RECEIVED.c.id, _RECEIVED.c.person_id, _RECEIVED.c.content, _RECEIVED.c.answer)
        return await transaction.rows(wanted.where(_RECEIVED.c.home == self.home, _RECEIVED.c.id.in_(ids)))

    def digest(self, arrived: Arrived) -> bytes:
        """Keyed, so that what was erased can't be guessed from it."""
        return hmac.digest(self.key, arrived.content(), hashlib.sha256)

    def outcomes(self) -> list[Outcome]:
        """In the order of the push. An id twice in one push has the outcome of its first place."""
        for place, first in self.repeats.items():
            self.answers[place] = self.answers[first].model_copy(update={"replayed": True})
        return [self.answers[place] for place in range(len(self.incoming.arrived))]

    def judged(self) -> list[int]:
        """Fresh ones that aren't refused already."""
        return [place for place in self.fresh if place not in self.answers]

    def rows(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """What is kept of each: the payload of all but the plainly applied."""
        return [self._row(place, self.incoming.arrived[place]) for place in places]

    def _row(self, place: int, arrived: Arrived) -> dict[str, Any]:
        outcome, m = self.answers[place], arrived.mutation
        return {
            "home": self.home,
            "id": self.ids[place],
            "person_id": self.actor.person or NO_HOME,
            "replica_id": self.actor.replica,
            "collection": m.collection if m else None,
            "record_id": m.record if m else None,
            "op": m.op if m else None,
            "content": self.digest(arrived),
            "base": m.base if m else None,
            "after": m.after if m else None,
            "made_at": m.made_at if m else None,
            "sent_at": self.incoming.sent_at,
            "received_at": self.now,
            "outcome": outcome.outcome,
            "answer": outcome.model_dump(mode="json", exclude_defaults=True),
            "payload": None if m and m.id in self.plain else arrived.raw,
        }
