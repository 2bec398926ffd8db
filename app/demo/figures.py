"""The reported figures of 青和居 in the demo: asked of the server as its secretary does, before anybody writes."""

from collections.abc import Mapping, Sequence
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
EITHER = ("disabled", "mentally_ill")
"""Persons with either of these were told of together."""


async def tell_figures(story: Story, *, small: bool) -> None:
    """The notebook of the first grid; and, where everybody is there, the totals. Raises Untrue for any other number."""
    say("\n■ 民情本与社区统计 · The notebook and the totals, asked of the server by the secretary")
    async with office_of(story.server, story.people["secretary"]) as office:
        grid = await office.area(GRID)
        buildings = [str(area["id"]) for area in (await office.get("/v1/areas", parent_id=grid))["items"]]
        notebook = await office.post("/v1/reports/roster", area_id=buildings, limit=1)
        _tell("民情本 notebook", _counted(notebook), NOTEBOOK)
        await _tell_doors(office, buildings)
        if not small:
            await _tell_places(office)
            asked = {"area_id": await office.area(COMMUNITY), "tag": [*EITHER]}
            whole = (await office.get("/v1/reports/totals", **asked))["whole"]
            _tell("社区 community", {**_counted(whole), "disabled or mentally ill": whole["any_of"]}, TOTALS)


def _tell(title: str, counted: Mapping[str, int], reported: Mapping[str, int]) -> None:
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


async def _tell_doors(office: Office, buildings: Sequence[str]) -> None:
    """The same by door: found in the roster by tag, and in their colours on the boards of the two buildings."""
    found = {
        tag: (await office.post("/v1/reports/roster", area_id=buildings, tag=tag, limit=1))["households"]
        for tag in ("living_alone", "empty_nest")
    }
    boards = [await office.get("/v1/reports/board", area_id=building) for building in buildings]
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


def _counted(said: Any) -> dict[str, int]:
    of_all = {name: said[name] for name in ("households", "residents", "aged_60") if name in said}
    return {**said["resident_tags"], **said["household_tags"], **of_all}
