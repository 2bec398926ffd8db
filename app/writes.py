"""Writing one record by an ordinary request: create, put, patch, delete, resolve. Merging is in merging.py.

Each becomes one mutation on the one write path, made of the record as it is now, so that it never conflicts: what
must not have changed meanwhile is said by If-Match. Its id is the request's Idempotency-Key.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from app.access import following
from app.areas import areas_by_id, placed
from app.batch import Actor, Incoming, content_digest
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import Context
from app.database import Transaction
from app.fields import as_delta
from app.incoming import Arrived
from app.problems import Problem
from app.receive import receive
from app.records import Stored, find_record, require_unerased, require_unmerged
from app.tables import FeedEntry, History, ReceivedMutation
from app.terms import Terms
from sync.canonical import NotCanonical, canonical_json
from sync.wire import Fields, Mutation, Op, Outcome

_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Asked:
    """One request to write one record."""

    verb: Literal["create", "put", "patch", "delete", "resolve", "merge"]
    person: UUID
    collection: Collection
    id: UUID
    fields: Fields
    terms: Terms

    def said(self) -> bytes | None:
        """The request's content, which is the same whatever the record held; a create's is the mutation's own."""
        if self.verb == "create":
            return None
        what = {"verb": self.verb, "collection": self.collection.name, "record": str(self.id)}
        return canonical_json({**what, "fields": self.fields})


@dataclass(frozen=True)
class Write:
    """One mutation of the server's own making."""

    collection: Collection
    home: UUID
    id: UUID
    op: Op
    base: int
    fields: Fields


async def create_record(context: Context, asked: Asked) -> None:
    """Creates it. Raises id_taken, and the problem of a refusal."""
    await context.database.run(lambda transaction: _create(transaction, context, asked))


async def put_record(context: Context, asked: Asked) -> bool:
    """Makes the record what `fields` say, omitted ones their defaults; was it created by this?"""

    async def work(transaction: Transaction) -> Op:
        seen = await _find(transaction, context, asked)
        if seen is None or seen.deleted:
            if seen is not None:
                await require_unmerged(transaction, context, asked.person, asked.collection, seen.home, asked.id)
            return await _create(transaction, context, asked)
        return await _change(transaction, context, asked)

    try:
        return await context.database.run(work) == "create"
    except Problem as problem:
        if problem.code != "id_taken":
            raise
    # Perhaps by a request that came while this one looked: then it is there now.
    return await context.database.run(work) == "create"


async def change_record(context: Context, asked: Asked) -> None:
    """A merge patch, or a delete. A stale If-Match is 412 and never merged."""
    await context.database.run(lambda transaction: _change(transaction, context, asked))


async def resolve_conflict(context: Context, asked: Asked) -> None:
    """Writes the chosen `value` into the record the conflict is of, in the same transaction."""

    async def work(transaction: Transaction) -> None:
        conflicts = asked.collection
        seen = await _find(transaction, context, asked)
        if seen is None:
            raise Problem("not_found")
        if seen.deleted:  # which a conflict is with what it is of, when that is erased
            raise Problem("erased")
        target = COLLECTIONS[str(seen.fields["of_collection"])]
        held = await _lock(transaction, target, seen.home, UUID(str(seen.fields["of_record"])))
        conflict = await _lock(transaction, conflicts, seen.home, asked.id)
        if await taken_before(transaction, context, asked, seen.home):
            return
        asked.terms.require(conflict["rev"])
        said: Fields = {"resolution": {"value": asked.fields["value"], "base": held["rev"], "after": None}}
        await _write(
            transaction, context, asked, Write(conflicts, seen.home, asked.id, "update", conflict["rev"], said)
        )

    await context.database.run(work)


async def _find(transaction: Transaction, context: Context, asked: Asked) -> Stored | None:
    async with transaction.seen_by(context.seen_by(asked.person)):
        return await find_record(transaction, context, asked.person, asked.collection, asked.id)


async def _create(transaction: Transaction, context: Context, asked: Asked) -> Op:
    collection = asked.collection
    home = await _home_for(transaction, context, asked)
    of_it = sa.select(collection.table.c.rev).where(collection.table.c.id == asked.id)
    # What is listed for all may be of several homes and in one feed, where an id is one record's.
    taken = await transaction.first(
        of_it if collection.audience == "reference" else of_it.where(collection.table.c.home == home)
    )
    # Looked up in this order: whoever's record is seen, its mutation is seen as well.
    if before := await taken_before(transaction, context, asked, home):
        return before
    asked.terms.require(None)
    # That an id is taken, perhaps by what one may not see, is told to whoever could have created it and to nobody
    # else: a free one is tried in its stead, and undone with the transaction.
    id = context.seams.new_id() if taken else asked.id
    write = Write(collection, id if home == asked.id else home, id, "create", 0, asked.fields)
    outcome = await _write(transaction, context, asked, write)
    if taken:
        if (seen := await _find(transaction, context, asked)) and seen.deleted:
            await require_unerased(transaction, collection, seen.home, asked.id)
        raise Problem("id_taken")
    if await _made_by(transaction, write) != outcome.id:
        # Another request was faster: as a create this would have become an edit of its record.
        raise Problem("id_taken")
    return "create"


async def _made_by(transaction: Transaction, write: Write) -> str:
    of_it = (_HISTORY.c.collection == write.collection.name, _HISTORY.c.record_id == write.id, _HISTORY.c.rev == 1)
    row = await transaction.first(sa.select(_HISTORY.c.mutation_id).where(_HISTORY.c.home == write.home, *of_it))
    return str(row.mutation_id) if row else ""


