"""One contract for every storage of a replica; what runs on one runs on the other."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.store import MemoryStore, OutsideTransaction, SqliteStore, Store


class StorageContract:
    """What a replica may rely on."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_what_was_put_is_there_and_what_was_deleted_is_not(self, store: Store) -> None:
        with store.transaction():
            store.put("a", "key", {"text": "敲门 𠮷", "list": [1, None, True], "large": 2**53 - 1})
            store.put("b", "key", 1)
            store.put("b", "gone", 2)
            store.delete("b", "gone")
            store.delete("b", "never was")
        assert store.get("a", "key") == {"text": "敲门 𠮷", "list": [1, None, True], "large": 2**53 - 1}
        assert store.get("b", "key") == 1
        assert store.get("b", "gone") is None
        assert store.get("c", "key") is None

    def test_a_value_is_a_copy(self, store: Store) -> None:
        value = {"list": [1]}
        with store.transaction():
            store.put("a", "key", value)
        value["list"].append(2)
        read = store.get("a", "key")
        assert read == {"list": [1]}
        read["list"].append(3)
        assert store.get("a", "key") == {"list": [1]}

    def test_a_scan_keeps_the_order_of_keys_and_the_bounds_of_its_prefix(self, store: Store) -> None:
        with store.transaction():
            for key in ("b/2", "a/1", "b", "b/10", "b0", "b/1", "c/1", "b/1/x"):
                store.put("a", key, key)
        assert [key for key, _ in store.scan("a", "b/")] == ["b/1", "b/1/x", "b/10", "b/2"]
        assert [key for key, _ in store.scan("a")] == ["a/1", "b", "b/1", "b/1/x", "b/10", "b/2", "b0", "c/1"]
        assert list(store.scan("nothing")) == []

    def test_anything_may_be_written_during_a_scan(self, store: Store) -> None:
        with store.transaction():
            for number in range(5):
                store.put("a", str(number), number)
            seen = []
            for key, _ in store.scan("a"):
                seen.append(key)
                store.delete("a", key)
                store.put("b", key, True)
                if key == "2":
                    store.put("a", "0", "behind")
                    store.put("a", "9", "before")
        assert seen == ["0", "1", "2", "3", "4", "9"]
        assert [key for key, _ in store.scan("a")] == ["0"]

    def test_a_scan_outlives_a_transaction(self, store: Store) -> None:
        with store.transaction():
            for number in range(3):
                store.put("a", str(number), number)
        scan = store.scan("a")
        assert next(scan) == ("0", 0)
        with store.transaction():
            store.put("a", "1", "new")
        assert list(scan) == [("1", "new"), ("2", 2)]

    def test_a_transaction_that_fails_leaves_nothing(self, store: Store) -> None:
        with store.transaction():
            store.put("a", "kept", 1)
        with pytest.raises(KeyboardInterrupt):
            self.die_while_writing(store)
        assert list(store.scan("a")) == [("kept", 1)]
        with store.transaction():
            store.put("a", "after", 5)
        assert store.get("a", "after") == 5

    def die_while_writing(self, store: Store) -> None:
        with store.transaction():
            store.put("a", "kept", 2)
            store.put("a", "new", 3)
            store.put("a", "new", 4)
            store.delete("a", "kept")
            assert store.get("a", "kept") is None
            raise KeyboardInterrupt

    def test_nothing_is_written_outside_a_transaction_and_none_is_nested(self, store: Store) -> None:
        with pytest.raises(OutsideTransaction):
            store.put("a", "key", 1)
        with pytest.raises(OutsideTransaction):
            store.delete("a", "key")
        with store.transaction(), pytest.raises(OutsideTransaction), store.transaction():
            pass

    def test_what_json_cannot_say_is_not_stored(self, store: Store) -> None:
        with pytest.raises(ValueError, match="JSON"), store.transaction():
            store.put("a", "key", float("nan"))


class TestMemory(StorageContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    def test_a_snapshot_stays_as_it_was_and_starts_another_phone(self) -> None:
        store = MemoryStore()
        with store.transaction():
            store.put("a", "key", 1)
        snapshot = store.snapshot()
        with store.transaction():
            store.put("a", "key", 2)
            store.put("a", "new", 3)
        clone = MemoryStore(snapshot)
        assert list(clone.scan("a")) == [("key", 1)]
        with clone.transaction():
            clone.put("a", "key", 4)
        assert store.get("a", "key") == 2
        store.restore(snapshot)
        assert list(store.scan("a")) == [("key", 1)]


class TestSqlite(StorageContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = SqliteStore(tmp_path / "phone.db")
        yield store
        store.close()

    def test_the_file_survives_and_only_its_owner_reads_it(self, tmp_path: Path) -> None:
        path = tmp_path / "phone.db"
        path.touch(mode=0o644)
        store = SqliteStore(path)
        with store.transaction():
            store.put("a", "key", 1)
        modes = {name.name: stat.S_IMODE(os.stat(name).st_mode) for name in tmp_path.iterdir()}
        assert set(modes.values()) == {0o600}, modes
        store.close()
        store = SqliteStore(path)
        assert store.get("a", "key") == 1
        store.close()

    def test_a_commit_is_on_the_disk_when_it_returns(self, store: SqliteStore) -> None:
        pragmas = {
            name: store._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}

    def test_a_full_disk_undoes_the_transaction_and_the_store_goes_on(self, store: SqliteStore) -> None:
        with store.transaction():
            store.put("a", "kept", 1)
        (pages,) = store._database.execute("PRAGMA page_count").fetchone()
        store._database.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction():
            self.fill(store)
        assert list(store.scan("a")) == [("kept", 1)]
        store._database.execute("PRAGMA max_page_count=1000000")
        with store.transaction():
            store.put("a", "small", 2)
        assert list(store.scan("a")) == [("kept", 1), ("small", 2)]

    def fill(self, store: SqliteStore) -> None:
        store.put("a", "small", 2)
        store.put("a", "large", "x" * 100_000)
