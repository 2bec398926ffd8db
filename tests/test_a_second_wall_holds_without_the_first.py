"""On PostgreSQL: the matrix again, by a role like any other, with the application's own check switched off.

Nothing foreign is read, because row-level security lets nothing foreign through; with that switched off as well,
each way of reading shows it, so that these tests can fail.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel
from typer.testing import CliRunner

from app import access, pull
from app.cli import app
from app.collections import COLLECTIONS
from app.commands import running
from app.database import Viewer
from app.doctor import findings
from app.identity.sign_ins import signed_in
from app.opening import CannotOpen, open_context, open_database
from app.postgres_transaction import _FIRST_TAGS, _PAGE_ROWS, PostgresTransaction
from app.schema import migrate
from app.settings import Settings
from app.tables import Feed
from app.viewing import READER, naming
from app.wall import OPEN, WALLED, gaps_in_wall
from sync import seams
from tests.conftest import KEY, opened
from tests.matrix import DOORS, Matrix, matrix_for_a_module
from tests.postgres import Server
from tests.test_nobody_is_shown_what_is_not_theirs import (
    test_a_list_shows_what_one_may_see_and_nothing_else,
    test_a_pull_from_the_beginning_brings_ones_own_feeds_and_no_others,
    test_lists_of_phones_accounts_grants_and_mutations_show_ones_own,
)
from tests.test_nobody_reaches_what_is_not_theirs import test_what_one_may_not_see_is_as_if_it_were_not
from tests.world import NEW_ID

__all__ = [
    "matrix_for_a_module",
    "test_a_list_shows_what_one_may_see_and_nothing_else",
    "test_a_pull_from_the_beginning_brings_ones_own_feeds_and_no_others",
    "test_lists_of_phones_accounts_grants_and_mutations_show_ones_own",
    "test_what_one_may_not_see_is_as_if_it_were_not",
]
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]


EVERY_FEED = sa.select(_FEED.c.home, _FEED.c.id.label("feed_id"))


@pytest.fixture(scope="module", name="url")
def url_of_a_role_like_any_other(postgres: Server, template: str) -> Iterator[str]:
    """A database owned by a role that may make neither roles nor databases, and bypass nothing."""
    with owned_database(postgres, member=True) as url:
        yield url


@contextmanager
def owned_database(server: Server, *, member: bool) -> Iterator[str]:
    name = f"test_{NEW_ID().hex}"
    role = server.prefix + name
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}' NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB")
    if member:
        server.execute(f"GRANT {READER} TO {role}")
    server.create_database(name)
    server.execute(f"ALTER DATABASE {server.prefix}{name} OWNER TO {role}")
    url = as_role(server.url(name), role)
    if member:
        with ThreadPoolExecutor(1) as thread:  # a test's own loop may be running in this one
            thread.submit(asyncio.run, migrated(Settings(database_url=url, key=KEY))).result()
    yield url
    server.drop_database(name)
    server.execute(f"DROP ROLE {role}")


def as_role(url: str, role: str) -> str:
    return sa.make_url(url).set(username=role, password=role).render_as_string(hide_password=False)


async def migrated(chosen: Settings) -> None:
    database = open_database(chosen, seams.real())
    try:
        await migrate(database)
    finally:
        await database.close()


@pytest.fixture(autouse=True)
def check_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks follows every feed, as far as app/access.py is asked."""
    monkeypatch.setattr(access, "following", lambda person, now: EVERY_FEED)
    for module in ("records", "writes"):
        monkeypatch.setattr(f"app.{module}.following", access.following)
    monkeypatch.setattr(access.Access, "may_read", lambda self, feeds: True)
    standing = signed_in(sa.bindparam("sign_in")).add_columns(
        pull._REPLICA.c.seen_at, pull._REPLICA.c.holdings_sum, pull._REPLICA.c.received, pull._SERVER.c.epoch
    )
    monkeypatch.setattr(pull, "_STANDING", access.with_followed(standing.join(pull._SERVER, sa.true())))


