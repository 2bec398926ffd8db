"""Merging two records of one thing, by an ordinary request: one mutation on the one write path."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.batch import Actor, Incoming
from app.context import Context
from app.database import Transaction
from app.fields import MERGED_INTO
from app.problems import Problem, require_taken, wrong_field
from app.receive import receive
from app.records import find_record, require_unmerged
from app.writes import Asked, Write, as_arrived, taken_before


async def merge_record(context: Context, asked: Asked, into: UUID) -> None:
    """Joins a record into another of its collection and community, whose alias it becomes.

    Raises not_found, reference_not_found, merge_into_itself, merge_across, merge_too_large, merged and not_permitted.
    """
    await context.database.run(lambda transaction: _merge(transaction, context, asked, into))


async def _merge(transaction: Transaction, context: Context, asked: Asked, into: UUID) -> None:
    collection, id = asked.collection, asked.id
    if into == id:
        raise wrong_field("merge_into_itself", "into")
    # 1. What one may see of both.
    async with transaction.seen_by(context.seen_by(asked.person)):
        seen = await find_record(transaction, context, asked.person, collection, id)
        other = await find_record(transaction, context, asked.person, collection, into)
    if seen is None:
        raise Problem("not_found")
    # 2. Both are held, in their order: of two equal requests at once, the second has waited here for the first.
    held = await _hold(transaction, asked, seen.home, [id, into])
    if await taken_before(transaction, context, asked, seen.home):
        return
    # 3. Both must be there, and of one community.
    if held[id].deleted_at is not None:
        await require_unmerged(transaction, context, asked.person, collection, seen.home, id)
        raise Problem("not_found")
    if other is not None and other.home != seen.home:
        raise wrong_field("merge_across", "into")
    if other is None or held[into].deleted_at is not None:
        raise wrong_field("reference_not_found", "into")
    asked.terms.require(held[id].rev)
    # 4. What led to the one leads to the other at once; the rest is the write path's.
    table = collection.table
    aliases = sa.update(table).where(table.c.home == seen.home, table.c[MERGED_INTO] == id)
    await transaction.execute(aliases.values({MERGED_INTO: into}))
    write = Write(collection, seen.home, id, "update", 0, {MERGED_INTO: str(into)})
    incoming = Incoming(seen.home, [as_arrived(context, write, asked, into)])
    done = await receive(transaction, context, Actor(asked.person), incoming)
    require_taken(done.outcomes)


async def _hold(transaction: Transaction, asked: Asked, home: UUID, ids: Sequence[UUID]) -> dict[UUID, Any]:
    table = asked.collection.table
    which = sa.select(table.c.id, table.c.rev, table.c.deleted_at).where(table.c.home == home, table.c.id.in_(ids))
    return {row.id: row for row in await transaction.rows(which.order_by(table.c.id).with_for_update())}
