"""Who follows which feed: written down when a grant is given, a feed is opened, an area is handed over, or it becomes
or ceases to be an enclave.

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
from app.roles import READ_MASKED, READ_STAFF, READ_TEAM
from app.tables import Enclave, Feed, Follow, Grant, Server
from app.views import HELPER

READER = "reader"

_GRANT: sa.Table = Grant.__table__  # type: ignore[attr-defined]
_FOLLOW: sa.Table = Follow.__table__  # type: ignore[attr-defined]
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]
_ENCLAVE: sa.Table = Enclave.__table__  # type: ignore[attr-defined]
_AREA = COLLECTIONS["areas"].table
_GRANTED, _OWNER = _AREA.alias("granted"), _AREA.alias("owner")
_ENCLAVED, _ADMINISTRATIVE = _AREA.alias("enclaved"), _AREA.alias("administrative")
_OF_GRANT = sa.and_(_GRANTED.c.home == _GRANT.c.area_home, _GRANTED.c.id == _GRANT.c.area_id)
_OF_OWNER = sa.and_(_FEED.c.home == _OWNER.c.home, _FEED.c.owner_id == _OWNER.c.id)
_READS = sa.or_(
    _FEED.c.audience == "reference",
    sa.and_(_FEED.c.audience == "staff", _GRANT.c.role.in_(READ_STAFF)),
    sa.and_(_FEED.c.audience == HELPER, _GRANT.c.role.in_(READ_MASKED)),
    # A team's own: neither an area above it nor another team is where its members have their role.
    sa.and_(_FEED.c.audience == "team", _GRANT.c.role.in_(READ_TEAM), _FEED.c.owner_id == _GRANT.c.area_id),
)
_KEY = ("person_id", "home", "feed_id", "grant_id")


def _enclaves() -> sa.Join:
    """Enclaves with both their areas."""
    enclaved = sa.and_(_ENCLAVED.c.home == _ENCLAVE.c.area_home, _ENCLAVED.c.id == _ENCLAVE.c.area_id)
    home, id = _ENCLAVE.c.administrative_home, _ENCLAVE.c.administrative_id
    administrative = sa.and_(_ADMINISTRATIVE.c.home == home, _ADMINISTRATIVE.c.id == id)
    return _ENCLAVE.join(_ENCLAVED, enclaved).join(_ADMINISTRATIVE, administrative)


def _reached(now: datetime) -> sa.Subquery:
    """Where each grant reaches, from when to when: its own area, and the enclaves that administratively lie there."""
    own = sa.select(_GRANT.c.id.label("grant_id"), _GRANTED.c.path, _GRANT.c.since, _GRANT.c.until)
    since = sa.case((_ENCLAVE.c.since > _GRANT.c.since, _ENCLAVE.c.since), else_=_GRANT.c.since)
    until = sa.case(
        (sa.or_(_GRANT.c.until.is_(None), _ENCLAVE.c.until < _GRANT.c.until), _ENCLAVE.c.until), else_=_GRANT.c.until
    )
    there = _GRANT.join(_GRANTED, _OF_GRANT).join(_enclaves(), _ADMINISTRATIVE.c.path.startswith(_GRANTED.c.path))
    enclaves = sa.select(_GRANT.c.id, _ENCLAVED.c.path, since, until).select_from(there)
    some_time = sa.or_(until.is_(None), since < until)
    return own.join(_GRANTED, _OF_GRANT).union_all(enclaves.where(lasting(_ENCLAVE, now), some_time)).subquery()


def should_follow(now: datetime) -> sa.Select[Any]:
    """The rows of every grant, ended ones too, as the tree and its enclaves are now.

    A grant follows every feed that its role reads and whose owner lies where it reaches; and as a reader the reference
    feeds of the areas in which that lies. What it reaches in two ways has one row, as long as both together and without
    gaps: only codes and areas are, since an area is one enclave at a time.
    """
    reached = _reached(now)
    below = _OWNER.c.path.startswith(reached.c.path)
    above = reached.c.path.startswith(_OWNER.c.path)
    endless = sa.func.max(sa.case((reached.c.until.is_(None), 1), else_=0)) == 1
    columns = (
        _GRANT.c.person_id,
        _FEED.c.home,
        _FEED.c.id.label("feed_id"),
        _GRANT.c.id.label("grant_id"),
        sa.case((sa.func.max(sa.case((below, 1), else_=0)) == 1, _GRANT.c.role), else_=READER).label("role"),
        sa.func.min(reached.c.since).label("since"),
        sa.case((~endless, sa.func.max(reached.c.until))).label("until"),
    )
    where = sa.select(*columns).select_from(_GRANT.join(reached, reached.c.grant_id == _GRANT.c.id))
    owned = where.join(_OWNER, sa.or_(below, above)).join(_FEED, _OF_OWNER)
    reads = sa.or_(sa.and_(below, _READS), sa.and_(above, _FEED.c.audience == "reference"))
    return owned.where(reads).group_by(*columns[:4], _GRANT.c.role)


async def hold_follows(transaction: Transaction) -> None:
    """Nobody else changes who follows what until this commits.

    That depends on grants, areas, enclaves and feeds alike: of two who change one of these, the second must see what
    the first did. It is held before areas and feeds, and after grants.
    """
    await transaction.rows(sa.select(_SERVER.c.id).with_for_update())


def masked_readers_over(path: Any, now: datetime) -> sa.ColumnElement[bool]:
    """Has somebody who reads the helpers' view a role over what lies at this path, now or later?"""
    reached = _reached(now)
    theirs = sa.select(1).select_from(_GRANT.join(reached, reached.c.grant_id == _GRANT.c.id))
    here = path.startswith(reached.c.path)
    return sa.exists(theirs.where(_GRANT.c.role.in_(READ_MASKED), lasting(reached, now), here))


