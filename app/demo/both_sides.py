"""Interleaved land in the demo: two workers of two districts at the doors of one estate."""

from typing import Any

from app.demo import compare
from app.demo.interleaved import COMMUNITY, ON_PAPER
from app.demo.office import Office, office_of
from app.demo.script import Untrue
from app.demo.story import Story, first_sync, require_done, say
from app.phone.syncing import exchange
from sync.replica import Key

SERVING, ON_PAPER_ONLY = "zhou", "chen"
AT_THE_DOOR = ("households", "residents", "visits")


async def share_land(story: Story, residents: int) -> None:
    """Each estate becomes an enclave; then both sides have it, and a sum over the districts meets everybody once."""
    say("\n■ 插花地 · Interleaved land: 新湘 is served from 武昌 and lies in 青山 on paper")
    say(f"  {await first_sync(story, ON_PAPER_ONLY, ON_PAPER_ONLY)}")
    async with office_of(story.server, story.people["city"]) as office:
        for estate, community in ON_PAPER.items():
            ids = [await office.area(code) for code in (estate, community)]
            body = {"area_id": ids[0], "administrative_id": ids[1], "reason": "插花地共管（演示）"}
            await office.post("/v1/enclaves", **body)
        say(f"  {await first_sync(story, SERVING, SERVING)}")
        door = await _both_knock(story)
        say(f"  {SERVING}, {ON_PAPER_ONLY}: 同一扇门各记一条 · each a note at one door, and both hold both")
        everybody = await _everybody(office)
        there = sum(one["home"] == str(door.home) for one in everybody.values())
        say(
            f"  三区合计 a sum over three districts: {len(everybody):,} residents, 欧景苑 {there:,}, 每人一次 each once"
        )
        if there != residents:
            raise Untrue(f"{residents} people live in {COMMUNITY}, and {there} were counted")


async def _both_knock(story: Story) -> Key:
    """At the same door, offline; then everybody syncs. The door."""
    doors = set()
    for name in (SERVING, ON_PAPER_ONLY):
        with story.phone(name) as held:
            require_done(await exchange(held))
            door = next(iter(held.replica.shown_all("households"))).key
            held.replica.create("visits", door.home, {"household_id": str(door.record), "outcome": "opened"})
            doors.add(door)
    for name in (SERVING, ON_PAPER_ONLY, SERVING):
        with story.phone(name) as held:
            require_done(await exchange(held))
    held_by = {name: _at_the_door(story, name) for name in (SERVING, ON_PAPER_ONLY)}
    if places := compare.differences(held_by[SERVING], held_by[ON_PAPER_ONLY]):
        raise Untrue(f"the two sides hold {len(places)} copies otherwise, the first at {places[0]}")
    if len(doors) != 1 or held_by[SERVING].records["visits"] != 2:
        raise Untrue("the two didn't knock at one door, or not both notes are there")
    return doors.pop()


def _at_the_door(story: Story, name: str) -> compare.Content:
    with story.phone(name) as held:
        whole = compare.content_of(held.store)
    return compare.Content({row: copy for row, copy in whole.copies.items() if row.startswith(AT_THE_DOOR)})


async def _everybody(office: Office) -> dict[str, Any]:
    """Every resident that one may see, by id. Raises Untrue for one that is listed twice."""
    listed = await office.every("/v1/residents")
    found = {one["id"]: one for one in listed}
    if len(found) != len(listed):
        raise Untrue("somebody is counted twice")
    return found
