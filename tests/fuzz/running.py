"""Runs one target of bytes, and tells how fast it was or what was found."""

import base64
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parent.parent.parent
TARGETS = ("cursors", "spelling", "reading", "packing", "notes")
LONGEST_INPUT = 4000
SLOWEST_SECONDS = 60
"""One input that takes longer is a finding too. Far more than any needs: the machine may have other work."""


@dataclass(frozen=True)
class Run:
    """How a target did."""

    target: str
    runs: int
    seconds: float
    found: str
    """Empty, or what libFuzzer and Python said, with the input in base64."""


def run(target: str, runs: int, seed: int) -> Run:
    """The same seed tries the same inputs."""
    # No limit of memory: the peak it would look at is inherited from whatever process started this one.
    limits = [f"-max_len={LONGEST_INPUT}", f"-timeout={SLOWEST_SECONDS}", "-rss_limit_mb=0"]
    how = [f"-runs={runs}", f"-seed={seed}", "-print_final_stats=1", *limits]
    with tempfile.TemporaryDirectory(prefix="qiaomen-fuzz-") as folder:
        command = [sys.executable, "-m", "tests.fuzz.child", target, folder, *how]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        began = time.perf_counter()
        done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        inputs = [base64.b64encode(file.read_bytes()).decode() for file in Path(folder).glob("*-*")]
    counted = re.search(r"number_of_executed_units: +(\d+)", done.stderr)
    said = "\n".join([done.stderr[-2000:], done.stdout[-4000:], *(f"--replay {each}" for each in inputs)])
    found = "" if done.returncode == 0 and counted and not inputs else said
    return Run(target, int(counted[1]) if counted else 0, seconds, found)
