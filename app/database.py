"""Engines and transactions: the one place where a transaction begins and ends.

A route asks for `run()` (to write: the whole transaction again where the store says that repeating may help),
`snapshot()` (to read one moment) or `glance()` (for a statement or two). What differs between the stores is in
postgres.py and sqlite.py.
"""

import abc
import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.failures import may_repeat
from app.prepared import Each
from app.problems import Problem
from sync.seams import Seams

T = TypeVar("T")
Rows = Sequence[Mapping[str, Any]]


class SeenBy(NamedTuple):
    """Whose feeds are read, and as they are followed when."""

    person: UUID
    now: datetime


Viewer = SeenBy | Literal["nobody", "server"]
"""For whom rows are read: a person; nobody yet, while it is asked who calls; or the server's own work, which sees all.
On PostgreSQL a second wall (wall.py) keeps from the first two what isn't theirs."""

MOST_TRIES = 5


class Listed(NamedTuple):
    """One entry to list in a feed: `step` is its place among this push's entries of the feed, from 1."""

    feed_id: int
    step: int
    collection: str
    record_id: UUID
    rev: int
    hash: int
    live: bool
    body: bytes


class FeedStep(NamedTuple):
    """What one push adds to a feed: how many numbers, how much digest, and its mark's tag."""

    feed_id: int
    numbers: int
    digest: int
    tag: int
    views: int = 0
    """How many other views of it were open when this push looked."""


class Scanned(NamedTuple):
    """A feed to read above a position, and the newest mark's tag and the horizon it was seen with."""

    home: UUID
    feed_id: int
    above: int
    tag: int
    horizon: int


class Found(NamedTuple):
    """A page's entries, each a row of (feed_id, seq, body); and may there be more than fit?"""

    rows: Sequence[Any]
    more: bool


class ViewOpened(Exception):
    """Since this push looked, another view of a feed has opened, in which it must be listed too."""


class Moved(Exception):
    """A feed has been written to, or compacted, since it was seen a moment ago."""


class Reader(abc.ABC):
    """What the hot paths read with: statements that were built once."""

    @abc.abstractmethod
    async def fetch(self, statement: sa.Executable, **parameters: Any) -> Sequence[Any]:
        """Every row of a statement that lives as long as the process, its columns as attributes."""

    @abc.abstractmethod
    async def fetch_each(self, statement: Each, **parameters: Any) -> Sequence[Any]:
        """The rows of many keys, each found by an index whatever the planner believes of the table."""

    async def fetch_first(self, statement: sa.Executable, **parameters: Any) -> Any:
        """The first row, or None."""
        return next(iter(await self.fetch(statement, **parameters)), None)

    @abc.abstractmethod
    async def first_tags(self, numbers: Sequence[tuple[UUID, int, int]]) -> dict[int, int]:
        """Feed → the tag of its first mark at or above seq, for each (home, feed, seq) that has one."""

    @abc.abstractmethod
    async def page_rows(self, feeds: Sequence[Scanned], limit: int, most_bytes: int) -> Found:
        """Entries above each position in order of (feed, seq). Raises Moved if a feed isn't where it was seen."""