async def shown_to(matrix: Matrix, name: str) -> dict[str, int]:
    """How much of another community's, and of other people's, each way of reading shows."""
    phone, http = matrix.callers[name].phone, matrix.world.http
    far, home = matrix.held["households", "other community"], str(matrix.home("other community"))

    async def told(path: str) -> Any:
        answer = await http.get(path, headers=phone.headers)
        return answer.json() if answer.is_success else {}

    asked, pages = {"protocol": 1, "limit": 2000}, list[Any]()
    while not pages or not pages[-1].get("complete"):
        pages.append((await http.post("/v1/sync/pull", json=asked, headers=phone.headers)).json())
        asked["cursor"] = pages[-1]["cursor"]
    grants, enclaves = [(await told(f"/v1/{many}"))[many] for many in ("grants", "enclaves")]
    return {
        "feeds": sum(len(page["gained"]) for page in pages),
        "changes": sum(change["home"] == home for page in pages for change in page["changes"]),
        "list": sum(item["home"] == home for item in (await told("/v1/households"))["items"]),
        "filtered": len((await told(f"/v1/visits?household_id={far}"))["items"]),
        "record": len(await told(f"/v1/households/{far}")),
        "history": len((await told(f"/v1/households/{far}/history")).get("history", ())),
        "grants": sum(grant["person_id"] != str(matrix.callers[name].person) for grant in grants),
        "enclaves": len(enclaves),
    }


async def say(matrix: Matrix, *statements: str) -> None:
    async with matrix.world.context.database.transaction() as transaction:
        for statement in statements:
            await transaction.execute(sa.text(statement))


