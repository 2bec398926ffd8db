"""A phone of the simulation: the real replica on an SQLite file, and what may happen to such a file."""

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sync.entries import Entry, Key
from sync.phone import Phone
from sync.replica import Replica
from sync.seams import Seams
from sync.store import SqliteStore

T = TypeVar("T")
Made = tuple[str, datetime]
WORD = re.compile(r"w\d+x")
"""Every text that is typed has one of these in it, and no two have the same."""


class PhoneKilled(BaseException):
    """The app's process ends here."""


class MortalStore(SqliteStore):
    """A phone's file, in which the app may die while it writes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.writes_left: int | None = None

    def _write(self, command: str, values: tuple[str, ...]) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                self.writes_left = None
                raise PhoneKilled
        super()._write(command, values)

    def copy_to(self, path: Path) -> None:
        """Everything that is on the disk, as a phone's own backup takes it."""
        with sqlite3.connect(path) as copy:
            self._database.backup(copy)
        copy.close()


class SimulatedPhone:
    """One installation: its file, its person, and what its person has seen and typed on it."""

    def __init__(self, name: str, login: str, folder: Path, seams: Seams, page: int) -> None:
        self.name, self.login, self._seams, self._page = name, login, seams, page
        self.path = folder / f"{name}.phone"
        self._erase()
        self.backup: Path | None = None
        self.life = 0
        """Which process of the app this is: what was said to an earlier one isn't heard."""
        self.busy = False
        self.sights: dict[Made, set[str]] = {}
        """A mutation → the words its person had before their eyes when they made it."""
        self.saved_sights: dict[Made, set[str]] = {}
        self.open()

    def open(self) -> None:
        """The app starts."""
        self.store = MortalStore(self.path)
        self.replica = Replica(self.store, self._seams, self._page)
        self.life += 1
        self.busy = False

    def turn_pages_of(self, changes: int) -> None:
        """It asks for as many changes at once from now on."""
        self._page = changes
        self.replica = Replica(self.store, self._seams, changes)

    def kill(self) -> None:
        """The app ends, and starts again on the same file."""
        self.store.close()
        self.open()

    def back_up(self) -> None:
        """The whole file is put aside."""
        self.backup = self.path.with_suffix(".older")
        self.store.copy_to(self.backup)
        self.saved_sights = {one: {*seen} for one, seen in self.sights.items()}

    def put_back(self) -> bool:
        """The older file is the phone's. False without one."""
        if self.backup is None:
            return False
        self.store.close()
        self._erase()
        shutil.copy(self.backup, self.path)
        self.sights = {one: {*seen} for one, seen in self.saved_sights.items()}
        self.open()
        return True

    def become_copy_of(self, other: "SimulatedPhone") -> None:
        """A second phone with the same file: the same replica, the same tokens, the same outbox."""
        self.store.close()
        self._erase()
        other.store.copy_to(self.path)
        self.login, self.backup = other.login, None
        self.sights = {one: {*seen} for one, seen in other.sights.items()}
        self.open()

    def reinstall(self) -> None:
        """Nothing is left."""
        self.store.close()
        self._erase()
        self.backup, self.sights = None, {}
        self.open()

    @contextmanager
    def dying_in(self, writes: int) -> Iterator[None]:
        """What is done inside may be cut off; the app then starts again."""
        self.store.writes_left = writes
        try:
            yield
        except PhoneKilled:
            self.kill()
        finally:
            self.store.writes_left = None

    # What the oracle looks at.

    def memory(self) -> Phone:
        """What the file holds, for reading."""
        return Phone.on(self.store, self._seams, self._page)

    def entries(self) -> list[Entry]:
        """Outbox and log."""
        return [*self.memory().entries.all()]

    def words_unanswered(self) -> set[str]:
        """What was typed and is acknowledged by nobody."""
        return {word for entry in self.entries() if entry.unsent for word in words_of(entry.content())}

    def words_by_field(self) -> dict[tuple[str, str], set[str]]:
        """What was typed and is acknowledged by nobody, field by field."""
        found: dict[tuple[str, str], set[str]] = {}
        for entry in self.entries():
            if entry.unsent:
                for name, value in entry.content().items():
                    found.setdefault((entry.key.path, name), set()).update(words_of(value))
        return found

    def creates(self) -> Counter[str]:
        """Record → how many creates of it are kept; one that is deleted unsent vanishes."""
        return Counter(entry.key.path for entry in self.entries() if entry.op == "create")

    def create_refused(self, key: Key) -> bool:
        """Was its own create of the record refused? After a restore that may be one that had been taken: its edits have
        nothing to be laid over then."""
        return any(entry.key == key and (entry.op, entry.state) == ("create", "refused") for entry in self.entries())

    def words_kept(self) -> set[str]:
        """What its person typed, in whatever state."""
        return {word for entry in self.entries() for word in words_of(entry.content())}

    def kept(self) -> set[str]:
        """The same, and the mutations by which they said it."""
        return {str(entry.id) for entry in self.entries()} | self.words_kept()

    def in_view(self, *keys: Key) -> set[str]:
        """The words before its person's eyes when they look at these records."""
        shown = (self.replica.shown(key) for key in keys)
        return {word for one in shown if one for word in words_of(one.fields)}

    def saw(self, keys: tuple[Key, ...], write: Callable[[], T]) -> T:
        """Writes, and remembers what was to be seen of these records before."""
        before = self.in_view(*keys)
        known = {made(entry): words_of(entry.content()) for entry in self.entries()}
        done = write()
        # What their own unsent edits of it hide by now, they saw when they made those.
        for entry in self.entries():
            if entry.unsent and entry.key in keys:
                before |= self.sights.get(made(entry), set())
        for entry in self.entries():
            if known.get(made(entry)) != words_of(entry.content()) or made(entry) not in self.sights:
                self.sights.setdefault(made(entry), set()).update(before, self.own_below(entry))
        return done

    def own_below(self, entry: Entry) -> set[str]:
        """What its person had typed in the mutations that this one lies on, and had seen when they made those."""
        words: set[str] = set()
        entries, after = self.memory().entries, _after(entry)
        while after is not None and (below := entries.find(after)):
            words |= words_of(below.content()) | self.sights.get(made(below), set())
            after = _after(below)
        return words

    def _erase(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def made(entry: Entry) -> Made:
    """What stays of a mutation when it is queued again under another id, and elsewhere."""
    return entry.key.path, entry.made_at


def _after(entry: Entry) -> UUID | None:
    return entry.resolves.after if entry.resolves else entry.after


def words_of(value: Any) -> set[str]:
    """The typed words in any JSON value."""
    return {*WORD.findall(json.dumps(value, ensure_ascii=False, default=str))}
