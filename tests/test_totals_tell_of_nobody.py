"""What is counted of an area: right to the last door inside its community, too little to name anybody outside it."""

from datetime import date
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.operator import add_area
from app.reports.blurring import HIDDEN_BELOW, STEP, blurred
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.test_a_report_comes_in_every_form import cells_of
from tests.world import NEW_ID, World, household

Answer = dict[str, Any]
TODAY = date(2026, 11, 22)


@pytest.fixture
async def li(world: World) -> RawPhone:
    """The community's secretary, who has registered what is counted: in building 2 twice as much as in building 1."""
    li = await phone_of(world, "li", role="secretary")
    year = world.context.seams.now().year
    for n in range(9):
        door = NEW_ID()
        unit = "unit_1" if n < 3 else "unit_2"
        tags = ["living_alone"] if n % 3 == 0 else []
        await li.apply("households", door, fields=household(world, str(n), unit, tags=tags))
        for age, tag in ((30, []), (60, ["ill"]), (81, ["ill", "disabled"])):
            fields = {"household_id": str(door), "name": "某", "birth_date": f"{year - age}-01-01", "tags": tag}
            await li.apply("residents", NEW_ID(), fields=fields)
    gone = NEW_ID()
    await li.apply("households", gone, fields=household(world, "gone", tags=["living_alone"]))
    await li.apply("households", gone, "delete", 1)
    return li


