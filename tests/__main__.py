"""`python -m tests`: everything a reviewer asks for, in order, stopping at the first that fails.

What follows the command goes to pytest: `python -m tests -n 0 -k tidy`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parent.parent
MEMORY, ROOM = Path("/dev/shm"), 8 << 30
"""Where files cost no disk, and the bytes that must be free there. Thousands of stores are made and thrown away."""

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
    there = {"TMPDIR": str(MEMORY)} if in_memory() else {}
    return subprocess.run([sys.executable, "-m", *step], cwd=TOP, env={**os.environ, **there}, check=False).returncode


def in_memory() -> bool:
    """Is there such a place, from which programs may be run as well?"""
    if not os.access(MEMORY, os.W_OK):
        return False
    return shutil.disk_usage(MEMORY).free > ROOM and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
