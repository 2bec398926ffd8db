"""Two records of one person, or of one door, become one: nothing that either said is lost, and what is late arrives."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app import join
from tests.raw_phone import Answer, RawPhone, phone_of, second_community
from tests.two_people import door, li, wang
from tests.world import NEW_ID, World, household, mutation, nothing_drifted

__all__ = ["door", "li", "wang"]

NUMBER = "11010519491231002X"


def resident(door: UUID, name: str = "王阿强", **fields: Any) -> Answer:
    return {"household_id": str(door), "name": name, **fields}


async def merge(
    phone: RawPhone, loser: UUID, into: UUID, collection: str = "residents", **headers: str
) -> httpx.Response:
    path = f"/v1/{collection}/{loser}/merge"
    return await phone.world.http.post(path, json={"into": str(into)}, headers={**phone.headers, **headers})


async def merged(phone: RawPhone, loser: UUID, into: UUID, collection: str = "residents") -> Answer:
    answer = await merge(phone, loser, into, collection)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def conflicts_of(phone: RawPhone, record: UUID) -> dict[str, Answer]:
    """The open ones, by field."""
    query = {"of_record": str(record), "state": "open"}
    listed = await phone.world.http.get("/v1/conflicts", params=query, headers=phone.headers)
    return {item["field"]: item for item in listed.json()["items"]}


@pytest.fixture
async def twins(li: RawPhone, wang: RawPhone, door: UUID) -> tuple[UUID, UUID]:
    """One person, met by Li and by Wang: (the loser, the one that stays)."""
    loser, stays = NEW_ID(), NEW_ID()
    await li.apply(
        "residents", loser, fields=resident(door, phone="13800000000", id_number=NUMBER, tags=["ill"], note="怕狗。")
    )
    await wang.apply(
        "residents", stays, fields=resident(door, "王强", tags=["alone"], note="耳背。", phone="13900000000")
    )
    return loser, stays


async def test_what_the_one_lacks_is_taken_over_and_what_differs_is_asked(
    world: World, li: RawPhone, wang: RawPhone, twins: tuple[UUID, UUID]
) -> None:
    loser, stays = twins
    record = await merged(wang, loser, stays)
    assert (record["id"], record["rev"]) == (str(stays), 2)
    assert (record["id_number"], record["tags"], record["note"]) == (NUMBER, ["alone", "ill"], "耳背。\n怕狗。")
    assert (record["name"], record["phone"]) == ("王强", "13900000000")
    asked = await conflicts_of(li, stays)
    assert {name: [(c["value"], c["by"]) for c in one["candidates"]] for name, one in asked.items()} == {
        "name": [("王阿强", str(world.people["li"]))],
        "phone": [("13800000000", str(world.people["li"]))],
    }
    await li.pull()
    assert li.holds("residents", loser) is None
    assert (li.holds("residents", stays) or {})["fields"]["tags"] == ["alone", "ill"]
    li.check_digests()
    assert [row["op"] for row in await li.history("residents", loser)] == ["merge", "create"]
    assert (await li.history("residents", loser))[0]["fields"] == {"merged_into": str(stays)}
    assert [row["op"] for row in await li.history("residents", stays)] == ["update", "create"]


async def test_the_old_id_says_where_it_went(li: RawPhone, wang: RawPhone, twins: tuple[UUID, UUID]) -> None:
    loser, stays = twins
    await merged(wang, loser, stays)
    path, http = f"/v1/residents/{loser}", li.world.http
    for method, body in [("GET", None), ("PATCH", {"note": "x"}), ("PUT", {"name": "x"}), ("DELETE", None)]:
        answer = await http.request(method, path, json=body, headers=li.headers)
        assert (answer.status_code, answer.json()["code"]) == (410, "merged"), method
        assert answer.json()["details"] == {"into": str(stays)}
    again = await merge(wang, loser, stays)
    assert (again.status_code, again.json()["code"]) == (410, "merged")


async def test_a_late_edit_reaches_the_record_that_stayed(
    li: RawPhone, wang: RawPhone, twins: tuple[UUID, UUID]
) -> None:
    loser, stays = twins
    await merged(wang, loser, stays)
    change = {"note": "怕狗。有药。", "emergency_contact": "女儿", "tags": {"add": ["deaf"], "remove": ["ill"]}}
    outcome = await li.say("residents", loser, "update", 1, fields=change)
    assert (outcome["outcome"], outcome["rev"]) == ("merged", 3)
    record = await wang.get("residents", stays)
    assert (record["note"], record["tags"]) == ("耳背。\n怕狗。有药。", ["alone", "deaf"])
    assert record["emergency_contact"] == "女儿"


async def test_a_late_edit_asks_only_where_it_differs_from_what_its_writer_saw(
    world: World, li: RawPhone, wang: RawPhone, twins: tuple[UUID, UUID]
) -> None:
    loser, stays = twins
    await merged(wang, loser, stays)
    outcome = await li.say("residents", loser, "update", 1, fields={"phone": "13700000000", "relation": "head"})
    assert outcome["outcome"] == "conflicted"
    record = await li.get("residents", stays)
    assert (record["relation"], record["phone"]) == ("head", "13900000000")
    candidates = (await conflicts_of(li, stays))["phone"]["candidates"]
    assert [c["value"] for c in candidates] == ["13800000000", "13700000000"]


async def test_late_edits_of_one_phone_do_not_conflict_with_each_other(
    li: RawPhone, wang: RawPhone, twins: tuple[UUID, UUID]
) -> None:
    loser, stays = twins
    first = mutation(li.world, "residents", loser, "update", 1, fields={"sex": "male"})
    await merged(wang, loser, stays)
    [one] = await li.push(first)
    two = await li.say("residents", loser, "update", 1, after=first["id"], fields={"sex": "female"})
    assert (one["outcome"], two["outcome"]) == ("applied", "applied")
    assert (await li.get("residents", stays))["sex"] == "female"
    await wang.apply("residents", stays, "update", two["rev"], fields={"sex": "male"})
    three = await li.say("residents", loser, "update", 1, after=two["id"], fields={"sex": None})
    assert three["outcome"] == "conflicted"
    assert [o["outcome"] for o in await li.push(first)] == ["applied"]
    assert (await li.get("residents", stays))["sex"] == "male"


async def test_a_late_delete_of_the_alias_deletes_nothing(
    li: RawPhone, wang: RawPhone, twins: tuple[UUID, UUID]
) -> None:
    loser, stays = twins
    await merged(wang, loser, stays)
    outcome = await li.say("residents", loser, "delete", 1)
    assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "already_deleted")
    assert (await li.get("residents", stays))["name"] == "王强"


async def test_what_lies_at_a_door_follows_it(li: RawPhone, wang: RawPhone, door: UUID) -> None:
    other, person, visit, gone = (NEW_ID() for _ in range(4))
    await wang.apply("households", other, fields=household(wang.world, note="二。"))
    await wang.apply("residents", person, fields=resident(other))
    await wang.apply("residents", gone, fields=resident(other, "走了"))
    await wang.apply("residents", gone, "delete", 1)
    await wang.apply("visits", visit, fields={"household_id": str(other), "outcome": "opened"})
    record = await merged(li, other, door, "households")
    assert record["note"] == "一。二。三。"
    for collection, id in (("residents", person), ("visits", visit)):
        assert (await li.get(collection, id))["household_id"] == str(door)
    # What comes late still names the other door.
    late = NEW_ID()
    await wang.apply("visits", late, fields={"household_id": str(other), "outcome": "nobody_home"})
    assert (await li.get("visits", late))["household_id"] == str(door)
    assert (await wang.say("residents", person, "update", 1, fields={"household_id": str(other)}))[
        "outcome"
    ] == "applied"
    assert (await wang.say("residents", gone, "update", 1, fields={"note": "回来了。"}))["outcome"] == "conflicted"
    assert (await li.get("residents", gone))["household_id"] == str(door)
    for phone in (li, wang):
        await phone.pull()
        phone.check_digests()
    await nothing_drifted(li.world.context)


async def test_open_conflicts_of_the_one_are_asked_of_the_other(
    world: World, li: RawPhone, wang: RawPhone, twins: tuple[UUID, UUID]
) -> None:
    loser, stays = twins
    await li.apply("residents", loser, "update", 1, fields={"phone": "13811111111"})
    outcome = await wang.say("residents", loser, "update", 1, fields={"phone": "13822222222"})
    [old] = outcome["conflicts"]
    await merged(wang, loser, stays)
    assert (await li.get("conflicts", old))["state"] == "closed"
    asked = (await conflicts_of(li, stays))["phone"]
    assert (asked["held"], [c["value"] for c in asked["candidates"]]) == ("13900000000", ["13811111111", "13822222222"])
    late = await li.resolve(old, "13811111111", base=2, seen=1)
    assert (late["outcome"], late["problem"]["code"]) == ("refused", "already_resolved")
    [new] = ((await li.resolve(asked["id"], "13811111111", base=2, seen=asked["rev"]))["outcome"],)
    assert new == "applied"
    assert (await li.get("residents", stays))["phone"] == "13811111111"


async def test_an_alias_of_an_alias_leads_to_the_last(li: RawPhone, wang: RawPhone, twins: tuple[UUID, UUID]) -> None:
    loser, stays = twins
    third = NEW_ID()
    door = (await li.get("residents", stays))["household_id"]
    await wang.apply("residents", third, fields=resident(UUID(door), "王强"))
    await merged(wang, loser, stays)
    await merged(wang, stays, third)
    answer = await li.world.http.get(f"/v1/residents/{loser}", headers=li.headers)
    assert answer.json()["details"] == {"into": str(third)}
    assert (await li.say("residents", loser, "update", 1, fields={"sex": "male"}))["outcome"] == "applied"
    assert (await li.get("residents", third))["sex"] == "male"


async def test_the_same_request_twice_acts_once(li: RawPhone, twins: tuple[UUID, UUID]) -> None:
    loser, stays = twins
    key = {"Idempotency-Key": str(NEW_ID())}
    first, again = await merge(li, loser, stays, **key), await merge(li, loser, stays, **key)
    assert (first.status_code, first.content) == (200, again.content)
    assert first.headers["etag"] == again.headers["etag"] == '"2"'
    other = await merge(li, stays, loser, **key)
    assert (other.status_code, other.json()["code"]) == (409, "mutation_reused")


async def test_bad_input_changes_nothing(
    world: World, li: RawPhone, wang: RawPhone, door: UUID, twins: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    loser, stays = twins
    gone, far = NEW_ID(), NEW_ID()
    await li.apply("residents", gone, fields=resident(door))
    await li.apply("residents", gone, "delete", 1)
    home = await second_community(world)
    qian = RawPhone(world, await world.phone_token("qian"))
    there = {"home": str(home)}
    far_door = NEW_ID()
    fields = household(world, unit="unit_b")
    await qian.push(mutation(world, "households", far_door, fields=fields, **there), **there)
    await qian.push(mutation(world, "residents", far, fields=resident(far_door), **there), **there)
    before = await li.get("residents", stays)

    async def refused(who: RawPhone, one: UUID, other: UUID, collection: str = "residents") -> tuple[int, str]:
        answer = await merge(who, one, other, collection)
        return answer.status_code, answer.json()["code"]

    assert await refused(li, loser, loser) == (422, "merge_into_itself")
    assert await refused(li, NEW_ID(), stays) == (404, "not_found")
    assert await refused(li, loser, NEW_ID()) == (422, "reference_not_found")
    assert await refused(li, loser, far) == (422, "reference_not_found")
    assert await refused(qian, loser, far) == (404, "not_found")
    assert await refused(li, gone, stays) == (404, "not_found")
    assert await refused(li, loser, gone) == (422, "reference_not_found")
    assert await refused(li, loser, door) == (422, "reference_not_found")
    assert await refused(li, loser, door, "households") == (404, "not_found")
    await world.grant("li", "community_b")
    assert await refused(li, loser, far) == (422, "merge_across")
    helper = await phone_of(world, "helper", role="helper")
    reader = await phone_of(world, "reader", role="reader")
    for who in (helper, reader):
        assert await refused(who, loser, stays) == (403, "not_permitted")
    stale = await merge(li, loser, stays, **{"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    monkeypatch.setattr(join, "MOST_REFERRING", 1)
    other = NEW_ID()
    await li.apply("households", other, fields=household(world))
    assert await refused(li, door, other, "households") == (409, "merge_too_large")
    assert await li.get("residents", stays) == before
    assert (await li.get("residents", loser))["rev"] == 1
