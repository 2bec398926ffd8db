"""Many phones write at once while one reads along; what it ends up with, and what the server kept, must agree.

The promise test runs 10,000 changes. The full form, here on two cores in some minutes:
`python -m tests.concurrency --changes 200000 --store postgres`
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from app.context import Context
from app.opening import open_database
from app.schema import migrate
from app.settings import Settings
from sync import seams
from tests.agreement import Reader, faults_of
from tests.conftest import KEY, opened
from tests.postgres import running_server
from tests.unsteady import Unsteady, kill_backends
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

WRITERS = 8
UNITS = ("unit_1", "unit_2")
ROLLED_BACK, CANCELLED, ANSWER_LOST = 0.03, 0.04, 0.02
KINDS = {
    "household": 20, "visit": 20, "remark": 10, "move": 5, "removal": 2, "mistake": 2, "tagging": 6, "correction": 35
}  # fmt: skip
"""What people do, and how often."""
RECENT = 60
"""Edits crowd on the newest households, so that they meet."""


@dataclass
class Place:
    """What the writers know together."""

    world: World
    chance: random.Random
    wanted: int
    events: Counter[str]
    households: list[UUID] = field(default_factory=list)
    visits: list[UUID] = field(default_factory=list)
    newest: UUID = field(default_factory=NEW_ID)
    revs: dict[UUID, int] = field(default_factory=dict)
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Outcomes by mutation."""
    claimed: int = 0
    faults: list[str] = field(default_factory=list)


class Writer:
    """One phone: a push in flight, sent again until it is answered."""

    def __init__(self, place: Place, number: int, token: str) -> None:
        self.place, self.chance = place, random.Random(f"{place.chance.random()}/{number}")
        self.headers, self.received, self.made = bearer(token), 0, 0
        self.name = f"writer{number}"

    async def run(self) -> None:
        place = self.place
        while place.claimed < place.wanted:
            size = min(self.chance.randint(10, 50), place.wanted - place.claimed)
            place.claimed += size
            await self.deliver([self.next_mutation() for _ in range(size)])
            if self.chance.random() < 0.3:
                await asyncio.sleep(self.chance.uniform(0, 0.02))

    async def deliver(self, mutations: list[dict[str, Any]]) -> None:
        for _ in range(100):
            answer = await self.attempt({"mutations": mutations, "received": self.received})
            if answer is None or answer.status_code == 503:
                self.place.events["sent again"] += 1
                if answer is not None:
                    self.place.events["unavailable"] += 1
                    await asyncio.sleep(self.chance.uniform(0, 0.05))
                continue
            if answer.status_code == 401:  # in a long run the token ends; a new one is a new phone's
                with suppress(AssertionError):
                    self.headers, self.received = bearer(await self.place.world.phone_token(self.name)), 0
                continue
            if answer.status_code == 200:
                self.learn(mutations, answer.json())
            else:
                self.place.faults.append(f"a push answered {answer.status_code}")
            return
        self.place.faults.append("a push was never taken")

    async def attempt(self, body: dict[str, Any]) -> httpx.Response | None:
        """None where the request was killed under way, or its answer never came back."""
        url, dice = "/v1/sync/push", self.chance.random()
        sending = asyncio.create_task(self.place.world.http.post(url, json=body, headers=self.headers))
        if dice < CANCELLED:
            await asyncio.wait([sending], timeout=self.chance.uniform(0, 0.08))
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            self.place.events["killed"] += 1
            return None
        answer = await sending
        if dice < CANCELLED + ANSWER_LOST:
            self.place.events["answer lost"] += 1
            return None
        return answer

    def learn(self, mutations: list[dict[str, Any]], answer: dict[str, Any]) -> None:
        place = self.place
        place.faults += ["received went back"] * (answer["received"] < self.received)
        self.received = answer["received"]
        for sent, outcome in zip(mutations, answer["outcomes"], strict=True):
            place.acknowledged[sent["id"]] = outcome
            place.events[outcome["outcome"]] += 1
            record, rev = UUID(sent["record"]), outcome.get("rev")
            if rev and record not in place.revs:
                (place.households if sent["collection"] == "households" else place.visits).append(record)
            if rev:
                place.revs[record] = max(rev, place.revs.get(record, 0))

    def next_mutation(self) -> dict[str, Any]:
        """A likely edit; every value is one that nobody else writes."""
        self.made += 1
        kind = self.chance.choices(list(KINDS), list(KINDS.values()))[0] if self.place.households else "household"
        return getattr(self, kind)()  # type: ignore[no-any-return]

    def household(self) -> dict[str, Any]:
        place = self.place
        if self.chance.random() < 0.9:  # else two phones make the same record, perhaps at once
            place.newest = NEW_ID()
        fields = household(place.world, self.value(), self.chance.choice(UNITS))
        return mutation(place.world, "households", place.newest, fields=fields)

    def visit(self) -> dict[str, Any]:
        fields = {"household_id": str(self.door()), "outcome": "opened", "note": self.value()}
        return mutation(self.place.world, "visits", NEW_ID(), fields=fields)

    def remark(self) -> dict[str, Any]:
        visits = self.place.visits[-RECENT:]
        return self.edit("visits", self.chance.choice(visits), note=self.value()) if visits else self.visit()

    def move(self) -> dict[str, Any]:
        to = self.place.world.areas[self.chance.choice(UNITS)]
        return self.edit("households", self.door(), area_id=str(to), best_time=self.value())

    def removal(self) -> dict[str, Any]:
        door = self.door()
        return mutation(self.place.world, "households", door, "delete", self.base(door))

    def mistake(self) -> dict[str, Any]:
        return self.edit("households", self.door(), no_such_field=self.value())

    def tagging(self) -> dict[str, Any]:
        tags = {"add": [self.chance.choice("abcdefgh")], "remove": [self.chance.choice("abcdefgh")]}
        return self.edit("households", self.door(), tags=tags, best_time=self.value())

    def correction(self) -> dict[str, Any]:
        name = self.chance.choice(["door", "note", "best_time"])
        return self.edit("households", self.door(), **{name: self.value()})

    def door(self) -> UUID:
        doors = self.place.households
        return self.chance.choice(doors[-RECENT:] if self.chance.random() < 0.8 else doors)

    def edit(self, collection: str, record: UUID, **fields: Any) -> dict[str, Any]:
        return mutation(self.place.world, collection, record, "update", self.base(record), fields=fields)

    def base(self, record: UUID) -> int:
        """What it is likely to have seen; now and then it hasn't looked for long."""
        return max(1, self.place.revs[record] - self.chance.choice([0, 0, 0, 1, 4]))

    def value(self) -> str:
        return f"{self.name}-{self.made}"


