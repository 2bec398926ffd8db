"""Separated values as Excel in China, a text editor or a slip of the hand leaves them: no row is lost in silence."""

import io

import pytest

from app.imports.opening import open_table
from tests.maker import boss
from tests.raw_phone import RawPhone
from tests.rosters import LI, ZHOU, bring, csv_of, fates, people_of, secretary
from tests.test_a_bad_spreadsheet_names_its_cells import told

__all__ = ["boss", "secretary"]  # the fixtures `boss` and `li`


async def test_a_quote_that_nobody_closed_costs_its_own_row_alone(li: RawPhone) -> None:
    headings = ["单元", "房号", "姓名", "备注"]
    open_at = {3: '"老王介绍的', 5: f'"{"长" * 140_000}', 7: '"两个"字'}
    rows = [["unit_1", str(n), f"居民{n}", open_at.get(n, "")] for n in range(2, 60)]
    report = await bring(li, csv_of(*rows, headings=headings))
    assert [row["row"] for row in report["rows"]] == [*range(2, 60)]
    refused = [row for row in report["rows"] if row["fate"] == "refused"]
    assert [row["row"] for row in refused] == [*open_at]
    assert {one["code"] for row in refused for one in row["problems"]} == {"text_garbled"}
    assert len(await people_of(li)) == 58 - len(open_at)


async def test_rows_between_two_stray_quotes_are_rows_and_a_note_of_several_lines_is_a_note(li: RawPhone) -> None:
    headings = ["单元", "房号", "姓名", "备注"]
    notes = ['"老王介绍的', "", '养狗"', '"早上在。\n晚上, 也在。"']
    rows = [["unit_1", str(n), f"居民{n}", note] for n, note in enumerate(notes, start=2)]
    report = await bring(li, csv_of(*rows, headings=headings))
    assert fates(report) == ["refused", "created", "created", "created"]
    assert [one["note"] for one in await people_of(li)] == ["", '养狗"', "早上在。\n晚上, 也在。"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
async def test_the_encodings_of_excel_in_china_are_read(li: RawPhone, encoding: str) -> None:
    await bring(li, csv_of(ZHOU).decode().encode(encoding))
    assert [one["name"] for one in await people_of(li)] == ["周桂兰"]


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ('单元,房号,姓名\nu,1,"张\nu,2,李\nu,3,王"\nu,4,赵', [None, "u,2,李", 'u,3,王"', "u,4,赵"]),
        ('房号,备注\n1,"早上, 有人\n下午, 没人"\n2,', ["1,早上, 有人\n下午, 没人", "2"]),
        ('备注,房号,姓名\n"耳背\n养狗",1,张\n,2,"', ["耳背\n养狗,1,张", None]),
        ('房号,备注\n1,"' + "\n" * 19 + '没人"\n2,"' + "\n" * 20 + '没人"', ["1," + "\n" * 19 + "没人", None, '没人"']),
    ],
)
def test_what_stands_in_quotes_is_one_cell_and_a_row_is_none(table: str, rows: list[str | None]) -> None:
    read = [[cell.text for cell in line.cells.values()] for line in open_table(io.BytesIO(table.encode())).lines()]
    assert [None if "\ufffd" in cells else ",".join(cells) for cells in read[1:] if cells] == rows


@pytest.mark.parametrize("separator", ["\t", ";"])
async def test_a_title_with_commas_separates_nothing(li: RawPhone, separator: str) -> None:
    table = csv_of(ZHOU, LI).replace(b",", separator.encode())
    report = await bring(li, "青和居社区, 花名册, 2026, 共二人\r\n".encode() + table)
    assert (report["heading_row"], fates(report)) == (2, ["created", "created"])


async def test_letters_that_cannot_be_decoded_are_named(li: RawPhone) -> None:
    file = csv_of(ZHOU, LI).decode().encode("gbk").replace("李建国".encode("gbk"), b"\x81\xff\x81\xff")
    report = await bring(li, file)
    assert (fates(report), told(report)[1]) == (["created", "refused"], [("D3", "text_garbled")])


async def test_a_mark_means_utf_8_whatever_else_stands_there(li: RawPhone) -> None:
    file = csv_of(ZHOU, LI).replace("李建国".encode(), b"\xe6\x9d\xff")
    for mark in (b"\xef\xbb\xbf", b""):
        report = await bring(li, mark + file, dry_run=True)
        assert (fates(report), told(report)[1]) == (["created", "refused"], [("D3", "text_garbled")])
