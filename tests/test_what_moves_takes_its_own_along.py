"""A household that moves to another building, whatever lists through it, and who may move what where."""

from typing import Any
from uuid import UUID

import pytest

from tests.raw_phone import Answer, RawPhone, phone_of, second_community
from tests.world import NEW_ID, World, household, mutation


@pytest.fixture
async def old(world: World) -> RawPhone:
    """The worker of building 1 alone."""
    return await phone_of(world, "old", area="building_1")


@pytest.fixture
async def new(world: World) -> RawPhone:
    """Who has both buildings, and keeps them."""
    return await phone_of(world, "new", area="grid")


@pytest.fixture
async def door(world: World, new: RawPhone) -> UUID:
    """A household of building 1 at rev 1."""
    id = NEW_ID()
    await new.apply("households", id, fields=household(world, note="一。二。", tags=["a"]))
    return id


def visit(door: UUID, **fields: Any) -> Answer:
    return {"household_id": str(door), "outcome": "opened", "note": "敲了门。", **fields}


def problem(outcome: Answer) -> Any:
    return outcome["outcome"], (outcome.get("problem") or {}).get("code")


# Moves


async def family(new: RawPhone, door: UUID) -> dict[str, str]:
    """A resident, a visit, and an open conflict of each and of the household itself, all of building 1."""
    person, knock = NEW_ID(), NEW_ID()
    await new.apply("residents", person, fields={"household_id": str(door), "name": "王五"})
    await new.apply("visits", knock, fields=visit(door))
    ids = {"residents": str(person), "visits": str(knock), "households": str(door)}
    for collection, field in [("residents", "name"), ("visits", "note"), ("households", "door")]:
        record = UUID(ids[collection])
        await new.apply(collection, record, "update", 1, fields={field: "甲。"})
        outcome = await new.say(collection, record, "update", 1, fields={field: "乙。"})
        [conflict] = outcome["conflicts"]
        ids[f"conflict of {collection}"] = conflict
    return ids


async def move(world: World, phone: RawPhone, door: UUID) -> None:
    rev = (await phone.get("households", door))["rev"]
    await phone.apply("households", door, "update", rev, fields={"area_id": str(world.areas["unit_2"])})


