"""A day of all door-knock groups, offline half the time and two at one door: what is due, reached and logged is on
phone and server alike what somebody counts who saw every knock.

`TEAM=15x8 pytest tests/test_a_day_of_the_whole_team.py` is the reported team, 15 grids of 8; here it is a smaller one.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from app.operator import Item, create_all
from sync.calendar import Records
from sync.days import DAY_BEGINS, day_of
from sync.duty import NEEDED, duty_list
from sync.seams import seeded
from sync.wire import Fields
from tests.phones import Phone, Time, at, new_phone
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World

GRIDS, MEMBERS = (int(part) for part in os.environ.get("TEAM", "3x4").split("x"))
DOORS, ROUNDS = 16, 8
"""Of each grid; and how often each knocks."""
ONLINE = KNOCKS = 0.5
"""How likely somebody has a signal in a round, and whether they then knock at a door of a colleague's."""


@dataclass
class Knock:
    """What the observer saw."""

    grid: str
    person: str
    door: str
    opened: bool
    met: list[str]


@dataclass
class Team:
    """The place, its people, and everything that somebody saw who was everywhere at once."""

    world: World
    time: Time
    dice: Random
    phones: dict[str, list[Phone]] = field(default_factory=dict)
    """Grid → its members'."""
    doors: dict[str, list[str]] = field(default_factory=dict)
    living: dict[str, str] = field(default_factory=dict)
    plans: dict[str, Fields] = field(default_factory=dict)
    knocks: list[Knock] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def today(self) -> date:
        return day_of(self.time.now, DAY_BEGINS)

    def id(self) -> str:
        return str(NEW_ID())


async def test_what_phone_and_server_say_of_the_day_is_what_an_observer_saw(world: World) -> None:
    time = Time()
    team = Team(at(world, time.seams("server")), time, seeded("team"))
    await settle(team)
    for _ in range(ROUNDS):
        await a_round(team)
    for _ in range(2):
        for phone in everybody(team):
            await phone.sync()
    secretary = await phone_of(world, "secretary", role="secretary")
    twice = Counter((knock.grid, knock.door) for knock in team.knocks)
    assert max(twice.values()) > 1, "two knock at one door"
    await coverage_is_what_was_seen(team, secretary)
    for grid, phones in team.phones.items():
        for phone in phones:
            visits = [shown.fields for shown in phone.replica.shown_all("visits")]
            assert len(visits) == sum(knock.grid == grid for knock in team.knocks)
        await duties_are_what_was_seen(team, secretary, grid)
        for phone in phones:
            await the_log_is_what_was_seen(team, secretary, grid, phone)


async def settle(team: Team) -> None:
    """The tree, the doors with somebody behind each, plans for half of them; and the members with their phones."""
    world = team.world
    await create_all(world.context, [*_place(team)])
    for grid in [*team.doors]:
        members = []
        for n in range(MEMBERS):
            login = f"{grid} {n}"
            members.append(str(await world.add_person(login, area=grid)))
            phone = await new_phone(world, login, team.time.seams(login))
            await phone.sync()
            team.phones.setdefault(grid, []).append(phone)
        await create_all(world.context, [*_duties(team, grid, members)])


