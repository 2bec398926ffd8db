"""The one write path. A push, a CRUD call and a resolution are thin routes over `receive`.

The steps are numbered as in sync/README.md; their order is what makes them safe: records before
feeds, everything in order of id, and the feeds' locks last, so that only COMMIT happens under them.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import Access, EveryAccess, access_of
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction, is_data_error
from app.incoming import Arrived
from app.judge import Bench, judge
from app.listing import list_changes, move_dependants
from app.problems import Problem
from app.tables import History, ReceivedMutation, Replica, Server
from app.working import Record, Working, as_uuid, load, stamped
from sync.wire import Outbox, Outcome

_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]
_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]
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
    outbox: Outbox = Outbox()


@dataclass(frozen=True)
class Received:
    """What became of them, in their order."""

    outcomes: list[Outcome]
    received: int
    epoch: str


async def receive(transaction: Transaction, context: Context, actor: Actor, incoming: Incoming) -> Received:
    """Judges and stores a push inside the caller's transaction, which must commit next.

    Raises server_restored (nothing is consumed) when the phone has lived through another past.
    """
    now = context.seams.now()
    # 1. The replica's row, so that two overlapping pushes of one phone happen one after the other.
    epoch, counted = await _enter(transaction, actor, incoming)
    # 2. What was received before answers itself; the same id with other content is refused.
    home = incoming.home or NO_HOME
    batch = _Batch(context, actor, incoming, home, now, epoch)
    await batch.recall(transaction)
    if batch.fresh:
        # 3. What the person may write; their grants stay as they are until this commits.
        access = EveryAccess() if actor.person is None else await access_of(transaction, actor.person, now)
        # 4. Lock and read what the mutations touch. 5. Judge them in memory. 6. Write set-based.
        working = await _settle(transaction, batch, access)
        # 7. Feeds last: number, list, mark, digest.
        if working is not None:
            await list_changes(transaction, context.seams, working, now)
    counted += len(batch.fresh)
    return Received(batch.outcomes(), counted, epoch)


async def _enter(transaction: Transaction, actor: Actor, incoming: Incoming) -> tuple[str, int]:
    """Locks the replica, compares epochs and counts; the epoch and how many it has sent so far."""
    row = await transaction.first(sa.select(_SERVER.c.epoch))
    epoch = str(row[0]) if row else ""
    if actor.replica is None:
        return epoch, 0
    locked = await transaction.first(
        sa.select(_REPLICA.c.received, _REPLICA.c.revoked_at)
        .where(_REPLICA.c.id == actor.replica)
        .with_for_update()
    )
    if locked is None or locked.revoked_at is not None:
        raise Problem("replica_revoked")
    if incoming.received > locked.received or incoming.epoch not in (None, epoch):
        raise Problem("server_restored", epoch=epoch, received=locked.received)
    return epoch, locked.received


class _Batch:
    """The mutations of one push with their outcomes, and what is kept of each."""

    def __init__(
        self, context: Context, actor: Actor, incoming: Incoming, home: UUID, now: datetime, epoch: str
    ) -> None:
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


async def _settle(transaction: Transaction, batch: _Batch, access: Access) -> Working | None:
    """Steps 4 to 6. On a data error each mutation is tried by itself, the failing one refused."""
    places = batch.judged()
    try:
        async with transaction.savepoint():
            working = await _judge_and_write(transaction, batch, access, places)
    except Exception as error:
        if not is_data_error(error):
            raise
        working = await _settle_one_by_one(transaction, batch, access, places)
    await transaction.insert(_RECEIVED, batch.rows(batch.fresh))
    if batch.actor.replica is not None:
        await transaction.execute(_counted(batch))
    return working


def _counted(batch: _Batch) -> sa.Update:
    """The replica's count, and what it says of its outbox."""
    outbox = batch.incoming.outbox
    return (
        sa.update(_REPLICA)
        .where(_REPLICA.c.id == batch.actor.replica)
        .values(
            received=_REPLICA.c.received + len(batch.fresh),
            unsent=max(0, min(outbox.depth, 2**31 - 1) - len(batch.incoming.arrived)),
            unsent_since=outbox.oldest_at,
        )
    )


async def _settle_one_by_one(
    transaction: Transaction, batch: _Batch, access: Access, places: Sequence[int]
) -> Working | None:
    """Finds the rows the store won't take: each mutation is written alone and undone if it fails.

    What can be stored is then judged and written once more, together.
    """
    storable = []
    for place in places:
        try:
            async with transaction.savepoint():
                await _judge_and_write(transaction, batch, access, [*storable, place])
                raise _Undo
        except _Undo:
            storable.append(place)
        except Exception as error:
            if not is_data_error(error):
                raise
    working = await _judge_and_write(transaction, batch, access, storable)
    for place in set(places) - set(storable):
        sent_id, problem = batch.incoming.arrived[place].sent_id, Problem("not_storable").as_body()
        batch.answers[place] = Outcome(id=sent_id, outcome="refused", problem=problem)
    return working


class _Undo(Exception):
    """Rolls a savepoint back on purpose."""


async def _judge_and_write(
    transaction: Transaction, batch: _Batch, access: Access, places: Sequence[int]
) -> Working:
    arrived = [batch.incoming.arrived[place] for place in places]
    working = await load(transaction, batch.home, arrived, batch.actor.person)
    bench = Bench(working, access, batch.actor.person, batch.epoch, batch.now, batch.plain)
    for place in places:
        batch.answers[place] = judge(bench, batch.incoming.arrived[place])
    await move_dependants(transaction, working)
    await _write(transaction, working, batch)
    return working


async def _write(transaction: Transaction, working: Working, batch: _Batch) -> None:
    """Every dirty record once, however many mutations changed it; a row of history for each."""
    history: list[dict[str, Any]] = []
    for name, collection in COLLECTIONS.items():
        changed = [
            r
            for r in working.records.values()
            if r.collection.name == name and (r.dirty or r.moved) and r.held
        ]
        rows = {
            kept: [_row(working, r, batch) for r in changed if r.stored is kept] for kept in (False, True)
        }
        await transaction.insert(collection.table, rows[False])
        await transaction.upsert(collection.table, rows[True])
        history += [
            {"home": working.home, "collection": name, "record_id": r.id, **h}
            for r in changed
            for h in r.history
        ]
    await transaction.insert(_HISTORY, history)


def _row(working: Working, record: Record, batch: _Batch) -> dict[str, Any]:
    held = record.held
    assert held is not None
    area = working.area_of(record)
    deleted_at = (record.own.get("deleted_at") or batch.now) if held.deleted else None
    return {
        "area_id": area.id if area else record.area_id,
        **record.own,
        **record.collection.as_columns(held.fields),
        "home": working.home,
        "id": record.id,
        "rev": held.rev,
        "field_revs": held.field_revs,
        "deleted_at": deleted_at,
        **stamped(record, batch.now, batch.actor.person),
    }
