"""`qiaomen bench` measures what it says: its past is a real one, its figures are of this run, a miss is a miss."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.benchmark.bare import COPY, BarePostgres, BareSqlite, bare_connection
from app.benchmark.figures import Figure, Timed, beside, table_of
from app.benchmark.ground import Ground, Phone, lay_ground, sign_in_phones
from app.benchmark.keepalive import BadAnswer, KeepAlive, as_request
from app.benchmark.preload import preload
from app.benchmark.run import MEASURES
from app.benchmark.visits import VISITS, Knocks, Visit, as_push, as_row
from app.context import Context
from app.main import create_app
from app.settings import Settings
from app.tables import Feed, FeedEntry, FeedMark, History, ReceivedMutation
from sync.canonical import DIGEST_MODULUS
from tests.conftest import KEY
from tests.contract import client_of
from tests.world import bearer

TOP = Path(__file__).parent.parent
LONGEST_SECONDS = 240
TABLES: tuple[sa.Table, ...] = (
    VISITS.table,
    *(kind.__table__ for kind in (FeedEntry, History, ReceivedMutation)),  # type: ignore[attr-defined]
)
OF_THE_MOMENT = {"seq", "hash", "content", "digest", "tag"}


class SameKnocks(Knocks):
    """Gives the same visits twice, under other ids."""

    def visits(self, count: int, households: Sequence[str]) -> list[Visit]:
        new_id = self._world.new_id
        if not hasattr(self, "first"):
            self.first = super().visits(count, households)
            return self.first
        return [Visit(new_id(), new_id(), visit.fields, visit.made_at) for visit in self.first]


async def test_a_preloaded_past_is_row_for_row_what_pushing_it_would_have_left(context: Context) -> None:
    ground = await lay_ground(context, buildings=2, doors=3)
    [phone] = await sign_in_phones(ground, 1)
    knocks = SameKnocks(context.seams, "test")
    await preload(ground, phone, knocks, 7, ground.buildings[:1])
    preloaded = await rows_of(ground)
    pushed_visits = knocks.visits(7, ())
    await push(context, phone, pushed_visits, ground)
    pushed = await rows_of(ground, besides=preloaded)
    names = {
        str(new): str(old)
        for one, other in zip(pushed_visits, knocks.first, strict=True)
        for new, old in ((one.id, other.id), (one.mutation, other.mutation))
    }
    for table in TABLES:
        expected = sorted(spelled(row, names) for row in pushed[table.name])
        assert sorted(spelled(row, names) for row in preloaded[table.name]) == expected, table.name
        assert len(expected) == 7
    await require_true_feed(ground)


async def push(context: Context, phone: Phone, visits: Sequence[Visit], ground: Ground) -> None:
    body = as_push(ground.home, visits).model_dump_json(exclude_unset=True)
    headers = {**bearer(phone.token()), "Content-Type": "application/json"}
    async with client_of(create_app(context)) as http:
        answer = await http.post("/v1/sync/push", content=body, headers=headers)
    assert [outcome["outcome"] for outcome in answer.json()["outcomes"]] == ["applied"] * len(visits)


Held = dict[str, list[dict[str, Any]]]


async def rows_of(ground: Ground, besides: Held | None = None) -> Held:
    """The rows of visits in every table that keeps something of one."""
    known = besides or {table.name: [] for table in TABLES}
    async with ground.context.database.snapshot("server") as snapshot:
        held = {table.name: [dict(row._mapping) for row in await snapshot.rows(sa.select(table))] for table in TABLES}
    return {
        name: [row for row in rows if row not in known[name] and row.get("collection", "visits") == "visits"]
        for name, rows in held.items()
    }


def spelled(row: dict[str, Any], names: dict[str, str]) -> str:
    """A row without what belongs to its moment, times as there or not there, ids as the other's."""
    kept = {}
    for name, value in sorted(row.items()):
        if name in OF_THE_MOMENT:
            kept[name] = type(value).__name__
        elif name.endswith("_at") and name != "visited_at":
            kept[name] = str(value is not None)
        elif name == "at":
            kept[name] = "a time"
        else:
            kept[name] = value.decode().rpartition(',"hash"')[0] if isinstance(value, bytes) else value
    text = json.dumps(kept, sort_keys=True, default=str)
    for new, old in names.items():
        text = text.replace(new, old)
    return text


async def require_true_feed(ground: Ground) -> None:
    """The feed's digest is that of its live entries, its head the newest, and a mark stands there."""
    feed_table, entry, mark = (kind.__table__ for kind in (Feed, FeedEntry, FeedMark))  # type: ignore[attr-defined]
    feed_id = ground.buildings[0].feed
    async with ground.context.database.snapshot("server") as snapshot:
        feed = await snapshot.first(sa.select(feed_table).where(feed_table.c.id == feed_id))
        entries = await snapshot.rows(sa.select(entry).where(entry.c.feed_id == feed_id))
        marks = await snapshot.rows(sa.select(mark).where(mark.c.feed_id == feed_id).order_by(mark.c.seq))
    assert feed is not None
    assert feed.digest == sum(one.hash for one in entries) % DIGEST_MODULUS
    assert feed.head == max(one.seq for one in entries) == marks[-1].seq
    assert feed.tag == marks[-1].tag


