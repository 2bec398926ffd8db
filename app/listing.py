"""Step 7 of the write path: which feeds list what became of this push, and in which bytes."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.database import FeedStep, Listed, Transaction
from app.loading import load_entries
from app.views import seen_through
from app.working import AREAS, CONFLICTS, Record, Working, as_loaded, audience_of
from sync.canonical import spelled, spelled_record_hash
from sync.seams import Seams


async def move_dependants(transaction: Transaction, working: Working) -> None:
    """A record that moved to another area takes along what lists through it, at the same rev."""
    moved = [record for record in working.records.values() if record.stored and _has_moved(working, record)]
    while moved:
        found: list[Record] = []
        for name, collection in COLLECTIONS.items():
            through = collection.references.get(collection.lists_in)
            ids = [r.id for r in moved if through == r.collection.name or name == CONFLICTS]
            if not ids or through == AREAS:
                continue
            table = collection.table
            which = (table.c.home == working.home, table.c[collection.lists_in].in_(ids))
            rows = await transaction.rows(sa.select(table).where(*which).order_by(table.c.id).with_for_update())
            found += [working.find(name, row.id) or as_loaded(working, collection, row) for row in rows]
        moved = [record for record in found if not record.moved]
        await load_entries(transaction, working, [record for record in moved if not record.entries])
        for record in moved:
            record.moved = True


def _has_moved(working: Working, record: Record) -> bool:
    area = working.area_of(record)
    return record.dirty and area is not None and record.area_id is not None and area.id != record.area_id


Listing = list[tuple[UUID, Sequence[Listed], Sequence[FeedStep]]]
"""Per home what its feeds will list, and how far each of them will move."""


def listing_of(seams: Seams, working: Working) -> Listing:
    """Every changed record's entry, spelled; numbers are counted from the heads, which only the lock will tell."""
    changed = [r for r in working.records.values() if r.held and (r.dirty or r.moved)]
    return spelled_anew(seams, working, [(r, feeds) for r in changed if (feeds := working.feeds_of(r))])


def spelled_anew(seams: Seams, working: Working, changed: Iterable[tuple[Record, dict[int, str]]]) -> Listing:
    """Each record's entry in these feeds, and its departure from those of its entries that are in no feed of them."""
    by_home: dict[UUID, list[tuple[Record, dict[int, str]]]] = defaultdict(list)
    for record, feeds in changed:
        area = working.area_of(record)
        owner = area.owner(audience_of(record)) if area else None
        by_home[owner[0] if owner else working.home].append((record, feeds))
    return [(home, *_steps(seams, working, listed)) for home, listed in sorted(by_home.items())]


async def list_changes(transaction: Transaction, listing: Listing, now: datetime) -> None:
    """Numbers, lists, marks and digests. Only COMMIT may follow."""
    for home, entries, steps in listing:
        await transaction.list_entries(home, entries, steps, now)


def _steps(
    seams: Seams, working: Working, changed: Iterable[tuple[Record, dict[int, str]]]
) -> tuple[Sequence[Listed], Sequence[FeedStep]]:
    entries: list[Listed] = []
    numbers: dict[int, int] = defaultdict(int)
    digests: dict[int, int] = defaultdict(int)
    for record, feeds in changed:
        for entry in _entries_of(working, record, feeds, numbers):
            digests[entry.feed_id] += entry.hash
            entries.append(entry)
        for old in record.entries:
            if old.live:
                digests[old.feed_id] -= old.hash
    entries.sort(key=lambda entry: (entry.feed_id, entry.step))
    steps = [
        FeedStep(feed, numbers[feed], digests[feed], new_tag(seams), working.views.get(feed, 0))
        for feed in sorted(numbers)
    ]
    return entries, steps


def new_tag(seams: Seams) -> int:
    """A mark's: 32 random bits, never 0."""
    return int.from_bytes(seams.random_bytes(4), "big") | 1


def _entries_of(working: Working, record: Record, feeds: dict[int, str], numbers: dict[int, int]) -> Iterable[Listed]:
    """The record in its feeds, and its departure from every other that listed it, each with the feed's next number.

    A body is the members of an object without its braces: the page puts feed and seq before them.
    """
    if record.held is None:
        return
    name, id, rev, id_text = record.collection.name, record.id, record.held.rev, str(record.id)
    beginning = beginning_of(name, id_text, working.home_text, rev)
    for old in record.live_feeds:
        if old not in feeds:
            numbers[old] += 1
            yield Listed(old, numbers[old], name, id, rev, 0, False, beginning + b',"departed":true')
    for feed, audience in feeds.items():
        numbers[feed] += 1
        if record.held.deleted:
            yield Listed(feed, numbers[feed], name, id, rev, 0, False, beginning + b',"deleted":true')
        else:
            fields = spelled(seen_through(record.collection.view(audience), record.fields))
            number, body = as_listed(name, id_text, rev, beginning, fields)
            yield Listed(feed, numbers[feed], name, id, rev, number, True, body)


def beginning_of(name: str, id_text: str, home_text: str, rev: int) -> bytes:
    """The members with which every entry begins."""
    return f'"collection":"{name}","record":"{id_text}","home":"{home_text}","rev":{rev}'.encode()


def as_listed(name: str, id_text: str, rev: int, beginning: bytes, fields: bytes) -> tuple[int, bytes]:
    """A live entry's hash and its body."""
    number = spelled_record_hash(name, id_text, rev, fields)
    return number, beginning + b',"fields":%b,"hash":%d' % (fields, number)
