"""What people may do where. Beside grants.py and follows.py, which write them down, the sole reader of grants in
Python; on PostgreSQL wall.py says once more, in SQL, who may read what.

Access is decided when a record is written, by the feeds that list it; reading is following a feed.
A grant's rows in `follow` carry its dates, so that it begins and ends by itself.
"""

from collections.abc import Callable, Sequence
from collections.abc import Collection as Some
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.database import Transaction
from app.dates import Now, has_ended, in_force, lasting
from app.follows import hold_follows
from app.tables import Feed, Follow, Grant

GRACE = timedelta(days=30)
WIDTHS = {"staff": 2, "team": 2, "helper": 1, "reference": 1}
"""How much of a record an audience sees; the widest copy is shown."""

_GRANT: sa.Table = Grant.__table__  # type: ignore[attr-defined]
_FOLLOW: sa.Table = Follow.__table__  # type: ignore[attr-defined]
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_AREA = COLLECTIONS["areas"].table
_STAFF_FEED = sa.and_(
    _FEED.c.home == _AREA.c.home, _FEED.c.owner_id == _AREA.c.feed_area_id, _FEED.c.audience == "staff"
)
"""Of an area: where what staff records there is listed."""

Verdict = Literal["yes", "grace", "no"]


@dataclass(frozen=True)
class Access:
    """One person's roles per feed: now, and within the grace before now."""

    present: dict[int, frozenset[str]] = field(default_factory=dict)
    ended: dict[int, frozenset[str]] = field(default_factory=dict)

    def may_read(self, feeds: Some[int]) -> bool:
        """What these feeds list."""
        return any(feed in self.present for feed in feeds)

    def may_write(self, listed: Some[int], departed: Some[int], writers: frozenset[str]) -> Verdict:
        """Of a record that these feeds list, or from which it has departed."""
        if any(self.present.get(feed, frozenset()) & writers for feed in listed):
            return "yes"
        late = [self.ended.get(feed, frozenset()) for feed in (*listed, *departed)]
        late += [self.present.get(feed, frozenset()) for feed in departed]
        return "grace" if any(roles & writers for roles in late) else "no"


class EveryAccess(Access):
    """The operator's, at the server's own command line."""

    def may_read(self, feeds: Some[int]) -> bool:
        """Everything."""
        return True

    def may_write(self, listed: Some[int], departed: Some[int], writers: frozenset[str]) -> Verdict:
        """Anything."""
        return "yes"


@dataclass(frozen=True)
class Followed:
    """A feed that a person may read now, with where it stands."""

    home: UUID
    id: int
    owner: UUID
    audience: str
    head: int
    digest: int
    horizon: int
    tag: int


_GRANTS = (
    sa.select(_GRANT.c.id)
    .where(_GRANT.c.person_id == sa.bindparam("person"))
    .order_by(_GRANT.c.id)
    .with_for_update(read=True)
)
_ROLES = sa.select(_FOLLOW.c.feed_id, _FOLLOW.c.role, _FOLLOW.c.until).where(
    _FOLLOW.c.person_id == sa.bindparam("person"),
    _FOLLOW.c.since <= sa.bindparam("now"),
    lasting(_FOLLOW, sa.bindparam("grace_began")),
    # What ended before it began was never theirs, and leaves no grace.
    sa.or_(_FOLLOW.c.until.is_(None), _FOLLOW.c.since <= _FOLLOW.c.until),
)


async def access_of(transaction: Transaction, person: UUID, clock: Callable[[], datetime]) -> Access:
    """What a person may write. Their grants are held FOR SHARE, so that ending one waits for this push.

    The time is told only then: what has waited for a grant's end must not take itself for older than that.
    """
    await hold_grants(transaction, person)
    now = clock()
    rows = await transaction.fetch(_ROLES, person=person, now=now, grace_began=now - GRACE)
    present: dict[int, frozenset[str]] = {}
    ended: dict[int, frozenset[str]] = {}
    for row in rows:
        roles = ended if has_ended(row, now) else present
        roles[row.feed_id] = roles.get(row.feed_id, frozenset()) | {row.role}
    return Access(present, ended)


async def hold_grants(transaction: Transaction, person: UUID) -> None:
    """The person's grants stay as they are until this commits: what is done under one is done before it ends."""
    await transaction.fetch(_GRANTS, person=person)


def with_followed(statement: sa.Select[Any]) -> sa.Select[Any]:
    """The statement's rows, once for each feed that `:person` follows at `:now`, in order of id.

    A person who follows none has the rows once, with nothing in the feed's columns.
    """
    mine = following(sa.bindparam("person"), sa.bindparam("now")).distinct().subquery()
    feed = sa.and_(_FEED.c.home == mine.c.home, _FEED.c.id == mine.c.feed_id)
    return statement.add_columns(*_FEED.c).outerjoin(mine, sa.true()).outerjoin(_FEED, feed).order_by(_FEED.c.id)


def as_followed(rows: Sequence[Any]) -> list[Followed]:
    """The feeds in such rows."""
    return [
        Followed(r.home, r.id, r.owner_id, r.audience, r.head, r.digest, r.horizon, r.tag)
        for r in rows
        if r.id is not None
    ]


