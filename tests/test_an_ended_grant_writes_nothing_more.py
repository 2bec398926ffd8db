"""A grant that has ended is ended: for pushes that were under way, for whoever administers by it, for the next page."""

import asyncio
import os
from collections.abc import AsyncIterator
from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.context import Context
from app.grants import end_grant
from app.tables import Grant, History
from tests.raw_phone import Answer, RawPhone, phone_of
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

MANY = int(os.environ.get("RACES", "0"))
RACES = {"sqlite": MANY or 100, "postgres": MANY or 300}
"""Where one writes at a time there is less to race. `RACES=10000` in the environment makes a long night of it."""
EDITS: list[Answer] = [{"floor": 3}, {"best_time": "傍晚"}]
_GRANT: Any = Grant.__table__  # type: ignore[attr-defined]
_HISTORY: Any = History.__table__  # type: ignore[attr-defined]


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    world = await new_world(context)
    await world.add_person("zhong", role="security", area="district")
    yield world
    await world.http.aclose()


async def some_doors(phone: RawPhone, how_many: int) -> list[UUID]:
    """Of building 1, at rev 1."""
    ids = [NEW_ID() for _ in range(how_many)]
    made = [mutation(phone.world, "households", id, fields=household(phone.world, str(n))) for n, id in enumerate(ids)]
    assert {outcome["outcome"] for outcome in await phone.push(*made)} == {"applied"}
    return ids


async def written(transaction: Any, door: UUID) -> list[tuple[int, UUID]]:
    """Which revs of a door have come to be, by which mutation."""
    rows = await transaction.rows(sa.select(_HISTORY.c.rev, _HISTORY.c.mutation_id).where(_HISTORY.c.record_id == door))
    return sorted((row.rev, row.mutation_id) for row in rows)


async def ended(world: World, person: str, door: UUID) -> list[tuple[int, UUID]]:
    """Ends their grant; what the door's history held when that was committed.

    The grant's row is held from its end to the commit, so that no push can be between the two.
    """
    async with world.context.database.transaction() as transaction:
        there = {"person_id": world.people[person], "area_id": world.areas["building_1"]}
        assert await end_grant(transaction, world.context, **there) == 1
        return await written(transaction, door)


async def later(seconds: float, work: Any) -> Any:
    await asyncio.sleep(seconds)
    return await work


async def test_no_push_that_was_under_way_writes_after_its_grant_has_ended(world: World, store: str) -> None:
    chance = Random(50)
    wang = await phone_of(world, "wang")
    doors = [door for _ in range(RACES[store] // 100) for door in await some_doors(wang, 100)]
    before = after = 0
    for race, door in enumerate(doors):
        if race % 500 == 0:  # a token lives fifteen minutes, and whoever had thousands of roles is slow to judge
            li = f"li-{race}"
            await world.add_person(li, area="building_1")
            phones = [RawPhone(world, await world.phone_token(li)) for _ in range(2)]
        else:
            await world.grant(li, "building_1")
        edits = [mutation(world, "households", door, "update", 1, fields=fields) for fields in EDITS]
        pushes = [later(chance.uniform(0, 0.01), phone.push(edit)) for phone, edit in zip(phones, edits, strict=True)]
        known, *outcomes = await asyncio.gather(later(chance.uniform(0, 0.015), ended(world, li, door)), *pushes)
        async with world.context.database.snapshot("server") as snapshot:
            assert await written(snapshot, door) == known, race
        # What came too late waits as a candidate within the grace: it is in nobody's way and lost to nobody.
        said = [outcome["outcome"] for [outcome] in outcomes]
        assert sorted(said) == ["applied"] * (len(known) - 1) + ["conflicted"] * (3 - len(known)), said
        before, after = before + said.count("applied"), after + said.count("conflicted")
    assert before > RACES[store] / 10 < after, "nothing was raced"


async def test_a_push_that_waited_for_the_end_of_its_grant_finds_it_ended(world: World) -> None:
    """It had begun before: its own beginning is no excuse."""
    wang, li = await phone_of(world, "wang"), await phone_of(world, "li", area="building_1")
    [door] = await some_doors(wang, 1)
    async with world.context.database.transaction() as transaction:
        push = asyncio.create_task(li.say("households", door, "update", 1, fields={"floor": 3}))
        held = sa.select(_GRANT.c.id).where(_GRANT.c.person_id == world.people["li"]).with_for_update()
        await transaction.rows(held)
        await asyncio.sleep(0.3)
        there = {"person_id": world.people["li"], "area_id": world.areas["building_1"]}
        await end_grant(transaction, world.context, **there)
    assert (await push)["outcome"] == "conflicted"
    assert (await wang.get("households", door))["rev"] == 1


@pytest.mark.parametrize("what", ["grants", "people"])
async def test_who_administers_by_a_grant_that_ends_meanwhile_administers_no_more(world: World, what: str) -> None:
    role = {"grants": "security", "people": "system"}[what]
    await world.add_person("bao", role=role, area="district")
    li = await world.add_person("li", area="building_1")
    grants = {"person_id": str(li), "area_id": str(world.areas["building_2"]), "role": "worker"}
    body = {"grants": grants, "people": {"login": "late", "password": "knock knock knock"}}[what]
    headers = bearer(await world.token("bao"))
    async with world.context.database.transaction() as transaction:
        held = sa.select(_GRANT.c.id).where(_GRANT.c.person_id == world.people["bao"]).with_for_update()
        await transaction.rows(held)
        asked = asyncio.create_task(world.http.post(f"/v1/{what}", json=body, headers=headers))
        await asyncio.sleep(0.5)
        there = {"person_id": world.people["bao"], "area_id": world.areas["district"]}
        await end_grant(transaction, world.context, **there)
    answer = await asked
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


async def pages(phone: RawPhone) -> AsyncIterator[Answer]:
    """As they come, a few rows each."""
    cursor, complete = None, False
    while not complete:
        body = {"protocol": 1, "cursor": cursor, "limit": 5}
        answer = await phone.world.http.post("/v1/sync/pull", json=body, headers=phone.headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        cursor, complete = page["cursor"], page["complete"]
        yield page


async def test_a_phone_in_the_middle_of_a_pull_gets_nothing_more_of_what_was_taken_from_it(world: World) -> None:
    wang, li = await phone_of(world, "wang"), await phone_of(world, "li", area="building_1")
    doors = {str(door) for door in await some_doors(wang, 20)}
    reading, seen = pages(li), set[str]()
    async for page in reading:
        seen = {change["record"] for change in page["changes"]} & doors
        if seen:
            break
    assert 0 < len(seen) < len(doors)
    headers = bearer(await world.token("zhong"))
    listed = await world.http.get("/v1/grants", params={"person_id": str(world.people["li"])}, headers=headers)
    [grant] = listed.json()["grants"]
    assert (await world.http.delete(f"/v1/grants/{grant['id']}", headers=headers)).status_code == 204
    rest = [page async for page in reading]
    feed = next(change["feed"] for change in page["changes"] if change["record"] in doors)
    assert feed in rest[0]["lost"]
    assert not [change for page in rest for change in page["changes"]]
    assert (await world.http.get(f"/v1/households/{doors.pop()}", headers=li.headers)).status_code == 404
