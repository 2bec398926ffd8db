"""F39: when everybody comes at once, few work, pushes go first, and the rest are told when to come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
import pytest
from fastapi import FastAPI, Request

from app import admission
from app.admission import PATIENCE_SECONDS, stepping_aside
from app.context import Context
from app.main import PLACES_PER_CONNECTION, create_app
from app.settings import Settings

POOL = 2
PLACES = PLACES_PER_CONNECTION * POOL
PUSH, PULL, READ = ("POST", "/v1/sync/push/slow"), ("POST", "/v1/sync/pull"), ("GET", "/slow")


@dataclass
class Server:
    """An application with slow routes, which work until they are let go."""

    app: FastAPI
    http: httpx.AsyncClient
    inside: int = 0
    most_inside: int = 0
    order: list[str] = field(default_factory=list)
    let_go: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    patience: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when those who wait lose it."""

    async def work(self, name: str) -> dict[str, str]:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.order.append(name)
        try:
            await self.let_go.acquire()
        finally:
            self.inside -= 1
        return {}

    def ask(self, request: tuple[str, str], body: bytes | None = None) -> asyncio.Task[httpx.Response]:
        method, path = request
        return asyncio.create_task(self.http.request(method, path, content=body))

    async def crowd(self, request: tuple[str, str], count: int) -> list[asyncio.Task[httpx.Response]]:
        """So many requests, which have come as far as they can."""
        tasks = [self.ask(request) for _ in range(count)]
        await settled()
        return tasks

    def let_all_go(self) -> None:
        for _ in range(10_000):
            self.let_go.release()


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
async def server(context: Context) -> AsyncIterator[Server]:
    @asynccontextmanager
    async def until_patience_is_lost(seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(None) as limit:
            if seconds != PATIENCE_SECONDS:
                yield
                return
            losing = asyncio.create_task(made.patience.wait())
            losing.add_done_callback(lambda task: task.cancelled() or limit.reschedule(0))
            try:
                yield
            finally:
                losing.cancel()

    context = replace(context, seams=replace(context.seams, timeout=until_patience_is_lost))
    app = create_app(context, Settings(pool_size=POOL))
    app.router.routes.clear()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        made = Server(app, http)
        _add_slow_routes(made)
        yield made


def _add_slow_routes(server: Server) -> None:
    @server.app.post("/v1/sync/push/slow")
    async def push() -> dict[str, str]:
        """A push."""
        return await server.work("push")

    @server.app.post("/v1/sync/pull")
    async def pull() -> dict[str, str]:
        """A pull."""
        return await server.work("pull")

    @server.app.get("/slow")
    async def read() -> dict[str, str]:
        """A read."""
        return await server.work("read")

    @server.app.post("/v1/auth/token")
    @server.app.get("/readyz")
    @server.app.get("/livez")
    async def quick() -> dict[str, str]:
        """Neither waits nor works long."""
        return {}

    @server.app.get("/waits")
    async def wait(request: Request) -> dict[str, str]:
        """Waits in memory for news, then works."""
        async with stepping_aside(request.scope):
            await server.news.wait()
        return await server.work("waited")


async def test_no_more_than_the_places_work_and_all_who_are_let_in_are_served(server: Server) -> None:
    tasks = await server.crowd(PUSH, PLACES * 5)
    assert server.inside == PLACES
    server.let_all_go()
    answers = await asyncio.gather(*tasks)
    assert [answer.status_code for answer in answers] == [200] * PLACES * 5
    assert server.most_inside == PLACES


async def test_pushes_go_before_pulls_and_reads_that_came_earlier(server: Server) -> None:
    tasks = await server.crowd(READ, PLACES)
    server.order.clear()
    tasks += await server.crowd(PULL, 3) + await server.crowd(READ, 3) + await server.crowd(PUSH, 5)
    server.let_all_go()
    await asyncio.gather(*tasks)
    assert server.order == ["push"] * 5 + ["pull"] * 3 + ["read"] * 3


async def test_the_rest_is_asked_to_come_back_each_at_its_own_time(server: Server) -> None:
    tasks = await server.crowd(PUSH, PLACES)
    waiting = await server.crowd(PULL, admission.MOST_WAITING)
    turned_away = await asyncio.gather(*await server.crowd(PULL, 1000))
    for answer in turned_away:
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
    seconds = [int(answer.headers["retry-after"]) for answer in turned_away]
    assert min(seconds) >= 1
    assert max(seconds) <= 1 + admission.MOST_RETRY_SECONDS
    assert len(set(seconds)) > 10
    assert max(seconds[:50]) < max(seconds[-200:]), "a larger crowd is spread further"
    # Reads that wait keep no push from waiting.
    pushes = await server.crowd(PUSH, admission.MOST_WAITING)
    assert not any(task.done() for task in pushes)
    server.let_all_go()
    answers = await asyncio.gather(*tasks, *waiting, *pushes)
    assert {answer.status_code for answer in answers} == {200}


async def test_nobody_waits_longer_than_the_patience(server: Server) -> None:
    tasks = await server.crowd(PUSH, PLACES)
    waiting = await server.crowd(PUSH, 5)
    server.patience.set()
    answers = await asyncio.gather(*waiting)
    assert [answer.json()["code"] for answer in answers] == ["overloaded"] * 5
    server.let_all_go()
    assert {answer.status_code for answer in await asyncio.gather(*tasks)} == {200}
    assert (await server.ask(PUSH)).status_code == 200, "its place is free again"


async def test_health_and_refreshing_never_wait_behind_the_crowd(server: Server) -> None:
    tasks = await server.crowd(PUSH, PLACES) + await server.crowd(PUSH, admission.MOST_WAITING)
    for request in (("GET", "/livez"), ("GET", "/readyz"), ("POST", "/v1/auth/token")):
        assert (await server.ask(request)).status_code == 200
    server.let_all_go()
    await asyncio.gather(*tasks)


async def test_whoever_gives_up_waiting_or_working_frees_the_place(server: Server) -> None:
    working = await server.crowd(PUSH, PLACES)
    waiting = await server.crowd(PUSH, 10)
    for task in (*waiting[::2], *working):
        task.cancel()
    await settled()
    assert server.inside == PLACES
    server.let_all_go()
    assert {(await task).status_code for task in waiting[1::2]} == {200}


async def test_a_place_is_not_lost_on_whoever_gives_up_as_it_is_called() -> None:
    gate = admission.Gate(1)
    await gate.wait(0)
    waiting = [asyncio.create_task(gate.wait(0)) for _ in range(2)]
    await settled()
    gate.leave()
    waiting[0].cancel()
    async with asyncio.timeout(10):
        await waiting[1]
    assert gate.free == 0
    gate.leave()
    assert (gate.free, *map(len, gate.lines)) == (1, 0, 0)


async def test_whoever_waits_for_news_lets_others_work(server: Server) -> None:
    waiting = await server.crowd(("GET", "/waits"), PLACES * 10)
    tasks = await server.crowd(PUSH, PLACES)
    assert server.inside == PLACES
    server.news.set()
    await settled()
    assert server.most_inside == PLACES
    server.patience.set()  # they have been let in before, and aren't turned away
    server.let_all_go()
    assert {answer.status_code for answer in await asyncio.gather(*waiting, *tasks)} == {200}
    assert server.most_inside == PLACES


async def test_whoever_hangs_up_while_waiting_for_news_leaves_nothing_behind(server: Server) -> None:
    waiting = await server.crowd(("GET", "/waits"), PLACES)
    for task in waiting:
        task.cancel()
    await settled()
    tasks = await server.crowd(PUSH, PLACES * 2)
    assert server.inside == PLACES
    server.let_all_go()
    assert {answer.status_code for answer in await asyncio.gather(*tasks)} == {200}


async def test_nothing_of_the_body_is_read_from_whoever_is_turned_away(server: Server) -> None:
    tasks = await server.crowd(PUSH, PLACES) + await server.crowd(PULL, admission.MOST_WAITING)

    async def parts() -> AsyncIterator[bytes]:
        raise AssertionError("somebody reads it")
        yield b""

    answer = await server.http.post("/v1/sync/pull", content=parts())
    assert answer.status_code == 503
    assert answer.headers["connection"] == "close"
    server.let_all_go()
    await asyncio.gather(*tasks)
