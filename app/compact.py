"""Compaction: forgetting tombstones, departures and marks that no phone within the retention needs."""

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from app.context import Context
from app.database import Transaction
from app.tables import Feed, FeedEntry, FeedMark

RETENTION_DAYS = 180
"""How long a phone may stay away without reading its feeds from the beginning."""

_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_MARK: sa.Table = FeedMark.__table__  # type: ignore[attr-defined]


async def compact(context: Context, days: int = RETENTION_DAYS) -> int:
    """One transaction a feed; how many tombstones and departures went."""
    async with context.database.snapshot("server") as snapshot:
        feeds = await snapshot.rows(sa.select(_FEED.c.home, _FEED.c.id).order_by(_FEED.c.id))
    forgotten = 0
    for feed in feeds:
        forgotten += await compact_feed(context, feed.home, feed.id, days)
    return forgotten


async def compact_feed(context: Context, home: UUID, feed: int, days: int) -> int:
    """Marks older than the retention go, except the newest; the oldest kept is the horizon.

    A usable position lies at or above the horizon, so that it always has its mark.
    """
    oldest = context.seams.now() - timedelta(days=days)

    async def work(transaction: Transaction) -> int:
        of_feed = (_FEED.c.home == home, _FEED.c.id == feed)
        held = await transaction.first(sa.select(_FEED.c.head, _FEED.c.horizon).where(*of_feed).with_for_update())
        marks = (_MARK.c.home == home, _MARK.c.feed_id == feed)
        kept = sa.or_(_MARK.c.made_at >= oldest, _MARK.c.seq == held.head) if held else sa.false()
        row = await transaction.first(sa.select(sa.func.min(_MARK.c.seq)).where(*marks, kept))
        horizon = row[0] if row and row[0] else 0
        if not await transaction.execute(sa.delete(_MARK).where(*marks, _MARK.c.seq < horizon)):
            return 0
        await transaction.execute(sa.update(_FEED).where(*of_feed).values(horizon=horizon))
        dead = (_ENTRY.c.home == home, _ENTRY.c.feed_id == feed, _ENTRY.c.seq <= horizon, ~_ENTRY.c.live)
        return await transaction.execute(sa.delete(_ENTRY).where(*dead))

    return await context.database.run(work)
