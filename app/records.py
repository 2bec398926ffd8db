"""Reading records of any collection: one, a page of them, and how one became what it is.

It goes through the feeds a person follows, so that a route can show nothing a phone wouldn't hold.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, Field, JsonValue

from app.access import WIDTHS, following
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import Context
from app.database import Transaction
from app.fields import MERGED_INTO
from app.filters import filtered_by, matching
from app.problems import Problem
from app.tables import Feed, FeedEntry, History
from app.views import HELPER, seen_through, whole
from sync.wire import Fields

MOST_RANGES = 100
"""Homes read in one statement."""
MOST_HISTORY = 1000
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Stored:
    """A record as a person's feeds show it."""

    home: UUID
    rev: int
    fields: Fields
    deleted: bool
    audience: str
    """In whose view."""

    def as_view(self, id: UUID) -> Fields:
        """Flat: id, home and rev beside the fields."""
        return {"id": str(id), "home": str(self.home), "rev": self.rev, **self.fields}


class HistoryRow(BaseModel):
    """One rev: which fields became what, and what they were."""

    rev: int = Field(ge=1, description="版本 · The rev it became")
    op: Literal["create", "update", "delete", "revive", "recover", "merge"] = Field(
        description="操作 · What happened to it"
    )
    at: datetime = Field(description="时间 · When, by the server's clock")
    by: UUID | None = Field(description="何人 · Whose mutation it was; null for the operator's")
    mutation: UUID = Field(description="修改编号 · By which mutation")
    fields: dict[str, JsonValue] = Field(description="改后 · What the changed fields became")
    was: dict[str, JsonValue] = Field(description="改前 · What they were")


async def get_record(snapshot: Transaction, context: Context, person: UUID, collection: Collection, id: UUID) -> Stored:
    """The record as this person may see it. What is foreign doesn't exist: `not_found`."""
    stored = await find_record(snapshot, context, person, collection, id)
    if stored is None:
        raise Problem("not_found")
    if stored.deleted:
        await require_unmerged(snapshot, context, person, collection, stored.home, id)
        raise Problem("not_found")
    return stored


async def require_unmerged(
    snapshot: Transaction, context: Context, person: UUID, collection: Collection, home: UUID, id: UUID
) -> None:
    """Of a deleted record. Raises `erased`; and `merged`, with where it went, where this person may see that."""
    await require_unerased(snapshot, collection, home, id)
    if not collection.same:
        return
    # From the history, which shows what was deleted to whoever saw it.
    of_it = (_HISTORY.c.home == home, _HISTORY.c.collection == collection.name, _HISTORY.c.record_id == id)
    row = await snapshot.first(sa.select(_HISTORY.c.fields).where(*of_it, _HISTORY.c.op == "merge"))
    into = UUID(row.fields[MERGED_INTO]) if row else None
    survivor = await find_record(snapshot, context, person, collection, into) if into else None
    if into is None or survivor is None:
        return
    if survivor.deleted:
        await require_unmerged(snapshot, context, person, collection, home, into)
    else:
        raise Problem("merged", into=str(into))


async def require_unerased(snapshot: Transaction, collection: Collection, home: UUID, id: UUID) -> None:
    """Raises `erased` of a record that was, for whoever sees that it is deleted."""
    if not collection.erased_with:
        return
    of_it = (_HISTORY.c.home == home, _HISTORY.c.collection == collection.name, _HISTORY.c.record_id == id)
    if await snapshot.first(sa.select(_HISTORY.c.rev).where(*of_it, _HISTORY.c.op == "erase")):
        raise Problem("erased")


async def find_record(
    snapshot: Transaction, context: Context, person: UUID, collection: Collection, id: UUID
) -> Stored | None:
    """Like get_record, a deleted one included; None where there is none."""
    mine = sa.tuple_(_ENTRY.c.home, _ENTRY.c.feed_id).in_(following(person, context.seams.now()))
    feed = sa.and_(_FEED.c.home == _ENTRY.c.home, _FEED.c.id == _ENTRY.c.feed_id)
    rows = await snapshot.rows(
        sa.select(_ENTRY.c.body, _ENTRY.c.live, _FEED.c.audience)
        .join(_FEED, feed)
        .where(mine, _ENTRY.c.collection == collection.name, _ENTRY.c.record_id == id)
    )
    # What is live before what was deleted, and of several views the widest.
    rows = sorted(rows, key=lambda row: (row.live, WIDTHS[row.audience]), reverse=True)
    stored = [_as_stored(row.body, row.audience) for row in rows]
    return next((s for s in stored if s is not None), None)


def _as_stored(body: bytes, audience: str) -> Stored | None:
    entry = json.loads(b"{" + body + b"}")
    if entry.get("departed"):
        return None
    return Stored(UUID(entry["home"]), entry["rev"], entry.get("fields", {}), bool(entry.get("deleted")), audience)


