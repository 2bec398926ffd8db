"""Totals of an area and of the areas in it: households, residents, ages, tags; small ones hidden from outside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import reads_within
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.reports.parts import Ground, Named, ground_of
from sync.wire import Fields

HIDDEN_BELOW = 5
"""People of whom there are fewer could be found out by whoever doesn't know them already."""
AGES = (60, 80)
_HOUSEHOLD, _RESIDENT = (COLLECTIONS[name].table for name in ("households", "residents"))

Counts = dict[str, int | None]


@dataclass
class Row:
    """What is counted of one area. None where there are too few to be told."""

    area: Named
    counts: Counts = field(default_factory=lambda: dict.fromkeys(("households", "residents", *map(_aged, AGES)), 0))
    household_tags: Counts = field(default_factory=dict)
    resident_tags: Counts = field(default_factory=dict)

    def as_fields(self) -> Fields:
        """As it is answered."""
        counts: Fields = {
            **self.counts,
            "household_tags": {**self.household_tags},
            "resident_tags": {**self.resident_tags},
        }
        return {"area_id": str(self.area.id), "name": self.area.name, "level": self.area.level, **counts}


async def totals_of(context: Context, person: UUID, area: UUID, day: date) -> Fields:
    """Counts of what the person may see at and below the area: `{day, hidden_below, whole, parts}`.

    Raises not_found, and not_permitted for a masked view.
    """
    # Counted by the server: no record is shown, and row by row the wall would cost more than counting.
    async with context.database.snapshot("server") as snapshot:
        ground = await ground_of(snapshot, context, person, area)
        inside = await reads_within(snapshot, person, ground.path, context.seams.now())
        whole, parts = Row(ground.area), [Row(part) for part in ground.parts]
        await _count(snapshot, ground, day, whole, parts)
    if not inside:
        hide_few([whole, *parts])
    return {
        "day": str(day),
        "hidden_below": None if inside else HIDDEN_BELOW,
        "whole": whole.as_fields(),
        "parts": [row.as_fields() for row in parts],
    }


def hide_few(rows: Sequence[Row]) -> None:
    """Takes out whatever counts fewer than HIDDEN_BELOW, and what would tell it: `rows` are a whole and its parts.

    What is hidden of a column is the whole less what is told of it. So at least two parts are hidden where one is, the
    smallest first, and as many as it takes for that difference to be no small number either.
    """
    for kind in ("counts", "household_tags", "resident_tags"):
        columns: list[Counts] = [getattr(row, kind) for row in rows]
        for name in columns[0]:
            whole, *parts = (int(counts.get(name) or 0) for counts in columns)
            order = sorted((many, place) for place, many in enumerate(parts) if many)
            few = sum(many < HIDDEN_BELOW for many, _ in order)
            while 0 < few < len(order) and (few < 2 or sum(many for many, _ in order[:few]) < HIDDEN_BELOW):
                few += 1
            for _, place in order[:few]:
                columns[place + 1][name] = None
            if 0 < whole < HIDDEN_BELOW:
                columns[0][name] = None


def _aged(years: int) -> str:
    return f"aged_{years}"


def _years_before(day: date, years: int) -> date:
    """The day on which somebody was born who is so old today."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return date(day.year - years, 2, 28)


async def _count(snapshot: Transaction, ground: Ground, day: date, whole: Row, parts: Sequence[Row]) -> None:
    """Four statements, each grouped by part. What lies in the area itself, and in none of its parts, has none."""
    of_part = {row.area.id: row for row in parts}
    for kind, statement in _statements(snapshot, ground, day):
        for found in await snapshot.rows(statement):
            part, *counts = found._mapping.items()
            counted = {str(n): v for n, v in counts} if kind == "counts" else {found.tag: found.many}
            for row in (whole, of_part.get(part[1])):
                _add(row, kind, counted)
    _fill([whole, *parts])


def _statements(snapshot: Transaction, ground: Ground, day: date) -> Iterator[tuple[str, sa.Select[Any]]]:
    doors, part = ground.doors, ground.part
    behind = (_RESIDENT.c.home == _HOUSEHOLD.c.home, _RESIDENT.c.household_id == _HOUSEHOLD.c.id)
    people = doors.join(_RESIDENT, sa.and_(*behind, _RESIDENT.c.deleted_at.is_(None)))
    aged = [
        sa.func.sum(sa.case((_RESIDENT.c.birth_date <= _years_before(day, age), 1), else_=0)).label(_aged(age))
        for age in AGES
    ]
    many = sa.func.count()
    for source, columns in ((doors, [many.label("households")]), (people, [many.label("residents"), *aged])):
        yield "counts", sa.select(part, *columns).select_from(source).group_by(part)
    for kind, source, table in (("household_tags", doors, _HOUSEHOLD), ("resident_tags", people, _RESIDENT)):
        tag = snapshot.members_of(table.c.tags)
        each = sa.select(part, tag.c.value.label("tag"), many.label("many"))
        yield kind, each.select_from(source.join(tag, sa.true())).group_by(part, tag.c.value)


def _add(row: Row | None, kind: str, counted: Mapping[str, int]) -> None:
    if row is not None:
        counts: Counts = getattr(row, kind)
        for name, many in counted.items():
            counts[name] = (counts.get(name) or 0) + int(many)


def _fill(rows: Sequence[Row]) -> None:
    """Every row has every column, in one order."""
    for kind in ("household_tags", "resident_tags"):
        names = sorted({name for row in rows for name in getattr(row, kind)})
        for row in rows:
            counts: Counts = getattr(row, kind)
            setattr(row, kind, {name: counts.get(name, 0) for name in names})
