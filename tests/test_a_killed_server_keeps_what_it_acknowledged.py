"""F14: a real server, killed outright again and again while a phone pushes.

`python -m tests.test_a_killed_server_keeps_what_it_acknowledged sqlite 200` kills as often as it is told.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.settings import Settings
from app.tables import FeedEntry, History, ReceivedMutation
from tests.concurrency import an_empty_store
from tests.conftest import KEY, opened
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

TOP = Path(__file__).parent.parent
KILLS = 6
START_SECONDS = 30
BATCH = 10


class Phone:
    """Pushes batch after batch; a batch without an answer is sent again, the very same, to the next server."""

    def __init__(self, world: World, token: str, chance: random.Random) -> None:
        self.world, self.headers, self.chance = world, bearer(token), chance
        self.doors: dict[str, int] = {}
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.waiting: list[dict[str, Any]] = []
        self.received = self.unanswered = self.pushes = 0

    async def has_pushed(self, more: int) -> None:
        """Waits until so many more pushes are answered, however busy the machine is."""
        until = self.pushes + more
        while self.pushes < until:
            await asyncio.sleep(0.001)

    async def push_until_it_dies(self, http: httpx.AsyncClient) -> None:
        while True:
            self.waiting = self.waiting or [self.next_mutation() for _ in range(BATCH)]
            body = {"mutations": self.waiting, "received": self.received}
            try:
                answer = await http.post("/v1/sync/push", json=body, headers=self.headers)
            except httpx.TransportError:
                self.unanswered += 1
                return
            assert answer.status_code == 200, answer.text
            self.learn(answer.json())

    def learn(self, answer: dict[str, Any]) -> None:
        assert answer["received"] >= self.received
        self.received = answer["received"]
        for sent, outcome in zip(self.waiting, answer["outcomes"], strict=True):
            assert outcome["outcome"] in ("applied", "merged"), outcome
            self.acknowledged[sent["id"]] = outcome
            self.doors[sent["record"]] = outcome["rev"]
        self.waiting = []
        self.pushes += 1

    def next_mutation(self) -> dict[str, Any]:
        if not self.doors or self.chance.random() < 0.5:
            return mutation(self.world, "households", NEW_ID(), fields=household(self.world, "1"))
        door = self.chance.choice(list(self.doors))
        fields = {"best_time": str(self.chance.random())}
        return mutation(self.world, "households", UUID(door), "update", self.doors[door], fields=fields)


@asynccontextmanager
async def server(url: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], httpx.AsyncClient]]:
    """`qiaomen serve` on a free port, ready; killed at the end if it still lives."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"QIAOMEN_DATABASE_URL": url, "QIAOMEN_KEY": KEY, "PYTHONPATH": str(TOP)}
    command = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=TOP,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            await until_it_answers(process, http)
            yield process, http
    finally:
        process.kill()
        process.wait()


async def until_it_answers(process: subprocess.Popen[bytes], http: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            await http.get("/livez")
            return
        except httpx.TransportError:
            assert process.poll() is None, "the server does not start"
            assert time.monotonic() < deadline, "the server does not answer"
            await asyncio.sleep(0.02)


async def killed_once(url: str, phone: Phone, chance: random.Random) -> None:
    """A server's life: it is pushed to, and ends without a warning."""
    async with server(url) as (process, http):
        pushing = asyncio.create_task(phone.push_until_it_dies(http))
        await phone.has_pushed(chance.randint(0, 8))
        await asyncio.sleep(chance.uniform(0, 0.05))
        os.kill(process.pid, signal.SIGKILL)
        await pushing


async def require_all_of_it(settings: Settings, phone: Phone) -> bool:
    """What was acknowledged is there, whole; what was not, is there as a whole or not at all. Was it?"""
    async with opened(settings) as context, context.database.snapshot("server") as snapshot:

        async def rows(table: Any, *columns: str) -> list[Any]:
            return list(await snapshot.rows(sa.select(*(table.c[name] for name in columns))))

        received = await rows(ReceivedMutation.__table__, "id", "outcome", "replica_id")  # type: ignore[attr-defined]
        history = await rows(History.__table__, "collection", "record_id", "rev", "mutation_id")  # type: ignore[attr-defined]
        entries = await rows(FeedEntry.__table__, "record_id", "rev", "live")  # type: ignore[attr-defined]
        held = await rows(COLLECTIONS["households"].table, "id", "rev")
    kept = {str(row.id): row.outcome for row in received if row.replica_id}
    for id, outcome in phone.acknowledged.items():
        assert kept.pop(id, None) == outcome["outcome"], "an acknowledged mutation is lost"
    waiting = {m["id"] for m in phone.waiting}
    assert set(kept) in (set(), waiting), "a part of a push is there"
    written = [str(row.mutation_id) for row in history if row.collection == "households"]
    assert sorted(written) == sorted([*phone.acknowledged, *kept]), "the history is another"
    revs = {row.id: row.rev for row in held}
    newest: dict[UUID, int] = {}
    for row in (row for row in history if row.collection == "households"):
        newest[row.record_id] = max(newest.get(row.record_id, 0), row.rev)
    assert revs == newest, "a record is not at its newest rev"
    assert {row.record_id: row.rev for row in entries if row.record_id in revs} == revs, "a rev is not listed"
    return bool(kept)


async def kill_again_and_again(settings: Settings, kills: int, seed: int) -> Phone:
    """Afterwards the phone's last push is taken, and a new phone is given everything."""
    chance = random.Random(seed)
    async with opened(settings) as context:
        world = await new_world(context)
        await world.add_person("worker")
        phone = Phone(world, await world.phone_token("worker"), chance)
        reader = bearer(await world.phone_token("worker"))
        await world.http.aclose()
    for _ in range(kills):
        await killed_once(settings.database_url, phone, chance)
        await require_all_of_it(settings, phone)
    async with server(settings.database_url) as (_, http):
        if phone.waiting:
            body = {"mutations": phone.waiting, "received": phone.received}
            answer = await http.post("/v1/sync/push", json=body, headers=phone.headers)
            assert answer.status_code == 200, answer.text
            phone.learn(answer.json())
        assert await pulled(http, reader) == phone.doors
    await require_all_of_it(settings, phone)
    return phone


async def pulled(http: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, int]:
    """Every household's rev, as a new phone is told."""
    found: dict[str, int] = {}
    page: dict[str, Any] = {"cursor": None, "complete": False}
    while not page["complete"]:
        body = {"cursor": page["cursor"], "limit": 2000}
        page = (await http.post("/v1/sync/pull", json=body, headers=headers)).json()
        found |= {c["record"]: c["rev"] for c in page["changes"] if c["collection"] == "households"}
    return found


async def test_a_killed_server_keeps_what_it_acknowledged(database_url: str) -> None:
    phone = await kill_again_and_again(Settings(database_url=database_url, key=KEY), KILLS, seed=1)
    assert phone.unanswered == KILLS
    assert len(phone.acknowledged) > KILLS * BATCH


async def main(store: str, kills: str) -> None:
    """The command: the same, as often as wanted."""
    os.environ["QIAOMEN_LOG_LEVEL"] = "CRITICAL"
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with an_empty_store(store, Path(folder)) as settings:
            phone = await kill_again_and_again(settings, int(kills), seed=int(started))
    seconds = time.monotonic() - started
    print(f"{store}: kills {kills} · acknowledged {len(phone.acknowledged):,} · lost 0 · seconds {seconds:.0f}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
