"""民情本 of a few buildings: each door once, along the walk, with how many there are in all. Both stores."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.operator import add_area
from app.reports.several import MOST_AREAS
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.test_a_report_comes_in_every_form import cells_of
from tests.world import NEW_ID, World, household

Answer = dict[str, Any]
BEHIND = {
    "unit_1": [(["living_alone"], [("周桂兰", ["ill"])]), ([], [("周小明", []), ("李四", ["ill", "disabled"])])],
    "unit_2": [(["living_alone", "rented"], [("单田芳", [])])],
    "building_3": [([], [("王一", ["ill"])]), (["living_alone"], [])],
}
"""Area → its doors, with their tags, and who lives there, with theirs."""


@pytest.fixture
async def li(world: World) -> RawPhone:
    """The secretary of a grid with three buildings, who has registered them."""
    await phone_of(world, "boss", role="admin")
    third = await add_area(world.context, code=None, name="building_3", level="building", parent_code="grid")
    world.areas["building_3"] = third
    li = await phone_of(world, "li", role="secretary")
    for area, doors in BEHIND.items():
        for n, (tags, people) in enumerate(doors, start=1):
            door = NEW_ID()
            await li.apply("households", door, fields=household(world, f"{n}", area, tags=tags))
            for name, theirs in people:
                fields = {"household_id": str(door), "name": name, "tags": theirs}
                await li.apply("residents", NEW_ID(), fields=fields)
    return li


async def ask(phone: RawPhone, *areas: UUID, **sought: Any) -> httpx.Response:
    body = {"area_id": [str(area) for area in areas], **sought}
    return await phone.world.http.post("/v1/reports/roster", json=body, headers=phone.headers)


async def roster(phone: RawPhone, *areas: str, **sought: Any) -> Any:
    answer = await ask(phone, *(phone.world.areas[area] for area in areas), **sought)
    assert answer.status_code == 200, answer.text
    return answer.json()


def doors(said: Answer) -> list[tuple[str, str]]:
    return [(door["place"], door["door"]) for door in said["doors"]]


def counted(said: Answer) -> tuple[int, int, Answer, Answer]:
    return said["households"], said["residents"], said["household_tags"], said["resident_tags"]


async def test_the_doors_of_two_buildings_come_along_one_walk_and_no_others(li: RawPhone) -> None:
    said = await roster(li, "building_3", "building_1")
    assert doors(said) == [*[("building_1 unit_1", door) for door in "12"], *[("building_3", door) for door in "12"]]
    assert (said["area_id"], said["name"]) == (None, "building_3、building_1")
    assert [(area["name"], area["households"], area["residents"]) for area in said["areas"]] == [
        *(("building_1", 2, 3), ("building_3", 2, 1))
    ]
    assert [area["area_id"] for area in said["areas"]] == [
        *(str(li.world.areas[name]) for name in ("building_1", "building_3"))
    ]


async def test_it_counts_all_that_fits_and_not_the_page_alone(li: RawPhone) -> None:
    of_two = (4, 4, {"living_alone": 2}, {"disabled": 1, "ill": 3})
    assert counted(await roster(li, "building_1", "building_3")) == of_two
    page = await roster(li, "building_1", "building_3", limit=1)
    assert (counted(page), len(page["doors"])) == (of_two, 1)
    # What was looked for is what is counted.
    tagged = await roster(li, "building_1", "building_3", tag="living_alone")
    assert counted(tagged) == (2, 1, {"living_alone": 2}, {"ill": 1})
    named = await roster(li, "building_1", "building_3", text="ls")
    assert counted(named) == (1, 2, {}, {"disabled": 1, "ill": 1})
    assert [(area["name"], area["households"]) for area in named["areas"]] == [("building_1", 1), ("building_3", 0)]
    nobody = await roster(li, "building_1", "building_3", text="nobody")
    assert counted(nobody) == (0, 0, {}, {})
    grid = await roster(li, "grid")
    assert counted(grid) == (5, 5, {"living_alone": 3, "rented": 1}, {"disabled": 1, "ill": 3})


async def test_one_area_may_be_a_list_of_one(li: RawPhone) -> None:
    area = li.world.areas["building_1"]
    alone = await li.world.http.post("/v1/reports/roster", json={"area_id": str(area)}, headers=li.headers)
    assert alone.json() == await roster(li, "building_1") == await roster(li, "building_1", "building_1")
    assert alone.json()["area_id"] == str(area)
    assert {door["place"] for door in alone.json()["doors"]} == {"unit_1"}


async def test_a_door_counts_once_however_many_of_the_areas_it_lies_in(li: RawPhone) -> None:
    said = await roster(li, "unit_1", "grid", "building_1", "grid", "building_2")
    assert said == await roster(li, "grid")
    two = await roster(li, "unit_1", "building_2", "unit_2")
    assert (two["name"], [area["name"] for area in two["areas"]]) == ("unit_1、building_2", ["unit_1", "building_2"])
    assert (two["households"], len(two["doors"])) == (3, 3)


async def test_the_pages_of_several_areas_lead_to_each_other(li: RawPhone) -> None:
    asked, after, seen = ("building_3", "building_1"), None, []
    whole = doors(await roster(li, *asked))
    for _ in whole:
        page = await roster(li, *asked, limit=1, after=after)
        seen += doors(page)
        after = page["next"]
    assert (seen, after) == (whole, None)
    gone = await ask(li, *(li.world.areas[name] for name in asked), after=str(NEW_ID()))
    assert gone.json()["errors"] == [{"pointer": "/after", "code": "reference_not_found"}]


async def test_each_of_them_must_be_seen_whole_and_lie_in_one_community(li: RawPhone) -> None:
    world, one = li.world, li.world.areas["building_1"]
    wang = await phone_of(world, "wang", area="building_2")
    helper = await phone_of(world, "helper", role="helper")
    district = await phone_of(world, "district", role="admin", area="district")
    there = await second_community(world)

    async def refused(phone: RawPhone, *areas: UUID) -> tuple[str, list[Answer]]:
        answer = await ask(phone, *areas)
        return answer.json()["code"], answer.json()["errors"]

    def at(code: str, *places: int) -> tuple[str, list[Answer]]:
        return code, [{"pointer": f"/area_id/{n}", "code": code} for n in places]

    assert await refused(li, one, NEW_ID(), there) == at("not_found", 1, 2)
    # Of one building they know only that it is there.
    assert await refused(wang, world.areas["building_2"], one) == at("not_permitted", 1)
    assert await refused(helper, world.areas["building_2"], one) == at("not_permitted", 0, 1)
    assert await refused(district, one, there) == at("invalid", 1)
    assert await refused(district, one, world.areas["district"]) == at("invalid", 1)
    # Whoever has one building is shown, of the grid beside it, that one.
    assert [door["place"] for door in (await roster(wang, "building_2", "grid"))["doors"]] == ["building_2 unit_2"]
    await world.end_grant("wang", "building_2")
    assert (await refused(wang, world.areas["building_2"], one))[0] in ("not_found", "not_permitted")


async def test_so_many_areas_and_no_more(li: RawPhone) -> None:
    world = li.world

    async def pointers(area: Any) -> list[tuple[str, str]]:
        answer = await world.http.post("/v1/reports/roster", json={"area_id": area}, headers=li.headers)
        assert answer.status_code == 400, answer.text
        return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]

    one = str(world.areas["building_1"])
    assert (await ask(li, *[world.areas["building_1"]] * MOST_AREAS)).status_code == 200
    assert await pointers([one] * (MOST_AREAS + 1)) == [("/area_id", "too_long")]
    assert await pointers([]) == [("/area_id", "too_short")]
    assert await pointers("x") == [("/area_id", "uuid_parsing")]
    assert await pointers([one, "x"]) == [("/area_id/1", "uuid_parsing")]
    assert await pointers(None) == [("/area_id", "uuid_type")]


async def test_a_workbook_of_several_names_them_and_their_counts(li: RawPhone) -> None:
    two = await ask(li, *(li.world.areas[name] for name in ("building_1", "building_3")), form="xlsx")
    about, *_, areas = cells_of(two.content).values()
    lines = {tuple(row) for row in about}
    assert {("区域 · Area", "building_1、building_3"), ("各标签户数：living_alone", "2")} <= lines
    assert {("户数 · Doors", "4"), ("各标签人数：ill", "3"), ("各标签人数：disabled", "1")} <= lines
    assert [row[:3] for row in areas[1:]] == [["building_1", "2", "3"], ["building_3", "2", "1"]]
    many = await roster(li, "unit_1", "unit_2", "building_3")
    assert many["name"] == "unit_1、unit_2、building_3"
    fourth = await add_area(li.world.context, code=None, name="5", level="building", parent_code="grid")
    li.world.areas["5"] = fourth
    assert (await roster(li, "unit_1", "unit_2", "building_3", "5"))["name"] == "unit_1、unit_2、building_3等 4 处"
