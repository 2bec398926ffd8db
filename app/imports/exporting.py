"""A roster as a table under somebody else's headings, so that one set of notes fills every office's form."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.fields import as_wire
from app.imports.importing import names_of
from app.imports.places import Places
from app.imports.rows import HOUSEHOLDS, RESIDENTS
from app.imports.values import BETWEEN, LISTS, Names, word_alike
from app.prepared import among
from app.problems import Problem
from app.reports.parts import areas_around, codes_at, seen_whole
from app.reports.sheets import NO, YES, Cell, Sheet
from sync.walk import Walk

MOST_DOORS = 10_000
"""Twice as many as the largest community that is known to have them has."""
DEFAULT_HEADINGS: Mapping[str, str] = {
    "小区": "place.estate",
    "网格": "place.grid",
    "楼栋": "place.building",
    "单元": "place.unit",
    "门牌号": "household.door",
    "楼层": "household.floor",
    "房屋用途": "household.use",
    "户标签": "household.tags",
    "合适的上门时间": "household.best_time",
    "户编号": "household.external_id",
    "户备注": "household.note",
    "姓名": "resident.name",
    "性别": "resident.sex",
    "出生日期": "resident.birth_date",
    "与户主关系": "resident.relation",
    "户籍在此": "resident.registered_here",
    "人员标签": "resident.tags",
    "人员编号": "resident.external_id",
    "人员备注": "resident.note",
}
"""All but telephones, ID numbers and emergency contacts: who needs these names them."""
_HOUSEHOLD, _RESIDENT, _AREA = (COLLECTIONS[name].table for name in (HOUSEHOLDS, RESIDENTS, "areas"))
_SEXES = {"male": "男", "female": "女"}


async def roster_table(context: Context, person: UUID, area: UUID, mapping: Mapping[str, str]) -> Sheet:
    """The doors along the walk, a row for each person behind them, or one for an empty door; of doors alone where no
    heading is about people.

    Raises what seen_whole does, and sheet_too_large.
    """
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        place, theirs = await seen_whole(snapshot, context, person, area)
        walk = Walk(await areas_around(snapshot, place))
        living = sa.select(_AREA).where(_AREA.c.home == place.home, _AREA.c.deleted_at.is_(None))
        places = Places(place.id, await snapshot.rows(living))
        names = await codes_at(snapshot, place)
        doors = await _living(snapshot, _HOUSEHOLD, place.home, theirs, _HOUSEHOLD.c.id)
        about_people = any(field.startswith("resident.") for field in mapping.values())
        born = (_RESIDENT.c.birth_date.is_(None), _RESIDENT.c.birth_date, _RESIDENT.c.id)
        people = await _living(snapshot, _RESIDENT, place.home, theirs, *born) if about_people else ()
    behind: dict[UUID, list[Any]] = defaultdict(list)
    for one in people:
        behind[one.household_id].append(one)
    told = _Told(places, names_of(names), {(code.list, code.code): code.name for code in names}, [*mapping.values()])

    def rows() -> list[list[Cell]]:
        along = sorted(doors, key=lambda door: (walk.place(door._mapping), str(door.id)))
        return [told.row(door, one) for door in along for one in behind[door.id] or [None]]

    # Thousands of doors take a while: others are answered meanwhile.
    return Sheet("roster", "民情本", [*mapping], await run_in_threadpool(rows))


async def _living(
    snapshot: Transaction, table: sa.Table, home: UUID, areas: Sequence[UUID], *order: Any
) -> Sequence[Any]:
    which = (table.c.home == home, among(table.c.area_id, "areas", areas), table.c.deleted_at.is_(None))
    most = MOST_DOORS if table is _HOUSEHOLD else 10 * MOST_DOORS
    rows = await snapshot.rows(sa.select(table).where(*which).order_by(*order).limit(most + 1))
    if len(rows) > most:
        raise Problem("sheet_too_large", most_rows=most)
    return rows


class _Told:
    """How a door and a person are told in the columns that were asked for."""

    def __init__(
        self, places: Places, names: Names, called: Mapping[tuple[str, str], str], fields: Sequence[str]
    ) -> None:
        self.places, self.names, self.called, self.fields = places, names, called, fields

    def row(self, door: Any, person: Any | None) -> list[Cell]:
        """In the order of the fields."""
        place = self.places.by_id.get(door.area_id)
        where: dict[str, str | None] = {**self.places.way_to(door.area_id), "code": place.code if place else None}
        parts = {"household": door, "resident": person}
        cells: list[Cell] = []
        for field in self.fields:
            part, _, name = field.partition(".")
            of = parts.get(part)
            cells.append(where.get(name) if part == "place" else self._cell(name, getattr(of, name)) if of else None)
        return cells

    def _cell(self, name: str, value: Any) -> Cell:
        said = as_wire(value)
        if isinstance(said, bool):
            return YES if said else NO
        if name == "sex":
            return _SEXES.get(str(said))
        if isinstance(said, list):
            # A name that would come apart where it is read again is told as its code.
            words = [(code, self._code(name, str(code))) for code in said]
            return "、".join(str(code) if BETWEEN.search(word) else word for code, word in words)
        if name in LISTS:
            return self._code(name, str(said))
        return said if isinstance(said, int) else str(said) if said is not None else None

    def _code(self, name: str, code: str) -> str:
        """Its name, where that leads back to it."""
        called = self.called.get((LISTS[name], code), code)
        return called if self.names.get((LISTS[name], word_alike(called))) == code else code
