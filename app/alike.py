"""Which records look like one: noted, as records of the collection `duplicates`, when one of them is written.

A pair is noted only while one feed lists both, and in that feed: nobody hears of a record that they may not see. Where
more than two are alike, each is noted with the oldest of the others.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import sqlalchemy as sa
from pydantic import JsonValue

from app.areas import areas_by_id
from app.bench import Bench
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.database import Transaction
from app.effects import write
from app.fields import MERGED_INTO, as_wire
from app.loading import load_entries, load_feeds
from app.prepared import among
from app.tables import Feed, FeedEntry
from app.working import Key, Record, Working, as_loaded
from sync.decide import Decision
from sync.wire import Fields

DUPLICATES = "duplicates"
MOST_ALIKE = 1000
"""Records that are looked at for one rule."""
_NOTED = COLLECTIONS[DUPLICATES]
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]

Rule = tuple[str, ...]


class Likeness(NamedTuple):
    """What records have in common that look like one."""

    collection: str
    rule: Rule
    feed: int
    values: tuple[JsonValue, ...]


async def note_duplicates(transaction: Transaction, bench: Bench) -> None:
    """Notes what this push makes look alike, and withdraws what it makes differ."""
    working = bench.working
    touched = {record.key: record for record in _touched(working)}
    if not touched:
        return
    # 1. What was noted of them before.
    before = [record.id for record in touched.values() if record.stored]
    hints = await _hints(transaction, working, _OF_RECORDS, before) if before else []
    # Only where these are listed: what somebody noted elsewhere must not tell them what happens here.
    here = {feed for record in touched.values() for feed in (*record.live_feeds, working.feed_of(record))}
    noted = {_pair_of(hint.fields): hint for hint in hints if here.issuperset(hint.live_feeds)}
    # 2. Their feeds stand still: of two phones that bring one person at once, the second finds the first one's.
    alike = _alike_here(working, touched.values())
    if alike:
        await _hold_feeds(transaction, working)
    # 3. Who looks like them?
    for likeness, id in await _alike_there(transaction, working.home, alike):
        if likeness in alike and (likeness.collection, id) not in touched:
            alike[likeness].add(id)
    wanted = _pairs(alike, touched) | _still_alike(alike, noted)
    # 4. What is new is noted, what no longer holds is withdrawn. A restored server may have it from a phone already.
    if new := {_id_of(pair): pair for pair in wanted if pair not in noted}:
        noted |= {new[hint.id]: hint for hint in await _hints(transaction, working, _BY_ID, [*new])}
    mutation = next(row["mutation_id"] for record in working.records.values() for row in record.history)
    for pair, likenesses in wanted.items():
        _note(bench, noted.pop(pair, None), pair, likenesses, mutation)
    for hint in noted.values():
        if hint.held and not hint.held.deleted and _no_longer_holds(working, hint):
            write(bench, hint, Decision("applied", deleted=True), mutation, op="delete")


Pair = tuple[str, UUID, UUID]
"""The collection, and both ids, the smaller first."""


def _touched(working: Working) -> Iterator[Record]:
    """Records of which what makes them look alike, or where they are listed, is otherwise than before."""
    for record in [*working.records.values()]:
        if record.collection.same and (record.moved or any(_tells(record.collection, row) for row in record.history)):
            yield record
            # What looked like a record that was merged may look like the one that stayed.
            if (into := record.own.get(MERGED_INTO)) and record.dirty:
                yield working.record(record.collection.name, into)


def _tells(collection: Collection, row: dict[str, Any]) -> bool:
    telling = {collection.lists_in}.union(*collection.same)
    return row["op"] != "update" or not telling.isdisjoint(row["fields"])


_HINT = _NOTED.table.c
_HINTS = sa.select(_NOTED.table).where(_HINT.home == sa.bindparam("home")).order_by(_HINT.id).with_for_update()
_OF_RECORDS = _HINTS.where(sa.or_(among(_HINT.record, "ids"), among(_HINT.other, "ids")))
_BY_ID = _HINTS.where(among(_HINT.id, "ids"))


async def _hints(
    transaction: Transaction, working: Working, which: sa.Select[Any], ids: Sequence[UUID]
) -> list[Record]:
    rows = await transaction.fetch(which, home=working.home, ids=ids)
    # One of the two may lie in another unit, and the hint with it.
    if missing := {row.area_id for row in rows} - working.areas.keys():
        working.areas |= await areas_by_id(transaction, working.home, missing)
        await load_feeds(transaction, working)
    hints = [working.find(DUPLICATES, row.id) or as_loaded(working, _NOTED, row) for row in rows]
    await load_entries(transaction, working, [hint for hint in hints if not hint.entries])
    return hints


def _pair_of(fields: Fields) -> Pair:
    one, other = sorted(UUID(str(fields[name])) for name in ("record", "other"))
    return str(fields["of_collection"]), one, other


def _alike_here(working: Working, touched: Iterable[Record]) -> dict[Likeness, set[UUID]]:
    """What can look like something, by what it would have to have."""
    found: dict[Likeness, set[UUID]] = defaultdict(set)
    for record in touched:
        feed = working.feed_of(record)
        if feed is None or record.held is None or record.held.deleted:
            continue
        for rule in record.collection.same:
            values = tuple(record.fields.get(name) for name in rule)
            if all(value not in (None, "") for value in values):
                found[Likeness(record.collection.name, rule, feed, values)].add(record.id)
    return found


async def _hold_feeds(transaction: Transaction, working: Working) -> None:
    """All that this push will list in, in order, as it locks them in the end."""
    changed = [record for record in working.records.values() if record.dirty or record.moved]
    feeds = {feed for record in changed for feed in (*working.feeds_of(record), *record.live_feeds)}
    which = sa.select(_FEED.c.id).where(_FEED.c.home == working.home, _FEED.c.id.in_(feeds))
    await transaction.rows(which.order_by(_FEED.c.id).with_for_update())


async def _alike_there(transaction: Transaction, home: UUID, alike: Iterable[Likeness]) -> list[tuple[Likeness, UUID]]:
    """Stored records that have in common what these have: a statement a rule, and where there are any, another."""
    by_rule: dict[tuple[str, Rule], list[Likeness]] = defaultdict(list)
    for likeness in alike:
        by_rule[likeness.collection, likeness.rule].append(likeness)
    found: list[tuple[Likeness, UUID]] = []
    for (name, rule), likenesses in by_rule.items():
        rows = await transaction.rows(_having(home, COLLECTIONS[name], rule, likenesses))
        values = {row.id: tuple(as_wire(row._mapping[field]) for field in rule) for row in rows}
        for row in await transaction.rows(_standing(home, name, values)) if values else ():
            found.append((Likeness(name, rule, row.feed_id, values[row.record_id]), row.record_id))
    return found


def _having(home: UUID, collection: Collection, rule: Rule, likenesses: Sequence[Likeness]) -> sa.Select[Any]:
    table, fields = collection.table, [collection.table.c[field] for field in rule]
    columns = [collection.as_columns(dict(zip(rule, one.values, strict=True))) for one in likenesses]
    together = sa.tuple_(*fields).in_({tuple(column.values()) for column in columns})
    # Of a row of values SQLite looks up none in an index; of a single one it does.
    each = [field.in_({column[field.name] for column in columns}) for field in fields]
    found = sa.select(table.c.id, *fields).where(table.c.home == home, *each, together, table.c.deleted_at.is_(None))
    return found.limit(MOST_ALIKE)


def _standing(home: UUID, name: str, ids: Iterable[UUID]) -> sa.Select[Any]:
    """Where they are listed."""
    listed = (_ENTRY.c.home == home, _ENTRY.c.collection == name, _ENTRY.c.record_id.in_(ids), _ENTRY.c.live)
    return sa.select(_ENTRY.c.record_id, _ENTRY.c.feed_id).where(*listed)


def _pairs(alike: dict[Likeness, set[UUID]], touched: dict[Key, Record]) -> dict[Pair, list[Likeness]]:
    found: dict[Pair, list[Likeness]] = defaultdict(list)
    for likeness, ids in alike.items():
        oldest = sorted(ids)
        for id in oldest if len(oldest) > 1 else ():
            if (likeness.collection, id) in touched:
                one, other = sorted((id, oldest[0] if id != oldest[0] else oldest[1]))
                found[likeness.collection, one, other].append(likeness)
    return found


def _still_alike(alike: dict[Likeness, set[UUID]], noted: Iterable[Pair]) -> dict[Pair, list[Likeness]]:
    found = {
        pair: [one for one, ids in alike.items() if one.collection == pair[0] and ids >= {*pair[1:]}] for pair in noted
    }
    return {pair: likenesses for pair, likenesses in found.items() if likenesses}


def _note(bench: Bench, hint: Record | None, pair: Pair, likenesses: Sequence[Likeness], mutation: UUID) -> None:
    name, one, other = pair
    working = bench.working
    area = next(area for id in (one, other) if (r := working.find(name, id)) and (area := working.area_of(r)))
    alike = sorted({field for likeness in likenesses for field in likeness.rule})
    wanted: Fields = {"area_id": str(area.id), "alike": [*alike]}
    if hint is None:
        hint = working.record(DUPLICATES, _id_of(pair))
        whole: Fields = {"of_collection": name, "record": str(one), "other": str(other), **wanted}
        write(bench, hint, Decision("applied", fields={**_NOTED.defaults, **whole}), mutation, op="create")
        return
    changed = {name: value for name, value in wanted.items() if hint.fields[name] != value}
    again = hint.held is not None and hint.held.deleted
    if changed or again:
        op = "revive" if again else "update"
        write(bench, hint, Decision("applied", fields=changed, deleted=False if again else None), mutation, op=op)


def _id_of(pair: Pair) -> UUID:
    """The same for the same two, so that what a person said of them is remembered."""
    name, one, other = pair
    return uuid5(one, f"{name}/{other}")


def _no_longer_holds(working: Working, hint: Record) -> bool:
    """What a person noted does, as long as both are there."""
    name, one, other = pair = _pair_of(hint.fields)
    here = [record for id in (one, other) if (record := working.find(name, id))]
    return hint.id == _id_of(pair) or any(record.held and record.held.deleted for record in here)
