"""协助人员: building heads, volunteers, sunk cadres. They share the doors; names are masked, the rest stays hidden."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.operator import Item, create_all
from app.views import Mask, masked_name, masked_number, masked_phone
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household, mutation

Answer = dict[str, Any]
SECRETS = ("欧阳小明", "13812345678", "11010519491231002X", "糖尿病", "disabled", "住院", "7号系统")


class Door:
    """A household in building 1 with a resident and a visit, all full of what isn't a helper's to see."""

    def __init__(self, world: World, boss: RawPhone) -> None:
        self.world, self.boss = world, boss
        self.household, self.resident, self.visit = NEW_ID(), NEW_ID(), NEW_ID()

    async def make(self) -> "Door":
        fields = household(self.world, "101", tags=["disabled"], note="住院了。", external_id="7号系统")
        resident: Answer = {"household_id": str(self.household), "name": "欧阳小明", "phone": "13812345678"}
        resident |= {"id_number": "11010519491231002X", "birth_date": "1949-12-31", "note": "糖尿病。"}
        visit: Answer = {"household_id": str(self.household), "outcome": "opened", "note": "糖尿病。", "needs": ["x"]}
        await self.boss.push(
            mutation(self.world, "households", self.household, fields=fields),
            mutation(self.world, "residents", self.resident, fields=resident),
            mutation(self.world, "visits", self.visit, fields=visit),
        )
        return self


async def a_door(world: World) -> Door:
    return await Door(world, await phone_of(world, f"boss_{NEW_ID()}", role="admin")).make()


async def helper(world: World, login: str = "lou", area: str = "building_1") -> RawPhone:
    phone = await phone_of(world, login, role="helper", area=area)
    await phone.pull()
    return phone


def shown(phone: RawPhone, collection: str, id: UUID) -> Answer:
    change = phone.holds(collection, id)
    assert change is not None
    return dict(change["fields"])


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        *[(masked_name, "王小四", "王*四"), (masked_name, "李四", "李*"), (masked_name, "欧阳小明", "欧**明")],
        *[(masked_name, "王", "王*"), (masked_phone, "13812345678", "138******78"), (masked_phone, "12345", "*****")],
        *[(masked_number, "11010519491231002X", f"1{'*' * 16}X"), (masked_phone, None, None), (masked_name, "", "")],
    ],
)
def test_a_mask_leaves_what_tells_people_apart(mask: Mask, value: JsonValue, shown: JsonValue) -> None:
    assert mask(value) == shown


async def test_a_helpers_phone_gets_masked_names_and_nothing_that_is_hidden(world: World) -> None:
    door = await a_door(world)
    lou = await helper(world)
    assert shown(lou, "residents", door.resident) | {"relation": ""} == {
        "household_id": str(door.household), "name": "欧**明", "phone": "138******78", "sex": None,
        "id_number": f"1{'*' * 16}X", "relation": "",
    }  # fmt: skip
    assert shown(lou, "households", door.household).keys() == COLLECTIONS["households"].helper_view.keys()
    assert shown(lou, "visits", door.visit)["outcome"] == "opened"
    held = str([*lou.feeds.values()])
    assert not [secret for secret in SECRETS if secret in held]
    lou.check_digests()


async def test_what_is_written_later_comes_too_and_what_is_deleted_goes(world: World) -> None:
    lou = await helper(world)
    door = await a_door(world)
    await door.boss.apply("residents", door.resident, "update", 1, fields={"name": "王小四"})
    await lou.pull()
    assert shown(lou, "residents", door.resident)["name"] == "王*四"
    await door.boss.apply("residents", door.resident, "delete", 2)
    await lou.pull()
    assert lou.holds("residents", door.resident) is None
    lou.check_digests()


async def test_staff_see_all_of_it_beside_helpers(world: World) -> None:
    door = await a_door(world)
    await helper(world)
    li = await phone_of(world, "li", area="building_1")
    await li.pull()
    assert shown(li, "residents", door.resident)["name"] == "欧阳小明"
    li.check_digests()


async def test_whoever_is_both_is_shown_the_whole_once(world: World) -> None:
    door = await a_door(world)
    lou = await helper(world)
    await world.grant("lou", "grid", "worker")
    read = await lou.get("residents", door.resident)
    assert read["name"] == "欧阳小明"
    listed = (await world.http.get("/v1/residents", headers=lou.headers)).json()
    assert [one["name"] for one in listed["items"]] == ["欧阳小明"]
    assert listed["next"] is None
    await world.end_grant("lou", "grid")
    assert (await lou.get("residents", door.resident))["name"] == "欧**明"


async def test_pages_of_a_list_hold_each_record_once_for_whoever_has_both_views(world: World) -> None:
    await a_door(world)
    for _ in range(4):
        await a_door(world)
    lou = await helper(world)
    await world.grant("lou", "grid", "worker")
    found, after = [], None
    while True:
        asked: Answer = {"limit": 2} | ({"after": after} if after else {})
        page = (await world.http.get("/v1/residents", params=asked, headers=lou.headers)).json()
        found += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(found) == len(set(found)) == 5


async def test_reading_and_history_show_a_helper_the_same_view(world: World) -> None:
    door = await a_door(world)
    await door.boss.apply("residents", door.resident, "update", 1, fields={"name": "王小四", "note": "住院了。"})
    lou = await helper(world)
    read = await lou.get("residents", door.resident)
    assert (read["name"], "note" in read, read["rev"]) == ("王*四", False, 2)
    history = await world.http.get(f"/v1/residents/{door.resident}/history", headers=lou.headers)
    [newest, _] = history.json()["history"]
    assert (newest["fields"], newest["was"]) == ({"name": "王*四"}, {"name": "欧**明"})
    assert not [secret for secret in SECRETS if secret in history.text]


async def test_a_list_can_not_be_asked_for_what_is_hidden(world: World) -> None:
    door = await a_door(world)
    lou = await helper(world)
    for asked in ({"tags": "disabled"}, {"tags": "none"}, {"external_id": "7号系统"}):
        found = await world.http.get("/v1/households", params=asked, headers=lou.headers)
        assert found.json()["items"] == [], asked
    found = await world.http.get("/v1/households", params={"use": "self_occupied"}, headers=lou.headers)
    assert [one["id"] for one in found.json()["items"]] == [str(door.household)]


async def test_a_helper_writes_visits_and_changes_nothing_they_do_not_see(world: World) -> None:
    door = await a_door(world)
    lou, visit = await helper(world), NEW_ID()
    fields: Answer = {"household_id": str(door.household), "outcome": "nobody_home", "note": "门口有报纸。"}
    outcomes = await lou.push(
        mutation(world, "visits", visit, fields=fields),
        mutation(world, "visits", door.visit, "update", 1, fields={"note": "没看见过的"}),
        mutation(world, "visits", door.visit, "delete", 1),
        mutation(world, "residents", NEW_ID(), fields={"household_id": str(door.household), "name": "新人"}),
        mutation(world, "residents", door.resident, "update", 1, fields={"name": "王*四"}),
        mutation(world, "households", door.household, "update", 1, fields={"door": "102"}),
    )
    told = [one["problem"]["code"] if one.get("problem") else one["outcome"] for one in outcomes]
    assert told == [
        "applied",
        "not_permitted",
        "not_permitted",
        "reference_not_found",
        "not_permitted",
        "not_permitted",
    ]
    await lou.pull()
    assert "note" not in shown(lou, "visits", visit)
    assert (await door.boss.get("visits", visit))["note"] == "门口有报纸。"
    assert (await door.boss.get("residents", door.resident))["name"] == "欧阳小明"


async def test_conflicts_are_not_a_helpers_to_see(world: World) -> None:
    door = await a_door(world)
    lou = await helper(world)
    li = await phone_of(world, "li", area="building_1")
    await door.boss.apply("residents", door.resident, "update", 1, fields={"name": "王小四"})
    [outcome] = await li.push(mutation(world, "residents", door.resident, "update", 1, fields={"name": "王小五"}))
    [conflict] = outcome["conflicts"]
    await lou.pull()
    assert lou.holds("conflicts", conflict) is None
    answer = await world.http.get(f"/v1/conflicts/{conflict}", headers=lou.headers)
    assert answer.json()["code"] == "not_found"


async def test_what_moves_out_of_a_helpers_building_leaves_their_phone(world: World) -> None:
    door = await a_door(world)
    lou = await helper(world)
    await door.boss.apply("households", door.household, "update", 1, fields={"area_id": str(world.areas["unit_2"])})
    await lou.pull()
    assert [lou.holds(*one) for one in (("households", door.household), ("visits", door.visit))] == [None, None]
    lou.check_digests()
    two = await helper(world, "two", "building_2")
    assert shown(two, "residents", door.resident)["name"] == "欧**明"


async def test_a_building_that_is_new_or_handed_over_is_seen_by_the_helper_of_its_grid(world: World) -> None:
    lou, boss = await helper(world, area="grid"), await phone_of(world, "boss", role="admin")
    grid, building = NEW_ID(), NEW_ID()
    fields: Answer = {"parent_id": str(world.home), "level": "grid", "name": "g"}
    below: Answer = {"parent_id": str(grid), "level": "building", "name": "b"}
    for id, said in ((grid, fields), (building, below)):
        await create_all(world.context, [Item(collection="areas", record=str(id), home=str(world.home), fields=said)])
    door = NEW_ID()
    await boss.apply("households", door, "create", fields={"area_id": str(building), "door": "301"})
    await lou.pull()
    assert lou.holds("households", door) is None
    given = {"to": str(world.areas["grid"]), "dry_run": False}
    assert (
        await world.http.post(f"/v1/areas/{building}/handover", json=given, headers=boss.headers)
    ).status_code == 200
    new = NEW_ID()
    there: Answer = {"parent_id": str(world.areas["grid"]), "level": "building", "name": "c"}
    await create_all(world.context, [Item(collection="areas", record=str(new), home=str(world.home), fields=there)])
    other = NEW_ID()
    await boss.apply("households", other, "create", fields={"area_id": str(new), "door": "401"})
    await lou.pull()
    assert shown(lou, "households", door)["door"] == "301"
    assert shown(lou, "households", other)["door"] == "401"
    lou.check_digests()


async def test_a_push_that_crosses_the_opening_of_the_view_is_in_it(world: World) -> None:
    boss = await phone_of(world, "boss", role="admin")
    doors = [NEW_ID() for _ in range(40)]

    async def write(some: list[UUID]) -> None:
        for door in some:
            await boss.push(mutation(world, "households", door, fields=household(world, str(door)[:8])))

    crowd = [write(doors[n::8]) for n in range(8)]
    lou, *_ = await asyncio.gather(helper(world), *crowd)
    await lou.pull()
    assert all(lou.holds("households", door) for door in doors)
    lou.check_digests()


async def test_an_ended_helper_keeps_nothing(world: World) -> None:
    door = await a_door(world)
    lou = await helper(world)
    await world.end_grant("lou", "building_1")
    await lou.pull()
    assert lou.holds("households", door.household) is None
    answer = await world.http.get(f"/v1/households/{door.household}", headers=lou.headers)
    assert answer.json()["code"] == "not_found"
