"""Servers for property tests: every example gets a copy of one prepared place, on either store."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.context import Context
from app.inline_sqlite import connect_inline
from app.opening import open_database
from app.schema import ensure_server_row
from app.settings import Settings
from app.sqlite import Sqlite
from sync.replica import Replica
from sync.store import MemoryStore
from tests.conftest import KEY, inline_context
from tests.phones import Phone, Time, new_phone
from tests.postgres import Server
from tests.world import World, household, new_world

LOGINS = ("li", "wang", "li", "zhao")
"""Four phones, two of them of one person; zhao's grant over the second building comes and goes."""

RECORDS = [UUID(int=n + 1, version=4) for n in range(4)]
"""Households: every phone has the first three already, so that a few steps make two edits cross."""

Opener = Callable[[Time], "Place"]


@dataclass
class Place:
    """One example's server and phones."""

    world: World
    phones: list[Phone]
    time: Time
    typed: set[str] = field(default_factory=set)
    granted: bool = True


async def _prepare(world: World, time: Time) -> list[Phone]:
    for login in ("li", "wang"):
        await world.add_person(login)
    await world.add_person("zhao", area="building_2")
    phones = [await new_phone(world, login, time.seams(f"phone {n}")) for n, login in enumerate(LOGINS)]
    for number, record in enumerate(RECORDS[:3]):
        unit = "unit_2" if number == 2 else "unit_1"
        phones[0].replica.create("households", world.home, household(world, f"{number}", unit, note="甲。乙。"), record)
    for phone in phones:
        await phone.sync()
    return phones


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """Gives each example a server of its own: a copy of one prepared place."""
    loop = asyncio.new_event_loop()
    folder = tmp_path_factory.mktemp("places")
    prepared = _on_sqlite(loop, folder) if request.param == "sqlite" else _on_postgres(loop, request)
    world, phones, context_of, close = prepared
    opened: list[Context] = []

    def open_place(time: Time) -> Place:
        while opened:
            loop.run_until_complete(opened.pop().database.close())
        context = context_of(time, len(phones))
        opened.append(context)
        world.context = world.app.state.context = context
        fresh = [_again(world, phone, time, n) for n, phone in enumerate(phones)]
        return Place(world, fresh, time)

    open_place.loop = loop  # type: ignore[attr-defined]
    open_place.examples = int(os.environ.get("QIAOMEN_EXAMPLES") or (120 if request.param == "sqlite" else 25))  # type: ignore[attr-defined]
    yield open_place
    for context in opened:
        loop.run_until_complete(context.database.close())
    close()
    loop.close()


def _again(world: World, phone: Phone, time: Time, number: int) -> Phone:
    store = MemoryStore(phone.store.snapshot())
    replica = Replica(store, time.seams(f"phone {number}"), page_limit=number + 1)
    return Phone(world, phone.login, phone.token, replica, store)


def _on_sqlite(loop: asyncio.AbstractEventLoop, folder: Path) -> Any:
    time = Time()

    async def prepare() -> tuple[World, list[Phone]]:
        context = await inline_context(folder, time.seams("server"))
        world = await new_world(context)
        phones = await _prepare(world, time)
        await context.database.close()
        return world, phones

    world, phones = loop.run_until_complete(prepare())
    count = iter(range(1_000_000))

    def context_of(time: Time, _: int) -> Context:
        copy = folder / f"{next(count)}.db"
        shutil.copy(folder / "inline.db", copy)
        seams = time.seams("server again")
        database = Sqlite(f"sqlite:///{copy}", seams, connect_inline)
        return Context(database, seams, KEY.encode(), world.context.server_id)

    return world, phones, context_of, lambda: None


def _on_postgres(loop: asyncio.AbstractEventLoop, request: pytest.FixtureRequest) -> Any:
    server: Server = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("template")
    server.create_database("converging", template)
    time = Time()

    async def prepare() -> tuple[World, list[Phone]]:
        seams = time.seams("server")
        database = open_database(Settings(database_url=server.url("converging"), key=KEY), seams)
        context = Context(database, seams, KEY.encode(), await ensure_server_row(database, seams))
        world = await new_world(context)
        phones = await _prepare(world, time)
        await database.close()
        return world, phones

    world, phones = loop.run_until_complete(prepare())
    made: list[str] = []

    def context_of(time: Time, _: int) -> Context:
        while made:
            server.drop_database(made.pop())
        made.append("converging_copy")
        server.create_database("converging_copy", "converging")
        seams = time.seams("server again")
        url = server.url("converging_copy")
        return Context(
            open_database(Settings(database_url=url, key=KEY, pool_size=2), seams),
            seams,
            KEY.encode(),
            world.context.server_id,
        )

    def close() -> None:
        while made:
            server.drop_database(made.pop())
        server.drop_database("converging")

    return world, phones, context_of, close
