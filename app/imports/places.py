"""Where a row's door lies: the areas below the one that the file is about, found by what people call them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.imports.values import Unreadable, narrow

_LEVELS = ("estate", "grid", "building", "unit")
_AROUND = re.compile(r"^第|(?:号楼|号|栋|幢|座|楼|单元|网格)$")


@dataclass(frozen=True)
class Place:
    """An area as a file can name it."""

    id: UUID
    parent: UUID | None
    level: str
    name: str
    code: str | None
    path: str
    sort: int = 0
    recorded: bool = True
    """Is it, or does it lie in, an area that has a feed of its own? What lies above is no place of a door."""


class Places:
    """The area that the file is about, among those of its community."""

    def __init__(self, top: UUID, areas: Iterable[Any]) -> None:
        self.top = top
        self.by_id: dict[UUID, Place] = {}
        self._by_code: dict[str, list[Place]] = defaultdict(list)
        self._by_level: dict[tuple[str, str], list[Place]] = defaultdict(list)
        self._by_name: dict[str, list[Place]] = defaultdict(list)
        for row in areas:
            named = (row.id, row.parent_id, row.level, row.name, row.code)
            self.add(Place(*named, row.path, row.sort, row.feed_area_id is not None))

    def add(self, place: Place) -> None:
        """One more, perhaps of the same file."""
        self.by_id[place.id] = place
        if place.code:
            self._by_code[narrow(place.code)].append(place)
        for word in {called(place.name), called(place.code or place.name)}:
            self._by_level[place.level, word].append(place)
        self._by_name[narrow(place.name)].append(place)

    def with_code(self, code: str) -> Place:
        """Raises Unreadable."""
        return _only(self._here(self._by_code.get(narrow(code), ())))

    def named(self, name: str) -> Place:
        """By its code, else by its whole name. Raises Unreadable."""
        word = narrow(name)
        return _only(self._here(self._by_code.get(word, ())) or self._here(self._by_name.get(word, ())))

    def within(self, above: Place, level: str, name: str) -> Place:
        """The area of this level called so below the one above. Where that lies in such a one, itself.

        Raises Unreadable.
        """
        alike = self._by_level.get((level, called(name)), ())
        below = [one for one in alike if one.path.startswith(above.path)]
        around = any(above.path.startswith(one.path) for one in alike)
        return _only(below or ([above] if around else []))

    def _here(self, found: Sequence[Place]) -> list[Place]:
        return [one for one in found if one.path.startswith(self.by_id[self.top].path)]

    def way_to(self, id: UUID) -> dict[str, str]:
        """Level → name, of the levels by which a file names a place."""
        found: dict[str, str] = {}
        place = self.by_id.get(id)
        while place is not None:
            if place.level in _LEVELS:
                found.setdefault(place.level, place.name)
            place = self.by_id.get(place.parent) if place.parent else None
        return found


def called(name: str) -> str:
    """What a name comes to: 3, 3栋, 3幢 and 3号楼 are one, as are 第2网格 and 2."""
    word = narrow(name).casefold()
    short = _AROUND.sub("", _AROUND.sub("", word))
    return (short.lstrip("0") or short or word) if short.isdigit() else word


def _only(found: Sequence[Place]) -> Place:
    if len(found) != 1:
        raise Unreadable("area_ambiguous" if found else "area_unknown")
    return found[0]
