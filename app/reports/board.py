"""The seven-colour plate 七色信息牌 of a building: floors and doors, each in the colours of its tags.

Which tag has which colour is the operator's table: the codes of the list `colour`. Who looks from above communities
has no use for a board, and none is ever published: it tells who lives alone.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import reads_from_above
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.prepared import among
from app.problems import Problem, wrong_field
from app.reports.parts import areas_around, codes_at, seen_whole
from sync.walk import Walk
from sync.wire import Fields

_HOUSEHOLD, _RESIDENT = COLLECTIONS["households"].table, COLLECTIONS["residents"].table


async def board_of(context: Context, person: UUID, area: UUID) -> Fields:
    """`{area_id, name, colours, floors}` of an area that owns a feed, as buildings do, or of a part of one; the highest
    floor first.

    Raises what seen_whole does, invalid where the area is more than that, and not_permitted to who sees it from above
    communities.
    """
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        place, theirs = await seen_whole(snapshot, context, person, area)
        if place.feed_area_id is None:
            raise wrong_field("invalid", "area_id")
        if await reads_from_above(snapshot, person, place.path, context.seams.now(), place.home):
            raise Problem("not_permitted")
        colours = await _colours(snapshot, place)
        walk = Walk(await areas_around(snapshot, place))
        doors = await _doors(snapshot, place.home, theirs)
    floors = defaultdict[int | None, list[Any]](list)
    for door in sorted(doors.values(), key=lambda door: (walk.place(door), door["household"])):
        way = walk.way(door["area_id"], str(place.id))
        floors[door.pop("floor")].append(
            {**door, "place": way, "tags": [tag for tag in colours if tag in door["tags"]]}
        )
    known = sorted((floor for floor in floors if floor is not None), reverse=True)
    return {
        "area_id": str(place.id),
        "name": place.name,
        "colours": [{"tag": tag, **colour} for tag, colour in colours.items()],
        "floors": [{"floor": floor, "doors": floors[floor]} for floor in (*known, *([None] if None in floors else []))],
    }


async def _colours(snapshot: Transaction, place: Any) -> Mapping[str, Fields]:
    """Tag → its colour, in the order of the list. Of a tag holds what the nearest area says."""
    nearest = {code.code: code for code in await codes_at(snapshot, place, "colour")}
    shown = sorted((code for code in nearest.values() if not code.retired), key=lambda code: (code.sort, code.code))
    return {code.code: {"colour": code.name, "colour_en": code.name_en} for code in shown}


async def _doors(snapshot: Transaction, home: UUID, areas: Sequence[UUID]) -> Mapping[UUID, dict[str, Any]]:
    """Each with whatever could have a colour: its use, its tags and those of whoever lives there."""
    living = _HOUSEHOLD.c.deleted_at.is_(None)
    there = (_HOUSEHOLD.c.home == home, among(_HOUSEHOLD.c.area_id, "areas", areas), living)
    columns = (_HOUSEHOLD.c.id, _HOUSEHOLD.c.area_id, _HOUSEHOLD.c.door, _HOUSEHOLD.c.floor, _HOUSEHOLD.c.use)
    doors: dict[UUID, Any] = {
        row.id: {
            **{"household": str(row.id), "area_id": str(row.area_id), "door": row.door, "floor": row.floor},
            "tags": {row.use, *row.tags},
        }
        for row in await snapshot.rows(sa.select(*columns, _HOUSEHOLD.c.tags).where(*there))
    }
    lived = sa.and_(_RESIDENT.c.home == _HOUSEHOLD.c.home, _RESIDENT.c.household_id == _HOUSEHOLD.c.id)
    people = sa.select(_RESIDENT.c.household_id, _RESIDENT.c.tags).join(_HOUSEHOLD, lived)
    for row in await snapshot.rows(people.where(*there, _RESIDENT.c.deleted_at.is_(None))):
        doors[row.household_id]["tags"].update(row.tags)
    return doors
