"""A sweep's targets are frozen when it begins; its doors and persons count once, whoever knocks and however late."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from sync.days import day_of
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household, mutation

Answer = dict[str, Any]


@pytest.fixture
async def secretary(world: World) -> RawPhone:
    return await phone_of(world, "secretary", role="secretary")


@pytest.fixture
async def doors(world: World, secretary: RawPhone) -> list[UUID]:
    """Two in building 1, two in building 2."""
    doors = [NEW_ID() for _ in range(4)]
    for n, door in enumerate(doors):
        await secretary.apply("households", door, fields=household(world, f"10{n}", "unit_2" if n > 1 else "unit_1"))
    return doors


def today(world: World, *, later: int = 0) -> date:
    return day_of(world.context.seams.now(), world.context.day_begins) + timedelta(days=later)


async def begin(secretary: RawPhone, *, first: int = 0, last: int = 2, **fields: Any) -> str:
    """A campaign of the community, from so many days from now to so many."""
    world = secretary.world
    window = {"since": str(today(world, later=first)), "until": str(today(world, later=last))}
    said = {"area_id": str(world.home), "name": "三天大排查", "approval": "〔2026〕7号", **window, **fields}
    answer = await world.http.post("/v1/campaigns", json=said, headers=secretary.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def freeze(phone: RawPhone, campaign: str, **said: str) -> Any:
    answer = await phone.world.http.post(f"/v1/campaigns/{campaign}/freeze", json=said, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


async def knock(phone: RawPhone, door: UUID, campaign: str, outcome: str = "opened", **fields: Any) -> None:
    said = {"household_id": str(door), "outcome": outcome, "campaign_id": campaign, **fields}
    await phone.apply("visits", NEW_ID(), fields=said)


async def meet(phone: RawPhone, door: UUID, *, registered: bool = True, **fields: Any) -> str:
    """Somebody who lives there."""
    id = NEW_ID()
    said = {"household_id": str(door), "name": "某人", "registered_here": registered, **fields}
    await phone.apply("residents", id, fields=said)
    return str(id)


async def report(phone: RawPhone, name: str, area: str = "community", **asked: str) -> Any:
    parameters = {"area_id": str(phone.world.areas[area]), **asked}
    answer = await phone.world.http.get(f"/v1/reports/{name}", params=parameters, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


async def sweep(phone: RawPhone, campaign: str, area: str = "community") -> Any:
    return await report(phone, "sweep", area, campaign_id=campaign)


def counted(row: Answer, *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


async def test_its_targets_stay_as_they_were_when_it_began(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin(secretary)
    await meet(secretary, doors[0])
    assert await freeze(secretary, campaign) == {"blocks": 2, "households": 4, "registered": 1}
    # Done again it changes nothing: a door that was added since is no target, and one that went away stays one.
    new = NEW_ID()
    await secretary.apply("households", new, fields=household(world, "199", "unit_1"))
    await secretary.apply("households", doors[1], "delete", 1)
    assert await freeze(secretary, campaign) == {"blocks": 0, "households": 0, "registered": 0}
    await knock(secretary, new, campaign)
    whole = (await sweep(secretary, campaign))["whole"]
    assert counted(whole, "targets", "gone", "knocked", "left", "others", "registered") == (4, 1, 0, 3, 1, 1)
    # Each block stands on the phones of its building.
    worker = await phone_of(world, "worker", area="building_1")
    await worker.pull()
    [block] = [c for feed in worker.feeds.values() for c in feed.values() if c["collection"] == "blocks"]
    assert sorted(block["fields"]["households"]) == sorted(map(str, doors[:2]))


async def test_a_door_and_a_person_count_once_however_many_knock_from_however_many_phones(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin(secretary)
    await freeze(secretary, campaign)
    li, again = await phone_of(world, "li"), RawPhone(world, await world.phone_token("li"), "li")
    living, guest = await meet(li, doors[0]), await meet(li, doors[0], registered=False)
    await knock(li, doors[0], campaign, persons_met=[living])
    await knock(again, doors[0], campaign, persons_met=[living, guest])
    await knock(li, doors[1], campaign, "nobody_home")
    await knock(again, doors[1], campaign, "refused")
    await knock(li, doors[2], campaign, "moved_away")
    # A visit of another day's round is none of the campaign's.
    await li.apply("visits", NEW_ID(), fields={"household_id": str(doors[3]), "outcome": "opened"})
    said = await sweep(secretary, campaign)
    names = ("targets", "knocked", "opened", "left", "visits", "met", "not_registered")
    assert counted(said["whole"], *names) == (4, 3, 1, 2, 5, 2, 1)
    [grid] = said["parts"]
    assert counted(grid, *names) == counted(said["whole"], *names)
    # Where to knock again, along the walk.
    assert [counted(door, "place", "door", "visits") for door in said["to_knock"]] == [
        ("grid building_1 unit_1", "101", 2),
        ("grid building_2 unit_2", "103", 0),
    ]


async def test_whoever_was_registered_twice_at_the_door_counts_once_when_the_two_are_joined(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin(secretary)
    await freeze(secretary, campaign)
    one, other = [await meet(secretary, doors[0], registered=False) for _ in range(2)]
    await knock(secretary, doors[0], campaign, persons_met=[one])
    await knock(secretary, doors[1], campaign, persons_met=[other])
    assert (await sweep(secretary, campaign))["whole"]["met"] == 2
    for collection, gone, stays in (("residents", other, one), ("households", doors[1], doors[0])):
        path = f"/v1/{collection}/{gone}/merge"
        merged = await world.http.post(path, json={"into": str(stays)}, headers=secretary.headers)
        assert merged.status_code == 200, merged.text
    whole = (await sweep(secretary, campaign))["whole"]
    assert counted(whole, "met", "not_registered", "targets", "knocked", "gone") == (1, 1, 3, 1, 0)


async def test_what_comes_late_is_taken_and_told(world: World, secretary: RawPhone, doors: list[UUID]) -> None:
    campaign = await begin(secretary, first=-9, last=-3)
    await freeze(secretary, campaign)
    await knock(secretary, doors[0], campaign)
    whole = (await sweep(secretary, campaign))["whole"]
    assert counted(whole, "knocked", "opened", "visits", "late") == (1, 1, 1, 1)
    assert (await sweep(secretary, await begin(secretary)))["whole"]["late"] == 0


async def test_a_block_is_claimed_by_whoever_comes_first(world: World, secretary: RawPhone, doors: list[UUID]) -> None:
    campaign = await begin(secretary)
    await freeze(secretary, campaign, area_id=str(world.areas["building_1"]))
    lou, zhao = await phone_of(world, "lou", role="helper"), await phone_of(world, "zhao")
    listed = await world.http.get("/v1/blocks", params={"campaign_id": campaign}, headers=secretary.headers)
    [block] = listed.json()["items"]
    mine, theirs = str(NEW_ID()), str(NEW_ID())
    await lou.apply("blocks", UUID(block["id"]), "update", 1, fields={"claimed_by": mine})
    late = await zhao.say("blocks", UUID(block["id"]), "update", 1, fields={"claimed_by": theirs})
    assert (late["outcome"], (await secretary.get("blocks", block["id"]))["claimed_by"]) == ("conflicted", mine)
    assert counted((await sweep(secretary, campaign))["whole"], "blocks", "claimed", "targets") == (1, 1, 2)


async def test_a_staircase_of_many_doors_becomes_several_blocks(world: World, secretary: RawPhone) -> None:
    """Along the walk, two hundred at a time: nobody claims more than a group can do."""
    fields = [household(world, str(n), "unit_1") for n in range(1, 252)]
    for begins in range(0, len(fields), 100):
        some = [mutation(world, "households", NEW_ID(), fields=one) for one in fields[begins : begins + 100]]
        await secretary.push(*some)
    campaign = await begin(secretary)
    assert await freeze(secretary, campaign) == {"blocks": 2, "households": 251, "registered": 0}
    listed = await world.http.get("/v1/blocks", params={"campaign_id": campaign}, headers=secretary.headers)
    assert sorted((one["part"], len(one["households"])) for one in listed.json()["items"]) == [(1, 200), (2, 51)]


async def test_each_sees_and_freezes_only_what_is_theirs(world: World, secretary: RawPhone, doors: list[UUID]) -> None:
    campaign = await begin(secretary)
    worker = await phone_of(world, "worker", area="building_1")
    there = {"area_id": str(world.areas["building_1"])}
    assert await freeze(worker, campaign, **there) == {"blocks": 1, "households": 2, "registered": 0}
    assert await freeze(secretary, campaign) == {"blocks": 1, "households": 2, "registered": 0}
    assert (await sweep(worker, campaign))["whole"]["targets"] == 2
    helper = await phone_of(world, "helper", role="helper")
    assert await freeze(helper, campaign) == (403, "not_permitted")
    assert await sweep(helper, campaign) == (403, "not_permitted")
    above = await phone_of(world, "above", role="admin", area="district")
    await knock(secretary, doors[0], campaign)
    told = await sweep(above, campaign)
    assert (counted(told["whole"], "targets", "knocked", "opened"), told["to_knock"]) == ((None, None, None), [])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"approval": " "}, "no_approval"),
        ({"until": "2020-01-01"}, "invalid"),
        ({"keep_until": "2020-01-01"}, "invalid"),
        ({"questions": {"1": "not JSON"}}, "questions_invalid"),
        ({"questions": {"1": '{"type":"object","properties":{"fever":{"type":"perhaps"}}}'}}, "questions_invalid"),
        (
            {"questions": {"1": '{"type":"object","properties":{"a":{"$ref":"https://example.org/"}}}'}},
            "questions_invalid",
        ),
        ({"questions": {"1": '{"type":"object","properties":{"A B":{}}}'}}, "questions_invalid"),
        ({"questions": {"1": "[" * 9000}}, "questions_invalid"),
    ],
)
async def test_a_campaign_that_could_not_be_held_is_refused_with_why(
    world: World, secretary: RawPhone, said: Answer, code: str
) -> None:
    window = {"since": str(today(world)), "until": str(today(world, later=2))}
    fields = {"area_id": str(world.home), "name": "三天大排查", "approval": "〔2026〕7号", **window, **said}
    answer = await world.http.post("/v1/campaigns", json=fields, headers=secretary.headers)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (f"/fields/{min(said)}", code)


async def test_follow_ups_are_told_by_kind_and_closed_with_a_reason(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin(secretary)
    begun = {"since": str(today(world)), "household_id": str(doors[0])}
    first, second, third = NEW_ID(), NEW_ID(), NEW_ID()
    for id in (first, second):
        due = {"due": str(today(world, later=-1))}
        await secretary.apply("follow_ups", id, fields={**begun, **due, "kind": "medicine", "campaign_id": campaign})
    await secretary.apply("follow_ups", third, fields={**begun, "kind": "escort"})
    await secretary.apply("follow_ups", first, "update", 1, fields={"closed": "done", "until": str(today(world))})
    escort = {"kind": "escort", "open": 1, "overdue": 0, "closed": 0, "reasons": {}}
    medicine = {"kind": "medicine", "open": 1, "overdue": 1, "closed": 1, "reasons": {"done": 1}}
    assert (await report(secretary, "follow_ups"))["kinds"] == [escort, medicine]
    assert (await report(secretary, "follow_ups", campaign_id=campaign))["kinds"] == [medicine]
    above = await phone_of(world, "above", role="admin", area="district")
    assert (await report(above, "follow_ups"))["kinds"][0] == {**escort, "open": None}


async def test_a_patrol_log_follows_from_the_days_visits_on_both_phones(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    li, other = await phone_of(world, "li"), RawPhone(world, await world.phone_token("li"), "li")
    person, met = str(world.people["li"]), await meet(li, doors[2])
    for phone, door, said in (
        (li, doors[2], {"note": "灯修好了。", "persons_met": [met]}),
        (other, doors[0], {"needs": ["medicine"], "outcome": "refused"}),
    ):
        await phone.apply("visits", NEW_ID(), fields={"household_id": str(door), "outcome": "opened", **said})
    await secretary.apply("visits", NEW_ID(), fields={"household_id": str(doors[3]), "outcome": "opened"})
    for phone, note in ((li, "巡了两栋。"), (other, "楼道堆物已清理。")):
        where = {"area_id": str(world.areas["building_1"]), "person_id": person, "day": str(today(world))}
        await phone.apply("patrol_logs", NEW_ID(), fields={**where, "note": note})
    log = await report(li, "patrol", "grid")
    assert counted(log, "person_id", "visits", "doors", "opened", "met") == (person, 2, 2, 1, 1)
    assert [counted(one, "place", "door", "outcome") for one in log["knocks"]] == [
        ("building_1 unit_1", "100", "refused"),
        ("building_2 unit_2", "102", "opened"),
    ]
    assert log["note"] == "巡了两栋。\n楼道堆物已清理。"
    assert await report(secretary, "patrol", "grid", person_id=person) == log
    assert (await report(li, "patrol", "grid", day=str(today(world, later=-1))))["visits"] == 0
    assert "visited_at" not in str(log)


async def test_what_is_brought_after_midnight_is_of_the_working_day_before(world: World, doors: list[UUID]) -> None:
    """Rounds go from five to midnight; a receipt may be named, and need not."""
    helper = await phone_of(world, "helper", role="helper")
    now = world.context.seams.now()
    yesterday = (now - timedelta(days=1)).date()
    id, at = NEW_ID(), f"{yesterday}T16:30:00Z"  # half past midnight in Wuhan, of the day after
    brought = {"household_id": str(doors[0]), "delivered_at": at, "items": ["大米5公斤"], "receipt": "QS-014"}
    await helper.push(mutation(world, "deliveries", id, fields=brought), sent_at=now.isoformat())
    seen = await (await phone_of(world, "li")).get("deliveries", id)
    assert counted(seen, "items", "receipt", "day") == (["大米5公斤"], "QS-014", str(yesterday))
