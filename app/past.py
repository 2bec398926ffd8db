"""Step 4 of the write path, its last part: what happened to the records since their bases, and what edits lie on."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.database import Transaction
from app.fields import as_uuid
from app.prepared import Each, among
from app.tables import History, ReceivedMutation
from app.working import CONFLICTS, Key, Working, after_of, resolution_base
from sync.decide import Sent, Written
from sync.wire import Fields, Mutation

_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]


async def load_past(
    transaction: Transaction, working: Working, mutations: Sequence[Mutation], person: UUID | None
) -> None:
    """History above the lowest base of each record that changed since, and the chains of `after`."""
    floors = _floors(working, mutations)
    if floors:
        await _load_history(transaction, working, floors)
    afters = {a for m in mutations for a in (m.after, after_of(m)) if a}
    if afters and person is not None:
        await _load_chains(transaction, working, afters, person)


def _floors(working: Working, mutations: Iterable[Mutation]) -> dict[Key, int]:
    floors: dict[Key, int] = {}
    for mutation in mutations:
        key, base = (mutation.collection, mutation.record), mutation.base
        if mutation.collection == CONFLICTS and (conflict := working.find(*key)):
            key = (str(conflict.fields["of_collection"]), UUID(str(conflict.fields["of_record"])))
            base = resolution_base(mutation)
        record = working.find(*key)
        if key in working.aliases:
            floors[working.aliases[key]] = 0  # there its base says nothing
        if record and record.held and (mutation.seen is not None or record.held.rev != base or record.held.deleted):
            unknown = mutation.seen is not None or base > record.held.rev or record.held.deleted
            floors[key] = min(floors.get(key, base), 0 if unknown else base)
    return floors


_SINCE = sa.select(_HISTORY).where(_HISTORY.c.rev > sa.bindparam("floor")).order_by(_HISTORY.c.rev)
_PAST = Each(_SINCE, home=_HISTORY.c.home, collections=_HISTORY.c.collection, records=_HISTORY.c.record_id)


async def _load_history(transaction: Transaction, working: Working, floors: dict[Key, int]) -> None:
    # Those whose whole past is needed by themselves, so that they don't make it the others' too.
    for keys in ([k for k, floor in floors.items() if floor], [k for k, floor in floors.items() if not floor]):
        if not keys:
            continue
        wanted = {"collections": [name for name, _ in keys], "records": [id for _, id in keys]}
        floor = min(floors[key] for key in keys)
        for row in await transaction.fetch_each(_PAST, home=working.home, floor=floor, **wanted):
            if row.rev > floors.get((row.collection, row.record_id), row.rev):
                deleted = {"delete": True, "revive": False}.get(row.op)
                recovered = row.op == "recover"
                written = Written(row.rev, row.mutation_id, row.fields, row.was, deleted, row.person_id, recovered)
                working.record(row.collection, row.record_id).past.written.append(written)


_MINE = (_RECEIVED.c.home == sa.bindparam("home"), _RECEIVED.c.person_id == sa.bindparam("person"))
_LINK = sa.select(_RECEIVED.c.id, _RECEIVED.c.after).where(*_MINE)
_CHAIN = _LINK.where(among(_RECEIVED.c.id, "ids")).cte("chain", recursive=True)
_LINKS = _CHAIN.union(_LINK.where(_RECEIVED.c.id == _CHAIN.c.after))
_CHAINS = sa.select(_RECEIVED).where(*_MINE, _RECEIVED.c.id.in_(sa.select(_LINKS.c.id)))


async def _load_chains(transaction: Transaction, working: Working, afters: set[UUID], person: UUID) -> None:
    """The mutations that edits lie on, back to the first; only this person's own count."""
    for row in await transaction.fetch(_CHAINS, home=working.home, person=person, ids=[*afters]):
        if row.collection in COLLECTIONS:
            _remember(working, row)


def _remember(working: Working, row: Any) -> None:
    record = working.records.get((row.collection, row.record_id))
    fields = _sent_fields(row)
    if row.collection == CONFLICTS and record and record.held:
        target = working.record(str(record.fields["of_collection"]), UUID(str(record.fields["of_record"])))
        value = fields.get("resolution") if fields else None
        said = {str(record.fields["field"]): value.get("value")} if isinstance(value, dict) else None
        after = as_uuid(value.get("after")) if isinstance(value, dict) else None
        target.past.sent[row.id] = Sent(after or row.after, row.answer.get("rev"), said)
    elif record:
        for one in (record, working.survivor(record)):
            one.past.sent[row.id] = Sent(row.after, row.answer.get("rev"), fields)
    else:
        # A resolution of a conflict that is closed by now: its write stands in the record's history.
        for other in working.records.values():
            other.past.sent.setdefault(row.id, Sent(row.after, row.answer.get("rev")))


def _sent_fields(row: Any) -> Fields | None:
    """What the mutation said; None where it was plainly applied, so that history has it."""
    if row.outcome == "refused":
        return {}  # a link of the chain, but nothing anybody built on
    if row.payload is None:
        return None
    try:
        fields = Mutation.model_validate_json(row.payload).fields
    except ValueError:
        return {}
    if row.collection == CONFLICTS:
        return fields
    return COLLECTIONS[row.collection].clean("update", fields)[0] or fields
