"""`qiaomen simulate --tier postgres`: seeds whose requests are at work at once, and what they came to."""

import os
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

from tests.postgres import running_server, start_server
from tests.simulation.at_once import AtOnce
from tests.simulation.bugs import planted
from tests.simulation.bugs_of_interleaving import INTERLEAVING
from tests.simulation.place import in_memory
from tests.simulation.plan_at_once import plan_at_once
from tests.simulation.run import Verdict
from tests.simulation.server_on_postgres import Stage, stage_on

BUDGET = 50
"""Seeds in which each planted fault has to show."""
SEEDS = 100
COLLISIONS = {"40001": "not serialisable", "40P01": "deadlocked", "23505": "duplicate keys"}
SLOWEST = (
    "what limits it: one statement at a time, each a round trip to PostgreSQL, and a new database with new "
    "connections for each seed"
)


def main(asked: Namespace, jobs: int) -> int:
    """0 where everything held, and every planted fault that was asked for showed."""
    os.environ.setdefault("TMPDIR", str(in_memory() or "/tmp"))  # where the server's own files go
    with running_server() as cluster:
        os.environ["QIAOMEN_TEST_POSTGRES"] = cluster.base  # for this process's children, and for itself
        if asked.bugs or asked.bug:
            return _show_bugs([asked.bug] if asked.bug else [*INTERLEAVING], asked.first, asked.seeds or BUDGET)
        from tests.simulation.command import each  # noqa: PLC0415 - it imports this module

        seeds = range(asked.first, asked.first + (asked.seeds or SEEDS))
        return _told(each(one_at_once, seeds, jobs), time.monotonic())


@cache
def _stage() -> Stage:
    """This process's own."""
    return stage_on(start_server())


def one_at_once(seed: int) -> Verdict:
    """One seed of the product as it is."""
    return AtOnce(plan_at_once(seed), _stage()).run()


def _told(verdicts: Iterator[Verdict], began: float) -> int:
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
    print(f"  ended at a statement: {fates}; {events['strays']:,} seats waited for something else")
    print(f"  {count / (time.monotonic() - began) * 3600:,.0f} seeds an hour; {SLOWEST}")
    return 1 if failed else 0


def _show_bugs(names: Sequence[str], first: int, budget: int) -> int:
    """Each planted fault until it shows; 1 if one of them doesn't."""
    missed = 0
    for name in names:
        seeds, found = budget, ""
        with planted(name):
            for count in range(budget):
                if faults := one_at_once(first + count).faults:
                    seeds, found = count + 1, faults[0]
                    break
        print(f"{name:40} {f'after {seeds:>3} seeds: {found[:110]}' if found else f'not in {seeds} seeds'}", flush=True)
        missed += not found
    return 1 if missed else 0
