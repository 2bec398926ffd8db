"""On PostgreSQL: the matrix again, by a role like any other, with the application's own check switched off.

Nothing foreign is read, because row-level security lets nothing foreign through; with that switched off as well,
each way of reading shows it, so that these tests can fail.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from app import access, pull
from app.identity.sign_ins import signed_in
from app.opening import open_database
from app.schema import migrate
from app.settings import Settings
from app.tables import Feed
from app.viewing import READER
from sync import seams
from tests.conftest import KEY
from tests.matrix import matrix_for_a_module
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
    if member:
        asyncio.run(migrated(Settings(database_url=as_role(server.url(name), role), key=KEY)))
    yield as_role(server.url(name), role)
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
        pull._REPLICA.c.seen_at, pull._REPLICA.c.received, pull._SERVER.c.epoch
    )
    monkeypatch.setattr(pull, "_STANDING", access.with_followed(standing.join(pull._SERVER, sa.true())))
