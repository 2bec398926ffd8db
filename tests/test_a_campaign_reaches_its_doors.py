"""A sweep's targets are frozen when it begins; its doors and persons count once, whoever knocks and however late."""

from uuid import UUID

from tests.raw_phone import RawPhone, phone_of
from tests.sweeps import begin, counted, doors, freeze, knock, meet, secretary, sweep
from tests.world import NEW_ID, World, household, mutation

__all__ = ["doors", "secretary"]  # the fixtures


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
    await join(secretary, "residents", other, one)
    await join(secretary, "households", doors[1], doors[0])
    whole = (await sweep(secretary, campaign))["whole"]
    assert counted(whole, "met", "not_registered", "targets", "knocked", "gone") == (1, 1, 3, 1, 0)


async def join(phone: RawPhone, collection: str, gone: object, stays: object) -> None:
    path = f"/v1/{collection}/{gone}/merge"
    answer = await phone.world.http.post(path, json={"into": str(stays)}, headers=phone.headers)
    assert answer.status_code == 200, answer.text


async def test_a_target_joined_with_one_of_another_staircase_counts_once_and_where_one_sees_it(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin(secretary)
    await freeze(secretary, campaign)
    await join(secretary, "households", doors[0], doors[2])
    await knock(secretary, doors[2], campaign)
    names = ("targets", "gone", "knocked", "visits", "left")
    assert counted((await sweep(secretary, campaign))["whole"], *names) == (3, 0, 1, 1, 2)
    # Of the door that it leads to, who sees the first staircase alone is told nothing.
    worker = await phone_of(world, "worker", area="building_1")
    said = await sweep(worker, campaign, "building_1")
    assert counted(said["whole"], *names) == (2, 1, 0, 0, 1)
    assert [door["door"] for door in said["to_knock"]] == ["101"]
    # What was done at a door that is gone now was done.
    await secretary.apply("households", doors[2], "delete", 1)
    assert counted((await sweep(secretary, campaign))["whole"], *names) == (3, 1, 1, 1, 2)


async def test_only_what_was_frozen_is_a_target_and_it_is_frozen_once(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    campaign, lou = await begin(secretary), await phone_of(world, "lou", role="helper")
    where = {"area_id": str(world.areas["unit_1"]), "campaign_id": campaign, "registered": 99_999}
    await lou.apply("blocks", NEW_ID(), fields={**where, "households": [str(NEW_ID())]})
    assert await freeze(secretary, campaign) == {"blocks": 2, "households": 4, "registered": 0}
    assert counted((await sweep(secretary, campaign))["whole"], "targets", "registered", "blocks") == (4, 0, 2)
    # One that is deleted, by the office, is none any more, and isn't made again.
    listed = await world.http.get("/v1/blocks", params={"campaign_id": campaign}, headers=secretary.headers)
    [block] = [one for one in listed.json()["items"] if str(doors[0]) in one["households"]]
    await secretary.apply("blocks", UUID(block["id"]), "delete", 1)
    assert await freeze(secretary, campaign) == {"blocks": 0, "households": 0, "registered": 0}
    assert (await sweep(secretary, campaign))["whole"]["targets"] == 2
    reader = await phone_of(world, "reader", role="reader")
    assert await freeze(reader, await begin(secretary)) == (403, "not_permitted")


async def test_who_asks_above_their_community_is_told_where_to_knock_in_it(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin(secretary)
    await freeze(secretary, campaign)
    [first, *_] = (await sweep(secretary, campaign, "district"))["to_knock"]
    assert counted(first, "place", "door") == ("community grid building_1 unit_1", "100")


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


async def test_nobody_who_knocks_takes_a_target_away(world: World, secretary: RawPhone, doors: list[UUID]) -> None:
    campaign = await begin(secretary)
    await freeze(secretary, campaign)
    listed = await world.http.get("/v1/blocks", params={"campaign_id": campaign}, headers=secretary.headers)
    for block in listed.json()["items"]:
        for role in ("worker", "helper"):
            phone = await phone_of(world, f"{role} {block['id']}", role=role)
            [refused] = await phone.push(mutation(world, "blocks", UUID(block["id"]), "delete", 1))
            assert (refused["outcome"], refused["problem"]["code"]) == ("refused", "not_permitted")
            answer = await world.http.delete(f"/v1/blocks/{block['id']}", headers=phone.headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
    assert counted((await sweep(secretary, campaign))["whole"], "targets", "blocks") == (4, 2)


async def test_who_may_not_delete_a_block_decides_nothing_else_about_it(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    """Where the office deleted it while somebody claimed it, a worker may say that it stays."""
    campaign, li = await begin(secretary), await phone_of(world, "li")
    await freeze(secretary, campaign, area_id=str(world.areas["unit_1"]))
    listed = await world.http.get("/v1/blocks", params={"campaign_id": campaign}, headers=secretary.headers)
    block = UUID(listed.json()["items"][0]["id"])
    await li.apply("blocks", block, "update", 1, fields={"claimed_by": str(NEW_ID())})
    [conflict] = (await secretary.say("blocks", block, "delete", 1))["conflicts"]
    path, answers = f"/v1/conflicts/{conflict}/resolution", []
    for value in (True, False):
        answers.append(await world.http.post(path, json={"value": value}, headers=li.headers))
    assert [(one.status_code, one.json().get("code")) for one in answers] == [(403, "not_permitted"), (200, None)]
    assert (await sweep(secretary, campaign))["whole"]["targets"] == 2


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
    # Once frozen they stay: by whoever knows whether all rosters are in.
    assert await freeze(worker, campaign, **there) == (403, "not_permitted")
    assert await freeze(secretary, campaign, **there) == {"blocks": 1, "households": 2, "registered": 0}
    assert await freeze(secretary, campaign) == {"blocks": 1, "households": 2, "registered": 0}
    assert (await sweep(worker, campaign))["whole"]["targets"] == 2
    helper = await phone_of(world, "helper", role="helper")
    assert await freeze(helper, campaign) == (403, "not_permitted")
    assert await sweep(helper, campaign) == (403, "not_permitted")
    above = await phone_of(world, "above", role="admin", area="district")
    await knock(secretary, doors[0], campaign)
    told = await sweep(above, campaign)
    assert (counted(told["whole"], "targets", "knocked", "opened"), told["to_knock"]) == ((None, None, None), None)


async def test_whoever_was_added_at_the_door_and_turned_out_to_be_registered_counts_as_registered(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin(secretary)
    registered, added = await meet(secretary, doors[0]), await meet(secretary, doors[0], registered=False)
    await knock(secretary, doors[0], campaign, persons_met=[added])
    assert counted((await sweep(secretary, campaign))["whole"], "met", "not_registered") == (1, 1)
    path = f"/v1/residents/{added}/merge"
    merged = await world.http.post(path, json={"into": registered}, headers=secretary.headers)
    assert merged.status_code == 200, merged.text
    assert counted((await sweep(secretary, campaign))["whole"], "met", "not_registered") == (1, 0)
