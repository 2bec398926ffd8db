"""Records of a grid with plans, as a phone holds them, for tests of the duty list."""

from datetime import date, timedelta
from typing import Any

from sync.duty import duty_list
from sync.wire import Fields

Kept = dict[str, dict[str, Fields]]
GRID, UNIT = "grid", "unit"
MONDAY = date(2026, 11, 23)
WORKDAYS = [MONDAY + timedelta(days=n) for n in range(5)]


def records(*, doors: int = 0, members: int = 0, per_day: int = 10, **plan: Any) -> Kept:
    """A grid of one unit, whose doors each have a plan that is the first member's."""
    areas: dict[str, Fields] = {GRID: {"parent_id": None, "name": "g"}, UNIT: {"parent_id": GRID, "name": "u"}}
    of_all: Kept = {"areas": areas, "visits": {}, "codes": {}, "households": {}, "care_plans": {}, "members": {}}
    for n in range(members):
        of_all["members"][f"m{n}"] = {
            **{"area_id": GRID, "group": "first", "person_id": f"person{n}", "name": f"组员{n}", "per_day": per_day},
            "since": "2026-01-01",
        }
    for n in range(doors):
        add_plan(of_all, f"d{n:03}", **plan)
    return of_all


def add_plan(kept: Kept, door: str, **plan: Any) -> None:
    kept["households"].setdefault(door, {"area_id": UNIT, "door": door.removeprefix("d"), "floor": 1})
    kept["care_plans"][f"p{len(kept['care_plans'])}"] = {
        **{"household_id": door, "every_days": 7, "days": "working_days", "channels": ["door", "phone"], "risk": 2},
        **{"responsible": ["person0"], "since": str(MONDAY)},
        **plan,
    }


def visited(kept: Kept, door: str, day: date | None, **fields: Any) -> None:
    kept["visits"][f"v{len(kept['visits'])}"] = {
        **{"household_id": door, "channel": "door", "outcome": "opened", "persons_met": [], "day": day and str(day)},
        **fields,
    }


def doors_of(share: Any) -> list[str]:
    return [door["household"] for door in share["doors"]]


def listed(kept: Kept, day: date = MONDAY) -> Any:
    return duty_list(kept, day, GRID)
