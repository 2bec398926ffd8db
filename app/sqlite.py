"""The embedded store: SQLite in WAL mode, every commit on disk before it is acknowledged.

One writer at a time: a first-come-first-served lock in the process, then BEGIN IMMEDIATE, which also
holds other processes off. (A plain BEGIN loses updates or answers "database is locked".)
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from app.database import Database, FeedStep, Found, Listed, Reader, Rows, Scanned, Transaction, Viewer, close_engine
from app.prepared import Each
from app.tables import Feed, FeedEntry, FeedMark
from sync.canonical import DIGEST_MODULUS
from sync.seams import Seams

BUSY_TIMEOUT_MILLISECONDS = 10_000
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_MARK: sa.Table = FeedMark.__table__  # type: ignore[attr-defined]


class SqliteTransaction(Transaction):
    """Alone in the database while it writes, so a few plain statements do."""

    async def fetch(self, statement: sa.Executable, **parameters: Any) -> Sequence[Any]:
        result = await self.connection.execute(statement, parameters)
        return result.all() if result.returns_rows else []

    def members_of(self, column: sa.ColumnElement[Any]) -> sa.TableValuedAlias:
        return sa.func.json_each(column).table_valued("value")

    def holds(self, column: sa.ColumnElement[Any], member: str) -> sa.ColumnElement[bool]:
        members = self.members_of(column)
        return sa.exists(sa.select(1).select_from(members).where(members.c.value == member))

    def as_id(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[UUID]:
        return sa.type_coerce(sa.func.replace(text, "-", ""), sa.Uuid())

    def hours_to(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        # Stored as text: without its minutes and seconds nothing is rounded up.
        hour = sa.func.substr(sa.type_coerce(moment, sa.Text), 1, 13) + ":00"
        return sa.cast(sa.func.strftime("%s", hour), sa.BigInteger) // 3600

    async def plan_afresh(self) -> None:
        pass

    async def plan_for_many(self) -> None:
        pass

    async def insert(self, table: sa.Table, rows: Rows) -> None:
        if rows:
            await self.connection.execute(sa.insert(table), list(rows))

    async def upsert(self, table: sa.Table, rows: Rows) -> None:
        if not rows:
            return
        statement = sqlite_insert(table)
        changes = {n: statement.excluded[n] for n in rows[0] if not table.c[n].primary_key}
        key = [column.name for column in table.primary_key]
        await self.connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changes), list(rows))

    async def list_entries(self, home: UUID, entries: Sequence[Listed], steps: Sequence[FeedStep], now: Any) -> None:
        ids = [step.feed_id for step in steps]
        held = sa.select(_FEED).where(_FEED.c.home == home, _FEED.c.id.in_(ids))
        feeds = {row.id: row for row in await self.rows(held)}
        rows = [
            {
                "home": home,
                "collection": e.collection,
                "record_id": e.record_id,
                "feed_id": e.feed_id,
                "seq": feeds[e.feed_id].head + e.step,
                "rev": e.rev,
                "hash": e.hash,
                "live": e.live,
                "body": e.body,
            }
            for e in entries
        ]
        await self.upsert(_ENTRY, rows)
        moved, marks = [], []
        for step in steps:
            feed = feeds[step.feed_id]
            head = feed.head + step.numbers
            digest = (feed.digest + step.digest) % DIGEST_MODULUS
            moved.append({**feed._mapping, "head": head, "digest": digest, "tag": step.tag})
            marks.append({"home": home, "feed_id": feed.id, "seq": head, "tag": step.tag, "made_at": now})
        await self.upsert(_FEED, moved)
        await self.insert(_MARK, marks)

    async def fetch_each(self, statement: Each, **parameters: Any) -> Sequence[Any]:
        return await self.fetch(statement.together, **parameters)

    async def first_tags(self, numbers: Sequence[tuple[UUID, int, int]]) -> dict[int, int]:
        asked = [value for home, feed, seq in numbers for value in (home.hex, feed, seq)]
        return {row.feed_id: row.tag for row in await self._driven(_all_of(_FIRST_TAG, len(numbers)), asked)}

    async def page_rows(self, feeds: Sequence[Scanned], limit: int, most_bytes: int) -> Found:
        # A snapshot: no feed can have moved.
        asked = [value for feed in feeds for value in (feed.home.hex, feed.feed_id, feed.above, limit)]
        page = _PAGE.format(scans=_all_of(_SCAN, len(feeds)))
        rows = await self._driven(page, [*asked, limit, most_bytes])
        return Found(rows, len(rows) >= limit or sum(len(row.body) for row in rows) >= most_bytes)

    async def _driven(self, statement: str, values: list[Any]) -> Sequence[Any]:
        """A statement in SQLite's own words: one that grows with the feeds costs more to build than to run."""
        return (await self.connection.exec_driver_sql(statement, tuple(values))).all()