def following(person: UUID | sa.BindParameter[UUID], now: Now) -> sa.Select[Any]:
    """(home, feed) of what a person follows now, as a subquery for what else is read through feeds."""
    return sa.select(_FOLLOW.c.home, _FOLLOW.c.feed_id).where(_FOLLOW.c.person_id == person, _in_force(now))


def followed_in_sum(readers: sa.Select[Any]) -> sa.Select[Any]:
    """One row for each of `readers` (id, person_id): how many feeds the person follows at `:now`, and what the
    feeds' ids, heads and tags amount to. That tells whether anything is new without saying it feed by feed.
    """
    each = readers.subquery()
    theirs = sa.and_(_FOLLOW.c.person_id == each.c.person_id, _in_force(sa.bindparam("now")))
    followed = sa.select(each.c.id, _FOLLOW.c.home, _FOLLOW.c.feed_id).outerjoin(_FOLLOW, theirs).distinct().subquery()
    feed = sa.and_(_FEED.c.home == followed.c.home, _FEED.c.id == followed.c.feed_id)
    sums = [
        sa.cast(sa.func.coalesce(sa.func.sum(of), 0), sa.BigInteger) for of in (_FEED.c.id, _FEED.c.head, _FEED.c.tag)
    ]
    counted = sa.select(followed.c.id, sa.func.count(_FEED.c.id), *sums)
    return counted.outerjoin(_FEED, feed).group_by(followed.c.id)


def _in_force(now: Now) -> sa.ColumnElement[bool]:
    return in_force(_FOLLOW, now)


async def paths_under(
    transaction: Transaction, person: UUID, roles: frozenset[str], clock: Callable[[], datetime]
) -> list[str]:
    """The paths of the areas over which the person has one of the roles now."""
    now = clock()
    area = sa.and_(_AREA.c.home == _GRANT.c.area_home, _AREA.c.id == _GRANT.c.area_id)
    under = sa.select(_AREA.c.path).select_from(_GRANT).join(_AREA, area).order_by(_GRANT.c.id)
    mine = under.where(_GRANT.c.person_id == person, _GRANT.c.role.in_(roles), in_force(_GRANT, now))
    return [row.path for row in await transaction.rows(mine)]


async def held_paths_under(
    transaction: Transaction, person: UUID, roles: frozenset[str], clock: Callable[[], datetime]
) -> list[str]:
    """The same, with the grants held, and while nobody else changes who follows what, so that no area moves from under
    the person's role.
    """
    await hold_grants(transaction, person)
    await hold_follows(transaction)
    return await paths_under(transaction, person, roles, clock)


def staff_areas(person: UUID, path: str, now: datetime, community: UUID | None) -> sa.Select[Any]:
    """(home, id) of the areas at or below this path of which the person sees all that is recorded there.

    None of those that they see masked, or of which they only know that there are such places. What lies in a community
    lies there with all that is below it: of many followed feeds those of no other are looked at.
    """
    within = sa.true() if community is None else _AREA.c.home == community
    theirs = sa.and_(_FOLLOW.c.home == _FEED.c.home, _FOLLOW.c.feed_id == _FEED.c.id, _FOLLOW.c.person_id == person)
    places = sa.select(_AREA.c.home, _AREA.c.id).join(_FEED, _STAFF_FEED).join(_FOLLOW, theirs).distinct()
    return places.where(within, _AREA.c.path.startswith(path), _AREA.c.deleted_at.is_(None), _in_force(now))


async def reads_from_above(
    snapshot: Transaction, person: UUID, path: str, now: datetime, community: UUID | None
) -> bool:
    """Is anything at or below this path seen by the person through a role over what lies above communities alone?

    What lies in a community is looked for there alone, as in `staff_areas`.
    """
    granted = _AREA.alias("granted")
    of_grant = sa.and_(granted.c.home == _GRANT.c.area_home, granted.c.id == _GRANT.c.area_id)
    above = sa.case((sa.and_(granted.c.home == granted.c.id, granted.c.level != granted.c.home_level), 1), else_=0)
    by = _GRANT.join(granted, of_grant).join(_FOLLOW, _FOLLOW.c.grant_id == _GRANT.c.id)
    theirs = sa.select(_FOLLOW.c.home, _FOLLOW.c.feed_id).select_from(by).where(_FOLLOW.c.person_id == person)
    followed = theirs if community is None else theirs.where(_FOLLOW.c.home == community)
    only = followed.where(_in_force(now)).group_by(*theirs.selected_columns).having(sa.func.min(above) == 1).subquery()
    feeds = sa.select(1).select_from(_AREA.join(_FEED, _STAFF_FEED).join(only, only.c.feed_id == _FEED.c.id))
    found = feeds.where(only.c.home == _FEED.c.home, _AREA.c.path.startswith(path), _AREA.c.deleted_at.is_(None))
    there = found if community is None else found.where(_AREA.c.home == community)
    return await snapshot.first(there.limit(1)) is not None
