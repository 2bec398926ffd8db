"""A building full of doors, the two people it passes between, and the administrator who hands it over."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.context import Context
from app.operator import Item, create_all
from tests.raw_phone import Answer, RawPhone, phone_of
from tests.world import NEW_ID, World, household, mutation, new_world

DOORS = 12


class Place:
    """Li works in one grid, Wang in the other; the boss has both. Building 1 is full of doors."""

    def __init__(self, world: World, li: RawPhone, wang: RawPhone, boss: RawPhone) -> None:
        self.world, self.li, self.wang, self.boss = world, li, wang, boss
        self.doors = [NEW_ID() for _ in range(DOORS)]
        self.visits = [NEW_ID() for _ in range(DOORS)]

    async def hand_over(self, area: str = "building_1", to: str = "grid_2", *, dry_run: bool = False) -> Answer:
        answer = await self.ask(area, to=str(self.world.areas[to]), dry_run=dry_run)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def ask(self, area: str, who: RawPhone | None = None, **body: Any) -> httpx.Response:
        path = f"/v1/areas/{self.world.areas[area]}/handover"
        return await self.world.http.post(path, json=body, headers=(who or self.boss).headers)

    async def rows(self, table: Any) -> list[Any]:
        async with self.world.context.database.snapshot("server") as snapshot:
            return [tuple(row) for row in await snapshot.rows(sa.select(table).order_by(*table.primary_key))]


@pytest.fixture
async def place(context: Context) -> AsyncIterator[Place]:
    world = await new_world(context)
    id = world.areas["grid_2"] = NEW_ID()
    fields: Answer = {"parent_id": str(world.home), "level": "grid", "name": "grid_2", "code": "grid_2"}
    await create_all(context, [Item(collection="areas", record=str(id), home=str(world.home), fields=fields)])
    li, wang = await phone_of(world, "li", area="grid"), await phone_of(world, "wang", area="grid_2")
    place = Place(world, li, wang, await phone_of(world, "boss", role="admin"))
    doors = [mutation(world, "households", id, fields=household(world, str(n))) for n, id in enumerate(place.doors)]
    knocks: list[Answer] = [
        mutation(world, "visits", id, fields={"household_id": str(door), "outcome": "opened", "note": "在家。"})
        for id, door in zip(place.visits, place.doors, strict=True)
    ]
    for outcome in await li.push(*doors, *knocks):
        assert outcome["outcome"] == "applied"
    for phone in (li, wang):
        await phone.pull()
    yield place
    await world.http.aclose()


def held(phone: RawPhone, place: Place) -> tuple[int, int]:
    doors = sum(phone.holds("households", id) is not None for id in place.doors)
    return doors, sum(phone.holds("visits", id) is not None for id in place.visits)
