"""A store that fails now and then, in ways that a push must survive."""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from app.context import Context
from app.failures import sqlstate_of
from app.postgres import Postgres

BACKEND_KILLED_SECONDS = 1.5
COLLISIONS = ("40001", "40P01", "23505", "55P03")
"""Not serialisable, deadlocked, a duplicate key, locked."""


class Unsteady:
    """A store that rolls some transactions back after all their work, as a connection lost at COMMIT would.

    It counts what else made a transaction begin again: with every lock in its order, next to nothing.
    """

    def __init__(self, database: Any, chance: random.Random, events: Counter[str]) -> None:
        self.database, self.chance, self.events, self.rate = database, chance, events, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    async def run(self, work: Any) -> Any:
        async def shaky(transaction: Any) -> Any:
            try:
                done = await work(transaction)
            except Exception as error:
                if (state := sqlstate_of(error)) in COLLISIONS:
                    self.events[f"{state} {table_of(error)}"] += 1
                raise
            if self.chance.random() < self.rate:
                self.events["rolled back"] += 1
                raise ConnectionError
            return done

        return await self.database.run(shaky)


def table_of(error: BaseException | None) -> str:
    """On PostgreSQL, the table of a duplicate key."""
    while error is not None:
        if name := getattr(error, "table_name", None):
            return str(name).rstrip("0123456789").rstrip("_")  # not which partition of it
        error = error.__cause__
    return "somewhere"


async def kill_backends(context: Context, chance: random.Random, events: Counter[str]) -> None:
    """On PostgreSQL: the administrator, or the network, ends a connection now and then."""
    if not isinstance(context.database, Postgres):
        return
    victims = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
    )
    while True:
        await asyncio.sleep(chance.uniform(0, 2 * BACKEND_KILLED_SECONDS))
        with suppress(sa.exc.DBAPIError):  # it may have been given the connection it ended before
            async with context.database.transaction() as transaction:
                events["connections ended"] += len(await transaction.rows(victims))
