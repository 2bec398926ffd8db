"""I5 and F48, page by page: bounded, resumable, and neither compaction nor a restored past goes unnoticed."""

import random
import shutil
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from app.compact import RETENTION_DAYS, compact
from app.context import Context
from app.main import create_app
from app.operator import Item, create_all
from app.settings import Settings
from sync import cursor as cursors
from sync.wire import DEFAULT_PAGE, MOST_PAGE, MOST_PAGE_BYTES
from tests.conftest import KEY, opened
from tests.contract import client_of
from tests.postgres import Server
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

RECORDS = 10_000
LONG_NOTE = "门" * 4000  # 12,000 bytes: a page of 500 would be six times too large


@dataclass
class Phone:
    """Stages pages; what is staged takes effect with a complete one."""

    world: World
    headers: dict[str, str]
    cursor: str | None = None
    copies: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    """(feed, record) → (seq, rev)."""
    resets: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    async def new(cls, world: World) -> "Phone":
        return cls(world, bearer(await world.phone_token("worker")))

    async def ask(self, **body: Any) -> tuple[dict[str, Any], bytes]:
        """A page as it came; the phone remembers nothing of it."""
        asked = {"cursor": self.cursor, **body}
        answer = await self.world.http.post("/v1/sync/pull", json=asked, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json(), answer.content

    async def pull(self, **body: Any) -> dict[str, Any]:
        """One page, applied."""
        page, _ = await self.ask(**body)
        if page.get("unchanged"):
            return page | {"complete": True}
        for reset in page["reset"]:
            self.resets.append((reset["feed"], reset["reason"]))
            self.copies = {key: held for key, held in self.copies.items() if key[0] != reset["feed"]}
        for change in page["changes"]:
            key = change["feed"], change["record"]
            if change.get("deleted") or change.get("departed"):
                self.copies.pop(key, None)
            else:
                self.copies[key] = change["seq"], change["rev"]
        self.cursor = page["cursor"]
        return page

    async def finish(self, **body: Any) -> "Phone":
        for _ in range(3 * RECORDS):
            if (await self.pull(**body))["complete"]:
                return self
        raise AssertionError("this reading never ends")

    def positions(self) -> dict[int, cursors.Position]:
        context = self.world.context
        assert self.cursor
        return cursors.decode(self.cursor, context.server_id, context.subkey("cursor")).feeds


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    made = await new_world(context)
    await made.add_person("worker")
    yield made
    await made.http.aclose()


async def fill(world: World, records: int, **fields: Any) -> None:
    units = ("unit_1", "unit_2")
    items: list[Item] = [
        {"collection": "households", "record": str(NEW_ID()), "home": str(world.home), "fields": made}
        for made in (household(world, str(n), units[n % 2], **fields) for n in range(records))
    ]
    await create_all(world.context, items)


async def push(world: World, headers: dict[str, str], *mutations: dict[str, Any]) -> None:
    body = {"mutations": mutations}
    answer = await world.http.post("/v1/sync/push", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert {o["outcome"] for o in answer.json()["outcomes"]} == {"applied"}, answer.text


async def compact_until(world: World, moment: datetime) -> int:
    """A compaction on the day when whatever was written before that moment is too old."""
    clock = replace(world.context.seams, now=lambda: moment + timedelta(days=RETENTION_DAYS))
    return await compact(replace(world.context, seams=clock))


async def same_as_fresh(phone: Phone) -> bool:
    return phone.copies == (await (await Phone.new(phone.world)).finish(limit=MOST_PAGE)).copies


async def test_ten_thousand_records_come_in_pages_that_are_never_too_long(world: World) -> None:
    await fill(world, RECORDS)
    for asked, most in ({}, DEFAULT_PAGE), ({"limit": MOST_PAGE}, MOST_PAGE), ({"limit": 777}, 777):
        phone, pages, complete = await Phone.new(world), 0, False
        while not complete:
            page = await phone.pull(**asked)
            assert len(page["changes"]) <= most
            complete, pages = page["complete"], pages + 1
        assert len(phone.copies) == RECORDS + len(world.areas)
        assert RECORDS // most <= pages <= RECORDS // most + 4
    body = {"limit": MOST_PAGE + 1}
    assert (await world.http.post("/v1/sync/pull", json=body, headers=phone.headers)).status_code == 400


async def test_a_page_is_cut_at_a_megabyte_and_one_record(world: World) -> None:
    await fill(world, 500, note=LONG_NOTE)
    for limit in (DEFAULT_PAGE, MOST_PAGE):
        phone, full, complete = await Phone.new(world), 0, False
        while not complete:
            _, raw = await phone.ask(limit=limit)
            complete = (await phone.pull(limit=limit))["complete"]
            assert len(raw) <= MOST_PAGE_BYTES + 3 * len(LONG_NOTE) + 64 * 1024
            full += len(raw) > MOST_PAGE_BYTES
        assert full >= 4
        assert len(phone.copies) == 500 + len(world.areas)


async def test_a_cut_costs_the_page_that_was_cut_and_nothing_else(world: World) -> None:
    await fill(world, 300)
    chance, phone, changes, complete = random.Random(1), await Phone.new(world), 0, False
    while not complete:
        if chance.random() < 0.5:
            lost, _ = await phone.ask(limit=37)
            again, _ = await phone.ask(limit=37)
            assert (lost["changes"], lost["cursor"]) == (again["changes"], again["cursor"])
        page = await phone.pull(limit=37)
        complete, changes = page["complete"], changes + len(page["changes"])
    assert changes == len(phone.copies) == 300 + len(world.areas)


async def test_a_page_costs_the_server_no_more_than_five_times_its_bytes(world: World) -> None:
    await fill(world, 3000, note=LONG_NOTE[:150])
    phone = await Phone.new(world)
    await phone.ask(limit=MOST_PAGE)  # what is made once is not the page's
    for limit in (DEFAULT_PAGE, MOST_PAGE):
        asked = {"cursor": None, "limit": limit}
        tracemalloc.start()
        answer = await world.http.post("/v1/sync/pull", json=asked, headers=phone.headers)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (size := len(answer.content)) > 200_000
        assert peak <= 5 * size + MOST_PAGE_BYTES, f"{peak / size:.1f} times {size}"


@pytest.mark.parametrize("seed", range(3))
async def test_a_first_reading_in_tiny_pages_survives_deletes_moves_and_compactions(world: World, seed: int) -> None:
    await fill(world, 40)
    await compact_until(world, world.context.seams.now())
    chance, phone = random.Random(seed), await Phone.new(world)
    writer = bearer(await world.phone_token("worker"))
    everybody = await (await Phone.new(world)).finish()
    revs = {UUID(record): rev for (_, record), (_, rev) in everybody.copies.items()}
    doors = [record for record in revs if record not in world.areas.values()]
    moments = [world.context.seams.now()]
    for _ in range(200):
        if (await phone.pull(limit=chance.randint(1, 3)))["complete"]:
            break
        for _ in range(min(chance.randint(0, 2), len(doors))):
            door = doors.pop(chance.randrange(len(doors)))
            await push(world, writer, some_change(world, chance, door, revs[door]))
        moments.append(world.context.seams.now())
        if chance.random() < 0.3:
            await compact_until(world, chance.choice(moments))
    await phone.finish(limit=2)
    assert await same_as_fresh(phone)
    assert len(doors) < 40
    assert {reason for _, reason in phone.resets} <= {"horizon"}


def some_change(world: World, chance: random.Random, door: UUID, rev: int) -> dict[str, Any]:
    if chance.random() < 0.5:
        return mutation(world, "households", door, "delete", rev)
    unit = str(world.areas[chance.choice(["unit_1", "unit_2"])])
    fields = {"area_id": unit, "best_time": str(chance.random())}
    return mutation(world, "households", door, "update", rev, fields=fields)


async def test_compactions_up_to_its_beginning_never_restart_a_first_reading(world: World) -> None:
    await fill(world, 30)
    old = world.context.seams.now()
    await fill(world, 2)
    writer, phone, pages = bearer(await world.phone_token("worker")), await Phone.new(world), 0
    while not (await phone.pull(limit=3))["complete"]:
        pages += 1
        await push(world, writer, new_door(world, pages))
        await compact_until(world, old)  # the horizon is now where the reading began
        assert pages < 100
    assert phone.resets == []
    assert await same_as_fresh(phone)


async def test_a_position_below_the_horizon_is_read_anew(world: World) -> None:
    await fill(world, 20)
    writer, away, present = bearer(await world.phone_token("worker")), await Phone.new(world), await Phone.new(world)
    await away.finish()
    door = next(UUID(record) for _, record in away.copies if UUID(record) not in world.areas.values())
    await push(world, writer, mutation(world, "households", door, "delete", 1))
    await push(world, writer, new_door(world, 1))
    await present.finish()
    assert await compact_until(world, world.context.seams.now()) == 1
    await present.finish()
    assert present.resets == []
    here = present.positions()
    behind = {feed for feed, position in away.positions().items() if position != here[feed]}
    await away.finish(limit=3)
    assert away.resets == [(feed, "horizon") for feed in sorted(behind)]
    assert str(door) not in {record for _, record in away.copies}
    assert away.copies == present.copies
    assert await same_as_fresh(away)


async def test_a_feed_asked_for_is_read_from_its_beginning_once(world: World) -> None:
    await fill(world, 20)
    phone = await (await Phone.new(world)).finish()
    feeds = sorted({feed for feed, _ in phone.copies})
    assert not (await phone.pull(reread=feeds[-1:], limit=4))["complete"]
    await phone.finish(limit=4)
    assert phone.resets == [(feeds[-1], "asked")]
    assert await same_as_fresh(phone)


@asynccontextmanager
async def reopened(world: World, url: str) -> AsyncIterator[World]:
    """The same place, on a server that has just started over this store."""
    async with opened(Settings(database_url=url, key=KEY)) as context:
        app = create_app(context)
        async with client_of(app) as http:
            yield replace(world, context=context, app=app, http=http)


@pytest.fixture
def yesterday(store: str, database_url: str, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Copies the store, to which nobody is connected; the copy's URL."""

    def copy() -> str:
        if store == "sqlite":
            file = database_url.removeprefix("sqlite:///")
            return f"sqlite:///{shutil.copy(file, f'{file}.copy')}"
        server: Server = request.getfixturevalue("postgres")
        name = urlsplit(database_url).path[1:].removeprefix(server.prefix)
        request.addfinalizer(lambda: server.drop_database(f"{name}_copy"))
        server.create_database(f"{name}_copy", name)
        return server.url(f"{name}_copy")

    return copy


@pytest.mark.parametrize("new_pushes", [0, 1, 4, 5, 6, 20])
async def test_a_past_that_is_not_the_one_that_was_read_is_noticed(
    database_url: str, yesterday: Callable[[], str], new_pushes: int
) -> None:
    async with opened(Settings(database_url=database_url, key=KEY)) as context:
        world = await new_world(context)
        await world.add_person("worker")
        await fill(world, 10)
        phone, writer = await Phone.new(world), await Phone.new(world)
        await world.http.aclose()
    copy = yesterday()
    async with reopened(world, database_url) as today:
        phone.world = today
        for number in range(5):
            await push(today, writer.headers, new_door(today, number))
        await phone.finish()
    async with reopened(world, copy) as restored:
        phone.world = restored
        for number in range(new_pushes):
            await push(restored, writer.headers, new_door(restored, number))
        await phone.finish(limit=3)
        assert [reason for _, reason in phone.resets] == ["mark"]
        assert await same_as_fresh(phone)


def new_door(world: World, number: int) -> dict[str, Any]:
    return mutation(world, "households", NEW_ID(), fields=household(world, f"new {number}"))
