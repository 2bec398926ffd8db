"""The production store: PostgreSQL 15 or newer, through asyncpg."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine

from app.database import Database, FeedStep, Listed, PageRow, Rows, Transaction, values_of
from sync.seams import Seams

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


class PostgresTransaction(Transaction):
    """Writes go through the driver's own connection: one statement, one array a column."""

    async def insert(self, table: sa.Table, rows: Rows) -> None:
        await self._write(table, rows, replace=())

    async def upsert(self, table: sa.Table, rows: Rows) -> None:
        names = rows[0].keys() if rows else ()
        await self._write(table, rows, replace=tuple(n for n in names if not table.c[n].primary_key))

    async def _write(self, table: sa.Table, rows: Rows, replace: tuple[str, ...]) -> None:
        if not rows:
            return
        names = tuple(rows[0])
        columns = values_of(rows, names)
        for index, name in enumerate(names):
            if isinstance(table.c[name].type, sa.JSON):
                columns[index] = [None if v is None else json.dumps(v, ensure_ascii=False) for v in columns[index]]
        await self.drive(_insert_statement(table, names, replace), *columns)

    async def drive(self, statement: str, *parameters: Any) -> list[Any]:
        """Runs on the driver inside this transaction, which a first statement has begun."""
        raw = await self.connection.get_raw_connection()
        driver: Any = raw.driver_connection
        rows: list[Any] = await driver.fetch(statement, *parameters)
        return rows

    async def list_entries(self, home: UUID, entries: Sequence[Listed], steps: Sequence[FeedStep], now: Any) -> None:
        await self.drive(
            _LIST_ENTRIES,
            home,
            now,
            [s.feed_id for s in steps],
            [s.numbers for s in steps],
            [s.digest for s in steps],
            [s.tag for s in steps],
            [e.feed_id for e in entries],
            [e.step for e in entries],
            [e.collection for e in entries],
            [e.record_id for e in entries],
            [e.rev for e in entries],
            [e.hash for e in entries],
            [e.live for e in entries],
            [e.body for e in entries],
        )

    async def page_rows(
        self, feeds: Sequence[tuple[UUID, int, int]], limit: int, most_bytes: int
    ) -> tuple[list[PageRow], bool]:
        homes, ids, above = zip(*feeds, strict=True)
        rows = await self.drive(_PAGE_ROWS, list(homes), list(ids), list(above), limit, most_bytes)
        more = bool(rows) and (len(rows) >= limit or rows[0]["found"] > len(rows))
        return [PageRow(row["feed_id"], row["seq"], row["body"]) for row in rows], more


# Locking, numbering, listing, marking and digesting in one statement: every other push of these feeds
# waits while it runs. FOR UPDATE reads each feed's newest version, so `head` is never a stale one.
_LIST_ENTRIES = """
WITH step AS (
    SELECT * FROM unnest($3::bigint[], $4::int[], $5::bigint[], $6::bigint[]) AS s(feed_id, numbers, digest, tag)
), locked AS (
    SELECT id, head, digest FROM feed WHERE home = $1 AND id = ANY($3) ORDER BY id FOR UPDATE
), listed AS (
    INSERT INTO feed_entry (home, feed_id, seq, collection, record_id, rev, hash, live, body)
    SELECT $1, e.feed_id, locked.head + e.step, e.collection, e.record_id, e.rev, e.hash, e.live, e.body
    FROM unnest($7::bigint[], $8::int[], $9::text[], $10::uuid[], $11::int[], $12::bigint[], $13::bool[],
                $14::bytea[]) AS e(feed_id, step, collection, record_id, rev, hash, live, body)
    JOIN locked ON locked.id = e.feed_id
    ON CONFLICT (home, collection, record_id, feed_id) DO UPDATE
    SET seq = excluded.seq, rev = excluded.rev, hash = excluded.hash, live = excluded.live, body = excluded.body
), numbered AS (
    UPDATE feed SET head = locked.head + step.numbers, tag = step.tag,
        digest = mod(mod(locked.digest + step.digest, 281474976710656) + 281474976710656, 281474976710656)
    FROM locked JOIN step ON step.feed_id = locked.id
    WHERE feed.home = $1 AND feed.id = locked.id
)
INSERT INTO feed_mark (home, feed_id, seq, tag, made_at)
SELECT $1, locked.id, locked.head + step.numbers, step.tag, $2 FROM locked JOIN step ON step.feed_id = locked.id
"""

_PAGE_ROWS = """
SELECT feed_id, seq, body, found FROM (
    SELECT f.feed_id, e.seq, e.body, count(*) OVER () AS found, length(e.body) AS size,
        sum(length(e.body)) OVER (ORDER BY f.feed_id, e.seq) AS bytes
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS f(home, feed_id, above)
    CROSS JOIN LATERAL (
        SELECT seq, body FROM feed_entry
        WHERE home = f.home AND feed_id = f.feed_id AND seq > f.above ORDER BY seq LIMIT $4
    ) AS e
    ORDER BY f.feed_id, e.seq LIMIT $4
) AS page
WHERE bytes - size < $5 ORDER BY feed_id, seq
"""


@cache
def _insert_statement(table: sa.Table, names: tuple[str, ...], replace: tuple[str, ...]) -> str:
    arrays = ", ".join(
        f"${number}::{table.c[name].type.compile(dialect=_DIALECT)}[]" for number, name in enumerate(names, 1)
    )
    columns = ", ".join(f'"{name}"' for name in names)
    statement = f'INSERT INTO "{table.name}" ({columns}) SELECT * FROM unnest({arrays})'
    if replace:
        key = ", ".join(f'"{column.name}"' for column in table.primary_key)
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in replace)
        statement += f" ON CONFLICT ({key}) DO UPDATE SET {changes}"
    return statement


class Postgres(Database):
    """One pool; READ COMMITTED to write, REPEATABLE READ READ ONLY for a snapshot."""

    def __init__(self, url: str, seams: Seams, pool_size: int) -> None:
        super().__init__(seams)
        address = sa.make_url(url).set(drivername="postgresql+asyncpg")
        self.engine = create_async_engine(
            address,
            pool_size=pool_size,
            max_overflow=0,
            pool_pre_ping=False,
            isolation_level="READ COMMITTED",
        )
        self.reading = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self.engine.begin() as connection:
            yield PostgresTransaction(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        async with self.reading.connect() as connection, connection.begin():
            yield PostgresTransaction(connection)

    async def durability_fault(self) -> str | None:
        async with self.snapshot() as snapshot:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                row = await snapshot.first(sa.text(f"SHOW {name}"))
                if row is None or row[0] == "off":
                    return f"{name}=off"
        return None

    async def system(self) -> str | None:
        statement = "SELECT s.system_identifier, c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c"
        async with self.snapshot() as snapshot:
            row = await snapshot.first(sa.text(statement))
        return f"{row.system_identifier}/{row.timeline_id}" if row else None

    async def close(self) -> None:
        await self.engine.dispose()
