"""The order in which doors are knocked: along the walk, for phone and server alike."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sync.wire import Fields


def place_on_walk(areas: Mapping[str, Fields], household: Fields) -> tuple[Any, ...]:
    """Where a door comes on the walk: its areas from the top in their order, then the floor, then the door.

    Doors compare by their numbers: 9 comes before 10, and 10 before 10A.
    """
    chain = list[tuple[int, str]]()
    one = areas.get(str(household.get("area_id")))
    while one is not None and len(chain) < len(areas):
        chain.insert(0, (whole_number(one.get("sort")), str(one.get("name"))))
        one = areas.get(str(one.get("parent_id")))
    numbers = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in _parts(household.get("door"))]
    return chain, whole_number(household.get("floor")), numbers


def whole_number(value: Any) -> int:
    """What is none counts as 0."""
    return value if isinstance(value, int) else 0


def _parts(door: Any) -> Iterator[str]:
    """Runs of digits, shortened to what any number needs, and what is between them."""
    return (part[:15] for part in re.findall(r"[0-9]+|[^0-9]+", str(door)))
