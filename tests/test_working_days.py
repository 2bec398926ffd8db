"""Which days are worked is the operator's to say, area by area; what is due on a day of rest is due before it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from sync.calendar import Calendar, calendar_of
from sync.days import day_of
from sync.duty import due_by
from sync.wire import Fields

GRID, MONDAY = "grid", date(2026, 11, 23)
REST: dict[str, Fields] = {str(n): {"area_id": GRID, "list": "rest_day", "code": f"2026_10_0{n}"} for n in range(1, 9)}
WORK: dict[str, Fields] = {"on": {"area_id": GRID, "list": "work_day", "code": "2026_10_10"}}
CALENDAR = calendar_of({"codes": REST | WORK}, GRID)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        ("2026-11-16", "2026-11-23"),
        ("2026-09-25", "2026-09-30"),  # Friday week would be a holiday: due before it
        ("2026-09-30", "2026-10-09"),  # all seven days are holidays: due on the first day of work
        ("2026-10-03", "2026-10-10"),  # a Saturday that is worked
        ("2026-10-04", "2026-10-10"),  # a Sunday that isn't
    ],
)
def test_what_is_due_on_a_day_of_rest_is_due_before_it(last: str, due: str) -> None:
    plan: Fields = {"since": "2026-01-01", "every_days": 7, "days": "working_days"}
    day = date(2026, 11, 30)
    assert due_by(plan, date.fromisoformat(last), day, CALENDAR) == date.fromisoformat(due)
    every_day: Fields = {**plan, "days": "all_days"}
    assert due_by(every_day, date.fromisoformat(last), day, CALENDAR) == date.fromisoformat(last) + timedelta(days=7)


def test_days_that_there_are_not_and_retired_ones_are_nobodys_rest() -> None:
    others: list[Fields] = [
        {"code": "2026_13_40"},
        {"code": "soon"},
        {"code": "20261123"},
        {"code": "2026_11_23", "retired": True},
    ]
    for code in others:
        rest = calendar_of({"codes": {"x": {"area_id": GRID, "list": "rest_day", **code}}}, GRID)
        assert rest.is_worked(MONDAY)


def test_a_day_of_rest_holds_below_the_area_that_has_it_and_nowhere_else() -> None:
    areas: dict[str, Fields] = {
        "city": {"parent_id": None},
        GRID: {"parent_id": "city"},
        "other": {"parent_id": "city"},
    }
    for area, worked in (("city", False), (GRID, False), ("other", True)):
        code: Fields = {"area_id": area, "list": "rest_day", "code": "2026_11_23"}
        assert calendar_of({"areas": areas, "codes": {"x": code}}, GRID).is_worked(MONDAY) is worked


def test_a_calendar_of_nothing_but_rest_ends_somewhere() -> None:
    rest = Calendar(frozenset(MONDAY + timedelta(days=n) for n in range(-400, 400)), frozenset())
    assert rest.last_worked(MONDAY) == rest.next_worked(MONDAY) == MONDAY


@pytest.mark.parametrize("begins", [0, 4, 12])
def test_every_moment_has_a_day_of_work_also_where_the_calendar_ends(begins: int) -> None:
    first, last = (moment.replace(tzinfo=UTC) for moment in (datetime.min, datetime.max))
    assert day_of(first, begins) == date.min
    assert day_of(last, begins) == date.max
