"""Rebuilding what feeds list, after a release that shows other fields or masks them otherwise.

Records whose entries aren't as this release spells them are listed anew: the same rev under a new number, in the feeds
that differ and in no other, while the server serves. Phones get them as they get any change; nobody reads again from
the beginning.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.areas import areas_by_id
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import Context
from app.database import Transaction
from app.listing import list_changes, spelled_anew
from app.loading import load_entries, load_feeds
from app.tables import Rebuild
from app.views import seen_through
from app.working import Record, Working, as_loaded
from sync.canonical import spelled, spelled_record_hash

BATCH = 200
"""Records locked at a time."""
PAUSE_SECONDS = 0.05
"""Between two batches: whoever waits for a record of one comes first."""
RELEASE = 6
"""Raised with whatever changes what is shown: of two releases that are served at once, the newer has its way."""
_PROBES = ("", "明", "李四", "王小四", "13812345678", "11010519491231002X", "1949-12-31", 7, True, None)
_REBUILD: sa.Table = Rebuild.__table__  # type: ignore[attr-defined]


async def rebuild_views(context: Context) -> int:
    """Goes on where it was left, until every collection is as this release shows it; how many entries it listed anew.

    Any number of processes may do it at once: they take turns.
    """
    listed = 0
    for collection in COLLECTIONS.values():
        more = True
        while more:
            more, count = await _next_batch(context, collection)
            listed += count
            if more:
                await context.seams.sleep(PAUSE_SECONDS)
    return listed


def fingerprint_of(collection: Collection) -> str:
    """Another one for other fields, other masks, or other feeds."""
    listed = [collection.audience, collection.lists_in]
    fields = {name: (spec.kind.__name__, spec.default) for name, spec in collection.fields.items()}
    masks = {name: [mask(probe) for probe in _PROBES] for name, mask in collection.helper_view.items()}
    return hashlib.sha256(json.dumps([listed, fields, masks], sort_keys=True).encode()).hexdigest()[:32]


async def _next_batch(context: Context, collection: Collection) -> tuple[bool, int]:
    """Is there more to look at, and how many entries were listed anew?"""

    async def work(transaction: Transaction) -> tuple[bool, int]:
        state = await _state_of(transaction, collection)
        if state is None or state.done:
            return False, 0
        table = collection.table
        living = sa.select(table.c.home, table.c.id).where(table.c.deleted_at.is_(None))
        ahead = living.order_by(table.c.home, table.c.id)
        if state.home is not None:
            ahead = ahead.where(sa.tuple_(table.c.home, table.c.id) > sa.tuple_(state.home, state.record_id))
        found = await transaction.rows(ahead.limit(BATCH))
        batch = [row.id for row in found if row.home == found[0].home]
        reached = {"home": found[0].home, "record_id": batch[-1]} if found else {"done": True}
        await transaction.execute(sa.update(_REBUILD).where(_REBUILD.c.collection == collection.name).values(**reached))
        return bool(found), await _relist(transaction, context, collection, found[0].home, batch) if found else 0

    return await context.database.run(work)


async def _state_of(transaction: Transaction, collection: Collection) -> Any:
    """How far this release has come, held until this commits; None where a newer one has been here."""
    name, fingerprint = collection.name, fingerprint_of(collection)
    held = sa.select(_REBUILD).where(_REBUILD.c.collection == name)
    row = await transaction.first(held.with_for_update())
    if row and (row.release > RELEASE or (row.release, row.fingerprint) == (RELEASE, fingerprint)):
        return row if row.release == RELEASE else None
    fresh = {"collection": name, "release": RELEASE, "fingerprint": fingerprint}
    await transaction.upsert(_REBUILD, [{**fresh, "home": None, "record_id": None, "done": False}])
    return await transaction.first(held)


async def _relist(
    transaction: Transaction, context: Context, collection: Collection, home: UUID, ids: Sequence[UUID]
) -> int:
    table, working = collection.table, Working(home)
    held = sa.select(table).where(table.c.home == home, table.c.id.in_(ids), table.c.deleted_at.is_(None))
    rows = await transaction.rows(held.order_by(table.c.id).with_for_update())
    records = [as_loaded(working, collection, row) for row in rows]
    working.areas = await areas_by_id(transaction, home, {row.area_id for row in rows})
    await load_feeds(transaction, working)
    await load_entries(transaction, working, records)
    changed = [(record, _differing(working, record)) for record in records]
    listing = spelled_anew(context.seams, working, [(r, feeds) for r, feeds in changed if feeds or r.live_feeds])
    await list_changes(transaction, listing, context.seams.now())
    return sum(len(entries) for _, entries, _ in listing)


def _differing(working: Working, record: Record) -> dict[int, str]:
    """The feeds in which the record should stand and doesn't, or otherwise. Of its entries only wrong ones are left:
    where it stands right it stays as it is.
    """
    feeds, wanted = working.feeds_of(record), dict[int, int]()
    for feed, audience in feeds.items():
        fields = spelled(seen_through(record.collection.view(audience), record.fields))
        assert record.held is not None
        wanted[feed] = spelled_record_hash(record.collection.name, str(record.id), record.held.rev, fields)
    held = {entry.feed_id: entry.hash for entry in record.entries if entry.live}
    wrong = {feed for feed in wanted.keys() | held.keys() if wanted.get(feed) != held.get(feed)}
    record.entries = [entry for entry in record.entries if entry.feed_id in wrong]
    return {feed: audience for feed, audience in feeds.items() if feed in wrong}
