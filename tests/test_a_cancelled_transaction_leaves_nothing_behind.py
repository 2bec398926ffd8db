"""Whenever a request is cancelled, its connection goes back to the pool without a transaction, or not at all."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from asyncpg.protocol import Protocol

from app.context import Context
from app.database import meanwhile
from app.postgres import Postgres
from app.postgres_transaction import PostgresTransaction
from app.tables import Feed

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database_url")]
OPEN = sa.text(
    "SELECT count(*) AS open FROM pg_stat_activity"
    " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
)


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
@pytest.mark.parametrize("said", ["ROLLBACK", "COMMIT", "BEGIN"])
async def test_no_transaction_is_left_open(context: Context, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled when it is about to say so: the driver may still be waiting for an earlier cancellation."""
    assert isinstance(context.database, Postgres)
    say = PostgresTransaction.say

    async def cancelled_saying(transaction: PostgresTransaction, words: str) -> None:
        if words.startswith(said):
            monkeypatch.undo()
            raise asyncio.CancelledError
        await say(transaction, words)

    async def fails() -> None:
        async with context.database.transaction() as transaction:
            await transaction.rows(sa.text("SELECT 1"))
            if said == "ROLLBACK":
                raise ValueError

    monkeypatch.setattr(PostgresTransaction, "say", cancelled_saying)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(fails())
    async with context.database.glance("server") as elsewhere:
        assert (await elsewhere.fetch_first(OPEN)).open == 0


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
async def test_a_cancelled_glance_holds_no_table(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the parsing of a statement, which takes its tables, and the sending of it, which lets go of them."""

    async def never(*arguments: Any, **options: Any) -> Any:
        parsed.set()
        await asyncio.Event().wait()

    async def glances() -> None:
        async with context.database.glance("nobody") as reader:
            await reader.fetch(sa.select(Feed.head))

    parsed = asyncio.Event()
    async with context.database.glance("nobody") as connected:
        await connected.fetch(OPEN)
    with monkeypatch.context() as patched:
        patched.setattr(Protocol, "bind_execute", never)
        glancing = asyncio.create_task(glances())
        await parsed.wait()
        glancing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await glancing
    async with context.database.transaction() as ddl:
        await ddl.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        await ddl.execute(sa.text("LOCK TABLE feed IN ACCESS EXCLUSIVE MODE"))


async def test_what_is_done_meanwhile_is_over_when_it_is_cancelled() -> None:
    over = asyncio.Event()

    async def statement() -> Any:
        try:
            await asyncio.sleep(3600)
        finally:
            over.set()

    doing = asyncio.create_task(meanwhile(statement(), lambda: None))
    await asyncio.sleep(0)  # it waits for the statement to be on its way
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert over.is_set()
