"""SQLite on the caller's own thread: deterministic, for simulations and property tests."""

import sqlite3
from collections.abc import Iterable
from typing import Any


class InlineCursor:
    """aiosqlite's cursor, answered at once."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    async def __aenter__(self) -> "InlineCursor":
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> "InlineCursor":
        """One statement."""
        self._cursor.execute(statement, parameters)
        return self

    async def executemany(self, statement: str, parameters: Iterable[Any]) -> "InlineCursor":
        """One statement, many rows."""
        self._cursor.executemany(statement, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        """Every row that is left."""
        return self._cursor.fetchall()

    async def fetchone(self) -> Any:
        """The next row, or None."""
        return self._cursor.fetchone()

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next `size` rows."""
        return self._cursor.fetchmany(size or self._cursor.arraysize)

    async def close(self) -> None:
        """Frees the statement."""
        self._cursor.close()


class InlineConnection:
    """aiosqlite's connection, without its thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._conn = connection
        self._connection: sqlite3.Connection | None = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def cursor(self) -> InlineCursor:
        """A new cursor."""
        return InlineCursor(self._conn.cursor())

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        """A function for SQL to call."""
        self._conn.create_function(*arguments, **options)

    async def commit(self) -> None:
        """COMMIT."""
        self._conn.commit()

    async def rollback(self) -> None:
        """ROLLBACK."""
        self._conn.rollback()

    async def close(self) -> None:
        """Closes the connection."""
        self._conn.close()
        self._connection = None

    def stop(self) -> None:
        """There is no thread to end."""


async def connect_inline(*arguments: Any, **options: Any) -> InlineConnection:
    """In place of `aiosqlite.connect`."""
    return InlineConnection(sqlite3.connect(*arguments, **options))
