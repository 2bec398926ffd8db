"""A secretary, some doors, and a campaign that is held at them."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from sync.days import day_of
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household

Answer = dict[str, Any]


@pytest.fixture
async def secretary(world: World) -> RawPhone:
    return await phone_of(world, "secretary", role="secretary")


@pytest.fixture
async def doors(world: World, secretary: RawPhone) -> list[UUID]:
    """Two in building 1, two in building 2."""
    doors = [NEW_ID() for _ in range(4)]
    for n, door in enumerate(doors):
        await secretary.apply("households", door, fields=household(world, f"10{n}", "unit_2" if n > 1 else "unit_1"))
    return doors


def today(world: World, *, later: int = 0) -> date:
    return day_of(world.context.seams.now(), world.context.day_begins) + timedelta(days=later)


async def begin(secretary: RawPhone, *, first: int = 0, last: int = 2, **fields: Any) -> str:
    """A campaign of the community, from so many days from now to so many."""
    world = secretary.world
    window = {"since": str(today(world, later=first)), "until": str(today(world, later=last))}
    said = {"area_id": str(world.home), "name": "三天大排查", "approval": "〔2026〕7号", **window, **fields}
    answer = await world.http.post("/v1/campaigns", json=said, headers=secretary.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def freeze(phone: RawPhone, campaign: str, **said: str) -> Any:
    answer = await phone.world.http.post(f"/v1/campaigns/{campaign}/freeze", json=said, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


async def knock(phone: RawPhone, door: UUID, campaign: str, outcome: str = "opened", **fields: Any) -> None:
    said = {"household_id": str(door), "outcome": outcome, "campaign_id": campaign, **fields}
    await phone.apply("visits", NEW_ID(), fields=said)


async def meet(phone: RawPhone, door: UUID, *, registered: bool = True, **fields: Any) -> str:
    """Somebody who lives there."""
    id = NEW_ID()
    said = {"household_id": str(door), "name": "某人", "registered_here": registered, **fields}
    await phone.apply("residents", id, fields=said)
    return str(id)


async def report(phone: RawPhone, name: str, area: str = "community", **asked: str) -> Any:
    parameters = {"area_id": str(phone.world.areas[area]), **asked}
    answer = await phone.world.http.get(f"/v1/reports/{name}", params=parameters, headers=phone.headers)
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["code"])


async def sweep(phone: RawPhone, campaign: str, area: str = "community") -> Any:
    return await report(phone, "sweep", area, campaign_id=campaign)


def counted(row: Answer, *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)
