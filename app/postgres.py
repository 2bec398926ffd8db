"""The production store: PostgreSQL 15 or newer, through asyncpg."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.database import Database, Reader, Viewer, close_engine
from app.postgres_transaction import PostgresReader, PostgresTransaction
from app.viewing import READER, as_named, reading_for
from sync.seams import Seams


class Postgres(Database):
    """READ COMMITTED to write, REPEATABLE READ READ ONLY for a snapshot; glances have a pool of their own, as large.

    Transactions are begun and ended in the driver's own words, so SQLAlchemy is told to leave them alone.
    """

    def __init__(self, url: str, seams: Seams, pool_size: int) -> None:
        super().__init__(seams)
        address = sa.make_url(url).set(drivername="postgresql+asyncpg")
        self.engine = create_async_engine(
            address,
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=False,
            isolation_level="AUTOCOMMIT",
            connect_args={"server_settings": _PLANNER},
            json_serializer=orjson.dumps,
            json_deserializer=_as_is,
            hide_parameters=True,
        )
        event.listen(self.engine.sync_engine, "connect", _speak_json)
        _, options = self.engine.dialect.create_connect_args(address)
        self._open_glances = partial(
            asyncpg.create_pool,
            **options,
            min_size=0,
            max_size=pool_size,
            init=_set_codec,
            reset=_leave_as_is,
            server_settings={**_PLANNER, **_GLANCING},
        )
        self._glances: asyncpg.Pool | None = None

    def transaction(self) -> AbstractAsyncContextManager[PostgresTransaction]:
        return self._begin("BEGIN ISOLATION LEVEL READ COMMITTED")

    def snapshot(self, viewer: Viewer) -> AbstractAsyncContextManager[PostgresTransaction]:
        words = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        return self._begin(words if viewer == "server" else f"{words}; {reading_for(viewer)}")

    @asynccontextmanager
    async def _begin(self, words: str) -> AsyncIterator[PostgresTransaction]:
        async with self.engine.connect() as connection:
            transaction = PostgresTransaction(connection, await _driver_of(connection))
            try:
                await transaction.say(words)
                yield transaction
                await transaction.say("COMMIT")
            except Exception:
                await _roll_back(transaction)
                raise
            except BaseException:
                await connection.invalidate()  # cancelled: whatever it was in the middle of ends with it
                raise

    @asynccontextmanager
    async def glance(self, viewer: Viewer) -> AsyncIterator[Reader]:
        if viewer == "server":  # once a second: it needs no way of its own
            async with self.snapshot(viewer) as snapshot:
                yield snapshot
            return
        # A pool of the driver's own: SQLAlchemy's takes longer to hand out a connection than a glance takes.
        if self._glances is None:
            self._glances = await self._open_glances()  # connects to nothing yet, so nobody comes in between
        async with self._glances.acquire() as driver:
            try:
                yield PostgresReader(driver, None if viewer == "nobody" else as_named(viewer))
            except asyncio.CancelledError:
                # A statement that was parsed and never run holds its tables, against any migration.
                driver.terminate()
                raise

    async def durability_fault(self) -> str | None:
        async with self.snapshot("server") as snapshot:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                row = await snapshot.first(sa.text(f"SHOW {name}"))
                if row is None or row[0] == "off":
                    return f"{name}=off"
        return None

    async def system(self) -> str | None:
        statement = "SELECT s.system_identifier, c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c"
        async with self.snapshot("server") as snapshot:
            row = await snapshot.first(sa.text(statement))
        return f"{row.system_identifier}/{row.timeline_id}" if row else None

    async def close(self) -> None:
        if self._glances is not None:
            await self._glances.close()
        await close_engine(self.engine)


_PLANNER = {"jit": "off", "enable_bitmapscan": "off", "enable_seqscan": "off"}
"""What is read is found by an index, in its order. A plan made while a table was young says otherwise, and stays."""
_GLANCING = {"role": READER, "plan_cache_mode": "force_generic_plan"}
"""Reads through the wall, with which a statement takes longer to plan than to run: each is planned once."""


async def _driver_of(connection: AsyncConnection) -> Any:
    """asyncpg's own connection; a new one where the server has meanwhile closed it."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if driver.is_closed():
        await connection.invalidate()
        driver = (await connection.get_raw_connection()).driver_connection
    return driver


async def _roll_back(transaction: PostgresTransaction) -> None:
    """What can't be rolled back, or isn't since we are cancelled, is dropped, never put back into the pool."""
    try:
        await transaction.say("ROLLBACK")
    except Exception:
        await transaction.connection.invalidate()
    except BaseException:
        await transaction.connection.invalidate()
        raise


def _as_is(value: Any) -> Any:
    return value


def _speak_json(connection: Any, record: Any) -> None:
    """JSON columns come as values from the driver, in its own statements and in SQLAlchemy's; they go as bytes,
    since a list in an array would be taken for a second dimension."""
    connection.run_async(_set_codec)


async def _leave_as_is(driver: asyncpg.Connection) -> None:
    """A glance leaves nothing behind that would have to be reset."""


async def _set_codec(driver: asyncpg.Connection) -> None:
    await driver.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda spelled: b"\x01" + spelled,
        decoder=lambda stored: orjson.loads(memoryview(stored)[1:]),
    )
