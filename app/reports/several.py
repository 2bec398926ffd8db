"""Areas of one community that are asked for together: two buildings of a notebook, the staircases of one round."""

from collections.abc import Mapping, Sequence
from posixpath import commonpath
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app.access import following, staff_areas
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.problems import Problem
from app.reports.parts import known_area, seen_whole
from app.tables import FeedEntry
from sync.wire import Fields

MOST_AREAS = 50
MOST_NAMED = 3
"""Of more areas a title would be longer than what it is of."""
_AREA = COLLECTIONS["areas"].table
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]


class Together(NamedTuple):
    """Areas of one community, and what of them a person sees."""

    home: UUID
    path: str
    """Of the smallest area that they all lie in: of one, its own."""
    places: Sequence[Any]
    """Their rows as they were asked for, without those that lie in another of them."""
    seen: Mapping[UUID, UUID]
    """Area of which the person sees all records → in which of the places it lies."""


async def seen_together(snapshot: Transaction, context: Context, person: UUID, areas: Sequence[UUID]) -> Together:
    """Of one area or several, each once, however often and inside what else it is asked for.

    Raises what seen_whole does, with the pointers of those of several that it is about; and invalid where they lie in
    different communities.
    """
    if len({*areas}) == 1:
        place, inside = await seen_whole(snapshot, context, person, areas[0])
        return Together(place.home, place.path, [place], dict.fromkeys(inside, place.id))
    known = await _known(snapshot, context, person, areas)
    first = known[0]
    _require([place.home == first.home and not _is_above(place) for place in known], "invalid")
    path = _path_above(known)
    theirs = staff_areas(person, path, context.seams.now(), first.home).add_columns(_AREA.c.path)
    rows = await snapshot.rows(theirs)
    _require([any(row.path.startswith(place.path) for row in rows) for place in known], "not_permitted")
    places = _outermost(known)
    seen = {row.id: place.id for row in rows for place in places if row.path.startswith(place.path)}
    return Together(first.home, path, places, seen)


async def known_together(snapshot: Transaction, context: Context, person: UUID, areas: Sequence[UUID]) -> Together:
    """The same of areas of one community that the person knows, whatever they see of them. Raises not_found."""
    if len({*areas}) == 1:
        places = [await known_area(snapshot, context, person, areas[0])]
    else:
        places = _outermost(await _known(snapshot, context, person, areas))
    return Together(places[0].home, _path_above(places), places, {})


def name_of(places: Sequence[Any]) -> str:
    """What they are called together: 1号楼、2号楼; of many the first, and how many there are."""
    more = f"等 {len(places)} 处" if len(places) > MOST_NAMED else ""
    return "、".join(place.name for place in places[:MOST_NAMED]) + more


async def _known(snapshot: Transaction, context: Context, person: UUID, areas: Sequence[UUID]) -> list[Any]:
    """Their rows, in this order. Raises not_found for those that the person doesn't know."""
    mine = sa.tuple_(_ENTRY.c.home, _ENTRY.c.feed_id).in_(following(person, context.seams.now()))
    live = (_ENTRY.c.collection == "areas", _ENTRY.c.record_id.in_(areas), _ENTRY.c.live)
    listed = await snapshot.rows(sa.select(_ENTRY.c.home, _ENTRY.c.record_id).where(mine, *live).distinct())
    homes, ids = {row.home for row in listed}, {row.record_id for row in listed}
    _require([area in ids for area in areas], "not_found")
    found = await snapshot.rows(sa.select(_AREA).where(_AREA.c.home.in_(homes), _AREA.c.id.in_(ids)))
    by_id = {row.id: row for row in found}
    return [by_id[area] for area in areas]


def _require(fitting: Sequence[bool], code: str) -> None:
    """Raises the problem where some don't fit, and says which."""
    errors: list[Fields] = [{"pointer": f"/area_id/{n}", "code": code} for n, fits in enumerate(fitting) if not fits]
    if errors:
        raise Problem(code, errors=errors)


def _is_above(place: Any) -> bool:
    """Does it lie above communities?"""
    return bool(place.home == place.id and place.level != place.home_level)


def _outermost(places: Sequence[Any]) -> list[Any]:
    """Each once, without those that lie in another."""
    once = {place.id: place for place in places}.values()
    return [
        place for place in once if not any(place.path.startswith(other.path) for other in once if other is not place)
    ]


def _path_above(places: Sequence[Any]) -> str:
    """What the paths have in common, step by step."""
    return f"{commonpath([str(place.path) for place in places])}/"
