"""`qiaomen simulate --tier postgres`: seeds whose requests are at work at once, and what they came to."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from tests.memory import in_memory
from tests.postgres import running_server, start_server
from tests.simulation.at_once import AtOnce
from tests.simulation.bugs import planted
from tests.simulation.plan_at_once import plan_at_once
from tests.simulation.run import Verdict
from tests.simulation.server_on_postgres import Stage, stage_on

BUDGET = 200
"""Seeds in which each planted fault has to show."""
SEEDS = 100
COLLISIONS = {"40001": "not serialisable", "40P01": "deadlocked", "23505": "duplicate keys"}
SLOWEST = "what limits it: one statement at a time, each a round trip to PostgreSQL"


@contextmanager
def cluster() -> Iterator[None]:
    """A PostgreSQL server for this process and its children, in memory where that can be."""
    tempfile.tempdir = str(in_memory() or tempfile.gettempdir())
    with running_server() as server:
        os.environ["QIAOMEN_TEST_POSTGRES"] = server.base
        yield


@cache
def _stage() -> Stage:
    """This process's own."""
    return stage_on(start_server())


def one_at_once(seed: int) -> Verdict:
    """One seed of the product as it is."""
    return AtOnce(plan_at_once(seed), _stage()).run()


def told(verdicts: Iterator[Verdict], began: float) -> int:
    """Prints what came of them; 1 if any failed."""
    count = failed = requests = 0
    events: Counter[str] = Counter()
    for verdict in verdicts:
        count, failed = count + 1, failed + bool(verdict.faults)
        requests, events = requests + verdict.requests, events + verdict.injected
        for fault in verdict.faults:
            print(f"seed {verdict.seed}: {fault[:400]}", flush=True)
            print(f"  again: qiaomen simulate --tier postgres --seeds 1 --from {verdict.seed}", flush=True)
    collisions = ", ".join(f"{events[f'sqlstate {state}']:,} {name}" for state, name in COLLISIONS.items())
    turns, switched, blocked = (events[name] for name in ("statements", "interleaved", "blocked"))
    print(f"{count:,} seeds, {requests:,} requests, {failed} failed")
    print(f"  {turns:,} statements under the baton, {switched:,} between another request's, {blocked:,} blocked")
    print(f"  {collisions}; {events['repeated transactions']:,} transactions repeated")
    print(f"  {events['moved']:,} pages read again because a feed had moved, {events['snapshots']:,} in a snapshot")
    fates = ", ".join(f"{events[fate]:,} {fate}" for fate in ("before", "under way", "killed"))
    print(f"  ended at a statement: {fates}")
    print(f"  {count / (time.monotonic() - began) * 3600:,.0f} seeds an hour; {SLOWEST}")
    return 1 if failed else 0


class Hunt:
    """How many seeds until a planted fault shows, and as what."""

    def __init__(self, first: int, budget: int) -> None:
        self.first, self.budget = first, budget

    def __call__(self, name: str) -> tuple[int, str]:
        _stage()  # by the product as it is
        with planted(name):
            for count in range(self.budget):
                if faults := one_at_once(self.first + count).faults:
                    return count + 1, faults[0]
        return self.budget, ""
