"""Separated values: as UTF-8, with or without a mark before it, as GB18030, which Excel writes in China, or as UTF-16
with a mark, which it writes as "Unicode text".

Texts that a spreadsheet would take for formulas have an apostrophe before them, which is no part of them.
"""

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, TextIO

from app.imports.cells import FIRST_ROWS, LONGEST_CELL, MOST_COLUMNS, MOST_ROWS, Cell, Line
from app.problems import Problem, wrong_field

_CHUNK = 1 << 16
_WIDE = "utf-16"
_SEPARATORS = ",\t;"
_FIRST_BYTES = 1 << 14
_LONGEST_ROW = 1 << 20
"""Letters, with what separates them."""
_MOST_LINES = 20
"""Of a row with line breaks in its cells. A quote that is open for longer is one that nobody closed."""
_FEWEST_SEPARATORS = 2
"""Fewer stand in a line of any note."""
_MOST_AGAIN = 2000
"""Lines that are read once more. Of a roster a slip or two are."""
_GARBLED = dict.fromkeys(range(MOST_COLUMNS), Cell("\ufffd"))
_FORMULA_BEGINS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


class Delimited:
    """The one table of a file of separated values."""

    sheet: str | None = None
    others: Sequence[str] = ()

    def __init__(self, file: BinaryIO) -> None:
        """Raises sheet_unreadable for what is no text."""
        self._file = file
        self._encoding = _encoding_of(file)
        file.seek(0)
        first = file.read(_FIRST_BYTES)
        if b"\0" in first and self._encoding != _WIDE:
            raise wrong_field("sheet_unreadable", "file")
        text = first.decode(self._encoding, "replace")
        lines = text.splitlines()[:FIRST_ROWS]
        # A title above the headings, and what a note says, have what separates nothing.
        self._separator = max(_SEPARATORS, key=lambda sign: (sum(sign in line for line in lines), text.count(sign)))

    def lines(self) -> Iterator[Line]:
        """What can't be decoded stands as U+FFFD, and so does a row whose quotes lead nowhere.

        Raises sheet_unreadable, sheet_too_large.
        """
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, self._encoding, "replace", newline="")
        try:
            for number, values in enumerate(self._rows(text), start=1):
                if number > MOST_ROWS:
                    raise Problem("sheet_too_large", most_rows=MOST_ROWS)
                if values is None:
                    yield Line(number, _GARBLED)
                    continue
                if any(value.strip() for value in values[MOST_COLUMNS:]):
                    raise Problem("sheet_too_large", most_columns=MOST_COLUMNS)
                cells = enumerate(values[:MOST_COLUMNS])
                yield Line(number, {n: Cell(_unescaped(v[: LONGEST_CELL + 1])) for n, v in cells if v.strip()})
        finally:
            # The file is whoever opened it's to close.
            text.detach()

    def close(self) -> None:
        """There is nothing to forget."""

    def _rows(self, text: TextIO) -> Iterator[list[str] | None]:
        """None for the first line of what is no row; its other lines are rows of their own."""
        lines = _Lines(text)
        reader = csv.reader(lines, delimiter=self._separator, strict=True)
        while True:
            lines.begin()
            try:
                values: list[str] | None = next(reader)
                if values and len(lines.row) > 1 and self._swallowed(values):
                    raise csv.Error
            except StopIteration:
                return
            except csv.Error:
                values = None
                lines.give_again()
                reader = csv.reader(lines, delimiter=self._separator, strict=True)
            yield values

    def _swallowed(self, values: list[str]) -> bool:
        """Is a line within a cell as a whole row would be? Then two stray quotes have made one cell of several rows."""
        least = max(len(values) - 1, _FEWEST_SEPARATORS)
        return any(line.count(self._separator) >= least for value in values for line in value.splitlines()[1:])


class _Lines:
    """The lines of a text, as many as one row may have; those after its first are given again where it was none."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self.row: list[str] = []
        """Its lines so far."""
        self._given = 0

    def begin(self) -> None:
        """Another row."""
        self.row.clear()
        self._room = _LONGEST_ROW

    def give_again(self) -> None:
        """All of this row but its first line. Raises sheet_unreadable where that never ends."""
        self._given += len(self.row) - 1
        if self._given > _MOST_AGAIN:
            raise wrong_field("sheet_unreadable", "file")
        self._again.extendleft(reversed(self.row[1:]))

    def __iter__(self) -> Iterator[str]:
        # Without a bound a file of one line would be one text.
        while line := self._again.popleft() if self._again else self._text.readline(_LONGEST_ROW + 1):
            self.row.append(line)
            self._room -= len(line)
            if self._room < 0 and len(self.row) == 1:
                raise Problem("sheet_too_large", most_letters=_LONGEST_ROW)
            if self._room < 0 or len(self.row) > _MOST_LINES:
                return
            yield line


def as_csv(rows: Iterable[Iterable[str | int | None]]) -> bytes:
    """With a mark before it, by which Excel knows UTF-8."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([_escaped(c) if isinstance(c, str) else c for c in row] for row in rows)
    return file.getvalue().encode("utf-8-sig")


def _escaped(text: str) -> str:
    return f"'{text}" if _is_a_formula(text) else text


def _unescaped(text: str) -> str:
    return text[1:] if text.startswith("'") and _is_a_formula(text) else text


def _is_a_formula(text: str) -> bool:
    """To some spreadsheet: there are those that leave out the spaces before one."""
    return text.lstrip("' \u00a0\u3000").startswith(_FORMULA_BEGINS)


def _encoding_of(file: BinaryIO) -> str:
    """A mark says it. Without one it is what more of the file can be decoded as: GB18030 takes much for letters."""
    file.seek(0)
    begins = file.read(len(codecs.BOM_UTF8))
    if begins == codecs.BOM_UTF8:
        return "utf-8-sig"
    if begins.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _WIDE
    return min(("utf-8-sig", "gb18030"), key=lambda name: _undecoded(file, name))


def _undecoded(file: BinaryIO, encoding: str) -> int:
    """How often a byte is no letter."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    file.seek(0)
    many = 0
    while chunk := file.read(_CHUNK):
        many += decoder.decode(chunk).count("\ufffd")
    return many + decoder.decode(b"", final=True).count("\ufffd")
