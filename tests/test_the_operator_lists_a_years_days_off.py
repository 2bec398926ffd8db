"""`qiaomen calendar`: a year's statutory days off in one command, which again changes nothing. Both stores."""

import asyncio
from datetime import date, timedelta
from typing import Any

import chinese_calendar  # type: ignore[import-untyped]
import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli import app
from app.commands import session
from app.commands.calendar import add, days_of
from app.settings import Settings
from sync.calendar import calendar_of
from tests.conftest import KEY
from tests.raw_phone import RawPhone, phone_of
from tests.world import World, household, nothing_drifted

HOLIDAY = date(2026, 10, 1)
ALL = ["rest_day\tcreated 19\tunchanged 0", "work_day\tcreated 6\tunchanged 0"]


@pytest.fixture(autouse=True)
def operator(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the command line of the server whose store it is."""
    monkeypatch.setattr(session, "settings", lambda: Settings(database_url=database_url, key=KEY))


@pytest.fixture
async def boss(world: World) -> RawPhone:
    return await phone_of(world, "boss", role="admin", area="district")


async def run(*command: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, [*command])


async def said(year: int = HOLIDAY.year, area: str = "district") -> list[str]:
    done = await run("calendar", str(year), "--area", area)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


async def get(phone: RawPhone, path: str, **parameters: str) -> Any:
    answer = await phone.world.http.get(f"/v1/{path}", params=parameters, headers=phone.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(phone: RawPhone, name: str) -> dict[str, Any]:
    """code → its record."""
    return {one["code"]: one for one in (await get(phone, "codes", list=name, limit="100"))["items"]}


async def test_every_day_that_is_worked_otherwise_than_its_week_says_is_listed_once(
    world: World, boss: RawPhone
) -> None:
    assert await said() == ALL
    assert await said() == ["rest_day\tcreated 0\tunchanged 19", "work_day\tcreated 0\tunchanged 6"]
    rest, work = await listed(boss, "rest_day"), await listed(boss, "work_day")
    assert (len(rest), len(work)) == (19, 6)
    first = rest["2026_10_01"]
    assert (first["name"], first["name_en"]) == ("国庆节", "National Day")
    assert first["area_id"] == str(world.areas["district"])
    assert {"2026_10_10", "2026_02_28"} <= work.keys()
    assert not {"2026_10_03", "2026_10_04"} & rest.keys(), "nobody works at a weekend anyway"
    await nothing_drifted(world.context)


async def test_what_somebody_listed_retired_or_deleted_there_is_left_alone(world: World, boss: RawPhone) -> None:
    there = {"area_id": str(world.areas["district"]), "list": "rest_day"}
    for code, name, more in (("2026_10_01", "我们的节日", {}), ("2026_10_02", "不放", {"retired": True})):
        await made(boss, "codes", **there, code=code, name=name, **more)
    deleted = await made(boss, "codes", **there, code="2026_10_05", name="误填")
    assert (await world.http.delete(f"/v1/codes/{deleted}", headers=boss.headers)).is_success
    elsewhere = {**there, "area_id": str(world.areas["community"])}
    await made(boss, "codes", **elsewhere, code="2026_10_06", name="本社区")
    assert await said() == ["rest_day\tcreated 16\tunchanged 3", ALL[1]]
    rest = (await get(boss, "codes", list="rest_day", limit="100"))["items"]
    told = {(one["code"], one["name"], one["retired"]) for one in rest}
    assert {("2026_10_01", "我们的节日", False), ("2026_10_02", "不放", True), ("2026_10_06", "国庆节", False)} <= told
    assert [one["code"] for one in rest].count("2026_10_01") == 1
    assert "2026_10_05" not in {one["code"] for one in rest}


async def test_two_who_add_the_same_year_at_once_add_it_once(world: World, boss: RawPhone) -> None:
    both = await asyncio.gather(*(asyncio.to_thread(add, HOLIDAY.year, "district") for _ in range(2)))
    assert sorted(both) == sorted([ALL, ["rest_day\tcreated 0\tunchanged 19", "work_day\tcreated 0\tunchanged 6"]])
    assert len((await get(boss, "codes", list="rest_day", limit="100"))["items"]) == 19


async def test_a_year_that_nobody_has_announced_is_refused_in_a_sentence_and_nothing_is_written(
    world: World, boss: RawPhone
) -> None:
    for year in ("1", "2003", "9999"):
        refused = await run("calendar", year, "--area", "district")
        assert refused.exit_code == 1
        [sentence] = refused.stderr.splitlines()
        assert sentence.startswith(f"The statutory days off of {year} are not known")
        assert sentence.endswith("Monday to Friday are worked.")
    nowhere = await run("calendar", "2026", "--area", "nowhere")
    assert (nowhere.exit_code, nowhere.stderr[:38]) == (1, "There is no area with code nowhere. Se")
    assert not await listed(boss, "rest_day")
    assert not await listed(boss, "work_day")


async def test_a_plan_for_working_days_is_due_on_no_statutory_holiday(world: World) -> None:
    li = await phone_of(world, "li", role="secretary")
    door = await made(li, "households", **household(world))
    plan = {"household_id": door, "responsible": [str(world.people["li"])], "every_days": 1, "days": "working_days"}
    await made(li, "care_plans", since=str(HOLIDAY - timedelta(days=30)), **plan)
    assert await due(li, HOLIDAY) == (True, 1), "a Thursday"
    assert await said(area="community")
    week = [HOLIDAY + timedelta(days=n) for n in range(-1, 10)]
    worked = [date(2026, 9, 30), date(2026, 10, 8), date(2026, 10, 9), date(2026, 10, 10)]
    assert [day for day in week if await due(li, day) == (True, 1)] == worked
    assert [day for day in week if await due(li, day) == (False, 0)] == [day for day in week if day not in worked]


async def made(phone: RawPhone, collection: str, **fields: Any) -> str:
    answer = await phone.world.http.post(f"/v1/{collection}", json=fields, headers=phone.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def due(phone: RawPhone, day: date) -> tuple[bool, int]:
    """Is the day worked, and how many doors are due?"""
    duties = await get(phone, "reports/duties", area_id=str(phone.world.areas["grid"]), day=str(day))
    return duties["worked"], duties["due"]


@pytest.mark.parametrize("year", range(2024, 2027))
def test_the_codes_are_the_libraries_calendar_to_the_day(year: int) -> None:
    codes = {str(n): {**day, "area_id": "here"} for n, day in enumerate(days_of(year))}
    calendar = calendar_of({"codes": codes}, "here")
    days = chinese_calendar.get_dates(date(year, 1, 1), date(year, 12, 31))
    assert [calendar.is_worked(day) for day in days] == [chinese_calendar.is_workday(day) for day in days]
