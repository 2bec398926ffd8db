"""Two workers register one person, or one door, offline: the next sync says so to both, and to nobody else."""

import asyncio
from uuid import UUID, uuid5

import pytest

from tests.phones import Time, new_phone
from tests.raw_phone import Answer, RawPhone, phone_of
from tests.test_two_of_one_become_one import NUMBER, merged, resident
from tests.two_people import door, li, wang
from tests.world import NEW_ID, World, bearer, household, mutation, nothing_drifted

__all__ = ["door", "li", "wang"]
BORN = {"birth_date": "1949-12-31"}


async def noted(phone: RawPhone) -> dict[frozenset[str], Answer]:
    """What the phone holds, by the two it is about."""
    await phone.pull()
    phone.check_digests()
    held = [
        change["fields"] for feed in phone.feeds.values() for (name, _), change in feed.items() if name == "duplicates"
    ]
    assert len(held) == len({frozenset((one["record"], one["other"])) for one in held})
    return {frozenset((one["record"], one["other"])): one for one in held}


async def registered(phone: RawPhone, door: UUID, name: str = "王强", **fields: object) -> UUID:
    id = NEW_ID()
    await phone.apply("residents", id, fields=resident(door, name, **fields))
    return id


def pair(*ids: UUID) -> frozenset[str]:
    return frozenset(map(str, ids))


async def test_the_next_sync_tells_both_phones(world: World) -> None:
    time = Time()
    for login in ("zhao", "qian"):
        await world.add_person(login)
    one, two = [await new_phone(world, login, time.seams(login)) for login in ("zhao", "qian")]
    door = one.replica.create("households", world.home, household(world))
    for phone in (one, two):
        await phone.sync()
    keys = [
        phone.replica.create("residents", world.home, resident(door.record, name, id_number=NUMBER))
        for phone, name in ((one, "王强"), (two, "王阿强"))
    ]
    for phone in (one, two, one):
        await phone.sync()
    assert one.held() == two.held()
    for phone in (one, two):
        [hint] = phone.replica.shown_all("duplicates")
        assert {hint.fields["record"], hint.fields["other"]} == {str(key.record) for key in keys}
        assert (hint.fields["alike"], hint.fields["state"]) == (["id_number"], "open")
    # Merged by one of them, it is asked no more.
    path, into = f"/v1/residents/{keys[0].record}/merge", {"into": str(keys[1].record)}
    assert (await world.http.post(path, json=into, headers=bearer(two.token))).status_code == 200
    for phone in (one, two):
        await phone.sync()
        assert [*phone.replica.shown_all("duplicates")] == []
    assert one.held() == two.held()


@pytest.mark.parametrize(
    ("ours", "theirs", "alike"),
    [
        ({"id_number": NUMBER}, {"id_number": NUMBER, "name": "王阿强"}, ["id_number"]),
        (BORN, BORN, ["birth_date", "name"]),
        ({**BORN, "id_number": NUMBER}, {**BORN, "id_number": NUMBER}, ["birth_date", "id_number", "name"]),
        (BORN, {"birth_date": "1950-01-01"}, None),
        (BORN, {**BORN, "name": "王阿强"}, None),
        ({}, {}, None),
    ],
)
async def test_people_look_alike_by_number_or_by_name_and_birth_date(
    li: RawPhone, wang: RawPhone, door: UUID, ours: Answer, theirs: Answer, alike: list[str] | None
) -> None:
    one = await registered(li, door, **{"name": "王强", **ours})
    other = await registered(wang, door, **{"name": "王强", **theirs})
    found = await noted(li)
    assert {key: hint["alike"] for key, hint in found.items()} == ({pair(one, other): alike} if alike else {})


async def test_two_records_of_one_push_are_noted_and_a_door_registered_twice(world: World, li: RawPhone) -> None:
    first, second, other = (NEW_ID() for _ in range(3))
    await li.push(
        *(mutation(world, "households", id, fields=household(world)) for id in (first, second)),
        mutation(world, "households", other, fields=household(world, unit="unit_2")),
    )
    found = await noted(li)
    assert {key: hint["alike"] for key, hint in found.items()} == {pair(first, second): ["area_id", "door"]}
    assert found[pair(first, second)]["area_id"] == str(world.areas["unit_1"])


async def test_an_edit_makes_a_hint_and_unmakes_it(li: RawPhone, wang: RawPhone, door: UUID) -> None:
    one, other = await registered(li, door, **BORN), await registered(li, door, "王阿强", **BORN)
    assert await noted(wang) == {}
    await wang.apply("residents", other, "update", 1, fields={"name": "王强"})
    assert {*await noted(wang)} == {pair(one, other)}
    await wang.apply("residents", other, "update", 2, fields={"phone": "13800000000"})
    assert {*await noted(wang)} == {pair(one, other)}
    await li.apply("residents", one, "update", 1, fields={"birth_date": None})
    assert await noted(wang) == {}
    await li.apply("residents", one, "update", 2, fields=BORN)
    assert {*await noted(wang)} == {pair(one, other)}
    await li.apply("residents", one, "delete", 3)
    assert await noted(wang) == {}


