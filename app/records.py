"""Reading records of any collection: one, a page of them, and how one became what it is.

It goes through the feeds a person follows, so that a route can show nothing a phone wouldn't hold.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, JsonValue

from app.access import following
from app.collections.base import Collection
from app.context import Context
from app.database import Transaction
from app.problems import Problem
from app.tables import FeedEntry, History
from sync.wire import Fields

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

    rev: int
    op: str
    at: datetime
    by: UUID | None
    mutation: UUID
    fields: dict[str, JsonValue]
    was: dict[str, JsonValue]


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
    snapshot: Transaction,
    context: Context,
    person: UUID,
    collection: Collection,
    after: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Views in order of id, above `after`."""
    mine = sa.tuple_(_ENTRY.c.home, _ENTRY.c.feed_id).in_(following(person, context.seams.now()))
    wanted = [mine, _ENTRY.c.collection == collection.name, _ENTRY.c.live]
    if after is not None:
        wanted.append(_ENTRY.c.record_id > after)
    statement = sa.select(_ENTRY.c.record_id, _ENTRY.c.body).where(*wanted).order_by(_ENTRY.c.record_id)
    views = {}
    for row in await snapshot.rows(statement.limit(limit)):
        if stored := _as_stored(row.body):
            views[row.record_id] = stored.as_view(row.record_id)
    return list(views.values())


async def history_of(
    snapshot: Transaction, context: Context, person: UUID, collection: Collection, id: UUID
) -> list[dict[str, Any]]:
    """How the record became what it is, the newest first. Raises not_found."""
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
    )
    return [
        {"rev": r.rev, "op": r.op, "at": r.at, "by": r.person_id, "mutation": r.mutation_id}
        | {"fields": r.fields, "was": r.was}
        for r in rows
    ]
