"""The schema and the server's own row: bringing a database to head, and telling its pasts apart.

A developer who changed a table writes the next migration with `python -m migrations "what changed"`.
"""

from functools import cache
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from app.database import Database, Transaction
from app.partitions import CannotCut, cut
from app.postgres import Postgres
from app.tables import Server
from app.wall import gaps_in_wall, lower_wall, raise_wall
from sync.seams import Seams

MIGRATE_LOCK = 0x5149414F
"""PostgreSQL's advisory lock of whoever migrates: of two at once the second finds nothing to do."""

_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]


async def migrate(database: Database, partitions: int | None = None) -> None:
    """Up to head, as one transaction: it is there whole, or not at all.

    Raises WallRefused and, where `partitions` are asked for and can't be, CannotCut.
    """
    if partitions is None and await _is_done(database):
        return  # nobody who is being served has to wait for it
    async with database.transaction() as transaction:
        await transaction.connection.run_sync(_to_head, partitions)


async def _is_done(database: Database) -> bool:
    walled = isinstance(database, Postgres)
    return await schema_is_at_head(database) and not (walled and await gaps_in_wall(database))


def _to_head(connection: sa.Connection, partitions: int | None) -> None:
    move(connection, "head")
    if connection.dialect.name == "postgresql":
        cut(connection, partitions)
        raise_wall(connection)
    elif partitions is not None:
        raise CannotCut("Only PostgreSQL has partitions.")


def move(connection: sa.Connection, revision: str) -> None:
    """Up to a revision, or down to it; `base` is an empty database. Commits nothing."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATE_LOCK)))
        lower_wall(connection)
    config = alembic_config(connection)
    (command.downgrade if revision == "base" else command.upgrade)(config, revision)


def alembic_config(connection: sa.Connection | None = None) -> Config:
    """Wherever the package is installed and whatever folder we are in."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


async def schema_is_at_head(database: Database) -> bool:
    """Does the database have exactly the tables that this code expects?"""
    async with database.snapshot("server") as snapshot:
        return await snapshot.connection.run_sync(_current) == _heads()


def _current(connection: sa.Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


@cache
def _heads() -> set[str]:
    return set(ScriptDirectory.from_config(alembic_config()).get_heads())


async def ensure_server_row(database: Database, seams: Seams) -> UUID:
    """The server's id. On another physical history than the stored one a new epoch has begun."""
    system = await database.system()

    async def work(transaction: Transaction) -> UUID:
        held = await transaction.first(sa.select(_SERVER).with_for_update())
        if held is None:
            row = {"id": 1, "server_id": seams.new_id(), "epoch": _epoch(seams), "feeds": 0, "system": system}
            await transaction.insert(_SERVER, [row])
            return row["server_id"]  # type: ignore[return-value]
        if held.system != system:
            await _begin_epoch(transaction, seams, system)
        server_id: UUID = held.server_id
        return server_id

    return await database.run(work)


async def begin_epoch(database: Database, seams: Seams) -> str:
    """For `qiaomen restore`: phones that lived through another past will send their logs again."""
    system = await database.system()
    return await database.run(lambda transaction: _begin_epoch(transaction, seams, system))


async def _begin_epoch(transaction: Transaction, seams: Seams, system: str | None) -> str:
    epoch = _epoch(seams)
    await transaction.execute(_SERVER.update().values(epoch=epoch, system=system))
    return epoch


def _epoch(seams: Seams) -> str:
    return seams.random_bytes(6).hex()
