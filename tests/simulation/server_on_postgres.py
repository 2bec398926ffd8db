"""The server of one seed on PostgreSQL: the real application over a clone of one prepared place."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from app.granting import end_grant
from app.opening import open_database
from app.settings import Settings
from app.tables import Feed
from tests.conftest import KEY
from tests.postgres import Server as Cluster
from tests.simulation.place import GRANTED, Prepared, application, feeds_by_name, furnish, in_memory
from tests.simulation.server import Grant, Server
from tests.simulation.store_faults import StoreFaults
from tests.simulation.timeline import Clock, Timeline

TEMPLATE = "simulated_place"
CONNECTIONS = 20
DEADLOCK_MILLISECONDS = 30


@dataclass(frozen=True)
class Stage:
    """What all seeds of a process have in common."""

    cluster: Cluster
    place: Prepared
    watch: asyncpg.Connection
    """Beside every seed's database: nobody waits for it."""

    def close(self) -> None:
        """Lets go of everything; the cluster is its owner's."""
        self.place.loop.run_until_complete(self.watch.close())
        self.place.loop.close()
        shutil.rmtree(self.place.folder)


def stage_on(cluster: Cluster) -> Stage:
    """Areas and people in a database to clone, for all seeds of a process."""
    loop = asyncio.new_event_loop()
    cluster.create_database(TEMPLATE)
    return loop.run_until_complete(_prepare(cluster, loop))


async def _prepare(cluster: Cluster, loop: asyncio.AbstractEventLoop) -> Stage:
    seams = Clock(Timeline(), timedelta()).seams("place")
    database = open_database(Settings(database_url=cluster.url(TEMPLATE), key=KEY), seams)
    context, areas, people = await furnish(database, seams)
    async with database.snapshot() as snapshot:
        rows = await snapshot.rows(sa.select(Feed.id, Feed.owner_id, Feed.audience))  # type: ignore[call-overload]
    await database.close()
    folder = Path(tempfile.mkdtemp(prefix="qiaomen-", dir=in_memory()))
    feeds = feeds_by_name([(row.id, row.owner_id.hex, row.audience) for row in rows], areas)
    place = Prepared(application(context), loop, folder, areas, people, feeds, database, StoreFaults())
    return Stage(cluster, place, await asyncpg.connect(cluster.base))


class ServerOnPostgres(Server):
    """One server and its database, in which many requests may be at work."""

    def __init__(self, seed: int, clock: Clock, stage: Stage) -> None:
        self.stage, self.place, self.clock = stage, stage.place, clock
        self.faults, self.backup, self.repeats = StoreFaults(), None, 0
        self.grants: dict[str, list[Grant]] = {login: [] for login in GRANTED}
        self._seams = replace(clock.seams(f"server {seed}"), sleep=self._sleep)
        self.name = f"simulated_seed_{seed}"
        stage.cluster.create_database(self.name, TEMPLATE)
        self._open()
        for login, area in GRANTED.items():
            self.grant(login, area)

    async def end_every_grant(self, login: str) -> None:
        """As `end_grant` of all that they have, in one transaction, while others are at work."""
        person = self.place.people[login]
        areas = sorted({self.place.areas[one.area] for one in self.grants[login]})

        async def end(transaction: Any) -> None:
            for area in areas:
                await end_grant(transaction, self.context, person_id=person, area_id=area)

        await self.context.database.run(end)
        now = self.clock.now()
        self.grants[login] = [
            one._replace(until=now) if one.until is None or one.until > now else one for one in self.grants[login]
        ]

    def rows(self, query: str, *values: Any) -> list[Any]:
        """As they are, but ids as text."""
        found = self.run(self._looking.fetch(query, *values))
        return [[str(value) if isinstance(value, UUID) else value for value in row.values()] for row in found]

    def close(self) -> None:
        """Lets go of the database, and drops it."""
        self.run(self._looking.close())
        self.run(self.context.database.close())
        self.stage.cluster.drop_database(self.name)

    def _open(self) -> None:
        url = self.stage.cluster.url(self.name)
        self.run(self._settle(url))
        settings = Settings(database_url=url, key=KEY, pool_size=CONNECTIONS)
        database = open_database(settings, self._seams)
        self.context = replace(self.place.app.state.context, database=database, seams=self._seams)
        self.place.app.state.context = self.context
        self._looking: Any = self.run(asyncpg.connect(url))

    async def _settle(self, url: str) -> None:
        """Nothing is lost when nobody pulls the plug, and a deadlock is nothing to wait a second for."""
        connection = await asyncpg.connect(url)
        name = await connection.fetchval("SELECT current_database()")
        for setting in ("synchronous_commit = off", f"deadlock_timeout = {DEADLOCK_MILLISECONDS}"):
            await connection.execute(f'ALTER DATABASE "{name}" SET {setting}')
        await connection.close()

    async def _sleep(self, seconds: float) -> None:
        """Before a transaction is repeated; it takes no time."""
        self.repeats += 1
        await asyncio.sleep(0)