@dataclass(frozen=True)
class Report:
    """What a run came to."""

    changes: int
    revisions: int
    pages: int
    lost: int
    repeated: int
    seconds: float
    events: Counter[str]
    faults: list[str]


async def run(context: Context, changes: int, seed: int) -> Report:
    """Eight writers until so many changes are acknowledged, and a reader that follows them."""
    chance, events = random.Random(seed), Counter[str]()
    database = Unsteady(context.database, chance, events)
    world = await new_world(replace(context, database=database))  # type: ignore[arg-type]
    place = Place(world, chance, changes, events)
    tokens = []
    for login in ["reader", *(f"writer{number}" for number in range(WRITERS))]:
        await world.add_person(login)
        tokens.append(await world.phone_token(login))
    reader = Reader(world, tokens[0], place.faults)
    started, database.rate = time.monotonic(), ROLLED_BACK
    writing = asyncio.gather(*(Writer(place, n, token).run() for n, token in enumerate(tokens[1:])))
    killing = asyncio.create_task(kill_backends(context, chance, events))
    while not writing.done():
        await reader.pull(chance.choice([1, 2, 7, 50, 50, 500]))
        await asyncio.sleep(chance.uniform(0, 0.02))
    await writing
    killing.cancel()
    await asyncio.wait([killing])
    database.rate = 0
    await reader.drain(7, 50, 500)
    seconds = time.monotonic() - started
    fresh = Reader(world, await world.phone_token("reader"), place.faults)
    await fresh.drain(2000)
    revisions, faults = await faults_of(context, place.acknowledged, fresh.copies, fresh.digests)
    lost = sum(reader.copies.get(key) != change for key, change in fresh.copies.items())
    if reader.copies.keys() - fresh.copies.keys():
        faults.append("the reader holds what isn't there")
    await world.http.aclose()
    changes, found = len(place.acknowledged), place.faults + faults
    return Report(changes, revisions, reader.pages, lost, reader.repeated, seconds, events, found)


@asynccontextmanager
async def an_empty_store(store: str, folder: Path) -> AsyncIterator[Settings]:
    """For commands: what the fixtures are for tests."""
    with running_server() if store == "postgres" else nullcontext() as server:
        if server:
            server.create_database("empty")
        url = server.url("empty") if server else f"sqlite:///{folder}/empty.db"
        settings = Settings(database_url=url, key=KEY)
        database = open_database(settings, seams.real())
        await migrate(database)
        await database.close()
        yield settings


async def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.concurrency", description=__doc__)
    parser.add_argument("--changes", type=int, default=200_000)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    os.environ["QIAOMEN_LOG_LEVEL"] = "CRITICAL"  # the figures are what is asked for
    with tempfile.TemporaryDirectory() as folder:
        async with an_empty_store(asked.store, Path(folder)) as settings, opened(settings) as context:
            report = await run(context, asked.changes, asked.seed)
    print(f"{asked.store}: changes {report.changes:,} · revisions {report.revisions:,} · pages {report.pages:,}")
    print(f"lost {report.lost} · repeated {report.repeated} · seconds {report.seconds:.0f}")
    print(" · ".join(f"{name} {count:,}" for name, count in sorted(report.events.items())))
    print("\n".join(report.faults[:20]) or "no faults")
    return int(bool(report.lost or report.repeated or report.faults))


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
