"""A phone's mutations, in the order they were made: the outbox (waiting, in flight) and the log.

One row a mutation. What must be found quickly is found by marks, which follow from the row alone.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple, Self
from uuid import UUID

from pydantic import Field, JsonValue

from sync.store import Store
from sync.wire import Fields, Mutation, Op, Outcome, Seen, Wire

MUTATIONS, MARKS, COUNTS = "mutations", "mutation_marks", "mutation_counts"

Mark = Literal["unsent", "flying", "again", "refused", "done", "settled"]
"""unsent: waiting or in flight; settled: acknowledged, and still on top of the shown state."""


class Key(NamedTuple):
    """What identifies a record, on phones too."""

    collection: str
    home: UUID
    record: UUID

    @property
    def path(self) -> str:
        """As the store's tables spell it."""
        return f"{self.collection}/{self.home}/{self.record}"

    @classmethod
    def from_path(cls, path: str) -> Self:
        """The key at the beginning of `path`; what follows the record is left out."""
        collection, home, record = path.split("/")[:3]
        return cls(collection, UUID(home), UUID(record))


class Resolves(Wire):
    """What a resolution writes: one field of another record, on the same terms as an edit of it."""

    target: Key
    field: str
    value: JsonValue
    base: int
    after: UUID | None = None


class SeenHere(Seen):
    """A record as its person saw it before an edit, and the feed that showed it."""

    feed: int = 0
    """0: no feed did; its person had just written it."""


class Entry(Wire):
    """One mutation on the phone. Id, base and after are fixed when the oldest squashed edit is made."""

    place: int
    id: UUID
    key: Key
    op: Op
    base: int = 0
    base_epoch: str | None = None
    """The epoch `base` counts in; None where that is unknown."""
    after: UUID | None = None
    fields: Fields = Field({})
    resolves: Resolves | None = None
    made_at: datetime
    seen: list[SeenHere] = Field([])
    state: Literal["waiting", "flying", "done", "refused"] = "waiting"
    on_top: bool = True
    """Is it laid over the copies? Until a complete page holds its effect, or until it is refused."""
    again: bool = False
    """Acknowledged, and to be sent once more because the server was restored."""
    answer_serial: int = 0
    outcome: Outcome | None = None
    acked_at: datetime | None = None

    @property
    def unsent(self) -> bool:
        """Not acknowledged: the phone alone has it."""
        return self.state in ("waiting", "flying")

    @property
    def keys(self) -> tuple[Key, ...]:
        """Every record it writes."""
        return (self.key, self.resolves.target) if self.resolves else (self.key,)

    @property
    def problem_code(self) -> str | None:
        """Why it was refused."""
        problem = self.outcome.problem if self.outcome else None
        return problem.code if problem else None

    def as_wire(self, epoch: str | None) -> Mutation:
        """As it travels: with `seen` and the epoch of its base only where that isn't the server's own."""
        seen = [one.model_dump(exclude={"feed"}) for one in self.seen]
        after_restore = {"epoch": self.base_epoch, "seen": seen} if self.base_epoch != epoch else {}
        collection, home, record = self.key
        return Mutation.model_validate(
            {
                **{"id": self.id, "collection": collection, "record": record, "home": home, "op": self.op},
                **{"base": self.base, "after": self.after, "fields": self.content(), "made_at": self.made_at},
                **after_restore,
            }
        )

    def content(self) -> Fields:
        """The fields as they travel."""
        if not self.resolves:
            return self.fields
        after = str(self.resolves.after) if self.resolves.after else None
        return {"resolution": {"value": self.resolves.value, "base": self.resolves.base, "after": after}}

    def marks(self) -> set[str]:
        """Under which words it is found."""
        words = {f"id/{self.id}"}
        named: dict[Mark, bool] = {
            "unsent": self.unsent,
            "flying": self.state == "flying",
            "again": self.again,
            "refused": self.state == "refused",
            "done": self.state == "done",
            "settled": self.state == "done" and self.on_top,
        }
        words |= {f"{name}/{_padded(self.place)}" for name, holds in named.items() if holds}
        if self.on_top:
            words |= {f"over/{key.path}/{_padded(self.place)}" for key in self.keys}
        return words