async def test_the_limit_of_a_push_writes_the_same_rows_under_the_same_indexes(
    context: Context, database_url: str, tmp_path: Path
) -> None:
    ground = await lay_ground(context, buildings=1, doors=3)
    [phone] = await sign_in_phones(ground, 1)
    knocks = Knocks(context.seams, "test")
    await preload(ground, phone, knocks, 5, ground.buildings)
    visits = knocks.visits(7, ground.buildings[0].households)
    rows = [as_row(visit, ground.home, ground.buildings[0].id, phone.person, visit.made_at) for visit in visits]
    async with bare_connection(Settings(database_url=database_url, key=KEY), tmp_path / "bare.db") as bare:
        await bare.copy()
        await bare.insert(bare.as_batch(rows))
        async with context.database.transaction() as transaction:
            await transaction.insert(VISITS.table, rows)
        if isinstance(bare, BarePostgres):
            for one, other in (("visits", COPY), (COPY, "visits")):
                assert await bare.connection.fetch(f"SELECT * FROM {one} EXCEPT SELECT * FROM {other}") == []
            indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = $1"
            assert (
                await bare.connection.fetchval(indexes, COPY) == await bare.connection.fetchval(indexes, "visits") > 1
            )
        else:
            assert isinstance(bare, BareSqlite)
            said = "SELECT * FROM visits ORDER BY id"
            ours, theirs = (line.execute(said).fetchall() for line in (bare.connection, bare.writing))
            assert ours == theirs
            made = "SELECT sql FROM sqlite_master WHERE tbl_name = 'visits' ORDER BY name"
            ours, theirs = (line.execute(made).fetchall() for line in (bare.connection, bare.writing))
            assert ours == theirs
        assert len(await bare.stored_bodies(ground.home, ground.buildings[0].feed, 0, 500)) == 5 + 3


def test_what_is_missed_or_could_not_be_measured_is_never_called_met() -> None:
    assert Figure("a", 10, "x", limit=100, at_least=0.1).met
    assert not Figure("a", 9, "x", limit=100, at_least=0.1).met
    assert not Figure("a", None, "x", at_least=0.1).met
    assert Figure("a", 80, "MB", at_most=80).met
    assert not Figure("a", 81, "MB", at_most=80).met
    assert Figure("a", 5, "x").met is None


def test_a_figure_is_the_median_round_and_its_percentiles_are_of_all_rounds() -> None:
    ours = [Timed(100, seconds, [seconds / 2] * 2, 0.1) for seconds in (1, 2, 50)]
    figure = beside("a", ours, [Timed(100, 1, [1])] * 3, unit="records/s")
    assert (figure.ours, figure.limit, figure.value) == (50, 100, 0.5)
    assert (figure.p50_milliseconds, figure.p99_milliseconds) == (1000, 25_000)
    assert figure.cpu_microseconds == pytest.approx(1000)
    assert "0.5" in table_of([figure])


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 -\r\nRetry-After: 2\r\nContent-Length: 4\r\n\r\nwait", b""])
async def test_a_connection_that_was_closed_between_two_requests_is_opened_again_and_only_then(answer: bytes) -> None:
    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve_once, "127.0.0.1", 0)
    async with server, KeepAlive(server.sockets[0].getsockname()[1]) as line:
        for _ in range(3):
            if answer:
                said = await line.ask(as_request("/", "token"))
                assert (said.status, said.body, said.retry_after_seconds) == (503, b"wait", 2)
            else:
                with pytest.raises(BadAnswer):
                    await line.ask(as_request("/", "token"))


def bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "bench", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TOP), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST_SECONDS,
        check=False,
    )


def test_a_quick_run_has_a_figure_for_every_measure_and_its_exit_code_tells_of_a_miss(tmp_path: Path) -> None:
    told = bench(tmp_path, "--quick", "--json", "figures.json")
    said = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    figures = {row["measure"]: row for row in said["figures"]}
    assert said["quick"]
    assert said["store"] == "sqlite"
    for name in MEASURES:
        assert any(measure.startswith(name) for measure in figures), name
        assert name in told.stdout
    for row in figures.values():
        assert row["ours"] is None or row["ours"] > 0
        assert row["ours"] is not None or row["note"], "what isn't measured says why"
    assert told.returncode == int(any(row["met"] is False for row in figures.values()))


def test_a_database_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "used.db").touch()
    told = bench(tmp_path, "--quick", "--database", "sqlite:///used.db")
    assert told.returncode == 1
    assert "of its own" in told.stderr
    assert (tmp_path / "used.db").read_bytes() == b""
