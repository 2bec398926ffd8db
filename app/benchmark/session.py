"""One run of the benchmark: how much is measured, on which ground, at which server."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import sqlalchemy as sa

from app.benchmark.bare import Bare, bare_connection
from app.benchmark.ground import Ground, Phone, lay_ground, sign_in_phones
from app.benchmark.preload import preload
from app.benchmark.servers import Server, running_server
from app.benchmark.visits import Knocks, Visit
from app.context import Context
from app.demo.stage import open_empty
from app.settings import Settings
from sync.seams import Seams


@dataclass(frozen=True)
class Scale:
    """How much is measured. The quick one shows that everything works; its figures say little."""

    rounds: int
    batches: int
    """Pushes of a hundred in a round."""
    rows: int
    """Of a roster that is imported."""
    communities: int
    """Of 8,234 residents each, in the district that is counted."""
    past: int
    """Visits in the building that first pulls read, and as many again in the others together."""
    buildings: int
    doors: int
    phones: int
    asks: int
    """Requests a phone makes in a round of small pulls."""
    sizes: tuple[int, ...]
    """Visits in the databases whose growth is watched."""
    storm_phones: int
    storm_seconds: float
    overload_seconds: float


FULL = Scale(5, 10, 20_000, 122, 20_000, 16, 100, 16, 50, (10_000, 100_000, 1_000_000), 2000, 60, 8)
QUICK = Scale(2, 1, 300, 2, 1000, 16, 30, 16, 3, (300, 1000, 3000), 200, 6, 1)


@dataclass(frozen=True)
class Session:
    """What every measurement has at hand."""

    settings: Settings
    folder: Path
    world: Seams
    scale: Scale
    ground: Ground
    bare: Bare
    server: Server
    """One worker of `qiaomen serve`."""
    knocks: Knocks
    kinto: Path | None
    """A Python that has it."""

    @property
    def many_workers(self) -> int:
        """SQLite has one writer, so a second worker is of no use to it."""
        return 1 if self.settings.embedded else 2

    def visits(self, phone: Phone, count: int) -> list[Visit]:
        """New ones in the phone's building."""
        return self.knocks.visits(count, phone.building.households)


@asynccontextmanager
async def open_session(
    settings: Settings, folder: Path, world: Seams, scale: Scale, kinto: Path | None
) -> AsyncIterator[Session]:
    """An empty database is filled and served until the block ends."""
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(opened_empty(settings, world))
        ground = await lay_ground(context, scale.buildings, scale.doors)
        knocks = Knocks(world, "past")
        [writer] = await sign_in_phones(ground, 1)
        await preload(ground, writer, knocks, scale.past, ground.buildings[:1])
        await preload(ground, writer, knocks, scale.past, ground.buildings[1:])
        bare = await stack.enter_async_context(bare_connection(settings, folder / "bare.db"))
        await bare.settle()
        server = await stack.enter_async_context(running_server(settings, folder, world))
        yield Session(settings, folder, world, scale, ground, bare, server, knocks, kinto)


@asynccontextmanager
async def opened_empty(settings: Settings, world: Seams) -> AsyncIterator[Context]:
    """The store at head, closed at the end. Raises CannotOpen where it is in use."""
    context = await open_empty(settings, world)
    try:
        yield context
    finally:
        await context.database.close()


@asynccontextmanager
async def database_beside(session: Session, word: str) -> AsyncIterator[Settings]:
    """An empty one like the session's, named after it; gone at the end."""
    if session.settings.embedded:
        yield session.settings.model_copy(update={"database_url": f"sqlite:///{session.folder / word}.db"})
        return
    connection = await asyncpg.connect(session.settings.database_url)
    name = f"{await connection.fetchval('SELECT current_database()')}_{word}"
    url = sa.make_url(session.settings.database_url).set(database=name)
    await connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield session.settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)})
    finally:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await connection.close()
