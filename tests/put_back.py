"""A database that many tests use, one after the other, each finding it as the first one did.

Whatever closes it, cuts its connections or changes its schema asks for `database_url`, and has one of its own.
"""

import asyncpg
import sqlalchemy as sa
from sqlmodel import SQLModel

from app.collections import COLLECTIONS
from app.database import Database

assert COLLECTIONS, "every table is declared"


async def learn_to_put_back(url: str) -> None:
    """What the database holds now is what it goes back to."""
    names = [table.name for table in SQLModel.metadata.sorted_tables]
    connection = await asyncpg.connect(url)
    try:
        full = [name for name in names if await connection.fetchval(f'SELECT EXISTS (SELECT FROM public."{name}")')]
        copies = [f'CREATE TABLE as_it_was."{name}" AS TABLE public."{name}"' for name in full]
        await connection.execute("; ".join(["CREATE SCHEMA as_it_was", *copies]))
        deletes = [f'DELETE FROM public."{name}"' for name in reversed(names)]
        inserts = [f'INSERT INTO public."{name}" TABLE as_it_was."{name}"' for name in full]
        # Whoever left something open is told, and not the next for ever kept waiting.
        words = "; ".join(["PERFORM set_config('lock_timeout', '5s', true)", *deletes, *inserts])
        await connection.execute(
            f"CREATE FUNCTION as_it_was.put_back() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {words}; END $$"
        )
    finally:
        await connection.close()


async def put_back(database: Database) -> None:
    """It holds that again, and nothing else."""
    async with database.transaction() as transaction:
        await transaction.rows(sa.select(sa.func.as_it_was.put_back()))
