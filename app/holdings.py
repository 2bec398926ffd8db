"""What phones still hold: noted when they pull, for whoever administers an area.

A holding is a feed of which a phone may have copies: it was given to this phone, and the phone hasn't shown since that
it is without it. It shows that by presenting the cursor of a complete page that doesn't name the feed. Such a cursor is
on a phone only when that page has taken effect there, which drops the copies of whatever it no longer names; the cursor
of an incomplete page, or none, shows nothing. What this proves is what the phone says of its own store: not that nobody
has copied it. A phone that was put back from an older copy, or took an answer after it had asked again, may hold more;
its next pull tells. A phone that registers anew is another one here, and the old one stays as it was last seen. What a
person typed themselves stays theirs, and isn't counted.
"""

import hashlib
from array import array
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app.access import GRACE, paths_under
from app.collections import COLLECTIONS
from app.collections.base import ADMINS
from app.context import Context
from app.database import Transaction
from app.dates import in_force
from app.problems import Problem
from app.tables import Feed, Follow, Holding, Replica

NOTED_EVERY = timedelta(minutes=5)
"""How often it is written down when a phone was last seen: a pull is a read otherwise."""
_AREA = COLLECTIONS["areas"].table
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_FOLLOW: sa.Table = Follow.__table__  # type: ignore[attr-defined]
_HOLDING: sa.Table = Holding.__table__  # type: ignore[attr-defined]
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]


class Noted(NamedTuple):
    """What is noted of a phone that pulls, and the feeds that its cursor names or that it follows now."""

    seen_at: datetime | None
    holdings_sum: int | None
    feeds: AbstractSet[int]


async def note(context: Context, replica: UUID, noted: Noted, *, complete: bool) -> None:
    """Notes what the phone may hold once it has its answer, if that is new; and, now and then, that it was seen.

    A complete page's cursor names all that the phone holds, so that everything else has been dropped.
    """
    now = context.seams.now()
    same = _sum_of(noted.feeds) == noted.holdings_sum
    if same and noted.seen_at is not None and abs(now - noted.seen_at) < NOTED_EVERY:
        return

    async def write(transaction: Transaction) -> None:
        seen: dict[str, Any] = {"seen_at": now}
        if not same:
            # Locked: of two pulls of one phone the second sees what the first has noted.
            await transaction.rows(sa.select(_REPLICA.c.id).where(_REPLICA.c.id == replica).with_for_update())
            seen["holdings_sum"] = _sum_of(await _hold(transaction, replica, noted.feeds, now, complete=complete))
        await transaction.execute(sa.update(_REPLICA).where(_REPLICA.c.id == replica).values(seen))

    await context.database.run(write)


async def _hold(
    transaction: Transaction, replica: UUID, feeds: AbstractSet[int], now: datetime, *, complete: bool
) -> set[int]:
    """Makes these the phone's holdings, beside those that it hasn't shown to be gone; all there are then."""
    here = (_HOLDING.c.replica_id == replica, _HOLDING.c.dropped_at.is_(None))
    held = {row.feed_id for row in await transaction.rows(sa.select(_HOLDING.c.feed_id).where(*here))}
    if complete and held - feeds:
        dropped = sa.update(_HOLDING).where(*here, _HOLDING.c.feed_id.in_(held - feeds))
        await transaction.execute(dropped.values(dropped_at=now))
        held &= feeds
    new = [{"replica_id": replica, "feed_id": feed, "dropped_at": None} for feed in sorted(feeds - held)]
    await transaction.upsert(_HOLDING, new)
    return held | feeds


def _sum_of(feeds: AbstractSet[int]) -> int:
    """63 bits that tell one set of feeds from another."""
    digest = hashlib.blake2b(array("q", sorted(feeds)).tobytes(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


async def phones_holding(context: Context, person: UUID, area: UUID, before: UUID | None, most: int) -> Sequence[Any]:
    """The newest phones that hold what is listed at or below this area, dropped it lately, or are to get it.

    Each a row of the replica and `holds`, `to_drop` and `dropped_at`. Raises not_permitted and not_found.
    """
    # Who else follows what isn't theirs to see: the server counts it for them, and shows no record.
    async with context.database.snapshot("server") as snapshot:
        paths = await paths_under(snapshot, person, ADMINS, context.seams.now)
        if not paths:
            raise Problem("not_permitted")
        row = await snapshot.first(sa.select(_AREA.c.path).where(_AREA.c.id == area, _AREA.c.deleted_at.is_(None)))
        if row is None or not any(row.path.startswith(path) for path in paths):
            raise Problem("not_found")
        return await snapshot.rows(_phones_below(row.path, context.seams.now(), before, most))


def _phones_below(path: str, now: datetime, before: UUID | None, most: int) -> sa.Select[Any]:
    of_owner = (_AREA.c.home == _FEED.c.home, _AREA.c.id == _FEED.c.owner_id)
    owner = sa.and_(*of_owner, _AREA.c.path.startswith(path))
    listed = sa.select(_FEED.c.home, _FEED.c.id).join(_AREA, owner).cte("listed")
    # 1. Which phones: those that hold it or did lately, and those whose people follow it.
    lately = sa.or_(_HOLDING.c.dropped_at.is_(None), _HOLDING.c.dropped_at > now - GRACE)
    held = sa.select(_HOLDING.c.replica_id).join(listed, listed.c.id == _HOLDING.c.feed_id).where(lately)
    feed = sa.and_(_FOLLOW.c.home == listed.c.home, _FOLLOW.c.feed_id == listed.c.id)
    followers = sa.select(_FOLLOW.c.person_id).join(listed, feed).where(in_force(_FOLLOW, now))
    following = sa.and_(_REPLICA.c.person_id.in_(followers), _REPLICA.c.revoked_at.is_(None))
    phones = sa.select(_REPLICA).where(sa.or_(_REPLICA.c.id.in_(held), following))
    if before is not None:
        phones = phones.where(_REPLICA.c.id < before)
    chosen = phones.order_by(_REPLICA.c.id.desc()).limit(most).cte("chosen")
    # 2. What each of them has of it.
    same = sa.and_(_FOLLOW.c.person_id == chosen.c.person_id, feed, in_force(_FOLLOW, now))
    lost = ~sa.exists(sa.select(1).select_from(_FOLLOW).where(same).correlate(chosen, listed))
    kept = _HOLDING.c.dropped_at.is_(None)
    counts = (
        sa.select(
            _HOLDING.c.replica_id,
            sa.func.sum(sa.case((kept, 1), else_=0)).label("holds"),
            sa.func.sum(sa.case((kept & lost, 1), else_=0)).label("to_drop"),
            sa.func.max(sa.case((lost, _HOLDING.c.dropped_at))).label("dropped_at"),
        )
        .join(chosen, chosen.c.id == _HOLDING.c.replica_id)
        .join(listed, listed.c.id == _HOLDING.c.feed_id)
        .group_by(_HOLDING.c.replica_id)
        .subquery()
    )
    of_it = [sa.func.coalesce(counts.c[name], 0).label(name) for name in ("holds", "to_drop")]
    each = sa.select(chosen, *of_it, counts.c.dropped_at).outerjoin(counts, counts.c.replica_id == chosen.c.id)
    return each.order_by(chosen.c.id.desc())
