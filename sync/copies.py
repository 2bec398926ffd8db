"""A phone's copies: one per record and feed, and of each feed who owns it and what its copies add up to."""

from collections import defaultdict
from collections.abc import Iterator

from pydantic import Field

from sync.canonical import DIGEST_MODULUS, record_hash
from sync.entries import Key
from sync.store import Store
from sync.wire import MASKED, Change, Fields, Gained, Wire

FEEDS, COPIES, LISTED, COLLECTIONS = "feeds", "copies", "copies_by_feed", "collections"


class Feed(Wire):
    """A feed that this phone follows."""

    feed: int
    owner: str
    audience: str
    width: int
    digest: int = 0
    """What the copies add up to."""
    expected: int | None = None
    """What the server last said they should add up to; None until it has said so."""

    @property
    def differs(self) -> bool:
        """Do the copies add up to something else than the server said?"""
        return self.expected not in (None, self.digest)


class Copy(Wire):
    """A record as one feed shows it."""

    feed: int
    seq: int
    rev: int
    fields: Fields = Field({})
    hash: int
    """Of what is stored here, made here; not what the server said it would be."""


class Copies:
    """The copies in a store. Write them inside a transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def follow(self, gained: Gained) -> None:
        """A feed is read from its beginning: whatever was kept of it goes."""
        self.drop(gained.feed)
        feed = Feed(feed=gained.feed, owner=str(gained.owner), audience=gained.audience, width=gained.width)
        self._put_feed(feed)

    def leave(self, feed: int) -> None:
        """A feed is followed no longer: its copies go at once."""
        self.drop(feed)
        self._store.delete(FEEDS, _padded(feed))

    def drop(self, feed: int) -> None:
        """Its copies go; it is read again from its beginning."""
        for listed, _ in self._store.scan(LISTED, f"{_padded(feed)}/"):
            self._store.delete(COPIES, f"{listed.partition('/')[2]}/{_padded(feed)}")
            self._store.delete(LISTED, listed)
        if held := self.feed(feed):
            self._put_feed(held.model_copy(update={"digest": 0, "expected": None}))

    def wipe(self) -> None:
        """Nothing is left of anybody's records."""
        for table in (FEEDS, COPIES, LISTED):
            for key, _ in self._store.scan(table):
                self._store.delete(table, key)

    def apply(self, changes: list[Change]) -> None:
        """Each by its seq; of a feed that isn't followed, none."""
        named = {change.feed for change in changes}
        followed = {number: feed for number in named if (feed := self.feed(number))}
        steps: defaultdict[int, int] = defaultdict(int)
        for change in changes:
            if change.feed in followed:
                steps[change.feed] += self._apply_one(change)
        for number, step in steps.items():
            digest = (followed[number].digest + step) % DIGEST_MODULUS
            self._put_feed(followed[number].model_copy(update={"digest": digest}))
        for collection in {change.collection for change in changes}:
            self.know(collection)

    def expect(self, feed: int, digest: int) -> None:
        """What the server says that the feed's copies add up to."""
        if held := self.feed(feed):
            self._put_feed(held.model_copy(update={"expected": digest}))

    def know(self, collection: str) -> None:
        """Records of this collection may lie on this phone."""
        if self._store.get(COLLECTIONS, collection) is None:
            self._store.put(COLLECTIONS, collection, True)

    def collections(self) -> Iterator[str]:
        """Every collection this phone has met."""
        return (collection for collection, _ in self._store.scan(COLLECTIONS))

    def feed(self, feed: int) -> Feed | None:
        """A followed feed."""
        kept = self._store.get(FEEDS, _padded(feed))
        return None if kept is None else Feed.model_validate(kept)

    def feeds(self) -> Iterator[Feed]:
        """Every feed that is followed."""
        return (Feed.model_validate(kept) for _, kept in self._store.scan(FEEDS))

    def find(self, key: Key) -> Copy | None:
        """The copy that is shown: of the widest feed, then the newest, then of the lowest feed."""
        copies = [Copy.model_validate(kept) for _, kept in self._store.scan(COPIES, f"{key.path}/")]
        return max(copies, key=self._rank, default=None)

    def is_masked(self, copy: Copy) -> bool:
        """Does its feed show only part of a record, and some of that masked?"""
        feed = self.feed(copy.feed)
        return feed is not None and feed.audience == MASKED

    def listed_keys(self, collection: str) -> Iterator[Key]:
        """Records of a collection that some feed lists, in key order, once each."""
        last = ""
        for row, _ in self._store.scan(COPIES, f"{collection}/"):
            path = row.rpartition("/")[0]
            if path != last:
                yield Key.from_path(path)
            last = path

    def _rank(self, copy: Copy) -> tuple[int, int, int]:
        feed = self.feed(copy.feed)
        return (feed.width if feed else -1, copy.rev, -copy.feed)

    def _apply_one(self, change: Change) -> int:
        """Stores or removes one copy, and says by how much that moves the feed's digest."""
        path = Key(change.collection, change.home, change.record).path
        row, listed = f"{path}/{_padded(change.feed)}", f"{_padded(change.feed)}/{path}"
        kept = self._store.get(COPIES, row)
        held = Copy.model_validate(kept) if kept is not None else None
        if held and held.seq >= change.seq:
            return 0
        was = held.hash if held else 0
        if change.deleted or change.departed:
            self._store.delete(COPIES, row)
            self._store.delete(LISTED, listed)
            return -was
        copy = Copy(
            feed=change.feed,
            seq=change.seq,
            rev=change.rev,
            fields=change.fields,
            hash=record_hash(change.collection, str(change.record), change.rev, change.fields),
        )
        self._store.put(COPIES, row, copy.model_dump(mode="json"))
        self._store.put(LISTED, listed, True)
        return copy.hash - was

    def _put_feed(self, feed: Feed) -> None:
        self._store.put(FEEDS, _padded(feed.feed), feed.model_dump(mode="json"))


def _padded(feed: int) -> str:
    """So that keys sort as numbers do."""
    return f"{feed:016d}"