async def test_a_household_moves_to_another_building_with_all_that_lists_through_it(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    ids = await family(new, door)
    keys = {what: ("conflicts" if " " in what else what, id) for what, id in ids.items()}
    await old.pull()
    await new.pull()
    before = {what: old.holds(*key) for what, key in keys.items()}
    await move(world, new, door)
    await old.pull()
    await new.pull()
    feed = new.feed_of("households", door)
    for what, key in keys.items():
        there, was = new.holds(*key), before[what]
        assert old.holds(*key) is None, f"{what} is still in the old building"
        assert there is not None
        assert was is not None
        assert there["feed"] == feed != was["feed"], what
        if what != "households":
            assert (there["rev"], there["fields"]) == (was["rev"], was["fields"])
    for phone in (old, new):
        phone.check_digests()


async def test_a_sponsorship_of_a_household_that_moved_stays_in_the_area_it_names_until_that_is_changed(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    link = NEW_ID()
    said = {"household_id": str(door), "name": "小陈", "since": "2026-03-01"}
    await new.apply("sponsorships", link, fields={**said, "area_id": str(world.areas["unit_1"])})
    await move(world, new, door)
    await old.pull()
    assert old.holds("sponsorships", link) is not None
    await new.apply("sponsorships", link, "update", 1, fields={"area_id": str(world.areas["unit_2"])})
    await old.pull()
    await new.pull()
    assert old.holds("sponsorships", link) is None
    assert new.feed_of("sponsorships", link) == new.feed_of("households", door)
    for phone in (old, new):
        phone.check_digests()


async def test_a_resident_touched_in_the_same_push_moves_along_whatever_became_of_the_edit(
    world: World, new: RawPhone, door: UUID
) -> None:
    ids = await family(new, door)
    rev = (await new.get("households", door))["rev"]
    there = {"area_id": str(world.areas["unit_2"])}
    outcomes = await new.push(
        mutation(world, "households", door, "update", rev, fields=there),
        mutation(world, "residents", UUID(ids["residents"]), "update", 2, fields={"name": "甲。"}),
        mutation(world, "visits", UUID(ids["visits"]), "update", 2, fields={"outcome": "refused"}),
    )
    assert [o["outcome"] for o in outcomes] == ["applied", "applied", "refused"]
    await new.pull()
    feed = new.feed_of("households", door)
    assert new.feed_of("residents", ids["residents"]) == feed
    assert new.feed_of("visits", ids["visits"]) == feed
    new.check_digests()


async def test_a_resident_who_moves_to_another_household_takes_their_conflicts_along(
    world: World, new: RawPhone, door: UUID
) -> None:
    ids, elsewhere = await family(new, door), NEW_ID()
    await new.apply("households", elsewhere, fields=household(world, "201", unit="unit_2"))
    person = UUID(ids["residents"])
    await new.apply("residents", person, "update", 2, fields={"household_id": str(elsewhere)})
    await new.pull()
    feed = new.feed_of("households", elsewhere)
    assert new.feed_of("residents", person) == feed
    assert new.feed_of("conflicts", ids["conflict of residents"]) == feed
    new.check_digests()


async def test_a_resident_whose_phone_gave_it_its_households_id_moves_along_and_the_digests_stay_right(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    """Ids are made on phones: nothing promises that two collections never share one."""
    await new.apply("residents", door, fields={"household_id": str(door), "name": "王五"})
    for phone in (old, new):
        await phone.pull()
    await move(world, new, door)
    for phone in (old, new):
        await phone.pull()
        phone.check_digests()
    assert new.feed_of("residents", door) == new.feed_of("households", door)
    assert old.holds("residents", door) is None


async def test_a_household_that_moves_away_and_back_is_where_it_was(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    ids = await family(new, door)
    await move(world, new, door)
    rev = (await new.get("households", door))["rev"]
    await new.apply("households", door, "update", rev, fields={"area_id": str(world.areas["unit_1"])})
    for phone in (old, new):
        await phone.pull()
        feed = phone.feed_of("households", door)
        assert {phone.feed_of("residents", ids["residents"]), phone.feed_of("visits", ids["visits"])} == {feed}
        phone.check_digests()


async def test_edits_that_arrive_late_from_the_old_building_become_candidates(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    ids = await family(new, door)
    await move(world, new, door)
    rev = (await new.get("households", door))["rev"]
    outcome = await old.say("households", door, "update", 1, fields={"floor": 3})
    late = await old.say("residents", UUID(ids["residents"]), "update", 1, fields={"phone": "13800000000"})
    assert (outcome["outcome"], late["outcome"]) == ("conflicted", "conflicted")
    shown = await new.get("households", door)
    assert (shown["rev"], shown["floor"]) == (rev, None)
    assert (await new.get("residents", ids["residents"]))["phone"] is None
    await new.pull()
    feed = new.feed_of("households", door)
    assert new.feed_of("conflicts", outcome["conflicts"][0]) == feed
    assert new.feed_of("conflicts", late["conflicts"][0]) == feed
    new.check_digests()


async def test_a_knock_made_offline_at_a_door_that_moved_meanwhile_is_applied(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    """For a create it is the parent's feeds, and those that hold its departure, that count."""
    await move(world, new, door)
    knock = NEW_ID()
    outcome = await old.say("visits", knock, fields=visit(door))
    assert problem(outcome) == ("applied", None)
    await new.pull()
    assert new.feed_of("visits", knock) == new.feed_of("households", door)
    new.check_digests()


async def test_a_knock_at_a_door_that_moved_is_applied_also_after_the_old_building_was_given_away(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    await move(world, new, door)
    await world.end_grant("old", "building_1")
    assert problem(await old.say("visits", NEW_ID(), fields=visit(door))) == ("applied", None)


async def test_claiming_my_own_building_does_not_open_a_neighbours_record(
    world: World, old: RawPhone, new: RawPhone
) -> None:
    theirs = NEW_ID()
    await new.apply("households", theirs, fields=household(world, "201", unit="unit_2"))
    mine = {"area_id": str(world.areas["unit_1"]), "door": "201"}
    assert problem(await old.say("households", theirs, "update", 1, fields=mine)) == ("refused", "not_found")
    assert (await new.get("households", theirs))["area_id"] == str(world.areas["unit_2"])


async def test_nobody_moves_a_household_into_a_building_they_do_not_have(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    there = {"area_id": str(world.areas["unit_2"])}
    outcome = await old.say("households", door, "update", 1, fields=there)
    assert problem(outcome) == ("refused", "reference_not_found")


async def test_nobody_moves_a_household_into_a_building_they_no_longer_have(
    world: World, new: RawPhone, door: UUID
) -> None:
    """Grace never writes over what others have now: such a move waits as a candidate, or is refused."""
    both = await phone_of(world, "both", area="building_1")
    await world.grant("both", "building_2")
    await world.end_grant("both", "building_2")
    await both.say("households", door, "update", 1, fields={"area_id": str(world.areas["unit_2"])})
    assert (await new.get("households", door))["area_id"] == str(world.areas["unit_1"])


# Two communities


async def test_nothing_of_one_community_reaches_another(world: World, new: RawPhone, door: UUID) -> None:
    ids, home = await family(new, door), await second_community(world)
    qian = RawPhone(world, await world.phone_token("qian"))
    theirs = NEW_ID()
    there = {"area_id": str(world.areas["unit_b"]), "door": "101"}
    [outcome] = await qian.push(
        {**mutation(world, "households", theirs, fields=there), "home": str(home)}, home=str(home)
    )
    assert outcome["outcome"] == "applied", outcome
    await qian.pull()
    await new.pull()
    assert qian.holds("households", theirs) is not None
    assert new.holds("households", theirs) is None
    for what, id in ids.items():
        collection = "conflicts" if " " in what else what
        assert qian.holds(collection, id) is None
        answers = [await world.http.get(f"/v1/{collection}/{which}", headers=qian.headers) for which in (id, NEW_ID())]
        assert [a.status_code for a in answers] == [404, 404]
        assert answers[0].json() == answers[1].json()
        listed = await world.http.get(f"/v1/{collection}", headers=qian.headers)
        assert id not in listed.text
    for phone in (qian, new):
        phone.check_digests()


async def test_a_record_of_another_community_is_neither_written_nor_referred_to(
    world: World, new: RawPhone, door: UUID
) -> None:
    home = await second_community(world)
    qian = RawPhone(world, await world.phone_token("qian"))
    for claimed in (home, world.home):
        edit = {**mutation(world, "households", door, "update", 1, fields={"door": "9"}), "home": str(claimed)}
        [outcome] = await qian.push(edit, home=str(claimed))
        assert problem(outcome) == ("refused", "not_found")
        knock = {**mutation(world, "visits", NEW_ID(), fields=visit(door)), "home": str(claimed)}
        [outcome] = await qian.push(knock, home=str(claimed))
        assert problem(outcome) == ("refused", "reference_not_found")
    [outcome] = await qian.push(
        {**mutation(world, "households", NEW_ID(), fields=household(world)), "home": str(home)}, home=str(home)
    )
    assert problem(outcome) == ("refused", "reference_not_found")
    assert (await new.get("households", door))["rev"] == 1
