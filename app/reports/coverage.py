"""What the knocking of some days has reached: doors, each counted once however often it was knocked, and persons."""

from collections.abc import Sequence
from datetime import date
from typing import Any, get_args
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.collections.care_plans import Channel
from app.context import Context
from app.database import Transaction
from app.reports.parts import Ground, Named, ground_of, homes_of
from sync.days import shifted
from sync.wire import Fields

_HOUSEHOLD, _VISIT = COLLECTIONS["households"].table, COLLECTIONS["visits"].table
CHANNELS: tuple[str, ...] = get_args(Channel)
REMEMBERED = 92
"""Days: how long before the first day a refusal counts as the time before."""
COUNTED = ("households", "knocked", "opened", "visits")


async def coverage_of(context: Context, person: UUID, area: UUID, since: date, until: date) -> Fields:
    """Of the area and its parts, from the first day to the last: `{since, until, hidden_below, whole, parts, methods}`.

    Raises not_found, and not_permitted for a masked view.
    """
    # Counted by the server: no record is shown, and row by row the wall would cost more than counting.
    async with context.database.snapshot("server") as snapshot:
        ground = await ground_of(snapshot, context, person, area)
        homes = await homes_of(snapshot, ground)
        await snapshot.plan_afresh()  # a day and a year, a building and a city are not to be read in one way
        visits = _visits(ground, homes, since, until)
        counted = await snapshot.rows(_doors(ground, visits))
        met = await snapshot.rows(_met(snapshot, ground, visits))
        methods = await snapshot.rows(_methods(visits))
    rows = [row._mapping for row in counted]
    everybody = {None if row.whole else row.part or area: row.met for row in met}
    return {
        "since": str(since),
        "until": str(until),
        "hidden_below": ground.hidden_below,
        "whole": _summed(ground, ground.area, rows, everybody[None]),
        "parts": [
            _summed(ground, part, [row for row in rows if row["part"] == part.id], everybody.get(part.id, 0))
            for part in ground.parts
        ],
        "methods": [
            {name: value if name == "method" else ground.shown(value) for name, value in row._mapping.items()}
            for row in methods
        ],
    }


def _visits(ground: Ground, homes: Sequence[UUID], since: date, until: date) -> sa.CTE:
    """Those of these doors on these days, each with what came of the knock before it at the same door."""
    before = sa.func.lag(_VISIT.c.outcome).over(
        partition_by=(_VISIT.c.home, _VISIT.c.household_id), order_by=(_VISIT.c.day, _VISIT.c.created_at, _VISIT.c.id)
    )
    columns = (_VISIT.c.home, _VISIT.c.household_id, _VISIT.c.day, _VISIT.c.outcome, _VISIT.c.channel, _VISIT.c.method)
    lately = (_VISIT.c.home.in_(homes), _VISIT.c.day >= shifted(since, -REMEMBERED), _VISIT.c.day <= until)
    here = (ground.at_a_door(_VISIT), _VISIT.c.deleted_at.is_(None))
    seen = sa.select(*columns, _VISIT.c.persons_met, before.label("before")).where(*lately, *here).cte("knocks")
    return sa.select(seen).where(seen.c.day >= since).cte("visits_then")


def _doors(ground: Ground, visits: sa.CTE) -> sa.Select[Any]:
    """By part: doors, those knocked at, those that opened, and visits by channel."""
    opened = sa.func.max(sa.case((visits.c.outcome == "opened", 1), else_=0))
    by_channel = [sa.func.sum(sa.case((visits.c.channel == name, 1), else_=0)).label(name) for name in CHANNELS]
    key = (visits.c.home, visits.c.household_id)
    door = sa.select(*key, sa.func.count().label("many"), opened.label("opened"), *by_channel).group_by(*key).subquery()
    same = sa.and_(door.c.home == _HOUSEHOLD.c.home, door.c.household_id == _HOUSEHOLD.c.id)
    sums = {"opened": door.c.opened, "visits": door.c.many, **{name: door.c[name] for name in CHANNELS}}
    columns: list[Any] = [
        ground.part.label("part"),
        sa.func.count().label("households"),
        sa.func.count(door.c.household_id).label("knocked"),
        *(sa.cast(sa.func.coalesce(sa.func.sum(of), 0), sa.Integer).label(name) for name, of in sums.items()),
    ]
    return sa.select(*columns).select_from(ground.doors.outerjoin(door, same)).group_by(ground.part)


def _met(snapshot: Transaction, ground: Ground, visits: sa.CTE) -> sa.Select[Any]:
    """By part, and in all (`part` null, `whole` true): whom they met, each person once."""
    person = snapshot.members_of(visits.c.persons_met)
    same = sa.and_(visits.c.home == _HOUSEHOLD.c.home, visits.c.household_id == _HOUSEHOLD.c.id)
    where = ground.doors.join(visits, same).join(person, sa.true())
    each = sa.select(ground.part.label("part"), person.c.value.label("person")).select_from(where).distinct().subquery()
    of_part = sa.select(each.c.part, sa.func.count().label("met"), sa.false().label("whole")).group_by(each.c.part)
    in_all = sa.select(sa.null(), sa.func.count(sa.distinct(each.c.person)), sa.true())
    return sa.select(sa.union_all(of_part, in_all).subquery())


def _methods(visits: sa.CTE) -> sa.Select[Any]:
    """By way of knocking: how often it was tried, how often it opened, and how often after a refusal."""
    opened = visits.c.outcome == "opened"
    return (
        sa.select(
            visits.c.method,
            sa.func.count().label("tried"),
            sa.func.sum(sa.case((opened, 1), else_=0)).label("opened"),
            sa.func.sum(sa.case((sa.and_(opened, visits.c.before == "refused"), 1), else_=0)).label("after_refusal"),
        )
        .group_by(visits.c.method)
        .order_by(visits.c.method.is_(None), visits.c.method)
    )


def _summed(ground: Ground, area: Named, rows: Sequence[Any], met: int) -> Fields:
    counts = {name: ground.shown(sum(row[name] for row in rows)) for name in COUNTED}
    by_channel: Fields = {name: ground.shown(sum(row[name] for row in rows)) for name in CHANNELS}
    named = {"area_id": str(area.id), "name": area.name, "level": area.level}
    return {**named, **counts, "met": ground.shown(met), "by_channel": by_channel}