class Entries:
    """The mutations in a store. Write them inside a transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def next_place(self) -> int:
        """Behind everything made so far."""
        last = _count(self._store.get(COUNTS, "places")) + 1
        self._store.put(COUNTS, "places", last)
        return last

    def put(self, entry: Entry) -> None:
        """Adds an entry, or replaces the one at its place."""
        held = self._at(entry.place)
        self._mark(held, entry)
        self._store.put(MUTATIONS, _padded(entry.place), entry.model_dump(mode="json", exclude_defaults=True))

    def remove(self, entry: Entry) -> None:
        """Forgets it for ever."""
        self._mark(self._at(entry.place), None)
        self._store.delete(MUTATIONS, _padded(entry.place))

    def find(self, id: UUID | str) -> Entry | None:
        """The mutation of that id, in whatever state."""
        place = self._store.get(MARKS, f"id/{id}")
        return None if place is None else self._get(place)

    def over(self, key: Key) -> list[Entry]:
        """What lies on top of a record, oldest first: unsent, or acknowledged and in no complete page yet."""
        return list(self._marked(f"over/{key.path}/"))

    def marked(self, mark: Mark) -> Iterator[Entry]:
        """In the order they were made."""
        return self._marked(f"{mark}/")

    def any(self, *marks: Mark) -> bool:
        """Is there one of any of these?"""
        return any(next(self._store.scan(MARKS, f"{mark}/"), None) for mark in marks)

    def all(self) -> Iterator[Entry]:
        """Outbox and log, in the order they were made."""
        return (Entry.model_validate(kept) for _, kept in self._store.scan(MUTATIONS))

    def unsent_count(self) -> int:
        """How deep the outbox is, without reading it."""
        return _count(self._store.get(COUNTS, "unsent"))

    def written_keys(self, collection: str) -> Iterator[Key]:
        """Records of a collection under something of ours, in key order, once each."""
        last = ""
        for word, _ in self._store.scan(MARKS, f"over/{collection}/"):
            path = word.removeprefix("over/").rpartition("/")[0]
            if path != last:
                yield Key.from_path(path)
            last = path

    def wipe(self) -> None:
        """Outbox and log are gone."""
        for table in (MUTATIONS, MARKS, COUNTS):
            for key, _ in self._store.scan(table):
                self._store.delete(table, key)

    def _at(self, place: int) -> Entry | None:
        kept = self._store.get(MUTATIONS, _padded(place))
        return None if kept is None else Entry.model_validate(kept)

    def _get(self, place: JsonValue) -> Entry:
        """The mutation that a mark points at: the two are written together."""
        assert isinstance(place, int)
        return Entry.model_validate(self._store.get(MUTATIONS, _padded(place)))

    def _marked(self, prefix: str) -> Iterator[Entry]:
        return (self._get(place) for _, place in self._store.scan(MARKS, prefix))

    def _mark(self, held: Entry | None, entry: Entry | None) -> None:
        was, words = (one.marks() if one else set() for one in (held, entry))
        for word in sorted(was - words):
            self._store.delete(MARKS, word)
        for word in sorted(words - was):
            self._store.put(MARKS, word, entry.place if entry else None)
        step = sum(one.unsent for one in (entry,) if one) - sum(one.unsent for one in (held,) if one)
        if step:
            self._store.put(COUNTS, "unsent", self.unsent_count() + step)


def _padded(place: int) -> str:
    """So that keys sort as numbers do."""
    return f"{place:012d}"


def _count(kept: JsonValue | None) -> int:
    return kept if isinstance(kept, int) else 0
