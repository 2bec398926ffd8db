"""A pull: the hot path down.

Nothing new costs two small queries. Anything new costs one index range scan per feed that moved,
stops at a full page and returns stored bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import WIDTHS, Followed, followed_feeds
from app.context import Context
from app.database import PageRow, Transaction
from app.identity.caller import Phone
from app.problems import Problem
from app.tables import FeedMark, Replica, Server
from sync import cursor as cursors
from sync.canonical import canonical_json
from sync.cursor import Position, Positions
from sync.wire import MOST_FEEDS, MOST_PAGE_BYTES, PullBody

_MARK: sa.Table = FeedMark.__table__  # type: ignore[attr-defined]
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]
_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]
NOTED_EVERY = timedelta(minutes=5)
"""How often a phone's cursor and time are written down: a pull is a read otherwise."""


@dataclass(frozen=True)
class Reading:
    """What a cursor and the feeds of this moment amount to."""

    feeds: dict[int, Followed]
    positions: dict[int, Position]
    gained: list[int]
    lost: list[int]
    reset: dict[int, str]

    @property
    def moved(self) -> list[Followed]:
        """Feeds with something above the position, in order of id."""
        return [feed for feed in self.feeds.values() if feed.head > self.positions[feed.id].seq]


async def page_of(context: Context, phone: Phone, body: PullBody) -> bytes:
    """One page, from one snapshot. Raises cursor_unreadable, cursor_forged, cursor_foreign, too_many_feeds."""
    key = context.subkey("cursor")
    # 1. How far has this replica read?
    read = _positions_of(body.cursor, context.server_id, key)
    async with context.database.snapshot() as snapshot:
        epoch, seen_at = await _standing(snapshot, phone.replica_id)
        # 2. What may it read now? A feed it lost is named; one whose past isn't what it read is reset.
        followed = await followed_feeds(snapshot, phone.person_id, context.seams.now())
        if len(followed) > MOST_FEEDS:
            raise Problem("too_many_feeds", most_feeds=MOST_FEEDS, feeds=len(followed))
        reading = await _compare(snapshot, read.feeds, followed, body.reread)
        if body.cursor and not (reading.moved or reading.gained or reading.lost or reading.reset):
            return canonical_json({"unchanged": True, "epoch": epoch})
        # 3. One page, scanning only feeds that moved, in their order.
        scanned = _within(reading, body.limit)
        rows, more = await _entries(snapshot, reading, scanned, body.limit)
        # 4. The new cursor is how far this page reached.
        reached = await _advance(snapshot, reading, scanned, rows, more)
    await _note(context, phone.replica_id, body.cursor, seen_at)
    complete = all(reached[feed.id].seq >= feed.head for feed in followed)
    head = _head_of(reading, reached, complete, epoch, context.seams.now())
    head["cursor"] = cursors.encode(Positions(context.server_id, reached), key)
    return _as_page(rows, head)


async def _standing(snapshot: Transaction, replica: UUID) -> tuple[str, datetime | None]:
    """The server's epoch, and when this phone was last noted."""
    both = _REPLICA.join(_SERVER, sa.true())
    asked = sa.select(_SERVER.c.epoch, _REPLICA.c.seen_at).select_from(both)
    row = await snapshot.first(asked.where(_REPLICA.c.id == replica))
    if row is None:
        raise Problem("replica_revoked")
    return row.epoch, row.seen_at


async def _note(context: Context, replica: UUID, cursor: str | None, seen_at: datetime | None) -> None:
    now = context.seams.now()
    if seen_at is not None and abs(now - seen_at) < NOTED_EVERY:
        return
    noted = sa.update(_REPLICA).where(_REPLICA.c.id == replica).values(cursor=cursor, seen_at=now)
    async with context.database.transaction() as transaction:
        await transaction.execute(noted)


def _positions_of(text: str | None, server: UUID, key: bytes) -> Positions:
    if text is None:
        return Positions(server)
    try:
        return cursors.decode(text, server, key)
    except cursors.BadCursor as bad:
        raise Problem(bad.code) from None


async def _compare(
    snapshot: Transaction, read: dict[int, Position], followed: Sequence[Followed], reread: Sequence[int]
) -> Reading:
    tags = await _tags(snapshot, [(f, read[f.id].proven) for f in followed if f.id in read])
    positions: dict[int, Position] = {}
    reset: dict[int, str] = {}
    for feed in followed:
        position = read.get(feed.id, Position())
        if feed.id in read and (reason := _reset_reason(feed, position, tags, reread)):
            reset[feed.id] = reason
            position = Position()
        starting = position.proven == 0 and feed.head > 0
        positions[feed.id] = Position(0, feed.head, feed.tag) if starting else position
    feeds = {feed.id: feed for feed in followed}
    gained = [feed.id for feed in followed if feed.id not in read]
    return Reading(feeds, positions, gained, sorted(read.keys() - feeds.keys()), reset)


