"""What was noted at the doors goes out under another office's headings, and comes back as it went."""

import csv
import io
import zipfile
from typing import Any

import httpx
import pytest

from app.imports.exporting import DEFAULT_HEADINGS
from app.reports.spreadsheet import MEDIA
from tests.maker import boss
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.rosters import CHEN, EMPTY, HEADINGS, LI, ZHOU, bring, counts, csv_of, people_of, secretary
from tests.world import NEW_ID, household

__all__ = ["boss", "secretary"]  # the fixtures `boss` and `li`

FORM = {"栋": "place.building", "室": "household.door", "居民": "resident.name", "电话": "resident.phone"}


async def export(phone: RawPhone, area: str = "community", **said: Any) -> httpx.Response:
    body = {"area_id": str(phone.world.areas[area]), "form": "csv", **said}
    return await phone.world.http.post("/v1/exports", json=body, headers=phone.headers)


def rows_of(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return [*csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))]


async def test_the_headings_are_the_other_offices(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU, LI, EMPTY))
    answer = await export(li, mapping=FORM)
    assert answer.headers["content-disposition"] == 'attachment; filename="roster.csv"'
    assert rows_of(answer) == [
        [*FORM],
        ["building_1", "101", "周桂兰", "13800000000"],
        ["building_1", "101", "李建国", ""],
        ["building_2", "202", "", ""],
    ]


async def test_telephones_and_id_numbers_are_only_in_a_file_that_asks_for_them(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU))
    [headings, row] = rows_of(await export(li))
    assert headings == [*DEFAULT_HEADINGS]
    assert ZHOU[6] not in row
    assert ZHOU[7] not in row
    assert rows_of(await export(li, mapping={"身份证": "resident.id_number"}))[1] == [ZHOU[6]]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_what_goes_out_comes_in_again_unchanged(li: RawPhone, form: str) -> None:
    nasty = [
        "building_1",
        "unit_1",
        "=1+1",
        "-周",
        "女",
        "1949/12/31",
        "",
        "",
        "户主",
        "独居、党员",
        '\'@备注,"引号"\n第二行',
    ]
    await bring(li, csv_of(ZHOU, LI, CHEN, EMPTY))
    door = NEW_ID()
    await li.apply("households", door, fields=household(li.world, "=1+1", floor=-1, use="rented", tags=["odd_code"]))
    fields = {"household_id": str(door), "name": nasty[3], "registered_here": False, "note": nasty[-1]}
    await li.apply("residents", NEW_ID(), fields=fields)
    everything = {**DEFAULT_HEADINGS, "电话": "resident.phone", "证件": "resident.id_number"}
    answer = await export(li, form=form, mapping=everything)
    mapping = '{"证件": "resident.id_number"}'
    assert counts(await bring(li, answer.content, mapping=mapping)) == {"unchanged": 5}
    assert len(await people_of(li)) == 4


async def test_a_tag_whose_name_looks_like_two_goes_out_and_comes_in(li: RawPhone, boss: RawPhone) -> None:
    named = {"area_id": str(li.world.home), "list": "tag", "code": "gravely_ill", "name": "重病/失能"}
    assert (await li.world.http.post("/v1/codes", json=named, headers=boss.headers)).status_code == 201
    headings = ["单元", "房号", "户标签"]
    await bring(li, csv_of(["unit_1", "101", "重病/失能"], headings=headings))
    door = {"tags": ["gravely_ill", "living_alone"]}
    await li.apply("households", NEW_ID(), fields=household(li.world, "102", **door))
    answer = await export(li, mapping={"单元": "place.unit", "房号": "household.door", "户标签": "household.tags"})
    assert [row[2] for row in rows_of(answer)[1:]] == ["gravely_ill", "gravely_ill、独居"]
    assert counts(await bring(li, answer.content)) == {"unchanged": 2}


@pytest.mark.parametrize("said", ["低保（含特困）", "低保(含特困)"])
async def test_a_tag_whose_name_has_wide_brackets_is_known(li: RawPhone, boss: RawPhone, said: str) -> None:
    named = {"area_id": str(li.world.home), "list": "tag", "code": "poor", "name": "低保（含特困）"}
    assert (await li.world.http.post("/v1/codes", json=named, headers=boss.headers)).status_code == 201
    await bring(li, csv_of(["unit_1", "101", said], headings=["单元", "房号", "户标签"]))
    answer = await export(li, mapping={"单元": "place.unit", "房号": "household.door", "户标签": "household.tags"})
    assert rows_of(answer)[1] == ["unit_1", "101", "低保（含特困）"]
    assert counts(await bring(li, answer.content)) == {"unchanged": 1}


async def test_two_estates_with_a_first_building_each_go_out_and_come_in(li: RawPhone, boss: RawPhone) -> None:
    world, estates = li.world, ("东苑", "西苑")
    for estate in estates:
        above = str(world.home)
        for level, name in (("estate", estate), ("building", "1栋")):
            area = {"parent_id": above, "level": level, "name": name}
            above = (await world.http.post("/v1/areas", json=area, headers=boss.headers)).json()["id"]
    rows = [[estate, "1栋", "101", f"{estate}人"] for estate in estates]
    assert counts(await bring(li, csv_of(*rows, headings=["小区", "楼栋", "房号", "姓名"]))) == {"created": 2}
    file = (await export(li)).content
    assert [row.split(",")[0] for row in file.decode("utf-8-sig").splitlines()] == ["小区", *estates]
    assert counts(await bring(li, file)) == {"unchanged": 2}


async def test_another_place_takes_it_as_its_own(li: RawPhone, boss: RawPhone) -> None:
    await bring(li, csv_of(["101", "周桂兰"], headings=["房号", "姓名"]), "unit_1")
    file = (await export(li, mapping={"房号": "household.door", "姓名": "resident.name"})).content
    await second_community(li.world)
    other = await phone_of(li.world, "zhao", role="secretary", area="community_b")
    assert counts(await bring(other, file, "unit_b")) == {"created": 1}
    assert counts(await bring(li, file, "unit_1")) == {"unchanged": 1}


async def test_no_cell_is_a_formula(li: RawPhone) -> None:
    for n, begin in enumerate(("=", "+", "-", "@")):
        await li.apply("households", NEW_ID(), fields=household(li.world, f"{begin}cmd|{n}"))
    mapping = {"=室": "household.door"}
    for row in rows_of(await export(li, mapping=mapping)):
        assert row[0].startswith("'")
    answer = await export(li, form="xlsx", mapping=mapping)
    assert answer.headers["content-type"] == MEDIA
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
        assert b"=cmd|0" in book.read("xl/sharedStrings.xml")


async def test_only_what_one_sees_whole_goes_out(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU, CHEN))
    worker = await phone_of(li.world, "worker", area="building_1")
    assert [row[2] for row in rows_of(await export(worker, mapping=FORM))[1:]] == ["周桂兰"]
    helper = await phone_of(li.world, "helper", role="helper")
    assert (await export(helper, mapping=FORM)).json()["code"] == "not_permitted"
    assert (await export(worker, "district")).json()["code"] in ("invalid", "not_found")
    assert (await export(worker, mapping={"x": "area.name"})).json()["code"] == "unknown_field"


async def test_the_same_mapping_leads_out_and_in(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU, headings=HEADINGS))
    file = (await export(li, mapping=FORM)).content
    mapping = '{"栋": "place.building", "室": "household.door", "居民": "resident.name", "电话": "resident.phone"}'
    assert counts(await bring(li, file, mapping=mapping)) == {"unchanged": 1}
