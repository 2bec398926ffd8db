"""I3: lost answers, duplicates, overlaps and late repetitions have the effect and the outcomes of once.

Each conversation is held twice, with two servers that begin alike: on one every push arrives once,
on the other as badly as a network can manage. Afterwards their tables differ in nothing but times.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

import tests.world
from app.collections import COLLECTIONS
from app.settings import Settings
from app.tables import Feed, FeedEntry, History, ReceivedMutation
from sync import seams
from tests.conftest import KEY, opened
from tests.world import World, bearer, household, mutation, new_world

Push = tuple[str, list[dict[str, Any]]]
"""Who sends it, and its mutations."""
LOGINS = ("one", "two")
EVIDENCE = {"at", "made_at", "sent_at", "received_at", "created_at", "updated_at", "deleted_at", "tag"}
"""What may differ between two runs: times, and the random tags of marks."""


@pytest.fixture
def urls(store: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Two empty stores."""
    names = [f"{name}_{seams.real().new_id().hex}" for name in ("once", "often")]
    if store == "sqlite":
        yield [f"sqlite:///{tmp_path / name}.db" for name in names]
        return
    server, template = (request.getfixturevalue(name) for name in ("postgres", "template"))
    for name in names:
        server.create_database(name, template)
    yield [server.url(name) for name in names]
    for name in names:
        server.drop_database(name)


