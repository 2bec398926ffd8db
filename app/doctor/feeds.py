"""For the doctor: each feed's digest, head, mark and horizon, against its entries and marks."""

from typing import Any

import sqlalchemy as sa

from app.tables import Feed, FeedEntry, FeedMark
from sync.canonical import DIGEST_MODULUS

_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_MARK: sa.Table = FeedMark.__table__  # type: ignore[attr-defined]
_HALF = 2**24
"""Hashes are summed in halves: 32,768 whole ones are more than SQLite adds up."""


def drifted_feeds() -> dict[str, sa.Select[Any]]:
    """Ids of the feeds that aren't what they list."""
    entries, marks = _of_entries().subquery(), _of_marks().subquery()
    feed = sa.select(_FEED.c.id)
    listed = feed.outerjoin(entries, sa.and_(entries.c.home == _FEED.c.home, entries.c.feed_id == _FEED.c.id))
    marked = feed.outerjoin(marks, sa.and_(marks.c.home == _FEED.c.home, marks.c.feed_id == _FEED.c.id))
    digest = sa.func.coalesce(entries.c.digest, 0)
    newest, newest_mark = sa.func.coalesce(entries.c.newest, 0), sa.func.coalesce(marks.c.newest, 0)
    forgotten = sa.and_(newest < _FEED.c.head, _FEED.c.head <= _FEED.c.horizon)
    at_head = (_MARK.c.home == _FEED.c.home, _MARK.c.feed_id == _FEED.c.id, _MARK.c.seq == _FEED.c.head)
    proven = sa.exists(sa.select(1).where(*at_head, _MARK.c.tag == _FEED.c.tag))
    horizon = sa.and_(_FEED.c.horizon > 0, sa.func.coalesce(marks.c.oldest, 0) != _FEED.c.horizon)
    return {
        "feed_digest": listed.where(digest != _FEED.c.digest),
        "feed_head": listed.where(newest != _FEED.c.head, ~forgotten),
        "feed_mark": marked.where(sa.or_(newest_mark != _FEED.c.head, sa.and_(_FEED.c.head > 0, ~proven))),
        "feed_horizon": marked.where(sa.or_(horizon, _FEED.c.horizon < 0, _FEED.c.horizon > _FEED.c.head)),
        "feed_not_compacted": listed.where(entries.c.oldest_dead <= _FEED.c.horizon),
    }


def _of_entries() -> sa.Select[Any]:
    hash = sa.case((_ENTRY.c.live, _ENTRY.c.hash), else_=0)
    high = sa.cast(sa.func.sum(hash // _HALF), sa.BigInteger)
    low = sa.cast(sa.func.sum(hash % _HALF), sa.BigInteger)
    columns = (
        *(_ENTRY.c.home, _ENTRY.c.feed_id),
        (((high % _HALF) * _HALF + low) % DIGEST_MODULUS).label("digest"),
        sa.func.max(_ENTRY.c.seq).label("newest"),
        sa.func.min(sa.case((~_ENTRY.c.live, _ENTRY.c.seq))).label("oldest_dead"),
    )
    return sa.select(*columns).group_by(_ENTRY.c.home, _ENTRY.c.feed_id)


def _of_marks() -> sa.Select[Any]:
    ends = sa.func.max(_MARK.c.seq).label("newest"), sa.func.min(_MARK.c.seq).label("oldest")
    return sa.select(_MARK.c.home, _MARK.c.feed_id, *ends).group_by(_MARK.c.home, _MARK.c.feed_id)
