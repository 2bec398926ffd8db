"""F15: whichever statement of a push fails, nothing of it is half there, and sending it again is as if nothing was."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlmodel import SQLModel

from app.context import Context
from app.postgres import Postgres
from app.postgres_transaction import PostgresTransaction
from app.sqlite import Sqlite
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

MOST_STATEMENTS = 60


class Lost(ConnectionError):
    """What a server may repeat the whole transaction for."""


class Broken(Exception):
    """What it may not."""


class Fuse:
    """Counts what a writing transaction does, and blows at the k-th thing."""

    def __init__(self, at: int, error: type[Exception], after: bool) -> None:
        self.at, self.error, self.after, self.count = at, error, after, 0

    def before(self, *_: Any, **__: Any) -> None:
        self.count += 1
        if not self.after and self.count == self.at:
            raise self.error

    def behind(self, *_: Any, **__: Any) -> None:
        if self.after and self.count == self.at:
            self.at = 0  # it blows once
            raise self.error

    @property
    def blown(self) -> bool:
        return self.count >= self.at


@contextmanager
def fused(context: Context, fuse: Fuse, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every statement, savepoint and COMMIT of writing transactions goes through the fuse."""
    database = context.database
    assert isinstance(database, Postgres | Sqlite)
    engine = (database.engine if isinstance(database, Postgres) else database.writing).sync_engine
    # What is read goes another way: a glance on PostgreSQL, another engine on SQLite.
    listened = [
        ("before_cursor_execute", fuse.before),
        ("after_cursor_execute", fuse.behind),
        *([(step, fuse.before) for step in ("savepoint", "release_savepoint", "commit")]),
    ]
    if isinstance(database, Postgres):
        listened = listened[:2]
    for way in ("drive", "say"):
        monkeypatch.setattr(PostgresTransaction, way, _through(fuse, getattr(PostgresTransaction, way)))
    for name, listener in listened:
        event.listen(engine, name, listener)
    yield
    for name, listener in listened:
        event.remove(engine, name, listener)
    monkeypatch.undo()


def _through(fuse: Fuse, way: Callable[..., Any]) -> Callable[..., Any]:
    async def driven(self: PostgresTransaction, words: str, *parameters: Any) -> Any:
        if words == "ROLLBACK":
            return await way(self, words)
        fuse.before()
        rows = await way(self, words, *parameters)
        if words != "COMMIT":  # behind it, all is there: that is another promise
            fuse.behind()
        return rows

    return driven


class Case:
    """A push of seven mutations, that touches whatever a push can touch; each case has records and doors of its own."""

    def __init__(self, world: World, headers: dict[str, str]) -> None:
        self.world, self.headers = world, headers

    async def prepare(self) -> "Case":
        world = self.world
        self.door, self.gone, self.visit = NEW_ID(), NEW_ID(), NEW_ID()
        own, twin = str(self.door), NEW_ID()
        visit = {"household_id": str(self.door), "outcome": "opened", "note": "一。"}
        await self.send(
            [
                mutation(world, "households", self.door, fields=household(world, own)),
                mutation(world, "households", self.gone, fields=household(world, f"{own}gone")),
                mutation(world, "households", twin, fields=household(world, f"{own}new")),
                mutation(world, "visits", self.visit, fields=visit),
                self.edit(self.door, 1, door=f"{own}2"),
            ]
        )
        to = str(world.areas["unit_2"])
        made = NEW_ID()
        self.mutations = [
            mutation(world, "households", made, fields=household(world, f"{own}new")),  # looks like its twin
            self.edit(self.door, 1, door=f"{own}3"),  # conflicts
            self.edit(self.door, 1, best_time="evenings", area_id=to),  # moves it, its visit and its conflict
            self.edit(made, 1, note="二楼。"),
            mutation(world, "households", self.gone, "delete", 1),
            self.edit(made, 1, no_such_field=1),  # refused
            mutation(world, "visits", self.visit, "update", 1, fields={"note": "一。二。"}),
        ]
        return self

    def edit(self, record: UUID, base: int, **fields: Any) -> dict[str, Any]:
        return mutation(self.world, "households", record, "update", base, fields=fields)

    async def send(self, mutations: list[dict[str, Any]]) -> list[dict[str, Any]] | int:
        """The outcomes, or the status."""
        answer = await self.world.http.post("/v1/sync/push", json={"mutations": mutations}, headers=self.headers)
        if answer.status_code != 200:
            return answer.status_code
        outcomes: list[dict[str, Any]] = answer.json()["outcomes"]
        return outcomes

    async def push(self) -> list[dict[str, Any]] | int:
        return await self.send(self.mutations)