def _place(team: Team) -> Iterator[Item]:
    world, home = team.world, str(team.world.home)
    for number in range(GRIDS):
        ids = {level: NEW_ID() for level in ("grid", "building", "unit")}
        parent, grid = world.home, f"grid {number}"
        for level, id in ids.items():
            fields: Fields = {"parent_id": str(parent), "level": level, "name": f"{level} {number}", "sort": number}
            world.areas[f"{level} {number}"] = parent = id
            yield Item(collection="areas", record=str(id), home=home, fields=fields)
        team.doors[grid] = [team.id() for _ in range(DOORS)]
        for n, door in enumerate(team.doors[grid]):
            team.living[door] = team.id()
            where: Fields = {"area_id": str(ids["unit"]), "door": str(101 + n), "floor": n // 4}
            yield Item(collection="households", record=door, home=home, fields=where)
            who: Fields = {"household_id": door, "name": f"居民{n}"}
            yield Item(collection="residents", record=team.living[door], home=home, fields=who)


def _duties(team: Team, grid: str, members: list[str]) -> Iterator[Item]:
    home, area = str(team.world.home), str(team.world.areas[grid])
    for n, person in enumerate(members):
        said: Fields = {"area_id": area, "person_id": person, "name": f"组员{n}", "per_day": 3}
        yield Item(collection="members", record=team.id(), home=home, fields={**said, "since": "2026-01-01"})
    for n, door in enumerate(team.doors[grid][::2]):
        since = str(team.today - timedelta(days=n % 3))
        plan: Fields = {"household_id": door, "since": since, "every_days": 1 + n % 3, "days": "all_days"}
        plan |= {"responsible": [team.dice.choice(members)], "resident_id": team.living[door] if n % 2 else None}
        team.plans[team.id()] = plan
        yield Item(collection="care_plans", record=[*team.plans][-1], home=home, fields=plan)


def everybody(team: Team) -> Iterator[Phone]:
    return (phone for phones in team.phones.values() for phone in phones)


async def a_round(team: Team) -> None:
    """Each knocks somewhere, some note something, and whoever has a signal syncs."""
    team.time.forward(seconds=90)  # all rounds together are over before a token has to be renewed
    for grid, phones in team.phones.items():
        for n, phone in enumerate(phones):
            mine = team.doors[grid][n::MEMBERS]
            door = team.dice.choice(team.doors[grid] if team.dice.random() < KNOCKS else mine)
            knock(team, grid, phone, door)
            if team.dice.random() < ONLINE:
                await phone.sync()


def knock(team: Team, grid: str, phone: Phone, door: str) -> None:
    person, opened = str(phone.replica.status().person), team.dice.random() < 0.7
    met = [team.living[door]] if opened and team.dice.random() < 0.8 else []
    said: Fields = {"household_id": door, "outcome": "opened" if opened else "nobody_home", "persons_met": [*met]}
    phone.replica.create("visits", team.world.home, {**said, "visited_at": str(team.time.now)})
    team.knocks.append(Knock(grid, person, door, opened, met))
    if team.dice.random() < 0.2:
        where: Fields = {"area_id": str(team.world.areas[grid.replace("grid", "building")]), "person_id": person}
        phone.replica.create("patrol_logs", team.world.home, {**where, "day": str(team.today), "note": "一切正常。"})
        team.notes[person] += 1


async def told(secretary: RawPhone, report: str, **asked: str) -> Any:
    answer = await secretary.world.http.get(f"/v1/reports/{report}", params=asked, headers=secretary.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def coverage_is_what_was_seen(team: Team, secretary: RawPhone) -> None:
    """A door once, however many knocked: of the community and of each grid."""
    days = {"since": str(team.today), "until": str(team.today)}
    said = await told(secretary, "coverage", area_id=str(team.world.home), **days)
    for row, grids in [(said["whole"], {*team.doors}), *((part, {part["name"]}) for part in said["parts"])]:
        seen = [knock for knock in team.knocks if knock.grid in grids]
        assert {name: row[name] for name in ("knocked", "opened", "visits", "met")} == {
            "knocked": len({knock.door for knock in seen}),
            "opened": len({knock.door for knock in seen if knock.opened}),
            "visits": len(seen),
            "met": len({person for knock in seen for person in knock.met}),
        }, row["name"]


async def duties_are_what_was_seen(team: Team, secretary: RawPhone, grid: str) -> None:
    """What is due today and on the days after, and what was kept: on the server as on each phone of the grid."""
    area = str(team.world.areas[grid])
    for later in range(4):
        day = team.today + timedelta(days=later)
        said = await told(secretary, "duties", area_id=area, day=str(day))
        for phone in team.phones[grid]:
            assert duty_list(_records(phone), day, area) == said
        due = {str(plan["household_id"]) for plan in _plans_of(team, grid) if _due_by(team, plan) <= day}
        named = [door for share in said["members"] for door in share["doors"]] + said["undone"]
        assert {door["household"] for door in named} == due
        assert len(named) == len(due), "no door is on two lists"
    kept = [plan for plan in _plans_of(team, grid) if _met(team, plan)]
    assert (await told(secretary, "duties", area_id=area, day=str(team.today)))["done"] == len(kept)


def _records(phone: Phone) -> Records:
    return {name: {str(one.key.record): one.fields for one in phone.replica.shown_all(name)} for name in NEEDED}


def _plans_of(team: Team, grid: str) -> list[Fields]:
    return [plan for plan in team.plans.values() if plan["household_id"] in team.doors[grid]]


def _met(team: Team, plan: Fields) -> bool:
    """Did somebody meet whom it is about?"""
    whom = plan["resident_id"]
    at_the_door = [knock for knock in team.knocks if knock.door == plan["household_id"] and knock.opened]
    return any(whom is None or whom in knock.met for knock in at_the_door)


def _due_by(team: Team, plan: Fields) -> date:
    since, every = date.fromisoformat(str(plan["since"])), plan["every_days"]
    assert isinstance(every, int)
    return max(since, team.today + timedelta(days=every)) if _met(team, plan) else since


async def the_log_is_what_was_seen(team: Team, secretary: RawPhone, grid: str, phone: Phone) -> None:
    """Of one person's day."""
    person = str(phone.replica.status().person)
    asked = {"area_id": str(team.world.areas[grid]), "person_id": person, "day": str(team.today)}
    log = await told(secretary, "patrol", **asked)
    seen = [knock for knock in team.knocks if knock.person == person]
    assert {name: log[name] for name in ("visits", "doors", "opened", "met")} == {
        "visits": len(seen),
        "doors": len({knock.door for knock in seen}),
        "opened": len({knock.door for knock in seen if knock.opened}),
        "met": len({one for knock in seen for one in knock.met}),
    }
    assert Counter(one["household"] for one in log["knocks"]) == Counter(knock.door for knock in seen)
    assert log["note"].count("一切正常。") == team.notes[person]
