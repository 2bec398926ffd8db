"""CRUD for every collection, from its declaration alone: thin routes over the same write path as a push.

Reading goes through the feeds a person follows, so that a route can show nothing a phone wouldn't hold.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import following
from app.areas import areas_by_id, placed
from app.batch import Actor, Incoming
from app.collections.base import Collection
from app.context import Context
from app.database import Transaction
from app.incoming import Arrived
from app.problems import Problem
from app.receive import receive
from app.tables import FeedEntry, History
from sync.canonical import NotCanonical, canonical_json
from sync.wire import Fields, Mutation, Op, Outcome

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


async def create_record(context: Context, actor: Actor, collection: Collection, id: UUID, fields: Fields) -> None:
    """Creates through the write path. Raises the problem of a refusal."""

    async def work(transaction: Transaction) -> None:
        home = await home_for(transaction, context, actor, collection, id, fields)
        taken = sa.select(collection.table.c.rev).where(collection.table.c.home == home, collection.table.c.id == id)
        if await transaction.first(taken):
            raise Problem("id_taken")
        await write_one(transaction, context, actor, Write(collection, home, id, "create", 0, fields))

    await context.database.run(work)


async def change_record(
    context: Context,
    actor: Actor,
    collection: Collection,
    id: UUID,
    if_match: str | None,
    fields: Fields | None,
) -> None:
    """A merge patch, or a delete where `fields` is None. A stale If-Match is 412 and never merged."""
    assert actor.person is not None
    person = actor.person

    async def work(transaction: Transaction) -> None:
        seen = await get_record(transaction, context, person, collection, id)
        held = await lock(transaction, collection, seen.home, id)
        require_match(if_match, held["rev"])
        change = None if fields is None else _as_deltas(collection, held, fields)
        op: Op = "delete" if change is None else "update"
        await write_one(transaction, context, actor, Write(collection, seen.home, id, op, held["rev"], change or {}))

    await context.database.run(work)


async def lock(transaction: Transaction, collection: Collection, home: UUID, id: UUID) -> Mapping[str, Any]:
    """The record's row, held until the end."""
    table = collection.table
    row = await transaction.first(sa.select(table).where(table.c.home == home, table.c.id == id).with_for_update())
    if row is None:
        raise Problem("not_found")
    return dict(row._mapping)


def require_match(if_match: str | None, rev: int) -> None:
    """If-Match names the rev the caller read; `*` is any. Raises stale."""
    if if_match is None or if_match.strip() == "*":
        return
    tags = re.findall(r'"([^"]*)"', if_match) or [if_match.strip()]
    if str(rev) not in tags:
        raise Problem("stale", rev=rev)


def _as_deltas(collection: Collection, held: Mapping[str, Any], fields: Fields) -> Fields:
    """A merge patch gives whole values; sets and sums travel as what was added and removed."""
    change: Fields = {}
    for name, value in fields.items():
        policy = collection.rules.policies[name].name if name in collection.fields else ""
        if policy == "union" and isinstance(value, list):
            present = held[name] or []
            change[name] = {
                "add": [m for m in value if m not in present],
                "remove": [m for m in present if m not in value],
            }
        elif policy == "total" and isinstance(value, int):
            change[name] = {"increment": value - (held[name] or 0)}
        else:
            change[name] = value
    return change


@dataclass(frozen=True)
class Write:
    """One mutation of the server's own making."""

    collection: Collection
    home: UUID
    id: UUID
    op: Op
    base: int
    fields: Fields


async def write_one(transaction: Transaction, context: Context, actor: Actor, write: Write) -> Outcome:
    """Through the one write path. Raises the problem of a refusal."""
    arrived = as_arrived(context, write)
    person_only = Actor(actor.person)
    done = await receive(transaction, context, person_only, Incoming(write.home, [arrived]))
    outcome = done.outcomes[0]
    if outcome.problem is not None:
        raise Problem(outcome.problem.code, errors=outcome.problem.errors, **outcome.problem.details)
    return outcome


def as_arrived(context: Context, write: Write) -> Arrived:
    """A mutation as if it had come in a push. Raises the problem of what can't travel."""
    try:
        canonical_json(write.fields)
    except NotCanonical as problem:
        raise Problem(problem.code) from None
    mutation = Mutation(
        id=context.seams.new_id(),
        collection=write.collection.name,
        record=write.id,
        home=write.home,
        op=write.op,
        base=write.base,
        fields=write.fields,
        made_at=context.seams.now(),
    )
    raw = mutation.model_dump_json(exclude_defaults=True).encode()
    return Arrived(raw, mutation, str(mutation.id))


async def home_for(
    transaction: Transaction, context: Context, actor: Actor, collection: Collection, id: UUID, fields: Fields
) -> UUID:
    """The home a new record is born in: that of the area or record it is created in."""
    clean, errors = collection.clean("create", fields)
    if errors:
        raise Problem(str(errors[0]["code"]), errors=errors)
    named = clean.get(collection.lists_in)
    parent = UUID(str(named)) if named else None
    through = collection.references[collection.lists_in]
    if through == "areas":
        areas = await areas_by_id(transaction, None, [parent] if parent else [])
        area = areas.get(parent) if parent else None
        if parent and area is None:
            raise Problem("reference_not_found")
        if collection.name == "areas":
            return placed(id, clean, area).home
        assert area is not None
        return area.home
    mine = following(actor.person or UUID(int=0), context.seams.now()).subquery()
    entry = sa.select(_ENTRY.c.home).where(
        _ENTRY.c.home.in_(sa.select(mine.c.home)),
        _ENTRY.c.collection == through,
        _ENTRY.c.record_id == parent,
    )
    row = await transaction.first(entry.limit(1))
    if row is None:
        raise Problem("reference_not_found")
    home: UUID = row.home
    return home
