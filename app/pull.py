"""A pull: the hot path down.

Nothing new costs one small query. Anything new costs one index range scan per feed that moved,
stops at a full page and returns stored bytes.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app.access import WIDTHS, Followed, as_followed, with_followed
from app.context import Context
from app.database import Found, Moved, Reader, Scanned
from app.holdings import Noted, note
from app.identity.caller import as_phone
from app.identity.sign_ins import ended_by, signed_in
from app.identity.tokens import Claims
from app.problems import Problem
from app.tables import Replica, Server
from sync import cursor as cursors
from sync.canonical import canonical_json
from sync.cursor import Position, Positions
from sync.wire import MOST_FEEDS, MOST_PAGE_BYTES, PullBody

_NOTHING = Found([], more=False)
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]
_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]
_STANDING = with_followed(
    signed_in(sa.bindparam("sign_in"))
    .add_columns(_REPLICA.c.seen_at, _REPLICA.c.holdings_sum, _REPLICA.c.received, _SERVER.c.epoch)
    .join(_SERVER, sa.true())
)
"""The token check, the epoch and the heads: all that an empty pull asks."""


class Answer(NamedTuple):
    """A page's bytes; `unchanged` when nothing was new and the old cursor stands."""

    body: bytes
    unchanged: bool


@dataclass(frozen=True)
class Reading:
    """What a cursor and the feeds of this moment amount to."""

    feeds: dict[int, Followed]
    positions: dict[int, Position]
    gained: list[int]
    lost: list[int]
    reset: dict[int, str]
    epoch: str

    @property
    def moved(self) -> list[Followed]:
        """Feeds with something above the position, in order of id."""
        return [feed for feed in self.feeds.values() if feed.head > self.positions[feed.id].seq]

    @property
    def empty(self) -> bool:
        """Is there nothing to say?"""
        return not (self.moved or self.gained or self.lost or self.reset)


async def page_of(context: Context, claims: Claims, body: PullBody) -> Answer:
    """One page, all of one moment.

    Raises what ended the sign-in, replica_needed, cursor_unreadable, cursor_forged, cursor_foreign,
    too_many_feeds; and server_restored when the phone has lived through another past.
    """
    phone = as_phone(claims)
    # 1. How far has this replica read?
    read = _positions_of(body.cursor, context.server_id, context.subkey("cursor"))
    answer, noted = await _read_at_one_moment(context, claims, body, read.feeds)
    # What this phone may hold from now on is written down before it hears the answer.
    await note(context, phone.replica_id, noted, complete=read.complete)
    return answer


async def _read_at_one_moment(
    context: Context, claims: Claims, body: PullBody, read: dict[int, Position]
) -> tuple[Answer, Noted]:
    """Heads and entries are two statements. Should a feed move between them, they are read again; at the
    third time in a snapshot, where nothing moves."""
    for _ in range(2):
        with suppress(Moved):
            async with context.database.glance(context.seen_by(claims.person_id)) as store:
                return await _read(context, store, claims, body, read)
    async with context.database.snapshot(context.seen_by(claims.person_id)) as store:
        return await _read(context, store, claims, body, read)


async def _read(
    context: Context, store: Reader, claims: Claims, body: PullBody, read: dict[int, Position]
) -> tuple[Answer, Noted]:
    """The answer, and what is to be noted of this phone."""
    # 2. What may it read now? A feed it lost is named; one whose past isn't what it read is reset.
    now = context.seams.now()
    rows = await store.fetch(_STANDING, sign_in=claims.sign_in_id, person=claims.person_id, now=now)
    if fault := ended_by(rows[0] if rows else None):
        raise Problem(fault)
    followed, epoch = as_followed(rows), str(rows[0].epoch)
    if body.received > rows[0].received:
        raise Problem("server_restored", epoch=epoch, received=rows[0].received)
    if len(followed) > MOST_FEEDS:
        raise Problem("too_many_feeds", most_feeds=MOST_FEEDS, feeds=len(followed))
    reading = await _compare(store, read, followed, body.reread, epoch)
    noted = Noted(rows[0].seen_at, rows[0].holdings_sum, read.keys() | reading.feeds.keys())
    if body.cursor and reading.empty:
        return Answer(canonical_json({"unchanged": True, "epoch": epoch}), unchanged=True), noted
    # 3. One page, scanning only feeds that moved, in their order.
    scanned = _within(reading, body.limit)
    found = (
        await store.page_rows([_scan(reading, f) for f in scanned], body.limit, MOST_PAGE_BYTES)
        if scanned
        else _NOTHING
    )
    # 4. The new cursor is how far this page reached.
    reached = await _advance(store, reading, scanned, found)
    envelope = _envelope_of(reading, reached, now)
    cursor = cursors.encode(Positions(context.server_id, reached, envelope["complete"]), context.subkey("cursor"))
    return Answer(_as_page(found.rows, {**envelope, "cursor": cursor}), unchanged=False), noted


