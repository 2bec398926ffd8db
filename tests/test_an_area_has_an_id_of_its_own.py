"""No two areas have one id: whoever makes an area under another's id gains nothing of that one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.context import Context
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.world import NEW_ID, World, household, mutation, new_world, nothing_drifted


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    world = await new_world(context)
    yield world
    await world.http.aclose()
    await nothing_drifted(context)


async def send(world: World, who: RawPhone, path: str, body: Any) -> Any:
    return await world.http.post(f"/v1/{path}", json=body, headers=who.headers)


@pytest.mark.parametrize("of", ["building_b", "community_b", "district"])
async def test_who_makes_an_area_under_the_id_of_another_and_hands_it_over_gains_nothing_there(
    world: World, of: str
) -> None:
    home = str(await second_community(world))
    qian, id = RawPhone(world, await world.phone_token("qian")), NEW_ID()
    door = mutation(world, "households", id, fields=household(world, "901", unit="unit_b"), home=home)
    assert [outcome["outcome"] for outcome in await qian.push(door, home=home)] == ["applied"]
    mallory = await phone_of(world, "mallory", role="admin", area="community")
    taken = str(world.areas[of])
    made = await send(
        world, mallory, "areas", {"id": taken, "parent_id": str(world.home), "level": "building", "name": "7"}
    )
    await send(world, mallory, f"areas/{taken}/handover", {"to": str(world.areas["grid"]), "dry_run": False})
    await mallory.pull()
    assert mallory.holds("households", id) is None
    assert mallory.holds("areas", world.areas["unit_b"]) is None
    code = {"area_id": str(world.areas["district"]), "list": "tag", "code": "x", "name": "…"}
    assert (await send(world, mallory, "codes", code)).status_code == 422
    assert (made.status_code, made.json()["code"]) == (409, "id_taken")
