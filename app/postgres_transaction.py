"""PostgreSQL in its own words: what a transaction reads and writes, through the driver itself."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import asyncpg as dialects
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database import (
    FeedStep,
    Found,
    Listed,
    Moved,
    Reader,
    Rows,
    Scanned,
    SeenBy,
    Transaction,
    ViewOpened,
    values_of,
)
from app.prepared import Each
from app.viewing import naming, reading_for

_DIALECT = dialects.dialect()  # type: ignore[no-untyped-call]


class Row(asyncpg.Record):
    """A row as the driver made it, its columns attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def _mapping(self) -> "Row":
        return self


class PostgresReader(Reader):
    """Speaks with the driver itself: what SQLAlchemy adds to a statement costs more than the statement."""

    def __init__(self, driver: Any, named: tuple[str, ...] | None = None) -> None:
        """Each statement that is driven says for whom it reads, where that is `named`."""
        self.driver, self.named = driver, named

    async def drive(self, statement: str, *parameters: Any) -> list[Any]:
        """One statement in PostgreSQL's words; the driver keeps it prepared."""
        if self.named:
            statement, parameters = naming(statement, len(parameters)), (*parameters, *self.named)
        rows: list[Any] = await self.driver.fetch(statement, *parameters, record_class=Row)
        return rows

    async def fetch(self, statement: sa.Executable, **parameters: Any) -> Sequence[Any]:
        text, names, given = _compiled(statement)
        values = {**given, **parameters}
        return await self.drive(text, *[values[name] for name in names])

    async def fetch_each(self, statement: Each, **parameters: Any) -> Sequence[Any]:
        return await self.fetch(statement.apart, **parameters)

    async def first_tags(self, numbers: Sequence[tuple[UUID, int, int]]) -> dict[int, int]:
        return {row["feed_id"]: row["tag"] for row in await self.drive(_FIRST_TAGS, *zip(*numbers, strict=True))}

    async def page_rows(self, feeds: Sequence[Scanned], limit: int, most_bytes: int) -> Found:
        homes, ids, above, tags, horizons = zip(*feeds, strict=True)
        rows = await self.drive(_PAGE_ROWS, homes, ids, above, tags, horizons, limit, most_bytes)
        if rows[0]["seq"] != len(feeds):
            raise Moved
        del rows[0]
        return Found(rows, len(rows) >= limit or sum([len(row[2]) for row in rows]) >= most_bytes)