class Transaction(Reader):
    """An open transaction. Statements are set-based; nothing here commits."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def rows(self, statement: sa.Executable) -> Sequence[sa.Row[Any]]:
        """Every row of a Core statement."""
        return (await self.connection.execute(statement)).all()

    async def first(self, statement: sa.Executable) -> sa.Row[Any] | None:
        """The first row, or None."""
        return (await self.connection.execute(statement)).first()

    async def execute(self, statement: sa.Executable) -> int:
        """Runs a statement that gives no rows; how many it touched."""
        return (await self.connection.execute(statement)).rowcount

    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        """What fails inside is undone; what came before stays."""
        return self.connection.begin_nested()

    def seen_by(self, viewer: SeenBy) -> AbstractAsyncContextManager[None]:
        """What is read inside is read for somebody, although the transaction writes."""
        return nullcontext()

    @abc.abstractmethod
    def holds(self, column: sa.ColumnElement[Any], member: str) -> sa.ColumnElement[bool]:
        """Is this a member of the set in a JSON column?"""

    @abc.abstractmethod
    def members_of(self, column: sa.ColumnElement[Any]) -> sa.TableValuedAlias:
        """The members of the set in a JSON column, as rows of `value`."""

    @abc.abstractmethod
    def as_id(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[UUID]:
        """A UUID that was kept as text, such as a member of a set, to be compared with a column of ids."""

    @abc.abstractmethod
    def hours_to(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """Whole hours from the beginning of 1970, in UTC, to a moment in a column."""

    @abc.abstractmethod
    async def plan_afresh(self) -> None:
        """Statements after this are planned for the very values they are asked with, where plans are kept."""

    @abc.abstractmethod
    async def plan_for_many(self) -> None:
        """That, and so that tables are joined as wholes, where the planner might look for one row after the other."""

    @abc.abstractmethod
    async def insert(self, table: sa.Table, rows: Rows) -> None:
        """All rows in one statement; every row has the same keys. A duplicate key is an error."""

    @abc.abstractmethod
    async def upsert(self, table: sa.Table, rows: Rows) -> None:
        """All rows in one statement: inserted, or replaced where their primary key exists."""

    @abc.abstractmethod
    async def list_entries(self, home: UUID, entries: Sequence[Listed], steps: Sequence[FeedStep], now: Any) -> None:
        """Locks the feeds by id, then numbers, lists, marks and digests. Only COMMIT follows."""


class Database(abc.ABC):
    """A store, its pools and its rules for beginning a transaction."""

    def __init__(self, seams: Seams) -> None:
        self.seams = seams

    @abc.abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that may write; commits at the end, rolls back on an exception."""

    @abc.abstractmethod
    def snapshot(self, viewer: Viewer) -> AbstractAsyncContextManager[Transaction]:
        """A read-only transaction that sees one moment."""

    @abc.abstractmethod
    def glance(self, viewer: Viewer) -> AbstractAsyncContextManager[Reader]:
        """For a statement or two without a transaction: on PostgreSQL each sees a moment of its own."""

    @abc.abstractmethod
    async def durability_fault(self) -> str | None:
        """Why an acknowledged note might not survive a power cut; None when it will."""

    @abc.abstractmethod
    async def system(self) -> str | None:
        """Which physical history the store is on: it changes when PostgreSQL is restored or promoted."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Closes every connection; one that is in use, when its transaction is over."""

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """The whole transaction, again where it may help; 503 `unavailable` when it doesn't."""
        for attempt in range(1, MOST_TRIES + 1):
            try:
                async with self.transaction() as transaction:
                    return await work(transaction)
            except Exception as error:
                if not (isinstance(error, ViewOpened) or may_repeat(error)):
                    raise
                if attempt == MOST_TRIES:
                    raise Problem("unavailable") from error
            await self.seams.sleep(self.seams.uniform(0, 0.01 * 2**attempt))
        raise AssertionError("unreachable")


async def meanwhile(statement: Coroutine[Any, Any, Any], work: Callable[[], T]) -> T:
    """What `work` gives, done while the store is busy with the statement; both are over when this returns."""
    under_way = asyncio.ensure_future(statement)
    try:
        await asyncio.wait({under_way}, timeout=0)  # it is on its way now
        return work()
    except asyncio.CancelledError:
        under_way.cancel()
        raise
    finally:
        await under_way  # until then its connection is nobody's to drop


def values_of(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    """Rows turned into columns."""
    return [list(column) for column in zip(*([row[name] for name in names] for row in rows), strict=True)]


async def close_engine(engine: AsyncEngine) -> None:
    """Closes what lies in its pool now, and what is still in use as it comes back: nobody else would then."""
    event.listen(engine.sync_engine.pool, "checkin", _end_connection)
    await engine.dispose()


def _end_connection(connection: Any, record: Any) -> None:
    if connection is not None:
        record.invalidate()
