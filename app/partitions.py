"""On PostgreSQL, for whoever wants it: every table that `home` leads is cut into hash partitions by it.

What is asked for one home then touches one partition. How many there are is chosen once, for an empty store; tables
that later releases bring are cut as the others are.
"""

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.tables import NAMING


class CannotCut(Exception):
    """Why it can't be done, in words for whoever migrates."""


def led_by_home() -> list[sa.Table]:
    """Whose keys begin with it."""
    tables = SQLModel.metadata.sorted_tables
    return [table for table in tables if next(iter(table.primary_key)).name == "home"]


def partitions_of(connection: sa.Connection) -> int:
    """How many parts the store's tables are cut into; 0 where they aren't."""
    parts = "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass('feed_entry')"
    return int(connection.execute(sa.text(parts)).scalar_one())


def cut(connection: sa.Connection, parts: int | None) -> None:
    """Cuts every table that isn't yet into as many parts as the others are, or as are asked for. Commits nothing."""
    there = partitions_of(connection)
    if parts is not None and there not in (0, parts):
        raise CannotCut(f"The tables are cut into {there} partitions; that number can't be changed.")
    if there or parts:
        for table in led_by_home():
            _cut(connection, table, there or parts or 0)


def _cut(connection: sa.Connection, table: sa.Table, parts: int) -> None:
    kind = connection.execute(sa.text(f"SELECT relkind FROM pg_class WHERE oid = to_regclass('\"{table.name}\"')"))
    if kind.scalar_one() in ("p", b"p"):
        return
    if connection.execute(sa.select(sa.exists().select_from(table))).scalar_one():
        raise CannotCut(f"`{table.name}` holds rows; only an empty database can be cut into partitions.")
    table.drop(connection)
    whole = table.to_metadata(sa.MetaData(naming_convention=NAMING))
    whole.dialect_options["postgresql"]["partition_by"] = "HASH (home)"
    whole.create(connection)
    for part in range(parts):
        values = f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {part})"
        connection.execute(sa.text(f'CREATE TABLE "{table.name}_{part}" PARTITION OF "{table.name}" {values}'))
