"""Reading records of any collection: one, a page of them, and how one became what it is.

It goes through the feeds a person follows, so that a route can show nothing a phone wouldn't hold.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, Field, JsonValue

from app.access import following
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import Context
from app.database import Transaction
from app.filters import matching
from app.problems import Problem
from app.tables import FeedEntry, History
from sync.wire import Fields

MOST_RANGES = 100
"""Homes read in one statement."""
MOST_HISTORY = 1000
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Stored:
    """A record as a person's feeds show it."""

    home: UUID
    rev: int
    fields: Fields
    deleted: bool

    def as_view(self, id: UUID) -> Fields:
        """Flat: id, home and rev beside the fields."""
        return {"id": str(id), "home": str(self.home), "rev": self.rev, **self.fields}


class HistoryRow(BaseModel):
    """One rev: which fields became what, and what they were."""

    rev: int = Field(ge=1, description="版本 · The rev it became")
    op: Literal["create", "update", "delete", "revive", "recover"] = Field(description="操作 · What happened to it")
    at: datetime = Field(description="时间 · When, by the server's clock")
    by: UUID | None = Field(description="何人 · Whose mutation it was; null for the operator's")
    mutation: UUID = Field(description="修改编号 · By which mutation")
    fields: dict[str, JsonValue] = Field(description="改后 · What the changed fields became")
    was: dict[str, JsonValue] = Field(description="改前 · What they were")


async def get_record(snapshot: Transaction, context: Context, person: UUID, collection: Collection, id: UUID) -> Stored:
    """The record as this person may see it. What is foreign doesn't exist: `not_found`."""
    stored = await find_record(snapshot, context, person, collection, id)
    if stored is None or stored.deleted:
        raise Problem("not_found")
    return stored


async def find_record(
    snapshot: Transaction, context: Context, person: UUID, collection: Collection, id: UUID
) -> Stored | None:
    """Like get_record, a deleted one included; None where there is none."""
    mine = sa.tuple_(_ENTRY.c.home, _ENTRY.c.feed_id).in_(following(person, context.seams.now()))
    rows = await snapshot.rows(
        sa.select(_ENTRY.c.body, _ENTRY.c.live).where(
            mine, _ENTRY.c.collection == collection.name, _ENTRY.c.record_id == id
        )
    )
    stored = [_as_stored(row.body) for row in sorted(rows, key=lambda row: row.live, reverse=True)]
    return next((s for s in stored if s is not None), None)


def _as_stored(body: bytes) -> Stored | None:
    entry = json.loads(b"{" + body + b"}")
    if entry.get("departed"):
        return None
    return Stored(UUID(entry["home"]), entry["rev"], entry.get("fields", {}), bool(entry.get("deleted")))


async def list_records(
    snapshot: Transaction, context: Context, person: UUID, collection: Collection, asked: Any
) -> tuple[list[Fields], UUID | None]:
    """One page of views in order of id, as `asked` by the collection's query; and where the next begins after.

    Each home is one range of the entries' key, so that a page costs what it holds and not what there is.
    """
    # How many entries one follows, and how many rows match, decides the way from one to the other.
    await snapshot.plan_afresh()
    mine = following(person, context.seams.now()).subquery()
    homes = [row.home for row in await snapshot.rows(sa.select(mine.c.home).distinct())]
    conditions = matching(snapshot, collection.table, collection.fields, asked)
    found: list[sa.Row[Any]] = []
    for some in (homes[n : n + MOST_RANGES] for n in range(0, len(homes), MOST_RANGES)):
        ranges = [_range_of(home, mine, collection, conditions, asked).subquery() for home in some]
        page = sa.union_all(*(sa.select(r) for r in ranges)).subquery()
        found += await snapshot.rows(sa.select(page).order_by(page.c.record_id).limit(asked.limit + 1))
    found.sort(key=lambda row: row.record_id)
    rows = found[: asked.limit]
    views = {row.record_id: stored.as_view(row.record_id) for row in rows if (stored := _as_stored(row.body))}
    return list(views.values()), rows[-1].record_id if len(found) > len(rows) else None


def _range_of(
    home: UUID, mine: sa.Subquery, collection: Collection, conditions: list[Any], asked: Any
) -> sa.Select[Any]:
    """What a person's feeds of one home list of a collection."""
    feeds = sa.select(mine.c.feed_id).where(mine.c.home == home)
    listed = [_ENTRY.c.home == home, _ENTRY.c.collection == collection.name, _ENTRY.c.live, _ENTRY.c.feed_id.in_(feeds)]
    if asked.after is not None:
        listed.append(_ENTRY.c.record_id > asked.after)
    if conditions:
        listed.append(_ENTRY.c.record_id.in_(_ids_listed_in(home, collection).where(*conditions)))
    statement = sa.select(_ENTRY.c.record_id, _ENTRY.c.body).where(*listed).order_by(_ENTRY.c.record_id)
    return statement.limit(asked.limit + 1)


def _ids_listed_in(home: UUID, collection: Collection) -> sa.Select[Any]:
    """The records that feeds of this home list: its own, and what lies above communities, listed at the root."""
    table = collection.table
    if collection.audience == "staff":
        return sa.select(table.c.id).where(table.c.home == home)
    area = COLLECTIONS["areas"].table.alias("area")
    of_area = sa.and_(area.c.home == table.c.home, area.c.id == table.c.area_id)
    return sa.select(table.c.id).join(area, of_area).where(area.c.reference_area_id == home)


async def history_of(
    snapshot: Transaction, context: Context, person: UUID, collection: Collection, id: UUID
) -> list[dict[str, Any]]:
    """How the record became what it is: the newest MOST_HISTORY revs, the newest first. Raises not_found."""
    stored = await find_record(snapshot, context, person, collection, id)
    if stored is None:
        raise Problem("not_found")
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
    return [
        {"rev": r.rev, "op": r.op, "at": r.at, "by": r.person_id, "mutation": r.mutation_id}
        | {"fields": r.fields, "was": r.was}
        for r in rows
    ]
