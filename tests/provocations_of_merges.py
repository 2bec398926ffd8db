"""How each code that merging answers, or that is answered of what was merged, is had."""

from uuid import UUID

import httpx

from app import join
from app.collections import COLLECTIONS
from app.collections.base import Collection
from tests.contract import Answer
from tests.raw_phone import second_community
from tests.stage import Stage
from tests.world import NEW_ID


async def merged(stage: Stage) -> httpx.Response:
    """What the operation is about has been merged into another record."""
    assert stage.collection
    key = {"Idempotency-Key": str(NEW_ID())}
    if stage.name.endswith("_create"):
        # Made, merged, and asked for once more.
        stage.id = UUID((await stage.ask(headers=key)).json()["id"])
    other = await stage.make.create(stage.collection)
    into = {"json": {"into": other["id"]}}
    assert (await stage.make.send("POST", stage.collection, f"/{stage.id}/merge", **into)).is_success
    return await stage.ask(headers=key)


async def merge_into_itself(stage: Stage) -> httpx.Response:
    return await stage.ask_with(into=str(stage.id))


async def merge_across(stage: Stage) -> httpx.Response:
    assert stage.collection
    await second_community(stage.world)
    stage.make.phone = await stage.another(role="admin", area="district")
    return await stage.ask_with(into=(await _far(stage, stage.collection))["id"])


async def _far(stage: Stage, collection: Collection) -> Answer:
    """A record in the other community."""
    fields = await stage.make.fields(collection)
    through = collection.lists_through
    there = str(stage.world.areas["unit_b"]) if through == "areas" else (await _far(stage, COLLECTIONS[through]))["id"]
    return await stage.make.create(collection, {**fields, collection.lists_in: there})


async def merge_too_large(stage: Stage) -> httpx.Response:
    assert stage.collection
    stage.patch.setattr(join, "MOST_REFERRING", 0)
    referring = (
        (c, name) for c in COLLECTIONS.values() for name, to in c.references.items() if to == stage.collection.name
    )
    refers, by = next(referring)
    await stage.make.create(refers, {**await stage.make.fields(refers), by: str(stage.id)})
    return await stage.ask()


OF_MERGES = {made.__name__: made for made in (merged, merge_into_itself, merge_across, merge_too_large)}
