"""A push that is cancelled, or loses its connection, wherever it waits: nothing runs on, and it can be sent again."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from app.bench import Bench
from app.context import Context
from app.incoming import Arrived
from app.judge import judge
from app.loading import load
from app.opening import open_database
from app.settings import Settings
from sync.wire import Outcome
from tests.conftest import KEY
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

MOST_WAITS = 200


class Waits:
    """A request whose n-th wait is disturbed; each wait is one, whatever it is that it waits for."""

    def __init__(self, request: Coroutine[Any, Any, httpx.Response], n: int, disturb: Callable[[], Any]) -> None:
        self.request, self.n, self.disturb, self.count = request, n, disturb, 0

    def __await__(self) -> Generator[Any, Any, httpx.Response]:
        inner, error = self.request.__await__(), None
        while True:
            try:
                awaited = inner.throw(error) if error else inner.send(None)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            self.count += 1
            if self.count == self.n:
                self.disturb()
            try:
                yield awaited
                error = None
            except BaseException as raised:
                error = raised

    async def over(self) -> httpx.Response:
        return await self


def cancel_in_a_moment() -> None:
    """The task that is running now, once it waits."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().call_soon(task.cancel)


pytestmark = pytest.mark.usefixtures("database_url")
"""A store of each test's own: connections to it are cut."""


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    world = await new_world(context)
    await world.add_person("wang")
    yield world
    await world.http.aclose()
    await world.context.database.close()


@pytest.fixture
async def send(world: World) -> Callable[[dict[str, Any]], Coroutine[Any, Any, httpx.Response]]:
    headers = bearer(await world.phone_token("wang"))
    return lambda body: world.http.post("/v1/sync/push", json=body, headers=headers)


def push_of(world: World) -> dict[str, Any]:
    return {"mutations": [mutation(world, "households", NEW_ID(), fields=household(world))]}


async def forget_connections(world: World, url: str) -> None:
    """So that the next push is the first that a server takes."""
    await world.context.database.close()
    fresh = open_database(Settings(database_url=url, key=KEY), world.context.seams)
    world.context = world.app.state.context = replace(world.context, database=fresh)


async def taken(send: Any, body: dict[str, Any]) -> None:
    again = await send(body)
    assert again.status_code == 200, again.text
    [outcome] = again.json()["outcomes"]
    assert outcome["outcome"] == "applied"


@pytest.mark.parametrize("cold", [False, True], ids=["connected", "not connected"])
async def test_cancelled_anywhere_it_can_be_sent_again(world: World, send: Any, database_url: str, cold: bool) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
    for n in range(1, MOST_WAITS):
        if cold:
            await forget_connections(world, database_url)
        before, body = asyncio.all_tasks(), push_of(world)
        waits = Waits(send(body), n, cancel_in_a_moment)
        sending = asyncio.create_task(waits.over())
        await asyncio.wait([sending])
        # Only the closing of its connection goes on, for a moment.
        if closing := asyncio.all_tasks() - before:
            await asyncio.wait(closing, timeout=5)
        assert asyncio.all_tasks() <= before
        # Nothing of it holds a lock, or the store would be busy for ten seconds.
        async with asyncio.timeout(5):
            await taken(send, body)
        if not sending.cancelled():
            break
    gc.collect()
    asyncio.get_running_loop().set_exception_handler(None)
    assert not complaints
    assert 10 < n < MOST_WAITS - 1


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
@pytest.mark.parametrize("cold", [False, True], ids=["connected", "not connected"])
async def test_a_connection_lost_anywhere_is_no_fault_of_ours(
    world: World, send: Any, database_url: str, cold: bool
) -> None:
    """The administrator ends every connection, and the push hears of it as soon as it waits."""
    with ThreadPoolExecutor(1) as thread:
        for n in range(1, MOST_WAITS):
            if cold:
                await forget_connections(world, database_url)
            body = push_of(world)
            waits = Waits(send(body), n, lambda: thread.submit(asyncio.run, end_all(database_url)).result())
            answer = await waits.over()
            # Tried again here, or by the phone.
            assert answer.status_code in (200, 503), (n, answer.text)
            await asyncio.sleep(0.01)
            await taken(send, body)
            if waits.count < n:
                break
    assert 10 < n < MOST_WAITS - 1


async def test_a_connection_in_use_when_the_store_closes_is_closed_after_it(context: Context) -> None:
    """What nobody closes makes a warning, and warnings are errors."""
    store = context.database
    async with store.transaction() as writing, store.snapshot("server") as reading:
        await store.close()
        for used in (writing, reading):
            assert await used.first(sa.text("SELECT 1"))
    await store.close()
    async with store.snapshot("server") as late:
        assert await late.first(sa.text("SELECT 1"))
    gc.collect()


async def end_all(url: str) -> None:
    connection = await asyncpg.connect(url)
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({others}) AS others")
    await connection.close()


async def test_a_store_lost_while_a_bad_mutation_is_looked_for_is_asked_once_more_from_the_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = [mutation(world, "households", NEW_ID(), fields=household(world, door)) for door in ("101", "102")]
    loads = 0

    async def losing(*arguments: Any) -> Any:
        nonlocal loads
        loads += 1
        if loads == 2:  # the first is for both, the second for the first of them alone
            raise ConnectionError
        return await load(*arguments)

    def crashing(bench: Bench, arrived: Arrived) -> Outcome:
        if arrived.sent_id == doors[1]["id"]:
            raise ZeroDivisionError
        return judge(bench, arrived)

    monkeypatch.setattr("app.receive.load", losing)
    monkeypatch.setattr("app.receive.judge", crashing)
    headers = bearer(await world.phone_token("wang"))
    answer = await world.http.post("/v1/sync/push", json={"mutations": doors}, headers=headers)
    assert [outcome["outcome"] for outcome in answer.json()["outcomes"]] == ["applied", "refused"]
    assert answer.json()["received"] == 2
