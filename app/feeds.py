"""Opening feeds: those that new areas own, and those of the helpers' view beside them.

A masked feed is opened when somebody who reads that view first has a role there; until then nothing is written twice.
A push that began before and ends after is told by `ViewOpened`, and begins again.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.areas import TEAM, Area
from app.collections import COLLECTIONS
from app.database import FeedStep, Listed, Transaction
from app.follows import follow_new_feeds, masked_readers_over, touched
from app.listing import as_listed, beginning_of, new_tag
from app.loading import load_feeds
from app.tables import Feed, FeedEntry, Server
from app.views import HELPER, seen_through
from app.working import AREAS, Working
from sync.canonical import spelled
from sync.seams import Seams

_AREA = COLLECTIONS["areas"].table
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]
_MASKED = [name for name, collection in COLLECTIONS.items() if collection.helper_view]


async def open_new_feeds(transaction: Transaction, seams: Seams, working: Working) -> None:
    """The feeds of areas that this push created: whatever lists there needs them."""
    records = working.records.values()
    opened = [working.areas[r.id] for r in records if r.collection.name == AREAS and r.dirty and not r.stored]
    if not opened:
        return
    feeds = await _open_owned(transaction, opened)
    # Nothing lies below what is new but what is new as well, and no enclave leads there yet.
    feeds += await _open_masked(transaction, seams, feeds)
    await follow_new_feeds(transaction, feeds, seams.now())
    await load_feeds(transaction, working)


async def _open_owned(transaction: Transaction, areas: Sequence[Area]) -> list[int]:
    """The feeds that new areas own: for staff at the tree's feed level, for reference at communities and the root,
    for its members at a team.
    """
    wanted = [(area.home, area.id, "staff") for area in areas if area.feed_area_id == area.id]
    wanted += [(area.home, area.id, "team") for area in areas if area.level == TEAM]
    wanted += [(area.id, area.id, "reference") for area in areas if area.reference_area_id == area.id]
    return await _insert(transaction, wanted)


async def open_masked_feeds(transaction: Transaction, seams: Seams, path: str) -> None:
    """Of every building that this path concerns and a helper has a role over, now or later: those not open yet."""
    await _open_masked(transaction, seams, touched(path))


async def _open_masked(transaction: Transaction, seams: Seams, of: sa.Select[Any] | Sequence[int]) -> list[int]:
    """Beside those of these feeds that helpers have a role over."""
    wanted = (_FEED.c.audience == "staff", _FEED.c.views == 0, masked_readers_over(_AREA.c.path, seams.now()))
    concerned = sa.select(_FEED.c.home, _FEED.c.id, _FEED.c.owner_id).where(_FEED.c.id.in_(of))
    owner = sa.and_(_AREA.c.home == _FEED.c.home, _AREA.c.id == _FEED.c.owner_id)
    which = concerned.join(_AREA, owner).where(*wanted)
    # Held until this commits: a push that waits for one of them finds the view open.
    staff = await transaction.rows(which.order_by(_FEED.c.id).with_for_update(of=_FEED))
    if not staff:
        return []
    opened = await _insert(transaction, [(feed.home, feed.owner_id, HELPER) for feed in staff])
    await transaction.execute(sa.update(_FEED).where(_FEED.c.id.in_([feed.id for feed in staff])).values(views=1))
    # One building after the other: no more than one is in memory at a time.
    for feed, masked in zip(staff, opened, strict=True):
        await _fill(transaction, seams, feed, masked)
    return opened


async def _insert(transaction: Transaction, wanted: Sequence[tuple[UUID, UUID, str]]) -> list[int]:
    """Empty feeds of these (home, owner, audience), numbered by the server. Nobody follows them yet."""
    if not wanted:
        return []
    counted = sa.update(_SERVER).values(feeds=_SERVER.c.feeds + len(wanted)).returning(_SERVER.c.feeds)
    [row] = await transaction.rows(counted)
    numbers = range(row.feeds - len(wanted) + 1, row.feeds + 1)
    empty = {"head": 0, "digest": 0, "horizon": 0, "tag": 0, "views": 0}
    feeds = [
        {"home": home, "id": number, "owner_id": owner, "audience": audience, **empty}
        for number, (home, owner, audience) in zip(numbers, wanted, strict=True)
    ]
    await transaction.insert(_FEED, feeds)
    return [*numbers]


async def _fill(transaction: Transaction, seams: Seams, staff: Any, masked: int) -> None:
    listed = (_ENTRY.c.home == staff.home, _ENTRY.c.feed_id == staff.id, _ENTRY.c.live)
    columns = sa.select(_ENTRY.c.collection, _ENTRY.c.record_id, _ENTRY.c.rev, _ENTRY.c.body)
    found = columns.where(*listed, _ENTRY.c.collection.in_(_MASKED)).order_by(_ENTRY.c.seq)
    entries = [_as_seen(row, masked, step) for step, row in enumerate(await transaction.rows(found), 1)]
    if entries:
        digest = sum(entry.hash for entry in entries)
        steps: Sequence[FeedStep] = [FeedStep(masked, len(entries), digest, new_tag(seams))]
        await transaction.list_entries(staff.home, entries, steps, seams.now())


def _as_seen(row: Any, feed: int, step: int) -> Listed:
    held = json.loads(b"{" + row.body + b"}")
    name, id_text = row.collection, str(row.record_id)
    fields = spelled(seen_through(COLLECTIONS[name].helper_view, held["fields"]))
    beginning = beginning_of(name, id_text, held["home"], row.rev)
    number, body = as_listed(name, id_text, row.rev, beginning, fields)
    return Listed(feed, step, name, row.record_id, row.rev, number, True, body)
