"""Step 4 of the write path: lock and read, in a few set-based statements, what a push touches."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import Access
from app.areas import areas_by_id
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.database import Transaction
from app.fields import as_uuid
from app.follows import hold_follows
from app.incoming import Arrived
from app.prepared import among
from app.tables import REFUSED_CREATE, Feed, FeedEntry, History, ReceivedMutation
from app.working import (
    AREAS,
    CONFLICTS,
    Entry,
    Key,
    Record,
    Working,
    after_of,
    as_loaded,
    as_parent,
    resolution_base,
    resolution_of,
    seen_conflict,
)
from sync.decide import Sent, Written
from sync.wire import Fields, Mutation

_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]


async def load(
    transaction: Transaction, home: UUID, arrived: Sequence[Arrived], person: UUID | None, access: Access
) -> Working:
    """Locks and reads what these mutations write, what decides a listing, and the past they need."""
    working = Working(home)
    mutations = [a.mutation for a in arrived if a.mutation and a.mutation.collection in COLLECTIONS]
    write = {(m.collection, m.record) for m in mutations}
    conflicts = await _conflicts(transaction, home, [m.record for m in mutations if m.collection == CONFLICTS])
    write |= {(row.of_collection, row.of_record) for row in conflicts.values()}
    write |= {(s.collection, s.record) for m in mutations for s in m.seen or () if s.collection in COLLECTIONS}
    references = _references(mutations, conflicts)
    read = {key for key in references if key[0] != AREAS}
    for collection in COLLECTIONS.values():
        await _lock(transaction, working, collection, write, read - write)
    # In order, because new records are numbered in it: the same push gives the same pages in every process.
    for key in sorted(write | read):
        working.record(*key)
    await _load_areas(transaction, working, mutations, {id for name, id in references if name == AREAS})
    await load_entries(transaction, working, working.records.values())
    await _load_past(transaction, working, mutations, person)
    changed = {(m.collection, m.record) for m in mutations if m.op != "create"}
    await _load_refused_creates(transaction, working, access, changed | read)
    return working


def _references(mutations: Iterable[Mutation], conflicts: dict[UUID, Any]) -> set[Key]:
    """What the mutations' fields refer to; a resolution speaks of its target's field."""
    found: set[Key] = set()
    for mutation in mutations:
        name, fields = mutation.collection, mutation.fields
        if name == CONFLICTS:
            name, fields = _resolved_field(mutation, conflicts.get(mutation.record))
        references = COLLECTIONS[name].references if name in COLLECTIONS else {}
        found |= {(referred, id) for field, referred in references.items() if (id := as_uuid(fields.get(field)))}
    return found


def _resolved_field(mutation: Mutation, conflict: Any) -> tuple[str, Fields]:
    """The collection that a resolution's target is of, and the field it gives which value."""
    value = resolution_of(mutation).get("value")
    if conflict is not None:
        return conflict.of_collection, {conflict.field: value}
    seen = seen_conflict(mutation)
    return (str(seen["of_collection"]), {str(seen["field"]): value}) if seen else (CONFLICTS, {})


_CONFLICT = COLLECTIONS[CONFLICTS].table
_OF = sa.select(_CONFLICT.c.id, _CONFLICT.c.of_collection, _CONFLICT.c.of_record, _CONFLICT.c.field).where(
    _CONFLICT.c.home == sa.bindparam("home"), among(_CONFLICT.c.id, "ids")
)


async def _conflicts(transaction: Transaction, home: UUID, ids: list[UUID]) -> dict[UUID, Any]:
    """What these conflicts are of. That never changes, so it is read without a lock."""
    rows = await transaction.fetch(_OF, home=home, ids=ids) if ids else []
    return {row.id: row for row in rows}


async def _lock(
    transaction: Transaction, working: Working, collection: Collection, write: set[Key], read: set[Key]
) -> None:
    """One collection's rows in order of id: FOR UPDATE if any of them is written, else FOR SHARE."""
    name = collection.name
    writing = [id for key, id in write if key == name]
    ids = [*{*writing, *(id for key, id in read if key == name)}]
    wanted = {"home": working.home, "ids": ids}
    if name == CONFLICTS:
        # Conflicts come last: what they are about is locked by now.
        wanted["targets"] = [r.id for r in working.records.values() if r.key in write]
    if ids or wanted.get("targets"):
        shared = not writing and name != CONFLICTS
        take = as_parent if shared else as_loaded
        for row in await transaction.fetch(_locking(name, shared=shared), **wanted):
            take(working, collection, row)


@cache
def _locking(name: str, *, shared: bool) -> sa.Select[Any]:
    table = COLLECTIONS[name].table
    which: sa.ColumnElement[bool] = among(table.c.id, "ids")
    if name == CONFLICTS:
        which = sa.or_(which, sa.and_(among(table.c.of_record, "targets"), table.c.state == "open"))
    # Of what is only referred to, no more is asked than where it lists.
    listing = {"id", "rev", "deleted_at", "area_id", COLLECTIONS[name].lists_in}
    columns = [column for column in table.c if not shared or column.name in listing]
    statement = sa.select(*columns).where(table.c.home == sa.bindparam("home"), which)
    return statement.order_by(table.c.id).with_for_update(read=shared)