def shape(outcomes: list[dict[str, Any]] | int) -> list[Any]:
    """Outcomes without ids, which differ from case to case."""
    assert isinstance(outcomes, list), outcomes
    return [
        (o["outcome"], o.get("rev"), len(o.get("conflicts", [])), o.get("problem", {}).get("code")) for o in outcomes
    ]


async def everything(context: Context) -> dict[str, list[str]]:
    """Every row of every table."""
    async with context.database.snapshot("server") as snapshot:
        return {
            table.name: sorted(repr(tuple(row)) for row in await snapshot.rows(sa.select(table)))
            for table in SQLModel.metadata.sorted_tables
        }


async def told(context: Context, case: Case) -> dict[str, int]:
    """How many rows a case's mutations have left, by table."""
    ids = [UUID(m["id"]) for m in case.mutations]
    counts = {}
    async with context.database.snapshot("server") as snapshot:
        for name, column in (("received_mutation", "id"), ("history", "mutation_id")):
            table = SQLModel.metadata.tables[name]
            counts[name] = len(await snapshot.rows(sa.select(table).where(table.c[column].in_(ids))))
    return counts


@pytest.fixture
async def world(context: Context) -> World:
    world = await new_world(context)
    await world.add_person("worker")
    return world


async def clean(world: World, headers: dict[str, str]) -> tuple[list[Any], dict[str, int]]:
    """What a push undisturbed comes to."""
    case = await Case(world, headers).prepare()
    outcomes = shape(await case.push())
    names = [o[0] for o in outcomes]
    assert names == ["applied", "conflicted", "applied", "applied", "applied", "refused", "applied"], outcomes
    return outcomes, await told(world.context, case)


@pytest.mark.parametrize("after", [False, True], ids=["before", "behind"])
async def test_a_push_that_breaks_at_any_statement_leaves_nothing_and_can_be_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    headers = bearer(await world.phone_token("worker"))
    outcomes, counts = await clean(world, headers)
    for at in range(1, MOST_STATEMENTS):
        case = await Case(world, headers).prepare()
        held = await everything(world.context)
        fuse = Fuse(at, Broken, after)
        with fused(world.context, fuse, monkeypatch):
            answer = await case.push()
        if fuse.count < at:
            break
        if answer == 500:
            assert await everything(world.context) == held, f"statement {at}"
        assert shape(await case.push()) == outcomes, f"statement {at}"
        assert await told(world.context, case) == counts, f"statement {at}"
    assert at > 15
    assert at < MOST_STATEMENTS - 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "behind"])
async def test_a_connection_lost_at_any_statement_is_not_even_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    headers = bearer(await world.phone_token("worker"))
    outcomes, counts = await clean(world, headers)
    for at in range(1, MOST_STATEMENTS):
        case = await Case(world, headers).prepare()
        fuse = Fuse(at, Lost, after)
        with fused(world.context, fuse, monkeypatch):
            answer = await case.push()
        assert shape(answer) == outcomes, f"statement {at}"
        assert await told(world.context, case) == counts, f"statement {at}"
        if fuse.count < at:
            break
    assert at > 15


async def test_a_commit_whose_answer_is_lost_is_one_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = bearer(await world.phone_token("worker"))
    outcomes, counts = await clean(world, headers)
    case = await Case(world, headers).prepare()
    database = type(world.context.database)
    transaction, lost = database.transaction, iter([True])

    @asynccontextmanager
    async def forgotten(self: Any) -> AsyncIterator[Any]:
        async with transaction(self) as opened:
            yield opened
        if next(lost, False):
            raise Lost

    monkeypatch.setattr(database, "transaction", forgotten)
    answer = await case.push()
    assert isinstance(answer, list)
    assert all(outcome["replayed"] for outcome in answer)
    assert shape(answer) == outcomes
    assert await told(world.context, case) == counts