async def _change(transaction: Transaction, context: Context, asked: Asked) -> Op:
    seen = await _find(transaction, context, asked)
    if seen is None:
        raise Problem("not_found")
    held = await _lock(transaction, asked.collection, seen.home, asked.id)
    # Only now: of two equal requests at once, the second has waited here for the first.
    if before := await taken_before(transaction, context, asked, seen.home):
        return before
    if held["deleted_at"] is not None:
        await require_unmerged(transaction, context, asked.person, asked.collection, seen.home, asked.id)
        raise Problem("not_found")
    asked.terms.require(held["rev"])
    op: Op = "delete" if asked.verb == "delete" else "update"
    change = _as_deltas(asked.collection, held, _differing(asked, held) if asked.verb == "put" else asked.fields)
    await _write(transaction, context, asked, Write(asked.collection, seen.home, asked.id, op, held["rev"], change))
    return op


async def _lock(transaction: Transaction, collection: Collection, home: UUID, id: UUID) -> Mapping[str, Any]:
    """The record's row, held until the end."""
    table = collection.table
    row = await transaction.first(sa.select(table).where(table.c.home == home, table.c.id == id).with_for_update())
    if row is None:
        raise Problem("not_found")
    return dict(row._mapping)


async def taken_before(transaction: Transaction, context: Context, asked: Asked, home: UUID) -> Op | None:
    """What the same request did when it came before. Raises mutation_reused where the key was another's."""
    if asked.terms.key is None:
        return None
    wanted = sa.select(_RECEIVED.c.op, _RECEIVED.c.person_id, _RECEIVED.c.content)
    row = await transaction.first(wanted.where(_RECEIVED.c.home == home, _RECEIVED.c.id == asked.terms.key))
    if row is None:
        return None
    again = as_arrived(context, Write(asked.collection, home, asked.id, "create", 0, asked.fields), asked)
    same = hmac.compare_digest(row.content, content_digest(context.subkey("content"), again))
    if row.person_id != asked.person or not same:
        raise Problem("mutation_reused")
    op: Op = row.op
    return op


def _whole(asked: Asked) -> Fields:
    """Every field of the record to be. Raises what is wrong with them."""
    clean, errors = asked.collection.clean("create", asked.fields)
    if errors:
        raise Problem(str(errors[0]["code"]), errors=errors)
    return clean


def _differing(asked: Asked, held: Mapping[str, Any]) -> Fields:
    """Of the whole record to be, what the present one isn't yet."""
    present = asked.collection.as_fields(held)
    untold = asked.collection.given - asked.fields.keys()
    return {n: value for n, value in _whole(asked).items() if value != present[n] and n not in untold}


def _as_deltas(collection: Collection, held: Mapping[str, Any], fields: Fields) -> Fields:
    """The request gives whole values; sets and sums travel as what was added and removed."""
    known = {n: as_delta(spec, held[n], fields[n]) for n, spec in collection.fields.items() if n in fields}
    return {**fields, **known}


async def _home_for(transaction: Transaction, context: Context, asked: Asked) -> UUID:
    """The home a new record is born in: that of the area or record it is created in."""
    collection, clean = asked.collection, _whole(asked)
    named = clean.get(collection.lists_in)
    if named is None:
        return placed(asked.id, clean, None).home
    parent, through = UUID(str(named)), collection.references[collection.lists_in]
    home = await _home_in_sight(transaction, context, asked.person, through, parent)
    if through != "areas":
        return home
    # Areas above communities are listed together, and each is a home of its own.
    area = (await areas_by_id(transaction, None, [parent]))[parent]
    return placed(asked.id, clean, area).home if collection.name == "areas" else area.home


async def _home_in_sight(transaction: Transaction, context: Context, person: UUID, collection: str, id: UUID) -> UUID:
    """The home of this record, which the person is shown. Raises reference_not_found."""
    mine = sa.tuple_(_ENTRY.c.home, _ENTRY.c.feed_id).in_(following(person, context.seams.now()))
    entry = sa.select(_ENTRY.c.body).where(mine, _ENTRY.c.collection == collection, _ENTRY.c.record_id == id)
    async with transaction.seen_by(context.seen_by(person)):
        row = await transaction.first(entry.limit(1))
    if row is None:
        raise Problem("reference_not_found")
    # Not the feed's: what lies above communities is listed at the root.
    return UUID(json.loads(b"{" + row.body + b"}")["home"])


async def _write(transaction: Transaction, context: Context, asked: Asked, write: Write) -> Outcome:
    """Through the one write path. Raises the problem of a refusal."""
    arrived = as_arrived(context, write, asked)
    done = await receive(transaction, context, Actor(asked.person), Incoming(write.home, [arrived]))
    outcome = done.outcomes[0]
    if (problem := outcome.problem) is not None:
        raise Problem(problem.code, errors=problem.errors, **problem.details)
    return outcome


def as_arrived(context: Context, write: Write, asked: Asked | None = None, into: UUID | None = None) -> Arrived:
    """A mutation as if it had come in a push. Raises the problem of what can't travel."""
    try:
        canonical_json(write.fields)
        said = asked.said() if asked else None
    except NotCanonical as problem:
        raise Problem(problem.code) from None
    mutation = Mutation(
        id=(asked and asked.terms.key) or context.seams.new_id(),
        collection=write.collection.name,
        record=write.id,
        home=write.home,
        op=write.op,
        base=write.base,
        fields=write.fields,
        made_at=context.seams.now(),
    )
    raw = mutation.model_dump_json(exclude_defaults=True).encode()
    return Arrived(raw, mutation, str(mutation.id), said=said, into=into)
