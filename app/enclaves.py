"""Interleaved land 插花地: an area is served where it lies in the tree, and administratively lies elsewhere.

Whoever has a role over the place where it administratively lies sees it under that role, beside those who serve it.
Nothing is written twice: its records stay in the home in which they were made, and a sum over both places meets each
of them once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import GRACE, held_paths_under
from app.areas import TEAM, Area, areas_by_id, living_areas
from app.collections import COLLECTIONS
from app.collections.base import ADMINS
from app.context import Context
from app.database import Transaction
from app.dates import lasting
from app.feeds import open_masked_feeds
from app.follows import follow_moved
from app.problems import Problem, wrong_field
from app.tables import Enclave

_ENCLAVE: sa.Table = Enclave.__table__  # type: ignore[attr-defined]
_AREA = COLLECTIONS["areas"].table
_ENCLAVED, _ADMINISTRATIVE = _AREA.alias("enclaved"), _AREA.alias("administrative")


async def add_enclave(
    transaction: Transaction,
    context: Context,
    person: UUID,
    *,
    area_id: UUID,
    administrative_id: UUID,
    since: datetime | None,
    until: datetime | None,
    reason: str | None,
) -> Any:
    """The area administratively lies there, from now unless `since` says otherwise; the row.

    Who says so administers both. One that begins later waits until the grace of the last is over. Raises
    not_permitted, reference_not_found, enclave_unfit, dates_backward and enclave_overlaps.
    """
    paths = await held_paths_under(transaction, person, ADMINS, context.seams.now)
    if not paths:
        raise Problem("not_permitted")
    area, administrative = await _both(transaction, area_id, administrative_id, paths)
    _require_fitting(area, administrative)
    now = context.seams.now()
    since = since or now
    if until is not None and until <= max(since, now):
        raise wrong_field("dates_backward", "until")
    # One that begins later takes the place of what carries the grace of the last.
    if await is_enclave(transaction, area.path, now - GRACE if since > now else now):
        raise wrong_field("enclave_overlaps", "area_id")
    enclave: dict[str, Any] = {
        "id": context.seams.new_id(),
        "area_home": area.home,
        "area_id": area.id,
        "administrative_home": administrative.home,
        "administrative_id": administrative.id,
        "since": since,
        "until": until,
        "reason": reason,
    }
    await transaction.insert(_ENCLAVE, [enclave])
    await open_masked_feeds(transaction, context.seams, area.path)
    await follow_moved(transaction, area.path, now)
    return await transaction.first(sa.select(_ENCLAVE).where(_ENCLAVE.c.id == enclave["id"]))


async def end_enclave(transaction: Transaction, context: Context, person: UUID, id: UUID) -> None:
    """Ends it now, unless it has ended. Who does administers the one place or the other. Raises not_found."""
    paths = await held_paths_under(transaction, person, ADMINS, context.seams.now)
    [*found] = await enclaves_under(transaction, paths, id=id)
    if not found:
        raise Problem("not_found")
    now = context.seams.now()
    ending = (_ENCLAVE.c.id == id, lasting(_ENCLAVE, now))
    await transaction.execute(sa.update(_ENCLAVE).where(*ending).values(until=now))
    [area] = (await areas_by_id(transaction, found[0].area_home, [found[0].area_id])).values()
    await follow_moved(transaction, area.path, now)


async def enclaves_under(
    transaction: Transaction, paths: Sequence[str], *, id: UUID | None = None, before: UUID | None = None, most: int = 1
) -> Sequence[Any]:
    """The newest of those that are served, or administratively lie, below one of these paths."""
    area = sa.and_(_ENCLAVED.c.home == _ENCLAVE.c.area_home, _ENCLAVED.c.id == _ENCLAVE.c.area_id)
    home, there = _ENCLAVE.c.administrative_home, _ENCLAVE.c.administrative_id
    administrative = sa.and_(_ADMINISTRATIVE.c.home == home, _ADMINISTRATIVE.c.id == there)
    below = [one.c.path.startswith(path) for path in paths for one in (_ENCLAVED, _ADMINISTRATIVE)]
    # Of the two areas somebody may see only one.
    found = sa.select(_ENCLAVE).outerjoin(_ENCLAVED, area).outerjoin(_ADMINISTRATIVE, administrative)
    asked = [_ENCLAVE.c.id == id] if id is not None else []
    if before is not None:
        asked.append(_ENCLAVE.c.id < before)
    newest = found.where(sa.or_(sa.false(), *below), *asked).order_by(_ENCLAVE.c.id.desc())
    return await transaction.rows(newest.limit(most))


async def _both(transaction: Transaction, area: UUID, administrative: UUID, paths: Sequence[str]) -> tuple[Area, Area]:
    found = await living_areas(transaction, {area, administrative})
    for id, field in ((area, "area_id"), (administrative, "administrative_id")):
        if id not in found or not any(found[id].path.startswith(path) for path in paths):
            raise wrong_field("reference_not_found", field)
    return found[area], found[administrative]


def _require_fitting(area: Area, administrative: Area) -> None:
    """It lies within a community, whole buildings of it, and administratively in another community or a grid there."""
    if area.home == area.id or area.level == TEAM or area.feed_area_id not in (None, area.id):
        raise wrong_field("enclave_unfit", "area_id")
    in_community = administrative.home != administrative.id or administrative.level == administrative.home_level
    owned = administrative.feed_area_id is not None or administrative.level == TEAM
    if not in_community or owned or administrative.home == area.home:
        raise wrong_field("enclave_unfit", "administrative_id")


async def require_one_at_a_time(transaction: Transaction, moved: str, parent: str, now: datetime) -> None:
    """What moves must not bring an enclave of its own into another. Raises enclave_overlaps."""
    of = sa.and_(_ENCLAVED.c.home == _ENCLAVE.c.area_home, _ENCLAVED.c.id == _ENCLAVE.c.area_id)
    found = sa.select(_ENCLAVE.c.id).join(_ENCLAVED, of).where(lasting(_ENCLAVE, now))
    brought = sa.exists(found.where(_ENCLAVED.c.path.startswith(moved)))
    there = sa.exists(found.where(sa.literal(parent).startswith(_ENCLAVED.c.path)))
    if await transaction.first(sa.select(1).where(brought, there)) is not None:
        raise wrong_field("enclave_overlaps", "to")


async def is_enclave(transaction: Transaction, path: str, since: datetime) -> bool:
    """Is what lies at this path, or something below or above it, an enclave that hadn't ended then?"""
    of = sa.and_(_ENCLAVED.c.home == _ENCLAVE.c.area_home, _ENCLAVED.c.id == _ENCLAVE.c.area_id)
    near = sa.or_(_ENCLAVED.c.path.startswith(path), sa.literal(path).startswith(_ENCLAVED.c.path))
    found = sa.select(_ENCLAVE.c.id).join(_ENCLAVED, of).where(lasting(_ENCLAVE, since), near)
    return await transaction.first(found.limit(1)) is not None
