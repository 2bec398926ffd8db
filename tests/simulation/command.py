"""`python -m tests.simulation`, which is what `qiaomen simulate` runs.

qiaomen simulate                          the application on SQLite, 200 seeds from 0
qiaomen simulate --seeds 1 --from 4711    one seed again, as a failure names it
qiaomen simulate --tier core              the rules alone, for volume
qiaomen simulate --tier postgres          requests at once, their statements interleaved
qiaomen simulate --bug no_dedupe          until a planted fault shows;  --bugs: every one of them
qiaomen simulate --replay FILE            a plan that was made short and kept
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from tests.simulation import command_at_once
from tests.simulation.bugs import BUGS, planted
from tests.simulation.bugs_of_interleaving import INTERLEAVING
from tests.simulation.core import Core
from tests.simulation.plan import Plan, plan_of
from tests.simulation.run import Simulation
from tests.simulation.shrink import shrunk
from tests.simulation.verdict import Verdict

NAMES = sorted(BUGS | INTERLEAVING)
BUDGET = 200
"""Seeds in which each planted fault has to show."""
TOLD_EVERY = 1000
"""Seeds: a night is long."""
TRACES = Path(__file__).with_name("traces")
A, B = TypeVar("A"), TypeVar("B")
SLOWEST = "the application's own SQL and JSON, on one thread a process"


def main(arguments: list[str]) -> int:
    """0 where everything held, and every planted fault that was asked for showed."""
    asked = _parser().parse_args(arguments)
    if asked.tier == "postgres" or asked.bug in INTERLEAVING:
        with command_at_once.cluster():
            return _at_once(asked)
    if asked.replay:
        return _told([_one_of(Plan.from_json(Path(asked.replay).read_text()), asked.bug)], 0.0)
    if asked.bugs or asked.bug:
        return show_bugs([asked.bug] if asked.bug else [*BUGS], Hunt(asked.first, asked.seeds or BUDGET), asked.jobs)
    seeds = range(asked.first, asked.first + (asked.seeds or 200))
    began = time.monotonic()
    if asked.tier == "core":
        return _told(each(ruled, seeds, asked.jobs, at_once=1_000), began, limit="the rules themselves")
    return _told(each(simulated, seeds, asked.jobs), began)


def _at_once(asked: argparse.Namespace) -> int:
    if asked.bugs or asked.bug:
        budget = asked.seeds or command_at_once.BUDGET
        names = [asked.bug] if asked.bug else [*INTERLEAVING]
        return show_bugs(names, command_at_once.Hunt(asked.first, budget), asked.jobs)
    seeds, began = range(asked.first, asked.first + (asked.seeds or command_at_once.SEEDS)), time.monotonic()
    return command_at_once.told(each(command_at_once.one_at_once, seeds, asked.jobs), began)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qiaomen simulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tier", choices=["core", "full", "postgres"], default="full")
    parser.add_argument("--seeds", type=int, help="how many; 200 unless told, and of a bug as many as it takes")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="SEED")
    parser.add_argument("--bug", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--bugs", action="store_true", help="every planted fault, each until it shows")
    parser.add_argument("--replay", metavar="FILE")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    return parser


def simulated(seed: int) -> Verdict:
    """One seed of the product as it is."""
    return Simulation(plan_of(seed)).run()


def ruled(seed: int) -> Verdict:
    """One seed of the rules alone."""
    return Core(seed).run()


def _one_of(plan: Plan, bug: str | None) -> Verdict:
    with planted(bug):
        return Simulation(plan).run()


def each(work: Callable[[A], B], over: Sequence[A], jobs: int, at_once: int = 1) -> Iterator[B]:
    """In their order, in as many processes."""
    if jobs == 1:
        yield from map(work, over)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(work, over, chunksize=at_once)


def _told(verdicts: "Iterator[Verdict] | list[Verdict]", began: float, limit: str = SLOWEST) -> int:
    """Prints what came of them; 1 if any failed."""
    count, requests, wasted, healing = 0, 0, 0, 0
    rounds: list[int] = []
    injected: Counter[str] = Counter()
    failed: list[Verdict] = []
    for verdict in verdicts:
        count += 1
        requests, wasted, healing = requests + verdict.requests, wasted + verdict.wasted, healing + verdict.healing
        injected += verdict.injected
        rounds.append(verdict.rounds)
        if verdict.faults:
            failed.append(verdict)
            _tell_failure(verdict)
        if count % TOLD_EVERY == 0:
            print(f"{count:,} seeds so far, {len(failed)} failed", file=sys.stderr, flush=True)
    print(f"{count:,} seeds, {requests:,} requests, {injected.total():,} faults injected, {len(failed)} failed")
    rounds.sort()
    if healing:
        print("  " + ", ".join(f"{name} {number:,}" for name, number in injected.most_common()))
        p99 = rounds[min(len(rounds) - 1, len(rounds) * 99 // 100)]
        traffic = healing / max(1, healing - wasted)
        print(f"  at rest after {p99} rounds (p99), {rounds[-1]} at most; {traffic:.2f} × the traffic needed")
    if began:
        seconds = time.monotonic() - began
        print(f"  {count / seconds * 3600:,.0f} seeds an hour; what limits it: {limit}")
    return 1 if failed else 0


def _tell_failure(verdict: Verdict) -> None:
    for fault in verdict.faults:
        print(f"seed {verdict.seed}: {fault[:400]}", flush=True)
    if verdict.plan is None:
        return
    print(f"  again: qiaomen simulate --seeds 1 --from {verdict.seed}", flush=True)
    short = shrunk(verdict.plan, verdict.faults[0])
    path = Path(f"seed-{verdict.seed}.json")
    path.write_text(short.as_json() + "\n")
    print(
        f"  {len(verdict.plan.actions)} actions made {len(short.actions)}: qiaomen simulate --replay {path}", flush=True
    )


def show_bugs(names: list[str], hunt: Callable[[str], tuple[int, str]], jobs: int) -> int:
    """Each planted fault until it shows; 1 if one of them doesn't."""
    found: list[int] = []
    missed = []
    for name, (seeds, fault) in zip(names, each(hunt, names, jobs), strict=True):
        print(f"{name:40} {f'after {seeds:>3} seeds: {fault[:110]}' if fault else f'not in {seeds} seeds'}", flush=True)
        (found if fault else missed).append(seeds)  # type: ignore[attr-defined]
    found.sort()
    if found:
        print(
            f"{len(found)} of {len(names)} caught, after {found[len(found) // 2]} seeds (median), {found[-1]} at most"
        )
    return 1 if missed else 0


class Hunt:
    """How many seeds until a planted fault shows, and as what. One that was found in the product, and whose trace
    was kept, is looked for in that first.
    """

    def __init__(self, first: int, budget: int) -> None:
        self.first, self.budget = first, budget

    def __call__(self, name: str) -> tuple[int, str]:
        trace = TRACES / f"{name}.json"
        if trace.exists() and (faults := _one_of(Plan.from_json(trace.read_text()), name).faults):
            return 0, f"by its trace: {faults[0]}"
        for count in range(self.budget):
            verdict = _one_of(plan_of(self.first + count), name)
            if verdict.faults:
                return count + 1, verdict.faults[0]
        return self.budget, ""


def run() -> None:
    """The process."""
    sys.exit(main(sys.argv[1:]))