def _positions_of(text: str | None, server: UUID, key: bytes) -> Positions:
    if text is None:
        return Positions(server, complete=False)
    try:
        return cursors.decode(text, server, key)
    except cursors.BadCursor as bad:
        raise Problem(bad.code) from None


async def _compare(
    store: Reader, read: dict[int, Position], followed: Sequence[Followed], reread: Sequence[int], epoch: str
) -> Reading:
    tags = await _tags(store, [(f, read[f.id].proven) for f in followed if f.id in read])
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
    return Reading(feeds, positions, gained, sorted(read.keys() - feeds.keys()), reset, epoch)


def _reset_reason(feed: Followed, position: Position, tags: dict[int, int], reread: Sequence[int]) -> str | None:
    """Why the feed must be read from its beginning; None when the cursor's past is this feed's past."""
    if feed.id in reread:
        return "asked"
    if position.proven and position.proven < feed.horizon:
        return "horizon"
    return "mark" if position.proven and tags.get(feed.id, 0) != position.tag else None


async def _tags(store: Reader, wanted: list[tuple[Followed, int]]) -> dict[int, int]:
    """The first mark's tag at or above each number. At the head it stands in the feed itself."""
    tags = {feed.id: feed.tag for feed, seq in wanted if seq == feed.head}
    behind = [(feed.home, feed.id, seq) for feed, seq in wanted if 0 < seq < feed.head]
    return tags | (await store.first_tags(behind) if behind else {})


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


def _scan(reading: Reading, feed: Followed) -> Scanned:
    return Scanned(feed.home, feed.id, reading.positions[feed.id].seq, feed.tag, feed.horizon)


async def _advance(store: Reader, reading: Reading, scanned: Sequence[Followed], found: Found) -> dict[int, Position]:
    """A scanned feed is read to its head; where the page was cut, the last one only to its last row."""
    reached = dict(reading.positions)
    last = found.rows[-1] if found.more else None
    for feed in scanned:
        if last and feed.id > last.feed_id:
            break
        if last and feed.id == last.feed_id and last.seq < feed.head:
            reached[feed.id] = await _cut_at(store, reading.positions[feed.id], feed, last.seq)
            break
        reached[feed.id] = Position(feed.head, 0, feed.tag)
    return reached


async def _cut_at(store: Reader, before: Position, feed: Followed, seq: int) -> Position:
    """While the feed is read from its beginning, its floor proves the past; then the mark above each page does."""
    if before.floor > seq:
        return Position(seq, before.floor, before.tag)
    return Position(seq, 0, (await _tags(store, [(feed, seq)]))[feed.id])


def _envelope_of(reading: Reading, reached: dict[int, Position], now: datetime) -> dict[str, Any]:
    """Everything of a page but its changes and its cursor."""
    brought = [
        feed
        for feed in reading.feeds.values()
        if reached[feed.id].seq >= feed.head
        and (reading.positions[feed.id].seq < feed.head or feed.id in reading.gained or feed.id in reading.reset)
    ]
    gained = [reading.feeds[id] for id in reading.gained]
    return {
        "complete": all(reached[feed.id].seq >= feed.head for feed in reading.feeds.values()),
        "gained": [
            {"feed": f.id, "owner": str(f.owner), "audience": f.audience, "width": WIDTHS[f.audience]} for f in gained
        ],
        "lost": reading.lost,
        "reset": [{"feed": id, "reason": reason} for id, reason in reading.reset.items()],
        "digests": {str(feed.id): feed.digest for feed in brought},
        "epoch": reading.epoch,
        "server_time": now.isoformat().replace("+00:00", "Z"),
    }


def _as_page(rows: Sequence[Any], envelope: dict[str, Any]) -> bytes:
    """Stored bytes, joined: nothing is parsed or serialised on the way out."""
    changes = b",".join([b'{"feed":%d,"seq":%d,%b}' % (feed_id, seq, body) for feed_id, seq, body in rows])
    return b'{"changes":[' + changes + b"]," + canonical_json(envelope)[1:]
