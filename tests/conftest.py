"""Both stores, always: whatever takes `context` runs on SQLite and on PostgreSQL."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import fastapi.dependencies.models
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

from app.context import Context
from app.database import Database
from app.inline_sqlite import connect_inline
from app.opening import open_context, open_database
from app.schema import ensure_server_row, migrate
from app.settings import Settings
from app.sqlite import Sqlite
from sync import seams
from tests.in_turn import is_in_turn
from tests.postgres import Server, running_server
from tests.put_back import learn_to_put_back, put_back
from tests.world import World, make_place, new_world

PARTITIONS = int(os.environ.get("QIAOMEN_TEST_PARTITIONS", "0")) or None
"""Into how many PostgreSQL's tables are cut, where that is to be tried too."""
KEY = "a key for tests only, 32 characters or more"
LONGEST = [
    *("simulated_days", "every_declared_answer", "no_request_a_machine", "a_tailing_reader", "the_demo_tells"),
    *("cut_off_anywhere", "phones_converge", "a_killed_server", "the_benchmark_is"),
]
"""Files that take a minute or more. Begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order in which files are to be begun; without what is tried on the other store."""

    def place(item: pytest.Item) -> int:
        return next((n for n, words in enumerate(LONGEST) if words in item.path.name), len(LONGEST))

    items[:] = sorted(filter(is_in_turn, items), key=place)


def pytest_runtest_teardown() -> None:
    """FastAPI remembers each function it looked at, and through a page's own the application with all of its store."""
    for remembering in vars(fastapi.dependencies.models).values():
        if forget := getattr(remembering, "cache_clear", None):
            forget()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One loop for the session, so that a store can be shared by the tests of a module."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A throw-away server a test process."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def template(postgres: Server) -> str:
    """The name of a database at head, with the place of world.py in it, to copy."""
    name = "template_of_tests"
    postgres.create_database(name)

    asyncio.run(_prepare(postgres.url(name)))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file at head, with the place of world.py in it, to copy."""
    file = tmp_path_factory.mktemp("template") / "head.db"
    asyncio.run(_prepare(f"sqlite:///{file}"))
    return file


async def _prepare(url: str) -> None:
    database = open_database(Settings(database_url=url, key=KEY), seams.real())
    await migrate(database, None if url.startswith("sqlite") else PARTITIONS)
    await database.close()
    async with opened(Settings(database_url=url, key=KEY)) as context:
        await make_place(context)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> str:
    """The name of the store under test."""
    name: str = request.param
    return name


@pytest.fixture
def database_url(store: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store at head, with nothing in it but a place."""
    if store == "sqlite":
        file = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    server: Server = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("template")
    name = f"test_{seams.real().new_id().hex}"
    server.create_database(name, template)
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture(scope="session")
def kept_url(postgres: Server, template: str) -> str:
    """A database for every test of this process that doesn't ask for the URL of one: making one takes 0.1 s."""
    postgres.create_database("kept", template)
    asyncio.run(learn_to_put_back(postgres.url("kept")))
    return postgres.url("kept")


@pytest.fixture
def context_url(store: str, request: pytest.FixtureRequest) -> str:
    """Whoever asks for the URL as well means the store that the context is over."""
    kept = store == "postgres" and "database_url" not in request.fixturenames
    url: str = request.getfixturevalue("kept_url" if kept else "database_url")
    return url


@pytest.fixture(scope="session")
async def kept() -> AsyncIterator[dict[str, Context]]:
    """URL → the context over it that the next test uses too."""
    kept: dict[str, Context] = {}
    yield kept
    for context in kept.values():
        await context.database.close()


@pytest.fixture
async def context(context_url: str, kept: dict[str, Context], request: pytest.FixtureRequest) -> AsyncIterator[Context]:
    """A server's context over a store at head, with nothing in it but a place."""
    if "database_url" in request.fixturenames:
        async with opened(Settings(database_url=context_url, key=KEY)) as context:
            yield context
        return
    if context_url not in kept:
        kept[context_url] = await opened(Settings(database_url=context_url, key=KEY)).__aenter__()
    yield kept[context_url]
    await put_back(kept[context_url].database)


@pytest.fixture
async def world(context: Context) -> AsyncIterator[World]:
    """A place whose people have yet to come."""
    world = await new_world(context)
    yield world
    await world.http.aclose()


MOST_COMPILED = 1000
_COMPILED: dict[str, tuple[sa.Dialect, Any]] = {}


def _compile_once(database: Database) -> None:
    """The stores of one process compile a statement once for all: an eighth of a test went into that."""
    for engine in [held.sync_engine for held in vars(database).values() if isinstance(held, AsyncEngine)]:
        engine.dialect, compiled = _COMPILED.setdefault(engine.dialect.name, (engine.dialect, LRUCache(MOST_COMPILED)))
        engine.update_execution_options(compiled_cache=compiled)


class opened:
    """A context that is closed at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def __aenter__(self) -> Context:
        self.context = await open_context(self.settings, seams.real())
        _compile_once(self.context.database)
        return self.context

    async def __aexit__(self, *exception: object) -> None:
        await self.context.database.close()


async def inline_context(folder: Path, world: seams.Seams) -> Context:
    """SQLite on this thread, with the seams of a simulated world."""
    database = Sqlite(f"sqlite:///{folder / 'inline.db'}", world, connect_inline)
    await migrate(database)
    return Context(database, world, KEY.encode(), await ensure_server_row(database, world))
