"""调解室: what is brought to a team of mediators reaches their phones and nobody else's, wherever the team lies."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from app.context import Context
from app.operator import add_area
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, bearer, household, mutation, new_world, nothing_drifted

Answer = dict[str, Any]
SECRET = "为漏水争了半个月"


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    """With two teams in the community and one above it, at the district."""
    world = await new_world(context)
    for name, parent in (("team", "community"), ("other_team", "community"), ("joint_team", "district")):
        world.areas[name] = await add_area(context, code=name, name=name, level="team", parent_code=parent)
    yield world
    await world.http.aclose()
    await nothing_drifted(context)


def case(world: World, team: str = "team", **fields: Any) -> Answer:
    return {"area_id": str(world.areas[team]), "opened_on": "2026-03-02", "parties": "501与601", **fields}


def home_of(world: World, team: str) -> UUID:
    """A team above communities is a home of its own."""
    return world.areas[team] if team == "joint_team" else world.home


async def brought(world: World, phone: RawPhone, team: str = "team", **fields: Any) -> UUID:
    """A new case, as a mediator's phone brings it."""
    id, home = NEW_ID(), str(home_of(world, team))
    said = mutation(world, "cases", id, fields=case(world, team, matter=SECRET, **fields), home=home)
    [outcome] = await phone.push(said, home=home)
    assert outcome["outcome"] == "applied", outcome
    return id


async def mediator(world: World, login: str, team: str = "team") -> RawPhone:
    return await phone_of(world, login, role="mediator", area=team)


@pytest.mark.parametrize("team", ["team", "joint_team"])
async def test_only_the_teams_own_receive_a_case_or_are_told_of_it(world: World, team: str) -> None:
    mei, shun = await mediator(world, "mei", team), await mediator(world, "shun", team)
    id = await brought(world, mei, team)
    await shun.pull()
    assert shun.holds("cases", id)["fields"]["matter"] == SECRET  # type: ignore[index]
    others = {
        "boss": ("admin", "district"), "secretary": ("secretary", "community"), "li": ("worker", "community"),
        "reader": ("reader", "district"), "system": ("system", "district"), "rival": ("mediator", "other_team"),
    }  # fmt: skip
    for login, (role, area) in others.items():
        phone = await phone_of(world, login, role=role, area=area)
        await phone.pull()
        assert phone.holds("cases", id) is None, login
        assert str(id) not in {row["id"] for row in (await get(world, phone, "/v1/cases")).json()["items"]}
        for path in (f"/v1/cases/{id}", f"/v1/cases/{id}/history"):
            foreign, absent = (
                await get(world, phone, path),
                await get(world, phone, path.replace(str(id), str(NEW_ID()))),
            )
            assert (foreign.status_code, foreign.json()) == (404, absent.json()), login
        change = {"base": 1, "fields": {"matter": "…"}, "home": str(home_of(world, team))}
        [outcome] = await phone.push(mutation(world, "cases", id, "update", **change), home=change["home"])
        assert outcome["problem"]["code"] == "not_found", login


async def get(world: World, phone: RawPhone, path: str) -> Any:
    return await world.http.get(path, headers=phone.headers)


async def test_an_officer_reads_what_lies_with_their_team_and_changes_nothing(world: World) -> None:
    mei, wei = await mediator(world, "mei"), await phone_of(world, "wei", role="officer", area="team")
    id = await brought(world, mei)
    await wei.pull()
    assert wei.holds("cases", id)
    outcome = await wei.say("cases", id, "update", 1, fields={"agreement": "…"})
    assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "not_permitted")