@pytest.mark.parametrize("name", ["stranger", "former"])
async def test_every_way_of_reading_shows_what_is_foreign_once_the_wall_is_down(
    name: str, matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def everywhere(*arguments: Any, **options: Any) -> list[str]:
        return ["/"]

    for module in ("grant_routes", "enclave_routes"):
        monkeypatch.setattr(f"app.{module}.paths_under", everywhere)
    await matrix.enclave("building_1", "community_2")
    assert not any((await shown_to(matrix, name)).values())
    await say(matrix, *(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY' for table in WALLED))
    try:
        assert all((await shown_to(matrix, name)).values())
        [wall] = [one async for one in findings(matrix.world.context.database) if one.check == "wall"]
        assert wall.ids == [*WALLED]
    finally:
        await say(matrix, *(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY' for table in WALLED))
    assert not any((await shown_to(matrix, name)).values())


async def counted(matrix: Matrix, viewer: Viewer) -> dict[str, int]:
    async with matrix.world.context.database.snapshot(viewer) as snapshot:
        return {name: len(await snapshot.rows(sa.text(f'SELECT 1 FROM "{name}"'))) for name in WALLED}


async def test_who_names_nobody_reads_no_row_of_any_walled_table(matrix: Matrix) -> None:
    await matrix.callers["worker"].phone.push({"id": "none"})
    await matrix.enclave("building_1", "community_2")
    assert all((await counted(matrix, "server")).values())
    assert not any((await counted(matrix, "nobody")).values())
    database = matrix.world.context.database
    for table in WALLED:
        async with database.glance("nobody") as glance:
            assert not await glance.fetch(sa.text(f'SELECT 1 FROM "{table}"'))
    stranger = matrix.world.context.seen_by(NEW_ID())
    assert not any((await counted(matrix, stranger)).values())


async def test_a_table_read_directly_shows_only_what_ones_feeds_list(matrix: Matrix) -> None:
    worker = matrix.callers["worker"]
    assert worker.person
    async with matrix.world.context.database.snapshot(matrix.world.context.seen_by(worker.person)) as snapshot:
        for name, collection in COLLECTIONS.items():
            ids = {row.id for row in await snapshot.rows(sa.select(collection.table.c.id))}
            for place in DOORS:
                may = worker.right_to(collection, place) != "no"
                assert (matrix.held[name, place] in ids) == may, (name, place)


async def test_what_was_named_is_forgotten_with_the_statement(matrix: Matrix) -> None:
    """The next who takes the connection, and forgets to say for whom, sees nothing."""
    context, entries = matrix.world.context, sa.text("SELECT pg_backend_pid() AS pid FROM feed_entry")
    person = matrix.callers["admin"].person
    assert person
    async with context.database.glance(context.seen_by(person)) as named:
        pids = {row.pid for row in await named.fetch(entries)}
    async with context.database.glance("nobody") as nameless:
        [row] = await nameless.fetch(sa.text("SELECT pg_backend_pid() AS pid"))
        assert not await nameless.fetch(entries)
    assert pids == {row.pid}


def test_every_table_is_walled_or_known_to_be_open() -> None:
    assert WALLED.keys().isdisjoint(OPEN)
    assert {*SQLModel.metadata.tables} - {*WALLED, *OPEN} == {"holding", "rebuild"}, "what nobody reads for a person"


@pytest.mark.parametrize(
    "statement", ["SELECT password FROM person", "DELETE FROM feed_entry", "UPDATE follow SET until = NULL"]
)
async def test_who_reads_for_people_can_not_write_and_sees_no_password(statement: str, matrix: Matrix) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with matrix.world.context.database.glance("nobody") as glance:
            await glance.fetch(sa.text(statement))


@pytest.mark.parametrize(
    ("statement", "types", "condition"),
    [
        (_PAGE_ROWS, "uuid[], bigint[], bigint[], bigint[], bigint[], int, bigint", "(seq > f.above)"),
        (_FIRST_TAGS, "uuid[], bigint[], bigint[]", "(seq >= n.seq)"),
    ],
)
async def test_what_pulls_read_is_found_by_its_index_after_its_viewer_was_named(
    statement: str, types: str, condition: str, matrix: Matrix
) -> None:
    """A condition that isn't leakproof would wait behind the policy, and each feed be read from its beginning."""
    nulls = ", ".join(["NULL"] * (types.count(",") + 3))
    async with matrix.world.context.database.snapshot("nobody") as snapshot:
        await snapshot.execute(sa.text("SET LOCAL plan_cache_mode = force_generic_plan"))
        assert isinstance(snapshot, PostgresTransaction)
        named = naming(statement, types.count(",") + 1)
        await snapshot.say(f"PREPARE asked ({types}, text, text) AS {named}")
        plan = [row[0] for row in await snapshot.driver.fetch(f"EXPLAIN (COSTS OFF) EXECUTE asked ({nulls})")]
        await snapshot.say("DEALLOCATE asked")
    [found] = [line for line in plan if condition in line]
    assert "Index Cond: ((home =" in found
    assert "(feed_id =" in found
    places = [place_of(plan, words) for words in ("CTE Scan on viewer", "(viewer.named IS NOT NULL)", "Scan using")]
    assert (plan[0], places) == ("Nested Loop", sorted(places))


@pytest.mark.parametrize("name", COLLECTIONS)
async def test_a_row_is_looked_up_among_the_entries_and_not_the_entries_read_for_it(name: str, matrix: Matrix) -> None:
    table = COLLECTIONS[name].table.name
    async with matrix.world.context.database.snapshot("nobody") as snapshot:
        plan = [row[0] for row in await snapshot.rows(sa.text(f"EXPLAIN (COSTS OFF) SELECT id FROM {table}"))]
    found = plan[place_of(plan, "on feed_entry entry") + 1]
    assert "Index Cond: ((home = " in found
    assert f"(record_id = {table}.id)" in found


def place_of(plan: list[str], words: str) -> int:
    return next(number for number, line in enumerate(plan) if words in line)


async def test_a_server_refuses_to_start_without_its_wall_and_says_what_to_do(postgres: Server, template: str) -> None:
    with owned_database(postgres, member=True) as url:
        chosen = Settings(database_url=url, key=KEY)
        database = open_database(chosen, seams.real())
        async with database.transaction() as transaction:
            await transaction.execute(sa.text("DROP POLICY wall ON visits"))
        with pytest.raises(CannotOpen, match=r"not in force \(visits\). Run `qiaomen migrate`"):
            await open_context(chosen, seams.real())
        await migrate(database)
        assert await gaps_in_wall(database) == []
        await database.close()


def test_who_may_not_make_the_role_is_told_what_an_administrator_is_to_say(
    postgres: Server, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owned_database(postgres, member=False) as url:
        monkeypatch.setattr(running, "settings", lambda: Settings(database_url=url, key=KEY))
        answer = CliRunner().invoke(app, ["migrate"])
        assert answer.exit_code == 1
        assert f"CREATE ROLE {READER} NOLOGIN; GRANT {READER} TO" in answer.stderr


async def test_the_embedded_store_has_no_second_wall_and_says_so(tmp_path: Path) -> None:
    async with opened(Settings(database_url=f"sqlite:///{tmp_path}/x.db", key=KEY)) as context:
        assert [one.differing async for one in findings(context.database) if one.check == "wall"] == []
