"""The notebook 民情本: the doors of an area along the walk, and who lives behind each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.fields import as_wire
from app.problems import wrong_field
from app.reports.parts import seen_whole
from app.reports.pinyin import is_named
from sync.walk import place_on_walk
from sync.wire import Fields

_AREA, _HOUSEHOLD, _RESIDENT = (COLLECTIONS[name].table for name in ("areas", "households", "residents"))
_DOOR = ("id", "area_id", "door", "floor", "use", "tags")
_PERSON = ("id", "name", "sex", "birth_date", "relation", "tags")


@dataclass(frozen=True)
class Sought:
    """Which doors: of an area; of those whose household, or somebody in it, has the tag; and is called so."""

    area_id: UUID
    tag: str | None
    text: str | None
    after: UUID | None
    limit: int


async def roster_of(context: Context, person: UUID, sought: Sought) -> Fields:
    """`{area_id, name, households, residents, doors, next}`: how many fit in all, and one page of them.

    Raises what seen_whole does, and invalid where `after` isn't among them any more.
    """
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        place, theirs = await seen_whole(snapshot, context, person, sought.area_id)
        areas = await areas_around(snapshot, place)
        doors, people = await _found(snapshot, place.home, theirs, sought)
        doors.sort(
            key=lambda door: (place_on_walk(areas, _as_fields(door, ("area_id", "door", "floor"))), str(door.id))
        )
        page, following = _page(doors, sought)
        behind = await _people_behind(snapshot, place.home, [door.id for door in page])
    return {
        "area_id": str(place.id),
        "name": place.name,
        "households": len(doors),
        "residents": sum(people.get(door.id, 0) for door in doors),
        "doors": [
            {
                **_as_fields(door, _DOOR),
                "place": _way_to(areas, door, place.id),
                "residents": [*behind.get(door.id, ())],
            }
            for door in page
        ],
        "next": str(following) if following else None,
    }


async def areas_around(snapshot: Transaction, place: Any) -> dict[str, Fields]:
    """What the walk is ordered by: the area, those in it and those it lies in, of their community."""
    above = [UUID(hex=step) for step in place.path.strip("/").split("/")]
    around = sa.or_(_AREA.c.path.startswith(place.path), _AREA.c.id.in_(above))
    columns = (_AREA.c.id, _AREA.c.parent_id, _AREA.c.name, _AREA.c.sort)
    tree = sa.select(*columns).where(_AREA.c.home == place.home, around, _AREA.c.deleted_at.is_(None))
    return {str(row.id): _as_fields(row, ("parent_id", "name", "sort")) for row in await snapshot.rows(tree)}


async def _found(
    snapshot: Transaction, home: UUID, theirs: sa.Select[Any], sought: Sought
) -> tuple[list[Any], Mapping[UUID, int]]:
    """The doors that fit, and of each how many live there."""
    lived = sa.and_(_RESIDENT.c.home == _HOUSEHOLD.c.home, _RESIDENT.c.household_id == _HOUSEHOLD.c.id)
    behind = sa.and_(lived, _RESIDENT.c.deleted_at.is_(None))
    places = sa.select(theirs.subquery().c.id)
    there = [_HOUSEHOLD.c.home == home, _HOUSEHOLD.c.area_id.in_(places), _HOUSEHOLD.c.deleted_at.is_(None)]
    if sought.tag is not None:
        tagged = sa.and_(_RESIDENT.c.home == home, _RESIDENT.c.deleted_at.is_(None))
        of_persons = sa.select(_RESIDENT.c.household_id).where(tagged, snapshot.holds(_RESIDENT.c.tags, sought.tag))
        there.append(sa.or_(snapshot.holds(_HOUSEHOLD.c.tags, sought.tag), _HOUSEHOLD.c.id.in_(of_persons)))
    doors = [*await snapshot.rows(sa.select(*(_HOUSEHOLD.c[name] for name in _DOOR)).where(*there))]
    named = sa.select(_HOUSEHOLD.c.id, _RESIDENT.c.name).join(_RESIDENT, behind).where(*there)
    names: dict[UUID, list[str]] = {}
    for row in await snapshot.rows(named):
        names.setdefault(row.id, []).append(row.name)
    if sought.text is not None:
        text = sought.text
        doors = [d for d in doors if text in d.door or any(is_named(name, text) for name in names.get(d.id, ()))]
    return doors, {id: len(there) for id, there in names.items()}


def _page(doors: Sequence[Any], sought: Sought) -> tuple[Sequence[Any], UUID | None]:
    begin = 0
    if sought.after is not None:
        begin = next((n for n, door in enumerate(doors, start=1) if door.id == sought.after), 0)
        if not begin:
            raise wrong_field("invalid", "after")
    page = doors[begin : begin + sought.limit]
    return page, page[-1].id if begin + sought.limit < len(doors) else None


async def _people_behind(snapshot: Transaction, home: UUID, doors: Sequence[UUID]) -> Mapping[UUID, list[Fields]]:
    """The eldest first; of whom no birth date is known, last."""
    columns = (_RESIDENT.c.household_id, *(_RESIDENT.c[name] for name in _PERSON))
    living = (_RESIDENT.c.home == home, _RESIDENT.c.household_id.in_(doors), _RESIDENT.c.deleted_at.is_(None))
    order = (_RESIDENT.c.birth_date.is_(None), _RESIDENT.c.birth_date, _RESIDENT.c.id)
    found: dict[UUID, list[Fields]] = {}
    for row in await snapshot.rows(sa.select(*columns).where(*living).order_by(*order)):
        found.setdefault(row.household_id, []).append(_as_fields(row, _PERSON))
    return found


def _way_to(areas: Mapping[str, Fields], door: Any, area: UUID) -> str:
    """The names of the areas between the one that is asked for and the door: 1号楼 2单元."""
    names: list[str] = []
    one = str(door.area_id)
    while one in areas and one != str(area) and len(names) < len(areas):
        names.insert(0, str(areas[one]["name"]))
        one = str(areas[one]["parent_id"])
    return " ".join(names)


def _as_fields(row: Any, names: Sequence[str]) -> Fields:
    return {name: as_wire(getattr(row, name)) for name in names}
