"""Two who knock at one door on one day each keep their note, and the door is counted once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from sync.days import day_of
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.sweeps import meet
from tests.world import NEW_ID, World, household, mutation

Answer = dict[str, Any]


@pytest.fixture
async def li(world: World) -> RawPhone:
    return await phone_of(world, "li")


@pytest.fixture
async def doors(world: World, li: RawPhone) -> list[UUID]:
    """One in building 1, three in building 2."""
    doors = [NEW_ID() for _ in range(4)]
    for n, door in enumerate(doors):
        await li.apply("households", door, fields=household(world, str(n), "unit_2" if n else "unit_1"))
    return doors


async def knock(phone: RawPhone, door: UUID, ago: int = 0, outcome: str = "opened", **fields: Any) -> UUID:
    """A visit so many days ago."""
    now, id = phone.world.context.seams.now(), NEW_ID()
    said = {"household_id": str(door), "outcome": outcome, "visited_at": (now - timedelta(days=ago)).isoformat()}
    visit = mutation(phone.world, "visits", id, fields={**said, **fields})
    [answer] = await phone.push(visit, sent_at=now.isoformat())
    assert answer["outcome"] == "applied", answer
    return id


async def coverage(phone: RawPhone, area: str, since: int = 0, until: int = 0) -> Any:
    """From so many days ago to so many days ago."""
    context = phone.world.context
    today = day_of(context.seams.now(), context.day_begins)
    days = {"since": str(today - timedelta(days=since)), "until": str(today - timedelta(days=until))}
    parameters = {"area_id": str(phone.world.areas[area]), **days}
    answer = await phone.world.http.get("/v1/reports/coverage", params=parameters, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


def counted(row: Answer) -> tuple[int, ...]:
    return tuple(row[name] for name in ("households", "knocked", "opened", "visits", "met"))


async def test_two_notes_of_one_door_are_both_kept_and_the_door_counts_once(
    world: World, li: RawPhone, doors: list[UUID]
) -> None:
    zhao = await phone_of(world, "zhao")
    person, other = [await meet(li, doors[0], name=name) for name in ("吴一", "吴二")]
    nobody = str(NEW_ID())
    notes = [
        await knock(li, doors[0], note="李记的。", persons_met=[person, nobody]),
        await knock(zhao, doors[0], note="赵记的。", persons_met=[person, other], channel="phone"),
        await knock(zhao, doors[1], outcome="nobody_home"),
        await knock(zhao, doors[1], ago=1, persons_met=[other]),
    ]
    said = await coverage(li, "grid")
    assert counted(said["whole"]) == (4, 2, 1, 3, 2)
    assert said["whole"]["by_channel"] == {"door": 2, "phone": 1, "street": 0, "window": 0}
    assert [(part["name"], *counted(part)) for part in said["parts"]] == [
        ("building_1", 1, 1, 1, 2, 2),
        ("building_2", 3, 1, 0, 1, 0),
    ]
    assert [(await li.get("visits", note))["note"] for note in notes[:2]] == ["李记的。", "赵记的。"]
    # A range takes both its days; what is deleted counts no more.
    assert counted((await coverage(li, "grid", since=1))["whole"]) == (4, 2, 2, 4, 2)
    assert counted((await coverage(li, "grid", since=1, until=1))["whole"]) == (4, 1, 1, 1, 1)
    await li.apply("visits", notes[0], "delete", 1)
    assert counted((await coverage(li, "building_1"))["whole"]) == (1, 1, 1, 1, 2)


async def test_who_was_met_under_two_ids_that_became_one_counts_once(
    world: World, li: RawPhone, doors: list[UUID]
) -> None:
    secretary = await phone_of(world, "secretary", role="secretary")
    first, second = [await meet(li, door, name=name) for door, name in ((doors[0], "王强"), (doors[0], "王阿强"))]
    await knock(li, doors[0], persons_met=[first])
    await knock(li, doors[1], persons_met=[second])
    assert counted((await coverage(li, "grid"))["whole"]) == (4, 2, 2, 2, 2)
    path = f"/v1/residents/{first}/merge"
    assert (await world.http.post(path, json={"into": second}, headers=secretary.headers)).status_code == 200
    said = await coverage(li, "grid")
    assert counted(said["whole"]) == (4, 2, 2, 2, 1)
    assert [part["met"] for part in said["parts"]] == [1, 1]


async def test_it_tells_which_way_of_knocking_opened_a_door_that_had_refused(li: RawPhone, doors: list[UUID]) -> None:
    await knock(li, doors[0], ago=9, outcome="refused", method="sincere")
    await knock(li, doors[0], ago=2, method="helpful")
    await knock(li, doors[0], ago=1, method="helpful")
    await knock(li, doors[1], ago=2, outcome="refused", method="helpful")
    await knock(li, doors[1], ago=1, outcome="nobody_home")
    await knock(li, doors[1], method="sincere")
    methods = (await coverage(li, "grid", since=5))["methods"]
    assert [(m["method"], m["tried"], m["opened"], m["after_refusal"]) for m in methods] == [
        ("helpful", 3, 2, 1),
        ("sincere", 1, 1, 0),
        (None, 1, 0, 0),
    ]


async def test_only_what_one_may_see_is_counted(world: World, li: RawPhone, doors: list[UUID]) -> None:
    await second_community(world)
    await knock(li, doors[0])
    await knock(li, doors[1])
    worker = await phone_of(world, "worker", area="building_1")
    said = await coverage(worker, "grid")
    assert (counted(said["whole"]), [part["name"] for part in said["parts"]]) == ((1, 1, 1, 1, 0), ["building_1"])
    assert await coverage(await phone_of(world, "h", role="helper", area="building_1"), "grid") == (
        403,
        "not_permitted",
    )
    assert await coverage(await phone_of(world, "stranger", area="community_b"), "grid") == (404, "not_found")
    assert await coverage(li, "grid", since=0, until=1) == (422, "dates_backward")
    above = await coverage(await phone_of(world, "above", role="admin", area="district"), "grid")
    assert (above["hidden_below"], counted(above["whole"])) == (5, (None, None, None, None, None))
