"""What isn't theirs nobody learns sideways: from a count, a code, a guess, a hint, or a record under the same id."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from app.context import Context
from app.operator import add_area
from tests.raw_phone import Answer, RawPhone, phone_of
from tests.test_a_team_keeps_its_cases import brought, mediator
from tests.world import NEW_ID, World, household, new_world, nothing_drifted


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    """With two teams in the community, and a street in the district."""
    world = await new_world(context)
    for name, level, parent in (
        ("team", "team", "community"), ("other_team", "team", "community"), ("street", "street", "district")
    ):  # fmt: skip
        world.areas[name] = await add_area(context, code=name, name=name, level=level, parent_code=parent)
    yield world
    await world.http.aclose()
    await nothing_drifted(context)


async def send(world: World, who: RawPhone, path: str, body: Any, method: str = "POST") -> Any:
    return await world.http.request(method, f"/v1/{path}", json=body, headers=who.headers)


def held(phone: RawPhone, collection: str) -> list[Answer]:
    """All of a collection that the phone holds."""
    return [change for feed in phone.feeds.values() for (name, _), change in feed.items() if name == collection]


async def test_a_team_that_is_put_below_another_keeps_its_cases_from_that(world: World) -> None:
    mei, rival = await mediator(world, "mei"), await mediator(world, "rival", "other_team")
    id = await brought(world, mei)
    boss = await phone_of(world, "boss", role="admin", area="district")
    below = {"to": str(world.areas["other_team"]), "dry_run": False}
    moved = await send(world, boss, f"areas/{world.areas['team']}/handover", below)
    assert moved.status_code == 200, moved.text
    for phone in (mei, rival):
        await phone.pull()
    assert mei.holds("cases", id)
    assert rival.holds("cases", id) is None


async def test_a_handover_counts_no_cases(world: World) -> None:
    mei, shun = await mediator(world, "mei"), await mediator(world, "shun")
    boss = await phone_of(world, "boss", role="admin", area="district")

    async def counted() -> tuple[int, int]:
        to = {"to": str(world.areas["grid"]), "dry_run": True}
        tried = await send(world, boss, f"areas/{world.areas['team']}/handover", to)
        return tried.json()["records"], tried.json()["open_conflicts"]

    before = await counted()
    id = await brought(world, mei)
    await mei.apply("cases", id, "update", 1, fields={"kind": "noise"})
    crossed = await shun.say("cases", id, "update", 1, fields={"kind": "leak"})
    assert crossed["conflicts"]
    assert await counted() == before


@pytest.mark.parametrize(("field", "value"), [("nosuch", 1), ("kind", 5), ("deleted", 5), ("kind", "leak")])
async def test_a_resolution_of_no_conflict_tells_nothing_of_the_record_it_names(
    world: World, field: str, value: Any
) -> None:
    id = await brought(world, await mediator(world, "mei"))
    reader = await phone_of(world, "reader", role="reader", area="district")
    problems = []
    for target in (id, NEW_ID()):
        conflict, home = NEW_ID(), str(world.home)
        of = {"of_collection": "cases", "of_record": str(target), "field": field}
        seen = [
            {"collection": "conflicts", "record": str(conflict), "home": home, "rev": 1, "fields": of},
            {"collection": "cases", "record": str(target), "home": home, "rev": 1, "fields": {}},
        ]
        said = {"resolution": {"value": value, "base": 1, "after": None}}
        outcome = await reader.say("conflicts", conflict, "update", 1, fields=said, seen=seen)
        problems.append(outcome["problem"])
    assert problems[0] == problems[1]


async def test_nobody_asks_about_an_organisation_by_making_their_own_under_its_id(world: World) -> None:
    boss = await phone_of(world, "boss", role="admin", area="district")
    mallory = await phone_of(world, "mallory", role="admin", area="community")
    made = await send(world, boss, "organisations", {"area_id": str(world.areas["district"]), "name": "公安分局"})
    id = made.json()["id"]
    own = await send(world, mallory, "organisations", {"id": id, "area_id": str(world.home), "name": "私设的局"})
    change = {"name": "改名", "team_id": str(world.home)}
    changed = await send(world, mallory, f"organisations/{id}", change, "PATCH")
    assert (own.status_code, changed.status_code) == (409, 403)
    await boss.pull()
    assert held(boss, "conflicts") == []


async def test_what_is_listed_in_one_feed_has_one_id_of_whichever_area_it_is(world: World) -> None:
    boss = await phone_of(world, "boss", role="admin", area="district")
    made = await send(world, boss, "organisations", {"area_id": str(world.areas["district"]), "name": "公安分局"})
    other = {"id": made.json()["id"], "area_id": str(world.areas["street"]), "name": "街道的队"}
    again = await send(world, boss, "organisations", other)
    assert (again.status_code, again.json()["code"]) == (409, "id_taken")
    await boss.pull()
    boss.check_digests()
    assert [change["fields"]["name"] for change in held(boss, "organisations")] == ["公安分局"]


def resident(household: UUID) -> dict[str, Any]:
    return {"household_id": str(household), "name": "王小四", "birth_date": "1990-01-01"}


async def test_a_hint_that_lies_in_the_other_ones_unit_is_withdrawn_from_phones_too(world: World) -> None:
    li = await phone_of(world, "li", area="building_1")
    doors, residents = (NEW_ID(), NEW_ID()), (NEW_ID(), NEW_ID())
    for door, one, unit in zip(doors, residents, ("unit_1", "building_1"), strict=True):
        await li.apply("households", door, fields=household(world, "101", unit=unit))
        await li.apply("residents", one, fields=resident(door))
    await li.pull()
    assert len(held(li, "duplicates")) == 1
    await li.apply("residents", residents[0], "update", 1, fields={"name": "别人"})
    await li.pull()
    assert held(li, "duplicates") == []


async def test_a_hint_that_somebody_noted_elsewhere_tells_them_nothing_of_what_it_names(world: World) -> None:
    li, qian = await phone_of(world, "li", area="building_1"), await phone_of(world, "qian", area="building_2")
    door, one, hint = NEW_ID(), NEW_ID(), NEW_ID()
    await li.apply("households", door, fields=household(world, "101"))
    await li.apply("residents", one, fields=resident(door))
    of = {"of_collection": "residents", "record": str(one), "other": str(NEW_ID())}
    await qian.apply("duplicates", hint, fields={"area_id": str(world.areas["unit_2"]), **of})
    await li.apply("residents", one, "delete", 1)
    await qian.pull()
    assert qian.holds("duplicates", hint)
    assert (await qian.get("duplicates", hint))["rev"] == 1


async def test_a_helper_does_not_guess_what_is_hidden_by_creating_it_again(world: World) -> None:
    li, zhang = await phone_of(world, "li", area="building_1"), await phone_of(world, "zhang", role="helper")
    door, visit = NEW_ID(), NEW_ID()
    await li.apply("households", door, fields=household(world, "101"))
    shown = {"household_id": str(door), "outcome": "opened"}
    await li.apply("visits", visit, fields={**shown, "needs": ["medicine"]})
    guesses = [await zhang.say("visits", visit, fields={**shown, "needs": [need]}) for need in ("medicine", "food")]
    assert [guess["problem"]["code"] for guess in guesses] == ["not_permitted", "not_permitted"]
    own = NEW_ID()
    await zhang.apply("visits", own, fields={**shown, "needs": ["food"]})
    again = await zhang.say("visits", own, fields={**shown, "needs": ["food"], "note": "改天再来。"})
    assert again["outcome"] in ("applied", "merged"), "what they wrote themselves"


async def test_a_helpers_own_create_meets_what_a_restore_made_of_it(world: World) -> None:
    li, zhang = await phone_of(world, "li", area="building_1"), await phone_of(world, "zhang", role="helper")
    door, visit = NEW_ID(), NEW_ID()
    await li.apply("households", door, fields=household(world, "101"))
    theirs = {"household_id": str(door), "outcome": "opened", "needs": ["food"]}
    # The server knows nothing of the visit: a copy of yesterday's. Li saw it, and brings it with an edit.
    seen = [
        {"collection": name, "record": str(id), "home": str(world.home), "rev": 1, "fields": fields}
        for name, id, fields in (("visits", visit, theirs), ("households", door, household(world, "101")))
    ]
    edit = {"fields": {"note": "改天再来。"}, "epoch": None, "seen": seen}
    brought = await li.say("visits", visit, "update", 1, **edit)
    assert brought["outcome"] == "applied", brought
    again = await zhang.say("visits", visit, fields=theirs, epoch=None, seen=[])
    assert again["outcome"] == "applied", again
    assert (await li.get("visits", visit))["note"] == "改天再来。"
