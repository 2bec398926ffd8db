"""Requests at once on PostgreSQL, interleaved by a seed: `qiaomen simulate --tier postgres` runs more."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import asyncpg
import pytest

from sync.seams import seeded
from tests.postgres import Server, start_server
from tests.simulation.at_once import AtOnce
from tests.simulation.backends import Backends
from tests.simulation.baton import Baton
from tests.simulation.bugs import planted
from tests.simulation.bugs_of_interleaving import INTERLEAVING
from tests.simulation.plan_at_once import plan_at_once
from tests.simulation.seats import Seat
from tests.simulation.server_on_postgres import Stage, stage_on

SEEDS, SLICES = 8, 4
SAMPLE = {
    "replica_is_not_locked": range(2),
    "a_page_is_two_moments": range(3, 6),
    "parents_are_not_held": range(17, 18),
}
"""Planted faults that show soon, and the seeds to try; `--tier postgres --bugs` tries all of them."""


@pytest.fixture(scope="module")
def stage(postgres: Server) -> Iterator[Stage]:
    """One prepared place, cloned for each seed."""
    made = stage_on(postgres)
    yield made
    made.close()


@pytest.mark.parametrize("part", range(SLICES))
def test_every_promise_holds_however_requests_interleave(stage: Stage, part: int) -> None:
    events: Counter[str] = Counter()
    for seed in range(part, SEEDS, SLICES):
        verdict = AtOnce(plan_at_once(seed), stage).run()
        assert not verdict.faults, f"qiaomen simulate --tier postgres --seeds 1 --from {seed}: {verdict.faults}"
        events += verdict.injected
    assert events["interleaved"]
    assert events["blocked"]


@pytest.mark.parametrize("bug", SAMPLE)
def test_a_planted_fault_of_interleaving_shows(stage: Stage, bug: str) -> None:
    with planted(bug):
        assert any(AtOnce(plan_at_once(seed), stage).run().faults for seed in SAMPLE[bug])


def test_the_seed_alone_says_whose_turn_it_is(stage: Stage, postgres: Server) -> None:
    async def asks(seconds: float) -> None:
        connection = await asyncpg.connect(postgres.base)
        for _ in range(6):
            await asyncio.sleep(seconds)
            await connection.fetch("SELECT pg_sleep($1)", seconds)
        await connection.close()

    def trace(seed: int, *paces: float) -> str:
        baton = Baton(seeded(seed), stage.watch)
        stage.place.loop.run_until_complete(baton.together({Seat(f"{n}"): asks(pace) for n, pace in enumerate(paces)}))
        return baton.trace

    assert trace(1, 0, 0.001, 0.004) == trace(1, 0.004, 0, 0.001) != trace(2, 0, 0.001, 0.004)


def test_a_seed_plays_again_as_it_did_however_soon_anybody_looks_who_is_held_up(stage: Stage) -> None:
    def trace(seed: int, soon_seconds: float) -> str:
        with patch("tests.simulation.baton.SOON_SECONDS", soon_seconds):
            return AtOnce(plan_at_once(seed), stage).run().trace

    first = trace(1, 0.002)
    assert trace(2, 0.002) != first
    assert trace(1, 0) == trace(1, 0.03) == first


def test_a_stopped_process_keeps_no_server_from_its_end() -> None:
    server = start_server()
    assert server.keeper

    async def stopped() -> int:
        connection = await asyncpg.connect(server.base)
        pid: int = connection.get_server_pid()
        Backends(connection).stop(pid)
        connection.terminate()
        return pid

    pid = asyncio.run(stopped())
    server.stop()
    assert server.keeper.poll() is not None
    assert not Path(f"/proc/{pid}").exists()


def test_there_are_enough_planted_faults_of_interleaving() -> None:
    assert len(INTERLEAVING) >= 10
