"""`python -m tests`: everything a reviewer asks for, in order, stopping at the first that fails.

What follows the command goes to pytest: `python -m tests -n 0 -k tidy`.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.memory import in_memory

TOP = Path(__file__).parent.parent
ROOM = 8 << 30
"""Bytes that must be free in memory for all that the tests write."""

STEPS = [
    ["ruff", "format", "--check", "."],
    ["ruff", "check", "."],
    ["mypy"],
    # By file, since a module makes its database once per worker, in the order of conftest.py. Last, so that a log
    # ends with its counts.
    ["pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"],
]


def main(arguments: list[str]) -> int:
    """Run every step from the top of the repository; the first exit code that is not 0 is ours."""
    steps = [*STEPS[:-1], STEPS[-1] + arguments]
    return next((code for step in steps if (code := run(step))), 0)


def run(step: list[str]) -> int:
    print("\n$", *step, flush=True)
    memory = in_memory(ROOM)
    # PostgreSQL's own binaries may be copied there, and run.
    there = {"TMPDIR": str(memory)} if memory and not os.statvfs(memory).f_flag & os.ST_NOEXEC else {}
    return subprocess.run([sys.executable, "-m", *step], cwd=TOP, env={**os.environ, **there}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