class PostgresTransaction(PostgresReader, Transaction):
    """A write is one statement with one array a column."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        PostgresReader.__init__(self, driver)
        Transaction.__init__(self, connection)

    async def say(self, words: str) -> None:
        """What begins, marks or ends a transaction."""
        await self.driver.execute(words)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        await self.say("SAVEPOINT here")
        try:
            yield
        except Exception:
            await self.say("ROLLBACK TO here; RELEASE here")
            raise
        await self.say("RELEASE here")

    @asynccontextmanager
    async def seen_by(self, viewer: SeenBy) -> AsyncIterator[None]:
        await self.say(reading_for(viewer))
        yield
        await self.say("RESET ROLE")

    def members_of(self, column: sa.ColumnElement[Any]) -> sa.TableValuedAlias:
        return sa.func.jsonb_array_elements_text(column).table_valued("value")

    def holds(self, column: sa.ColumnElement[Any], member: str) -> sa.ColumnElement[bool]:
        return sa.type_coerce(column, JSONB).contains([member])

    def as_id(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[UUID]:
        return sa.cast(text, sa.Uuid())

    def hours_to(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        return sa.cast(sa.func.floor(sa.extract("epoch", moment) / 3600), sa.BigInteger)

    async def plan_afresh(self) -> None:
        await self.drive("SET LOCAL plan_cache_mode = force_custom_plan")

    async def plan_for_many(self) -> None:
        said = {"plan_cache_mode": "force_custom_plan", "enable_nestloop": "off", "enable_mergejoin": "off"}
        # In the order of their words: else two are joined by their community alone, which is all of its rows by all.
        said |= {"join_collapse_limit": "1", "from_collapse_limit": "1"}
        await self.say("; ".join(f"SET LOCAL {name} = {value}" for name, value in said.items()))

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
                columns[index] = [None if v is None else orjson.dumps(v) for v in columns[index]]
        # What is the same in every row goes once: a home, a person, a moment.
        same = tuple(len(rows) > 1 and all(value is column[0] for value in column) for column in columns)
        sent = [column[0] if alike else column for column, alike in zip(columns, same, strict=True)]
        await self.drive(_insert_statement(table, names, same, replace), *sent)

    async def list_entries(self, home: UUID, entries: Sequence[Listed], steps: Sequence[FeedStep], now: Any) -> None:
        rows = await self.drive(
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
            [s.views for s in steps],
        )
        if rows[0]["opened"]:
            raise ViewOpened


# Locking, numbering, listing, marking and digesting in one statement: every other push of these feeds
# waits while it runs. FOR UPDATE reads each feed's newest version, so `head` is never a stale one.
_LIST_ENTRIES = """
WITH step AS (
    SELECT * FROM unnest($3::bigint[], $4::int[], $5::bigint[], $6::bigint[], $15::int[])
        AS s(feed_id, numbers, digest, tag, views)
), locked AS (
    SELECT id, head, digest, views FROM feed WHERE home = $1 AND id = ANY($3) ORDER BY id FOR UPDATE
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
RETURNING (SELECT bool_or(locked.views <> step.views) FROM locked JOIN step ON step.feed_id = locked.id) AS opened
"""

_FIRST_TAGS = """
SELECT n.feed_id, m.tag FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n(home, feed_id, seq)
CROSS JOIN LATERAL (
    SELECT tag FROM feed_mark
    WHERE home = n.home AND feed_id = n.feed_id AND seq >= n.seq ORDER BY feed_mark.seq LIMIT 1
) AS m
"""

# One statement, so one moment. Its first row says how many of the feeds are where they were seen: entries
# beside a head that isn't theirs would make a page that the server never was at. (OFFSET: each feed is looked up by its
# key, and where feeds are in partitions, in its own.)
_PAGE_ROWS = """
SELECT NULL::bigint AS feed_id, count(*) AS seq, NULL::bytea AS body
FROM unnest($1::uuid[], $2::bigint[], $4::bigint[], $5::bigint[]) AS seen(home, id, tag, horizon)
CROSS JOIN LATERAL (
    SELECT FROM feed
    WHERE home = seen.home AND id = seen.id AND tag = seen.tag AND horizon = seen.horizon OFFSET 0
) AS still
UNION ALL (
    SELECT feed_id, seq, body FROM (
        SELECT feed_id, seq, body, length(body) AS size, sum(length(body)) OVER (ROWS UNBOUNDED PRECEDING) AS bytes
        FROM (
            SELECT f.feed_id, e.seq, e.body
            FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS f(home, feed_id, above)
            CROSS JOIN LATERAL (
                SELECT seq, body FROM feed_entry
                WHERE home = f.home AND feed_id = f.feed_id AND seq > f.above ORDER BY seq LIMIT $6
            ) AS e
            ORDER BY f.feed_id, e.seq LIMIT $6
        ) AS scanned
    ) AS page
    WHERE bytes - size < $7
)
"""


@cache
def _compiled(statement: sa.Executable) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """A statement in PostgreSQL's words, its parameters in order, and the values that stand in it."""
    compiled: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
    return str(compiled), tuple(compiled.positiontup), compiled.params


@cache
def _insert_statement(table: sa.Table, names: tuple[str, ...], same: tuple[bool, ...], replace: tuple[str, ...]) -> str:
    types = [table.c[name].type.compile(dialect=_DIALECT) for name in names]
    values = [f"${n}::{types[n - 1]}" if same[n - 1] else f'"{name}"' for n, name in enumerate(names, 1)]
    arrays = [(f"${n}::{types[n - 1]}[]", f'"{name}"') for n, name in enumerate(names, 1) if not same[n - 1]]
    columns, sources = ", ".join(f'"{name}"' for name in names), ", ".join(array for array, _ in arrays)
    statement = (
        f'INSERT INTO "{table.name}" ({columns}) SELECT {", ".join(values)} '
        f"FROM unnest({sources}) AS row ({', '.join(name for _, name in arrays)})"
    )
    if replace:
        key = ", ".join(f'"{column.name}"' for column in table.primary_key)
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in replace)
        statement += f" ON CONFLICT ({key}) DO UPDATE SET {changes}"
    return statement
