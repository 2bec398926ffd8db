"""Bad days from seeds: whatever fails, and in whatever order, the promises hold. `qiaomen simulate` runs more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS, planted
from tests.simulation.command import ruled, simulated
from tests.simulation.plan import Plan, plan_of
from tests.simulation.run import Simulation

SEEDS, SLICES = 60, 10
TRACES = sorted((Path(__file__).parent / "simulation" / "traces").glob("*.json"))
SAMPLE = (
    "no_dedupe",
    "last_writer_wins",
    "page_end_jumps_to_the_head",
    "ended_grants_still_read",
    "refusals_are_dropped",
)
"""A planted fault of every kind that shows within a few seeds; `qiaomen simulate --bugs` tries all of them."""


@pytest.mark.parametrize("part", range(SLICES))
def test_every_promise_holds_on_a_bad_day(part: int) -> None:
    for seed in range(part, SEEDS, SLICES):
        verdict = simulated(seed)
        assert not verdict.faults, f"qiaomen simulate --seeds 1 --from {seed}: {verdict.faults}"
        assert verdict.rounds <= 5


@pytest.mark.parametrize("trace", TRACES, ids=[path.stem for path in TRACES])
def test_what_once_broke_holds(trace: Path) -> None:
    plan = Plan.from_json(trace.read_text())
    assert not Simulation(plan).run().faults


@pytest.mark.parametrize("trace", TRACES, ids=[path.stem for path in TRACES])
def test_what_once_broke_breaks_again_without_its_mending(trace: Path) -> None:
    with planted(trace.stem):
        assert Simulation(Plan.from_json(trace.read_text())).run().faults


@pytest.mark.parametrize("bug", SAMPLE)
def test_a_planted_fault_shows(bug: str) -> None:
    with planted(bug):
        assert any(Simulation(plan_of(seed)).run().faults for seed in range(20))


def test_the_rules_alone_hold_on_many_days() -> None:
    faults = [verdict.faults for verdict in map(ruled, range(5_000)) if verdict.faults]
    assert not faults


@pytest.mark.parametrize("bug", ["last_writer_wins", "delete_beats_an_unseen_edit", "text_merge_takes_the_later"])
def test_a_fault_planted_in_the_rules_shows_in_them_alone(bug: str) -> None:
    with planted(bug):
        assert any(ruled(seed).faults for seed in range(500))


def test_there_are_enough_planted_faults() -> None:
    assert len(BUGS) >= 40


def test_the_same_seed_is_the_same_day_in_every_process() -> None:
    code = "from tests.simulation.command import simulated; print([simulated(seed).trace for seed in (3, 7, 11)])"
    traces = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(traces) == 1, traces
