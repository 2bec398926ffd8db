"""No report reads a table again for each row of another, however little the store foresees of how many there are.

Both stores say how they would read what a report asks: PostgreSQL as it would for any values, since all of its guesses
in an empty place are of one row.
"""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from app.database import Transaction
from app.reports.coverage import _doors, _met, _methods, _visits
from app.reports.parts import Ground, ground_of
from app.reports.totals import _statements
from tests.raw_phone import phone_of
from tests.world import World

SINCE, UNTIL = date(2026, 10, 1), date(2026, 10, 31)


def asked(transaction: Transaction, ground: Ground) -> dict[str, sa.Select[Any]]:
    """What coverage and totals ask."""
    visits = _visits(transaction, ground, SINCE, UNTIL).cte("visits_then").prefix_with("MATERIALIZED")
    return {
        "doors": _doors(ground, visits),
        "met": _met(transaction, visits),
        "methods": _methods(transaction, ground, SINCE, UNTIL),
        **dict(_statements(transaction, ground, UNTIL)),
    }


@pytest.mark.parametrize("name", ["doors", "met", "methods", "household", "resident"])
async def test_what_it_joins_it_finds_by_a_key(name: str, world: World, store: str) -> None:
    await phone_of(world, "wang")
    async with world.context.database.snapshot("server") as snapshot:
        ground = await ground_of(snapshot, world.context, world.people["wang"], world.areas["community"])
        statement = asked(snapshot, ground)[name]
        dialect = snapshot.connection.dialect
        words = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        explained = "EXPLAIN (COSTS OFF)" if store == "postgres" else "EXPLAIN QUERY PLAN"
        rows = [*await snapshot.connection.exec_driver_sql(f"{explained} {words}".replace("%%", "%"))]
    assert rows
    if store == "postgres":
        plan = [str(row[0]) for row in rows]
        assert [line for line in plan if "Join Filter" in line and "household" in line] == []
        assert not any("Merge" in line for line in plan)
    else:
        assert [row.detail for row in rows if read_again_and_again(row, rows)] == []


def read_again_and_again(row: Any, rows: list[Any]) -> bool:
    """Is it something whole that is read once for each row of the one before? Not of a list that lies in that row."""
    loops = [other for other in rows if other.parent == row.parent and other.detail.startswith(("SCAN ", "SEARCH "))]
    return row in loops[1:] and row.detail.startswith("SCAN ") and "VIRTUAL TABLE" not in row.detail