async def test_two_mediators_who_cross_find_the_conflict_on_their_own_phones_and_settle_it(world: World) -> None:
    mei, shun = await mediator(world, "mei"), await mediator(world, "shun")
    boss = await phone_of(world, "boss", role="admin", area="district")
    id = await brought(world, mei)
    await mei.apply("cases", id, "update", 1, fields={"kind": "noise"})
    crossed = await shun.say("cases", id, "update", 1, fields={"kind": "leak"})
    [conflict] = crossed["conflicts"]
    for phone in (mei, shun, boss):
        await phone.pull()
    assert mei.holds("conflicts", conflict)
    assert shun.holds("conflicts", conflict)
    assert boss.holds("conflicts", conflict) is None
    resolution = {"resolution": {"value": "leak", "base": 2, "after": None}}
    refused = await boss.say("conflicts", UUID(conflict), "update", 1, fields=resolution)
    assert refused["problem"]["code"] == "not_found"
    await mei.apply("conflicts", UUID(conflict), "update", 1, fields=resolution)
    assert (await mei.get("cases", id))["kind"] == "leak"


async def test_who_leaves_the_team_keeps_nothing_of_its_cases(world: World) -> None:
    mei, shun = await mediator(world, "mei"), await mediator(world, "shun")
    id = await brought(world, mei)
    await shun.pull()
    assert shun.holds("cases", id)
    await world.end_grant("shun", "team", "mediator")
    late = await shun.say("cases", id, "update", 1, fields={"kind": "noise"})
    assert late["outcome"] == "conflicted", "what they wrote before waits as a candidate"
    await shun.pull()
    assert shun.holds("cases", id) is None
    assert (await get(world, shun, f"/v1/cases/{id}")).status_code == 404


async def test_a_team_that_is_handed_over_keeps_its_people_and_its_cases(world: World) -> None:
    mei = await mediator(world, "mei")
    id = await brought(world, mei)
    boss = await phone_of(world, "boss", role="admin", area="district")
    body = {"to": str(world.areas["grid"]), "dry_run": False}
    moved = await world.http.post(f"/v1/areas/{world.areas['team']}/handover", json=body, headers=boss.headers)
    assert moved.status_code == 200, moved.text
    await mei.apply("cases", id, "update", 1, fields={"state": "settled"})
    li = await phone_of(world, "li", area="grid")
    for phone in (mei, li, boss):
        await phone.pull()
    assert mei.holds("cases", id)["rev"] == 2  # type: ignore[index]
    assert li.holds("cases", id) is None
    assert boss.holds("cases", id) is None


async def test_nothing_that_staff_sees_lies_in_a_team_and_no_case_elsewhere(world: World) -> None:
    mei = await phone_of(world, "mei", role="admin")
    await world.grant("mei", "team", "mediator")
    door = await mei.say("households", NEW_ID(), fields=household(world, unit="team"))
    assert door["problem"]["code"] == "area_without_feed"
    for area in ("building_1", "grid", "community"):
        outcome = await mei.say("cases", NEW_ID(), fields=case(world, area))
        assert outcome["problem"]["code"] == "area_without_feed", area


async def test_an_administrator_makes_a_team_and_a_security_administrator_fills_it(world: World) -> None:
    for login, role in (("boss", "admin"), ("guard", "security")):
        await world.add_person(login, role=role)
    shun = await world.add_person("shun", role="reader")
    boss, guard = bearer(await world.token("boss")), bearer(await world.token("guard"))
    fields = {"parent_id": str(world.home), "level": "team", "name": "顺顺吧"}
    made = await world.http.post("/v1/areas", json=fields, headers=boss)
    assert made.status_code == 201, made.text
    team = world.areas["顺顺吧"] = UUID(made.json()["id"])
    given = {"person_id": str(shun), "area_id": str(team), "role": "mediator"}
    assert (await world.http.post("/v1/grants", json=given, headers=guard)).status_code == 201
    phone = RawPhone(world, await world.phone_token("shun"))
    id = await brought(world, phone, "顺顺吧")
    await phone.pull()
    assert phone.holds("cases", id)
    for role, area in (("mediator", "building_1"), ("officer", "community"), ("worker", "team"), ("admin", "team")):
        said = {**given, "area_id": str(world.areas[area]), "role": role}
        answer = await world.http.post("/v1/grants", json=said, headers=guard)
        assert (answer.status_code, answer.json()["code"]) == (422, "role_unfit"), (role, area)
