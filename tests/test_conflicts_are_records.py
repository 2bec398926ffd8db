"""What two people changed at once becomes a record: it travels, it is resolved offline, nothing in it is lost."""

from uuid import UUID

import pytest

from tests.raw_phone import RawPhone, phone_of
from tests.two_people import contested, door, li, wang
from tests.world import NEW_ID, World, household, mutation

__all__ = ["door", "li", "wang"]


async def test_a_contested_field_opens_a_conflict_with_base_held_and_candidate(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await li.get("conflicts", await contested(li, wang, door))
    [candidate] = conflict["candidates"]
    assert (conflict["base"], conflict["held"], candidate["value"]) == ("101", "102", "103")
    assert candidate["by"] == str(world.people["wang"])
    assert (conflict["of_collection"], conflict["of_record"], conflict["field"]) == ("households", str(door), "door")
    assert (conflict["state"], conflict["resolution"], conflict["resolved_by"]) == ("open", None, None)
    assert (await li.get("households", door))["door"] == "102"


async def test_later_values_join_the_open_conflict(world: World, li: RawPhone, wang: RawPhone, door: UUID) -> None:
    conflict = await contested(li, wang, door)
    zhao = await phone_of(world, "zhao")
    outcome = await zhao.say("households", door, "update", 1, fields={"door": "104"})
    assert outcome["conflicts"] == [conflict]
    candidates = (await li.get("conflicts", conflict))["candidates"]
    assert [(c["value"], c["by"]) for c in candidates] == [
        ("103", str(world.people["wang"])),
        ("104", str(world.people["zhao"])),
    ]


async def test_a_later_candidate_of_the_same_chain_replaces_the_earlier(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    await li.apply("households", door, "update", 1, fields={"door": "102"})
    first = mutation(world, "households", door, "update", 1, fields={"door": "103"})
    [outcome] = await wang.push(first)
    again = await wang.say("households", door, "update", 1, after=first["id"], fields={"door": "104"})
    assert again["conflicts"] == outcome["conflicts"]
    [candidate] = (await li.get("conflicts", outcome["conflicts"][0]))["candidates"]
    assert candidate["value"] == "104"
    assert [
        row["fields"].get("candidates", [{}])[0].get("value")
        for row in await li.history("conflicts", outcome["conflicts"][0])
    ] == ["104", "103"]


async def test_held_follows_the_record_while_the_conflict_is_open(li: RawPhone, wang: RawPhone, door: UUID) -> None:
    conflict = await contested(li, wang, door)
    await li.apply("households", door, "update", 2, fields={"door": "105"})
    shown = await li.get("conflicts", conflict)
    assert (shown["held"], shown["state"], shown["rev"]) == ("105", "open", 2)


async def test_a_resolution_writes_the_record_and_closes_the_conflict_at_once(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    await li.pull()
    outcome = await wang.resolve(conflict, "103", base=2, seen=1)
    assert (outcome["outcome"], outcome["rev"]) == ("applied", 2)
    await li.pull()
    record, closed = li.holds("households", door), li.holds("conflicts", conflict)
    assert record is not None
    assert closed is not None
    assert (record["fields"]["door"], record["rev"]) == ("103", 3)
    fields = closed["fields"]
    assert (fields["state"], fields["held"], fields["resolution"]) == ("closed", "103", "103")
    assert fields["resolved_by"] == str(world.people["wang"])
    li.check_digests()


async def test_choosing_the_held_value_closes_the_conflict_and_writes_nothing(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    await wang.resolve(conflict, "102", base=2, seen=1)
    assert (await li.get("conflicts", conflict))["state"] == "closed"
    assert (await li.get("households", door))["rev"] == 2


async def test_a_third_value_may_be_chosen_and_an_invalid_one_is_refused(
    li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    refused = await wang.resolve(conflict, "x" * 41, base=2, seen=1)
    assert (refused["outcome"], refused["problem"]["code"]) == ("refused", "text_too_long")
    assert (await wang.resolve(conflict, "102甲", base=2, seen=1))["outcome"] == "applied"
    assert (await li.get("households", door))["door"] == "102甲"


async def test_candidates_that_the_resolution_had_not_seen_keep_the_conflict_open(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    zhao = await phone_of(world, "zhao")
    await zhao.say("households", door, "update", 1, fields={"door": "104"})
    await wang.resolve(conflict, "103", base=2, seen=1)
    shown = await li.get("conflicts", conflict)
    assert (shown["state"], shown["held"], shown["resolved_by"]) == ("open", "103", None)
    assert [c["value"] for c in shown["candidates"]] == ["104"]
    assert (await li.get("households", door))["door"] == "103"
    await wang.resolve(conflict, "104", base=3, seen=shown["rev"])
    assert (await li.get("conflicts", conflict))["state"] == "closed"


async def test_a_resolution_that_crosses_an_edit_of_the_field_joins_as_a_candidate(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    await li.apply("households", door, "update", 2, fields={"door": "105"})
    outcome = await wang.resolve(conflict, "103", base=2, seen=1)
    assert (outcome["outcome"], outcome["conflicts"]) == ("conflicted", [conflict])
    shown = await li.get("conflicts", conflict)
    assert (shown["state"], shown["held"]) == ("open", "105")
    assert "103" in [c["value"] for c in shown["candidates"]]
    assert (await li.get("households", door))["door"] == "105"


async def test_a_second_resolution_is_refused_with_who_was_first_and_its_value_is_kept(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    await li.resolve(conflict, "102", base=2, seen=1)
    outcome = await wang.resolve(conflict, "103", base=2, seen=1)
    assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "already_resolved")
    assert outcome["problem"]["details"]["resolved_by"] == str(world.people["li"])
    assert (await li.get("households", door))["door"] == "102"
    kept = await world.http.get("/v1/mutations", params={"outcome": "refused"}, headers=wang.headers)
    assert outcome["id"] in kept.text
    assert "103" in kept.text


async def test_the_same_resolution_sent_again_has_the_outcome_of_once(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    said = {"resolution": {"value": "103", "base": 2, "after": None}}
    resolution = mutation(world, "conflicts", UUID(conflict), "update", 1, fields=said)
    [first], [again] = await wang.push(resolution), await wang.push(resolution)
    assert again == {**first, "replayed": True}
    assert len(await li.history("conflicts", conflict)) == 2


async def test_a_conflict_is_resolved_by_its_own_address_too(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    address = f"/v1/conflicts/{conflict}/resolution"
    stale = await world.http.post(address, json={"value": "103"}, headers={**li.headers, "If-Match": '"9"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    answer = await world.http.post(address, json={"value": "103"}, headers={**li.headers, "If-Match": '"1"'})
    assert (answer.status_code, answer.json()["state"], answer.headers["etag"]) == (200, "closed", '"2"')
    assert (await li.get("households", door))["door"] == "103"
    second = await world.http.post(address, json={"value": "102"}, headers=wang.headers)
    assert (second.status_code, second.json()["code"]) == (409, "already_resolved")
    assert second.json()["details"]["resolved_by"] == str(world.people["li"])


async def test_phones_neither_make_nor_delete_nor_rewrite_conflicts(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    for op, fields in [("create", {"field": "door"}), ("delete", {}), ("update", {"state": "closed"})]:
        outcome = await wang.say("conflicts", UUID(conflict), op, 1, fields=fields)
        assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "mutation_invalid")
    assert (await li.get("conflicts", conflict))["rev"] == 1


async def test_who_may_not_write_the_record_may_not_resolve_its_conflict(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    reader = await phone_of(world, "zhao", role="reader")
    stranger = await phone_of(world, "qian", area="building_2")
    for phone in (reader, stranger):
        outcome = await phone.resolve(conflict, "103", base=2, seen=1)
        assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "not_found")
    assert (await li.get("conflicts", conflict))["state"] == "open"


async def test_a_conflict_lists_in_the_feed_of_its_record(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    conflict = await contested(li, wang, door)
    await li.pull()
    assert li.feed_of("conflicts", conflict) == li.feed_of("households", door)
    stranger = await phone_of(world, "qian", area="building_2")
    await stranger.pull()
    assert stranger.holds("conflicts", conflict) is None
    li.check_digests()
    stranger.check_digests()


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
async def test_a_conflict_moves_with_its_record(
    world: World, li: RawPhone, wang: RawPhone, door: UUID, closed: bool
) -> None:
    conflict = await contested(li, wang, door)
    if closed:
        await li.resolve(conflict, "103", base=2, seen=1)
    await li.pull()
    before = li.holds("conflicts", conflict)
    rev = (await li.get("households", door))["rev"]
    await li.apply("households", door, "update", rev, fields={"area_id": str(world.areas["unit_2"])})
    await li.pull()
    after = li.holds("conflicts", conflict)
    assert before is not None
    assert after is not None
    assert after["feed"] == li.feed_of("households", door) != before["feed"]
    assert (after["rev"], after["fields"]) == (before["rev"], before["fields"])
    li.check_digests()


@pytest.mark.parametrize("chosen", ["unit_2", "building_1", "unit_1"])
async def test_a_contested_area_is_resolved_and_everything_lists_where_it_was_chosen(
    world: World, li: RawPhone, wang: RawPhone, door: UUID, chosen: str
) -> None:
    ours, theirs, place = (str(world.areas[name]) for name in ("unit_2", "building_1", chosen))
    conflict = await contested(li, wang, door, "area_id", ours=ours, theirs=theirs)
    assert (await wang.resolve(conflict, place, base=2, seen=1))["outcome"] == "applied"
    await li.pull()
    there = NEW_ID()
    await li.apply("households", there, fields=household(world, unit=chosen))
    await li.pull()
    feeds = {li.feed_of("households", door), li.feed_of("conflicts", conflict)}
    assert feeds == {li.feed_of("households", there)}
    assert (await li.get("households", door))["area_id"] == place
    li.check_digests()


@pytest.mark.parametrize("elsewhere", ["nowhere", "out of reach"])
async def test_nobody_resolves_a_contested_area_to_where_they_have_no_say(
    world: World, li: RawPhone, wang: RawPhone, door: UUID, elsewhere: str
) -> None:
    ours, theirs = (str(world.areas[name]) for name in ("unit_2", "building_1"))
    conflict = await contested(li, wang, door, "area_id", ours=ours, theirs=theirs)
    zhao = await phone_of(world, "zhao", area="building_2")
    place = str(NEW_ID() if elsewhere == "nowhere" else world.areas["building_1"])
    outcome = await zhao.resolve(conflict, place, base=2, seen=1)
    assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "reference_not_found")
    assert ((await li.get("conflicts", conflict))["state"], (await li.get("households", door))["area_id"]) == (
        "open",
        ours,
    )
