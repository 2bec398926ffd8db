"""The duty list over HTTP: on the server what a phone computes from its own copy, and only from what one may see."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.context import Context
from app.main import create_app
from app.settings import Settings
from sync.calendar import Records
from sync.client import Client
from sync.days import day_of
from sync.duty import duty_list
from sync.replica import Replica
from sync.store import MemoryStore
from tests.contract import client_of
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.world import NEW_ID, PASSWORD, World, household, new_world, nothing_drifted

Answer = dict[str, Any]


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    world = await new_world(context)
    yield world
    await world.http.aclose()
    await nothing_drifted(context)


@pytest.fixture
async def li(world: World) -> RawPhone:
    """Of the whole community."""
    return await phone_of(world, "li", role="secretary")


def today(world: World) -> date:
    return day_of(world.context.seams.now(), world.context.day_begins)


async def made(phone: RawPhone, collection: str, **fields: Any) -> str:
    answer = await phone.world.http.post(f"/v1/{collection}", json=fields, headers=phone.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def duties(phone: RawPhone, area: UUID, **more: str) -> Any:
    parameters = {"area_id": str(area), **more}
    answer = await phone.world.http.get("/v1/reports/duties", params=parameters, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


async def held(phone: RawPhone) -> Records:
    """All that a phone holds, by collection."""
    await phone.pull()
    found: dict[str, dict[str, Any]] = {}
    for feed in phone.feeds.values():
        for (collection, id), change in feed.items():
            found.setdefault(collection, {})[id] = change["fields"]
    return found


async def grid_with_work(world: World, li: RawPhone) -> list[str]:
    """Doors in both buildings, some with a plan, some visited; two members, and a day of rest."""
    now = today(world)
    people = [str(await world.add_person(login)) for login in ("an", "bo")]
    for n, person in enumerate(people):
        member = {"person_id": person, "name": f"组员{n}", "per_day": 3, "since": str(now - timedelta(days=9))}
        await made(li, "members", area_id=str(world.areas["grid"]), **member)
    await made(
        li,
        "members",
        area_id=str(world.areas["grid"]),
        person_id=people[0],
        name="往日",
        since="2020-01-01",
        until="2021-01-01",
    )
    doors = [await made(li, "households", **household(world, str(n), f"unit_{1 + n % 2}")) for n in range(9)]
    for n, door in enumerate(doors):
        whom = {"resident_id": await made(li, "residents", household_id=door, name=f"居民{n}")} if n % 3 == 0 else {}
        since = str(now - timedelta(days=20 if n % 2 else 0))
        plan = {"every_days": 1 + n % 4, "days": "all_days", "risk": 1 + n % 3, "responsible": people[: 1 + n % 2]}
        await made(li, "care_plans", household_id=door, since=since, **plan, **whom)
        for ago in range(n % 4):
            when = (world.context.seams.now() - timedelta(days=ago)).isoformat()
            met = {"persons_met": [*whom.values()], "channel": ("door", "phone", "window")[n % 3]}
            outcome = "nobody_home" if ago == 0 and n % 2 else "opened"
            await made(li, "visits", household_id=door, outcome=outcome, visited_at=when, **met)
    return doors


async def test_phone_and_server_list_the_same_for_every_day_of_a_week(world: World, li: RawPhone) -> None:
    await grid_with_work(world, li)
    kept, area = await held(li), world.areas["grid"]
    lists = []
    for day in (today(world) + timedelta(days=n) for n in range(-3, 5)):
        said = await duties(li, area, day=str(day))
        assert said == duty_list(kept, day, str(area))
        lists.append(said)
    assert {len(said["members"]) for said in lists} == {2}
    assert any(said["undone"] for said in lists)
    assert any(door.get("shared") for said in lists for share in said["members"] for door in share["doors"])
    assert await duties(li, area) == lists[3], "without a day it is today's"
    assert (await duties(li, area, group="second"))["members"] != lists[3]["members"]


async def test_a_worker_of_one_building_is_listed_its_doors_as_their_phone_would(world: World, li: RawPhone) -> None:
    doors, day = await grid_with_work(world, li), today(world)
    sun = await phone_of(world, "sun", area="building_1")
    said = await duties(sun, world.areas["grid"])
    assert said == duty_list(await held(sun), day, str(world.areas["grid"]))
    # Who sees the other building masked as well: of that no plan is theirs to see.
    await world.grant("sun", "building_2", "helper")
    assert duty_list(await held(sun), day, str(world.areas["grid"])) == said == await duties(sun, world.areas["grid"])
    named = [door["household"] for share in said["members"] for door in share["doors"]] + [
        d["household"] for d in said["undone"]
    ]
    assert named
    assert {*named} <= {door for n, door in enumerate(doors) if n % 2 == 0}


async def test_days_of_rest_hold_where_the_code_list_says(world: World, li: RawPhone) -> None:
    boss = await phone_of(world, "boss", role="system", area="district")
    monday = date(2026, 11, 23)
    assert (await duties(li, world.areas["grid"], day=str(monday)))["worked"]
    rest = {"area_id": str(world.areas["district"]), "list": "rest_day", "code": "2026_11_23", "name": "休息"}
    await made(boss, "codes", **rest)
    assert not (await duties(li, world.areas["grid"], day=str(monday)))["worked"]
    assert duty_list(await held(li), monday, str(world.areas["grid"]))["worked"] is False


async def test_what_one_may_not_see_is_not_listed_and_what_is_foreign_is_not_there(world: World, li: RawPhone) -> None:
    await grid_with_work(world, li)
    await second_community(world)
    helper = await phone_of(world, "helper", role="helper", area="building_1")
    abroad = await phone_of(world, "stranger", area="community_b")
    assert await duties(helper, world.areas["grid"]) == (403, "not_permitted")
    assert await duties(abroad, world.areas["grid"]) == (404, "not_found")
    assert await duties(abroad, NEW_ID()) == (404, "not_found")
    assert (await duties(abroad, world.areas["building_b"]))["due"] == 0
    whole = await phone_of(world, "whole", role="admin", area="district")
    assert await duties(whole, world.areas["district"]) == (422, "invalid")
    assert await duties(li, world.areas["grid"], day="tomorrow") == (400, "bad_request")


async def test_a_list_of_any_day_that_there_is_can_be_asked_for(world: World, li: RawPhone) -> None:
    await grid_with_work(world, li)
    kept = await held(li)
    for day in (date.min, date(1, 3, 1), date(9999, 11, 30), date.max):
        assert await duties(li, world.areas["grid"], day=str(day)) == duty_list(kept, day, str(world.areas["grid"]))
    days = {"area_id": str(world.areas["grid"]), "since": str(date.min), "until": str(date.max)}
    answer = await world.http.get("/v1/reports/coverage", params=days, headers=li.headers)
    assert answer.json()["whole"]["knocked"] > 0


async def test_a_plan_with_nobody_responsible_is_no_plan(world: World, li: RawPhone) -> None:
    door = await made(li, "households", **household(world))
    said = {"household_id": door, "since": "2026-11-01", "responsible": []}
    for fields, pointer, code in (
        (said, "/fields/responsible", "nobody_responsible"),
        ({**said, "responsible": [str(NEW_ID())], "until": "2026-10-01"}, "/fields/until", "invalid"),
        ({**said, "responsible": [str(NEW_ID())], "every_days": 93}, "/fields/every_days", "invalid"),
    ):
        answer = await world.http.post("/v1/care_plans", json=fields, headers=li.headers)
        assert answer.status_code == 422, answer.text
        assert {"pointer": pointer, "code": code} in answer.json()["errors"]
    # Two who each take one of the last two off it: nobody is left, and a person is asked.
    zhao, qian = NEW_ID(), NEW_ID()
    plan = UUID(await made(li, "care_plans", **{**said, "responsible": [str(zhao), str(qian)]}))
    wang = await phone_of(world, "wang")
    await li.apply("care_plans", plan, "update", 1, fields={"responsible": {"remove": [str(zhao)]}})
    late = await wang.say("care_plans", plan, "update", 1, fields={"responsible": {"remove": [str(qian)]}})
    assert late["outcome"] == "conflicted"
    assert (await li.get("care_plans", plan))["responsible"] == [str(qian)]


async def test_a_phone_learns_at_which_hour_days_begin_when_it_is_registered(world: World) -> None:
    await world.add_person("hu")
    replica = Replica(MemoryStore(), world.context.seams)
    assert replica.status().day_begins == 4
    async with client_of(create_app(replace(world.context, day_begins=6), Settings())) as http:
        await Client(replica, http, world.context.seams).sign_in("hu", PASSWORD, "a phone", "test", "1")
    assert replica.status().day_begins == 6
