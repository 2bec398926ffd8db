"""The schema that migrations make is the one that the models say, on both stores, down and up again."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel

import app.collections
import app.tables  # noqa: F401 - imported, as app.collections is, for the tables they declare
from app.database import Database
from app.opening import CannotOpen, find_key, open_context, open_database
from app.schema import begin_epoch, ensure_server_row, migrate, move, schema_is_at_head
from app.settings import Settings
from sync import seams
from tests.postgres import running_server


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with running_server() as server:
        server.create_database("migrations")
        yield server.url("migrations")


@pytest.fixture(params=["sqlite", "postgres"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A store without any table."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_url") if postgres else f"sqlite:///{tmp_path}/empty.db"
    database = open_database(Settings(database_url=url, pool_size=2), seams.real())
    yield database
    async with database.transaction() as transaction:
        await transaction.connection.run_sync(lambda c: move(c, "base"))
        await transaction.execute(sa.text("DROP TABLE alembic_version"))
    await database.close()


def differences(connection: sa.Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [d for d in compare_metadata(context, SQLModel.metadata) if "alembic_version" not in str(d)]


async def test_migrations_make_what_the_models_say(empty: Database) -> None:
    assert not await schema_is_at_head(empty)
    await migrate(empty)
    assert await schema_is_at_head(empty)
    async with empty.snapshot("server") as snapshot:
        assert await snapshot.connection.run_sync(differences) == []


async def test_down_to_nothing_and_up_again(empty: Database) -> None:
    await migrate(empty)
    async with empty.transaction() as transaction:
        await transaction.connection.run_sync(lambda c: move(c, "base"))
        left = await transaction.connection.run_sync(lambda c: sa.inspect(c).get_table_names())
    assert left == ["alembic_version"]
    assert not await schema_is_at_head(empty)
    await migrate(empty)
    assert await schema_is_at_head(empty)


async def test_migrating_what_is_at_head_changes_nothing(empty: Database) -> None:
    await migrate(empty)
    server_id = await ensure_server_row(empty, empty.seams)
    await migrate(empty)
    assert await ensure_server_row(empty, empty.seams) == server_id


async def epoch_of(database: Database) -> str:
    async with database.snapshot("server") as snapshot:
        row = await snapshot.first(sa.text("SELECT epoch FROM server"))
    assert row is not None
    return str(row[0])


async def test_another_physical_history_begins_another_epoch(empty: Database) -> None:
    await migrate(empty)
    server_id = await ensure_server_row(empty, empty.seams)
    first = await epoch_of(empty)
    await ensure_server_row(empty, empty.seams)
    assert await epoch_of(empty) == first
    async with empty.transaction() as transaction:
        await transaction.execute(sa.text("UPDATE server SET system = 'another machine'"))
    assert await ensure_server_row(empty, empty.seams) == server_id
    second = await epoch_of(empty)
    assert second != first
    assert await begin_epoch(empty, empty.seams) == await epoch_of(empty) != second


async def test_a_postgresql_that_is_not_at_head_is_refused_with_what_to_run(postgres_url: str) -> None:
    with pytest.raises(CannotOpen, match="qiaomen migrate"):
        await open_context(Settings(database_url=postgres_url, key="k" * 32), seams.real())


@pytest.mark.parametrize("key", [None, "too short"])
def test_a_postgresql_without_a_long_key_is_refused_by_its_name(key: str | None) -> None:
    with pytest.raises(CannotOpen, match="QIAOMEN_KEY"):
        find_key(Settings(database_url="postgresql:///x", key=key), seams.real())


async def test_the_embedded_store_migrates_itself_and_keeps_its_key_to_its_owner(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/qiaomen.db", key=None)
    context = await open_context(settings, seams.real())
    await context.database.close()
    key = tmp_path / "qiaomen.key"
    assert key.stat().st_mode & 0o777 == 0o600
    again = await open_context(settings, seams.real())
    await again.database.close()
    assert (again.key, again.server_id) == (context.key, context.server_id)
    key.chmod(0o640)
    with pytest.raises(CannotOpen, match="chmod 600"):
        await open_context(settings, seams.real())


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "sqlite://", "sqlite:///no/such/folder/x.db"])
def test_a_store_we_do_not_know_is_refused_in_words(url: str) -> None:
    with pytest.raises(CannotOpen, match=r"sqlite:///|not a URL|does not exist"):
        open_database(Settings(database_url=url), seams.real())
