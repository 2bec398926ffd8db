"""Totals of an area and of the areas in it: households, residents, ages, tags; small ones hidden from outside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.reports.parts import Ground, Named, ground_of
from sync.wire import Fields

AGES = {"aged_60": 60, "aged_80": 80}
COUNTED = ("households", "residents", *AGES)
ANY_OF = "any_of"
_HOUSEHOLD, _RESIDENT = (COLLECTIONS[name].table for name in ("households", "residents"))

Counts = dict[str, int]


@dataclass
class Row:
    """What is counted of one area."""

    area: Named
    counts: Counts
    household_tags: Counts = field(default_factory=dict)
    resident_tags: Counts = field(default_factory=dict)

    def as_fields(self, shown: Callable[[int], int | None]) -> Fields:
        """As it is answered."""
        named: Fields = {"area_id": str(self.area.id), "name": self.area.name, "level": self.area.level}
        for kind, of in (("household_tags", self.household_tags), ("resident_tags", self.resident_tags)):
            named[kind] = {name: shown(many) for name, many in of.items()}
        return {**named, **{name: shown(many) for name, many in self.counts.items()}}


async def totals_of(context: Context, person: UUID, area: UUID, day: date, tags: Sequence[str] = ()) -> Fields:
    """Counts of what the person may see at and below the area: `{day, tag, hidden_below, whole, parts}`; of whoever
    has at least one of these tags, each once, where there are any.

    Raises not_found, and not_permitted for a masked view.
    """
    # Counted by the server: no record is shown, and row by row the wall would cost more than counting.
    async with context.database.snapshot("server") as snapshot:
        ground = await ground_of(snapshot, context, person, area)
        counted = (*COUNTED, ANY_OF) if tags else COUNTED
        whole, *parts = [Row(one, dict.fromkeys(counted, 0)) for one in (ground.area, *ground.parts)]
        await _count(snapshot, _statements(snapshot, ground, day, tags), whole, parts)
    return {
        "day": str(day),
        "tag": [*tags],
        "hidden_below": ground.hidden_below,
        "whole": whole.as_fields(ground.shown),
        "parts": [row.as_fields(ground.shown) for row in parts],
    }


def _years_before(day: date, years: int) -> date:
    """The day on which somebody was born who is so old today."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return date(day.year - years, 2, 28)


def _born_by(day: date) -> sa.ColumnElement[int]:
    """1 of whoever was: by their ID number where no birth date is written down."""
    numbered = sa.and_(_RESIDENT.c.birth_date.is_(None), sa.func.substr(_RESIDENT.c.id_number, 7, 8) <= f"{day:%Y%m%d}")
    return sa.case((_RESIDENT.c.birth_date <= day, 1), (numbered, 1), else_=0)


async def _count(
    snapshot: Transaction, statements: Iterable[tuple[str, sa.Select[Any]]], whole: Row, parts: Sequence[Row]
) -> None:
    """What lies in the area itself, and in none of its parts, has no part."""
    of_part = {row.area.id: row for row in parts}
    for kind, statement in statements:
        for found in await snapshot.rows(statement):
            counts = dict(found._mapping)
            part, tag = counts.pop("part"), counts.pop("tag")
            of, counted = ("counts", counts) if tag is None else (f"{kind}_tags", {tag: counts[f"{kind}s"]})
            for row in (whole, of_part.get(part)):
                _add(row, of, counted)
    _fill([whole, *parts])


def _statements(
    snapshot: Transaction, ground: Ground, day: date, tags: Sequence[str]
) -> Iterator[tuple[str, sa.Select[Any]]]:
    """Two, and another where some tags are asked for together."""
    doors, found = ground.located(_HOUSEHOLD), ground.found
    behind = (_RESIDENT.c.home == found.c.home, _RESIDENT.c.household_id == found.c.id)
    living = (_RESIDENT.c.home.in_(ground.homes), _RESIDENT.c.deleted_at.is_(None))
    people = found.join(_RESIDENT, sa.and_(*behind, *living))
    aged = [sa.func.sum(_born_by(_years_before(day, age))).label(name) for name, age in AGES.items()]
    many = sa.func.count()
    by_part = (ground.part.label("part"), _HOUSEHOLD.c.tags, many.label("households"))
    yield "household", _counted(snapshot, sa.select(*by_part).select_from(doors).where(*ground.doors))
    behind_them = (found.c.part, _RESIDENT.c.tags, many.label("residents"), *aged)
    yield "resident", _counted(snapshot, sa.select(*behind_them).select_from(people))
    if tags:
        rows = sa.select(found.c.part, _RESIDENT.c.tags, many.label(ANY_OF)).select_from(people)
        yield "resident", _with_any(snapshot, rows, tags)


def _counted(snapshot: Transaction, rows: sa.Select[Any]) -> sa.Select[Any]:
    """From (part, tags, counts…): (part, tag, counts…) of the rows with each tag, by the first count alone, and with
    tag null of all.

    Many have the same tags: they are counted as one before their tags are looked at.
    """
    counts, alike = [*rows.selected_columns][2:], _alike(rows)
    names = [count.name for count in counts]
    sums = [sa.func.sum(alike.c[name]).label(name) for name in names]
    tag = snapshot.members_of(alike.c.tags)
    of_all = sa.select(alike.c.part, sa.null().label("tag"), *sums).group_by(alike.c.part)
    of_each = (
        sa.select(alike.c.part, tag.c.value, sums[0], *(sa.null() for _ in names[1:]))
        .select_from(alike.join(tag, sa.true()))
        .group_by(alike.c.part, tag.c.value)
    )
    return sa.select(sa.union_all(of_all, of_each).subquery())


def _with_any(snapshot: Transaction, rows: sa.Select[Any], tags: Sequence[str]) -> sa.Select[Any]:
    """From (part, tags, count): (part, null, count) of the rows with at least one of these tags."""
    alike = _alike(rows)
    part, of_each, count = alike.c
    has_one = sa.or_(*(snapshot.holds(of_each, tag) for tag in tags))
    summed = sa.func.sum(count).label(count.name)
    return sa.select(part, sa.null().label("tag"), summed).where(has_one).group_by(part)


def _alike(rows: sa.Select[Any]) -> sa.CTE:
    """Those with the same (part, tags) counted as one."""
    part, tags, *_ = rows.selected_columns
    return rows.group_by(part, tags).cte("alike").prefix_with("MATERIALIZED")


def _add(row: Row | None, kind: str, counted: Mapping[str, int]) -> None:
    if row is not None:
        counts: Counts = getattr(row, kind)
        for name, many in counted.items():
            counts[name] = counts.get(name, 0) + int(many)


def _fill(rows: Sequence[Row]) -> None:
    """Every row has every column, in one order."""
    for kind in ("household_tags", "resident_tags"):
        names = sorted({name for row in rows for name in getattr(row, kind)})
        for row in rows:
            counts: Counts = getattr(row, kind)
            setattr(row, kind, {name: counts.get(name, 0) for name in names})
