"""Are phones equal, byte for byte? Every copy of every record in canonical JSON, and one digest over all."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sync.canonical import canonical_json
from sync.copies import COPIES
from sync.entries import Entries, Key
from sync.store import Store


@dataclass(frozen=True)
class Content:
    """What a phone holds: by record and feed, the copy's bytes."""

    copies: Mapping[str, bytes]

    @property
    def records(self) -> Counter[str]:
        """How many records of each collection."""
        keys = {Key.from_path(row) for row in self.copies}
        return Counter(key.collection for key in sorted(keys))

    @property
    def byte_count(self) -> int:
        """Of all copies."""
        return sum(map(len, self.copies.values()))

    @property
    def digest(self) -> str:
        """SHA-256 over every copy with its place, in order."""
        whole = hashlib.sha256()
        for row, copy in sorted(self.copies.items()):
            whole.update(f"{row}\n{len(copy)}\n".encode() + copy)
        return whole.hexdigest()


def content_of(store: Store) -> Content:
    """Read from the phone's file, as the server's changes left it."""
    return Content({row: canonical_json(copy) for row, copy in store.scan(COPIES)})


def differences(one: Content, other: Content) -> list[str]:
    """Places (record and feed) where the two hold other bytes, or one holds nothing."""
    places = one.copies.keys() | other.copies.keys()
    return sorted(place for place in places if one.copies.get(place) != other.copies.get(place))


def corrupt(store: Store) -> None:
    """One field of one copy on one phone is another."""
    row, copy = next(store.scan(COPIES, "households/"))
    assert isinstance(copy, dict)
    fields = copy["fields"]
    assert isinstance(fields, dict)
    with store.transaction():
        store.put(COPIES, row, {**copy, "fields": {**fields, "door": f"{fields['door']}?"}})


def lose(store: Store) -> None:
    """One note that was written vanishes before it was ever sent."""
    entries = Entries(store)
    note = next(entry for entry in entries.marked("unsent") if entry.key.collection == "visits")
    with store.transaction():
        entries.remove(note)
