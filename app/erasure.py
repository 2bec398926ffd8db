"""Erasure: what was recorded for a campaign is forgotten once its retention has ended.

Of an erased record stays that there was one: its id, where it lay, with what it was erased, and who wrote of it when.
Nothing stays that anybody wrote: not in its row, its history or its conflicts, nor in what was sent and kept. To phones
it is a record that was deleted, and whatever still arrives for it is refused as `erased` (judge.py).
"""

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence, Set
from datetime import date
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.areas import areas_by_id
from app.batch import NO_HOME
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import Context
from app.database import Transaction
from app.fields import ERASED_AT, as_uuid
from app.listing import list_changes, spelled_anew
from app.loading import load_entries, load_feeds
from app.prepared import among
from app.sqlite import Sqlite
from app.tables import KEPT, LOOSE, REFUSED_CREATE, History, ReceivedMutation
from app.working import Record, Working, as_loaded
from sync.days import day_of
from sync.decide import Held

BATCH = 200
"""Records erased, or refusals looked through, at a time."""
PAUSE_SECONDS = 0.05
"""Between two batches: whoever waits for a record of one, or to write at all, comes first."""
_ERASABLE = [collection for collection in COLLECTIONS.values() if collection.erased_with]
_ABOUT = [collection for collection in _ERASABLE if "of_collection" in collection.fields]
_RECORDED = [collection for collection in _ERASABLE if "of_collection" not in collection.fields]
_ALONE = {collection.name for collection in _RECORDED}
_LASTING = [collection.name for collection in COLLECTIONS.values() if not collection.erased_with]
_NOTHING: dict[type, Any] = {str: "", UUID: UUID(int=0), date: date.min}
"""What a column holds that must hold something."""
_ID = re.compile(rb"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_CAMPAIGN = COLLECTIONS["campaigns"].table
_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]


async def erase_ended(context: Context) -> int:
    """Erases what names a campaign whose `keep_until` lies before today, deleted or not; how many records.

    Many transactions, each whole by itself: done again, it goes on where it was left.
    """
    today, erased = day_of(context.seams.now(), context.day_begins), 0
    ended = sa.select(_CAMPAIGN.c.id).where(_CAMPAIGN.c.keep_until < today)
    for collection in _RECORDED:
        table, [named] = collection.table, collection.erased_with
        due = sa.select(table.c.home, table.c.id).where(table.c[named].in_(ended), table.c[ERASED_AT].is_(None))
        async for page in _pages(context, table, due):
            for home, rows in groupby(page, lambda row: row.home):
                erased += await erase(context, collection, home, [row.id for row in rows])
                await context.seams.sleep(PAUSE_SECONDS)
    # What names what was forgotten just now is forgotten as well.
    while await _forget_loose(context, today):
        pass
    if isinstance(context.database, Sqlite):
        await context.database.clear_journal()
    return erased


async def _pages(context: Context, table: sa.Table, wanted: sa.Select[Any]) -> AsyncIterator[Sequence[Any]]:
    """Its rows in order of (home, id)."""
    key = (table.c.home, table.c.id)
    after: sa.ColumnElement[bool] = sa.true()
    while True:
        async with context.database.snapshot("server") as snapshot:
            page = await snapshot.rows(wanted.where(after).order_by(*key).limit(BATCH))
        if not page:
            return
        yield page
        reached = zip((page[-1].home, page[-1].id), key, strict=True)
        after = sa.tuple_(*key) > sa.tuple_(*(sa.literal(value, column.type) for value, column in reached))