async def test_what_a_person_dismissed_is_remembered(world: World, li: RawPhone, wang: RawPhone, door: UUID) -> None:
    one, other = await registered(li, door, **BORN), await registered(wang, door, **BORN)
    await noted(li)
    [change] = [c for feed in li.feeds.values() for (name, _), c in feed.items() if name == "duplicates"]
    said = {"state": "dismissed", "note": "父子同名。"}
    await li.apply("duplicates", UUID(change["record"]), "update", 1, fields=said)
    await wang.apply("residents", one, "update", 1, fields={"phone": "13800000000"})
    await wang.apply("residents", other, "update", 1, fields={"name": "王阿强"})
    assert await noted(wang) == {}
    await wang.apply("residents", other, "update", 2, fields={"name": "王强"})
    hint = (await noted(wang))[pair(one, other)]
    assert (hint["state"], hint["note"]) == ("dismissed", "父子同名。")
    assert [row["op"] for row in await li.history("duplicates", change["record"])] == [
        "revive", "delete", "update", "create"
    ]  # fmt: skip


async def test_of_many_each_is_noted_once(li: RawPhone, door: UUID) -> None:
    people = [await registered(li, door, id_number=NUMBER) for _ in range(4)]
    assert {*await noted(li)} == {pair(people[0], id) for id in people[1:]}
    await li.apply("residents", people[0], "update", 1, fields={"name": "王阿强"})
    assert {*await noted(li)} == {pair(people[0], id) for id in people[1:]}
    await merged(li, people[0], people[2])
    assert pair(people[1], people[2]) in await noted(li)
    assert not any(str(people[0]) in key for key in await noted(li))


async def test_nobody_hears_of_a_record_that_they_may_not_see(world: World, li: RawPhone, door: UUID) -> None:
    zhao = await phone_of(world, "zhao", area="building_2")
    helper = await phone_of(world, "lou", role="helper")
    theirs = NEW_ID()
    await zhao.apply("households", theirs, fields=household(world, "12", unit="unit_2"))
    one, other = await registered(li, door, id_number=NUMBER), await registered(zhao, theirs, id_number=NUMBER)
    assert await noted(li) == await noted(zhao) == {}
    # One of them moves house, to where the other lives.
    await li.apply("residents", one, "update", 1, fields={"household_id": str(theirs)})
    assert {*await noted(zhao)} == {*await noted(li)} == {pair(one, other)}
    assert await noted(helper) == {}
    # The house itself goes to the other building, with both: so does what is known of them.
    await li.apply("households", theirs, "update", 1, fields={"area_id": str(world.areas["unit_1"])})
    assert await noted(zhao) == {}
    assert (await noted(li))[pair(one, other)]["area_id"] == str(world.areas["unit_1"])
    # And one alone back again.
    third = NEW_ID()
    await zhao.apply("households", third, fields=household(world, "9", unit="unit_2"))
    await li.apply("residents", one, "update", 2, fields={"household_id": str(third)})
    assert await noted(li) == await noted(zhao) == {}
    await nothing_drifted(world.context)


async def test_of_two_phones_at_the_very_same_moment_one_hears_of_the_other(
    world: World, li: RawPhone, door: UUID
) -> None:
    phones = [await phone_of(world, f"worker_{n}") for n in range(6)]
    people = await asyncio.gather(*(registered(phone, door, id_number=NUMBER) for phone in phones))
    told = {id for key in await noted(li) for id in key}
    assert told == {str(id) for id in people}


async def test_what_a_restored_server_had_from_a_phone_is_not_noted_again(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    one, other = await registered(li, door, **BORN), await registered(wang, door, "王阿强", **BORN)
    hint = uuid5(min(one, other), f"residents/{max(one, other)}")
    fields = {"area_id": str(world.areas["unit_1"]), "of_collection": "residents", "alike": ["name", "birth_date"]}
    fields |= {"record": str(min(one, other)), "other": str(max(one, other))}
    seen = [{"collection": "duplicates", "record": str(hint), "home": str(world.home), "fields": fields}]
    await li.apply("duplicates", hint, "update", 1, fields={"state": "dismissed"}, seen=seen)
    await wang.apply("residents", other, "update", 1, fields={"name": "王强"})
    assert (await noted(li))[pair(one, other)]["state"] == "dismissed"
    late = await registered(wang, door, **BORN)
    assert {*await noted(li)} == {pair(one, other), pair(one, late)}


async def test_what_a_person_notes_stays_until_one_of_both_is_gone(world: World, li: RawPhone, door: UUID) -> None:
    one, other = await registered(li, door), await registered(li, door, "李强")
    fields = {"area_id": str(world.areas["unit_1"]), "of_collection": "residents"}
    await li.apply("duplicates", NEW_ID(), fields={**fields, "record": str(one), "other": str(other)})
    await li.apply("residents", one, "update", 1, fields={"name": "王阿强"})
    assert {*await noted(li)} == {pair(one, other)}
    await merged(li, one, other)
    assert await noted(li) == {}
