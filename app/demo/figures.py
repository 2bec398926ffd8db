"""The reported figures of 青和居 in the demo: asked of the server as its secretary does, before anybody writes."""

from collections.abc import Mapping
from typing import Any

from app.demo.community import COMMUNITY
from app.demo.office import Office, office_of
from app.demo.script import Untrue
from app.demo.stage import GRID
from app.demo.story import Story, say

NOTEBOOK = {"residents": 554, "living_alone": 48, "empty_nest": 64, "ill": 31, "disabled": 9}
"""The grid secretary's notebook 民情本, of two buildings: households of the first two tags, persons of the others."""
BUILDINGS = 2
"""Of the notebook."""
SEVEN, NAMED = 7, ("long_term_let", "short_let", "empty_nest", "disabled")
"""Colours of the plate; what public reports say of four of them."""
PLACES = {"grid": 15, "building": 19}
TOTALS = {
    **{"households": 5_235, "residents": 8_234, "aged_60": 2_024, "living_alone": 669, "empty_nest": 612},
    **{"disabled or mentally ill": 212, "low_income": 823},
}
"""As newspapers had them of the whole community."""


async def tell_figures(story: Story, *, small: bool) -> None:
    """The notebook of the first grid; and, where everybody is there, the totals. Raises Untrue for any other number."""
    say("\n■ 民情本与社区统计 · The notebook and the totals, asked of the server by the secretary")
    async with office_of(story.server, story.people["secretary"]) as office:
        await _tell(office, GRID, "民情本 notebook", NOTEBOOK)
        await _tell_doors(office)
        if not small:
            await _tell_places(office)
            await _tell(office, COMMUNITY, "社区 community", TOTALS)


async def _tell(office: Office, code: str, title: str, reported: Mapping[str, int]) -> None:
    whole = (await office.get("/v1/reports/totals", area_id=await office.area(code)))["whole"]
    counted = _counted(whole)
    say(f"  {title}: " + ", ".join(f"{name} {counted[name]:,}" for name in reported))
    if wrong := [name for name, many in reported.items() if counted[name] != many]:
        raise Untrue(f"{title}: {', '.join(wrong)} as the server counts is not as was reported")


async def _tell_places(office: Office) -> None:
    """Grids and buildings."""
    home = await office.area(COMMUNITY)
    found = {
        level: sum(one["home"] == home for one in await office.every("/v1/areas", level=level)) for level in PLACES
    }
    say("  区域 places: " + ", ".join(f"{many} {level}s" for level, many in found.items()))
    if found != PLACES:
        raise Untrue("the community has other grids or buildings than was told")


async def _tell_doors(office: Office) -> None:
    """The same by door: found in the roster by tag, and in their colours on the boards of the two buildings."""
    grid = await office.area(GRID)
    found = {
        tag: (await office.post("/v1/reports/roster", area_id=grid, tag=tag, limit=1))["households"]
        for tag in ("living_alone", "empty_nest")
    }
    buildings = (await office.get("/v1/areas", parent_id=grid))["items"]
    boards = [await office.get("/v1/reports/board", area_id=building["id"]) for building in buildings]
    doors = [door for board in boards for floor in board["floors"] for door in floor["doors"]]
    coloured = {tag: sum(tag in door["tags"] for door in doors) for tag in found}
    colours = {colour["tag"]: colour["colour"] for board in boards for colour in board["colours"]}
    named = ", ".join(f"{tag} {colours[tag]}" for tag in NAMED)
    say(
        f"  七色信息牌 board of {len(buildings)} buildings: {len(doors)} doors in {len({*colours.values()})} colours, "
        f"{named}; as the roster has them: {coloured}"
    )
    if (len(buildings), len({*colours.values()})) != (BUILDINGS, SEVEN):
        raise Untrue("The notebook has other buildings, or the plate other colours")
    if found != coloured or any(NOTEBOOK[tag] != many for tag, many in found.items()):
        raise Untrue("The roster, the boards and the notebook of the first grid disagree")


def _counted(whole: Any) -> dict[str, int]:
    people, doors = whole["resident_tags"], whole["household_tags"]
    # Nobody is both in this community, so that the sum counts persons.
    together = {"disabled or mentally ill": people["disabled"] + people["mentally_ill"]}
    return {**people, **doors, **together, "households": whole["households"], "residents": whole["residents"]}
