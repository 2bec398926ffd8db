"""A store cut into partitions by home: what is asked for one home reads and writes one partition of each table.

PostgreSQL itself says which it touched: every statement's plan, as it was run, comes back as a notice (auto_explain).
"""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.cli import app
from app.commands import running
from app.doctor import findings
from app.opening import open_database
from app.partitions import CannotCut, led_by_home, partitions_of
from app.schema import migrate
from app.settings import Settings
from app.wall import lower_wall
from sync import seams
from tests.conftest import KEY, opened
from tests.postgres import Server
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household, mutation, new_world

PARTS = 16
QUIET = {
    "affiliations", "answers", "blocks", "campaigns", "care_plans", "cases", "codes", "deliveries", "follow_ups",
    "members", "organisations", "patrol_logs", "preferences", "residents", "sponsorships", "tag_grounds",
}  # fmt: skip
"""Collections that nobody asks about here; what is asked of them is what is asked of the others."""
TOLD = {
    "session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off", "auto_explain.log_format": "json", "auto_explain.log_level": "notice",
}  # fmt: skip


Touched = dict[str, dict[str, set[str]]]
"""Statement → table → its partitions."""


class Plans:
    """What the latest run of each statement touched."""

    def __init__(self) -> None:
        self.touched: Touched = {}

    def note(self, fields: dict[str, str], query: str) -> None:
        found = re.search(r"plan:\n(.*)", fields["M"], re.DOTALL)
        if found is None:
            return
        said = json.loads(found[1])
        touched: dict[str, set[str]] = defaultdict(set)
        for node in nodes_of(said["Plan"]):
            part = re.fullmatch(r"(.*)_(\d+)", node.get("Relation Name", ""))
            if part and node.get("Actual Loops", 1):
                touched[part[1]].add(part[2])
        self.touched[said["Query Text"]] = touched


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes_of(below)


@dataclass
class Place:
    """A place in a store of partitions, a phone, and what PostgreSQL says of its statements."""

    world: World
    phone: RawPhone
    plans: Plans


@pytest.fixture
async def place(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    plans = Plans()
    with empty_database(postgres) as (name, url):
        chosen = Settings(database_url=url, key=KEY, pool_size=1)  # so that one connection plans, and keeps plans
        await migrated(chosen, PARTS)
        for setting, value in TOLD.items():
            postgres.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
        monkeypatch.setattr(asyncpg.connection.Connection, "_process_log_message", plans.note)
        async with opened(chosen) as context:
            world = await new_world(context)
            yield Place(world, await phone_of(world, "wang"), plans)
            await world.http.aclose()


@contextmanager
def empty_database(server: Server) -> Iterator[tuple[str, str]]:
    """Its name and its URL."""
    name = f"test_{NEW_ID().hex}"
    server.create_database(name)
    yield f"{server.prefix}{name}", server.url(name)
    server.drop_database(name)


async def migrated(chosen: Settings, parts: int | None) -> None:
    database = open_database(chosen, seams.real())
    try:
        await migrate(database, parts)
    finally:
        await database.close()


async def test_every_hot_statement_touches_one_partition_for_each_home(place: Place) -> None:
    doors = [NEW_ID() for _ in range(5)]
    for door in doors:
        await place.phone.apply("households", door, fields=household(place.world, str(door)))
    for _ in range(12):  # by then a statement that keeps its plan has one for every value
        place.plans.touched.clear()
        await a_morning(place, doors)
    touched = place.plans.touched
    hot = {table.name for table in led_by_home()} - QUIET
    assert hot <= {table for tables in touched.values() for table in tables}
    # What names its home touches one; a person's own feeds are of two: the community's, and the root's above it.
    of_one_home = [
        words for words in touched if re.search(r"home = (\$1|asked\.home)\b", words) and "follow" not in words
    ]
    assert len(of_one_home) >= 8
    assert more_than(1, {words: touched[words] for words in of_one_home}) == {}
    assert more_than(2, touched) == {}


def more_than(most: int, touched: Touched) -> Touched:
    return {words: tables for words, tables in touched.items() if max(map(len, tables.values()), default=0) > most}


async def a_morning(place: Place, doors: list[UUID]) -> None:
    """Pushes that create, change and contest; pulls; lists, one record, its history."""
    world, phone = place.world, place.phone
    visits = [{"household_id": str(door), "outcome": "opened", "note": "在家。"} for door in doors]
    await phone.push(*(mutation(world, "visits", NEW_ID(), fields=fields) for fields in visits))
    rev = (await phone.get("households", doors[0]))["rev"]
    for _ in range(2):
        await phone.say("households", doors[0], "update", rev, fields={"door": NEW_ID().hex})
    await phone.pull()
    for path in ("", "?limit=2", f"/{doors[0]}", f"/{doors[0]}/history"):
        answer = await world.http.get(f"/v1/households{path}", headers=phone.headers)
        assert answer.status_code == 200


async def test_it_is_chosen_once_for_an_empty_database(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with empty_database(postgres) as (_, url):
        chosen = Settings(database_url=url, key=KEY)
        await migrated(chosen, None)
        await migrated(chosen, PARTS)
        await migrated(chosen, PARTS)
        with pytest.raises(CannotCut, match="cut into 16 partitions; that number can't be changed"):
            await migrated(chosen, 8)
        async with opened(chosen) as context:
            assert [one.check async for one in findings(context.database) if one.differing] == []
            async with context.database.transaction() as transaction:
                assert await transaction.connection.run_sync(partitions_of) == PARTS
                # A table that a later release brings comes whole.
                await transaction.connection.run_sync(lower_wall)
                await transaction.execute(sa.text("DROP TABLE visits"))
                await transaction.execute(sa.text("CREATE TABLE visits (home uuid)"))
        await migrated(chosen, None)
        async with opened(chosen) as context, context.database.snapshot("server") as snapshot:
            row = await snapshot.first(sa.text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'visits'::regclass"))
            assert row is not None
            assert row[0] == PARTS


async def test_what_holds_rows_is_refused_and_stays_as_it_is(postgres: Server) -> None:
    with empty_database(postgres) as (_, url):
        chosen = Settings(database_url=url, key=KEY)
        await migrated(chosen, None)
        async with opened(chosen) as context:
            await (await new_world(context)).http.aclose()
        with pytest.raises(CannotCut, match="holds rows; only an empty database"):
            await migrated(chosen, PARTS)
        async with opened(chosen) as context, context.database.transaction() as transaction:
            assert await transaction.connection.run_sync(partitions_of) == 0


def test_the_embedded_store_has_no_partitions_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "settings", lambda: Settings(database_url=f"sqlite:///{tmp_path}/x.db", key=KEY))
    answer = CliRunner().invoke(app, ["migrate", "--partitions", "16"])
    assert (answer.exit_code, answer.stderr.strip()) == (1, "Only PostgreSQL has partitions.")
