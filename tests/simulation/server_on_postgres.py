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

from app.grants import end_grant
from app.opening import open_database
from app.settings import Settings
from app.tables import Feed
from tests.conftest import KEY
from tests.contract import document
from tests.memory import in_memory
from tests.postgres import PostgresMissing
from tests.postgres import Server as Cluster
from tests.simulation.backends import may_be_stopped
from tests.simulation.place import Prepared, application, feeds_by_name, furnish
from tests.simulation.server import Server
from tests.simulation.store_faults import StoreFaults
from tests.simulation.timeline import Clock, Timeline

PLACE = "simulated_place"
CONNECTIONS = 32
DEADLOCK_MILLISECONDS = 1000
"""Longer than it takes to see that somebody is held up; PostgreSQL looks for circles only once, then."""
SETTINGS = {
    "synchronous_commit": "off",  # nothing is lost when nobody pulls the plug
    "deadlock_timeout": DEADLOCK_MILLISECONDS,
}
_END_WHO_HOLDS_ANYTHING = """
SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"


@dataclass(frozen=True)
class Stage:
    """What all seeds of a process have in common."""

    cluster: Cluster
    place: Prepared
    watch: asyncpg.Connection
    """Beside everybody: nobody waits for it."""
    beginning: str
    """What makes the database as it was when the place was prepared."""

    def close(self) -> None:
        """Lets go of everything; the cluster is its owner's."""
        self.place.loop.run_until_complete(self._close())
        self.place.loop.close()
        self.cluster.drop_database(PLACE)
        shutil.rmtree(self.place.folder)

    async def _close(self) -> None:
        await self.watch.close()
        await self.place.database.close()


def stage_on(cluster: Cluster) -> Stage:
    """Areas and people in a database, for all seeds of a process."""
    if not may_be_stopped(cluster.base):
        raise PostgresMissing("the simulator needs a PostgreSQL whose processes it may stop, on this machine")
    loop = asyncio.new_event_loop()
    cluster.create_database(PLACE)
    return loop.run_until_complete(_prepare(cluster, loop))


async def _prepare(cluster: Cluster, loop: asyncio.AbstractEventLoop) -> Stage:
    seams = Clock(Timeline(), timedelta()).seams("place")
    watch = await asyncpg.connect(cluster.url(PLACE))
    for name, value in SETTINGS.items():
        await watch.execute(f'ALTER DATABASE "{cluster.prefix}{PLACE}" SET {name} = {value}')
    database = open_database(Settings(database_url=cluster.url(PLACE), key=KEY, pool_size=CONNECTIONS), seams)
    context, areas, people = await furnish(database, seams)
    async with database.snapshot("server") as snapshot:
        rows = await snapshot.rows(sa.select(Feed.id, Feed.owner_id, Feed.audience))  # type: ignore[call-overload]
    document()  # takes seconds, once; and says how much is logged, which the place's own application knows better
    folder = Path(tempfile.mkdtemp(prefix="qiaomen-", dir=in_memory()))
    feeds = feeds_by_name([(row.id, row.owner_id.hex, row.audience) for row in rows], areas)
    place = Prepared(application(context), loop, folder, areas, people, feeds, database, StoreFaults())
    return Stage(cluster, place, watch, await _keep(watch))


async def _keep(watch: asyncpg.Connection) -> str:
    """Puts aside what every table holds; how to have it again. A tenth of what a new database takes."""
    tables = [f'"{row["tablename"]}"' for row in await watch.fetch(_TABLES)]
    await watch.execute("CREATE SCHEMA kept")
    for table in tables:
        # Nobody sweeps or looks at a table by the clock.
        await watch.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        await watch.execute(f"CREATE TABLE kept.{table} AS SELECT * FROM {table}")
    full = [table for table in tables if await watch.fetchval(f"SELECT count(*) FROM kept.{table}")]
    fill = "; ".join(f"INSERT INTO {table} SELECT * FROM kept.{table}" for table in full)
    return f"BEGIN; SET LOCAL lock_timeout = '20s'; TRUNCATE {', '.join(tables)}; {fill}; COMMIT"


class ServerOnPostgres(Server):
    """One server and its database, in which many requests may be at work."""

    one_at_a_time = False

    def __init__(self, seed: int, clock: Clock, stage: Stage) -> None:
        self.stage, self.place, self.clock = stage, stage.place, clock
        self.faults, self.backup, self.repeats = StoreFaults(), None, 0
        self.begin_grants()
        self._seams = replace(clock.seams(f"server {seed}"), sleep=self._sleep)
        self._open()
        self.give_first_grants()

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
        found = self.run(self.stage.watch.fetch(query, *values))
        return [[str(value) if isinstance(value, UUID) else value for value in row.values()] for row in found]

    def close(self) -> None:
        """The next seed has the same database, and its connections."""

    def _open(self) -> None:
        self.run(self.stage.watch.execute(_END_WHO_HOLDS_ANYTHING))
        self.run(self.stage.watch.execute(self.stage.beginning))
        self.place.database.seams = self._seams
        self.context = replace(self.place.app.state.context, database=self.place.database, seams=self._seams)
        self.place.app.state.context = self.context

    async def _sleep(self, seconds: float) -> None:
        """Before a transaction is repeated; it takes no time."""
        self.repeats += 1
        await asyncio.sleep(0)