@pytest.fixture
async def twins(urls: list[str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[World]]:
    """Two servers with the same areas, people and phones, by the same ids."""
    async with AsyncExitStack() as stack:
        worlds = []
        for url in urls:
            context = await stack.enter_async_context(opened(Settings(database_url=url, key=KEY)))
            numbers = count(1)
            ids = replace(context.seams, new_id=lambda numbers=numbers: seams.uuid7(0, next(numbers)))
            monkeypatch.setattr(tests.world, "NEW_ID", ids.new_id)
            world = await new_world(replace(context, seams=ids))
            for login in LOGINS:
                await world.add_person(login)
            worlds.append(world)
        monkeypatch.undo()
        assert worlds[0].areas == worlds[1].areas
        yield worlds
        for world in worlds:
            await world.http.aclose()


class Line:
    """Two phones' connections to one server."""

    def __init__(self, world: World) -> None:
        self.world, self.tokens = world, {}
        self.answers: dict[str, dict[str, Any]] = {}
        """The first outcome of each mutation that came back."""

    async def open(self) -> "Line":
        self.tokens = {login: await self.world.phone_token(login) for login in LOGINS}
        return self

    async def send(self, push: Push, *, lost: bool = False) -> list[dict[str, Any]]:
        """The outcomes; the same as ever for what was sent before."""
        body = {"mutations": push[1]}
        headers = bearer(self.tokens[push[0]])
        answer = await self.world.http.post("/v1/sync/push", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        outcomes: list[dict[str, Any]] = answer.json()["outcomes"]
        for outcome in [] if lost else outcomes:
            plain = {name: value for name, value in outcome.items() if name != "replayed"}
            assert self.answers.setdefault(str(outcome["id"]), plain) == plain
        return outcomes

    async def pull(self) -> list[dict[str, Any]]:
        """All that a new phone is given."""
        headers, changes, cursor = bearer(await self.world.phone_token("one")), [], None
        while True:
            body = {"cursor": cursor, "limit": 50}
            page = (await self.world.http.post("/v1/sync/pull", json=body, headers=headers)).json()
            changes += page["changes"]
            cursor = page["cursor"]
            if page["complete"]:
                return changes

    async def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Everything the server keeps of them, without what is only evidence."""
        found = {}
        columns = [model.__table__ for model in (History, ReceivedMutation, Feed, FeedEntry)]  # type: ignore[attr-defined]
        columns += [collection.table for collection in COLLECTIONS.values()]
        async with self.world.context.database.snapshot("server") as snapshot:
            for table in columns:
                rows = [dict(row._mapping) for row in await snapshot.rows(sa.select(table))]
                kept = [{n: v for n, v in row.items() if n not in EVIDENCE} for row in rows]
                found[table.name] = sorted(kept, key=repr)
        return found


def conversation(world: World, chance: random.Random) -> list[Push]:
    """Thirty pushes of two people about six doors: creates, edits that meet, deletes, mistakes, an id used twice."""
    pushes: list[Push] = []
    doors = [UUID(int=chance.getrandbits(128), version=4) for _ in range(6)]
    for number in range(30):
        mutations = []
        for _ in range(chance.randint(1, 8)):
            door, base = chance.choice(doors), chance.randint(1, 6)
            made = {"id": str(UUID(int=chance.getrandbits(128), version=4))}
            text = f"{number}-{len(mutations)}"
            mutations.append(
                chance.choice(
                    [
                        mutation(world, "households", door, fields=household(world, text), **made),
                        mutation(world, "households", door, "update", base, fields={"door": text}, **made),
                        mutation(world, "households", door, "update", base, fields={"note": text}, **made),
                        mutation(world, "households", door, "update", base, fields={"best_time": text}, **made),
                        mutation(world, "households", door, "delete", base, **made),
                        mutation(world, "households", door, "update", base, fields={"wrong": text}, **made),
                    ]
                )
            )
        if number % 7 == 3:
            mutations.append(mutations[0])
        pushes.append((chance.choice(LOGINS), mutations))
    return pushes


async def both(twins: list[World], seed: int) -> tuple[Line, Line, list[Push], random.Random]:
    """The server where everything has arrived once, the other, and what to send there."""
    chance = random.Random(seed)
    once, often = [await Line(world).open() for world in twins]
    pushes = conversation(twins[0], chance)
    for push in pushes:
        await once.send(push)
    return once, often, pushes, chance


async def assert_alike(once: Line, often: Line) -> None:
    assert often.answers == once.answers
    assert await often.pull() == await once.pull()
    often_kept, once_kept = await often.tables(), await once.tables()
    for name, rows in once_kept.items():
        assert often_kept[name] == rows, name
    outcomes = {outcome["outcome"] for outcome in once.answers.values()}
    assert outcomes == {"applied", "merged", "conflicted", "refused"}


async def test_a_push_whose_answer_was_lost_is_answered_as_it_would_have_been(twins: list[World]) -> None:
    once, often, pushes, chance = await both(twins, 1)
    for push in pushes:
        for _ in range(chance.choice([0, 0, 1, 2, 3])):
            await often.send(push, lost=True)
        again = await often.send(push)
        assert [o["id"] for o in again] == [m["id"] for m in push[1]]
    await assert_alike(once, often)


async def test_duplicates_after_newer_pushes_change_nothing(twins: list[World]) -> None:
    once, often, pushes, chance = await both(twins, 2)
    for number, push in enumerate(pushes):
        await often.send(push)
        for late in chance.choices(pushes[: number + 1], k=chance.randint(0, 4)):
            assert all(outcome["replayed"] for outcome in await often.send(late))
    await assert_alike(once, often)


async def test_the_same_push_five_times_at_once_is_one_push(twins: list[World]) -> None:
    once, often, pushes, _ = await both(twins, 3)
    for push in pushes:
        answers = await asyncio.gather(*(often.send(push) for _ in range(5)))
        fresh = [sum(not outcome.get("replayed") for outcome in outcomes) for outcomes in answers]
        assert sorted(fresh)[:4] == [0, 0, 0, 0]
    await assert_alike(once, often)


async def test_reordered_repetitions_change_nothing_and_answer_the_same_bytes(twins: list[World]) -> None:
    once, often, pushes, chance = await both(twins, 4)
    for push in pushes:
        await often.send(push)
    for _ in range(3):
        shuffled = chance.sample(pushes, len(pushes))
        rounds = [await asyncio.gather(*(often.send(push) for push in shuffled)) for _ in range(2)]
        assert rounds[0] == rounds[1]
    await assert_alike(once, often)


async def test_parts_of_pushes_sent_again_in_other_pushes_change_nothing(twins: list[World]) -> None:
    once, often, pushes, chance = await both(twins, 5)
    earlier: dict[str, list[dict[str, Any]]] = {login: [] for login in LOGINS}
    for login, mutations in pushes:
        mixed = chance.sample(earlier[login], min(len(earlier[login]), 3)) + mutations
        await often.send((login, mixed))
        earlier[login] += mutations
    await assert_alike(once, often)
