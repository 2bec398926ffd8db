"""Who gives roles, what can't be given, and what a role shows: over HTTP, on both stores."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.context import Context
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, PASSWORD, World, bearer, household, new_world

Answer = dict[str, Any]


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    world = await new_world(context)
    await world.add_person("zhong", role="security", area="district")
    await world.add_person("xi", role="system", area="district")
    await world.add_person("shen", role="audit", area="district")
    yield world
    await world.http.aclose()


async def ask(world: World, who: str, method: str, path: str, **options: Any) -> httpx.Response:
    headers = bearer(await world.token(who))
    return await world.http.request(method, f"/v1/{path}", headers=headers, **options)


async def give(world: World, login: str, area: str, role: str = "worker", **more: Any) -> httpx.Response:
    body = {"person_id": str(world.people[login]), "area_id": str(world.areas[area]), "role": role, **more}
    return await ask(world, "zhong", "POST", "grants", json=body)


async def grants_of(world: World, who: str, **asked: Any) -> list[Answer]:
    answer = await ask(world, who, "GET", "grants", params=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["grants"])


async def a_door(world: World) -> UUID:
    """In unit_2, made by an administrator."""
    boss, door = await phone_of(world, "boss", role="admin"), NEW_ID()
    await boss.apply("households", door, "create", fields=household(world, unit="unit_2"))
    return door


async def test_a_role_given_shows_its_area_with_the_next_pull_and_ended_takes_it_away(world: World) -> None:
    door = await a_door(world)
    li = await phone_of(world, "li", area="building_1")
    await li.pull()
    assert li.holds("households", door) is None
    given = await give(world, "li", "building_2")
    assert given.status_code == 201, given.text
    await li.pull()
    assert li.holds("households", door)
    ended = await ask(world, "zhong", "DELETE", f"grants/{given.json()['id']}")
    assert ended.status_code == 204
    await li.pull()
    assert li.holds("households", door) is None
    [newest, _] = await grants_of(world, "li")
    assert (newest["id"], newest["until"] is None) == (given.json()["id"], False)


async def test_a_first_secretarys_role_ends_by_itself(world: World) -> None:
    door, person = await a_door(world), await phone_of(world, "first", area="building_1")
    until = (world.context.seams.now() + timedelta(seconds=2)).isoformat()
    given = await give(world, "first", "community", "first_secretary", until=until)
    assert given.status_code == 201, given.text
    await person.pull()
    assert person.holds("households", door)
    await asyncio.sleep(2)
    await person.pull()
    assert person.holds("households", door) is None


@pytest.mark.parametrize("login", ["zhong", "xi", "shen"])
async def test_the_three_administrators_see_no_resident(world: World, login: str) -> None:
    door = await a_door(world)
    phone = RawPhone(world, await world.phone_token(login))
    await phone.pull()
    assert phone.feeds
    assert {collection for feed in phone.feeds.values() for collection, _ in feed} <= {"areas", "codes"}
    assert (await ask(world, login, "GET", f"households/{door}")).status_code == 404
    assert (await ask(world, login, "GET", "households")).json()["items"] == []


@pytest.mark.parametrize(
    ("role", "area", "more", "code"),
    [
        ("secretary", "building_1", {}, "role_unfit"),
        ("worker", "district", {}, "role_unfit"),
        ("audit", "building_1", {}, "role_unfit"),
        ("first_secretary", "community", {}, "end_needed"),
        ("worker", "grid", {"until": "2020-01-01T00:00:00Z"}, "dates_backward"),
        ("worker", "building_1", {}, "grant_overlaps"),
        ("worker", "building_1", {"since": "2099-01-01T00:00:00+08:00"}, "grant_overlaps"),
        ("worker", "nowhere", {}, "reference_not_found"),
        ("emperor", "grid", {}, "bad_request"),
        ("worker", "grid", {"since": "2026-03-02T08:00:00"}, "bad_request"),
        ("worker", "grid", {"since": "0001-01-01T00:00:00+14:00"}, "bad_request"),
        ("worker", "grid", {"until": "9999-12-31T23:59:59-12:00"}, "bad_request"),
        ("worker", "grid", {"reason": "\x00"}, "bad_request"),
    ],
)
async def test_what_can_not_be_given_is_told_and_changes_nothing(
    world: World, role: str, area: str, more: Answer, code: str
) -> None:
    await world.add_person("li", area="building_1")
    world.areas["nowhere"] = NEW_ID()
    before = await grants_of(world, "zhong")
    refused = await give(world, "li", area, role, **more)
    assert refused.json()["code"] == code, refused.text
    assert await grants_of(world, "zhong") == before


async def test_nobody_gets_a_role_who_is_not_there(world: World) -> None:
    world.people["nobody"] = NEW_ID()
    refused = await give(world, "nobody", "building_1")
    assert (refused.status_code, refused.json()["code"]) == (422, "reference_not_found")
    assert refused.json()["errors"] == [{"pointer": "/person_id", "code": "reference_not_found"}]


async def test_nobody_gives_themselves_a_role(world: World) -> None:
    assert (await give(world, "zhong", "building_1")).json()["code"] == "not_permitted"
    assert len(await grants_of(world, "zhong", person_id=str(world.people["zhong"]))) == 1


@pytest.mark.parametrize("who", ["boss", "xi", "shen", "li"])
async def test_only_security_administrators_give_and_end_roles(world: World, who: str) -> None:
    await world.add_person("boss", role="admin")
    await world.add_person("li", area="building_1")
    [held] = await grants_of(world, "li")
    body = {"person_id": str(world.people["li"]), "area_id": str(world.areas["building_2"]), "role": "worker"}
    assert (await ask(world, who, "POST", "grants", json=body)).json()["code"] == "not_permitted"
    ended = await ask(world, who, "DELETE", f"grants/{held['id']}")
    assert ended.json()["code"] == ("not_found" if who == "xi" else "not_permitted")
    assert await grants_of(world, "li") == [held]


async def test_what_lies_outside_ones_areas_is_as_if_it_were_not(world: World) -> None:
    await world.add_person("bao", role="security", area="community")
    await world.add_person("far", role="admin", area="district")
    [theirs] = await grants_of(world, "far", person_id=str(world.people["far"]))
    body = {"person_id": str(world.people["far"]), "area_id": str(world.areas["district"]), "role": "reader"}
    assert (await ask(world, "bao", "POST", "grants", json=body)).json()["code"] == "reference_not_found"
    foreign = await ask(world, "bao", "DELETE", f"grants/{theirs['id']}")
    absent = await ask(world, "bao", "DELETE", f"grants/{NEW_ID()}")
    assert {foreign.json()["code"], absent.json()["code"]} == {"not_found"}
    assert {one["person_id"] for one in await grants_of(world, "bao")} == {str(world.people["bao"])}


async def test_nobody_is_two_of_the_three_administrators(world: World) -> None:
    await world.add_person("li", area="building_1")
    assert (await give(world, "li", "community", "security")).status_code == 201
    refused = await give(world, "li", "district", "audit")
    assert (refused.status_code, refused.json()["code"]) == (409, "roles_kept_apart")
    [security] = [one for one in await grants_of(world, "li") if one["role"] == "security"]
    await ask(world, "zhong", "DELETE", f"grants/{security['id']}")
    assert (await give(world, "li", "district", "audit")).status_code == 201


async def test_of_one_role_given_twice_at_once_only_one_is_held(world: World) -> None:
    await world.add_person("li", area="building_1")
    answers = await asyncio.gather(*(give(world, "li", "building_2") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert len(await grants_of(world, "li")) == 2


async def test_a_list_of_grants_is_read_page_by_page(world: World) -> None:
    for n in range(5):
        await world.add_person(f"p{n}", area="building_1")
    whole, read, asked = await grants_of(world, "shen"), [], {"limit": 3}
    while True:
        page = (await ask(world, "shen", "GET", "grants", params=asked)).json()
        read += page["grants"]
        if page["next"] is None:
            break
        asked["before"] = page["next"]
    assert read == whole
    assert len(whole) == 8
    assert await grants_of(world, "shen", area_id=str(world.areas["building_1"])) == whole[:5]


async def test_an_account_is_made_without_any_role_and_disabled_at_once(world: World) -> None:
    made = await ask(world, "xi", "POST", "people", json={"login": "wang", "password": PASSWORD})
    assert made.status_code == 201, made.text
    assert PASSWORD not in made.text
    id = UUID(made.json()["id"])
    form = {"grant_type": "password", "username": "wang", "password": PASSWORD}
    signed = bearer((await world.http.post("/v1/auth/token", data=form)).json()["access_token"])
    assert (await world.http.get("/v1/areas", headers=signed)).json()["items"] == []
    assert (await ask(world, "xi", "DELETE", f"people/{id}")).status_code == 204
    assert (await world.http.get("/v1/areas", headers=signed)).json()["code"] == "person_disabled"
    assert (await world.http.post("/v1/auth/token", data=form)).json()["code"] == "wrong_credentials"
    world.people["wang"] = id
    assert (await give(world, "wang", "grid")).json()["code"] == "reference_not_found"
    [newest, *_] = (await ask(world, "shen", "GET", "people")).json()["people"]
    assert (newest["login"], newest["disabled_at"] is None) == ("wang", False)


@pytest.mark.parametrize("who", ["zhong", "shen", "li"])
async def test_only_system_administrators_make_and_disable_accounts(world: World, who: str) -> None:
    li = await world.add_person("li", area="building_1")
    account = {"login": "wang", "password": PASSWORD}
    assert (await ask(world, who, "POST", "people", json=account)).json()["code"] == "not_permitted"
    assert (await ask(world, who, "DELETE", f"people/{li}")).json()["code"] == "not_permitted"
    assert (await ask(world, who, "GET", "people")).status_code == (403 if who == "li" else 200)


async def test_nobody_disables_themselves(world: World) -> None:
    refused = await ask(world, "xi", "DELETE", f"people/{world.people['xi']}")
    assert refused.json()["code"] == "not_permitted"
    assert (await ask(world, "xi", "GET", "people")).status_code == 200


@pytest.mark.parametrize("login", ["", " wang", "w\x00", "x" * 65])
async def test_a_login_nobody_can_type_is_refused(world: World, login: str) -> None:
    refused = await ask(world, "xi", "POST", "people", json={"login": login, "password": PASSWORD})
    assert refused.json()["code"] == "bad_request"
