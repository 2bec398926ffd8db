"""An area and the areas directly in it: what reports count, and by which they group it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app.access import reads_from_above, staff_areas
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.prepared import among
from app.problems import Problem, wrong_field
from app.records import get_record
from app.reports.blurring import HIDDEN_BELOW, blurred
from sync.wire import Fields

_AREA, _CODE, _HOUSEHOLD = (COLLECTIONS[name].table for name in ("areas", "codes", "households"))
_LEAF = _AREA.alias("leaf")
_AROUND = sa.select(_AREA.c.id, _AREA.c.parent_id, _AREA.c.name, _AREA.c.sort).where(
    among(_AREA.c.home, "homes"),
    sa.or_(_AREA.c.path.startswith(sa.bindparam("path")), among(_AREA.c.id, "along")),
    _AREA.c.deleted_at.is_(None),
)
_CODES = sa.select(_CODE).where(
    among(_CODE.c.home, "homes"), among(_CODE.c.area_id, "above"), _CODE.c.deleted_at.is_(None)
)
_CODES_OF = _CODES.where(among(_CODE.c.list, "lists"))


class Named(NamedTuple):
    """An area as a report names it."""

    id: UUID
    name: str
    level: str


@dataclass(frozen=True)
class Ground:
    """What a report is about: the area, its parts, and statements over what of it the person sees in full."""

    area: Named
    path: str
    """Of the area, down the tree."""
    parts: Sequence[Named]
    homes: Sequence[UUID]
    """The communities that it lies in: what is asked for by them is found by an index."""
    places: sa.CTE
    """(home, id, part) of the areas: the part is null where it is the area itself."""
    part: sa.ColumnElement[UUID]
    """Of what is `located`."""
    hidden_below: int | None
    """Below which number nothing is told, since the person looks at it from above communities."""

    def holds(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Of a table whose rows lie in an area: is it one of these places?"""
        return sa.tuple_(table.c.home, table.c.area_id).in_(sa.select(self.places.c.home, self.places.c.id))

    def located(self, table: sa.Table, among: sa.FromClause | None = None) -> sa.Join:
        """A table's rows, or what is joined with it, each with the area where it lies: `part` tells in which part.

        Joined by the tables' own keys, here and below: what a statement makes for itself has none, and no store
        foresees how much it is.
        """
        there = (_LEAF.c.home == table.c.home, _LEAF.c.id == table.c.area_id, _LEAF.c.home.in_(self.homes))
        return (table if among is None else among).join(_LEAF, sa.and_(*there))

    def at_doors(self, rows: sa.FromClause, door: sa.ColumnElement[Any]) -> sa.Join:
        """Rows that name a household as `door`, each with that household, deleted or not, and where it lies."""
        behind = (_HOUSEHOLD.c.home == rows.c.home, _HOUSEHOLD.c.id == door, _HOUSEHOLD.c.home.in_(self.homes))
        return self.located(_HOUSEHOLD, rows.join(_HOUSEHOLD, sa.and_(*behind)))

    @property
    def doors(self) -> tuple[sa.ColumnElement[bool], ...]:
        """What holds of the households in these places."""
        return _HOUSEHOLD.c.home.in_(self.homes), _HOUSEHOLD.c.deleted_at.is_(None), self.holds(_HOUSEHOLD)

    @cached_property
    def found(self) -> sa.CTE:
        """(home, id, part) of the households in these places, each once."""
        columns = (_HOUSEHOLD.c.home, _HOUSEHOLD.c.id, self.part.label("part"))
        found = sa.select(*columns).select_from(self.located(_HOUSEHOLD)).where(*self.doors)
        return found.cte("doors").prefix_with("MATERIALIZED")

    def at_a_door(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Of a table whose rows name a household: is it one of these?"""
        those = sa.select(self.found.c.home, self.found.c.id)
        return sa.tuple_(table.c.home, table.c.household_id).in_(those)

    def shown(self, many: int) -> int | None:
        """A count as this person is told it."""
        return many if self.hidden_below is None else blurred(many)


async def known_area(snapshot: Transaction, context: Context, person: UUID, area: UUID) -> Any:
    """The area's row. Raises not_found for one that the person doesn't know."""
    seen = await get_record(snapshot, context, person, COLLECTIONS["areas"], area)
    [row] = await snapshot.rows(sa.select(_AREA).where(_AREA.c.home == seen.home, _AREA.c.id == area))
    return row


def _community_of(place: Any) -> UUID | None:
    """In which an area lies; None of one above them, which is a home of its own."""
    above = place.home == place.id and place.level != place.home_level
    return None if above else place.home


def _part_of(snapshot: Transaction, path: str) -> sa.ColumnElement[UUID]:
    """In which area directly in the one with this path a leaf lies: its path's next step; null of the one itself."""
    step = sa.func.substr(_LEAF.c.path, len(path) + 1, len(UUID(int=0).hex))
    return snapshot.as_id(sa.func.nullif(step, ""))


def ids_along(path: str) -> list[UUID]:
    """The areas from the top of the tree down to the one with this path."""
    return [UUID(hex=step) for step in path.strip("/").split("/")]


async def areas_around(snapshot: Transaction, place: Any, *homes: UUID) -> dict[str, Fields]:
    """What the walk is ordered by: the area, those in it and those it lies in; of its own community, and of these."""
    along = {"path": place.path, "along": ids_along(place.path)}
    found = await snapshot.fetch(_AROUND, homes=[*{place.home, *homes}], **along)
    return {str(row.id): {"parent_id": str(row.parent_id), "name": row.name, "sort": row.sort} for row in found}


async def codes_at(snapshot: Transaction, place: Any, *lists: str) -> Sequence[Any]:
    """The codes that hold at an area, of all lists or of these; those of the areas furthest up first: what is said
    last is the nearest's.
    """
    above = ids_along(place.path)
    # An area above communities is a home of its own.
    codes = await snapshot.fetch(_CODES_OF if lists else _CODES, homes=[place.home, *above], above=above, lists=lists)
    return sorted(codes, key=lambda code: (above.index(code.area_id), code.id))


async def seen_whole(snapshot: Transaction, context: Context, person: UUID, area: UUID) -> tuple[Any, Sequence[UUID]]:
    """The row of an area within one community, and the areas in it of which the person sees all records.

    As values: the second wall asks of every row that a statement might look for otherwise.

    Raises not_found, not_permitted for a masked view, and invalid where the area lies above communities.
    """
    place = await known_area(snapshot, context, person, area)
    community = _community_of(place)
    theirs = staff_areas(person, place.path, context.seams.now(), community)
    areas = await snapshot.rows(theirs if community else theirs.limit(1))
    if not areas:
        raise Problem("not_permitted")
    if community is None:
        raise wrong_field("invalid", "area_id")
    return place, [row.id for row in areas]


async def ground_of(snapshot: Transaction, context: Context, person: UUID, area: UUID) -> Ground:
    """Raises not_found for an area that the person doesn't know, not_permitted where they see nothing of it whole."""
    row = await known_area(snapshot, context, person, area)
    now, community = context.seams.now(), _community_of(row)
    theirs = staff_areas(person, row.path, now, community).cte("theirs")
    homes = [one.home for one in await snapshot.rows(sa.select(theirs.c.home).distinct())]
    if not homes:
        raise Problem("not_permitted")
    same = (_LEAF.c.home == theirs.c.home, _LEAF.c.id == theirs.c.id, _LEAF.c.home.in_(homes))
    part = _part_of(snapshot, row.path)
    places = sa.select(_LEAF.c.home, _LEAF.c.id, part.label("part")).select_from(theirs.join(_LEAF, sa.and_(*same)))
    where = places.cte("places").prefix_with("MATERIALIZED")  # for each area once, not for each of its doors
    inside = (_AREA.c.parent_id == area, _AREA.c.id.in_(sa.select(where.c.part)))
    named = sa.select(_AREA.c.id, _AREA.c.name, _AREA.c.level).where(*inside)
    parts = await snapshot.rows(named.order_by(_AREA.c.sort, _AREA.c.name, _AREA.c.id))
    outside = await reads_from_above(snapshot, person, row.path, now, community)
    # From here on much is read, of whole communities. No planner foresees how much, and row by row it would never end.
    await snapshot.plan_for_many()
    return Ground(
        Named(row.id, row.name, row.level),
        row.path,
        [Named(one.id, one.name, one.level) for one in parts],
        homes,
        where,
        part,
        HIDDEN_BELOW if outside else None,
    )