async def list_records(
    snapshot: Transaction, context: Context, person: UUID, collection: Collection, asked: Any
) -> tuple[list[Fields], UUID | None]:
    """One page of views in order of id, as `asked` by the collection's query; and where the next begins after.

    Each home is one range of the entries' key, so that a page costs what it holds and not what there is.
    """
    # How many entries one follows, and how many rows match, decides the way from one to the other.
    await snapshot.plan_afresh()
    conditions = matching(snapshot, collection.table, collection.fields, asked)
    mine = _looked_in(person, context.seams.now(), collection, asked).subquery()
    there = await snapshot.rows(sa.select(mine.c.home, mine.c.audience).distinct())
    homes, views = {row.home for row in there}, {row.audience for row in there} - {"reference"}
    most = (asked.limit + 1) * max(1, len(views))  # whoever has several views of a record finds it as often
    found: list[sa.Row[Any]] = []
    for some in (sorted(homes)[n : n + MOST_RANGES] for n in range(0, len(homes), MOST_RANGES)):
        ranges = [_range_of(home, mine, collection, conditions, asked.after, most).subquery() for home in some]
        page = sa.union_all(*(sa.select(r) for r in ranges)).subquery()
        found += await snapshot.rows(sa.select(page).order_by(page.c.record_id).limit(most))
    widest = await _widest(snapshot, found) if len(views) > 1 else {row.record_id: row.body for row in found}
    ids = sorted(widest)[: asked.limit]
    items = [stored.as_view(id) for id in ids if (stored := _as_stored(widest[id], collection.audience))]
    return items, ids[-1] if len(widest) > len(ids) else None


def _looked_in(person: UUID, now: datetime, collection: Collection, asked: Any) -> sa.Select[Any]:
    """(home, feed_id, audience) of the feeds in which a list may look: what is asked for must stand there whole, since
    an answer would tell what a mask hides.
    """
    mine = following(person, now).subquery()
    feed = sa.and_(_FEED.c.home == mine.c.home, _FEED.c.id == mine.c.feed_id)
    feeds = sa.select(mine.c.home, mine.c.feed_id, _FEED.c.audience).join(_FEED, feed)
    shown = {name for name, mask in collection.helper_view.items() if mask is whole}
    if filtered_by(collection.fields, asked) <= shown:
        return feeds
    return feeds.where(_FEED.c.audience != HELPER)


async def _widest(snapshot: Transaction, found: Sequence[Any]) -> dict[UUID, bytes]:
    """Record → its body in the widest of the views that were found."""
    audiences = sa.select(_FEED.c.id, _FEED.c.audience).where(_FEED.c.id.in_({row.feed_id for row in found}))
    widths = {row.id: WIDTHS[row.audience] for row in await snapshot.rows(audiences)}
    return {row.record_id: row.body for row in sorted(found, key=lambda row: widths[row.feed_id])}


def _range_of(
    home: UUID, mine: sa.Subquery, collection: Collection, conditions: list[Any], after: UUID | None, most: int
) -> sa.Select[Any]:
    """What a person's feeds of one home list of a collection."""
    feeds = sa.select(mine.c.feed_id).where(mine.c.home == home)
    listed = [_ENTRY.c.home == home, _ENTRY.c.collection == collection.name, _ENTRY.c.live, _ENTRY.c.feed_id.in_(feeds)]
    if after is not None:
        listed.append(_ENTRY.c.record_id > after)
    if conditions:
        listed.append(_ENTRY.c.record_id.in_(_ids_listed_in(home, collection).where(*conditions)))
    columns = sa.select(_ENTRY.c.record_id, _ENTRY.c.body, _ENTRY.c.feed_id)
    return columns.where(*listed).order_by(_ENTRY.c.record_id).limit(most)


def _ids_listed_in(home: UUID, collection: Collection) -> sa.Select[Any]:
    """The records that feeds of this home list: its own, and what lies above communities, listed at the root."""
    table = collection.table
    if collection.audience != "reference":
        return sa.select(table.c.id).where(table.c.home == home)
    area = COLLECTIONS["areas"].table.alias("area")
    of_area = sa.and_(area.c.home == table.c.home, area.c.id == table.c.area_id)
    return sa.select(table.c.id).join(area, of_area).where(area.c.reference_area_id == home)


async def history_of(
    snapshot: Transaction, context: Context, person: UUID, collection: Collection, id: UUID
) -> list[dict[str, Any]]:
    """How the record became what it is: the newest MOST_HISTORY revs, the newest first. Raises not_found, erased."""
    stored = await find_record(snapshot, context, person, collection, id)
    if stored is None:
        raise Problem("not_found")
    if stored.deleted:
        await require_unerased(snapshot, collection, stored.home, id)
    rows = await snapshot.rows(
        sa.select(_HISTORY)
        .where(
            _HISTORY.c.home == stored.home,
            _HISTORY.c.collection == collection.name,
            _HISTORY.c.record_id == id,
        )
        .order_by(_HISTORY.c.rev.desc())
        .limit(MOST_HISTORY)
    )
    view = collection.view(stored.audience)
    return [
        {"rev": r.rev, "op": r.op, "at": r.at, "by": r.person_id, "mutation": r.mutation_id}
        | {"fields": seen_through(view, r.fields), "was": seen_through(view, r.was)}
        for r in rows
    ]
