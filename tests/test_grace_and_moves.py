"""What somebody wrote before their building was given to another is taken for thirty days, as far as it can be."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.context import Context
from tests.raw_phone import Answer, Clock, RawPhone, phone_of
from tests.world import NEW_ID, World, bearer, household, mutation, new_world


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(context: Context, clock: Clock) -> AsyncIterator[World]:
    world = await new_world(replace(context, seams=replace(context.seams, now=clock.now)))
    yield world
    await world.http.aclose()


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


async def signed_in_again(world: World, login: str) -> RawPhone:
    return RawPhone(world, await world.phone_token(login))


def visit(door: UUID, **fields: Any) -> Answer:
    return {"household_id": str(door), "outcome": "opened", "note": "敲了门。", **fields}


def problem(outcome: Answer) -> Any:
    return outcome["outcome"], (outcome.get("problem") or {}).get("code")


# Grace


@pytest.mark.parametrize("days", [0, 29])
async def test_what_was_created_before_the_building_was_given_away_is_applied_for_thirty_days(
    world: World, clock: Clock, old: RawPhone, new: RawPhone, door: UUID, days: int
) -> None:
    await world.end_grant("old", "building_1")
    clock.forward(days=days)
    old, new = await signed_in_again(world, "old"), await signed_in_again(world, "new")
    knock, neighbours = NEW_ID(), NEW_ID()
    await old.apply("visits", knock, fields=visit(door))
    await old.apply("households", neighbours, fields=household(world, "102"))
    assert (await new.get("visits", knock))["note"] == "敲了门。"
    assert (await new.get("households", neighbours))["door"] == "102"
    await new.pull()
    new.check_digests()


async def test_what_is_edited_within_the_grace_waits_as_a_candidate_and_changes_nothing(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    await world.end_grant("old", "building_1")
    edits = {"door": "102", "best_time": "傍晚", "note": "一。二。三。", "tags": {"add": ["b"]}}
    outcome = await old.say("households", door, "update", 1, fields=edits)
    assert outcome["outcome"] == "conflicted"
    held = await new.get("households", door)
    assert (held["rev"], held["door"], held["best_time"], held["note"]) == (1, "101", None, "一。二。")
    waiting = [await new.get("conflicts", id) for id in outcome["conflicts"]]
    values = {c["field"]: c["candidates"][0]["value"] for c in waiting}
    assert values == {**edits, "tags": ["a", "b"]}
    for conflict in waiting:
        await new.resolve(
            conflict["id"], values[conflict["field"]], base=(await new.get("households", door))["rev"], seen=1
        )
    shown = await new.get("households", door)
    assert {"door": shown["door"], "tags": sorted(shown["tags"])} == {"door": "102", "tags": ["a", "b"]}
    assert (shown["note"], shown["best_time"]) == ("一。二。三。", "傍晚")


async def test_a_delete_within_the_grace_waits_as_a_candidate(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    await world.end_grant("old", "building_1")
    outcome = await old.say("households", door, "delete", 1)
    assert outcome["outcome"] == "conflicted"
    conflict = await new.get("conflicts", outcome["conflicts"][0])
    assert (conflict["field"], conflict["candidates"][0]["value"]) == ("deleted", True)
    assert (await new.get("households", door))["rev"] == 1


async def test_within_the_grace_a_delete_of_what_is_deleted_asks_nothing(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    await new.apply("households", door, "delete", 1)
    await world.end_grant("old", "building_1")
    outcome = await old.say("households", door, "delete", 1)
    assert outcome.get("conflicts", []) == []


async def test_within_the_grace_what_can_never_be_written_is_refused_and_no_candidate(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    """A candidate for a field that is set once could be chosen by nobody."""
    knock = NEW_ID()
    await new.apply("visits", knock, fields=visit(door))
    await world.end_grant("old", "building_1")
    outcome = await old.say("visits", knock, "update", 1, fields={"outcome": "refused"})
    assert problem(outcome) == ("refused", "once_changed")


async def opened(old: RawPhone, new: RawPhone, door: UUID, field: str = "door") -> str:
    if field == "deleted":
        await new.apply("households", door, "update", 1, fields={"floor": 3})
        outcome = await old.say("households", door, "delete", 1)
    else:
        await new.apply("households", door, "update", 1, fields={field: "102"})
        outcome = await old.say("households", door, "update", 1, fields={field: "103"})
    return str(outcome["conflicts"][0])


@pytest.mark.parametrize(
    ("field", "value"),
    [("door", "103"), ("door", "104"), ("door", "102"), ("deleted", True), ("deleted", False)],
    ids=["the candidate", "another", "the held one", "delete", "keep"],
)
async def test_a_resolution_within_the_grace_waits_as_a_candidate_whatever_it_chose(
    world: World, old: RawPhone, new: RawPhone, door: UUID, field: str, value: Any
) -> None:
    conflict = await opened(old, new, door, field)
    await world.end_grant("old", "building_1")
    await old.resolve(conflict, value, base=2, seen=1)
    shown = await new.get("conflicts", conflict)
    assert (shown["state"], shown["resolved_by"]) == ("open", None)
    assert (await new.get("households", door))["rev"] == 2


@pytest.mark.parametrize("op", ["create", "update", "delete", "resolution"])
async def test_after_thirty_days_there_is_no_such_record(
    world: World, clock: Clock, old: RawPhone, new: RawPhone, door: UUID, op: str
) -> None:
    conflict = await opened(old, new, door)
    await world.end_grant("old", "building_1")
    clock.forward(days=30, seconds=1)
    old = await signed_in_again(world, "old")
    if op == "resolution":
        outcome = await old.resolve(conflict, "103", base=2, seen=1)
    elif op == "create":
        outcome = await old.say("visits", NEW_ID(), fields=visit(door))
    else:
        outcome = await old.say("households", door, op, 2, fields={} if op == "delete" else {"door": "104"})
    assert problem(outcome) == ("refused", "reference_not_found" if op == "create" else "not_found")
    kept = await world.http.get("/v1/mutations", params={"outcome": "refused"}, headers=old.headers)
    assert outcome["id"] in kept.text


async def test_the_grace_counts_from_when_it_is_received_not_from_when_the_phone_says_it_was_made(
    world: World, clock: Clock, old: RawPhone, door: UUID
) -> None:
    await world.end_grant("old", "building_1")
    clock.forward(days=31)
    old = await signed_in_again(world, "old")
    early = mutation(world, "visits", NEW_ID(), fields=visit(door), made_at="2016-01-01T08:00:00Z")
    [outcome] = await old.push(early)
    assert outcome["outcome"] == "refused"


async def test_somebody_without_any_grant_may_push_within_the_grace_and_pulls_what_they_lost(
    world: World, old: RawPhone, new: RawPhone, door: UUID
) -> None:
    await old.pull()
    feed = old.feed_of("households", door)
    await world.end_grant("old", "building_1")
    await old.apply("visits", NEW_ID(), fields=visit(door))
    await old.pull()
    assert feed in old.lost
    assert not old.feeds
    gone = await world.http.get(f"/v1/households/{door}", headers=old.headers)
    assert gone.status_code == 404


async def test_a_revoked_phone_may_not_push_even_within_the_grace(world: World, old: RawPhone, door: UUID) -> None:
    await world.end_grant("old", "building_1")
    listed = await world.http.get("/v1/replicas", headers=old.headers)
    [replica] = listed.json()["replicas"]
    person = bearer(await world.token("old"))
    assert (await world.http.delete(f"/v1/replicas/{replica['id']}", headers=person)).status_code == 204
    answer = await old.send(mutation(world, "visits", NEW_ID(), fields=visit(door)))
    assert (answer.status_code, answer.json()["code"]) == (401, "replica_revoked")


async def test_a_phone_revoked_while_its_push_is_on_its_way_gets_nothing_in(
    world: World, old: RawPhone, new: RawPhone, door: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waits for a body asks anew after that; in process, a body that is left while it waits is over.
    monkeypatch.setattr("app.bounds.AT_ONCE_SECONDS", 30)
    [replica] = (await world.http.get("/v1/replicas", headers=old.headers)).json()["replicas"]
    knock = mutation(world, "visits", NEW_ID(), fields=visit(door))

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"mutations":['
        ended = await world.http.delete(f"/v1/replicas/{replica['id']}", headers=old.headers)
        assert ended.status_code == 204
        yield json.dumps(knock).encode() + b"]}"

    sent = {**old.headers, "Content-Type": "application/json"}
    answer = await world.http.post("/v1/sync/push", content=slowly(), headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (401, "replica_revoked")
    await new.pull()
    assert new.holds("visits", knock["record"]) is None


async def test_ending_one_role_leaves_the_others(world: World, old: RawPhone, new: RawPhone, door: UUID) -> None:
    await world.grant("old", "building_1", role="reader")
    await world.end_grant("old", "building_1", role="worker")
    outcome = await old.say("households", door, "update", 1, fields={"door": "102"})
    assert outcome["outcome"] == "conflicted"  # within the grace, since a reader writes nothing
    await old.pull()
    assert old.holds("households", door)
    await world.end_grant("old", "building_1", role="reader")
    await old.pull()
    assert not old.feeds


async def test_a_reader_gets_no_grace_to_write(world: World, new: RawPhone, door: UUID) -> None:
    reader = await phone_of(world, "reader", area="building_1", role="reader")
    await world.end_grant("reader", "building_1")
    outcome = await reader.say("households", door, "update", 1, fields={"door": "102"})
    assert problem(outcome) == ("refused", "not_found")
