"""A place where seconds pass when a test says so, with a phone in it that waits for news."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.database import Viewer
from sync.wire import MOST_WAIT_SECONDS
from tests.phones import Time
from tests.world import NEW_ID, World, bearer, household, mutation

PULL = "/v1/sync/pull"


@dataclass
class Seconds:
    """Whoever sleeps, sleeps until a test lets a second pass."""

    time: Time = field(default_factory=Time)
    sleeper: asyncio.Future[None] | None = None
    asleep: asyncio.Event = field(default_factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        self.sleeper = asyncio.get_running_loop().create_future()
        self.asleep.set()
        await self.sleeper

    async def watched(self) -> None:
        """Until somebody looks out for those who wait, and sleeps."""
        async with asyncio.timeout(30):
            await self.asleep.wait()

    async def passes(self) -> None:
        """One second, for whoever looks out."""
        await self.watched()
        assert self.sleeper is not None
        self.asleep.clear()
        self.time.forward(seconds=1)
        self.sleeper.set_result(None)


class Counting:
    """A store that counts how often it is glanced at, and can fail or be slow there."""

    def __init__(self, database: Any) -> None:
        self.database, self.glances, self.fails = database, 0, False
        self.after: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    @asynccontextmanager
    async def glance(self, viewer: Viewer) -> AsyncIterator[Any]:
        self.glances += 1
        if self.fails:
            raise ConnectionError
        async with self.database.glance(viewer) as store:
            yield store
        if self.after:
            after, self.after = self.after, None
            await after()


@dataclass
class Place:
    """A world whose seconds are counted, and a phone in it that has read everything."""

    world: World
    seconds: Seconds
    store: Counting
    headers: dict[str, str]
    cursor: str = ""

    async def pull(self, **body: Any) -> httpx.Response:
        return await self.world.http.post(PULL, json={"cursor": self.cursor or None, **body}, headers=self.headers)

    def waiting_pull(self, wait: int = MOST_WAIT_SECONDS) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(self.pull(wait=wait))

    async def next_second_answers(self, waiting: asyncio.Task[httpx.Response]) -> httpx.Response:
        await self.seconds.watched()
        assert not waiting.done()
        await self.seconds.passes()
        async with asyncio.timeout(30):
            return await waiting

    async def push(self) -> None:
        """A colleague's new household."""
        headers = bearer(await self.world.phone_token("colleague"))
        mutations = [mutation(self.world, "households", NEW_ID(), fields=household(self.world))]
        answer = await self.world.http.post("/v1/sync/push", json={"mutations": mutations}, headers=headers)
        assert answer.json()["outcomes"][0]["outcome"] == "applied", answer.text
