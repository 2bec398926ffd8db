"""No report reads a table again for each row of another, however little the store foresees of how many there are.

Both stores say how they would read what a report asks: PostgreSQL as it would for any values, since all of its guesses
in an empty place are of one row.
"""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.context import Context
from app.database import Transaction
from app.reports import activity, coverage, follow_ups, sweep, totals
from app.reports.parts import Ground, ground_of
from tests.raw_phone import phone_of
from tests.world import World

SINCE, UNTIL = date(2026, 10, 1), date(2026, 10, 31)
ENDS = datetime(2026, 11, 1, tzinfo=UTC)
CAMPAIGN = UUID(int=1)


def of_coverage(transaction: Transaction, ground: Ground) -> dict[str, sa.Select[Any]]:
    visits = coverage._visits(ground, SINCE, UNTIL).cte("visits_then").prefix_with("MATERIALIZED")
    return {
        "coverage: doors": coverage._doors(ground, visits),
        "coverage: met": coverage._met(transaction, ground, visits),
        "coverage: methods": coverage._methods(ground, SINCE, UNTIL),
    }


def of_totals(transaction: Transaction, ground: Ground) -> dict[str, sa.Select[Any]]:
    statements = totals._statements(transaction, ground, UNTIL, ["ill", "disabled"])
    return {f"totals: {n} {kind}": statement for n, (kind, statement) in enumerate(statements)}


def of_activity(transaction: Transaction, ground: Ground, world: World) -> dict[str, sa.Select[Any]]:
    span = activity.Days(SINCE, UNTIL, world.context.day_begins)
    return {
        "activity: hours": activity._hours(transaction, ground, span),
        "activity: days": activity._days(ground, span),
        "activity: conflicts": activity._conflicts(transaction, ground, span),
        "activity: whole": activity._whole_homes(ground),
        "activity: refused": activity._refused(transaction, ground.homes, span),
    }


async def of_a_sweep(transaction: Transaction, ground: Ground, context: Context) -> dict[str, sa.Select[Any]]:
    frozen = await sweep._frozen(transaction, context, ground, CAMPAIGN)
    doors = sweep._doors(sweep._targets(transaction, ground, frozen), sweep._knocks(ground, CAMPAIGN, ENDS))
    return {
        "sweep: blocks": sweep._by_block(ground, frozen),
        "sweep: targets": sweep._by_target(doors),
        "sweep: places": sweep._by_place(ground, doors),
        "sweep: persons": sweep._persons(transaction, ground, CAMPAIGN),
        "sweep: left": sweep._left(doors),
    }


async def test_what_it_joins_it_finds_by_a_key(world: World, store: str) -> None:
    await phone_of(world, "wang")
    async with world.context.database.snapshot("server") as snapshot:
        ground = await ground_of(snapshot, world.context, world.people["wang"], world.areas["community"])
        asked = {
            **of_coverage(snapshot, ground),
            **of_totals(snapshot, ground),
            **of_activity(snapshot, ground, world),
            **await of_a_sweep(snapshot, ground, world.context),
            "follow-ups": follow_ups._by_kind(ground, CAMPAIGN, UNTIL),
        }
        plans = {name: await plan_of(snapshot, store, statement) for name, statement in asked.items()}
    assert all(plans.values())
    finds = by_all_of_another if store == "postgres" else read_again_and_again
    assert {name: found for name, rows in plans.items() if (found := finds(rows))} == {}


async def plan_of(snapshot: Any, store: str, statement: sa.Select[Any]) -> list[Any]:
    """PostgreSQL's lines, or SQLite's rows, which are the same for any values."""
    compiled: Any = statement.compile(dialect=snapshot.connection.dialect, compile_kwargs={"render_postcompile": True})
    if store == "postgres":
        written = {name: compiled._bind_processors.get(name, lambda value: value) for name in compiled.positiontup}
        values = [write(compiled.params[name]) for name, write in written.items()]
        return [row[0] for row in await snapshot.driver.fetch(f"EXPLAIN (COSTS OFF) {compiled}", *values)]
    return [*await snapshot.rows(sa.text(f"EXPLAIN QUERY PLAN {compiled}".replace("?", "NULL")))]


def by_all_of_another(plan: list[str]) -> list[str]:
    """Joins that compare each row of one with each of another, or sort both."""
    return [line for line in plan if "Join Filter" in line or "Merge" in line]


def read_again_and_again(rows: list[Any]) -> list[str]:
    """What is read as a whole, or as all of a community, once for each row of the one before it; but for a list that
    lies in that row.
    """
    found = []
    for row in rows:
        loops = [
            other for other in rows if other.parent == row.parent and other.detail.startswith(("SCAN ", "SEARCH "))
        ]
        whole = row.detail.startswith("SCAN ") and "VIRTUAL TABLE" not in row.detail
        if row in loops[1:] and (whole or row.detail.endswith("(home=?)")):
            found.append(row.detail)
    return found
