"""JSON for programs, a workbook for offices, a page for eyes: the same numbers in each. Both stores."""

import hashlib
import io
import re
import zipfile
from base64 import b64encode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import UUID
from xml.etree import ElementTree

import httpx
import pytest

from app.reports import page
from app.reports.page import POLICY
from app.reports.routes import CoverageReport, DutyList
from app.reports.sheets import Told, sheets_of
from app.reports.spreadsheet import MEDIA, NO_WIDTH
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household

Answer = dict[str, Any]
NASTY = '=HYPERLINK("http://x")'
REPORTS = ["duties", "totals", "coverage", "activity", "roster", "board"]
XML = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
async def li(world: World) -> RawPhone:
    """The secretary, with a door that is called like a formula, and somebody behind it who is called like markup."""
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
    if name in ("coverage", "activity"):
        asked |= {"since": "2026-06-01", "until": "2027-05-31"}
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
    kept, named = answer.headers["content-disposition"].split("; filename*=UTF-8''")
    assert kept == 'attachment; filename="report.xlsx"'
    sheets = cells_of(answer.content)
    assert next(iter(sheets)).startswith("1 ")
    said = [cell for rows in sheets.values() for row in rows for cell in row]
    if name in ("duties", "roster", "board"):
        assert NASTY in said
    assert "living_alone" not in said
    assert any("独居" in cell for cell in said) or name in ("duties", "coverage", "activity")
    assert said[2:6] == ["报表 · Report", said[3], "区域 · Area", "building_1"]
    assert unquote(named) == f"{said[3].partition(' · ')[0]} building_1.xlsx"


@pytest.mark.parametrize("name", REPORTS)
async def test_a_page_loads_nothing_runs_nothing_and_believes_no_name(li: RawPhone, name: str) -> None:
    answer = await report(li, name, "page")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == POLICY
    shown = read(answer.text)
    assert not {tag for tag, _ in shown.tags} & {"script", "link", "img", "iframe"}
    assert not [tag for tag, said in shown.tags if any(one.startswith("on") or one in ("src", "style") for one in said)]
    assert ("html", {"lang": "zh-Hans"}) in shown.tags
    assert ("<b>周桂兰</b>" in shown.words) == (name == "roster")


@pytest.mark.parametrize("name", REPORTS)
async def test_the_style_of_a_page_is_the_one_that_its_policy_lets_in(li: RawPhone, name: str) -> None:
    answer = await report(li, name, "page")
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    assert style == (Path(page.__file__).parent / "page.css").read_text("utf-8")
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("door", ["<r>&</r>", "<r></r></si><si><r></r>", "=1+1", "{=1}", "@x", "a\x01b"])
async def test_no_door_number_changes_another_cell(li: RawPhone, door: str) -> None:
    world = li.world
    await li.apply("households", NEW_ID(), fields=household(world, door, floor=9))
    await li.apply("households", NEW_ID(), fields=household(world, "910", floor=10))
    doors = cells_of((await report(li, "roster", "xlsx")).content)["2 各户"]
    at = next(n for n, heading in enumerate(doors[0]) if heading.startswith("门牌号"))
    said = [row[at].replace(NO_WIDTH, "") for row in doors[1:]]
    assert said[0] == NASTY
    assert said[2] == "910"
    assert said[1] == door or "x0001" in said[1]


async def test_only_a_code_is_called_by_a_lists_name(li: RawPhone) -> None:
    world, boss = li.world, await phone_of(li.world, "boss_too", role="admin")
    for name, code, called in (
        ("relation", "10", "配偶"),
        ("tag", "other", "其他标签"),
        ("relation", "other", "其他关系"),
    ):
        fields = {"area_id": str(world.home), "list": name, "code": code, "name": called}
        assert (await world.http.post("/v1/codes", json=fields, headers=boss.headers)).status_code == 201
    door = NEW_ID()
    await li.apply("households", door, fields=household(world, "10", floor=4))
    await li.apply("residents", NEW_ID(), fields={"household_id": str(door), "name": "living_alone", "tags": ["other"]})
    sheets = cells_of((await report(li, "roster", "xlsx")).content)
    assert "10" in sheets["2 各户"][2]
    [person] = [row for row in sheets["3 居民"][1:] if "living_alone" in row]
    assert {"10", "其他标签", "其他关系"} <= {*person}


async def test_a_board_says_in_which_unit_a_door_is(li: RawPhone) -> None:
    for form, whole in (("page", "unit_1 7</b>"), ("xlsx", "unit_1")):
        await li.apply("households", NEW_ID(), fields=household(li.world, "7", floor=7))
        answer = await report(li, "board", form)
        said = answer.text if form == "page" else str(cells_of(answer.content))
        assert whole in said


