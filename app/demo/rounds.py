"""What a winter asked of the two communities: a sweep of three days, follow-ups, calls every day, rounds past midnight.

The figures are the reported ones; who was met, and where, is invented.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from app.demo.code_lists import NAMED_METHODS
from app.demo.community import COMMUNITY, GRIDS
from app.demo.families import members_of
from app.demo.interleaved import COMMUNITY as SWEPT
from app.demo.interleaved import RESIDENTS
from app.demo.office import Office, office_of
from app.demo.people import Dice, full_name
from app.demo.script import Untrue
from app.demo.stage import GRID
from app.demo.story import Story, require_done, say
from app.fields import as_wire
from app.phone.syncing import exchange
from sync.days import CHINA, DAY_BEGINS, day_of
from sync.seams import seeded
from sync.wire import Fields

HOUSEHOLDS, PERSONS = 7_826, 11_234
"""Reached by a sweep of 欧景苑, where 8,536 are registered."""
KNOCKED_TWICE = 300
"""Doors at which the same worker knocks again, with another phone."""
FOLLOWED_UP = {"medicine_buyer": 2_560, "escorted": 76, "returner_abroad": 35, "returner": 158, "four_kinds": 104}
SPONSORED = 184
"""Party members who each stand by one household."""
GROUP = 8
NOTED = "二老都好，药还够三天。"
DAYS, CALLS = 75, 600
"""Days on which one couple was rung; calls of one member on one day."""


async def make_the_rounds(story: Story, *, small: bool) -> None:
    """Raises Untrue for any number other than the reported one."""
    say("\n■ 大排查、跟进、电话关爱、送货 · The rounds of a winter")
    await _ring(story)
    await _deliver(story)
    if not small:
        await _gather(story)
        await _follow_up(story)
        await _sweep(story)


async def _ring(story: Story) -> None:
    """Wang rings one couple daily, and everybody in an emergency; all offline, sent at once."""
    with story.phone("wang") as held:
        now = held.seams.now()
        lived = [one for one in held.replica.shown_all("households") if one.fields["use"] == "self_occupied"]
        doors, where = [one.key for one in lived], lived[0].fields["area_id"]
        calls = [(doors[0], now - timedelta(days=n)) for n in range(DAYS)]
        for door, at in (*calls, *((doors[n % len(doors)], now) for n in range(CALLS))):
            said: Fields = {"household_id": str(door.record), "channel": "phone", "outcome": "opened"}
            held.replica.create("visits", door.home, {**said, "visited_at": as_wire(at)})
        today, wang = day_of(now, DAY_BEGINS), held.replica.status().person
        noted: Fields = {"area_id": where, "person_id": wang, "day": str(today - timedelta(days=1)), "note": NOTED}
        held.replica.create("patrol_logs", doors[0].home, noted)
        require_done(await exchange(held))
    async with office_of(story.server, story.people["secretary"]) as office:
        area = await office.area(GRID)
        until = str(today - timedelta(days=1))
        before = await office.get(
            "/v1/reports/coverage", area_id=area, since=str(today - timedelta(days=DAYS)), until=until
        )
        that_day = await office.get("/v1/reports/coverage", area_id=area, since=str(today), until=str(today))
        asked = {"area_id": area, "person_id": str(wang), "day": until}
        log = await office.get("/v1/reports/patrol", **asked)
    daily, at_once = (one["whole"]["by_channel"]["phone"] for one in (before, that_day))
    say(f"  电话关爱 rung: one couple on {daily + 1} days; {at_once - 1} calls in one day")
    if (daily, before["whole"]["knocked"], at_once) != (DAYS - 1, 1, CALLS + 1):
        raise Untrue("the calls are counted otherwise than they were made")
    say(f"  巡查日志 patrol log of {until}: {log['visits']} visit, derived, and one's own note: {log['note']}")
    if (log["visits"], log["note"]) != (1, NOTED):
        raise Untrue("the log of a day says other than its visits and its note")


async def _deliver(story: Story) -> None:
    """From five in the morning until past midnight: one day of work."""
    with story.phone("zhao") as held:
        day = day_of(held.seams.now(), DAY_BEGINS) - timedelta(days=1)
        door = next(iter(held.replica.shown_all("households"))).key
        for hour, minute, later in ((5, 10, 0), (23, 50, 0), (0, 40, 1)):
            at = datetime.combine(day + timedelta(days=later), time(hour, minute), CHINA).astimezone(UTC)
            said: Fields = {"household_id": str(door.record), "delivered_at": as_wire(at), "items": ["蔬菜包"]}
            held.replica.create("deliveries", door.home, said)
        require_done(await exchange(held))
    async with office_of(story.server, story.people["secretary"]) as office:
        brought = await office.every("/v1/deliveries", day_from=str(day), day_to=str(day))
    say(f"  送货 deliveries: {len(brought)} from 05:10 to 00:40, all of {day}")
    if len(brought) != 3:
        raise Untrue("a round after midnight counts for another day")


async def _gather(story: Story) -> None:
    """Fifteen groups of eight; and the ways to knock, of which four have names."""
    dice = seeded("groups")
    async with office_of(story.server, story.people["secretary"]) as office:
        today = str(day_of(story.world.now(), DAY_BEGINS))
        for number in range(2, GRIDS + 1):  # the first has its own
            grid = await office.area(f"{COMMUNITY}{number:03d}")
            for n in range(GROUP):
                person = {"person_id": str(story.world.new_id()), "name": _somebody(dice), "leads": n == 0}
                await office.post("/v1/members", area_id=grid, since=today, **person)
        members = await office.every("/v1/members")
        ways = await office.every("/v1/codes", list="method")
    named = [one["name"] for one in sorted(ways, key=lambda one: str(one["code"])) if "待填" not in one["name"]]
    say(f"  敲门组 groups: {len(members)} members in {len({one['area_id'] for one in members})} grids")
    say(f"  敲门十八法 ways to knock: {len(ways)}, of which {len(named)} are named: {'、'.join(named)}")
    if (len(members), len(ways), named) != (GRIDS * GROUP, 18, [zh for zh, _ in NAMED_METHODS]):
        raise Untrue("other groups, or other ways to knock, than were told")


def _somebody(dice: Dice) -> str:
    [person, *_] = members_of(dice, "single")
    return full_name(dice, person)


async def _follow_up(story: Story) -> None:
    """Written down for residents of 青和居, and half of them closed with a reason; sponsors beside them."""
    async with office_of(story.server, story.people["secretary"]) as office:
        home = await office.area(COMMUNITY)
        people = [one for one in await office.every("/v1/residents") if one["home"] == home]
        doors = {one["id"]: one["area_id"] for one in await office.every("/v1/households")}
        now, begun = story.world.now(), {"since": str(day_of(story.world.now(), DAY_BEGINS))}
        kinds = [kind for kind, many in FOLLOWED_UP.items() for _ in range(many)]
        written = []
        for n, (kind, one) in enumerate(zip(kinds, people, strict=False)):
            ended = {"closed": "recovered", "until": begun["since"]} if n % 2 else {}
            about = {"household_id": one["household_id"], "resident_id": one["id"], "kind": kind}
            written.append(_create(story, "follow_ups", now, **about, **begun, **ended))
        dice = seeded("sponsors")
        for one in people[:SPONSORED]:
            where = {"area_id": doors[one["household_id"]], "household_id": one["household_id"]}
            written.append(_create(story, "sponsorships", now, **where, name=_somebody(dice), **begun))
        await (await office.device("a phone of the office")).push(home, written)
        told = (await office.get("/v1/reports/follow_ups", area_id=home))["kinds"]
        sponsored = await office.every("/v1/sponsorships")
    many = {one["kind"]: one["open"] + one["closed"] for one in told}
    say("  跟进 follow-ups: " + ", ".join(f"{kind} {many[kind]:,}" for kind in FOLLOWED_UP))
    say(f"  结对 sponsorships: {len(sponsored)}; 办结 closed with a reason: {sum(one['closed'] for one in told):,}")
    if many != FOLLOWED_UP or len(sponsored) != SPONSORED:
        raise Untrue("the follow-ups, or the sponsorships, are counted otherwise than they were written")


async def _sweep(story: Story) -> None:
    """Three days at the doors of 欧景苑: its households as they were frozen, and whoever else lives there."""
    async with office_of(story.server, story.people["guo"]) as office:
        home = await office.area(SWEPT)
        today = day_of(story.world.now(), DAY_BEGINS)
        window = {"since": str(today - timedelta(days=2)), "until": str(today)}
        said = {"area_id": home, "name": "三天拉网式大排查", "approval": "〔虚构〕1号", **window}
        campaign = (await office.post("/v1/campaigns", **said))["id"]
        frozen = await office.post(f"/v1/campaigns/{campaign}/freeze")
        knocks = await _knocks(story, office, home, campaign)
        one, other = await office.device("one phone"), await office.device("the other phone")
        half = len(knocks) // 2
        await one.push(home, knocks[:half])
        await other.push(home, knocks[half:])
        again = [k for k in knocks[:half] if k["collection"] == "visits"][:KNOCKED_TWICE]
        await other.push(home, [_create(story, "visits", story.world.now(), **k["fields"]) for k in again])
        told = await office.get("/v1/reports/sweep", area_id=home, campaign_id=campaign)
    swept, days = told["whole"], (date.fromisoformat(told["until"]) - date.fromisoformat(told["since"])).days + 1
    reached = swept["knocked"] + swept["others"]
    say(
        f"  大排查 sweep of {days} days: {frozen['households']:,} doors frozen in {frozen['blocks']} blocks; "
        f"{reached:,} households and {swept['met']:,} persons reached, {swept['registered']:,} registered; "
        f"{swept['visits']:,} knocks from two phones"
    )
    if (reached, swept["met"], swept["registered"]) != (HOUSEHOLDS, PERSONS, RESIDENTS):
        raise Untrue("the sweep reached other numbers than were told")
    if (swept["visits"], swept["left"], days) != (HOUSEHOLDS + KNOCKED_TWICE, 0, 3):
        raise Untrue("knocks are lost or counted twice, a door is left, or it took other days")


async def _knocks(story: Story, office: Office, home: str, campaign: str) -> list[Any]:
    """One at every door; and those who are found there and nowhere registered, with the rooms they rent."""
    doors = [one for one in await office.every("/v1/households") if one["home"] == home]
    behind = defaultdict[str, list[str]](list)
    for one in await office.every("/v1/residents"):
        behind[one["household_id"]].append(one["id"])
    now, dice = story.world.now(), seeded("sweep")
    written = [_knock(story, now, campaign, door["id"], behind[door["id"]]) for door in doors]
    unregistered = {"registered_here": False}
    rooms, guests = HOUSEHOLDS - len(doors), PERSONS - RESIDENTS
    for n, door in enumerate(doors[:rooms]):
        fields = {"area_id": door["area_id"], "door": f"{door['door']}隔间", "floor": door["floor"], "use": "rented"}
        room = _create(story, "households", now, **fields)
        living = [
            _create(story, "residents", now, household_id=room["record"], name=_somebody(dice), **unregistered)
            for _ in range(2 if n < guests - rooms else 1)
        ]
        written += [room, *living, _knock(story, now, campaign, room["record"], [one["record"] for one in living])]
    return written


def _knock(story: Story, now: datetime, campaign: str, door: str, people: list[str]) -> Any:
    said = {"household_id": door, "campaign_id": campaign, "outcome": "opened" if people else "moved_away"}
    return _create(story, "visits", now, **said, persons_met=people)


def _create(story: Story, collection: str, now: datetime, **fields: Any) -> Any:
    """As a phone sends it."""
    ids = {"id": str(story.world.new_id()), "record": str(story.world.new_id())}
    return {**ids, "collection": collection, "op": "create", "made_at": as_wire(now), "fields": fields}
