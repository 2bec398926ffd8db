"""One push: who sends it, what came, which of it is fresh, and what is kept of each mutation."""

import hashlib
import hmac
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import JsonValue

from app.context import Context
from app.database import Transaction
from app.fields import as_uuid
from app.incoming import Arrived
from app.prepared import Each
from app.problems import Problem
from app.tables import ReceivedMutation
from app.working import Key, Working, after_of
from sync.days import day_of, happened_at
from sync.wire import Mutation, Outbox, Outcome

_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]
_KEPT = sa.select(_RECEIVED.c.id, _RECEIVED.c.person_id, _RECEIVED.c.content, _RECEIVED.c.answer)
_STORED = Each(_KEPT, home=_RECEIVED.c.home, ids=_RECEIVED.c.id)
NO_HOME = NOBODY = UUID(int=0)
"""Where a column holds no null: the home of what names none; the operator, who is no person."""


@dataclass(frozen=True)
class Actor:
    """Who writes. Without a person it is the operator at the server's own command line."""

    person: UUID | None
    replica: UUID | None = None
    hands_over: bool = False
    """Does this give an area to another parent?"""


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
        self.day_begins = context.day_begins
        self.key = context.subkey("content")
        self.person = actor.person or NOBODY
        self.answers: dict[int, Outcome] = {}
        self.fresh: list[int] = []
        self.repeats: dict[int, int] = {}
        """The same mutation twice in one push: the place of the first."""
        self.plain: set[UUID] = set()
        """Mutations of which the history has every word."""
        self.refused_creates: set[tuple[str, UUID]] = set()
        """Records whose create the store wouldn't take."""
        self.contents = [content_digest(self.key, arrived) for arrived in incoming.arrived]
        self.ids: dict[int, UUID] = {}
        """Under which id each fresh one is kept: its own, or the server's where that is of no use."""

    async def recall(self, transaction: Transaction) -> None:
        """Finds stored outcomes; what remains is fresh.

        A mutation whose id is of no use, or was used for other content, is kept under a spare id that
        follows from its content, so that the same push again finds it.
        """
        sent = [as_uuid(arrived.sent_id) for arrived in self.incoming.arrived]
        known = await self._stored(transaction, [id for id in sent if id])
        spares = self._spares(sent, known)
        known |= await self._stored(transaction, [*spares.values()])
        taken: dict[UUID, tuple[int, bytes]] = {}
        for place, (id, content) in enumerate(zip(sent, self.contents, strict=True)):
            for own in (id, spares.get(place)):
                if own is None:
                    continue
                if own in known and self._is_mine(known[own], content):
                    self.answers[place] = Outcome.model_validate({**known[own].answer, "replayed": True})
                elif own in taken and _same(taken[own][1], content):
                    self.repeats[place] = taken[own][0]
                elif own not in known and own not in taken:
                    taken[own] = place, content
                    self._take(place, own, reused=id is not None and own is not id)
                else:
                    continue
                break

    def _spares(self, sent: Sequence[UUID | None], known: Mapping[UUID, Any]) -> dict[int, UUID]:
        """Place → spare id, of those that may need one."""
        first: dict[UUID, bytes] = {}
        spares: dict[int, UUID] = {}
        for place, (id, content) in enumerate(zip(sent, self.contents, strict=True)):
            free = id is not None and (id not in known or self._is_mine(known[id], content))
            if id is None or not free or not _same(first.setdefault(id, content), content):
                spares[place] = self._spare_id(id, content)
        return spares

    def _is_mine(self, row: Any, content: bytes) -> bool:
        """Is it this person's, with this content?"""
        return row.person_id == self.person and _same(row.content, content)

    def _take(self, place: int, id: UUID, *, reused: bool) -> None:
        self.fresh.append(place)
        self.ids[place] = id
        if reused:
            problem = Problem("mutation_reused").as_body()
            self.answers[place] = Outcome(id=self.incoming.arrived[place].sent_id, outcome="refused", problem=problem)

    def _spare_id(self, sent: UUID | None, content: bytes) -> UUID:
        said = b"spare" + self.person.bytes + (sent.bytes if sent else b"") + content
        return UUID(bytes=hmac.digest(self.key, said, hashlib.sha256)[:16], version=4)

    async def _stored(self, transaction: Transaction, ids: list[UUID]) -> dict[UUID, Any]:
        if not ids:
            return {}
        return {row.id: row for row in await transaction.fetch_each(_STORED, home=self.home, ids=ids)}

    def outcomes(self) -> list[Outcome]:
        """In the order of the push. An id twice in one push has the outcome of its first place."""
        for place, first in self.repeats.items():
            self.answers[place] = self.answers[first].model_copy(update={"replayed": True})
        return [self.answers[place] for place in range(len(self.incoming.arrived))]

    def judged(self) -> list[int]:
        """Fresh ones that aren't refused already."""
        return [place for place in self.fresh if place not in self.answers]

    def day_of(self, said: JsonValue, mutation: Mutation) -> date:
        """To which day of work a time belongs that a mutation tells of; without one, the time at which it was made.

        Of a push that doesn't say when it was sent nobody knows how long ago anything was: it was now. An ordinary
        request is made and sent at once, and is believed about the past.
        """
        moment = datetime.fromisoformat(said) if isinstance(said, str) else mutation.made_at
        if self.actor.replica is None:
            return day_of(min(moment, self.now), self.day_begins)
        return day_of(happened_at(moment, self.incoming.sent_at or moment, self.now), self.day_begins)

    @property
    def today(self) -> date:
        """The day of work at receipt."""
        return day_of(self.now, self.day_begins)

    def rows(self, working: Working) -> list[dict[str, Any]]:
        """What is kept of each fresh one: the payload of all but the plainly applied, and none of what was erased."""
        erased = {record.key for record in working.records.values() if record.erased}
        return [self._row(place, self.incoming.arrived[place], erased) for place in self.fresh]

    def _row(self, place: int, arrived: Arrived, erased: Container[Key]) -> dict[str, Any]:
        outcome, m = self.answers[place], arrived.mutation
        plain = self.ids[place] in self.plain and outcome.outcome == "applied"
        told = outcome.problem is not None and outcome.problem.code == "erased"
        here = m is not None and m.home in (None, self.home)
        forgotten = told or (m is not None and here and (m.collection, m.record) in erased)
        return {
            "home": self.home,
            "id": self.ids[place],
            "person_id": self.person,
            "replica_id": self.actor.replica,
            "collection": m.collection if m else None,
            "record_id": m.record if m else None,
            "op": m.op if m else None,
            "content": self.contents[place],
            "base": m.base if m else None,
            "after": after_of(m) if m else None,
            "made_at": m.made_at if m else None,
            "sent_at": self.incoming.sent_at,
            "received_at": self.now,
            "outcome": outcome.outcome,
            "answer": outcome.model_dump(mode="json", exclude_defaults=True),
            "payload": None if plain or forgotten else arrived.raw,
        }


def content_digest(key: bytes, arrived: Arrived) -> bytes:
    """Keyed, so that what was erased can't be guessed from it."""
    return hmac.digest(key, arrived.content(), hashlib.sha256)


def _same(one: bytes, other: bytes) -> bool:
    return hmac.compare_digest(one, other)
