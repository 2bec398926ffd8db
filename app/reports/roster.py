"""The notebook 民情本: the doors of some areas along the walk, who lives behind each of them, and how many with which
tags.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.fields import as_wire
from app.prepared import among
from app.problems import wrong_field
from app.reports.parts import areas_around, ids_along
from app.reports.pinyin import is_named, plain
from app.reports.several import Together, name_of, seen_together
from sync.walk import Walk
from sync.wire import Fields

_HOUSEHOLD, _RESIDENT = COLLECTIONS["households"].table, COLLECTIONS["residents"].table
_DOOR = ("id", "area_id", "door", "floor", "use", "tags")
_PERSON = ("id", "name", "sex", "birth_date", "relation", "tags")


@dataclass(frozen=True)
class Sought:
    """Which doors: of these areas; of those whose household, or somebody in it, has the tag; and is called so."""

    areas: Sequence[UUID]
    tag: str | None
    text: str | None
    after: UUID | None
    limit: int


async def roster_of(context: Context, person: UUID, sought: Sought) -> Fields:
    """`{area_id, name, households, residents, household_tags, resident_tags, doors, next, areas}`: how many fit in all,
    with each tag and in each area, and one page of them; `area_id` is None of several areas.

    Raises what seen_together does, and reference_not_found where `after` isn't among them any more.
    """
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        ground = await seen_together(snapshot, context, person, sought.areas)
        walk = Walk(await areas_around(snapshot, ground))
        fitting = _fitting(snapshot, ground, sought)
        found = await snapshot.rows(sa.select(*(_HOUSEHOLD.c[name] for name in _DOOR)).where(*fitting))
        living = await snapshot.rows(_living(fitting))
        doors = _called(found, living, sought.text)
        doors.sort(key=lambda door: (walk.place(_as_fields(door, ("area_id", "floor", "door"))), str(door.id)))
        page, following = _page(doors, sought)
        behind = await _people_behind(snapshot, ground.home, [door.id for door in page])
    of = {door.id: ground.seen[door.area_id] for door in doors}
    people = [one for one in living if one.id in of]
    within = ids_along(ground.path)[-1]
    return {
        "area_id": str(within) if len(ground.places) == 1 else None,
        "name": name_of(ground.places),
        "households": len(doors),
        "residents": len(people),
        "household_tags": _tags_of(doors),
        "resident_tags": _tags_of(people),
        "doors": [
            {
                **_as_fields(door, _DOOR),
                "place": walk.way(door.area_id, str(within)),
                "residents": [*behind.get(door.id, ())],
            }
            for door in page
        ],
        "next": str(following) if following else None,
        "areas": [*_by_area(ground, walk, Counter(of.values()), Counter(of[one.id] for one in people))],
    }


def _by_area(ground: Together, walk: Walk, doors: Mapping[UUID, int], people: Mapping[UUID, int]) -> list[Fields]:
    """How many are in each, along the walk."""
    walked = sorted(ground.places, key=lambda place: walk.place({"area_id": place.id}))
    return [
        {
            "area_id": str(place.id),
            "name": place.name,
            "households": doors.get(place.id, 0),
            "residents": people.get(place.id, 0),
        }
        for place in walked
    ]


def _tags_of(rows: Iterable[Any]) -> Fields:
    """Tag → how many have it."""
    return dict(sorted(Counter(tag for row in rows for tag in row.tags).items()))


def _fitting(snapshot: Transaction, ground: Together, sought: Sought) -> list[sa.ColumnElement[bool]]:
    """What holds of households in these places, and of those that have the tag or of which somebody has it."""
    home, there = ground.home, among(_HOUSEHOLD.c.area_id, "areas", [*ground.seen])
    fitting = [_HOUSEHOLD.c.home == home, there, _HOUSEHOLD.c.deleted_at.is_(None)]
    if sought.tag is not None:
        tagged = (_RESIDENT.c.home == home, _RESIDENT.c.deleted_at.is_(None))
        of_persons = sa.select(_RESIDENT.c.household_id).where(*tagged, snapshot.holds(_RESIDENT.c.tags, sought.tag))
        fitting.append(sa.or_(snapshot.holds(_HOUSEHOLD.c.tags, sought.tag), _HOUSEHOLD.c.id.in_(of_persons)))
    return fitting


def _living(fitting: Sequence[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """(id of the door, name, tags) of everybody behind the doors that fit."""
    behind = sa.and_(_RESIDENT.c.home == _HOUSEHOLD.c.home, _RESIDENT.c.household_id == _HOUSEHOLD.c.id)
    people = sa.select(_HOUSEHOLD.c.id, _RESIDENT.c.name, _RESIDENT.c.tags).join(_RESIDENT, behind)
    return people.where(*fitting, _RESIDENT.c.deleted_at.is_(None))


def _called(doors: Iterable[Any], living: Iterable[Any], text: str | None) -> list[Any]:
    """The doors whose number, or the name of somebody behind them, holds the text; all where none is sought."""
    if text is None:
        return [*doors]
    named = {one.id for one in living if is_named(one.name, text)}
    return [door for door in doors if door.id in named or plain(text) in plain(door.door)]


def _page(doors: Sequence[Any], sought: Sought) -> tuple[Sequence[Any], UUID | None]:
    begin = 0
    if sought.after is not None:
        begin = next((n for n, door in enumerate(doors, start=1) if door.id == sought.after), 0)
        if not begin:
            raise wrong_field("reference_not_found", "after")
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


def _as_fields(row: Any, names: Sequence[str]) -> Fields:
    return {name: as_wire(getattr(row, name)) for name in names}
