"""F8: too much is refused by its Content-Length alone, and too slow is cut, while others work."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from app.bounds import AT_ONCE_SECONDS, MOST_BODY_BYTES, MOST_BODY_SECONDS, MOST_HEAD_BYTES
from app.context import Context
from app.settings import Settings
from sync.wire import MOST_PUSH_BYTES
from tests.world import World, bearer, new_world

PUSH = "/v1/sync/push"


class Wire:
    """One request over ASGI whose body comes as the test says."""

    def __init__(self, world: World, path: str, headers: dict[str, str], parts: list[bytes]) -> None:
        self.world, self.path, self.parts, self.reads = world, path, parts, 0
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self.sent: list[dict[str, Any]] = []
        self.more = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """The next part; after the last one nothing comes any more."""
        self.reads += 1
        if not self.parts:
            await self.more.wait()
        return {"type": "http.request", "body": self.parts.pop(0), "more_body": True}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def run(self, query: bytes = b"") -> tuple[int, dict[str, str], dict[str, Any]]:
        scope = {"type": "http", "method": "POST", "path": self.path, "query_string": query, "headers": self.headers}
        scope |= {"scheme": "http", "server": ("test", 80), "client": ("10.0.0.1", 1), "http_version": "1.1"}
        await self.world.app(scope, self.receive, self.send)
        start, body = self.sent[0], b"".join(message.get("body", b"") for message in self.sent[1:])
        return start["status"], {n.decode(): v.decode() for n, v in start["headers"]}, json.loads(body)


class Clock:
    """Time that passes only where a test says so, or where somebody waits in vain."""

    def __init__(self) -> None:
        self.seconds, self.stands_still = 0.0, False

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(None) as limit:
            if seconds <= AT_ONCE_SECONDS or not self.stands_still:
                limit.reschedule(asyncio.get_running_loop().time())
            try:
                yield
            except asyncio.CancelledError:
                self.seconds += seconds
                raise


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(context: Context, clock: Clock) -> AsyncIterator[World]:
    seams = replace(context.seams, timeout=clock.timeout, monotonic=lambda: clock.seconds)
    made = await new_world(replace(context, seams=seams), Settings(pool_size=1))
    await made.add_person("li")
    yield made
    await made.http.aclose()


async def phone(world: World, **headers: str) -> dict[str, str]:
    return {**bearer(await world.phone_token("li")), "Content-Type": "application/json", **headers}


BOUNDS = {PUSH: MOST_PUSH_BYTES, "/v1/households": MOST_PUSH_BYTES, "/v1/replicas": MOST_BODY_BYTES}
BOUNDS |= {"/v1/auth/token": 16 * 1024, "/nowhere": MOST_BODY_BYTES}


@pytest.mark.parametrize(("path", "most_bytes"), BOUNDS.items())
async def test_too_much_is_refused_before_a_byte_is_read(world: World, path: str, most_bytes: int) -> None:
    headers = await phone(world)
    for declared in (most_bytes + 1, 10**30):
        wire = Wire(world, path, {**headers, "Content-Length": str(declared)}, [])
        status, answered, problem = await wire.run()
        assert (status, problem["code"], wire.reads) == (413, "body_too_large", 0)
        assert problem["details"]["most_bytes"] in (most_bytes, MOST_BODY_BYTES)
        assert ("connection" in answered) is (declared > MOST_BODY_BYTES), "a short rest is dropped, a long one cut off"


async def test_chunks_without_a_length_are_counted(world: World) -> None:
    for path, most_bytes in (("/v1/auth/token", 16 * 1024), ("/v1/replicas", MOST_BODY_BYTES)):
        headers = await phone(world, **{"Transfer-Encoding": "chunked"})
        if path == "/v1/auth/token":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        wire = Wire(world, path, headers, [b"x" * 8192] * 1000)
        status, answered, problem = await wire.run()
        assert (status, problem["code"]) == (413, "body_too_large")
        assert problem["details"] == {"most_bytes": most_bytes}
        assert wire.reads == most_bytes // 8192 + 1
        assert answered["connection"] == "close"


@pytest.mark.parametrize("path", [PUSH, "/v1/replicas"])
async def test_a_body_that_does_not_end_is_cut(world: World, clock: Clock, path: str) -> None:
    for parts in ([], [b"{"], [b"{", b'"a"'] * 3):
        wire = Wire(world, path, await phone(world, **{"Content-Length": "100"}), parts)
        began = clock.seconds
        status, answered, problem = await wire.run()
        assert (status, problem["code"], answered["connection"]) == (408, "body_too_slow", "close")
        assert problem["details"] == {"most_seconds": MOST_BODY_SECONDS}
        assert clock.seconds - began == pytest.approx(MOST_BODY_SECONDS)


async def test_a_body_that_drips_is_cut_after_the_same_time(world: World, clock: Clock) -> None:
    wire = Wire(world, PUSH, await phone(world, **{"Content-Length": "1000"}), [b" "] * 1000)
    read = wire.receive

    async def dripping() -> dict[str, Any]:
        clock.seconds += 1
        return await read()

    wire.receive = dripping  # type: ignore[method-assign]
    status, _, problem = await wire.run()
    assert (status, problem["code"], wire.reads) == (408, "body_too_slow", MOST_BODY_SECONDS)


async def test_slow_bodies_keep_nobody_else_from_working(world: World, clock: Clock) -> None:
    headers = await phone(world)
    clock.stands_still = True
    slow = [Wire(world, PUSH, {**headers, "Content-Length": "100"}, []) for _ in range(20)]
    tasks = [asyncio.create_task(wire.run()) for wire in slow]
    while not all(wire.reads for wire in slow):
        await asyncio.sleep(0.001)
    async with asyncio.timeout(10):
        assert (await world.http.post(PUSH, json={"mutations": []}, headers=headers)).status_code == 200
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_head_without_end_is_refused(world: World) -> None:
    for headers, query in (({"X-A": "a" * MOST_HEAD_BYTES}, b""), ({}, b"a" * MOST_HEAD_BYTES)):
        status, answered, problem = await Wire(world, PUSH, headers, []).run(query)
        assert (status, problem["code"]) == (431, "head_too_large")
        assert answered["x-frame-options"] == "DENY"
