"""What a seed came to, whatever tier it was played on."""

import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.plan import Plan

ROOT = Path(__file__).parents[2]


@dataclass
class Verdict:
    """What one seed came to."""

    seed: int
    faults: list[str]
    trace: str
    """A hash of everything that happened, in its order."""
    requests: int
    rounds: int = 0
    """How often everybody had to sync, once all was healed, until nothing changed any more."""
    healing: int = 0
    """Requests once all was healed."""
    wasted: int = 0
    """How many of them brought nothing and weren't the last of their sync."""
    plan: Plan | None = None
    """Of a failing seed."""
    injected: Counter[str] = field(default_factory=Counter)


def broke_in(error: Exception) -> str | None:
    """The product's own line that gave up, on the phone or the server; None for a mistake of the simulator's."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(ROOT):
            of = file.relative_to(ROOT)
            return f"{of}:{frame.name}" if of.parts[0] in ("app", "sync") else None
    return None
