"""The limits: the same rows through the bare driver, without a server, a rule or a promise between.

Whatever keeps rows in this database costs at least this much, so a ratio to it holds on any machine.
"""

import abc
import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.benchmark.visits import VISITS
from app.settings import Settings

COPY = "bench_visits"
Rows = Sequence[Mapping[str, Any]]
Batch = tuple[str, Any]
"""A statement, and what goes into it."""


class Bare(abc.ABC):
    """One connection of one driver."""

    @abc.abstractmethod
    async def settle(self) -> None:
        """What autovacuum would have done by tomorrow, where there is such a thing."""

    @abc.abstractmethod
    async def copy(self, table: sa.Table = VISITS.table) -> None:
        """A second table with the same columns, rows and indexes."""

    @abc.abstractmethod
    def as_batch(self, rows: Rows, table: sa.Table = VISITS.table) -> Batch:
        """Rows as the driver wants them, made before the clock starts."""

    @abc.abstractmethod
    async def insert(self, batch: Batch) -> None:
        """One statement into the copy, committed, and on disk when this returns."""

    @abc.abstractmethod
    async def stored_bodies(self, home: UUID, feed: int, above: int, limit: int) -> list[tuple[int, int, bytes]]:
        """(feed, seq, body) of a feed's entries above a number, in order."""


@asynccontextmanager
async def bare_connection(settings: Settings, copy: Path) -> AsyncIterator[Bare]:
    """A connection beside the server's, to the same database; on SQLite the copy is a file of its own."""
    if settings.database_file is not None:
        embedded = BareSqlite(settings.database_file, copy)
        try:
            yield embedded
        finally:
            embedded.connection.close()
            embedded.writing.close()
        return
    connection = await asyncpg.connect(settings.database_url)
    try:
        yield BarePostgres(connection)
    finally:
        await connection.close()


class BarePostgres(Bare):
    """asyncpg: prepared statements, one array a column, every statement its own transaction."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def settle(self) -> None:
        await self.connection.execute("VACUUM ANALYZE")

    async def copy(self, table: sa.Table = VISITS.table) -> None:
        copy, of = f"bench_{table.name}", table.name
        await self.connection.execute(
            f"CREATE TABLE {copy} (LIKE {of} INCLUDING ALL); INSERT INTO {copy} SELECT * FROM {of}"
        )
        await self.connection.execute(f"VACUUM ANALYZE {copy}")

    def as_batch(self, rows: Rows, table: sa.Table = VISITS.table) -> Batch:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        kinds = [column.type.compile(dialect=dialect) for column in table.columns]
        arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, 1))
        names = [column.name for column in table.columns]
        columns = ", ".join(f'"{name}"' for name in names)
        statement = f"INSERT INTO bench_{table.name} ({columns}) SELECT * FROM unnest({arrays})"
        return statement, [[_as_json(row[name]) for row in rows] for name in names]

    async def insert(self, batch: Batch) -> None:
        statement, values = batch
        await self.connection.execute(statement, *values)

    async def stored_bodies(self, home: UUID, feed: int, above: int, limit: int) -> list[tuple[int, int, bytes]]:
        statement = (
            "SELECT feed_id, seq, body FROM feed_entry WHERE home = $1 AND feed_id = $2 AND seq > $3"
            " ORDER BY seq LIMIT $4"
        )
        rows: list[tuple[int, int, bytes]] = await self.connection.fetch(statement, home, feed, above, limit)
        return rows


class BareSqlite(Bare):
    """The standard library's sqlite3, with the same care for power cuts; the copy in a file beside."""

    def __init__(self, database: Path, copy: Path) -> None:
        self.database = database
        self.connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        self.writing = sqlite3.connect(copy, isolation_level=None)
        self.writing.execute("PRAGMA journal_mode=WAL")
        self.writing.execute("PRAGMA synchronous=FULL")

    async def settle(self) -> None:
        """SQLite has none, and nobody would run it."""

    async def copy(self, table: sa.Table = VISITS.table) -> None:
        made = self.connection.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC", (table.name,)
        )
        for (sql,) in made.fetchall():
            self.writing.execute(sql)
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        self.insert_all(_insert_into(table), self.connection.execute(f"SELECT {names} FROM {table.name}"))

    def as_batch(self, rows: Rows, table: sa.Table = VISITS.table) -> Batch:
        dialect = sqlite.dialect()
        binds = [(column.name, column.type.dialect_impl(dialect).bind_processor(dialect)) for column in table.columns]
        return _insert_into(table), [
            tuple(bind(row[name]) if bind else row[name] for name, bind in binds) for row in rows
        ]

    async def insert(self, batch: Batch) -> None:
        self.insert_all(*batch)

    def insert_all(self, statement: str, rows: Iterable[Any]) -> None:
        """In one transaction."""
        self.writing.execute("BEGIN IMMEDIATE")
        self.writing.executemany(statement, rows)
        self.writing.execute("COMMIT")

    async def stored_bodies(self, home: UUID, feed: int, above: int, limit: int) -> list[tuple[int, int, bytes]]:
        statement = (
            "SELECT feed_id, seq, body FROM feed_entry WHERE home = ? AND feed_id = ? AND seq > ? ORDER BY seq LIMIT ?"
        )
        return self.connection.execute(statement, (home.hex, feed, above, limit)).fetchall()


def _insert_into(table: sa.Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(table.columns))})"


def _as_json(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
