"""Phones for property tests: the real replica, against the real application, one request at a time."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sync.canonical import canonical_json
from sync.entries import Key
from sync.exchange import Request
from sync.replica import Replica
from sync.seams import Seams, seeded, uuid7
from sync.store import MemoryStore
from tests.world import World, bearer

T = TypeVar("T")


@dataclass
class Time:
    """A clock that moves when it is told to, and ids and randomness from a seed."""

    now: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    ticks: int = 0

    def seams(self, seed: int | str, offset: timedelta = timedelta()) -> Seams:
        """A world of its own with this clock, wrong by `offset`."""
        dice = seeded(seed)

        def new_id() -> UUID:
            self.ticks += 1
            return uuid7(int(self.now.timestamp() * 1000) + self.ticks, dice.getrandbits(74))

        return Seams(
            now=lambda: self.now + offset,
            monotonic=lambda: self.now.timestamp(),  # noqa: PLW0108 - of the time it is then
            new_id=new_id,
            random_bytes=dice.randbytes,
            uniform=dice.uniform,
            sleep=_no_sleep,
        )

    def forward(self, **delta: float) -> None:
        """Time passes."""
        self.now += timedelta(**delta)


async def _no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


@dataclass
class Phone:
    """A replica with its person's token."""

    world: World
    login: str
    token: str
    replica: Replica
    store: MemoryStore
    lost: list[Request] = field(default_factory=list)
    older: Any = None
    """A copy of the store, taken earlier."""

    async def step(self, *, lose_answer: bool = False) -> bool:
        """One request and its answer; False when there was nothing to say."""
        request = self.replica.next_request()
        if request is None:
            return False
        answer = await self.send(request)
        if lose_answer:
            self.lost.append(request)
        else:
            media = answer.headers.get("content-type", "")
            self.replica.answer(request, answer.status_code, media, answer.content)
        return True

    async def send(self, request: Request) -> Any:
        """The request as it goes over the wire; nothing may ever be answered 5xx."""
        headers = {**bearer(self.token), "Content-Type": "application/json"}
        answer = await self.world.http.request(request.method, request.path, content=request.body, headers=headers)
        assert answer.status_code < 500, answer.text
        return answer

    async def duplicate(self) -> None:
        """A request whose answer was lost arrives once more; nobody hears that answer either."""
        if self.lost:
            await self.send(self.lost.pop(0))

    async def sync(self, most: int = 400) -> None:
        """Until there is nothing more to say."""
        self.replica.want_sync()
        for _ in range(most):
            if not await self.step():
                return
        raise AssertionError("a sync that doesn't end")

    def held(self) -> dict[str, bytes]:
        """Every copy, canonical: what I2 compares."""
        return held_by(self.replica)


def held_by(replica: Replica) -> dict[str, bytes]:
    """Every record the replica shows, as bytes."""
    copies = replica.copies()
    found: dict[str, bytes] = {}
    for collection in copies.collections():
        for shown in replica.shown_all(collection):
            found[shown.key.path] = canonical_json({"rev": shown.rev, "fields": shown.fields})
    return found


async def new_phone(world: World, login: str, seams: Seams, page_limit: int = 500) -> Phone:
    """A newly registered phone."""
    token = await world.phone_token(login)
    store = MemoryStore()
    replica = Replica(store, seams, page_limit)
    replica.sign_in(world.people[login], world.context.seams.new_id())
    return Phone(world, login, token, replica, store)


def key_of(world: World, collection: str, record: UUID) -> Key:
    """A record's key in the world's community."""
    return Key(collection, world.home, record)


def run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """On the test's own loop."""
    return loop.run_until_complete(work)


def at(world: World, seams: Seams) -> World:
    """The same world with other seams on the server."""
    world.context = replace(world.context, seams=seams)
    world.app.state.context = world.context
    return world
