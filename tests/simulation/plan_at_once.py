"""A seed of requests at once: who is there, and how often what goes wrong. The rest is diced as it happens."""

from sync.seams import seeded
from tests.simulation.plan import Plan
from tests.simulation.seats import Ends

ROUNDS = (3, 4, 5)
FATES: tuple[Ends, ...] = ("before", "under way", "killed")
MOST_STATEMENTS = 25
"""A push takes about as many."""
RATES = (0.0, 0.0, 0.1, 0.3)
REPEATS = (0.0, 0.1, 0.3, 0.5)
"""The same request twice at once; one that overlaps with it."""
WORKERS = ("li", "zhao", "qian")
READER = "wang"
"""Reads along; nobody ends this one's grants."""


def plan_at_once(seed: int) -> Plan:
    """A swarm: what is off in one seed is often in another."""
    dice = seeded(f"at once {seed}")
    people = [*WORKERS[: dice.choice((1, 2, 2, 3))], READER]
    logins = (*people[:2], *(dice.choice(people) for _ in range(dice.choice((1, 2, 3, 4)))))
    rates = {name: dice.choice(RATES) for name in (*FATES, "end_grant")}
    rates |= {name: dice.choice(REPEATS) for name in ("duplicate", "overlap")}
    rates |= {"move": dice.choice((0.2, 0.8)), "compact": dice.choice((0.0, 0.0, 0.5))}
    return Plan(
        seed=seed,
        logins=logins,
        records=dice.choice((1, 2, 3, 5)),
        page=dice.choice((1, 3, 50)),
        batch=dice.choice((1, 3, 100)),
        forgets=False,
        server_offset_days=0,
        phone_offset_days=tuple(0 for _ in logins),
        rates=rates,
        actions=(),
    )
