"""Readers of untrusted bytes under coverage-guided fuzzing: the same inputs every time, new ones by command.

`python -m tests.fuzz` tries a million for each target.
"""

import platform
import sys

import pytest

from tests.fuzz.running import TARGETS, run

RUNS = 10_000

# Where atheris has no wheel (pyproject.toml says so in the same words) there is nothing to run.
where_atheris_is = pytest.mark.skipif(
    not (sys.platform == "linux" and platform.machine() == "x86_64"), reason="atheris is for Linux on x86_64"
)


@where_atheris_is
@pytest.mark.parametrize("target", TARGETS)
def test_no_bytes_break_it(target: str) -> None:
    done = run(target, RUNS, seed=1)
    assert not done.found, done.found
    assert done.runs >= RUNS
