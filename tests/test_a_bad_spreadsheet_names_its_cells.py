"""Whatever is wrong with a spreadsheet is told cell by cell, its good rows come in, and nothing is half done."""

import io
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from app.imports import workbook
from app.imports.owners import Owners, Single
from tests.maker import boss
from tests.raw_phone import RawPhone
from tests.rosters import HEADINGS, LI, ZHOU, bring, csv_of, doors_of, fates, people_of, secretary, send

__all__ = ["boss", "secretary"]  # the fixtures `boss` and `li`

Answer = dict[str, Any]
PLAIN = ["单元", "房号", "姓名"]


def sheet_of(fill: Callable[[Any, Any], None], headings: Sequence[str] = PLAIN) -> bytes:
    """A workbook; `fill` is given it and its sheet, whose first row are the headings."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        page = book.add_worksheet("花名册")
        page.write_row(0, 0, headings)
        fill(book, page)
    return file.getvalue()


def zipped(parts: dict[str, bytes], of: bytes | None = None) -> bytes:
    """A workbook with other parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        with zipfile.ZipFile(io.BytesIO(of or sheet_of(lambda book, page: None))) as kept:
            for name in kept.namelist():
                if name not in parts:
                    book.writestr(name, kept.read(name))
        for name, content in parts.items():
            book.writestr(name, content)
    return file.getvalue()


def told(report: Answer) -> list[list[tuple[str, str]]]:
    """Row by row, what is wrong in which cell."""
    return [[(one["cell"], one["code"]) for one in row["problems"]] for row in report["rows"]]


async def test_each_rows_problem_is_named_with_its_cell_and_the_good_rows_come_in(li: RawPhone) -> None:
    wrong = {
        "C": "",
        "E": "第三",
        "F": "1949-13-31",
        "G": "110105194912310021",
        "H": "无",
        "I": "房东",
        "J": "独居、神仙",
    }
    rows = [ZHOU, *([*LI] for _ in wrong), LI]
    for n, (column, text) in enumerate(wrong.items(), start=1):
        rows[n][ord(column) - ord("A")] = text
    report = await bring(li, csv_of(*rows))
    assert fates(report) == ["created", *["refused"] * len(wrong), "created"]
    codes = ["invalid", "invalid", "date_unreadable", "check_digit", "invalid", "code_unknown", "code_unknown"]
    expected = [[(f"{column}{n}", code)] for n, (column, code) in enumerate(zip(wrong, codes, strict=True), start=3)]
    assert told(report)[1:-1] == expected
    assert len(await people_of(li)) == 2


