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

_VISIT = COLLECTIONS["visits"].table
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
        visits = _visits(ground, homes, since, until).cte("visits_then").prefix_with("MATERIALIZED")
        counted = await snapshot.rows(_doors(ground, visits))
        met = await snapshot.rows(_met(snapshot, ground, visits))
        methods = await snapshot.rows(_methods(ground, homes, since, until))
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


def _visits(ground: Ground, homes: Sequence[UUID], since: date, until: date) -> sa.Select[Any]:
    """Those at these doors on these days."""
    then = (_VISIT.c.home.in_(homes), _VISIT.c.day >= since, _VISIT.c.day <= until, _VISIT.c.deleted_at.is_(None))
    columns = (_VISIT.c.home, _VISIT.c.household_id, _VISIT.c.day, _VISIT.c.created_at, _VISIT.c.id)
    told = (_VISIT.c.outcome, _VISIT.c.channel, _VISIT.c.method, _VISIT.c.persons_met)
    return sa.select(*columns, *told).where(*then, ground.at_a_door(_VISIT))


def _doors(ground: Ground, visits: sa.CTE) -> sa.Select[Any]:
    """By part: doors, those knocked at, those that opened, and visits by channel."""
    opened = sa.func.max(sa.case((visits.c.outcome == "opened", 1), else_=0))
    by_channel = [sa.func.sum(sa.case((visits.c.channel == name, 1), else_=0)).label(name) for name in CHANNELS]
    key = (visits.c.home, visits.c.household_id)
    door = sa.select(*key, sa.func.count().label("many"), opened.label("opened"), *by_channel).group_by(*key).subquery()
    found = ground.found
    same = sa.and_(door.c.home == found.c.home, door.c.household_id == found.c.id)
    sums = {"opened": door.c.opened, "visits": door.c.many, **{name: door.c[name] for name in CHANNELS}}
    columns: list[Any] = [
        found.c.part,
        sa.func.count().label("households"),
        sa.func.count(door.c.household_id).label("knocked"),
        *(sa.cast(sa.func.coalesce(sa.func.sum(of), 0), sa.Integer).label(name) for name, of in sums.items()),
    ]
    return sa.select(*columns).select_from(found.outerjoin(door, same)).group_by(found.c.part)


def _met(snapshot: Transaction, ground: Ground, visits: sa.CTE) -> sa.Select[Any]:
    """By part, and in all (`part` null, `whole` true): whom they met, each person once."""
    person = snapshot.members_of(visits.c.persons_met)
    key = (visits.c.home, visits.c.household_id, person.c.value)
    at_door = sa.select(visits.c.home, visits.c.household_id, person.c.value.label("person"))
    met = at_door.select_from(visits.join(person, sa.true())).group_by(*key).subquery()
    found = ground.found
    same = sa.and_(met.c.home == found.c.home, met.c.household_id == found.c.id)
    # Grouped, not distinct, and an outer join: else SQLite makes no index and looks at every person for each door.
    there = sa.select(found.c.part, met.c.person).select_from(found.outerjoin(met, same))
    each = there.distinct().cte("met").prefix_with("MATERIALIZED")
    many = sa.func.count(each.c.person).label("met")
    of_part = sa.select(each.c.part, many, sa.false().label("whole")).group_by(each.c.part)
    in_all = sa.select(sa.null(), sa.func.count(sa.distinct(each.c.person)), sa.true())
    return sa.select(sa.union_all(of_part, in_all).subquery())


def _methods(ground: Ground, homes: Sequence[UUID], since: date, until: date) -> sa.Select[Any]:
    """By way of knocking: how often it was tried, how often it opened, and how often after a refusal at that door."""
    lately = _visits(ground, homes, shifted(since, -REMEMBERED), until).cte("lately").prefix_with("MATERIALIZED")
    door, opens = (lately.c.home, lately.c.household_id), lately.c.outcome == "opened"
    # What came before is looked for only at doors that were refused: at most others nothing was.
    refused = sa.select(*door).where(lately.c.outcome == "refused")
    before = sa.func.lag(lately.c.outcome).over(
        partition_by=door, order_by=(lately.c.day, lately.c.created_at, lately.c.id)
    )
    there = sa.select(lately.c.day, lately.c.method, opens.label("opens"), before.label("before"))
    at_those = there.where(sa.tuple_(*door).in_(refused)).subquery()
    none, one = sa.literal(0), sa.literal(1)
    knocks = sa.select(
        lately.c.method, one.label("tried"), sa.case((opens, 1), else_=0).label("opened"), none.label("after_refusal")
    ).where(lately.c.day >= since)
    after = sa.select(at_those.c.method, none, none, one).where(
        at_those.c.day >= since, at_those.c.opens, at_those.c.before == "refused"
    )
    each = sa.union_all(knocks, after).subquery()
    sums = [sa.func.sum(each.c[name]).label(name) for name in ("tried", "opened", "after_refusal")]
    return sa.select(each.c.method, *sums).group_by(each.c.method).order_by(each.c.method.is_(None), each.c.method)


def _summed(ground: Ground, area: Named, rows: Sequence[Any], met: int) -> Fields:
    counts = {name: ground.shown(sum(row[name] for row in rows)) for name in COUNTED}
    by_channel: Fields = {name: ground.shown(sum(row[name] for row in rows)) for name in CHANNELS}
    named = {"area_id": str(area.id), "name": area.name, "level": area.level}
    return {**named, **counts, "met": ground.shown(met), "by_channel": by_channel}
