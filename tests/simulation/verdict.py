"""What a seed came to, whatever tier it was played on."""

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.plan import Plan


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