async def erase(context: Context, collection: Collection, home: UUID, ids: Sequence[UUID]) -> int:
    """These records of one home, and what is about them, in one transaction; how many weren't erased before."""

    async def work(transaction: Transaction) -> int:
        working = Working(home)
        # 1. Held as a push holds them: whoever writes one of them has done so by now, or will find it erased.
        records = await _hold(transaction, working, collection, collection.table.c.id.in_(ids))
        held = [(collection, records)]
        for about in _ABOUT:
            table = about.table
            names = sa.or_(*(table.c[name].in_(ids) for name in about.erased_with))
            which = sa.and_(table.c.of_collection == collection.name, names)
            held.append((about, await _hold(transaction, working, about, which)))
        # 2. Nothing stays of what anybody wrote.
        for erased, some in held:
            await _forget(transaction, context, home, erased, some)
        # 3. Phones drop it as they drop what was deleted. Feeds last, as in a push.
        every = [record for _, some in held for record in some]
        working.areas = await areas_by_id(transaction, home, {r.area_id for r in every if r.area_id})
        await load_feeds(transaction, working)
        await load_entries(transaction, working, every)
        listed = [(r, feeds) for r in every if (feeds := working.feeds_of(r)) or r.live_feeds]
        await list_changes(transaction, spelled_anew(context.seams, working, listed), context.seams.now())
        return len(records)

    return await context.database.run(work)


async def _hold(
    transaction: Transaction, working: Working, collection: Collection, which: sa.ColumnElement[bool]
) -> list[Record]:
    """Those that aren't erased yet, as they will be."""
    table = collection.table
    held = sa.select(table).where(table.c.home == working.home, which, table.c[ERASED_AT].is_(None))
    rows = await transaction.rows(held.order_by(table.c.id).with_for_update())
    records = [as_loaded(working, collection, row) for row in rows]
    for record, row in zip(records, rows, strict=True):
        fields = {name: value for name, value in record.fields.items() if name in _kept(collection)}
        record.held = Held(row.rev + 1, fields, {}, deleted=True)
    return records


def _kept(collection: Collection) -> set[str]:
    """Fields that say with what it was erased, and where it lies."""
    return {*collection.erased_with, "of_collection", "area_id"}


async def _forget(
    transaction: Transaction, context: Context, home: UUID, collection: Collection, records: Sequence[Record]
) -> None:
    if not records:
        return
    table, ids, now = collection.table, [record.id for record in records], context.seams.now()
    emptied = [spec for name, spec in collection.fields.items() if name not in _kept(collection)]
    blank = {spec.name: _NOTHING[spec.kind] if spec.required else sa.null() for spec in emptied}
    deleted_at = sa.func.coalesce(table.c.deleted_at, sa.literal(now, table.c.deleted_at.type))
    stamps = {"updated_at": now, "updated_by": None, "deleted_at": deleted_at, ERASED_AT: now}
    row = sa.update(table).where(table.c.home == home, table.c.id.in_(ids))
    await transaction.execute(row.values(**blank, **stamps, rev=table.c.rev + 1, field_revs={}))
    past, sent = (sa.update(kept).where(*_of(kept, home, collection, ids)) for kept in (_HISTORY, _RECEIVED))
    await transaction.execute(past.values(fields={}, was={}))
    await transaction.execute(sent.where(KEPT).values(payload=None))
    erased = {"home": home, "collection": collection.name, "mutation_id": context.seams.new_id(), "person_id": None}
    erased |= {"at": now, "op": "erase", "fields": {}, "was": {}}
    revs = [(record.id, record.held.rev) for record in records if record.held]
    await transaction.insert(_HISTORY, [{**erased, "record_id": id, "rev": rev} for id, rev in revs])


def _of(kept: sa.Table, home: UUID, collection: Collection, ids: Sequence[UUID]) -> tuple[sa.ColumnElement[bool], ...]:
    return kept.c.home == home, kept.c.collection == collection.name, kept.c.record_id.in_(ids)


_LOOSE = sa.select(
    *(_RECEIVED.c.home, _RECEIVED.c.id, _RECEIVED.c.collection, _RECEIVED.c.record_id, _RECEIVED.c.payload)
).where(LOOSE, sa.or_(_RECEIVED.c.collection.is_(None), _RECEIVED.c.collection.not_in(_LASTING)))
_ENDED = sa.select(_CAMPAIGN.c.id).where(among(_CAMPAIGN.c.id, "ids"), _CAMPAIGN.c.keep_until < sa.bindparam("today"))


