"""综合行政执法队: three forces under one street. An organisation has several parents at a time, each with its dates."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.context import Context
from app.operator import add_area
from tests.raw_phone import RawPhone, phone_of
from tests.world import World, new_world, nothing_drifted

Answer = dict[str, Any]


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    """With a second district, and the register of the first one kept by its administrator."""
    world = await new_world(context)
    world.areas["team"] = await add_area(context, code="team", name="team", level="team", parent_code="district")
    world.areas["district_2"] = await add_area(context, code="2", name="2", level="district", parent_code=None)
    yield world
    await world.http.aclose()
    await nothing_drifted(context)


@pytest.fixture
async def boss(world: World) -> RawPhone:
    phone = await phone_of(world, "boss", role="admin", area="district")
    await world.grant("boss", "district_2", "admin")
    return phone


async def send(world: World, who: RawPhone, path: str, body: Answer, method: str = "POST") -> Any:
    return await world.http.request(method, f"/v1/{path}", json=body, headers=who.headers)


async def registered(world: World, boss: RawPhone, name: str, area: str = "district", **fields: Any) -> str:
    answer = await send(world, boss, "organisations", {"area_id": str(world.areas[area]), "name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def affiliated(world: World, boss: RawPhone, one: str, other: str, **fields: Any) -> Any:
    said = {"organisation_id": one, "parent_id": other, "since": "2026-03-01", **fields}
    return await send(world, boss, "affiliations", said)


async def test_everyone_below_learns_of_one_force_under_three_departments(world: World, boss: RawPhone) -> None:
    force = await registered(world, boss, "综合行政执法队", team_id=str(world.areas["team"]))
    departments = [await registered(world, boss, name) for name in ("城管执法局", "市场监管局", "公安分局")]
    for department in departments:
        made = await affiliated(world, boss, force, department, kind="guides")
        assert (made.status_code, made.json()["home"]) == (201, str(world.areas["district"]))
    li = await phone_of(world, "li", area="building_1")
    await li.pull()
    li.check_digests()
    held = [
        change["fields"] for feed in li.feeds.values() for (name, _), change in feed.items() if name == "affiliations"
    ]
    assert {fields["parent_id"] for fields in held} == {*departments}
    assert {fields["organisation_id"] for fields in held} == {force}
    asked = await world.http.get("/v1/affiliations", params={"organisation_id": force}, headers=li.headers)
    assert len(asked.json()["items"]) == 3


async def test_an_affiliation_ends_on_its_last_day_and_stays_to_be_read(world: World, boss: RawPhone) -> None:
    force, department = await registered(world, boss, "执法队"), await registered(world, boss, "城管执法局")
    id = (await affiliated(world, boss, force, department)).json()["id"]
    ended = await send(world, boss, f"affiliations/{id}", {"until": "2026-06-30"}, "PATCH")
    assert (ended.status_code, ended.json()["until"]) == (200, "2026-06-30")
    early = await send(world, boss, f"affiliations/{id}", {"until": "2026-02-28"}, "PATCH")
    assert (early.status_code, early.json()["code"]) == (422, "invalid")
    assert [error["pointer"] for error in early.json()["errors"]] == ["/fields/until"]


async def test_no_organisation_is_its_own_parent(world: World, boss: RawPhone) -> None:
    force = await registered(world, boss, "执法队")
    refused = await affiliated(world, boss, force, force)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/fields/parent_id"]


async def test_both_stand_in_the_register_of_one_area(world: World, boss: RawPhone) -> None:
    force = await registered(world, boss, "执法队")
    for area in ("district_2", "community"):
        elsewhere = await registered(world, boss, "别处的局", area)
        refused = await affiliated(world, boss, force, elsewhere)
        assert (refused.status_code, refused.json()["code"]) == (422, "reference_not_found"), area
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/fields/parent_id"]


async def test_a_register_is_kept_by_who_administers_its_area(world: World, boss: RawPhone) -> None:
    force, department = await registered(world, boss, "执法队"), await registered(world, boss, "城管执法局")
    secretary = await phone_of(world, "secretary", role="admin", area="community")
    where = {"area_id": str(world.areas["district"]), "name": "私设的队"}
    refused = await send(world, secretary, "organisations", where)
    assert (refused.status_code, refused.json()["code"]) == (422, "reference_not_found")
    refused = await affiliated(world, secretary, force, department)
    assert (refused.status_code, refused.json()["code"]) == (422, "reference_not_found")
    renamed = await send(world, secretary, f"organisations/{force}", {"name": "改名"}, "PATCH")
    assert (renamed.status_code, renamed.json()["code"]) == (403, "not_permitted")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("11420107MB1A2B3C47", None), ("51420107MJX000001F", None), ("N2420107MF00000011", None),
        ("11420107MB1A2B3C46", "check_digit"), ("11420107MB1A2B3C4", "invalid"), ("1142010IMB1A2B3C47", "invalid"),
        ("11420107mb1a2b3c47", "invalid"), ("11420107MB1A2B3CO7", "invalid"),
    ],
)  # fmt: skip
async def test_a_credit_code_is_as_the_standard_says(world: World, boss: RawPhone, number: str, code: str) -> None:
    said = {"area_id": str(world.areas["district"]), "name": "某局", "credit_code": number}
    answer = await send(world, boss, "organisations", said)
    assert (answer.status_code, answer.json().get("code")) == ((422, code) if code else (201, None)), answer.text
