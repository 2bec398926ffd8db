"""A workbook is read as Excel shows it, and what Excel made of somebody's words is told."""

import io
import zipfile
from datetime import datetime
from typing import Any

from tests.maker import boss
from tests.raw_phone import RawPhone
from tests.rosters import bring, doors_of, fates, people_of, secretary, send
from tests.test_a_bad_spreadsheet_names_its_cells import PLAIN, sheet_of, told, zipped

__all__ = ["boss", "secretary"]  # the fixtures `boss` and `li`


async def test_the_sheet_that_is_named_is_read(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        other = book.add_worksheet("二号")
        other.write_row(0, 0, PLAIN)
        other.write_row(1, 0, ["unit_1", "101", "周桂兰"])

    first, second = await bring(li, sheet_of(fill)), await bring(li, sheet_of(fill), sheet="二号")
    assert (first["sheet"], first["other_sheets"], first["rows"]) == ("花名册", ["二号"], [])
    assert (second["sheet"], second["other_sheets"], fates(second)) == ("二号", ["花名册"], ["created"])
    assert (await send(li, sheet_of(fill), sheet="三号")).json()["code"] == "sheet_not_found"


async def test_a_hidden_first_sheet_is_not_what_an_office_means(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        other = book.add_worksheet("二号")
        other.write_row(0, 0, PLAIN)
        other.write_row(1, 0, ["unit_1", "101", "周桂兰"])
        other.activate()
        page.hide()

    report = await bring(li, sheet_of(fill, ["选项"]))
    assert (report["sheet"], report["other_sheets"], fates(report)) == ("二号", ["花名册"], ["created"])


async def test_headings_of_two_rows_lose_no_column(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        page.merge_range("A1:C1", "住址")
        page.merge_range("D1:D2", "姓名")
        page.write_row(1, 0, ["楼栋", "单元", "房号"])
        page.write_row(2, 0, ["building_1", "unit_1", "101", "周桂兰"])

    report = await bring(li, sheet_of(fill, []))
    assert (report["heading_row"], fates(report)) == (2, ["created"])
    assert [one["name"] for one in await people_of(li)] == ["周桂兰"]


async def test_what_a_spreadsheet_did_to_a_value_is_told(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        page.write_row(1, 0, ["unit_1", 101, "周桂兰", 13800000000, 110105194912310020])
        page.write_row(2, 0, ["unit_1", "", "李建国"])
        page.write_datetime(2, 1, datetime(2026, 3, 2), day)
        page.write_row(3, 0, ["unit_1", 102, "陈小红", 13800000001])
        page.write_datetime(3, 5, datetime(1958, 3, 2), day)
        page.write_row(4, 0, ["unit_1", 103])
        page.write_formula(4, 2, "=VLOOKUP(1,A1,1)", None, "#N/A")

    headings = [*PLAIN, "联系电话", "身份证号", "出生日期"]
    report = await bring(li, sheet_of(fill, headings))
    assert fates(report) == ["refused", "refused", "created", "refused"]
    assert told(report) == [[("E2", "number_cut")], [("B3", "became_date")], [], [("C5", "formula_error")]]
    [chen] = await people_of(li)
    assert (chen["phone"], chen["birth_date"]) == ("13800000001", "1958-03-02")
    assert [door["door"] for door in await doors_of(li)] == ["102"]


async def test_a_formula_that_nobody_calculated_is_no_empty_cell(li: RawPhone) -> None:
    cells = '<c r="A{0}" t="inlineStr"><is><t>unit_1</t></is></c><c r="B{0}"><v>10{0}</v></c><c r="C{0}"{1}</c>'
    formulas = {2: "><f>A1</f>", 3: ' t="str"><f>A1</f>', 4: "><f>A1</f><v></v>", 5: ' t="str"><f>A1</f><v>周桂兰</v>'}
    rows = "".join(f'<row r="{n}">{cells.format(n, formula)}</row>' for n, formula in formulas.items())
    headings = sheet_of(lambda book, page: None, ["单元", "房号", "备注"])
    with zipfile.ZipFile(io.BytesIO(headings)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode().replace("</sheetData>", f"{rows}</sheetData>")
    report = await bring(li, zipped({"xl/worksheets/sheet1.xml": sheet.encode()}, headings))
    assert fates(report) == ["refused", "created", "created", "created"]
    assert told(report)[0] == [("C2", "formula_error")]
    assert sorted(door["note"] for door in await doors_of(li)) == ["", "", "周桂兰"]


async def test_a_note_may_be_a_date(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        page.write_row(1, 0, ["unit_1", "101", "周桂兰"])
        page.write_datetime(1, 3, datetime(2026, 3, 2), book.add_format({"num_format": "yyyy-mm-dd"}))

    assert fates(await bring(li, sheet_of(fill, [*PLAIN, "备注"]))) == ["created"]
    assert [one["note"] for one in await people_of(li)] == ["2026-03-02"]


async def test_a_number_is_read_with_the_zeros_it_is_shown_with(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        page.write_row(1, 0, ["unit_1", "", "周桂兰"])
        page.write_number(1, 1, 101, book.add_format({"num_format": "0000"}))

    assert fates(await bring(li, sheet_of(fill))) == ["created"]
    assert [door["door"] for door in await doors_of(li)] == ["0101"]


async def test_an_hour_is_no_date(li: RawPhone) -> None:
    def fill(book: Any, page: Any) -> None:
        page.write_row(1, 0, ["unit_1", "101", "周桂兰"])
        page.write_number(1, 3, 0.5, book.add_format({"num_format": "yyyy-mm-dd"}))

    assert told(await bring(li, sheet_of(fill, [*PLAIN, "出生日期"]))) == [[("D2", "date_unreadable")]]
