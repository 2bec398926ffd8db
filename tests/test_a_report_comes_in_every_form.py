"""JSON for programs, a workbook for offices, a page for eyes: the same numbers in each. Both stores."""

import io
import re
import zipfile
from html.parser import HTMLParser
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import httpx
import pytest

from app.reports.page import POLICY
from app.reports.routes import CoverageReport, DutyList
from app.reports.sheets import sheets_of
from app.reports.spreadsheet import MEDIA
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household

Answer = dict[str, Any]
NASTY = '=HYPERLINK("http://x")'
REPORTS = ["duties", "totals", "coverage", "roster", "board"]
XML = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
async def li(world: World) -> RawPhone:
    """The secretary, with a door that is called like a formula, and somebody behind it who is called like a tag."""
    li = await phone_of(world, "li", role="secretary")
    door: UUID = NEW_ID()
    await li.apply("households", door, fields=household(world, NASTY, floor=3, tags=["living_alone"]))
    await li.apply("residents", NEW_ID(), fields={"household_id": str(door), "name": "<b>周桂兰</b>"})
    await li.apply("visits", NEW_ID(), fields={"household_id": str(door), "outcome": "nobody_home"})
    plan = {"household_id": str(door), "responsible": [str(NEW_ID())], "since": "2026-03-02"}
    await li.apply("care_plans", NEW_ID(), fields=plan)
    boss = await phone_of(world, "boss", role="admin")
    for name in ("tag", "colour"):
        code = {
            "area_id": str(world.home),
            "list": name,
            "code": "living_alone",
            "name": {"tag": "独居"}.get(name, "橙"),
        }
        assert (await world.http.post("/v1/codes", json=code, headers=boss.headers)).status_code == 201
    return li


async def report(li: RawPhone, name: str, form: str) -> httpx.Response:
    asked = {"area_id": str(li.world.areas["building_1"]), "form": form}
    if name == "coverage":
        asked |= {"since": "2026-01-01", "until": "2099-01-01"}
    how: Any = {"method": "POST", "json": asked} if name == "roster" else {"method": "GET", "params": asked}
    answer = await li.world.http.request(url=f"/v1/reports/{name}", headers=li.headers, **how)
    assert answer.status_code == 200, answer.text
    return answer


def cells_of(workbook: bytes) -> dict[str, list[list[str]]]:
    """Sheet → its rows, as text; fails where anything is a formula."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as book:
        shared = ["".join(text.itertext()) for text in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
        names = [
            one.get("name", "") for one in ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{XML}sheet")
        ]
        found = {}
        for n, name in enumerate(names, start=1):
            sheet = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{n}.xml"))
            assert not [*sheet.iter(f"{XML}f")], "a formula"
            found[name] = [
                [
                    shared[int(cell.findtext(f"{XML}v", ""))] if cell.get("t") == "s" else cell.findtext(f"{XML}v", "")
                    for cell in row
                ]
                for row in sheet.iter(f"{XML}row")
            ]
    return found


class _Read(HTMLParser):
    """The tags of a page, and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += [data.strip()] if data.strip() else []


def read(page: str) -> _Read:
    reader = _Read()
    reader.feed(page)
    return reader


@pytest.mark.parametrize("name", REPORTS)
async def test_a_workbook_holds_what_the_report_says_and_no_formula(li: RawPhone, name: str) -> None:
    answer = await report(li, name, "xlsx")
    assert answer.headers["content-type"] == MEDIA
    sheets = cells_of(answer.content)
    assert next(iter(sheets)).startswith("1 ")
    said = [cell for rows in sheets.values() for row in rows for cell in row]
    if name in ("duties", "roster", "board"):
        assert NASTY in said
    assert "living_alone" not in said
    assert "独居" in said or name in ("duties", "coverage")


@pytest.mark.parametrize("name", REPORTS)
async def test_a_page_loads_nothing_runs_nothing_and_believes_no_name(li: RawPhone, name: str) -> None:
    answer = await report(li, name, "page")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == POLICY
    page = read(answer.text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe"}
    assert not [tag for tag, said in page.tags if any(one.startswith("on") or one in ("src", "style") for one in said)]
    assert ("html", {"lang": "zh-Hans"}) in page.tags
    assert ("<b>周桂兰</b>" in page.words) == (name == "roster")


@pytest.mark.parametrize("name", REPORTS)
async def test_every_table_of_a_page_is_named_and_every_heading_says_of_what(li: RawPhone, name: str) -> None:
    page = read((await report(li, name, "page")).text)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") > 0
    assert {said.get("scope") for tag, said in page.tags if tag == "th"} <= {"col", "row"}
    assert tags.count("h1") == tags.count("main") == 1
    assert all("aria-labelledby" in said for tag, said in page.tags if tag == "svg")


async def test_a_picture_shows_what_the_table_below_it_says(li: RawPhone) -> None:
    page = (await report(li, "coverage", "page")).text
    counts = re.findall(r'class="count">(\d+)<', page)
    assert counts == ["1", "1", "0"]  # households, knocked, opened: of the unit, and not of the whole beside it
    assert page.count('<tr class="whole">') == 1


async def test_a_board_is_told_in_words_beside_its_colours(li: RawPhone) -> None:
    page = (await report(li, "board", "page")).text
    assert '<span class="colour orange">橙</span>' in page
    assert "3 层" in page


def test_a_row_of_the_whole_ends_the_list_of_its_parts() -> None:
    counts = {"households": 2, "knocked": 1, "opened": None, "visits": 3, "met": 0, "by_channel": {"door": 3}}
    area = {"area_id": "x", "level": "unit", **counts}
    said: Answer = {"since": "2026-01-01", "until": "2026-01-02", "hidden_below": 5, "methods": []}
    said |= {"parts": [{**area, "name": "1单元"}], "whole": {**area, "name": "1号楼"}}
    _, parts, methods = sheets_of(CoverageReport, said, {})
    assert parts.label is not None
    assert [row[parts.label] for row in parts.rows] == ["1单元", "1号楼"]
    assert [row[parts.headings.index("上门 · At the door")] for row in parts.rows] == [3, 3]
    assert methods.rows == []


def test_of_a_list_in_a_list_each_row_says_whose_it_is() -> None:
    door = {
        "household": "h",
        "place": "1单元",
        "door": "101",
        "due": "2026-03-02",
        "late": 0,
        "risk": 2,
        "plans": ["p"],
    }
    share = {"person": "a", "name": "小李", "per_day": 10, "doors": [door, {**door, "door": "102", "shared": True}]}
    said: Answer = {"day": "2026-03-02", "worked": True, "members": [share, {**share, "name": "小王", "doors": []}]}
    sheets = {sheet.name: sheet for sheet in sheets_of(DutyList, {**said, "undone": [], "due": 2}, {})}
    assert [row[:3] for row in sheets["members"].rows] == [["小李", 10, 2], ["小王", 10, 0]]
    assert [(row[0], row[3], row[-1]) for row in sheets["members.doors"].rows] == [
        ("小李", "101", None),
        ("小李", "102", "是"),
    ]
