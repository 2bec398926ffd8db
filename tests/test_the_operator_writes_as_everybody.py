"""What is written at the server's own command line goes the way of all records, without a person. Both stores."""

import pytest

from app.operator import Item, create_all
from app.problems import Problem
from sync.wire import Fields
from tests.raw_phone import phone_of
from tests.world import NEW_ID, World, household


def item(world: World, collection: str, **fields: object) -> Item:
    said: Fields = dict(fields)  # type: ignore[arg-type]
    return Item(collection=collection, record=str(NEW_ID()), home=str(world.home), fields=said)


async def test_it_refers_to_what_is_there_and_its_history_names_nobody(world: World) -> None:
    door = item(world, "households", **household(world))
    await create_all(world.context, [door])
    person = item(world, "residents", household_id=door["record"], name="周桂兰")
    await create_all(world.context, [person])
    li = await phone_of(world, "li")
    path = f"/v1/residents/{person['record']}/history"
    [row] = (await world.http.get(path, headers=li.headers)).json()["history"]
    assert (row["op"], row["by"], row["fields"]["household_id"]) == ("create", None, door["record"])


async def test_what_refers_to_nothing_is_refused_with_all_that_comes_with_it(world: World) -> None:
    door, li = item(world, "households", **household(world)), await phone_of(world, "li")
    with pytest.raises(Problem) as refused:
        await create_all(world.context, [door, item(world, "residents", household_id=str(NEW_ID()), name="周桂兰")])
    assert refused.value.code == "reference_not_found"
    await li.pull()
    assert not any(name == "residents" for feed in li.feeds.values() for name, _ in feed)
