"""Giving and ending roles. Whoever gives one, here is decided whether it can be held."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app.areas import TEAM, Area, areas_by_id, living_areas
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.dates import has_ended, lasting
from app.feeds import open_masked_feeds
from app.follows import follow_granted, hold_follows
from app.problems import wrong_field
from app.roles import APART, READ_MASKED, ROLES, Where
from app.tables import Follow, Grant, Person

SECURITY = frozenset({"security"})
"""Who gives roles and ends them."""
_GRANT: sa.Table = Grant.__table__  # type: ignore[attr-defined]
_FOLLOW: sa.Table = Follow.__table__  # type: ignore[attr-defined]
_AREA = COLLECTIONS["areas"].table
_PERSON: sa.Table = Person.__table__  # type: ignore[attr-defined]


async def add_grant(
    transaction: Transaction,
    context: Context,
    *,
    person_id: UUID,
    area_id: UUID,
    role: str,
    since: datetime | None = None,
    until: datetime | None = None,
    reason: str | None = None,
) -> UUID:
    """Gives a role over an area and all that lies in it, from now unless `since` says otherwise.

    Raises reference_not_found (nobody, or no such area), role_unfit, end_needed, dates_backward, grant_overlaps
    and roles_kept_apart.
    """
    # Of two grants given at once the second must see the first.
    await hold_follows(transaction)
    since = since or context.seams.now()
    who = sa.select(_PERSON.c.id).where(_PERSON.c.id == person_id, _PERSON.c.disabled_at.is_(None))
    if await transaction.first(who) is None:
        raise wrong_field("reference_not_found", "person_id")
    area = (await living_areas(transaction, [area_id])).get(area_id)
    if area is None:
        raise wrong_field("reference_not_found", "area_id")
    _require_fitting(role, area, since, until)
    await _require_free(transaction, person_id, area_id, role, since, until)
    grant: dict[str, Any] = {
        "id": context.seams.new_id(),
        "person_id": person_id,
        "area_home": area.home,
        "area_id": area_id,
        "role": role,
        "since": since,
        "until": until,
        "reason": reason,
    }
    await transaction.insert(_GRANT, [grant])
    if role in READ_MASKED:
        await open_masked_feeds(transaction, context.seams, area.path)
    await follow_granted(transaction, grant["id"], context.seams.now())
    return UUID(str(grant["id"]))


async def end_grant(
    transaction: Transaction, context: Context, *, person_id: UUID, area_id: UUID, role: str | None = None
) -> int:
    """Ends a person's present grants over an area; how many there were."""
    which = [_GRANT.c.person_id == person_id, _GRANT.c.area_id == area_id]
    if role is not None:
        which.append(_GRANT.c.role == role)
    return await end_grants(transaction, context.seams.now, *which)


async def end_grants(transaction: Transaction, clock: Callable[[], datetime], *which: sa.ColumnElement[bool]) -> int:
    """Ends these where they haven't ended; how many there were. What they followed stays as ended."""
    columns = sa.select(_GRANT.c.id, _GRANT.c.until).where(*which)
    rows = await transaction.rows(columns.order_by(_GRANT.c.id).with_for_update())
    await hold_follows(transaction)
    # They end when the pushes that held them are over, not when this began to wait for those.
    now = clock()
    ids = [row.id for row in rows if not has_ended(row, now)]
    await end_these(transaction, ids, now)
    return len(ids)


async def end_these(transaction: Transaction, grants: Sequence[UUID], now: datetime) -> None:
    """Ends grants that are held and haven't ended, while nobody else changes who follows what."""
    follows = lasting(_FOLLOW, now)
    await transaction.execute(sa.update(_GRANT).where(_GRANT.c.id.in_(grants)).values(until=now))
    await transaction.execute(sa.update(_FOLLOW).where(_FOLLOW.c.grant_id.in_(grants), follows).values(until=now))


async def end_one(transaction: Transaction, clock: Callable[[], datetime], grant: UUID) -> None:
    """Ends this one, unless it has ended."""
    await end_grants(transaction, clock, _GRANT.c.id == grant)


class Sight(NamedTuple):
    """Which grants somebody may see: their own, and those over areas below these paths."""

    person: UUID | None
    paths: Sequence[str]


async def seen_grants(
    transaction: Transaction,
    sight: Sight,
    *,
    id: UUID | None = None,
    person_id: UUID | None = None,
    area_id: UUID | None = None,
    before: UUID | None = None,
    most: int = 1,
) -> Sequence[Any]:
    """The newest of those that may be seen and fit every condition that is given."""
    below = [_AREA.c.path.startswith(path) for path in sight.paths]
    mine = _GRANT.c.person_id == sight.person if sight.person else sa.false()
    same = {"id": id, "person_id": person_id, "area_id": area_id}
    asked = [_GRANT.c[name] == value for name, value in same.items() if value is not None]
    if before is not None:
        asked.append(_GRANT.c.id < before)
    area = sa.and_(_AREA.c.home == _GRANT.c.area_home, _AREA.c.id == _GRANT.c.area_id)
    # One's own also where one no longer sees the area.
    found = sa.select(_GRANT).outerjoin(_AREA, area).where(sa.or_(mine, *below), *asked)
    return await transaction.rows(found.order_by(_GRANT.c.id.desc()).limit(most))


async def held_in(transaction: Transaction, person: UUID, area: UUID) -> Sequence[Any]:
    """The person's grants over this very area, ended ones too, held until this commits; none of a disabled account."""
    good = sa.select(_PERSON.c.id).where(_PERSON.c.id == person, _PERSON.c.disabled_at.is_(None))
    theirs = (_GRANT.c.person_id.in_(good), _GRANT.c.area_id == area)
    return await transaction.rows(sa.select(_GRANT).where(*theirs).order_by(_GRANT.c.id).with_for_update())


async def require_area_under(
    transaction: Transaction, area_id: UUID, paths: Sequence[str], field: str = "area_id"
) -> None:
    """Raises reference_not_found, of that field, unless the area lies below one of these."""
    area = (await areas_by_id(transaction, None, [area_id])).get(area_id)
    if area is None or not any(area.path.startswith(path) for path in paths):
        raise wrong_field("reference_not_found", field)


def _require_fitting(role: str, area: Area, since: datetime, until: datetime | None) -> None:
    if place_of(area) not in ROLES[role].over:
        raise wrong_field("role_unfit", "area_id")
    if until is None and ROLES[role].ends:
        raise wrong_field("end_needed", "until")
    if until is not None and until <= since:
        raise wrong_field("dates_backward", "until")


def place_of(area: Area) -> Where:
    """Where the area lies, seen from the communities of its tree; or that it is a team, wherever that lies."""
    if area.level == TEAM:
        return Where.TEAM
    if area.level == area.home_level:
        return Where.COMMUNITY
    return Where.ABOVE if area.home == area.id else Where.WITHIN


async def _require_free(
    transaction: Transaction, person: UUID, area: UUID, role: str, since: datetime, until: datetime | None
) -> None:
    """No second grant of the same at the same time, and no two of the administrators that are kept apart."""
    meanwhile = [lasting(_GRANT, since)]
    if until is not None:
        meanwhile.append(_GRANT.c.since < until)
    columns = sa.select(_GRANT.c.role, _GRANT.c.area_id)
    held = await transaction.rows(columns.where(_GRANT.c.person_id == person, *meanwhile))
    if any((one.role, one.area_id) == (role, area) for one in held):
        raise wrong_field("grant_overlaps", "since")
    if role in APART and any(one.role in APART - {role} for one in held):
        raise wrong_field("roles_kept_apart", "role")
