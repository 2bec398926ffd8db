"""Of what one person, door or area of a file alone may have: whose it is, as earlier rows said."""

import sqlite3
from collections.abc import Hashable, Iterable
from typing import NamedTuple


class Single(NamedTuple):
    """A field, what a row says there, and whose that is: no two may have it."""

    field: str
    value: str
    whose: Hashable


class Owners:
    """On disk once they are many: a file may have a million rows."""

    def __init__(self) -> None:
        # A file of nobody else's, which is gone when it is closed. Threads take turns with it.
        self._store = sqlite3.connect("", check_same_thread=False)
        self._store.execute("CREATE TABLE owners (key INTEGER PRIMARY KEY, owner INTEGER NOT NULL)")

    def close(self) -> None:
        """Forgets them."""
        self._store.close()

    def of_others(self, singles: Iterable[Single]) -> list[str]:
        """The fields in which a row says what is another's."""
        return [one.field for one in singles if self._owner(one) not in (None, hash(one.whose))]

    def keep(self, singles: Iterable[Single]) -> None:
        """From now on this is theirs."""
        self._store.executemany(
            "INSERT OR IGNORE INTO owners VALUES (?, ?)", [(_key(one), hash(one.whose)) for one in singles]
        )

    def _owner(self, single: Single) -> int | None:
        found = self._store.execute("SELECT owner FROM owners WHERE key = ?", (_key(single),)).fetchone()
        return int(found[0]) if found else None


def _key(single: Single) -> int:
    return hash((single.field, single.value))
