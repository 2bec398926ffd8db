"""Real phones, other buildings, a restored server, many at once: what was merged is one record for everybody."""

import asyncio
from uuid import UUID

from tests.phones import Phone, Time, key_of, new_phone
from tests.raw_phone import Answer, RawPhone, phone_of
from tests.test_two_of_one_become_one import NUMBER, conflicts_of, merge, merged, resident
from tests.two_people import door, li, wang
from tests.world import NEW_ID, World, bearer, household, mutation, nothing_drifted

__all__ = ["door", "li", "wang"]


async def equal_fresh_ones(phones: list[Phone]) -> None:
    """I2: byte for byte."""
    for phone in (*phones, *phones):
        await phone.sync()
    for phone in phones:
        fresh = await new_phone(phone.world, phone.login, Time().seams(phone.login))
        await fresh.sync()
        assert phone.held() == fresh.held()
        assert not phone.replica.refusals()


async def test_two_phones_met_one_person_offline_and_one_of_them_goes_on_writing_of_the_old_record(
    world: World,
) -> None:
    time = Time()
    for login in ("zhao", "qian"):
        await world.add_person(login)
    one, two = [await new_phone(world, login, time.seams(login)) for login in ("zhao", "qian")]
    door = one.replica.create("households", world.home, household(world))
    for phone in (one, two):
        await phone.sync()
    loser = one.replica.create("residents", world.home, resident(door.record, "王强", id_number=NUMBER, note="怕狗。"))
    stays = two.replica.create("residents", world.home, resident(door.record, "王强", id_number=NUMBER, note="耳背。"))
    for phone in (one, two, one):
        await phone.sync()
    one.replica.edit(loser, {"note": "怕狗。有药。", "phone": "13800000000"})
    two.replica.edit(stays, {"note": "耳背。要大声。"})
    path, into = f"/v1/residents/{loser.record}/merge", {"into": str(stays.record)}
    assert (await world.http.post(path, json=into, headers=bearer(two.token))).status_code == 200
    await two.sync()
    await one.sync()
    one.replica.edit(stays, {"emergency_contact": "女儿"})
    await equal_fresh_ones([one, two])
    assert one.held() == two.held()
    shown = two.replica.shown(stays)
    assert one.replica.shown(loser) is None
    assert shown
    assert (shown.fields["phone"], shown.fields["emergency_contact"]) == ("13800000000", "女儿")
    said = str(shown.fields["note"]) + str([c.fields["candidates"] for c in two.replica.conflicts()])
    assert all(sentence in said for sentence in ("耳背。", "怕狗。", "有药。", "要大声。"))


