"""A replica's storage: ordered tables of JSON values, small enough for a mini-program to offer too.

Keys are printable ASCII, and a scan gives them in the order of their characters. Nothing is written
outside a transaction, and a transaction is all or nothing: a phone may be killed at any point and
finds on its disk what the last finished transaction left.
"""

import json
import os
import sqlite3
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from pydantic import JsonValue

Snapshot = Mapping[str, Mapping[str, str]]
"""Everything a MemoryStore held at one moment, as JSON text: table → key → value."""

_NEXT = "\x01"
"""Behind a key: no other key lies before the two together."""


class OutsideTransaction(RuntimeError):
    """Something was written outside a transaction, or a transaction was begun inside another."""


class Store(Protocol):
    """What a replica asks of its platform."""

    def get(self, table: str, key: str) -> JsonValue | None:
        """The value, or None where there is none (so a stored null can't be told from nothing)."""

    def put(self, table: str, key: str, value: JsonValue) -> None:
        """Sets or replaces. Raises OutsideTransaction."""

    def delete(self, table: str, key: str) -> None:
        """Removes; removing nothing is no error. Raises OutsideTransaction."""

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
        """What lies under the prefix, in key order, one pair in memory at a time.

        Anything may be written meanwhile: what lies behind the scan is not seen, what lies before it is.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """Commits at its end, rolls back on an exception. Raises OutsideTransaction when nested."""


class MemoryStore:
    """For tests and simulations: a phone that can be copied and put back."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self._tables: dict[str, dict[str, str]] = {}
        self._order: dict[str, list[str]] = {}
        self._undo: list[tuple[str, str, str | None]] | None = None
        self.restore(snapshot or {})

    def snapshot(self) -> Snapshot:
        """A copy that later writes don't touch: put it back, or start a second phone from it."""
        return {table: dict(values) for table, values in self._tables.items()}

    def restore(self, snapshot: Snapshot) -> None:
        """Holds again exactly what it held at the snapshot."""
        self._tables = {table: dict(values) for table, values in snapshot.items()}
        self._order = {table: sorted(values) for table, values in snapshot.items()}

    def get(self, table: str, key: str) -> JsonValue | None:
        return _parsed(self._tables.get(table, {}).get(key))

    def put(self, table: str, key: str, value: JsonValue) -> None:
        self._remember(table, key)
        self._write(table, key, _spelled(value))

    def delete(self, table: str, key: str) -> None:
        self._remember(table, key)
        self._write(table, key, None)

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
        bound = prefix
        while (key := self._first_from(table, bound)) is not None and key.startswith(prefix):
            yield key, _parsed(self._tables[table][key])
            bound = key + _NEXT

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._undo is not None:
            raise OutsideTransaction
        self._undo = []
        try:
            yield
        except BaseException:
            for table, key, text in reversed(self._undo):
                self._write(table, key, text)
            raise
        finally:
            self._undo = None

    def _remember(self, table: str, key: str) -> None:
        if self._undo is None:
            raise OutsideTransaction
        self._undo.append((table, key, self._tables.get(table, {}).get(key)))

    def _write(self, table: str, key: str, text: str | None) -> None:
        values, order = self._tables.setdefault(table, {}), self._order.setdefault(table, [])
        if text is None and key in values:
            del values[key]
            order.pop(bisect_left(order, key))
        elif text is not None:
            if key not in values:
                insort(order, key)
            values[key] = text

    def _first_from(self, table: str, bound: str) -> str | None:
        order = self._order.get(table, [])
        place = bisect_left(order, bound)
        return order[place] if place < len(order) else None


class SqliteStore:
    """One file, readable by its owner only, which survives a power cut (WAL, synchronous=FULL).

    What is deleted is overwritten (secure_delete), since a revoked phone must not keep residents in
    free pages. One process and one thread at a time.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        os.chmod(path, 0o600)  # it may be older than this rule; SQLite gives the WAL the same mode
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "busy_timeout=5000"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS kept (place TEXT, key TEXT, value TEXT, PRIMARY KEY (place, key))"
        )

    def close(self) -> None:
        """Lets go of the file. The store is of no use afterwards."""
        self._database.close()

    def get(self, table: str, key: str) -> JsonValue | None:
        query = "SELECT value FROM kept WHERE place = ? AND key = ?"
        row = self._database.execute(query, (table, key)).fetchone()
        return _parsed(row[0] if row else None)

    def put(self, table: str, key: str, value: JsonValue) -> None:
        command = "INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT (place, key) DO UPDATE SET value = excluded.value"
        self._write(command, (table, key, _spelled(value)))

    def delete(self, table: str, key: str) -> None:
        self._write("DELETE FROM kept WHERE place = ? AND key = ?", (table, key))

    def scan(self, table: str, prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
        # One row a query: whatever is written or committed between two steps, the scan goes on from its key.
        query = "SELECT key, value FROM kept WHERE place = ? AND key >= ? ORDER BY key LIMIT 1"
        bound = prefix
        while row := self._database.execute(query, (table, bound)).fetchone():
            key, text = row
            if not key.startswith(prefix):
                return
            yield key, _parsed(text)
            bound = key + _NEXT

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._database.in_transaction:
            raise OutsideTransaction
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _write(self, command: str, values: tuple[str, ...]) -> None:
        if not self._database.in_transaction:
            raise OutsideTransaction
        self._database.execute(command, values)


def _spelled(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _parsed(text: str | None) -> JsonValue | None:
    parsed: JsonValue | None = None if text is None else json.loads(text)
    return parsed
