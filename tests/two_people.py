"""Two people with a phone each at one door: the fixtures of what happens when both write."""

from typing import Any
from uuid import UUID

import pytest

from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household


@pytest.fixture
async def li(world: World) -> RawPhone:
    return await phone_of(world, "li")


@pytest.fixture
async def wang(world: World) -> RawPhone:
    return await phone_of(world, "wang")


@pytest.fixture
async def door(world: World, li: RawPhone) -> UUID:
    """A household at rev 1."""
    id = NEW_ID()
    await li.apply("households", id, fields=household(world, note="一。二。三。", tags=["a"]))
    return id


async def contested(li: RawPhone, wang: RawPhone, door: UUID, field: str = "door", **values: Any) -> str:
    """Both change a field that they saw at rev 1; Li arrives first. The conflict's id."""
    await li.apply("households", door, "update", 1, fields={field: values.get("ours", "102")})
    outcome = await wang.say("households", door, "update", 1, fields={field: values.get("theirs", "103")})
    assert outcome["outcome"] == "conflicted", outcome
    [conflict] = outcome["conflicts"]
    return str(conflict)
