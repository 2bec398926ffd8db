"""One row of a file as what it says: of a door, of a person behind it, of an area. Or what is wrong, cell by cell."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.imports.cells import Cell, Line, cell_name
from app.imports.columns import PLACES, Columns, Kind
from app.imports.owners import Single
from app.imports.places import Place, Places, called
from app.imports.values import Names, Unreadable, door_alike, text_of, value_of
from sync.wire import Fields

HOUSEHOLDS, RESIDENTS, AREAS = "households", "residents", "areas"
_COLLECTION = {"household": HOUSEHOLDS, "resident": RESIDENTS, "area": AREAS}
NUMBERS = ("external_id", "id_number")
"""What is one person's alone, the surest first."""
_SINGLES: Mapping[Kind, Sequence[str]] = {
    "roster": ["household.external_id", *(f"resident.{name}" for name in NUMBERS)],
    "areas": ["area.code"],
}
_DOOR = "household.door"
_WHOSE = {"household": [f"place.{name}" for name in PLACES], "area": ["area.parent", "area.name"]}
"""What tells one door from another, beside its number; and one area."""
NOWHERE = str(UUID(int=0))


class Fault(NamedTuple):
    """What is wrong, and in which cell."""

    cell: str | None
    code: str


@dataclass
class Row:
    """What one row says. `said` holds the fields of each collection that its cells speak of."""

    number: int
    columns: Columns
    said: dict[str, Fields] = field(default_factory=dict)
    area: UUID | None = None
    """Where its door lies, or in which area its area."""
    faults: list[Fault] = field(default_factory=list)
    """A row with one of them is left out whole."""

    def cell(self, collection: str, name: str) -> str | None:
        """Where it says a field."""
        part = next(part for part, of in _COLLECTION.items() if of == collection)
        return self.columns.cell(self.number, f"{part}.{name}")

    def fault(self, collection: str, name: str, code: str) -> None:
        """Something is wrong with a field."""
        self.faults.append(Fault(self.cell(collection, name), code))


@dataclass(frozen=True)
class Reader:
    """How the rows of one file are read."""

    kind: Kind
    columns: Columns
    names: Names
    places: Places

    def read(self, line: Line) -> Row:
        """The row, with its faults."""
        row = Row(line.number, self.columns)
        words: dict[str, Cell] = {}
        for target, column in self.columns.of.items():
            if line.is_merged(column):
                row.faults.append(Fault(cell_name(line.number, column), "cell_merged"))
            elif cell := line.cells.get(column):
                words[target] = cell
        self._read_fields(row, words)
        row.area = self._area(row, words)
        for collection, said in row.said.items():
            self._check(row, COLLECTIONS[collection], said)
        if not row.faults:
            _tell_birth(row.said.get(RESIDENTS, {}))
        return row

    def singles(self, line: Line) -> Iterator[Single]:
        """What one person, door or area of the file alone may have."""
        for target in _SINGLES[self.kind]:
            part, _, name = target.partition(".")
            cell = self._alone(line, target)
            if cell:
                with suppress(Unreadable):
                    number = str(value_of(cell, name, COLLECTIONS[_COLLECTION[part]].fields[name], self.names))
                    value = number.upper() if name == "id_number" else number
                    yield Single(target, value, self._whose(line, part))

    def _alone(self, line: Line, target: str) -> Cell | None:
        column = self.columns.of.get(target, -1)
        return None if column < 0 or line.is_merged(column) else line.cells.get(column)

    def _whose(self, line: Line, part: str) -> Hashable:
        """A person has one row. A door has as many as people live there, and an area may be told again."""
        if part == "resident":
            return line.number
        words = (cell.text if (cell := self._alone(line, target)) else "" for target in _WHOSE[part])
        return *(called(word) for word in words), door_alike(door.text) if (door := self._alone(line, _DOOR)) else ""

    def _read_fields(self, row: Row, words: Mapping[str, Cell]) -> None:
        for target, cell in words.items():
            part, _, name = target.partition(".")
            spec = COLLECTIONS[_COLLECTION[part]].fields.get(name) if part in _COLLECTION else None
            if spec is None:
                continue
            try:
                row.said.setdefault(_COLLECTION[part], {})[name] = value_of(cell, name, spec, self.names)
            except Unreadable as problem:
                row.faults.append(Fault(row.columns.cell(row.number, target), problem.code))
        row.said.setdefault(AREAS if self.kind == "areas" else HOUSEHOLDS, {})

    def _area(self, row: Row, words: Mapping[str, Cell]) -> UUID | None:
        """Where the row's cells say; without any, the area that the file is about."""
        place = self.places.by_id[self.places.top]
        parent = words.get("area.parent")
        targets = [f"place.{name}" for name in PLACES] if parent is None else ["area.parent"]
        for target in targets:
            if cell := words.get(target):
                try:
                    place = self._step(place, target, text_of(cell))
                except Unreadable as problem:
                    row.faults.append(Fault(row.columns.cell(row.number, target), problem.code))
                    return None
        return place.id

    def _step(self, place: Place, target: str, text: str) -> Place:
        if target == "area.parent":
            return self.places.named(text)
        level = target.partition(".")[2]
        return self.places.with_code(text) if level == "code" else self.places.within(place, level, text)

    def _check(self, row: Row, collection: Collection, said: Fields) -> None:
        """Against the rules of the collection, as if it were a new record."""
        parent: JsonValue = str(row.area or NOWHERE)
        whole, errors = collection.clean("create", {**said, collection.lists_in: parent})
        known = {fault.cell for fault in row.faults}
        errors = errors or collection.rules.faults(whole)
        for error in errors:
            name = str(error["pointer"]).rpartition("/")[2]
            cell = row.cell(collection.name, name)
            if cell is None or cell not in known:
                row.faults.append(Fault(cell, str(error["code"])))
        if not errors:
            row.said[collection.name] = {name: whole[name] for name in said}


def _tell_birth(said: Fields) -> None:
    """The ID number says when its person was born, where the file doesn't: how many are old is counted by that."""
    number = said.get("id_number")
    if isinstance(number, str) and said.get("birth_date") is None:
        said["birth_date"] = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
