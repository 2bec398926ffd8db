"""Pictures over time: by the hour that phones told and the day that the server found, and nothing by person."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.collections.care_plans import Channel
from app.reports.charts import HEIGHT, charts_of
from app.reports.sheets import Sheet
from sync.days import CHINA, day_of
from tests.maker import Maker, boss, make
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.two_people import contested
from tests.world import NEW_ID, World, household, mutation

__all__ = ["boss", "make"]

Answer = dict[str, Any]


@pytest.fixture
async def li(world: World) -> RawPhone:
    return await phone_of(world, "li")


@pytest.fixture
async def doors(world: World, li: RawPhone) -> list[UUID]:
    """One in each building."""
    doors = [NEW_ID(), NEW_ID()]
    for door, unit in zip(doors, ("unit_1", "unit_2"), strict=True):
        await li.apply("households", door, fields=household(world, "1", unit))
    return doors


async def knock(
    phone: RawPhone, door: UUID, at: datetime | None, outcome: str = "opened", channel: Channel = "door"
) -> None:
    """A visit, at a moment by a clock that is right."""
    now = phone.world.context.seams.now().isoformat()
    said = {"household_id": str(door), "outcome": outcome, "channel": channel}
    said |= {"visited_at": at.isoformat()} if at else {}
    [answer] = await phone.push(mutation(phone.world, "visits", NEW_ID(), fields=said, made_at=now), sent_at=now)
    assert answer["outcome"] == "applied", answer


async def activity(phone: RawPhone, area: str, since: int = 6, until: int = 0) -> Any:
    """From so many days ago to so many days ago."""
    today = day_of(phone.world.context.seams.now(), phone.world.context.day_begins)
    days = {"since": str(today - timedelta(days=since)), "until": str(today - timedelta(days=until))}
    parameters = {"area_id": str(phone.world.areas[area]), **days}
    answer = await phone.world.http.get("/v1/reports/activity", params=parameters, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


def evening(phone: RawPhone, hour: int, minute: int = 0, second: float = 0) -> datetime:
    """Of three days ago, in China."""
    today = day_of(phone.world.context.seams.now(), phone.world.context.day_begins)
    at = datetime.combine(today - timedelta(days=3), datetime.min.time(), CHINA)
    return (at + timedelta(hours=hour, minutes=minute, seconds=second)).astimezone(UTC)


def filled(rows: list[Answer], name: str) -> dict[Any, Any]:
    """Of the hours, or days, of which there is anything."""
    return {row[name]: row["visits"] for row in rows if row["visits"]}


async def test_visits_are_told_by_hour_in_china_and_by_day_of_work(
    world: World, li: RawPhone, doors: list[UUID]
) -> None:
    await knock(li, doors[0], evening(li, 19))
    await knock(li, doors[0], evening(li, 19, 59, 59.999999), "refused", "phone")
    # After midnight, and of the evening's round all the same.
    await knock(li, doors[1], evening(li, 24, 30), "nobody_home")
    await knock(li, doors[1], None, "moved_away")
    said = await activity(li, "grid")
    today = day_of(world.context.seams.now(), world.context.day_begins)
    assert (said["visits"], said["untimed"], said["hidden_below"]) == (4, 1, None)
    assert filled(said["hours"], "hour") == {0: 1, 19: 2}
    assert [row["hour"] for row in said["hours"]] == [*range(24)]
    assert said["hours"][19]["by_channel"] == {"door": 1, "phone": 1, "street": 0, "window": 0}
    assert said["hours"][19]["opened"] == 1
    assert filled(said["days"], "day") == {str(today - timedelta(days=3)): 3, str(today): 1}
    assert len(said["days"]) == 7
    assert said["days"][3]["by_outcome"] == {
        "opened": 1, "nobody_home": 1, "refused": 1, "moved_away": 0, "not_found": 0
    }  # fmt: skip
    # The last day is one of them, and the day after isn't.
    assert (await activity(li, "grid", until=1))["visits"] == 3
    assert (await activity(li, "building_2"))["visits"] == 2


async def test_a_clock_of_another_century_has_an_hour_too(li: RawPhone, doors: list[UUID]) -> None:
    for year, hour in ((1901, 3), (1970, 22), (2390, 9)):
        await knock(li, doors[0], datetime(year, 1, 1, hour, 59, 59, tzinfo=CHINA).astimezone(UTC))
    said = await activity(li, "grid", since=200)
    assert filled(said["hours"], "hour") == {3: 1, 9: 1, 22: 1}


async def test_conflicts_are_counted_where_they_lie_on_the_days_they_were_opened_and_decided(
    world: World, li: RawPhone, doors: list[UUID]
) -> None:
    wang = await phone_of(world, "wang")
    first = await contested(li, wang, doors[0])
    await contested(li, wang, doors[1])
    said = await activity(li, "grid")
    assert [day["conflicts"] for day in said["days"][-2:]] == [
        {"opened": 0, "decided": 0, "open": 0},
        {"opened": 2, "decided": 0, "open": 2},
    ]
    resolved = await world.http.post(f"/v1/conflicts/{first}/resolution", json={"value": "103"}, headers=li.headers)
    assert resolved.status_code == 200, resolved.text
    said = await activity(li, "grid")
    assert said["days"][-1]["conflicts"] == {"opened": 2, "decided": 1, "open": 1}
    assert (await activity(li, "building_1"))["days"][-1]["conflicts"] == {"opened": 1, "decided": 1, "open": 0}
    # What was opened before the first day is open on it.
    later = await activity(li, "grid", since=-1, until=-2)
    assert [day["conflicts"] for day in later["days"]] == [{"opened": 0, "decided": 0, "open": 1}] * 2
    assert (await activity(li, "grid", until=1))["days"][-1]["conflicts"]["open"] == 0


async def test_what_was_refused_is_told_of_whole_communities_and_to_who_sees_all_of_one(
    world: World, li: RawPhone, doors: list[UUID]
) -> None:
    stranger = str(NEW_ID())
    for fields in ({"area_id": stranger, "door": "9"}, {"area_id": stranger, "door": "8"}, {"doors": "9"}):
        assert (await li.say("households", NEW_ID(), fields=fields))["outcome"] == "refused"
    said = await activity(li, "community")
    assert len(said["refused"]) == 7
    assert said["refused"][-1]["mutations"] == 3
    assert said["refused"][-1]["by_code"] == {"reference_not_found": 2, "unknown_field": 1}
    assert said["refused"][0]["by_code"] == {"reference_not_found": 0, "unknown_field": 0}
    assert (await activity(li, "grid"))["refused"] is None
    # Who sees a part is told nothing of the whole.
    worker = await phone_of(world, "worker", area="building_1")
    assert (await activity(worker, "community"))["refused"] is None
    # Of two communities, what one sees whole.
    await second_community(world)
    assert (await activity(li, "district"))["refused"][-1]["mutations"] == 3
    other = await phone_of(world, "other", area="community_b")
    assert [day["mutations"] for day in (await activity(other, "district"))["refused"]] == [0] * 7


async def test_what_a_team_had_refused_is_the_teams(world: World, make: Maker, boss: RawPhone) -> None:
    await make.join_teams()
    case = {"area_id": str(world.areas["team_1"]), "kind": "noise", "nonsense": 1}
    assert (await boss.say("cases", NEW_ID(), fields=case))["outcome"] == "refused"
    assert (await activity(boss, "community"))["refused"][-1] == {
        "day": str(day_of(world.context.seams.now(), world.context.day_begins)), "mutations": 0, "by_code": {}
    }  # fmt: skip


async def test_only_what_one_may_see_is_counted_and_from_above_only_nearly(
    world: World, li: RawPhone, doors: list[UUID]
) -> None:
    await second_community(world)
    for hour, door in ((9, doors[0]), (10, doors[1])):
        for _ in range(3):
            await knock(li, door, evening(li, hour))
    await contested(li, await phone_of(world, "wang"), doors[0])
    assert (await li.say("households", NEW_ID(), fields={"doors": "9"}))["outcome"] == "refused"
    worker = await phone_of(world, "worker", area="building_1")
    assert filled((await activity(worker, "grid"))["hours"], "hour") == {9: 3}
    helper = await phone_of(world, "helper", role="helper", area="building_1")
    assert await activity(helper, "grid") == (403, "not_permitted")
    stranger = await phone_of(world, "stranger", area="community_b")
    assert await activity(stranger, "grid") == (404, "not_found")
    above = await phone_of(world, "above", role="admin", area="district")
    said = await activity(above, "community")
    assert (said["hidden_below"], said["visits"]) == (5, 10)
    assert [said["hours"][hour]["visits"] for hour in (8, 9, 10)] == [None, None, None]
    assert said["hours"][9]["by_channel"] == {"door": None, "phone": None, "street": None, "window": None}
    assert said["days"][3]["visits"] == 10
    assert said["days"][-1]["conflicts"] == {"opened": None, "decided": None, "open": None}
    assert said["refused"][-1] == {**said["refused"][-1], "mutations": None, "by_code": {"unknown_field": None}}


async def test_nothing_is_told_by_person(world: World, li: RawPhone, doors: list[UUID]) -> None:
    zhao = await phone_of(world, "zhao")
    await knock(li, doors[0], evening(li, 9))
    await knock(zhao, doors[1], evening(zhao, 9))
    said = str(await activity(li, "community"))
    assert not [one for one in (*map(str, world.people.values()), *map(str, doors), "zhao", "li'") if one in said]


async def test_days_go_forward_and_a_leap_year_is_the_most(li: RawPhone) -> None:
    assert await activity(li, "grid", since=0, until=1) == (422, "dates_backward")
    assert len((await activity(li, "grid", since=365))["days"]) == 366
    assert await activity(li, "grid", since=366) == (400, "bad_request")
    for days in (("0001-01-01", "0001-01-02"), ("9999-12-30", "9999-12-31")):
        asked = {"area_id": str(li.world.areas["grid"]), "since": days[0], "until": days[1]}
        answer = await li.world.http.get("/v1/reports/activity", params=asked, headers=li.headers)
        assert [day["day"] for day in answer.json()["days"]] == [*days]


def test_a_picture_over_time_is_as_high_as_what_the_table_says_and_hidden_counts_are_not_drawn() -> None:
    paths = [("day",), ("by_outcome", "opened"), ("by_outcome", "refused"), ("conflicts", "open")]
    rows = [["2026-03-02", 6, 2, 0], ["2026-03-03", 0, "<5", 3], ["2026-03-04", 4, 0, 3]]
    headings, groups = ["日期", "结果：开门", "结果：拒访", "冲突：待处理"], ["", "结果", "结果", "冲突"]
    sheet = Sheet("days", "各日", headings, rows, paths, groups, 0)
    stacked, line = charts_of(sheet)
    assert [tick["text"] for tick in stacked["ticks"]] == [0, 2, 4, 6, 8]
    assert [(rect["of"], rect["height"]) for rect in stacked["rects"]] == [
        (0, HEIGHT * 6 / 8),
        (1, HEIGHT * 2 / 8),
        (0, HEIGHT * 4 / 8),
    ]
    assert stacked["names"] == ["开门", "拒访"]
    assert stacked["untold"]
    assert [label["text"] for label in stacked["labels"]] == ["03-02", "03-03", "03-04"]
    assert len(line["line"]) == len(line["dots"]) == 3
    million = [[day, 1_000_000, 0, 0] for day, *_ in rows]
    [wider] = charts_of(Sheet("days", "各日", headings, million, paths, groups, 0))
    assert wider["left"] > line["left"]
    nothing = [[day, 0, 0, 0] for day, *_ in rows]
    assert charts_of(Sheet("days", "各日", sheet.headings, nothing, paths, groups, 0)) == []