async def test_who_had_only_the_other_building_keeps_their_grace(world: World, li: RawPhone) -> None:
    zhao = await phone_of(world, "zhao", area="building_2")
    helper = await phone_of(world, "lou", role="helper", area="building_2")
    loser, stays, person, visit, late = (NEW_ID() for _ in range(5))
    await zhao.apply("households", loser, fields=household(world, unit="unit_2"))
    await zhao.apply("residents", person, fields=resident(loser))
    await helper.apply("visits", visit, fields={"household_id": str(loser), "outcome": "opened"})
    await li.apply("households", stays, fields=household(world))
    await zhao.pull()
    await merged(li, loser, stays, "households")
    await zhao.pull()
    assert [zhao.holds(*one) for one in (("households", loser), ("residents", person), ("visits", visit))] == [None] * 3
    zhao.check_digests()
    for who, says in ((zhao, "下午。"), (helper, "上午。")):
        fields = {"household_id": str(loser), "outcome": "nobody_home", "note": says}
        await who.apply("visits", late, fields=fields)
        assert (await li.get("visits", late))["household_id"] == str(stays)
        late = NEW_ID()
    outcome = await zhao.say("households", loser, "update", 1, fields={"best_time": "晚上"})
    assert outcome["outcome"] == "conflicted"
    assert [c["value"] for c in (await conflicts_of(li, stays))["best_time"]["candidates"]] == ["晚上"]
    # What one may not see is told no name.
    answer = await world.http.get(f"/v1/households/{loser}", headers=zhao.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    await nothing_drifted(world.context)


async def test_after_a_restore_the_old_record_is_still_an_alias(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    loser, stays = NEW_ID(), NEW_ID()
    first = resident(door, "王强", phone="13800000000", note="怕狗。")
    await li.apply("residents", loser, fields=first)
    await wang.apply("residents", stays, fields=resident(door, "王强"))
    await merged(wang, loser, stays)
    seen = [{"collection": "residents", "record": str(loser), "home": str(world.home), "fields": first}]
    outcome = await li.say("residents", loser, "update", 7, fields={"note": "怕狗。有药。"}, seen=seen)
    assert outcome["outcome"] == "applied"
    again = await li.say("residents", loser, fields={**first, "sex": "male"}, seen=[])
    assert again["outcome"] == "applied"
    record = await li.get("residents", stays)
    assert (record["note"], record["sex"], await conflicts_of(li, stays)) == ("怕狗。有药。", "male", {})
    lost = NEW_ID()
    seen = [{"collection": "visits", "record": str(lost), "home": str(world.home), "fields": {}}]
    seen[0]["fields"] = {"household_id": str(door), "outcome": "opened"}
    other = NEW_ID()
    await li.apply("households", other, fields=household(world))
    await merged(li, door, other, "households")
    seen.append({"collection": "households", "record": str(door), "home": str(world.home), "fields": household(world)})
    assert (await li.say("visits", lost, "update", 1, fields={"note": "在家。"}, seen=seen))["outcome"] == "applied"
    assert (await li.get("visits", lost))["household_id"] == str(other)


async def test_of_many_merges_and_edits_at_once_each_finds_its_record(
    world: World, li: RawPhone, wang: RawPhone, door: UUID
) -> None:
    people = [NEW_ID() for _ in range(4)]
    await li.push(
        *(mutation(world, "residents", id, fields=resident(door, "王强", note=f"{n}。")) for n, id in enumerate(people))
    )

    async def edit(phone: RawPhone, number: int) -> Answer:
        change = {"tags": {"add": [f"t{number}"]}}
        return await phone.say("residents", people[number % 4], "update", 1, fields=change)

    pairs = [(0, 1), (1, 2), (2, 0), (3, 2), (2, 3), (1, 0)]
    merges = [merge(li, people[one], people[other]) for one, other in pairs]
    edits = [edit(phone, number) for number, phone in enumerate((li, wang) * 4)]
    answers = await asyncio.gather(*merges, *edits)
    assert {a.status_code for a in answers[: len(pairs)]} <= {200, 410, 422}  # type: ignore[union-attr]
    assert {a["outcome"] for a in answers[len(pairs) :]} <= {"applied", "merged"}  # type: ignore[index]
    listed = await world.http.get("/v1/residents", headers=li.headers)
    left = listed.json()["items"]
    assert sorted(tag for one in left for tag in one["tags"]) == [f"t{n}" for n in range(8)]
    assert sorted(s for one in left for s in one["note"].replace("\n", "") if s != "。") == ["0", "1", "2", "3"]
    ids = {one["id"] for one in left}
    for id in people:
        answer = await world.http.get(f"/v1/residents/{id}", headers=li.headers)
        assert str(id) in ids or answer.json()["details"]["into"] in ids
    await nothing_drifted(world.context)


async def test_the_words_of_a_phone_that_has_the_old_record_open_are_kept(world: World) -> None:
    """Its page says that the record is gone while an edit of it waits: the edit goes up all the same."""
    await world.add_person("zhao")
    time = Time()
    phone, other = [await new_phone(world, "zhao", time.seams(name)) for name in ("one", "two")]
    door, twin = (phone.replica.create("households", world.home, household(world)) for _ in range(2))
    for one in (phone, other):
        await one.sync()
    path, into = f"/v1/households/{twin.record}/merge", {"into": str(door.record)}
    assert (await world.http.post(path, json=into, headers=bearer(other.token))).status_code == 200
    await phone.sync()
    other.replica.edit(key_of(world, "households", twin.record), {"note": "住院。"})
    await equal_fresh_ones([phone, other])
    shown = phone.replica.shown(door)
    assert shown
    assert shown.fields["note"] == "住院。"
