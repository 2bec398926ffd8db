"""The doctor: what is derived is computed anew and compared with what is stored. Nothing is changed.

Each check reads one moment. The store compares and counts; what it can't compute, an entry's hash, is read in
batches, so that a large store needs no more memory than a small one.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.database import Database, Transaction
from app.doctor.feeds import drifted_feeds
from app.doctor.follows import drifted_follows
from app.doctor.places import drifted_areas, drifted_entries, drifted_records, listed_records
from app.listing import as_listed, beginning_of
from app.postgres import Postgres
from app.views import seen_through
from app.wall import gaps_in_wall
from sync.canonical import spelled

MOST_NAMED = 20
BATCH = 500


class Finding(NamedTuple):
    """What one check found: how many rows differ, and the ids of the first of them."""

    check: str
    differing: int
    ids: list[str]


async def findings(database: Database) -> AsyncIterator[Finding]:
    """Every check's finding, also where nothing differs."""
    if isinstance(database, Postgres):  # the embedded store has no such wall
        gaps = await gaps_in_wall(database)
        yield Finding("wall", len(gaps), gaps)
    checks = {
        **drifted_follows(database.seams.now()),
        **drifted_feeds(),
        **drifted_areas(),
        **drifted_entries(),
        **drifted_records(),
    }
    for name, drifted in checks.items():
        async with database.snapshot("server") as snapshot:
            yield await _counted(snapshot, name, drifted)
    for name, collection in COLLECTIONS.items():
        async with database.snapshot("server") as snapshot:
            yield await _misspelt(snapshot, f"entry_content.{name}", collection)


async def _counted(snapshot: Transaction, name: str, drifted: sa.Select[Any]) -> Finding:
    """The rows of a statement whose columns are the ids of what differs."""
    every = drifted.subquery()
    found = await snapshot.rows(
        sa.select(*every.c, sa.func.count().over().label("all_of_them")).order_by(*every.c).limit(MOST_NAMED)
    )
    return Finding(name, int(found[0].all_of_them) if found else 0, ["/".join(map(str, row[:-1])) for row in found])


async def _misspelt(snapshot: Transaction, name: str, collection: Collection) -> Finding:
    """Entries whose hash or bytes aren't those of the record as its table has it, at the same rev."""
    table, count, ids = collection.table, 0, list[str]()
    listed, after = listed_records(collection), _after(table)
    home, id = None, None
    while True:
        batch = listed if id is None else listed.where(after(home, id))
        rows = await snapshot.rows(batch.order_by(table.c.home, table.c.id, sa.text("feed_id")).limit(BATCH))
        for row in rows:
            if _spelled(collection, row) != (row.hash, row.body):
                count += 1
                ids += [f"{row.id}/{row.feed_id}"][: MOST_NAMED - len(ids)]
        if len(rows) < BATCH:
            return Finding(name, count, ids)
        home, id = rows[-1].home, rows[-1].id


def _spelled(collection: Collection, row: Any) -> tuple[int, bytes]:
    """The entry's hash and body, as its audience is to see the record."""
    fields = seen_through(collection.view(row.audience), collection.as_fields(dict(row._mapping)))
    name, id_text = collection.name, str(row.id)
    beginning = beginning_of(name, id_text, str(row.home), row.rev)
    return as_listed(name, id_text, row.rev, beginning, spelled(fields))


def _after(table: sa.Table) -> Callable[[Any, Any], sa.ColumnElement[bool]]:
    return lambda home, id: (
        sa.tuple_(table.c.home, table.c.id)
        > sa.tuple_(sa.literal(home, table.c.home.type), sa.literal(id, table.c.id.type))
    )