async def totals(phone: RawPhone, area: UUID, *tags: str) -> Any:
    parameters = {"area_id": str(area), "tag": tags}
    answer = await phone.world.http.get("/v1/reports/totals", params=parameters, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


def counted(row: Answer) -> tuple[Any, ...]:
    return row["households"], row["residents"], row["aged_60"], row["aged_80"]


async def test_inside_the_community_every_number_is_told(world: World, li: RawPhone) -> None:
    said = await totals(li, world.areas["grid"])
    assert said["hidden_below"] is None
    assert counted(said["whole"]) == (9, 27, 18, 9)
    assert said["whole"]["household_tags"] == {"living_alone": 3}
    assert said["whole"]["resident_tags"] == {"disabled": 9, "ill": 18}
    assert [(part["name"], *counted(part)) for part in said["parts"]] == [
        ("building_1", 3, 9, 6, 3),
        ("building_2", 6, 18, 12, 6),
    ]
    assert [part["household_tags"]["living_alone"] for part in said["parts"]] == [1, 2]
    # From further up it is the same sum; of a unit there are no parts.
    assert (await totals(li, world.areas["community"]))["whole"]["residents"] == 27
    unit = await totals(li, world.areas["unit_1"])
    assert (counted(unit["whole"]), unit["parts"]) == ((3, 9, 6, 3), [])


async def test_whose_birth_date_nobody_wrote_down_is_as_old_as_the_id_number_says(world: World, li: RawPhone) -> None:
    door, before = NEW_ID(), counted((await totals(li, world.areas["unit_1"]))["whole"])
    await li.apply("households", door, fields=household(world, "last", "unit_1"))
    for said in ({"id_number": "11010519491231002X"}, {}, {"birth_date": "1990-01-01"}):
        await li.apply("residents", NEW_ID(), fields={"household_id": str(door), "name": "某", **said})
    of_eighty = world.context.seams.now().date() >= date(2029, 12, 31)
    more = zip(before, (1, 3, 1, int(of_eighty)), strict=True)
    assert counted((await totals(li, world.areas["unit_1"]))["whole"]) == tuple(map(sum, more))


async def test_from_above_small_numbers_are_not_told_and_others_only_nearly(world: World, li: RawPhone) -> None:
    district = await phone_of(world, "district", role="admin", area="district")
    said = await totals(district, world.areas["grid"])
    assert said["hidden_below"] == HIDDEN_BELOW
    one, two = said["parts"]
    assert counted(said["whole"]) == (10, 30, 20, 10)
    assert (counted(one), counted(two)) == ((None, 10, 10, None), (10, 20, 10, 10))
    assert said["whole"]["household_tags"] == {"living_alone": None}
    assert [part["resident_tags"]["ill"] for part in said["parts"]] == [10, 10]
    # Asked one by one they say the same of themselves: no two answers differ by what neither tells.
    for part in said["parts"]:
        alone = (await totals(district, UUID(part["area_id"])))["whole"]
        assert alone == part
    assert counted((await totals(district, world.areas["district"]))["whole"]) == (10, 30, 20, 10)
    # Who also works in the community is told what they see there anyway.
    await world.grant("district", "grid", "worker")
    assert (await totals(district, world.areas["grid"]))["hidden_below"] is None
    assert (await totals(district, world.areas["community"]))["hidden_below"] is None
    await add_area(world.context, code=None, name="3", level="building", parent_code="community")
    assert (await totals(district, world.areas["community"]))["hidden_below"] == HIDDEN_BELOW


async def test_whoever_has_any_of_some_tags_counts_once(world: World, li: RawPhone) -> None:
    door = NEW_ID()
    await li.apply("households", door, fields=household(world, "last", "unit_1", tags=["ill"]))
    for tags in (["mentally_ill"], ["mentally_ill", "disabled"], ["volunteer"]):
        await li.apply("residents", NEW_ID(), fields={"household_id": str(door), "name": "某", "tags": tags})
    gone = NEW_ID()
    await li.apply("residents", gone, fields={"household_id": str(door), "name": "某", "tags": ["disabled"]})
    await li.apply("residents", gone, "delete", 1)

    async def any_of(phone: RawPhone, *tags: str, area: str = "grid") -> list[int | None]:
        said = await totals(phone, world.areas[area], *tags)
        assert said["tag"] == sorted({*tags})
        return [row["any_of"] for row in (said["whole"], *said["parts"])]

    # Nine are ill and disabled as well, and one disabled and mentally ill.
    assert await any_of(li, "disabled", "mentally_ill") == [11, 5, 6]
    assert await any_of(li, "disabled", "ill", "mentally_ill", "ill") == [20, 8, 12]
    assert await any_of(li, "mentally_ill") == [2, 2, 0]
    # A household's tag is nobody's.
    assert await any_of(li, "living_alone") == [0, 0, 0]
    assert await any_of(li, "disabled", area="unit_1") == [4]
    district = await phone_of(world, "district", role="admin", area="district")
    assert await any_of(district, "disabled", "mentally_ill") == [10, 10, 10]
    assert await any_of(district, "mentally_ill") == [None, None, None]
    unasked = await totals(li, world.areas["grid"])
    assert unasked["tag"] == []
    assert not any("any_of" in row for row in (unasked["whole"], *unasked["parts"]))


async def test_ten_tags_are_asked_for_together_and_each_is_a_code(world: World, li: RawPhone) -> None:
    grid, ten = world.areas["grid"], [f"tag_{n}" for n in range(10)]
    assert (await totals(li, grid, *ten))["whole"]["any_of"] == 0
    assert await totals(li, grid, *ten, "one_more") == (400, "bad_request")
    assert await totals(li, grid, "Ill'") == (400, "bad_request")
    twice = f"/v1/reports/totals?area_id={grid}&tag=ill&tag=disabled&form=json&form=json"
    answer = await world.http.get(twice, headers=li.headers)
    assert answer.json()["errors"] == [{"pointer": "/form", "code": "repeated"}]


async def test_a_workbook_says_of_which_tags_it_counts_any(world: World, li: RawPhone) -> None:
    async def sheets(**tags: Any) -> list[list[list[str]]]:
        asked = {"area_id": str(world.areas["grid"]), "form": "xlsx", **tags}
        answer = await world.http.get("/v1/reports/totals", params=asked, headers=li.headers)
        return [*cells_of(answer.content).values()]

    def counted(parts: list[list[str]]) -> list[str]:
        at = [n for n, heading in enumerate(parts[0]) if heading.startswith("有所问标签之一的人数")]
        return [row[n] for row in parts[1:] for n in at]

    about, parts = await sheets(tag=["ill", "disabled"])
    assert [row[1] for row in about if row[0].startswith("所问标签")] == ["disabled、ill"]
    assert counted(parts) == ["6", "12", "18"]
    about, parts = await sheets()
    assert not any("标签" in row[0] for row in about)
    assert counted(parts) == []


async def test_only_what_one_may_see_is_counted(world: World, li: RawPhone) -> None:
    await second_community(world)
    helper = await phone_of(world, "helper", role="helper", area="building_1")
    stranger = await phone_of(world, "stranger", area="community_b")
    worker = await phone_of(world, "worker", area="building_1")
    assert await totals(helper, world.areas["grid"]) == (403, "not_permitted")
    assert await totals(stranger, world.areas["grid"]) == (404, "not_found")
    assert await totals(stranger, NEW_ID()) == (404, "not_found")
    said = await totals(worker, world.areas["grid"])
    assert (counted(said["whole"]), [part["name"] for part in said["parts"]]) == ((3, 9, 6, 3), ["building_1"])


@given(st.integers(0, 10_000))
def test_a_blurred_count_is_unknown_or_within_five(many: int) -> None:
    told = blurred(many)
    if many < HIDDEN_BELOW:
        assert told is None
    else:
        assert told is not None
        assert told > 0
        assert told % STEP == 0
        assert abs(told - many) <= STEP // 2


@pytest.mark.parametrize(("parts", "most"), [(2, 30), (3, 14), (4, 9)])
def test_no_hidden_count_follows_from_the_whole_and_its_other_parts(parts: int, most: int) -> None:
    meant: dict[Any, list[set[int]]] = {}
    for counts in product(range(most + 1), repeat=parts):
        told = (blurred(sum(counts)), *map(blurred, counts))
        for possible, many in zip(meant.setdefault(told, [set() for _ in counts]), counts, strict=True):
            possible.add(many)
    found_out = [
        told
        for told, cells in meant.items()
        for said, possible in zip(told[1:], cells, strict=True)
        if said is None and len(possible) == 1
    ]
    assert not found_out
