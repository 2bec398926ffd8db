"""Who follows which feed: written down when a grant is given, a feed is opened or an area is handed over.

A row carries its grant's dates, so that reading needs no more than the rows. Ended rows stay: they carry the grace.
"""

from collections.abc import Collection as Some
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.database import Transaction
from app.dates import in_force, lasting
from app.roles import READ_MASKED, READ_STAFF
from app.tables import Feed, Follow, Grant
from app.views import HELPER

READER = "reader"

_GRANT: sa.Table = Grant.__table__  # type: ignore[attr-defined]
_FOLLOW: sa.Table = Follow.__table__  # type: ignore[attr-defined]
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_AREA = COLLECTIONS["areas"].table
_GRANTED, _OWNER = _AREA.alias("granted"), _AREA.alias("owner")
_BELOW = _OWNER.c.path.startswith(_GRANTED.c.path)
_READS = sa.or_(
    _FEED.c.audience == "reference",
    sa.and_(_FEED.c.audience == "staff", _GRANT.c.role.in_(READ_STAFF)),
    sa.and_(_FEED.c.audience == HELPER, _GRANT.c.role.in_(READ_MASKED)),
)
_REACHES = sa.or_(
    sa.and_(_BELOW, _READS),
    sa.and_(_GRANTED.c.path.startswith(_OWNER.c.path), _FEED.c.audience == "reference"),
)
"""A grant follows every feed that its role reads and whose owner lies in its area; and as a reader the reference
feeds of the areas that its own lies in."""
_OF_GRANT = sa.and_(_GRANTED.c.home == _GRANT.c.area_home, _GRANTED.c.id == _GRANT.c.area_id)
_OF_FEED = sa.and_(_FEED.c.home == _FOLLOW.c.home, _FEED.c.id == _FOLLOW.c.feed_id)


def masked_readers_over(path: Any, now: datetime) -> sa.ColumnElement[bool]:
    """Has somebody who reads the helpers' view a role over what lies at this path, now or later?"""
    theirs = sa.select(1).select_from(_GRANT).join(_GRANTED, _OF_GRANT)
    here = path.startswith(_GRANTED.c.path)
    return sa.exists(theirs.where(_GRANT.c.role.in_(READ_MASKED), lasting(_GRANT, now), here))


async def follow_granted(transaction: Transaction, grant: UUID) -> None:
    """A new grant follows what it reads."""
    await _follow(transaction, _GRANT.c.id == grant)


async def follow_new_feeds(transaction: Transaction, feeds: Some[int]) -> None:
    """Feeds that were just opened are followed by whoever already has a grant over their owner."""
    await _follow(transaction, _FEED.c.id.in_(feeds))


async def _follow(transaction: Transaction, *which: sa.ColumnElement[bool], since: Any = _GRANT.c.since) -> None:
    """Writes the rows of some grants or feeds, set-based."""
    rows = await transaction.rows(should_follow(since).where(*which))
    await transaction.upsert(_FOLLOW, [dict(row._mapping) for row in rows])


def should_follow(since: Any = _GRANT.c.since) -> sa.Select[Any]:
    """The rows of every grant, ended ones too, as the tree is now."""
    columns = (
        _GRANT.c.person_id,
        _FEED.c.home,
        _FEED.c.id.label("feed_id"),
        _GRANT.c.id.label("grant_id"),
        sa.case((_BELOW, _GRANT.c.role), else_=READER).label("role"),
        since.label("since"),
        _GRANT.c.until,
    )
    granted = sa.select(*columns).join(_GRANTED, _OF_GRANT).join(_OWNER, sa.true())
    return granted.join(_FEED, _FEED.c.owner_id == _OWNER.c.id).where(_REACHES)


def given() -> sa.ColumnElement[bool]:
    """Is there the grant by which somebody follows, and is it theirs?"""
    theirs = (_GRANT.c.id == _FOLLOW.c.grant_id, _GRANT.c.person_id == _FOLLOW.c.person_id)
    return sa.exists(sa.select(1).where(*theirs).correlate(_FOLLOW))


async def follow_moved(transaction: Transaction, path: str, now: datetime) -> None:
    """What lies at or below this path came from elsewhere: rows that no longer hold end, those that now do begin.

    Grants that have ended begin nothing: nobody gets the grace of what they never had.
    """
    still = lasting(_FOLLOW, now)
    touched = sa.or_(_OWNER.c.path.startswith(path), _GRANTED.c.path.startswith(path))
    known = sa.select(_FOLLOW.c.person_id, _FOLLOW.c.home, _FOLLOW.c.feed_id, _FOLLOW.c.grant_id)
    known = known.join(_FEED, _OF_FEED).join(_OWNER, _OWNER.c.id == _FEED.c.owner_id)
    known = known.join(_GRANT, _GRANT.c.id == _FOLLOW.c.grant_id).join(_GRANTED, _OF_GRANT)
    key = sa.tuple_(_FOLLOW.c.person_id, _FOLLOW.c.home, _FOLLOW.c.feed_id, _FOLLOW.c.grant_id)
    over = key.in_(known.where(touched, still, ~_REACHES))
    await transaction.execute(sa.update(_FOLLOW).where(over).values(until=now))
    same = (_FOLLOW.c.person_id == _GRANT.c.person_id, _FOLLOW.c.grant_id == _GRANT.c.id)
    held = sa.exists(sa.select(1).where(*same, _FOLLOW.c.home == _FEED.c.home, _FOLLOW.c.feed_id == _FEED.c.id, still))
    begins = sa.case((_GRANT.c.since > now, _GRANT.c.since), else_=sa.literal(now, _GRANT.c.since.type))
    await _follow(transaction, touched, lasting(_GRANT, now), ~held, since=begins)


async def followers_below(transaction: Transaction, path: str, now: datetime) -> set[tuple[UUID, int]]:
    """(person, feed) of whoever follows now what is owned at or below this path."""
    pairs = sa.select(_FOLLOW.c.person_id, _FOLLOW.c.feed_id).distinct().join(_FEED, _OF_FEED)
    owned = pairs.join(_OWNER, _OWNER.c.id == _FEED.c.owner_id).where(_OWNER.c.path.startswith(path))
    found = owned.where(in_force(_FOLLOW, now))
    return {(row.person_id, row.feed_id) for row in await transaction.rows(found)}