def _reset_reason(feed: Followed, position: Position, tags: dict[int, int], reread: Sequence[int]) -> str | None:
    """Why the feed must be read from its beginning; None when the cursor's past is this feed's past."""
    if feed.id in reread:
        return "asked"
    if position.proven and position.proven < feed.horizon:
        return "horizon"
    return "mark" if position.proven and tags.get(feed.id, 0) != position.tag else None


async def _tags(snapshot: Transaction, wanted: list[tuple[Followed, int]]) -> dict[int, int]:
    """The first mark's tag at or above each number. At the head it stands in the feed itself."""
    tags = {feed.id: feed.tag for feed, seq in wanted if seq == feed.head}
    behind = [(feed, seq) for feed, seq in wanted if 0 < seq < feed.head]
    if behind:
        firsts = [
            sa.select(
                sa.select(_MARK.c.feed_id, _MARK.c.tag)
                .where(_MARK.c.home == feed.home, _MARK.c.feed_id == feed.id, _MARK.c.seq >= seq)
                .order_by(_MARK.c.seq)
                .limit(1)
                .subquery()
            )
            for feed, seq in behind
        ]
        tags |= {row.feed_id: row.tag for row in await snapshot.rows(sa.union_all(*firsts))}
    return tags


def _within(reading: Reading, limit: int) -> list[Followed]:
    """The first feeds that moved, as many as can fill a page: a number is at most one entry."""
    chosen: list[Followed] = []
    room = limit
    for feed in reading.moved:
        if room <= 0:
            break
        chosen.append(feed)
        room -= feed.head - reading.positions[feed.id].seq
    return chosen


async def _entries(
    snapshot: Transaction, reading: Reading, scanned: Sequence[Followed], limit: int
) -> tuple[list[PageRow], bool]:
    if not scanned:
        return [], False
    above = [(feed.home, feed.id, reading.positions[feed.id].seq) for feed in scanned]
    return await snapshot.page_rows(above, limit, MOST_PAGE_BYTES)


async def _advance(
    snapshot: Transaction, reading: Reading, scanned: Sequence[Followed], rows: list[PageRow], more: bool
) -> dict[int, Position]:
    """A scanned feed is read to its head; where the page was cut, the last one only to its last row."""
    reached = dict(reading.positions)
    last = rows[-1] if more else None
    cut: tuple[Followed, int] | None = None
    for feed in scanned:
        if last and feed.id > last.feed_id:
            break
        if last and feed.id == last.feed_id and last.seq < feed.head:
            cut = feed, last.seq
            break
        reached[feed.id] = Position(feed.head, 0, feed.tag)
    if cut:
        feed, seq = cut
        floor = reading.positions[feed.id].floor
        proven = max(seq, floor)
        tags = await _tags(snapshot, [(feed, proven)])
        reached[feed.id] = Position(seq, floor if floor > seq else 0, tags[feed.id])
    return reached


def _head_of(reading: Reading, reached: dict[int, Position], complete: bool, epoch: str, now: Any) -> dict[str, Any]:
    """Everything of a page but its changes and its cursor."""
    brought = [
        feed
        for feed in reading.feeds.values()
        if reached[feed.id].seq >= feed.head
        and (reading.positions[feed.id].seq < feed.head or feed.id in reading.gained or feed.id in reading.reset)
    ]
    gained = [reading.feeds[id] for id in reading.gained]
    return {
        "complete": complete,
        "gained": [
            {"feed": f.id, "owner": str(f.owner), "audience": f.audience, "width": WIDTHS[f.audience]} for f in gained
        ],
        "lost": reading.lost,
        "reset": [{"feed": id, "reason": reason} for id, reason in reading.reset.items()],
        "digests": {str(feed.id): feed.digest for feed in brought},
        "epoch": epoch,
        "server_time": now.isoformat().replace("+00:00", "Z"),
    }


def _as_page(rows: Sequence[PageRow], head: dict[str, Any]) -> bytes:
    """Stored bytes, joined: nothing is parsed or serialised on the way out."""
    changes = b",".join(b'{"feed":%d,"seq":%d,%b}' % row for row in rows)
    return b'{"changes":[' + changes + b"]," + canonical_json(head)[1:]
