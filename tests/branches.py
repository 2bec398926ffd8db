"""`python -m tests.branches`: is every branch of the rules, and of what reads, writes and permits, ever taken?

Which modules stands in pyproject.toml, under coverage. They are asked for with the tests that speak to them, on
both stores, and with the simulator; each line or branch that nobody takes is printed, and is a failure. It takes
some minutes: everything runs on one thread, with every line counted.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).parent.parent

TESTS = [
    *("test_decide.py", "test_decide_whole_records.py", "test_merge_policies.py", "test_vectors.py"),
    *(file.name for file in sorted(Path(__file__).parent.glob("test_replica_*.py"))),
    *("test_a_bad_request_changes_nothing.py", "test_one_bad_mutation_sinks_only_itself.py"),
    *("test_conflicts_are_records.py", "test_two_records_are_joined.py", "test_two_of_one_become_one.py"),
    *("test_a_page_at_its_edges.py", "test_reading_pages.py"),
    *("test_grace_and_moves.py", "test_roles_are_given_with_dates.py", "test_a_team_keeps_its_cases.py"),
    *("test_a_push_cut_off_anywhere_leaves_nothing_behind.py", "test_the_terminal_phone.py"),
    *("test_the_duty_list_of_a_day.py", "test_a_duty_list_during_its_day.py", "test_working_days.py"),
    "test_a_visit_counts_for_the_servers_day.py",
    *("test_totals_tell_of_nobody.py", "test_a_roster_along_the_walk.py"),
    "test_the_operator_writes_as_everybody.py",
]
MEASURED = "tests/test_reading_pages.py::test_a_page_costs_the_server_no_more_than_five_times_its_bytes"
"""Of the memory that it finds, most would be the tracer's."""
RUNS = [
    ["pytest", "-q", "-n", "0", "--deselect", MEASURED, *(f"tests/{name}" for name in TESTS)],
    ["tests.simulation", "--tier", "core", "--jobs", "1"],
    ["tests.simulation", "--tier", "full", "--seeds", "50", "--jobs", "1"],
]


def main() -> int:
    """0 where every branch is taken; the first exit code that is not 0 otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        data = {"COVERAGE_FILE": str(Path(folder, "data"))}
        steps = [*(["run", "-m", *run] for run in RUNS), ["combine", "--quiet"], ["report"]]
        return next((code for step in steps if (code := covered(step, data))), 0)


def covered(step: list[str], data: dict[str, str]) -> int:
    """One command of coverage.py, from the top of the repository."""
    print("\n$ coverage", *step, flush=True)
    return subprocess.run(
        [sys.executable, "-m", "coverage", *step], cwd=TOP, env=os.environ | data, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
