"""Step 4 of the write path: lock and read, in a few set-based statements, what a push touches."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import Access
from app.areas import AUDIENCES, areas_by_id
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.database import Transaction
from app.fields import ERASED_AT, MERGED_INTO, as_uuid
from app.follows import hold_follows
from app.incoming import Arrived
from app.join import referring
from app.past import load_past
from app.prepared import Each, among
from app.tables import REFUSED_CREATE, Feed, FeedEntry, ReceivedMutation
from app.working import (
    AREAS,
    CONFLICTS,
    Entry,
    Key,
    Record,
    Working,
    as_loaded,
    as_parent,
    audience_of,
    resolution_of,
    seen_conflict,
)
from sync.wire import Fields, Mutation

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
    references = _references(mutations, conflicts) | _spoken_about(mutations)
    read = {key for key in references if key[0] != AREAS}
    merged = {(a.mutation.collection, a.mutation.record) for a in arrived if a.mutation and a.into}
    write |= {(a.mutation.collection, a.into) for a in arrived if a.mutation and a.into}
    for collection in COLLECTIONS.values():
        write |= await referring(transaction, home, collection, merged)
        await _lock(transaction, working, collection, write, read - write)
        if stayed := _note_aliases(working, collection):
            # Who writes to what was merged writes to what stayed; what only refers to it holds that as well.
            write |= {into for alias, into in stayed.items() if alias in write}
            read |= {*stayed.values()} - write
            there = {*working.records}
            await _lock(transaction, working, collection, write - there, read - there)
    # In order, because new records are numbered in it: the same push gives the same pages in every process.
    for key in sorted(write | read):
        working.record(*key)
    await _load_areas(transaction, working, mutations, {id for name, id in references if name == AREAS})
    await _load_retentions(transaction, working, mutations)
    await load_entries(transaction, working, working.records.values())
    await load_past(transaction, working, mutations, person)
    changed = {(m.collection, m.record) for m in mutations if m.op != "create"}
    await _load_refused_creates(transaction, working, access, changed | read)
    return working


def _note_aliases(working: Working, collection: Collection) -> dict[Key, Key]:
    """Of this collection's loaded records those that were merged, and where each leads."""
    if not collection.same:
        return {}
    loaded = [record for record in working.records.values() if record.collection is collection]
    stayed = {r.key: (collection.name, into) for r in loaded if (into := r.own.get(MERGED_INTO))}
    working.aliases |= stayed
    return stayed


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


def _spoken_about(mutations: Iterable[Mutation]) -> set[Key]:
    """Of what may be erased, the records about which something new would be: it isn't taken if they were."""
    found: set[Key] = set()
    for name, fields in _made_by(mutations):
        of = COLLECTIONS.get(str(fields.get("of_collection")))
        named = (as_uuid(fields.get(field)) for field in COLLECTIONS[name].erased_with)
        found |= {(of.name, id) for id in named if id and of and of.erased_with and name != CONFLICTS}
    return found


def _made_by(mutations: Iterable[Mutation]) -> Iterator[tuple[str, Fields]]:
    """The collection and the fields of every record that these might make: by a create, or from what was seen."""
    for mutation in mutations:
        if mutation.op == "create":
            yield mutation.collection, mutation.fields
        yield from ((seen.collection, seen.fields) for seen in mutation.seen or () if seen.collection in COLLECTIONS)


def _resolved_field(mutation: Mutation, conflict: Any) -> tuple[str, Fields]:
    """The collection that a resolution's target is of, and the field it gives which value."""
    value = resolution_of(mutation).get("value")
    if conflict is not None:
        return conflict.of_collection, {conflict.field: value}
    seen = seen_conflict(mutation)
    return (str(seen["of_collection"]), {str(seen["field"]): value}) if seen else (CONFLICTS, {})


_CONFLICT = COLLECTIONS[CONFLICTS].table
_ABOUT = sa.select(_CONFLICT.c.id, _CONFLICT.c.of_collection, _CONFLICT.c.of_record, _CONFLICT.c.field)
_OF = Each(_ABOUT, home=_CONFLICT.c.home, ids=_CONFLICT.c.id)
_OPEN = Each(_ABOUT.where(_CONFLICT.c.state == "open"), home=_CONFLICT.c.home, targets=_CONFLICT.c.of_record)


async def _conflicts(transaction: Transaction, home: UUID, ids: list[UUID]) -> dict[UUID, Any]:
    """What these conflicts are of. That never changes, so it is read without a lock."""
    rows = await transaction.fetch_each(_OF, home=home, ids=ids) if ids else []
    return {row.id: row for row in rows}


async def _lock(
    transaction: Transaction, working: Working, collection: Collection, write: set[Key], read: set[Key]
) -> None:
    """One collection's rows in order of id: FOR UPDATE if any of them is written, else FOR SHARE."""
    name = collection.name
    writing = [id for key, id in write if key == name]
    ids = {*writing, *(id for key, id in read if key == name)}
    if name == CONFLICTS and (targets := [r.id for r in working.records.values() if r.key in write]):
        # Conflicts come last: what they are about is locked by now, so that none opens meanwhile.
        ids |= {row.id for row in await transaction.fetch_each(_OPEN, home=working.home, targets=targets)}
    if ids:
        shared = not writing and name != CONFLICTS
        take = as_parent if shared else as_loaded
        for row in await transaction.fetch_each(_locking(name, shared=shared), home=working.home, ids=sorted(ids)):
            take(working, collection, row)