async def follow_granted(transaction: Transaction, grant: UUID, now: datetime) -> None:
    """A new grant follows what it reads."""
    await _follow(transaction, should_follow(now).where(_GRANT.c.id == grant))


async def follow_new_feeds(transaction: Transaction, feeds: Some[int], now: datetime) -> None:
    """Feeds that were just opened are followed by whoever has a grant over their owner, and by none that has ended:
    nobody gets the grace of what they never had.
    """
    await _follow(transaction, should_follow(now).where(_FEED.c.id.in_(feeds), lasting(_GRANT, now)))


async def _follow(transaction: Transaction, rows: sa.Select[Any]) -> None:
    await transaction.upsert(_FOLLOW, [dict(row._mapping) for row in await transaction.rows(rows)])


def given() -> sa.ColumnElement[bool]:
    """Is there the grant by which somebody follows, and is it theirs?"""
    theirs = (_GRANT.c.id == _FOLLOW.c.grant_id, _GRANT.c.person_id == _FOLLOW.c.person_id)
    return sa.exists(sa.select(1).where(*theirs).correlate(_FOLLOW))


def begun() -> sa.ColumnElement[bool]:
    """Had the grant begun when they began to follow by it?"""
    begun = (_GRANT.c.id == _FOLLOW.c.grant_id, _GRANT.c.since <= _FOLLOW.c.since)
    return sa.exists(sa.select(1).where(*begun).correlate(_FOLLOW))


async def follow_moved(transaction: Transaction, path: str, now: datetime) -> None:
    """Who reaches what lies at or below this path has changed: rows that no longer hold end, those that now do begin.

    Grants that have ended begin nothing: nobody gets the grace of what they never had.
    """
    feeds = touched(path)
    due = should_follow(now).where(_FEED.c.id.in_(feeds), lasting(_GRANT, now)).subquery()
    # 1. What is followed and no longer due.
    key = sa.tuple_(*(_FOLLOW.c[name] for name in _KEY))
    over = (_FOLLOW.c.feed_id.in_(feeds), lasting(_FOLLOW, now), key.not_in(sa.select(*(due.c[n] for n in _KEY))))
    await transaction.execute(sa.update(_FOLLOW).where(*over).values(until=now))
    # 2. What is due and not followed, or not as long, or in another role.
    same = sa.and_(*(_FOLLOW.c[name] == due.c[name] for name in _KEY), lasting(_FOLLOW, now))
    begins = sa.case((due.c.since > now, due.c.since), else_=sa.literal(now, due.c.since.type))
    kept = sa.case((_FOLLOW.c.since <= begins, _FOLLOW.c.since), else_=begins)
    columns = [kept.label("since") if column.name == "since" else column for column in due.c]
    other = sa.or_(
        _FOLLOW.c.since.is_(None),
        _FOLLOW.c.since > begins,
        _FOLLOW.c.until.is_distinct_from(due.c.until),
        _FOLLOW.c.role != due.c.role,
    )
    await _follow(transaction, sa.select(*columns).outerjoin(_FOLLOW, same).where(other))


def touched(path: str) -> sa.Select[Any]:
    """The feeds of what lies at or below this path, and of the enclaves that do, or that are administered there."""
    moved = sa.or_(_ENCLAVED.c.path.startswith(path), _ADMINISTRATIVE.c.path.startswith(path))
    in_enclave = sa.or_(
        _OWNER.c.path.startswith(_ENCLAVED.c.path),
        sa.and_(_FEED.c.audience == "reference", _ENCLAVED.c.path.startswith(_OWNER.c.path)),
    )
    through = sa.exists(sa.select(1).select_from(_enclaves()).where(moved, in_enclave))
    feeds = sa.select(_FEED.c.id).join(_OWNER, _OF_OWNER).where(sa.or_(_OWNER.c.path.startswith(path), through))
    return sa.select(feeds.subquery().c.id)


async def followers_touched(transaction: Transaction, path: str, now: datetime) -> set[tuple[UUID, int]]:
    """(person, feed) of whoever follows now what a change at this path concerns."""
    pairs = sa.select(_FOLLOW.c.person_id, _FOLLOW.c.feed_id).distinct()
    found = pairs.where(_FOLLOW.c.feed_id.in_(touched(path)), in_force(_FOLLOW, now))
    return {(row.person_id, row.feed_id) for row in await transaction.rows(found)}
