"""What a push names is looked up by its key, however little the store knows of its own tables.

PostgreSQL counts the rows that an index led it to, in a transaction by itself; SQLite tells its plan.
"""

from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from app.batch import _STORED
from app.collections import COLLECTIONS
from app.database import Transaction
from app.loading import _ENTRIES, _OPEN, _locking
from app.past import _PAST
from app.prepared import Each
from tests.raw_phone import phone_of
from tests.world import NEW_ID, World, household, mutation

pytestmark = pytest.mark.usefixtures("database_url")
VISITS = COLLECTIONS["visits"].table
DOORS = 10
YOUNG, GROWN = 300, 3000
"""Visits of the community. Among a few hundred PostgreSQL doesn't mind which index it takes; were that plan kept, it
would stay while the table grows.
"""
MOST_LED_TO = 2 * DOORS
"""A new row's place in the index may still lead to what was there before."""


async def grow(transaction: Transaction, visit: UUID, rows: int) -> None:
    """As many more visits like that one, of which no statistics tell."""
    columns = ", ".join(f'"{column.name}"' for column in VISITS.c if column.name != "id")
    copies = (
        f"INSERT INTO visits (id, {columns}) SELECT gen_random_uuid(), {columns} "
        f"FROM visits, generate_series(1, {rows}) WHERE id = '{visit}'"
    )
    await transaction.execute(sa.text(copies))


async def led_to(transaction: Transaction) -> int:
    counted = sa.text("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'visits'")
    row = await transaction.first(counted)
    return int(row[0] or 0) if row else 0


async def test_a_push_into_a_home_that_grows_reads_what_it_names_and_no_more(world: World, store: str) -> None:
    wang = await phone_of(world, "wang")
    door = NEW_ID()
    await wang.push(mutation(world, "households", door, fields=household(world, "1")))
    ids = sorted(NEW_ID() for _ in range(DOORS))
    fields = {"household_id": str(door), "outcome": "opened"}
    await wang.push(*(mutation(world, "visits", id, fields=fields) for id in ids))
    async with world.context.database.transaction() as transaction:
        if store == "sqlite":
            found = await transaction.fetch_each(_locking("visits", shared=False), home=world.home, ids=ids)
            assert [row.id for row in found] == ids
            return
        read = {YOUNG: list[int](), GROWN: list[int]()}
        for rows, counted in read.items():
            await grow(transaction, ids[0], rows)
            for _ in range(12):  # by then a statement that keeps its plan has one for every value
                before = await led_to(transaction)
                found = await transaction.fetch_each(_locking("visits", shared=False), home=world.home, ids=ids)
                assert [row.id for row in found] == ids
                counted.append(await led_to(transaction) - before)
        assert max(read[GROWN]) <= MOST_LED_TO


@pytest.mark.parametrize("statement", [_STORED, _locking("visits", shared=True), _PAST, _ENTRIES, _OPEN])
async def test_sqlite_looks_each_up_by_its_key(statement: Each, world: World, store: str) -> None:
    if store == "postgres":
        assert "LATERAL" in str(statement.apart)
        return
    compiled = statement.together.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True})
    async with world.context.database.snapshot("server") as snapshot:
        asked = sa.text(f"EXPLAIN QUERY PLAN {compiled}".replace("?", "NULL"))
        plan = [row.detail for row in await snapshot.rows(asked)]
    [searched] = [line for line in plan if "json_each" not in line and "SUBQUERY" not in line and "B-TREE" not in line]
    assert searched.startswith("SEARCH"), plan
    assert searched.count("=?") >= 2, plan
