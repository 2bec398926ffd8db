"""The duty list as a page and a workbook: care that is due, kept or overdue, and nobody beside others. Both stores."""

import re
from typing import Any

import httpx
import pytest

from tests.raw_phone import RawPhone, phone_of
from tests.test_a_report_comes_in_every_form import cells_of
from tests.world import NEW_ID, World, household

Answer = dict[str, Any]


@pytest.fixture
async def li(world: World) -> RawPhone:
    """The secretary of doors with plans, of two people; nobody is in a group, and so nobody has a name."""
    li = await phone_of(world, "li", role="secretary")
    one, other = str(NEW_ID()), str(NEW_ID())
    for n, responsible in enumerate((one, one, other)):
        door = NEW_ID()
        await li.apply("households", door, fields=household(world, str(n)))
        plan = {"household_id": str(door), "responsible": [responsible], "since": "2020-01-01", "days": "all_days"}
        await li.apply("care_plans", NEW_ID(), fields={**plan, "channels": ["door"]})
        if n == 0:
            await li.apply("visits", NEW_ID(), fields={"household_id": str(door), "outcome": "opened"})
    return li


async def duties(phone: RawPhone, form: str, area: str = "grid") -> httpx.Response:
    asked = {"area_id": str(phone.world.areas[area]), "form": form}
    answer = await phone.world.http.get("/v1/reports/duties", params=asked, headers=phone.headers)
    assert answer.status_code == 200, answer.text
    return answer


async def test_its_picture_is_of_care_kept_and_overdue_and_of_no_member(li: RawPhone) -> None:
    said = (await duties(li, "json")).json()
    assert (said["due"], said["overdue"], said["done"], len(said["members"])) == (2, 2, 1, 2)
    page = (await duties(li, "page")).text
    [picture] = re.findall(r'<div role="img" aria-label="([^"]+)">(.*?)</figure>', page, re.DOTALL)
    assert picture[0].startswith("当日关爱走访 · Care of the day：应访户数 · Doors due、逾期户数 · Doors overdue")
    assert re.findall(r'class="count">(\d+)<', picture[1]) == ["2", "2", "0", "1"]
    assert re.findall(r'<div class="bars"><span>(\S+)', picture[1]) == [
        "应访户数",
        "逾期户数",
        "无人可做",
        "当日完成的计划",
    ]


async def test_a_day_without_care_has_no_picture(li: RawPhone) -> None:
    page = (await duties(li, "page", "building_2")).text
    assert '<div role="img"' not in page


async def test_who_is_in_no_group_is_told_from_others_all_the_same(li: RawPhone) -> None:
    sheets = cells_of((await duties(li, "xlsx")).content)
    [members, doors] = [rows for name, rows in sheets.items() if name.endswith(("各人的清单", "当日各户"))]
    named = [row[0] for row in members[1:]]
    assert sorted(named) == ["未命名 1", "未命名 2"]
    # Each door says whose it is.
    assert {row[0] for row in doors[1:]} == {*named}
    page = (await duties(li, "page")).text
    assert re.findall(r'<th scope="row">\s*</th>', page) == []
    assert '<th scope="row">未命名 1</th>' in page


async def test_a_door_without_a_number_has_a_row_that_says_so(li: RawPhone) -> None:
    await li.apply("households", NEW_ID(), fields=household(li.world, "", "unit_2"))
    body = {"area_id": str(li.world.areas["unit_2"]), "form": "page"}
    page = (await li.world.http.post("/v1/reports/roster", json=body, headers=li.headers)).text
    assert '<th scope="row">未说明</th>' in page
