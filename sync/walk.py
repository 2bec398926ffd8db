"""The order in which doors are knocked: along the walk, for phone and server alike."""

import re
from collections.abc import Mapping
from typing import Any

from sync.wire import Fields


class Walk:
    """The areas of some place as they are walked. Many doors lie in one area: where that comes is found out once."""

    def __init__(self, areas: Mapping[str, Fields]) -> None:
        self._areas = areas
        self._places: dict[str, tuple[Any, ...]] = {}
        self._ways: dict[tuple[str, str], str] = {}

    def place(self, household: Any) -> tuple[Any, ...]:
        """Where a door (`area_id`, `floor`, `door`) comes: its areas from the top in their order, then the floor, then
        the door.

        Names and doors compare by their numbers: 9 comes before 10, and 10 before 10A.
        """
        area = str(household.get("area_id"))
        if area not in self._places:
            self._places[area] = self._place_of(area)
        return self._places[area], whole_number(household.get("floor")), _parts(household.get("door"))

    def way(self, area: Any, within: str) -> str:
        """The names of the areas on the way from one to another that lies in it: 1号楼 2单元."""
        key = str(area), within
        if key not in self._ways:
            self._ways[key] = self._way_to(*key)
        return self._ways[key]

    def _place_of(self, id: str) -> tuple[Any, ...]:
        chain = list[tuple[Any, ...]]()
        while (one := self._areas.get(id)) is not None and len(chain) < len(self._areas):
            chain.insert(0, (whole_number(one.get("sort")), _parts(one.get("name")), id))
            id = str(one.get("parent_id"))
        return tuple(chain)

    def _way_to(self, one: str, within: str) -> str:
        names = list[str]()
        while one in self._areas and one != within and len(names) < len(self._areas):
            names.insert(0, str(self._areas[one].get("name")))
            one = str(self._areas[one].get("parent_id"))
        return " ".join(names)


def whole_number(value: Any) -> int:
    """What is none counts as 0."""
    return value if isinstance(value, int) else 0


def _parts(name: Any) -> list[tuple[int, int, str]]:
    """Runs of digits as numbers, shortened to what any number needs, and what is between them."""
    found = (part[:15] for part in re.findall(r"[0-9]+|[^0-9]+", str(name)))
    # Not isdigit(): of ② that says yes, and it is no number.
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in found]