async def _load_areas(
    transaction: Transaction, working: Working, mutations: Iterable[Mutation], named: set[UUID]
) -> None:
    """Every area that a listing needs, and the feeds it lists in."""
    ids = named | {record.area_id for record in working.records.values() if record.area_id}
    for mutation in mutations:
        ids |= {id for s in mutation.seen or () if (id := as_uuid(s.fields.get("area_id")))}
    # What a new area lies in can't be handed over meanwhile: its own path begins with that one's.
    hold = any(mutation.collection == AREAS and mutation.op == "create" for mutation in mutations)
    if hold:
        await hold_follows(transaction)
    working.areas = await areas_by_id(transaction, working.home, ids, hold=hold)
    await load_feeds(transaction, working)


_FEEDS = sa.select(_FEED.c.id, _FEED.c.owner_id, _FEED.c.audience, _FEED.c.views).where(
    among(_FEED.c.home, "homes"), among(_FEED.c.owner_id, "owners")
)


async def load_feeds(transaction: Transaction, working: Working) -> None:
    """The feeds of the areas at hand."""
    owners = {o for area in working.areas.values() for kind in ("staff", "reference") if (o := area.owner(kind))}
    if not owners:
        return
    homes, areas = ({owner[part] for owner in owners} for part in (0, 1))
    for row in await transaction.fetch(_FEEDS, homes=[*homes], owners=[*areas]):
        working.feeds[row.owner_id, row.audience] = row.id
        working.views[row.id] = row.views


_ENTRIES = sa.select(_ENTRY.c.collection, _ENTRY.c.record_id, _ENTRY.c.feed_id, _ENTRY.c.hash, _ENTRY.c.live).where(
    among(_ENTRY.c.home, "homes"), among(_ENTRY.c.collection, "collections"), among(_ENTRY.c.record_id, "records")
)


async def load_entries(transaction: Transaction, working: Working, records: Iterable[Record]) -> None:
    """Where these records stand in which feeds."""
    wanted = {record.key: record for record in records if record.held}
    if not wanted:
        return
    homes = {working.home, *(area.reference_area_id for area in working.areas.values())}
    names, ids = {name for name, _ in wanted}, [id for _, id in wanted]
    for row in await transaction.fetch(_ENTRIES, homes=[*homes], collections=[*names], records=ids):
        if record := wanted.get((row.collection, row.record_id)):
            record.entries.append(Entry(row.feed_id, row.hash, row.live))


async def _load_past(
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
        if record and record.held and (mutation.seen is not None or record.held.rev != base or record.held.deleted):
            unknown = mutation.seen is not None or base > record.held.rev or record.held.deleted
            floors[key] = min(floors.get(key, base), 0 if unknown else base)
    return floors


_PAST = (
    sa.select(_HISTORY)
    .where(
        _HISTORY.c.home == sa.bindparam("home"),
        among(_HISTORY.c.collection, "collections"),
        among(_HISTORY.c.record_id, "records"),
        _HISTORY.c.rev > sa.bindparam("floor"),
    )
    .order_by(_HISTORY.c.rev)
)


async def _load_history(transaction: Transaction, working: Working, floors: dict[Key, int]) -> None:
    # Those whose whole past is needed by themselves, so that they don't make it the others' too.
    for keys in ([k for k, floor in floors.items() if floor], [k for k, floor in floors.items() if not floor]):
        if not keys:
            continue
        wanted = {"collections": [*{name for name, _ in keys}], "records": [id for _, id in keys]}
        floor = min(floors[key] for key in keys)
        for row in await transaction.fetch(_PAST, home=working.home, floor=floor, **wanted):
            if row.rev > floors.get((row.collection, row.record_id), row.rev):
                deleted = {"delete": True, "revive": False}.get(row.op)
                written = Written(row.rev, row.mutation_id, row.fields, row.was, deleted, row.person_id)
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
        record.past.sent[row.id] = Sent(row.after, row.answer.get("rev"), fields)
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


_REFUSED_CREATES = sa.select(_RECEIVED.c.collection, _RECEIVED.c.record_id).where(
    _RECEIVED.c.home == sa.bindparam("home"),
    among(_RECEIVED.c.collection, "collections"),
    among(_RECEIVED.c.record_id, "records"),
    REFUSED_CREATE,
)


async def _load_refused_creates(transaction: Transaction, working: Working, access: Access, needed: set[Key]) -> None:
    """Of the needed records that don't exist, as far as this person may see: those whose create was refused."""
    records = (working.records[key] for key in needed)
    missing = {r.key for r in records if r.held is None or not access.may_read(working.feeds_of(r))}
    if not missing:
        return
    wanted = {"collections": [*{name for name, _ in missing}], "records": [id for _, id in missing]}
    for row in await transaction.fetch(_REFUSED_CREATES, home=working.home, **wanted):
        working.refused_creates.add((row.collection, row.record_id))
