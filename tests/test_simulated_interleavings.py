"""Requests at once on PostgreSQL, interleaved by a seed: `qiaomen simulate --tier postgres` runs more."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.postgres import Server
from tests.simulation.at_once import AtOnce
from tests.simulation.bugs import planted
from tests.simulation.bugs_of_interleaving import INTERLEAVING
from tests.simulation.plan_at_once import plan_at_once
from tests.simulation.server_on_postgres import Stage, stage_on

SEEDS, SLICES = 20, 4
SAMPLE = {"a_page_is_two_moments": range(24)}
"""A planted fault that shows soon, and the seeds to try; `--tier postgres --bugs` tries all of them."""


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


def test_there_are_enough_planted_faults_of_interleaving() -> None:
    assert len(INTERLEAVING) >= 10
