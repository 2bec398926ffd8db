"""What a file is read into: numbered lines of cells, each of which knows where it stands."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

FIRST_ROWS = 20
"""Rows with something in them among which the headings are looked for: titles may stand above."""
MOST_COLUMNS = 100
MOST_ROWS = 1_048_576
"""As many as a sheet of Excel has."""
MOST_SHEETS_TOLD = 100
"""Of those that are not read."""
LONGEST_CELL = 32_767
"""Characters in a cell of Excel; what a cell of any file says beyond that is left out, and told as too long."""


class Cell(NamedTuple):
    """What stands in a cell: a date as ISO 8601, a number as it is spelled, a truth as 1 or 0."""

    text: str
    kind: Literal["text", "number", "date", "truth", "error"] = "text"


class Line(NamedTuple):
    """One row: its number from 1, and by column from 0 what stands in it."""

    number: int
    cells: dict[int, Cell]
    merged: int = 0
    """A bit for each column that is part of a merged cell here."""

    def is_merged(self, column: int) -> bool:
        """Is it part of several cells that were made one?"""
        return bool(self.merged >> column & 1)


class Table(Protocol):
    """A sheet, or a file of separated values."""

    @property
    def sheet(self) -> str | None:
        """What the sheet is called; None for separated values."""

    @property
    def others(self) -> Sequence[str]:
        """The sheets beside it, which are not read."""

    def lines(self) -> Iterator[Line]:
        """Its rows in order; of empty ones some may be left out. Raises sheet_unreadable, sheet_too_large."""

    def close(self) -> None:
        """Whoever opened it closes it."""


def cell_name(row: int, column: int) -> str:
    """As a spreadsheet shows it: row 7, column 2 is C7."""
    letters = ""
    rest = column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"{letters}{row}"
