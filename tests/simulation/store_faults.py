"""A database that dies or fails at a chosen statement: SQLite on the caller's thread, with a finger on it."""

import sqlite3
from collections.abc import Iterable
from typing import Any, Literal

from app.inline_sqlite import InlineConnection, InlineCursor

Kind = Literal["crash_before_commit", "crash_after_commit", "crash_at_statement", "error_at_statement"]


class ServerDied(BaseException):
    """The server's process ends here: nothing of ours catches it."""


class StoreFaults:
    """What is going to fail, and when. Nothing, until it is armed."""

    def __init__(self) -> None:
        self.kind: Kind | None = None
        self.left = 0
        self.struck = False

    def arm(self, kind: Kind, statements: int) -> None:
        """At a commit, or at that many statements from now."""
        self.kind, self.left, self.struck = kind, statements, False

    def disarm(self) -> None:
        """Whatever hasn't failed by now works."""
        self.kind = None

    async def connect(self, *arguments: Any, **options: Any) -> "FaultyConnection":
        """In place of `aiosqlite.connect`."""
        return FaultyConnection(sqlite3.connect(*arguments, **options), self)

    def at_statement(self) -> None:
        """Called before each statement."""
        if self.kind not in ("crash_at_statement", "error_at_statement"):
            return
        self.left -= 1
        if self.left > 0:
            return
        kind = self._strike()
        if kind == "crash_at_statement":
            raise ServerDied
        error = sqlite3.OperationalError("planned")
        error.sqlite_errorname = "SQLITE_BUSY"
        raise error

    def at_commit(self, kind: Kind) -> None:
        """Called before and after each commit."""
        if self.kind == kind:
            self._strike()
            raise ServerDied

    def _strike(self) -> Kind | None:
        kind, self.kind, self.struck = self.kind, None, True
        return kind


class FaultyConnection(InlineConnection):
    """An inline connection whose statements and commits ask first."""

    def __init__(self, connection: sqlite3.Connection, faults: StoreFaults) -> None:
        super().__init__(connection)
        self._faults = faults

    def cursor(self) -> "FaultyCursor":
        return FaultyCursor(self._conn.cursor(), self._faults)

    async def commit(self) -> None:
        writing = self._conn.in_transaction
        if writing:
            self._faults.at_commit("crash_before_commit")
        self._conn.commit()
        if writing:
            self._faults.at_commit("crash_after_commit")


class FaultyCursor(InlineCursor):
    """A cursor that asks before each statement."""

    def __init__(self, cursor: sqlite3.Cursor, faults: StoreFaults) -> None:
        super().__init__(cursor)
        self._faults = faults

    async def execute(self, statement: str, parameters: Any = ()) -> InlineCursor:
        self._faults.at_statement()
        return await super().execute(statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[Any]) -> InlineCursor:
        self._faults.at_statement()
        return await super().executemany(statement, parameters)
