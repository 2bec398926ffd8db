"""One row of a file as what it says: of a door, of a person behind it, of an area. Or what is wrong, cell by cell."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.imports.cells import Cell, Line, cell_name
from app.imports.columns import PLACES, Columns, Kind
from app.imports.places import Place, Places
from app.imports.values import Names, Unreadable, text_of, value_of
from sync.wire import Fields

HOUSEHOLDS, RESIDENTS, AREAS = "households", "residents", "areas"
_COLLECTION = {"household": HOUSEHOLDS, "resident": RESIDENTS, "area": AREAS}
NUMBERS = ("external_id", "id_number")
"""What is one person's alone, the surest first."""
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
        return row

    def numbers(self, line: Line) -> Iterator[tuple[str, str]]:
        """(field, value) of what one person of the file alone may have."""
        for name in NUMBERS:
            column = self.columns.of.get(f"resident.{name}", -1)
            cell = None if line.is_merged(max(column, 0)) else line.cells.get(column)
            spec = COLLECTIONS[RESIDENTS].fields[name]
            if cell:
                with suppress(Unreadable):
                    number = str(value_of(cell, name, spec, self.names))
                    yield name, number.upper() if name == "id_number" else number

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
