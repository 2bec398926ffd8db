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
from app.fields import MERGED_INTO
from app.reports.parts import Ground, Named, ground_of
from sync.days import shifted
from sync.wire import Fields

_RESIDENT, _VISIT = COLLECTIONS["residents"].table, COLLECTIONS["visits"].table
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
        visits = _visits(ground, since, until).cte("visits_then").prefix_with("MATERIALIZED")
        counted = await snapshot.rows(_doors(ground, visits))
        met = await snapshot.rows(_met(snapshot, ground, visits))
        methods = await snapshot.rows(_methods(ground, since, until))
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


def _visits(ground: Ground, since: date, until: date) -> sa.Select[Any]:
    """Those at these doors on these days, each with the part in which its door lies."""
    then = (
        _VISIT.c.home.in_(ground.homes),
        _VISIT.c.day >= since,
        _VISIT.c.day <= until,
        _VISIT.c.deleted_at.is_(None),
    )
    columns = (_VISIT.c.home, _VISIT.c.household_id, _VISIT.c.day, _VISIT.c.created_at, _VISIT.c.id)
    told = (_VISIT.c.outcome, _VISIT.c.channel, _VISIT.c.method, _VISIT.c.persons_met)
    visits = sa.select(ground.part.label("part"), *columns, *told).select_from(
        ground.at_doors(_VISIT, _VISIT.c.household_id)
    )
    return visits.where(*then, *ground.doors)


def _doors(ground: Ground, visits: sa.CTE) -> sa.Select[Any]:
    """By part: doors, those knocked at, those that opened, and visits by channel."""
    found, many = ground.found, sa.func.count()
    opened = sa.func.max(sa.case((visits.c.outcome == "opened", 1), else_=0))
    by_channel = [sa.func.sum(sa.case((visits.c.channel == name, 1), else_=0)).label(name) for name in CHANNELS]
    key = (visits.c.part, visits.c.home, visits.c.household_id)
    door = sa.select(visits.c.part, many.label("many"), opened.label("opened"), *by_channel).group_by(*key).subquery()
    sums = {"opened": door.c.opened, "visits": door.c.many, **{name: door.c[name] for name in CHANNELS}}
    none = [sa.literal(0).label(name) for name in ("knocked", *sums)]
    there = sa.select(found.c.part, many.label("households"), *none).group_by(found.c.part)
    knocked = sa.select(door.c.part, sa.literal(0), many, *map(sa.func.sum, sums.values())).group_by(door.c.part)
    each = sa.union_all(there, knocked).subquery()
    columns = [sa.cast(sa.func.sum(one), sa.Integer).label(one.name) for one in each.c if one.name != "part"]
    return sa.select(each.c.part, *columns).group_by(each.c.part)


def _met(snapshot: Transaction, ground: Ground, visits: sa.CTE) -> sa.Select[Any]:
    """By part, and in all (`part` null, `whole` true): whom they met, each person that there is once, whatever ids they
    were met under.
    """
    person = snapshot.members_of(visits.c.persons_met)
    said = sa.select(visits.c.home, visits.c.part, snapshot.as_id(person.c.value).label("person")).distinct()
    named = said.select_from(visits.join(person, sa.true())).cte("named").prefix_with("MATERIALIZED")
    who = (_RESIDENT.c.home == named.c.home, _RESIDENT.c.id == named.c.person, _RESIDENT.c.home.in_(ground.homes))
    known = sa.func.coalesce(_RESIDENT.c[MERGED_INTO], _RESIDENT.c.id).label("person")
    met = sa.select(named.c.part, known).select_from(named.join(_RESIDENT, sa.and_(*who)))
    each = met.distinct().cte("met").prefix_with("MATERIALIZED")
    many = sa.func.count().label("met")
    of_part = sa.select(each.c.part, many, sa.false().label("whole")).group_by(each.c.part)
    in_all = sa.select(sa.null(), sa.func.count(sa.distinct(each.c.person)), sa.true())
    return sa.select(sa.union_all(of_part, in_all).subquery())


def _methods(ground: Ground, since: date, until: date) -> sa.Select[Any]:
    """By way of knocking: how often it was tried, how often it opened, and how often after a refusal at that door."""
    lately = _visits(ground, shifted(since, -REMEMBERED), until).cte("lately").prefix_with("MATERIALIZED")
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
