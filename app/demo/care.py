"""Care in the demo: 112 households of old people to be met once a week, by one worker and then by a group of eight."""

from datetime import date, timedelta
from typing import Any

from app.demo.office import Office, office_of
from app.demo.script import Untrue
from app.demo.stage import GRID
from app.demo.story import PHONES, Story, require_done, say
from app.phone.held import Held
from app.phone.syncing import exchange
from sync.calendar import Records, calendar_of
from sync.days import day_of
from sync.duty import NEEDED, duty_list

OLD = {"living_alone", "empty_nest"}
HOUSEHOLDS, GROUP, PER_DAY = 112, 8, 10
A_WEEK, WORKED = 7, 5
"""Days."""
A_DAY = (22, 23)
"""Contacts that those come to."""
LATER = timedelta(days=8)
"""Whom this day's story has met isn't due within the week."""


async def look_after(story: Story) -> None:
    """A worker writes the plans offline; the list of a working day is the same on phone and server."""
    say(f"\n■ 关爱与每日清单 · Care: {HOUSEHOLDS} households once a week are 22 or 23 a working day")
    worker = PHONES[0]
    async with office_of(story.server, story.people["secretary"]) as office:
        grid = await office.area(GRID)
        day = await _plan(story, worker, grid)
        people = [str(_person(story, name)) for name in PHONES]
        await _tell_pace(office)
        people += [str(story.world.new_id()) for _ in range(GROUP - len(people))]
        for joining in (people[:1], people[1:]):
            for person in joining:
                member = {"person_id": person, "name": f"组员{person[-4:]}", "per_day": PER_DAY, "since": str(day)}
                await office.post("/v1/members", area_id=grid, **member)
            said = await office.get("/v1/reports/duties", area_id=grid, day=str(day))
            if said != await _as_the_phone_says(story, worker, grid, day):
                raise Untrue("phone and server list other duties")
            _tell(said, day)


async def _plan(story: Story, worker: str, grid: str) -> date:
    """A plan for every such household of the grid, written offline; the day from which on they hold."""
    with story.phone(worker) as held:
        require_done(await exchange(held))
        today = day_of(held.seams.now(), held.replica.status().day_begins)
        day = calendar_of(_records(held), grid).next_worked(today + LATER)
        doors = [*held.replica.shown_all("households")]
        old = [one for one in doors if any(tag in OLD for tag in _members(one.fields["tags"]))]
        for one in old:
            plan = {"household_id": str(one.key.record), "reason": "elderly", "since": str(day)}
            held.replica.create("care_plans", one.key.home, {**plan, "responsible": [held.replica.status().person]})
        require_done(await exchange(held))
        say(f"  {worker:5} {len(old)} 项计划，离线写成 · plans, written offline")
        if len(old) != HOUSEHOLDS:
            raise Untrue(f"{len(old)} households of old people, not {HOUSEHOLDS}")
    return day


async def _tell_pace(office: Office) -> None:
    """How often each is to be met, as the server holds it, and what that comes to on a working day."""
    plans = await office.every("/v1/care_plans")
    paces = {plan["every_days"] for plan in plans}
    a_day = len(plans) // WORKED, -(-len(plans) // WORKED)
    say(f"  {len(plans)} 户每周一次 once in {A_WEEK} days each: {a_day[0]}–{a_day[1]} 户每工作日 a working day")
    if (paces, a_day) != ({A_WEEK}, A_DAY):
        raise Untrue("the plans come to other contacts a day than were told")


def _person(story: Story, name: str) -> str | None:
    with story.phone(name) as held:
        return held.replica.status().person


async def _as_the_phone_says(story: Story, worker: str, grid: str, day: date) -> Any:
    with story.phone(worker) as held:
        require_done(await exchange(held))
        return duty_list(_records(held), day, grid, begins=held.replica.status().day_begins)


def _records(held: Held) -> Records:
    return {name: {str(one.key.record): one.fields for one in held.replica.shown_all(name)} for name in NEEDED}


def _members(tags: Any) -> list[str]:
    return [*tags]


def _tell(said: Any, day: date) -> None:
    shares = [len(share["doors"]) for share in said["members"]]
    undone = len(said["undone"])
    say(
        f"  {day} {len(shares)} 人 people: {sum(shares)} 户排入 doors, 每人至多 at most {max(shares)}; "
        f"{undone} 户排不下 more than they can do; 手机与服务器一致 phone and server agree"
    )
    if sum(shares) != min(HOUSEHOLDS, PER_DAY * len(shares)) or sum(shares) + undone != HOUSEHOLDS:
        raise Untrue("the list leaves out a household, or asks too much of somebody")
