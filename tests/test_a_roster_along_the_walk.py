"""民情本 and 七色信息牌: doors along the walk, found by name or tag, for those who work there. Both stores."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.operator import add_area
from app.reports.pinyin import is_named
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.world import NEW_ID, World, household, mutation

Answer = dict[str, Any]
BEHIND = {
    "unit_1": [("2", 1, [("周桂兰", "1949-12-31", ["ill"]), ("周小明", "2015-06-01", [])]), ("10", 5, [])],
    "unit_2": [("1", 1, [("单田芳", None, []), ("Anna Li", "1990-01-01", [])]), ("2", 1, [("王一", "1950-01-01", [])])],
}
"""Unit → its doors: number, floor, and who lives there."""
TAGS = {("unit_1", "10"): ["living_alone", "key_care"], ("unit_2", "2"): ["living_alone"]}


@pytest.fixture
async def li(world: World) -> RawPhone:
    """The secretary, who has registered them, the last door first."""
    li = await phone_of(world, "li", role="secretary")
    for unit, doors in reversed(BEHIND.items()):
        for number, floor, people in reversed(doors):
            door, tags = NEW_ID(), TAGS.get((unit, number), [])
            await li.apply("households", door, fields=household(world, number, unit, floor=floor, tags=tags))
            for name, born, theirs in reversed(people):
                fields = {"household_id": str(door), "name": name, "birth_date": born, "tags": theirs}
                await li.apply("residents", NEW_ID(), fields=fields)
    gone = NEW_ID()
    await li.apply("households", gone, fields=household(world, "gone", tags=["living_alone"]))
    await li.apply("households", gone, "delete", 1)
    return li


async def ask(phone: RawPhone, area: UUID, **sought: Any) -> httpx.Response:
    body = {"area_id": str(area), **sought}
    return await phone.world.http.post("/v1/reports/roster", json=body, headers=phone.headers)


async def roster(phone: RawPhone, area: str = "grid", **sought: Any) -> Any:
    answer = await ask(phone, phone.world.areas[area], **sought)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def board(phone: RawPhone, area: UUID) -> Any:
    answer = await phone.world.http.get("/v1/reports/board", params={"area_id": str(area)}, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else answer.json()["code"]


def doors(said: Answer) -> list[tuple[str, str]]:
    return [(door["place"], door["door"]) for door in said["doors"]]


async def test_doors_come_along_the_walk_and_people_the_eldest_first(li: RawPhone) -> None:
    said = await roster(li)
    one, two = "building_1 unit_1", "building_2 unit_2"
    assert doors(said) == [(one, "2"), (one, "10"), (two, "1"), (two, "2")]
    assert (said["households"], said["residents"], said["next"]) == (4, 5, None)
    names = [[person["name"] for person in door["residents"]] for door in said["doors"]]
    assert names == [["周桂兰", "周小明"], [], ["Anna Li", "单田芳"], ["王一"]]


async def test_it_is_printed_and_so_says_neither_telephone_nor_id_number(li: RawPhone) -> None:
    [door, *_] = (await roster(li))["doors"]
    assert {*door["residents"][0]} == {"id", "name", "sex", "birth_date", "relation", "tags"}


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ({"text": "zgl"}, ["2"]),
        ({"text": "ZG"}, ["2"]),
        ({"text": "桂"}, ["2"]),
        ({"text": "10"}, ["10"]),
        ({"text": "１０"}, ["10"]),
        ({"text": "nobody"}, []),
        ({"tag": "living_alone"}, ["10", "2"]),
        ({"tag": "ill"}, ["2"]),
        ({"tag": "living_alone", "text": "wy"}, ["2"]),
    ],
)
async def test_doors_are_found_by_name_first_letters_number_and_tag(
    li: RawPhone, sought: Answer, found: list[str]
) -> None:
    said = await roster(li, **sought)
    assert [door["door"] for door in said["doors"]] == found
    assert said["households"] == len(found)


@pytest.mark.parametrize(
    ("name", "sought", "found"),
    [
        ("单田芳", "stf", True),
        ("单田芳", "dtf", True),
        ("欧阳娜娜", "yn", True),
        ("Anna 李", "nna l", True),
        ("周桂兰", "zgz", False),
        ("周桂兰", "周g", True),
        ("周", "zg", False),
        ("周 桂兰", "zgl", True),
        ("周 桂兰", "周桂", True),
        ("买买提·吐尔逊", "mmttex", True),
        ("买买提·吐尔逊", "买买提吐", True),
        ("买买提·吐尔逊", "提·吐", True),
        ("周桂兰", "·", False),
    ],
)
def test_a_name_is_found_by_each_reading_of_its_characters_and_by_what_is_typed_of_it(
    name: str, sought: str, found: bool
) -> None:
    assert is_named(name, sought) is found


async def test_every_page_leads_to_the_next_and_none_misses_or_repeats(li: RawPhone) -> None:
    whole, after, seen = doors(await roster(li)), None, []
    for _ in whole:
        page = await roster(li, limit=1, after=after)
        seen += doors(page)
        after = page["next"]
        assert page["households"] == len(whole)
    assert (seen, after) == (whole, None)


async def test_a_page_after_a_door_that_fits_no_longer_is_asked_for_anew(li: RawPhone) -> None:
    refused = await ask(li, li.world.areas["grid"], after=str(NEW_ID()))
    assert refused.json()["errors"] == [{"pointer": "/after", "code": "reference_not_found"}]


async def test_a_building_has_the_colours_that_the_operator_gave_its_tags(li: RawPhone) -> None:
    world = li.world
    boss = await phone_of(world, "boss", role="admin")
    for area, code, name, more in [
        ("community", "living_alone", "橙", {"sort": 2}),
        ("community", "key_care", "红", {"sort": 1}),
        ("community", "ill", "灰", {"sort": 3}),
        ("grid", "ill", "紫", {"sort": 3}),
        ("community", "self_occupied", "绿", {"retired": True}),
    ]:
        fields = {"area_id": str(world.areas[area]), "list": "colour", "code": code, "name": name, **more}
        made = await world.http.post("/v1/codes", json=fields, headers=boss.headers)
        assert made.status_code == 201, made.text
    said = await board(li, world.areas["building_1"])
    assert [(one["tag"], one["colour"]) for one in said["colours"]] == [
        *(("key_care", "红"), ("living_alone", "橙"), ("ill", "紫"))
    ]
    floors = [(floor["floor"], [(door["door"], door["tags"]) for door in floor["doors"]]) for floor in said["floors"]]
    assert floors == [(5, [("10", ["key_care", "living_alone"])]), (1, [("2", ["ill"])])]


async def test_more_than_a_building_has_no_board(li: RawPhone) -> None:
    assert await board(li, li.world.areas["grid"]) == "invalid"
    assert (await board(li, li.world.areas["unit_2"]))["name"] == "unit_2"


async def test_no_door_number_breaks_the_walk(li: RawPhone) -> None:
    for number in ("①", "3²", "１０", "", "٣"):
        await li.apply("households", NEW_ID(), fields=household(li.world, number, "unit_2", floor=1))
    assert {door for _, door in doors(await roster(li))} >= {"①", "3²", "１０", "", "٣"}


async def test_the_walk_goes_by_the_numbers_in_names_too(li: RawPhone) -> None:
    world = li.world
    await phone_of(world, "boss", role="admin")
    for name in ("10号楼", "2号楼"):
        house = await add_area(world.context, code=None, name=name, level="building", parent_code="grid")
        world.areas[name] = house
        await li.apply("households", NEW_ID(), fields=household(world, "1", name))
    said = [place for place, _ in doors(await roster(li))]
    assert said.index("2号楼") < said.index("10号楼")


async def test_who_reaches_a_building_through_its_land_register_sees_no_board(li: RawPhone) -> None:
    world = li.world
    street = await add_area(world.context, code="street", name="street", level="street", parent_code="district")
    there = await add_area(world.context, code="c2", name="c2", level="community", parent_code="street")
    world.areas["street"] = street
    admin = await phone_of(world, "admin", role="admin", area="street")
    city = await phone_of(world, "city", role="admin", area="district")
    enclave = {"area_id": str(world.areas["building_1"]), "administrative_id": str(there)}
    made = await world.http.post("/v1/enclaves", json=enclave, headers=city.headers)
    assert made.status_code == 201, made.text
    assert await board(admin, world.areas["building_1"]) == "not_permitted"


async def test_only_staff_of_the_community_sees_doors(li: RawPhone) -> None:
    world = li.world
    building = world.areas["building_1"]
    district = await phone_of(world, "district", role="admin", area="district")
    assert await board(district, building) == "not_permitted"
    helper = await phone_of(world, "helper", role="helper")
    system = await phone_of(world, "system", role="system")
    for phone in (helper, system):
        assert await board(phone, building) == "not_permitted"
        assert (await ask(phone, building)).json()["code"] == "not_permitted"
    there = await second_community(world)
    assert await board(li, there) == "not_found"
    assert (await ask(li, there)).json()["code"] == "not_found"
    assert (await ask(district, world.areas["district"])).json()["code"] == "invalid"
    # Whoever has one building sees its doors, and of the grid no others.
    wang = await phone_of(world, "wang", area="building_2")
    assert [door["door"] for door in (await roster(wang))["doors"]] == ["1", "2"]


async def test_a_sensitive_tag_needs_a_legal_basis(li: RawPhone) -> None:
    [door, *_] = (await roster(li))["doors"]
    ground = {"household_id": door["id"], "tag": "ill", "since": "2026-03-02"}
    [refused] = await li.push(mutation(li.world, "tag_grounds", NEW_ID(), fields=ground))
    assert refused["problem"]["code"] == "no_legal_basis"
    assert refused["problem"]["titles"]["zh"] == "敏感标签须写明法律依据"
    assert refused["problem"]["errors"] == [{"pointer": "/fields/basis", "code": "no_legal_basis"}]
    for lawful in ({"basis": "consent"}, {"tag": "volunteer"}):
        await li.apply("tag_grounds", NEW_ID(), fields={**ground, **lawful})


async def test_the_office_lists_which_grounds_have_run_out(li: RawPhone) -> None:
    """Up to a day: none that last beyond it, none without an end, and none that somebody ended by deleting it."""
    [door, *_] = (await roster(li))["doors"]
    ground = {"household_id": door["id"], "tag": "volunteer", "since": "2026-03-02"}
    ids = {until: NEW_ID() for until in ("2026-11-21", "2026-11-22", "2026-11-23", None, "2026-11-20")}
    for until, id in ids.items():
        await li.apply("tag_grounds", id, fields={**ground, "until": until})
    await li.apply("tag_grounds", ids["2026-11-20"], "delete", 1)
    asked = {"until_to": "2026-11-22"}
    listed = await li.world.http.get("/v1/tag_grounds", params=asked, headers=li.headers)
    assert {one["id"] for one in listed.json()["items"]} == {str(ids["2026-11-21"]), str(ids["2026-11-22"])}
    # Renewed, it is listed no more.
    await li.apply("tag_grounds", ids["2026-11-22"], "update", 1, fields={"until": "2027-11-22"})
    listed = await li.world.http.get("/v1/tag_grounds", params=asked, headers=li.headers)
    assert [one["id"] for one in listed.json()["items"]] == [str(ids["2026-11-21"])]