@cache
def _locking(name: str, *, shared: bool) -> Each:
    table = COLLECTIONS[name].table
    # Of what is only referred to, no more is asked than where it lists.
    listing = {"id", "rev", "deleted_at", "area_id", COLLECTIONS[name].lists_in, MERGED_INTO, ERASED_AT}
    columns = [column for column in table.c if not shared or column.name in listing]
    statement = sa.select(*columns).order_by(table.c.id).with_for_update(read=shared)
    return Each(statement, home=table.c.home, ids=table.c.id)


async def _load_areas(
    transaction: Transaction, working: Working, mutations: Iterable[Mutation], named: set[UUID]
) -> None:
    """Every area that a listing needs, and the feeds it lists in."""
    new = {id for (name, id), record in working.records.items() if name == AREAS and record.held is None}
    # Of a new one, too: no two areas have one id, in whichever home.
    ids = named | new | {record.area_id for record in working.records.values() if record.area_id}
    for mutation in mutations:
        ids |= {id for s in mutation.seen or () if (id := as_uuid(s.fields.get("area_id")))}
    # What a new area lies in can't be handed over meanwhile: its own path begins with that one's.
    if new:
        await hold_follows(transaction)
    working.areas = await areas_by_id(transaction, working.home, ids, hold=bool(new))
    await load_feeds(transaction, working)


_CAMPAIGN = COLLECTIONS["campaigns"].table
_RETENTIONS = sa.select(_CAMPAIGN.c.id, _CAMPAIGN.c.keep_until).where(
    among(_CAMPAIGN.c.home, "homes"), among(_CAMPAIGN.c.id, "ids"), _CAMPAIGN.c.keep_until.is_not(None)
)


async def _load_retentions(transaction: Transaction, working: Working, mutations: Iterable[Mutation]) -> None:
    """Of the campaigns that new records name, of this community or of what lies above: until when they are kept."""
    made = [(fields, COLLECTIONS[name].erased_with) for name, fields in _made_by(mutations)]
    named = {id for fields, names in made for name in names if (id := as_uuid(fields.get(name)))}
    if named:
        homes = {UUID(hex=id) for area in working.areas.values() for id in area.path.strip("/").split("/")}
        rows = await transaction.fetch(_RETENTIONS, homes=[*homes], ids=[*named])
        working.kept_until = {row.id: row.keep_until for row in rows}


_FEEDS = sa.select(_FEED.c.id, _FEED.c.owner_id, _FEED.c.audience, _FEED.c.views).where(
    among(_FEED.c.home, "homes"), among(_FEED.c.owner_id, "owners")
)


async def load_feeds(transaction: Transaction, working: Working) -> None:
    """The feeds of the areas at hand."""
    owners = {o for area in working.areas.values() for kind in AUDIENCES if (o := area.owner(kind))}
    if not owners:
        return
    homes, areas = ({owner[part] for owner in owners} for part in (0, 1))
    for row in await transaction.fetch(_FEEDS, homes=[*homes], owners=[*areas]):
        working.feeds[row.owner_id, row.audience] = row.id
        working.views[row.id] = row.views


_LISTED = sa.select(
    *(_ENTRY.c.home, _ENTRY.c.collection, _ENTRY.c.record_id, _ENTRY.c.feed_id, _ENTRY.c.hash, _ENTRY.c.live)
)
_ENTRIES = Each(_LISTED, homes=_ENTRY.c.home, collections=_ENTRY.c.collection, records=_ENTRY.c.record_id)


async def load_entries(transaction: Transaction, working: Working, records: Iterable[Record]) -> None:
    """Where these records stand in which feeds."""
    wanted = {record.key: record for record in records if record.held}
    if not wanted:
        return
    homes = {working.home, *(area.reference_area_id for area in working.areas.values())}
    asked = [(home, name, id) for name, id in wanted for home in homes]
    places, names, ids = (list(part) for part in zip(*asked, strict=True))
    for row in await transaction.fetch_each(_ENTRIES, homes=places, collections=names, records=ids):
        record = wanted.get((row.collection, row.record_id))
        # Under the same id another home may have another record.
        if record and row.home == _home_listing(working, record):
            record.entries.append(Entry(row.feed_id, row.hash, row.live))


def _home_listing(working: Working, record: Record) -> UUID:
    """Only what lies above communities is listed outside its own home: at the root."""
    area = working.area_of(record) if audience_of(record) == "reference" else None
    return area.reference_area_id if area else working.home


_REFUSED = sa.select(
    *(_RECEIVED.c.collection, _RECEIVED.c.record_id, _RECEIVED.c.payload.is_not(None).label("kept"))
).where(REFUSED_CREATE)
_REFUSED_CREATES = Each(
    _REFUSED, home=_RECEIVED.c.home, collections=_RECEIVED.c.collection, records=_RECEIVED.c.record_id
)


async def _load_refused_creates(transaction: Transaction, working: Working, access: Access, needed: set[Key]) -> None:
    """Of the needed records that don't exist, as far as this person may see: those whose create was refused."""
    records = (working.records[key] for key in needed)
    missing = {r.key for r in records if r.held is None or not access.may_read(working.feeds_of(r))}
    if not missing:
        return
    wanted = {"collections": [name for name, _ in missing], "records": [id for _, id in missing]}
    rows = await transaction.fetch_each(_REFUSED_CREATES, home=working.home, **wanted)
    kept = {(row.collection, row.record_id) for row in rows if row.kept}
    working.refused_creates |= {(row.collection, row.record_id) for row in rows}
    working.forgotten_creates = working.refused_creates - kept
