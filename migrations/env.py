"""Runs the migrations on the connection it is given, in the transaction that is open there."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel, UTCDateTime
from sqlmodel.sql.sqltypes import AutoString

import app.collections
import app.tables  # noqa: F401 - imported, as app.collections is, for the tables they declare


def run() -> None:
    """Upgrade, downgrade or compare."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise SystemExit("Use `qiaomen migrate`, or to write a migration `python -m migrations WORDS`.")
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        render_item=render_item,
        process_revision_directives=number,
    )
    with context.begin_transaction():
        context.run_migrations()


def number(made: MigrationContext, heads: Any, scripts: list[MigrationScript]) -> None:
    """0001, 0002, …: the order can be read in the folder."""
    for script in scripts:
        script.rev_id = f"{int(next(iter(made.get_current_heads()), '0')) + 1:04}"


def render_item(kind: str, item: Any, said: AutogenContext) -> str | Literal[False]:
    """A column's type as itself, with the import it needs."""
    if kind != "type":
        return False
    if isinstance(item, UTCDateTime):
        said.imports.add("from sqlmodel import UTCDateTime")
        return "UTCDateTime()"
    if isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if isinstance(item, sa.JSON):
        said.imports.add("from sqlalchemy.dialects.postgresql import JSONB")
        return 'sa.JSON().with_variant(JSONB(), "postgresql")'
    return False


run()