async def test_a_merged_cell_is_named_in_every_row_it_covers(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        page.merge_range("B2:B3", "101")
        for n, name in enumerate(("周桂兰", "李建国", "陈小红"), start=1):
            page.write(n, 0, "unit_1")
            page.write(n, 2, name)
        page.write(3, 1, "102")

    report = await bring(li, sheet_of(fill))
    assert (fates(report), told(report)[:2]) == (
        ["refused", "refused", "created"],
        [[("B2", "cell_merged")], [("B3", "cell_merged")]],
    )


async def test_a_title_above_the_headings_is_no_heading(li: RawPhone) -> None:
    file = csv_of(["填表人：李", *[""] * 10], HEADINGS, ZHOU, headings=["青和居社区花名册", *[""] * 10])
    report = await bring(li, file)
    assert (report["heading_row"], fates(report)) == (3, ["created"])


async def test_an_unknown_heading_is_told_and_its_column_left_out(li: RawPhone) -> None:
    file = csv_of(["unit_1", "101", "甲", "乙"], headings=["单元", "房号", "密级", "房号"])
    report = await bring(li, file)
    found = [(one["cell"], one["problem"]["code"]) for one in report["columns"] if one["problem"]]
    assert (found, fates(report)) == ([("C1", "heading_unknown"), ("D1", "heading_twice")], ["created"])


async def test_wrong_headings_refuse_the_file(li: RawPhone) -> None:
    answer = (await send(li, csv_of(["甲", "乙"], headings=["名单", "地点"]))).json()
    assert (answer["code"], answer["errors"]) == (
        "columns_missing",
        [{"pointer": "/columns/household.door", "code": "columns_missing"}],
    )


async def test_65000_empty_rows_cost_little_and_are_counted(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        bold = book.add_format({"bold": True})
        page.write_row(1, 0, ["unit_1", "101", "周桂兰"])
        for row in range(2, 65_002):
            page.write_blank(row, 1, None, bold)
        page.write_row(65_002, 0, ["unit_1", "102", "李建国"])

    report = await bring(li, sheet_of(fill))
    assert [row["row"] for row in report["rows"]] == [2, 65_003]
    assert (report["counts"]["skipped"], report["counts"]["created"]) == (65_000, 2)


async def test_the_same_number_twice_is_refused_the_second_time(li: RawPhone) -> None:
    other = [*LI[:5], "", ZHOU[6], *LI[7:]]
    report = await bring(li, csv_of(ZHOU, other, ZHOU))
    assert fates(report) == ["created", "refused", "refused"]
    assert told(report)[1:] == [[("G3", "row_twice")], [("G4", "row_twice")]]
    again = await bring(li, csv_of(ZHOU, other), from_row=3)
    assert told(again) == [[("G3", "row_twice")]]


async def test_a_number_in_a_row_that_was_refused_is_nobodys(li: RawPhone) -> None:
    file = csv_of([*ZHOU[:2], "", *ZHOU[3:]], ZHOU, [*LI[:4], "女", "", ZHOU[6], *LI[7:]])
    report = await bring(li, file)
    assert (fates(report), told(report)[2]) == (["refused", "created", "refused"], [("G4", "row_twice")])
    assert told(await bring(li, file, from_row=4)) == [[("G4", "row_twice")]]


async def test_a_doors_id_at_another_door_is_refused_and_nobody_moves_there(li: RawPhone) -> None:
    headings = ["楼栋", "单元", "房号", "户编号", "姓名"]
    rows = [
        ["building_1", "unit_1", "101", "H-1", "周桂兰"],
        ["building_1", "unit_1", "101室", "H-1", "李建国"],
        ["building_1", "unit_1", "102", "H-1", "陈小红"],
        ["building_2", "unit_2", "101", "H-1", "王一"],
        ["building_2", "unit_2", "202", "H-2", "单田芳"],
    ]
    file = csv_of(*rows, headings=headings)
    report = await bring(li, file)
    assert fates(report) == ["created", "created", "refused", "refused", "created"]
    assert told(report)[2:4] == [[("D4", "row_twice")], [("D5", "row_twice")]]
    assert [one["name"] for one in await people_of(li)] == ["单田芳", "周桂兰", "李建国"]
    assert told(await bring(li, file, from_row=4))[0] == [("D4", "row_twice")]


async def test_an_areas_code_twice_refuses_the_second_alone(boss: RawPhone) -> None:
    headings = ["上级", "层级", "名称", "编码"]
    rows = [["grid", "楼栋", "3号楼", "b-3"], ["grid", "楼栋", "4号楼", "b-3"], ["grid", "楼栋", "3号楼", "b-3"]]
    report = await bring(boss, csv_of(*rows, headings=headings), kind="areas")
    assert (fates(report), told(report)[1]) == (["created", "refused", "unchanged"], [("D3", "row_twice")])


async def test_a_level_that_nobody_knows_makes_no_area(boss: RawPhone) -> None:
    rows = [["grid", "幢", "3幢"], ["grid", "门栋子", "4幢"], ["grid", "gate", "东门"]]
    report = await bring(boss, csv_of(*rows, headings=["上级", "层级", "名称"]), kind="areas")
    assert (fates(report), told(report)[1]) == (["created", "refused", "created"], [("B3", "invalid")])


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "%s"><!ENTITY b "%s">]><sst><si><t>&b;</t></si></sst>'
SHEET = b'<worksheet><sheetData><row r="1">%s</row></sheetData></worksheet>'
UNREADABLE = {
    "nothing": b"",
    "an old workbook": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "no archive": b"PK\x03\x04" + b"x" * 100,
    "an archive of something else": zipped({"_rels/.rels": b"<Relationships/>"}),
    "entities": zipped({"xl/sharedStrings.xml": BOMB % (b"ha" * 50, b"&a;" * 50)}),
    "broken XML": zipped({"xl/worksheets/sheet1.xml": b"<worksheet><sheetData><row>"}),
    "rows in no order": zipped({"xl/worksheets/sheet1.xml": SHEET % b'</row><row r="1">'}),
    "a text that isn't there": zipped({"xl/worksheets/sheet1.xml": SHEET % b'<c t="s"><v>99</v></c>'}),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_is_no_spreadsheet_is_refused(li: RawPhone, name: str) -> None:
    answer = await send(li, UNREADABLE[name])
    assert (answer.status_code, answer.json()["code"]) == (422, "sheet_unreadable")


TOO_LARGE = {
    "a bomb": zipped({"xl/worksheets/sheet1.xml": SHEET % (b" " * 20_000_000)}),
    "a thousand parts": zipped({f"xl/{n}.xml": b"" for n in range(1001)}),
    "a far column": zipped({"xl/worksheets/sheet1.xml": SHEET % b'<c r="XFD1" t="inlineStr"><is><t>x</t></is></c>'}),
    "many columns": csv_of([""] * 101 + ["x"]),
    "a long line": csv_of(ZHOU) + b"," * (1 << 20),
}


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_what_is_too_large_is_refused_before_it_is_unpacked(li: RawPhone, name: str) -> None:
    answer = await send(li, TOO_LARGE[name])
    assert (answer.status_code, answer.json()["code"]) == (413, "sheet_too_large")


async def test_a_file_that_breaks_off_tells_what_was_done_and_fails_from_there_on(li: RawPhone) -> None:
    rows = [["unit_1", n, f"居民{n}"] for n in range(2, 302)]
    file = csv_of(*rows, ["", ""] * 50 + ["x"], headings=PLAIN)
    report = await bring(li, file)
    done = len(report["rows"])
    assert (set(fates(report)), report["next_row"]) == ({"created"}, report["rows"][-1]["row"] + 1)
    answer = await send(li, file, dry_run=False, from_row=report["next_row"])
    assert (answer.status_code, answer.json()["code"]) == (413, "sheet_too_large")
    assert len(await doors_of(li, limit="500")) == done == 200


async def test_empty_rows_between_two_pieces_are_counted_once(li: RawPhone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.imports.routes.MOST_SECONDS", 0)
    first, rest = ([["unit_1", n, ""] for n in range(*some)] for some in ((100, 200), (200, 205)))
    row, skipped = 1, []
    while row is not None:
        report = await bring(li, csv_of(*first, *[["", "", ""]] * 50, *rest, headings=PLAIN), from_row=row)
        row = report["next_row"]
        skipped.append(report["counts"]["skipped"])
    assert skipped == [50, 0]


def test_a_workbook_is_read_with_the_memory_of_a_row(tmp_path: Any) -> None:
    """A hundred thousand texts are on disk, and where each begins in memory."""
    import tracemalloc  # noqa: PLC0415 - slows down whatever runs meanwhile

    def rows(many: int) -> int:
        file = tmp_path / f"{many}.xlsx"
        with xlsxwriter.Workbook(str(file), {"constant_memory": False}) as book:
            page = book.add_worksheet()
            for n in range(many):
                page.write_row(n, 0, [f"姓名{n}", f"备注{n}" * 5])
        tracemalloc.start()
        with file.open("rb") as opened:
            table = workbook.Workbook(opened, None)
            read = sum(1 for _ in table.lines())
            table.close()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert read == many
        return peak

    assert rows(20_000) < rows(2_000) + 1_500_000


def test_whose_a_number_is_costs_no_memory() -> None:
    import tracemalloc  # noqa: PLC0415 - as above

    tracemalloc.start()
    with closing(Owners()) as owners:
        for n in range(20_000):
            owners.keep([Single("resident.id_number", str(n), n)])
        assert owners.of_others([Single("resident.id_number", "19999", 1)]) == ["resident.id_number"]
        assert not owners.of_others([Single("resident.id_number", "19999", 19_999)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
