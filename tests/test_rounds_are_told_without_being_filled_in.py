"""Follow-ups, patrol logs and deliveries: what the office wants to know follows from what was written at the doors."""

from datetime import timedelta
from uuid import UUID

from tests.raw_phone import RawPhone, phone_of
from tests.sweeps import begin, counted, doors, meet, report, secretary, today
from tests.world import NEW_ID, World, mutation

__all__ = ["doors", "secretary"]  # the fixtures


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
    asked = {"area_id": str(world.home), "campaign_id": campaign, "form": "page"}
    page = await world.http.get("/v1/reports/follow_ups", params=asked, headers=secretary.headers)
    assert "三天大排查" in page.text
    assert campaign not in page.text
    above = await phone_of(world, "above", role="admin", area="district")
    assert (await report(above, "follow_ups"))["kinds"][0] == {**escort, "open": None, "closed": None, "overdue": None}


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
    # What was done at a door that is gone since was done.
    await secretary.apply("households", doors[2], "delete", 1)
    assert await report(li, "patrol", "grid") == log


async def test_what_a_wrong_clock_noted_under_another_day_is_put_under_its_own(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    li, log = await phone_of(world, "li"), NEW_ID()
    person, wrong, right = str(world.people["li"]), str(today(world, later=3653)), str(today(world))
    said = {"area_id": str(world.areas["building_1"]), "person_id": person, "day": wrong, "note": "一切正常。"}
    await li.apply("patrol_logs", log, fields=said)
    assert (await report(li, "patrol", "grid", day=right))["note"] == ""
    # What is still to come is what a list from tomorrow on finds.
    coming = {"day_from": str(today(world, later=1))}
    listed = await world.http.get("/v1/patrol_logs", params=coming, headers=secretary.headers)
    assert [one["id"] for one in listed.json()["items"]] == [str(log)]
    await li.apply("patrol_logs", log, "update", 1, fields={"day": right})
    assert [(await report(li, "patrol", "grid", day=day))["note"] for day in (right, wrong)] == ["一切正常。", ""]


async def test_who_was_met_under_two_ids_that_became_one_counts_once_in_the_patrol_log(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    li = await phone_of(world, "li")
    first, second, third = [await meet(li, doors[0], name=name) for name in ("王强", "王阿强", "王小强")]
    other = await meet(li, doors[0], name="李红")
    for door, met in ((doors[0], [first, other]), (doors[1], [second]), (doors[0], [third, other])):
        said = {"household_id": str(door), "outcome": "opened", "persons_met": sorted(met)}
        await li.apply("visits", NEW_ID(), fields=said)
    for loser, into, left in ((first, second, 3), (second, third, 2)):
        path = f"/v1/residents/{loser}/merge"
        answer = await world.http.post(path, json={"into": into}, headers=secretary.headers)
        assert answer.status_code == 200, answer.text
        assert counted(await report(li, "patrol", "grid"), "visits", "doors", "met") == (3, 2, left)


async def test_a_patrol_log_says_whose_it_is_as_the_group_calls_them(
    world: World, secretary: RawPhone, doors: list[UUID]
) -> None:
    await phone_of(world, "li")
    assert (await report(secretary, "patrol", "grid", person_id=str(world.people["li"])))["name"] is None
    begun = {"area_id": str(world.areas["grid"]), "person_id": str(world.people["li"])}
    for name, since in (("小李", "2026-01-01"), ("老李", "2026-02-01")):
        member = {**begun, "name": name, "since": since}
        assert (await world.http.post("/v1/members", json=member, headers=secretary.headers)).status_code == 201
    assert (await report(secretary, "patrol", "grid", person_id=str(world.people["li"])))["name"] == "老李"


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
