"""For the doctor: who follows which feed, against the grants and the tree."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.dates import lasting
from app.follows import begun, given, should_follow
from app.tables import Feed, Follow

_FOLLOW: sa.Table = Follow.__table__  # type: ignore[attr-defined]
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]


def drifted_follows(now: datetime) -> dict[str, sa.Select[Any]]:
    """(grant, feed) of what is missing, too much or otherwise than its grant says.

    A row that has ended may be of what its grant no longer reaches: it carries the grace. One that began later than
    its grant began with a handover, so that only what hasn't begun yet must begin with the grant.
    """
    due = should_follow(now).cte("due")
    key = ("person_id", "home", "feed_id", "grant_id")
    same = sa.and_(*(_FOLLOW.c[name] == due.c[name] for name in key))
    row, lasts = sa.select(_FOLLOW.c.grant_id, _FOLLOW.c.feed_id), lasting(_FOLLOW, now)
    missing = sa.select(due.c.grant_id, due.c.feed_id).outerjoin(_FOLLOW, sa.and_(same, lasts))
    feed = sa.and_(_FEED.c.home == _FOLLOW.c.home, _FEED.c.id == _FOLLOW.c.feed_id)
    extra = row.outerjoin(due, same).outerjoin(_FEED, feed)
    unreached = sa.and_(due.c.grant_id.is_(None), sa.or_(lasts, ~given()))
    too_late = sa.and_(_FOLLOW.c.since > now, _FOLLOW.c.since > due.c.since)
    longer = sa.and_(due.c.until.is_not(None), sa.or_(_FOLLOW.c.until.is_(None), _FOLLOW.c.until > due.c.until))
    dates = sa.or_(
        ~begun(),
        too_late,
        longer,
        sa.and_(lasts, _FOLLOW.c.until.is_distinct_from(due.c.until)),
    )
    return {
        "follow_missing": missing.where(lasting(due, now), _FOLLOW.c.grant_id.is_(None)),
        "follow_too_many": extra.where(sa.or_(unreached, _FEED.c.id.is_(None))),
        "follow_dates": row.join(due, same).where(dates),
        "follow_role": row.join(due, same).where(lasts, _FOLLOW.c.role != due.c.role),
    }
