"""What was done over time: visits by hour and by day, conflicts, and what was refused. Nothing of it tells of a person.

What a phone's clock said is evidence: visits are told by the hour that it said, in the operator's time zone, and by
the day of work that the server found (sync/days.py). Conflicts and refusals happened by the server's clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, get_args
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.collections.visits import Visit
from app.context import Context
from app.database import Transaction
from app.reports.coverage import CHANNELS
from app.reports.parts import Ground, ground_of
from app.tables import REFUSED, ReceivedMutation
from sync.days import CHINA, shifted
from sync.wire import Fields

_AREA, _VISIT, _CONFLICT = (COLLECTIONS[name].table for name in ("areas", "visits", "conflicts"))
_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]
OUTCOMES: tuple[str, ...] = get_args(Visit.model_fields["outcome"].annotation)
OF_TEAMS = [name for name, collection in COLLECTIONS.items() if collection.audience == "team"]
"""What its members alone may know of, were it only how often."""
AHEAD_HOURS = CHINA.utcoffset(None) // timedelta(hours=1)
DAYS_TO_1970 = date(1970, 1, 1).toordinal()
HOURS = range(24)

Counts = dict[str, int]


@dataclass(frozen=True)
class Days:
    """From the first day of work to the last; a day is a number as in date.toordinal."""

    since: date
    until: date
    begins: int
    """At which hour."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.since.toordinal(), self.until.toordinal() + 1))

    def of(self, snapshot: Transaction, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """The day of work to which a moment of the server's clock belongs."""
        return (snapshot.hours_to(moment) + (AHEAD_HOURS - self.begins)) // 24 + DAYS_TO_1970

    def about(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """Is it of these days, or of the day before or after? For an index, which knows no days of work."""
        first, last = (
            datetime.combine(shifted(day, by), time(), UTC) for day, by in ((self.since, -1), (self.until, 2))
        )
        return moment.between(first, last)

    def hold(self, day: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Is it one of them?"""
        return day.between(self.since.toordinal(), self.until.toordinal())


async def activity_of(context: Context, person: UUID, area: UUID, since: date, until: date) -> Fields:
    """Of the area on these days: `{since, until, hidden_below, visits, untimed, hours, days, refused}`.

    `refused` is None where the person doesn't see all of a community: what was refused has no place within it.
    Raises not_found, and not_permitted for a masked view.
    """
    span = Days(since, until, context.day_begins)
    # Counted by the server: no record is shown, and row by row the wall would cost more than counting.
    async with context.database.snapshot("server") as snapshot:
        ground = await ground_of(snapshot, context, person, area)
        by_hour = {row.hour: row._mapping for row in await snapshot.rows(_hours(snapshot, ground, span))}
        by_day = {row.day.toordinal(): row._mapping for row in await snapshot.rows(_days(ground, span))}
        asked = [(row.kind, row.day, row.many) for row in await snapshot.rows(_conflicts(snapshot, ground, span))]
        whole = [row.home for row in await snapshot.rows(_whole_homes(ground))]
        refused = [*await snapshot.rows(_refused(snapshot, whole, span))] if whole else None
    return {
        "since": str(since),
        "until": str(until),
        "hidden_below": ground.hidden_below,
        "visits": ground.shown(sum(row["visits"] for row in by_hour.values())),
        "untimed": ground.shown(by_hour[None]["visits"] if None in by_hour else 0),
        "hours": [_hour(ground, hour, by_hour.get(hour, {})) for hour in HOURS],
        "days": _told_days(ground, span, by_day, asked),
        "refused": None if refused is None else _told_refusals(ground, span, refused),
    }


def _visits_of(ground: Ground, span: Days) -> tuple[sa.ColumnElement[bool], ...]:
    """Which are of these doors and on these days."""
    on_these = (_VISIT.c.home.in_(ground.homes), _VISIT.c.day >= span.since, _VISIT.c.day <= span.until)
    return *on_these, ground.at_a_door(_VISIT), _VISIT.c.deleted_at.is_(None)


def _how_many(of: sa.ColumnElement[bool], name: str) -> sa.Label[int]:
    return sa.func.sum(sa.case((of, 1), else_=0)).label(name)


def _hours(snapshot: Transaction, ground: Ground, span: Days) -> sa.Select[Any]:
    """By the hour that the phone said, null where it said none: visits, those that opened, and by channel."""
    # Of what is negative the remainder is too: a phone may take it for the years before 1970.
    hour = ((snapshot.hours_to(_VISIT.c.visited_at) + AHEAD_HOURS) % 24 + 24) % 24
    of_each = sa.select(hour.label("hour"), _VISIT.c.outcome, _VISIT.c.channel)
    each = of_each.where(*_visits_of(ground, span)).subquery()
    by_channel = [_how_many(each.c.channel == name, name) for name in CHANNELS]
    counts = (sa.func.count().label("visits"), _how_many(each.c.outcome == "opened", "opened"), *by_channel)
    return sa.select(each.c.hour, *counts).group_by(each.c.hour)


def _days(ground: Ground, span: Days) -> sa.Select[Any]:
    """By day of work: visits, and what came of them."""
    by_outcome = [_how_many(_VISIT.c.outcome == name, name) for name in OUTCOMES]
    counts = (sa.func.count().label("visits"), *by_outcome)
    return sa.select(_VISIT.c.day, *counts).where(*_visits_of(ground, span)).group_by(_VISIT.c.day)


def _conflicts(snapshot: Transaction, ground: Ground, span: Days) -> sa.Select[Any]:
    """How many were opened, and how many decided, on which day; what was before the first day is of the day before it.

    Once it is closed, nothing of a conflict changes any more.
    """
    here = (_CONFLICT.c.home.in_(ground.homes), ground.holds(_CONFLICT), _CONFLICT.c.deleted_at.is_(None))
    closed = _CONFLICT.c.state == "closed"
    before, last = span.since.toordinal() - 1, span.until.toordinal()
    found = []
    for kind, moment, which in (
        ("opened", _CONFLICT.c.created_at, sa.true()),
        ("decided", _CONFLICT.c.updated_at, closed),
    ):
        each = sa.select(span.of(snapshot, moment).label("day")).where(*here, which).subquery()
        day = sa.case((each.c.day < before, before), else_=each.c.day).label("day")
        of_days = sa.select(day).where(each.c.day <= last).subquery()
        counted = sa.select(sa.literal(kind).label("kind"), of_days.c.day, sa.func.count().label("many"))
        found.append(counted.group_by(of_days.c.day))
    return sa.select(sa.union_all(*found).subquery())


def _whole_homes(ground: Ground) -> sa.Select[Any]:
    """Communities at or below the area of which the person sees every place where something is recorded."""
    places, place = ground.places, _AREA.alias("place")
    seen = sa.exists(sa.select(1).where(places.c.home == place.c.home, places.c.id == place.c.id))
    recorded = (place.c.home == _AREA.c.home, place.c.feed_area_id.is_not(None), place.c.deleted_at.is_(None))
    unseen = sa.exists(sa.select(1).select_from(place).where(*recorded, ~seen).correlate(_AREA))
    community = (
        _AREA.c.home.in_(ground.homes),
        _AREA.c.id == _AREA.c.home,
        _AREA.c.level == _AREA.c.home_level,
        _AREA.c.path.startswith(ground.path),
    )
    return sa.select(_AREA.c.home).where(*community, _AREA.c.deleted_at.is_(None), ~unseen)


def _refused(snapshot: Transaction, homes: Sequence[UUID], span: Days) -> sa.Select[Any]:
    """By day of receipt and by the problem's code."""
    code = _RECEIVED.c.answer[("problem", "code")].as_string().label("code")
    of_all = sa.or_(_RECEIVED.c.collection.is_(None), _RECEIVED.c.collection.not_in(OF_TEAMS))
    day = span.of(snapshot, _RECEIVED.c.received_at).label("day")
    there = (_RECEIVED.c.home.in_(homes), REFUSED, of_all, span.about(_RECEIVED.c.received_at), span.hold(day))
    each = sa.select(day, code).where(*there).subquery()
    return sa.select(each.c.day, each.c.code, sa.func.count().label("many")).group_by(each.c.day, each.c.code)


def _hour(ground: Ground, hour: int, row: Mapping[Any, int]) -> Fields:
    counts: Fields = {name: ground.shown(row.get(name, 0)) for name in ("visits", "opened")}
    return {"hour": hour, **counts, "by_channel": {name: ground.shown(row.get(name, 0)) for name in CHANNELS}}


def _told_days(
    ground: Ground, span: Days, visits: Mapping[int, Any], conflicts: Sequence[tuple[str, int, int]]
) -> list[Any]:
    asked = {(kind, day): many for kind, day, many in conflicts}
    before = span.since.toordinal() - 1
    waiting = asked.get(("opened", before), 0) - asked.get(("decided", before), 0)
    told: list[Any] = []
    for day in span:
        row = visits.get(day, {})
        opened, decided = asked.get(("opened", day), 0), asked.get(("decided", day), 0)
        waiting += opened - decided
        of_conflicts: Counts = {"opened": opened, "decided": decided, "open": waiting}
        told.append(
            {
                "day": str(date.fromordinal(day)),
                "visits": ground.shown(row.get("visits", 0)),
                "by_outcome": {name: ground.shown(row.get(name, 0)) for name in OUTCOMES},
                "conflicts": {name: ground.shown(many) for name, many in of_conflicts.items()},
            }
        )
    return told


def _told_refusals(ground: Ground, span: Days, rows: Sequence[Any]) -> list[Any]:
    """Each day, with a count for each code that there is on any."""
    found = {(row.day, row.code): row.many for row in rows}
    codes = sorted({row.code for row in rows})
    told: list[Any] = []
    for day in span:
        many: Counts = {code: found.get((day, code), 0) for code in codes}
        by_code = {code: ground.shown(count) for code, count in many.items()}
        told.append(
            {"day": str(date.fromordinal(day)), "mutations": ground.shown(sum(many.values())), "by_code": by_code}
        )
    return told