def _gone(*, anywhere: bool) -> sa.CompoundSelect[Any]:
    """(home, collection, id) of those of the ids that were erased, or never created and are forgotten."""
    erased: Iterable[tuple[sa.Table, Any, Any, sa.ColumnElement[bool]]] = (
        (one.table, one.table.c.id, sa.literal_column(f"'{one.name}'"), one.table.c[ERASED_AT].is_not(None))
        for one in _ERASABLE
    )
    forgotten = sa.and_(REFUSED_CREATE, _RECEIVED.c.payload.is_(None))
    every = (*erased, (_RECEIVED, _RECEIVED.c.record_id, _RECEIVED.c.collection, forgotten))
    return sa.union_all(
        *(
            sa.select(table.c.home, name.label("collection"), id.label("id")).where(
                *(() if anywhere else (among(table.c.home, "homes"),)), among(id, "ids"), which
            )
            for table, id, name, which in every
        )
    )


_GONE, _GONE_ANYWHERE = _gone(anywhere=False), _gone(anywhere=True)


async def _forget_loose(context: Context, today: date) -> bool:
    """What was sent and has no record with which it would be erased: what was refused, perhaps too flawed to say of
    what it is, and what settled a conflict that a restore had lost. It goes where it names such a campaign, or is of
    what was erased, or of what was never created and is forgotten; was there any?
    """
    forgotten = False
    async for page in _pages(context, _RECEIVED, _LOOSE):
        named = {(row.home, row.id): {UUID(id.decode()) for id in _ID.findall(row.payload)} for row in page}
        ids, homes = [*set[UUID]().union(*named.values())], [*{row.home for row in page}]
        async with context.database.snapshot("server") as snapshot:
            ended = {row.id for row in await snapshot.fetch(_ENDED, ids=ids, today=today)}
            # By home and id each is one look into an index; a plan for any values reads whole homes.
            await snapshot.plan_afresh()
            if NO_HOME in homes:  # what didn't say where it belongs may be of anywhere
                gone = await snapshot.fetch(_GONE_ANYWHERE, ids=ids)
            else:
                gone = await snapshot.fetch(_GONE, homes=homes, ids=ids)
        if found := [(row.home, row.id) for row in page if _is_gone(row, named[row.home, row.id], ended, gone)]:
            await _run(context, sa.update(_RECEIVED).where(*_among_keys(found)).values(payload=None))
            forgotten = True
    return forgotten


def _is_gone(row: Any, named: Set[UUID], ended: Set[UUID], gone: Sequence[Any]) -> bool:
    """Of a record that stands by itself nothing is gone but its own; of any other, what it names."""
    collection, record = _told_of(row)
    if collection in _LASTING:
        return False
    there = {(one.collection, one.id) for one in gone if row.home in (one.home, NO_HOME)}
    alone = record is not None and collection in _ALONE
    return bool(named & ended) or ((collection, record) in there if alone else any(id in named for _, id in there))


def _told_of(row: Any) -> tuple[str | None, UUID | None]:
    """The collection and the record that it is of, as far as that can be read."""
    if row.collection is not None:
        return row.collection, row.record_id
    try:
        said = json.loads(row.payload)
    except (ValueError, RecursionError):
        return None, None
    collection, record = (said.get("collection"), said.get("record")) if isinstance(said, dict) else (None, None)
    return collection if isinstance(collection, str) else None, as_uuid(record)


def _among_keys(found: Sequence[tuple[UUID, UUID]]) -> Iterator[sa.ColumnElement[bool]]:
    """Of a row of values SQLite looks up none in an index; of single ones it does."""
    key = (_RECEIVED.c.home, _RECEIVED.c.id)
    yield from (column.in_(set(values)) for column, values in zip(key, zip(*found, strict=True), strict=True))
    yield sa.tuple_(*key).in_(found)


async def _run(context: Context, words: sa.Update) -> None:
    await context.database.run(lambda transaction: transaction.execute(words))
