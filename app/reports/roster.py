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
from app.prepared import among
from app.problems import wrong_field
from app.reports.parts import areas_around, seen_whole
from app.reports.pinyin import is_named, plain
from sync.walk import Walk
from sync.wire import Fields

_HOUSEHOLD, _RESIDENT = COLLECTIONS["households"].table, COLLECTIONS["residents"].table
_PLACE = ("id", "area_id", "door", "floor")
_DOOR = (*_PLACE, "use", "tags")
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

    Raises what seen_whole does, and reference_not_found where `after` isn't among them any more.
    """
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        place, theirs = await seen_whole(snapshot, context, person, sought.area_id)
        walk = Walk(await areas_around(snapshot, place))
        fitting = _fitting(snapshot, place.home, theirs, sought)
        doors = [*await snapshot.rows(sa.select(*(_HOUSEHOLD.c[name] for name in _PLACE)).where(*fitting))]
        if sought.text is not None:
            doors = await _called(snapshot, doors, fitting, sought.text)
        doors.sort(key=lambda door: (walk.place(_as_fields(door, _PLACE)), str(door.id)))
        page, following = _page(doors, sought)
        living = await snapshot.rows(_living(fitting, sa.func.count().label("many")).group_by(_HOUSEHOLD.c.id))
        behind = await _people_behind(snapshot, place.home, page)
        listed = (_HOUSEHOLD.c.home == place.home, _HOUSEHOLD.c.id.in_(page))
        shown = await snapshot.rows(sa.select(*(_HOUSEHOLD.c[name] for name in _DOOR)).where(*listed))
    of, ids = {row.id: row for row in shown}, {door.id for door in doors}
    return {
        "area_id": str(place.id),
        "name": place.name,
        "households": len(doors),
        "residents": sum(row.many for row in living if row.id in ids),
        "doors": [
            {
                **_as_fields(of[id], _DOOR),
                "place": walk.way(of[id].area_id, str(place.id)),
                "residents": [*behind.get(id, ())],
            }
            for id in page
        ],
        "next": str(following) if following else None,
    }


def _fitting(snapshot: Transaction, home: UUID, theirs: Sequence[UUID], sought: Sought) -> list[sa.ColumnElement[bool]]:
    """What holds of households in these places, and of those that have the tag or of which somebody has it."""
    there = among(_HOUSEHOLD.c.area_id, "areas", theirs)
    fitting = [_HOUSEHOLD.c.home == home, there, _HOUSEHOLD.c.deleted_at.is_(None)]
    if sought.tag is not None:
        tagged = (_RESIDENT.c.home == home, _RESIDENT.c.deleted_at.is_(None))
        of_persons = sa.select(_RESIDENT.c.household_id).where(*tagged, snapshot.holds(_RESIDENT.c.tags, sought.tag))
        fitting.append(sa.or_(snapshot.holds(_HOUSEHOLD.c.tags, sought.tag), _HOUSEHOLD.c.id.in_(of_persons)))
    return fitting


def _living(fitting: Sequence[sa.ColumnElement[bool]], *columns: Any) -> sa.Select[Any]:
    """Of everybody behind the doors that fit: the door, and these."""
    behind = sa.and_(_RESIDENT.c.home == _HOUSEHOLD.c.home, _RESIDENT.c.household_id == _HOUSEHOLD.c.id)
    people = sa.select(_HOUSEHOLD.c.id, *columns).join(_RESIDENT, behind)
    return people.where(*fitting, _RESIDENT.c.deleted_at.is_(None))


async def _called(
    snapshot: Transaction, doors: Sequence[Any], fitting: Sequence[sa.ColumnElement[bool]], text: str
) -> list[Any]:
    """The doors whose number, or the name of somebody behind them, holds the text."""
    named = {row.id for row in await snapshot.rows(_living(fitting, _RESIDENT.c.name)) if is_named(row.name, text)}
    return [door for door in doors if door.id in named or plain(text) in plain(door.door)]


def _page(doors: Sequence[Any], sought: Sought) -> tuple[Sequence[UUID], UUID | None]:
    begin = 0
    if sought.after is not None:
        begin = next((n for n, door in enumerate(doors, start=1) if door.id == sought.after), 0)
        if not begin:
            raise wrong_field("reference_not_found", "after")
    page = [door.id for door in doors[begin : begin + sought.limit]]
    return page, page[-1] if begin + sought.limit < len(doors) else None


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
