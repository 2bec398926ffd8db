"""The order in which doors are knocked: along the walk, for phone and server alike."""

import re
from collections.abc import Mapping
from typing import Any

from sync.wire import Fields


def place_on_walk(areas: Mapping[str, Fields], household: Fields) -> tuple[Any, ...]:
    """Where a door comes on the walk: its areas from the top in their order, then the floor, then the door.

    Names and doors compare by their numbers: 9 comes before 10, and 10 before 10A.
    """
    chain = list[tuple[Any, ...]]()
    id = str(household.get("area_id"))
    while (one := areas.get(id)) is not None and len(chain) < len(areas):
        chain.insert(0, (whole_number(one.get("sort")), _parts(one.get("name")), id))
        id = str(one.get("parent_id"))
    return chain, whole_number(household.get("floor")), _parts(household.get("door"))


def way_to(areas: Mapping[str, Fields], area: Any, within: str) -> str:
    """The names of the areas on the way from one to another that lies in it: 1号楼 2单元."""
    names, one = list[str](), str(area)
    while one in areas and one != within and len(names) < len(areas):
        names.insert(0, str(areas[one].get("name")))
        one = str(areas[one].get("parent_id"))
    return " ".join(names)


def whole_number(value: Any) -> int:
    """What is none counts as 0."""
    return value if isinstance(value, int) else 0


def _parts(name: Any) -> list[tuple[int, int, str]]:
    """Runs of digits as numbers, shortened to what any number needs, and what is between them."""
    found = (part[:15] for part in re.findall(r"[0-9]+|[^0-9]+", str(name)))
    # Not isdigit(): of ② that says yes, and it is no number.
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in found]
