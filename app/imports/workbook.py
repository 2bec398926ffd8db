"""An Excel workbook, read as a stream: never more of it in memory than a row, whatever the file says.

The libraries that are usual for this make a table of all cells between the first and the last one, or a tree of
whatever elements there are; a file of 7 KB then ends the process. What is read here is the part of ECMA-376 that says
what stands where: sheets, shared texts, date formats, merged cells. No entity is expanded, since none may be declared.
"""

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO
from zipfile import ZipFile

from app.imports.cells import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS, Cell, Line
from app.imports.merged import Merged
from app.imports.parts import (
    MOST_INFLATED_BYTES,
    Event,
    count_parts,
    events_of,
    events_of_small,
    length_of,
    told,
    weigh,
)
from app.problems import Problem, wrong_field

MOST_TEXTS = 1_000_000
"""Shared ones."""
_MOST_CELLS = 16_384
"""In a row, empty ones with them, as Excel has it."""
MOST_MERGED = 50_000
"""Merged cells of several."""
_CHUNK = 1 << 16
_IN_MEMORY_BYTES = 1 << 20
_MERGED = re.compile(
    rb"""<(?:\w{1,64}:)?mergeCell\s[^>]{0,200}?ref\s{0,9}=\s{0,9}["']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})["']"""
)
_LONGEST_MERGED = 400
"""Bytes that it finds at most."""
_LONGEST_FORMAT = 255
"""Characters, as Excel has it."""
_DATE_FORMATS = {*range(14, 18), 22, *range(27, 37), *range(50, 59)}
"""Of the formats that every workbook has, those that show a date."""
_NOT_A_DATE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_KINDS: dict[str, Any] = {"b": "truth", "e": "error", "n": "number"}
_DAY_0, _DAY_0_OF_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)


_UNKNOWN = Cell("#", "error")


class Workbook:
    """One sheet of a workbook: the first that isn't hidden, or the one with this name."""

    def __init__(self, file: BinaryIO, sheet: str | None, most_bytes: int = MOST_INFLATED_BYTES) -> None:
        """Raises sheet_unreadable, sheet_too_large, sheet_not_found."""
        count_parts(file)
        with told():
            self._archive = ZipFile(file)
            weigh(self._archive, length_of(file), most_bytes)
            self._part, beside, old_dates = self._find(sheet)
            styles = beside.get("styles")
            self._dated, self._zeros = _styles(self._small(styles) if styles else iter(()))
            self._day_0 = _DAY_0_OF_1904 if old_dates else _DAY_0
            texts = beside.get("sharedStrings")
            self._texts = _Texts(events_of(self._archive, texts) if texts else iter(()))

    def lines(self) -> Iterator[Line]:
        """Row by row, as they come out of the archive."""
        with told():
            merged = self._merged()
            for number, cells in self._rows():
                yield Line(number, cells, merged.in_row(number))

    def close(self) -> None:
        """Forgets what was put on disk."""
        self._texts.close()

    def _small(self, part: str) -> Iterator[Event]:
        return events_of_small(self._archive, part)

    def _find(self, wanted: str | None) -> tuple[str, dict[str, str], bool]:
        """The sheet's part, the parts beside it by kind, and are its days counted from 1904?"""
        [book] = [part for kind, part in self._targets("_rels/.rels", "").values() if kind == "officeDocument"]
        folder, _, name = book.rpartition("/")
        targets = self._targets(f"{folder}/_rels/{name}.rels".lstrip("/"), folder)
        sheets: dict[str, str] = {}
        shown: list[str] = []
        old_dates = False
        for element, said in self._small(book):
            if element == "sheet" and isinstance(said, dict):
                kind, part = targets[said["r:id"] if "r:id" in said else said["id"]]
                if kind == "worksheet":
                    sheets.setdefault(said["name"], part)
                    shown += [said["name"]] if said.get("state", "visible") == "visible" else []
            elif element == "workbookPr" and isinstance(said, dict):
                old_dates = said.get("date1904") in ("1", "true")
        if wanted is not None and wanted not in sheets:
            raise wrong_field("sheet_not_found", "sheet")
        self.sheet: str | None = wanted if wanted is not None else next(chain(shown, sheets))
        self.others: Sequence[str] = [name for name in sheets if name != self.sheet]
        return sheets[self.sheet], dict(targets.values()), old_dates

    def _targets(self, part: str, folder: str) -> dict[str, tuple[str, str]]:
        """Id → (the last word of its type, its part)."""
        found = {}
        for element, said in self._small(part):
            if element == "Relationship" and isinstance(said, dict) and said.get("TargetMode") != "External":
                target = said["Target"]
                path = target[1:] if target.startswith("/") else f"{folder}/{target}".lstrip("/")
                found[said["Id"]] = (said["Type"].rpartition("/")[2], path)
        return found

    def _rows(self) -> Iterator[tuple[int, dict[int, Cell]]]:
        row, column, kind, style = 0, -1, "n", ""
        cells: dict[int, Cell] = {}
        text: list[str] = []
        reading, skipping, waiting, room = False, False, False, LONGEST_CELL
        for name, said in events_of(self._archive, self._part):
            if not name:
                if reading and not skipping and room > 0:
                    text.append(str(said))
                    room -= len(str(said))
            elif isinstance(said, dict):
                # For whoever calculates a formula: Excel keeps what it came to.
                waiting = name == "f" or (waiting and name not in ("c", "v"))
                if name == "c":
                    column = _column_of(said["r"]) if "r" in said else column + 1
                    if column >= _MOST_CELLS:
                        raise ValueError
                    kind, style, text, room = said.get("t", "n"), said.get("s", ""), [], LONGEST_CELL
                elif name == "row":
                    row, column, cells = _next_row(row, said.get("r")), -1, {}
                skipping = skipping or name == "rPh"
                reading = reading or name in ("v", "t")
            elif name in ("v", "t"):
                reading = False
            elif name == "rPh":
                skipping = False
            elif name == "c" and (
                cell := _UNKNOWN if waiting and kind != "str" else self._cell("".join(text), kind, style)
            ):
                if column >= MOST_COLUMNS:
                    raise Problem("sheet_too_large", most_columns=MOST_COLUMNS)
                cells[column] = cell
            elif name == "row":
                yield row, cells

    def _cell(self, text: str, kind: str, style: str) -> Cell | None:
        """None where nothing is in it."""
        if kind == "s" and text:
            text = self._texts[int(text)]
        if kind in ("s", "str", "inlineStr"):
            text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
        if not text.strip():
            return None
        if kind == "d":
            return Cell(text[:10], "date")
        if kind == "n" and style in self._dated:
            return self._date(text)
        if kind == "n" and style in self._zeros and text.isdecimal():
            # 0101 is a door or a number, and no hundred and one.
            return Cell(text.zfill(self._zeros[style]))
        return Cell(text, _KINDS.get(kind, "text"))

    def _date(self, number: str) -> Cell:
        try:
            if float(number) < (self._day_0 == _DAY_0):
                # Before the first day that there is: an hour perhaps.
                return Cell(number, "date")
            return Cell((self._day_0 + timedelta(days=float(number))).date().isoformat(), "date")
        except (OverflowError, ValueError):
            return Cell(number, "error")

    def _merged(self) -> Merged:
        """Said after the rows, hence read before them."""
        found: set[tuple[int, int, int, int]] = set()
        with self._archive.open(self._part) as source:
            before = b""
            while chunk := source.read(_CHUNK):
                whole = before + chunk
                for first, top, last, bottom in _MERGED.findall(whole):
                    left, right = (min(_column_of(part.decode()), MOST_COLUMNS) for part in (first, last))
                    if not (1 <= int(top) <= int(bottom) <= MOST_ROWS and left <= right):
                        raise ValueError
                    found.add((int(top), int(bottom), left, right))
                if len(found) > MOST_MERGED:
                    raise Problem("sheet_too_large", most_merged=MOST_MERGED)
                # What is cut here is found whole the next time; what is found twice is found once.
                before = whole[-_LONGEST_MERGED:]
        return Merged(found)


