"""Somebody signed in sends a small file that is made to cost much. It costs little, and what is no sheet is refused."""

import io
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from app.imports import parts, workbook
from app.imports.cells import Cell
from app.imports.columns import find_columns, plain
from app.imports.delimited import as_csv
from app.imports.opening import open_table
from app.imports.values import Unreadable, text_of
from app.problems import Problem
from tests.maker import boss
from tests.raw_phone import RawPhone, phone_of
from tests.rosters import ZHOU, csv_of, secretary, send

__all__ = ["boss", "secretary"]  # the fixtures `boss` and `li`

MOST_SECONDS = 6
"""Some times what any of them takes on a small machine; each took from half a minute to days."""
SHEET, STYLES, TEXTS = "xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/sharedStrings.xml"
BOOK = "xl/workbook.xml"


def with_parts(**made: bytes) -> bytes:
    """A workbook that is sound but for these parts; packed so well that no ratio stops it."""
    other = {{"sheet": SHEET, "styles": STYLES, "texts": TEXTS, "book": BOOK}[name]: made[name] for name in made}
    sound, file = io.BytesIO(), io.BytesIO()
    with xlsxwriter.Workbook(sound) as book:
        book.add_worksheet().write_row(0, 0, ["房号"])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed, zipfile.ZipFile(sound) as kept:
        for name in kept.namelist():
            packed.writestr(name, other.get(name, kept.read(name)))
    return file.getvalue()


def sheets(many: int) -> bytes:
    one = b'<sheet name="%d" sheetId="1" xmlns:r="http://x" r:id="rId1"/>'
    return b"<workbook><sheets>%s</sheets></workbook>" % b"".join(one % n for n in range(many))


def merged(refs: list[str]) -> bytes:
    cells = "".join(f'<mergeCell ref="{ref}"/>' for ref in refs)
    return f"<worksheet><sheetData/><mergeCells>{cells}</mergeCells></worksheet>".encode()


def bzipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as book:
        book.writestr("_rels/.rels", b"<Relationships/>")
    return file.getvalue()


def before_the_file() -> bytes:
    """Its parts begin, it says, before the file does."""
    file = bytearray(with_parts())
    end = file.rindex(b"PK\x05\x06")
    begin = int.from_bytes(file[end + 16 : end + 20], "little")
    file[end + 16 : end + 20] = (begin + 1_000_000).to_bytes(4, "little")
    return bytes(file)


DEEP = b"<worksheet>" + b"<a>" * 300_000
HOSTILE: dict[str, Callable[[], bytes]] = {
    "many sheets": partial(with_parts, book=sheets(40_000)),
    "half a merged cell": partial(with_parts, sheet=b"<worksheet>" + b"<mergeCell " * 300_000),
    "a long prefix": partial(with_parts, sheet=b"<worksheet>" + b"<" + b"a" * 3_000_000),
    "a long format": partial(with_parts, styles=b'<s><numFmt numFmtId="9" formatCode="%s"/></s>' % (b"[" * 500_000)),
    "a long tag": partial(with_parts, texts=b"<sst><si " + b"a" * 4_000_000),
    "a wide row": partial(with_parts, sheet=b"<worksheet><row>" + b"<c/>" * 500_000),
    "deep elements": partial(with_parts, sheet=DEEP),
    "many texts": partial(with_parts, texts=b"<sst>%s</sst>" % (b"<si/>" * 2_100_000)),
    "tall merged cells": partial(with_parts, sheet=merged([f"A{n}:CV1048576" for n in range(1, 20_000)])),
    "merged cells upside down": partial(with_parts, sheet=merged(["A9999999:B1"])),
    "many merged cells": partial(with_parts, sheet=merged([f"A{n}:B{n}" for n in range(1, 60_000)])),
    "another packing": bzipped,
    "a part before the file": before_the_file,
    "one line": lambda: b"," * 15_000_000,
    "one row of many lines": lambda: b'a,"' + b'\n",,,,,,,,,,,"' * 400_000,
    "quotes that only the next line closes": lambda: b'a","\n' * 3_000_000,
    "brackets": lambda: csv_of(["("] * 3, headings=["(" * 30_000] * 90),
    "wide letters": lambda: csv_of(["\ufdfa" * 30_000] * 90, headings=["房号", *["姓名"] * 89]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_file_is_read_or_refused_within_seconds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "FREE_OF_RATIO_BYTES", 1 << 30)
    began = time.process_time()
    codes = set()
    try:
        with closing(open_table(io.BytesIO(HOSTILE[name]()))) as table:
            find_columns("roster", [*table.lines()][:20], {})
    except Problem as problem:
        codes.add(problem.code)
    assert time.process_time() - began < MOST_SECONDS
    assert codes <= {"sheet_unreadable", "sheet_too_large", "columns_missing"}


@pytest.mark.parametrize(
    "name", ["another packing", "a part before the file", "deep elements", "a long tag", "a wide row"]
)
def test_what_no_spreadsheet_does_is_unreadable(name: str, tmp_path: Path) -> None:
    path = tmp_path / "roster.xlsx"
    path.write_bytes(HOSTILE[name]())
    with path.open("rb") as file, pytest.raises(Problem, match="sheet_unreadable"), closing(open_table(file)) as table:
        [*table.lines()]


def test_a_directory_of_too_many_parts_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few its end says there are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        for n in range(parts.MOST_PARTS + 1):
            book.writestr(str(n), b"")
    made = bytearray(file.getvalue())
    end = made.rindex(b"PK\x05\x06")
    made[end + 8 : end + 12] = b"\1\0\1\0"
    assert len(zipfile.ZipFile(io.BytesIO(made)).infolist()) > parts.MOST_PARTS
    monkeypatch.setattr(workbook, "ZipFile", None)
    with pytest.raises(Problem, match="sheet_too_large"):
        open_table(io.BytesIO(made))


def test_a_long_cell_is_too_long_before_it_is_looked_at() -> None:
    with pytest.raises(Unreadable) as told:
        text_of(Cell("\ufdfa" * 32_000))
    assert told.value.code == "text_too_long"
    assert len(plain("\ufdfa" * 32_000)) < 10_000


def test_merged_cells_are_told_in_the_rows_and_columns_they_cover() -> None:
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(1, 7))
    cells = "".join(f'<mergeCell ref="{ref}"/>' for ref in ("A2:B4", "B3:C5", "B3:C5"))
    sheet = f"<worksheet><sheetData>{rows}</sheetData><mergeCells>{cells}</mergeCells></worksheet>".encode()
    with closing(workbook.Workbook(io.BytesIO(with_parts(sheet=sheet)), None)) as table:
        covered = {line.number: [n for n in range(4) if line.is_merged(n)] for line in table.lines()}
    assert covered == {1: [], 2: [0, 1], 3: [0, 1, 2], 4: [0, 1, 2], 5: [1, 2], 6: []}


@pytest.mark.parametrize("letter", ["=", "＝", "＋", "－", "＠", "\n", " =", "\u3000@", "' ="])
def test_no_text_of_a_csv_is_taken_for_a_formula_and_comes_back_as_it_was(letter: str) -> None:
    written = as_csv([["房号", f"{letter}1+1"]])
    assert f"'{letter}1+1".encode() in written
    [line] = open_table(io.BytesIO(written)).lines()
    assert line.cells[1].text == f"{letter}1+1"


async def test_nobodys_file_is_opened_where_they_may_not(li: RawPhone, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*said: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("app.imports.importing.open_table", opened)
    helper = await phone_of(li.world, "helper", role="helper")
    assert (await send(helper, csv_of(ZHOU))).json()["code"] == "not_permitted"