def _all_of(select: str, count: int) -> str:
    return " UNION ALL ".join([select] * count)


_FIRST_TAG = """
    SELECT * FROM (SELECT feed_id, tag FROM feed_mark WHERE home = ? AND feed_id = ? AND seq >= ? ORDER BY seq LIMIT 1)
"""
_SCAN = """
    SELECT * FROM (
        SELECT feed_id, seq, body FROM feed_entry WHERE home = ? AND feed_id = ? AND seq > ? ORDER BY seq LIMIT ?)
"""
_PAGE = """
    SELECT feed_id, seq, body FROM (
        SELECT *, sum(length(body)) OVER (ORDER BY feed_id, seq) - length(body) AS before
        FROM (SELECT * FROM ({scans}) ORDER BY feed_id, seq LIMIT ?))
    WHERE before < ? ORDER BY feed_id, seq
"""


class Sqlite(Database):
    """One writing connection and a few reading ones."""

    def __init__(self, url: str, seams: Seams, connect: Any = None) -> None:
        """`connect` opens a connection in place of aiosqlite's thread; see inline_sqlite."""
        super().__init__(seams)
        address = sa.make_url(url).set(drivername="sqlite+aiosqlite")
        options: dict[str, Any] = {"isolation_level": None}
        if connect is not None:
            options["async_creator_fn"] = connect
        self.writing = _engine(address, options, "BEGIN IMMEDIATE", connections=1)
        self.reading = _engine(address, options, "BEGIN", connections=4)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._turn, self.writing.begin() as connection:
            yield SqliteTransaction(connection)

    @asynccontextmanager
    async def snapshot(self, viewer: Viewer) -> AsyncIterator[Transaction]:
        async with self.reading.connect() as connection, connection.begin():
            yield SqliteTransaction(connection)

    def glance(self, viewer: Viewer) -> AbstractAsyncContextManager[Reader]:
        return self.snapshot(viewer)

    async def durability_fault(self) -> str | None:
        async with self.transaction() as transaction:
            row = await transaction.first(sa.text("PRAGMA synchronous"))
        return None if row is not None and row[0] >= 2 else "synchronous below FULL"

    async def system(self) -> str | None:
        return None

    async def clear_journal(self) -> None:
        """What was overwritten is left neither in the file nor beside it."""
        async with self._turn, self.writing.connect() as connection:
            await connection.run_sync(_write_back)

    async def close(self) -> None:
        await close_engine(self.reading)
        await close_engine(self.writing)


def _write_back(connection: sa.Connection) -> None:
    """Outside any transaction, in which it couldn't be."""
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cursor.close()


def _engine(address: sa.URL, options: dict[str, Any], begin: str, connections: int) -> AsyncEngine:
    engine = create_async_engine(
        address,
        connect_args=options,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MILLISECONDS}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "invalidate")
    def _let_go(connection: Any, record: Any, error: BaseException | None) -> None:
        # A cancelled statement keeps its closed connection alive, lock and all, until the garbage is collected.
        if isinstance(error, asyncio.CancelledError):
            with suppress(asyncio.CancelledError, sqlite3.Error):  # cancelled once more; gone already
                connection.rollback()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