class _Texts:
    """The texts that cells refer to by number: on disk once they are many, with where each begins in memory."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._file: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`
        self._begins = array("Q", [0])
        self._read: Callable[[int], str] = lru_cache(maxsize=256)(self._read_at)
        try:
            self._keep(events)
        except BaseException:
            self.close()
            raise

    def _keep(self, events: Iterator[Event]) -> None:
        text: list[str] = []
        reading, skipping, room = False, False, LONGEST_CELL
        for name, said in events:
            if not name:
                if reading and not skipping and room > 0:
                    text.append(str(said))
                    room -= len(str(said))
            elif name == "t":
                reading = said is not None
            elif name == "rPh":
                # How a text is read aloud is no part of it.
                skipping = said is not None
            elif name == "si" and said is None:
                self._begins.append(self._begins[-1] + (self._file.write("".join(text).encode()) if text else 0))
                if len(self._begins) > MOST_TEXTS:
                    raise Problem("sheet_too_large", most_texts=MOST_TEXTS)
                text, room = [], LONGEST_CELL

    def close(self) -> None:
        self._file.close()
        # It leads back to here: without it, what was read is forgotten at once.
        del self._read

    def __getitem__(self, number: int) -> str:
        return self._read(number)

    def _read_at(self, number: int) -> str:
        begin, end = self._begins[number], self._begins[number + 1]
        self._file.seek(begin)
        return self._file.read(end - begin).decode()


def _styles(events: Iterator[Event]) -> tuple[frozenset[str], dict[str, int]]:
    """The styles, by their number, that show a number as a date, and those that show it with so many digits."""
    dates, zeros = {str(number) for number in _DATE_FORMATS}, dict[str, int]()
    dated, padded = set[str](), dict[str, int]()
    within, count = False, 0
    for name, said in events:
        if name == "numFmt" and isinstance(said, dict):
            code = said.get("formatCode", "")[:_LONGEST_FORMAT]
            shown = _NOT_A_DATE.sub("", code).lower()
            dates |= {said["numFmtId"]} if "y" in shown or "d" in shown else set()
            zeros |= {said["numFmtId"]: len(code)} if {*code} == {"0"} else {}
        elif name == "cellXfs":
            within = said is not None
        elif name == "xf" and within and isinstance(said, dict):
            dated |= {str(count)} if said.get("numFmtId") in dates else set()
            padded |= {str(count): zeros[said["numFmtId"]]} if said.get("numFmtId") in zeros else {}
            count += 1
    return frozenset(dated), padded


@lru_cache(maxsize=1024)
def _column(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def _column_of(place: str) -> int:
    letters = place.rstrip("0123456789")
    if not 1 <= len(letters) <= 3 or not letters.isascii() or not letters.isupper():
        raise ValueError
    return _column(letters)


def _next_row(row: int, said: str | None) -> int:
    number = int(said) if said else row + 1
    if not row < number <= MOST_ROWS:
        raise ValueError
    return number
