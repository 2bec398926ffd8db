"""The one write path. A push, a CRUD call, a resolution, a merge and a handover all end in `receive`.

The steps are numbered as in sync/README.md; their order is what makes them safe: records before
feeds, everything in order of id, and the feeds' locks last, so that only COMMIT happens under them. (What could look
alike is compared under them, in step 6: alike.py.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.access import Access, EveryAccess, access_of
from app.alike import note_duplicates
from app.batch import NO_HOME, Actor, Batch, Incoming
from app.bench import Bench
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction, meanwhile
from app.failures import is_data_error, sqlstate_of
from app.feeds import open_new_feeds
from app.judge import judge
from app.listing import list_changes, listing_of, move_dependants
from app.loading import load
from app.logs import Log
from app.problems import Problem
from app.tables import History, ReceivedMutation, Replica, Server
from app.working import Record, Working, stamped
from sync.wire import Outcome

_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]
_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]
_EPOCH = sa.select(_SERVER.c.epoch)
_ENTERING = (
    sa.select(_SERVER.c.epoch, _REPLICA.c.received, _REPLICA.c.revoked_at)
    .select_from(_REPLICA.join(_SERVER, sa.true()))
    .where(_REPLICA.c.id == sa.bindparam("replica"))
    .with_for_update(of=_REPLICA)
)
_COUNTED = (
    sa.update(_REPLICA)
    .where(_REPLICA.c.id == sa.bindparam("replica"))
    .values(
        received=_REPLICA.c.received + sa.bindparam("fresh"),
        unsent=sa.bindparam("unsent_now"),
        unsent_since=sa.bindparam("oldest_at"),
    )
)


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
    batch = Batch(context, actor, incoming, home, now, epoch)
    await batch.recall(transaction)
    if batch.fresh:
        # 3. What the person may write; their grants stay as they are until this commits.
        access = (
            EveryAccess() if actor.person is None else await access_of(transaction, actor.person, context.seams.now)
        )
        # 4. Lock and read what the mutations touch. 5. Judge them in memory. 6. Write set-based.
        working = await _settle(transaction, batch, access)
        # 7. Feeds last: number, list, mark, digest. What they list is spelled while the store writes down
        # what was received.
        await open_new_feeds(transaction, context.seams, working)
        kept = _keep(transaction, batch, working)
        listing = await meanwhile(kept, lambda: listing_of(context.seams, working))
        await list_changes(transaction, listing, now)
    counted += len(batch.fresh)
    return Received(batch.outcomes(), counted, epoch)


async def _enter(transaction: Transaction, actor: Actor, incoming: Incoming) -> tuple[str, int]:
    """Locks the replica, compares epochs and counts; the epoch and how many it has sent so far."""
    if actor.replica is None:
        server = await transaction.fetch_first(_EPOCH)
        return server.epoch if server else "", 0
    row = await transaction.fetch_first(_ENTERING, replica=actor.replica)
    if row is None or row.revoked_at is not None:
        raise Problem("replica_revoked")
    if incoming.received > row.received or incoming.epoch not in (None, row.epoch):
        raise Problem("server_restored", epoch=row.epoch, received=row.received)
    return row.epoch, row.received


async def _settle(transaction: Transaction, batch: Batch, access: Access) -> Working:
    """Steps 4 to 6. On a data error each mutation is tried by itself, the failing one refused."""
    places = batch.judged()
    try:
        async with transaction.savepoint():
            return await _judge_and_write(transaction, batch, access, places)
    except Exception as error:
        if not _is_a_mutations_fault(error):
            raise
        return await _settle_one_by_one(transaction, batch, access, places)


async def _keep(transaction: Transaction, batch: Batch, working: Working) -> None:
    """Every mutation with its outcome; the replica's count, and what it says of its outbox."""
    await transaction.insert(_RECEIVED, batch.rows(working))
    if batch.actor.replica is None:
        return
    outbox = batch.incoming.outbox
    unsent = max(0, min(outbox.depth, 2**31 - 1) - len(batch.incoming.arrived))
    replica, fresh = batch.actor.replica, len(batch.fresh)
    await transaction.fetch(_COUNTED, replica=replica, fresh=fresh, unsent_now=unsent, oldest_at=outbox.oldest_at)


async def _settle_one_by_one(transaction: Transaction, batch: Batch, access: Access, places: Sequence[int]) -> Working:
    """Finds the rows the store won't take: each mutation is written alone and undone if it fails.

    What can be stored is then judged and written once more, together.
    """
    storable: list[int] = []
    for place in places:
        try:
            async with transaction.savepoint():
                await _judge_and_write(transaction, batch, access, [*storable, place])
                raise _Undo
        except _Undo:
            storable.append(place)
        except Exception as error:
            if not _is_a_mutations_fault(error):
                raise
            Log.error(
                "not_storable", error_kind=type(error.__cause__ or error).__name__, sqlstate_code=sqlstate_of(error)
            )
            if (mutation := batch.incoming.arrived[place].mutation) and mutation.op == "create":
                batch.refused_creates.add((mutation.collection, mutation.record))
    working = await _judge_and_write(transaction, batch, access, storable)
    for place in set(places) - set(storable):
        sent_id, problem = batch.incoming.arrived[place].sent_id, Problem("not_storable").as_body()
        batch.answers[place] = Outcome(id=sent_id, outcome="refused", problem=problem)
        batch.plain.discard(batch.ids[place])
    return working


def _is_a_mutations_fault(error: Exception) -> bool:
    """Rows the store won't take, or a mutation that the judge stumbles over: neither may sink its neighbours."""
    return isinstance(error, _Stumbled) or is_data_error(error)


class _Stumbled(Exception):
    """The judge itself failed over a mutation."""


class _Undo(Exception):
    """Rolls a savepoint back on purpose."""


async def _judge_and_write(transaction: Transaction, batch: Batch, access: Access, places: Sequence[int]) -> Working:
    arrived = [batch.incoming.arrived[place] for place in places]
    working = await load(transaction, batch.home, arrived, batch.actor.person, access)
    working.refused_creates |= batch.refused_creates
    actor = batch.actor
    when = (batch.now, batch.day_of, batch.today)
    bench = Bench(working, access, actor.person, batch.epoch, *when, batch.plain, actor.hands_over)
    for place in places:
        try:
            batch.answers[place] = judge(bench, batch.incoming.arrived[place])
        except Exception as error:
            raise _Stumbled from error
    await move_dependants(transaction, working)
    await note_duplicates(transaction, bench)
    await _write(transaction, working, batch)
    return working


async def _write(transaction: Transaction, working: Working, batch: Batch) -> None:
    """Every dirty record once, however many mutations changed it; a row of history for each."""
    history: list[dict[str, Any]] = []
    for name, collection in COLLECTIONS.items():
        ours = (r for r in working.records.values() if r.collection.name == name and r.held)
        changed = [r for r in ours if r.dirty or r.moved or r.given_back]
        rows = {kept: [_row(working, r, batch) for r in changed if r.stored is kept] for kept in (False, True)}
        await transaction.insert(collection.table, rows[False])
        await transaction.upsert(collection.table, rows[True])
        history += [
            {"home": working.home, "collection": name, "record_id": r.id, **h} for r in changed for h in r.history
        ]
    await transaction.insert(_HISTORY, history)


def _row(working: Working, record: Record, batch: Batch) -> dict[str, Any]:
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