async def test_what_is_printed_is_never_cut_where_a_page_of_json_is(li: RawPhone) -> None:
    for n in range(3):
        await li.apply("households", NEW_ID(), fields=household(li.world, f"8{n}", floor=8))
    asked = {"area_id": str(li.world.areas["building_1"]), "limit": 1, "text": "8"}
    said = [
        await li.world.http.post("/v1/reports/roster", json={**asked, "form": form}, headers=li.headers)
        for form in ("json", "xlsx")
    ]
    sheets = cells_of(said[1].content)
    assert (len(said[0].json()["doors"]), len(sheets["2 各户"]) - 1) == (1, 3)
    # And it says what was looked for.
    assert ["8"] in [row[1:] for row in sheets["1 概况"]]


@pytest.mark.parametrize("name", REPORTS)
async def test_every_table_of_a_page_is_named_and_every_heading_says_of_what(li: RawPhone, name: str) -> None:
    shown = read((await report(li, name, "page")).text)
    tags = [tag for tag, _ in shown.tags]
    assert tags.count("table") == tags.count("caption") > 0
    assert {said.get("scope") for tag, said in shown.tags if tag == "th"} <= {"col", "colgroup", "row"}
    assert tags.count("h1") == tags.count("main") == 1
    pictures = [said for tag, said in shown.tags if tag == "svg" and said.get("aria-hidden") != "true"]
    assert all("aria-labelledby" in said for said in pictures)


async def test_a_picture_shows_what_the_table_below_it_says(li: RawPhone) -> None:
    shown = (await report(li, "coverage", "page")).text
    counts = re.findall(r'class="count">(\d+)<', shown)
    assert counts == ["1", "1", "0"]  # households, knocked, opened: of the unit, and not of the whole beside it
    assert shown.count('<tr class="whole">') == 1


async def test_a_board_is_told_in_words_beside_its_colours(li: RawPhone) -> None:
    shown = (await report(li, "board", "page")).text
    assert '<span class="colour orange">橙</span>' in shown
    assert "3 层" in shown


async def test_a_page_calls_levels_and_what_was_sought_by_their_names(li: RawPhone) -> None:
    shown = (await report(li, "totals", "page")).text
    assert '<td class="short">单元</td>' in shown
    assert '<th scope="colgroup" colspan="1">各标签户数 <span lang="en">Households with each tag</span></th>' in shown
    asked = {"area_id": str(li.world.areas["building_1"]), "form": "page", "tag": "living_alone"}
    sought = await li.world.http.post("/v1/reports/roster", json=asked, headers=li.headers)
    assert '<th scope="row">标签 <span lang="en">Tag</span></th><td class="short">独居</td>' in sought.text
    assert "living_alone" not in sought.text
    # Nobody told by which way they knocked: that row has a name too.
    assert '<th scope="row">未说明</th>' in (await report(li, "coverage", "page")).text


def test_a_row_of_the_whole_ends_the_list_of_its_parts() -> None:
    counts = {"households": 2, "knocked": 1, "opened": None, "visits": 3, "met": 0, "by_channel": {"door": 3}}
    area = {"area_id": "x", "level": "unit", **counts}
    said: Answer = {"since": "2026-01-01", "until": "2026-01-02", "hidden_below": 5, "methods": []}
    said |= {"parts": [{**area, "name": "1单元"}], "whole": {**area, "name": "1号楼"}}
    _, parts, methods = sheets_of(CoverageReport, said, Told({}))
    assert parts.label is not None
    assert [row[parts.label] for row in parts.rows] == ["1单元", "合计 1号楼"]
    assert [row[parts.headings.index("各方式次数：上门 · At the door")] for row in parts.rows] == [3, 3]
    [column] = [n for n, heading in enumerate(parts.headings) if heading.startswith("开过门的户")]
    told = Told({}, hidden="<5")
    assert [[row[column] for row in sheets_of(CoverageReport, said, how)[1].rows] for how in (Told({}), told)] == [
        [None, None],
        ["<5", "<5"],
    ]
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
    sheets = {sheet.name: sheet for sheet in sheets_of(DutyList, {**said, "undone": [], "due": 2}, Told({}))}
    assert [row[:3] for row in sheets["members"].rows] == [["小李", 10, 2], ["小王", 10, 0]]
    assert [(row[0], row[3], row[-1]) for row in sheets["members.doors"].rows] == [
        ("小李", "101", None),
        ("小李", "102", "是"),
    ]
