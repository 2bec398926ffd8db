"""What names a person, a door or an organisation is found by that, without looking through its community.

Both stores tell by which index they would.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.database import Database, Transaction
from app.join import referring
from app.tables import FeedEntry
from tests.maker import Maker, boss, make
from tests.world import World

__all__ = ["boss", "make"]  # the fixtures
pytestmark = pytest.mark.usefixtures("database_url")
ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
MANY = 2000
"""Of fewer PostgreSQL reads a whole table, and is right."""
NAMING = [
    (collection, name)
    for collection in COLLECTIONS.values()
    for name, referred in collection.references.items()
    if name != collection.lists_in and referred != "areas"
]
"""Every field that refers to a record other than an area, where its collection isn't listed by that."""
every = pytest.mark.parametrize(("collection", "field"), NAMING, ids=[f"{c.name}-{name}" for c, name in NAMING])


@contextmanager
def noted(database: Database, table: str) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of a table meanwhile, and with which values."""
    asked: list[tuple[str, Any]] = []
    engines = [held.sync_engine for held in vars(database).values() if isinstance(held, AsyncEngine)]

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and f"FROM {table}" in statement.replace("\n", " "):
            asked.append((statement, parameters))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield asked
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


async def plan_of(transaction: Transaction, store: str, statement: str, parameters: Any) -> list[str]:
    words = "EXPLAIN" if store == "postgres" else "EXPLAIN QUERY PLAN"
    return [row[-1] for row in await transaction.connection.exec_driver_sql(f"{words} {statement}", parameters)]


async def one_of_many(make: Maker, collection: Collection, field: str, store: str) -> UUID:
    """What one record of the collection names, and no other."""
    fields = await make.fields(collection)
    fields[field] = await make.value(collection, collection.fields[field])
    made = await make.create(collection, fields)
    if store == "postgres":  # SQLite chooses by what indexes there are
        async with make.world.context.database.transaction() as transaction:
            await _copy(transaction, collection.table, field, made["id"])
    return UUID(str(fields[field]))


async def _copy(transaction: Transaction, table: sa.Table, field: str, id: str) -> None:
    """As many more like it, which name others and are listed beside it."""
    own = ", ".join(f'"{column.name}"' for column in table.c if column.name not in ("id", field))
    listed = ", ".join(column.name for column in ENTRY.c if column.name not in ("record_id", "seq"))
    of_it = f"feed_entry.collection = '{table.name}' AND feed_entry.record_id = '{id}'"
    for statement in (
        f"INSERT INTO {table.name} (id, {field}, {own}) SELECT gen_random_uuid(), gen_random_uuid(), {own} "
        f"FROM {table.name}, generate_series(1, {MANY}) WHERE id = '{id}'",
        f"INSERT INTO feed_entry (record_id, seq, {listed}) SELECT other.id, 1000000 + row_number() OVER (), {listed} "
        f"FROM feed_entry, (SELECT id FROM {table.name} WHERE id <> '{id}') AS other WHERE {of_it}",
        f"ANALYZE {table.name}",
        "ANALYZE feed_entry",
    ):
        await transaction.execute(sa.text(statement))


@every
async def test_a_merge_finds_it(make: Maker, world: World, collection: Collection, field: str, store: str) -> None:
    named, database = await one_of_many(make, collection, field, store), world.context.database
    async with database.transaction() as transaction:
        with noted(database, collection.name) as asked:
            found = await referring(transaction, world.home, collection, [(collection.references[field], named)])
        assert [name for name, _ in found] == [collection.name]
        [how] = [one for one in asked if f"{collection.name}.{field}" in one[0]]
        plan = await plan_of(transaction, store, *how)
    assert f"{collection.name}_{field}_index" in str(plan)


@every
async def test_a_list_of_it_is_found(make: Maker, world: World, collection: Collection, field: str, store: str) -> None:
    named, database = await one_of_many(make, collection, field, store), world.context.database
    with noted(database, "feed_entry") as asked:
        answer = await make.send("GET", collection, f"?{field}={named}")
    assert [item[field] for item in answer.json()["items"]] == [str(named)]
    [how] = [one for one in asked if f"{collection.name}.{field}" in one[0]]
    if (collection.audience, store) == ("reference", "sqlite"):
        return  # what everybody knows is little, and looked for by its area
    async with database.transaction() as transaction:
        plan = await plan_of(transaction, store, *how)
    assert f"{collection.name}_{field}_index" in str(plan)
