"""A seed's plan: its settings, and every action with dice of its own.

An action's dice are fixed when the plan is made, so that leaving one action out changes nothing about the
others: that is what makes a failing plan shrink.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from sync.seams import seeded

LOGINS = ("li", "wang", "zhao", "qian")
NETWORK = ("lost_request", "lost_answer", "duplicate", "late", "cut_request", "cut_answer", "portal")
SERVER = ("crash_before_commit", "crash_after_commit", "crash_at_statement", "error_at_statement")
RATES = (0.0, 0.0, 0.05, 0.2, 0.4)
"""Swarm: a fault is off in many seeds, so that those that need another to be off show too."""

_OFTEN = {"write": 40, "sync": 38, "both": 8}
_SELDOM = {
    "kill": 3,
    "kill_at_write": 2,
    "back_up_phone": 2,
    "older_copy": 2,
    "clone": 1,
    "reinstall": 1,
    "grant": 2,
    "end_grant": 2,
    "grant_for_a_while": 1,
    "grant_grid": 2,
    "grant_helper": 2,
    "hand_over": 6,
    "interleave": 6,
    "revoke": 1,
    "phone_clock": 2,
    "server_clock": 2,
    "minutes_pass": 4,
    "days_pass": 1,
    "compact": 2,
    "back_up_server": 2,
    "restore": 2,
    "restore_silently": 1,
    "lie": 4,
    "correct": 3,
}
_BESIDE = {"merge": (0, 0, 1, 2, 4, 8), "team": (0, 0, 0, 0, 15, 40)}
"""How often, in one seed or another, somebody finds that two doors are one; and does something of a team."""
FORGETS = {"restore", "restore_silently"}
"""Logs live thirty days: where a server forgets, no more time than that passes."""


@dataclass(frozen=True)
class Action:
    """One thing that happens: when (seconds from the beginning), what, to which phone, with which dice."""

    at: float
    does: str
    who: int
    dice: int


@dataclass(frozen=True)
class Plan:
    """All there is to replay."""

    seed: int
    logins: tuple[str, ...]
    """One a phone; two phones of one person are two phones of one account."""
    records: int
    page: int
    batch: int
    forgets: bool
    """Is the server ever put back from an older copy? Then its clock makes no great steps."""
    server_offset_days: int
    phone_offset_days: tuple[int, ...]
    rates: dict[str, float]
    actions: tuple[Action, ...]

    def only(self, actions: Sequence[Action]) -> Self:
        """The same with fewer actions."""
        return replace(self, actions=tuple(actions))

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What as_json spelled."""
        said: dict[str, Any] = json.loads(text)
        said["actions"] = tuple(Action(**one) for one in said["actions"])
        return cls(**{**said, "logins": tuple(said["logins"]), "phone_offset_days": tuple(said["phone_offset_days"])})


def _beside(does: str, seed: int, until: float, phones: int) -> list[Action]:
    """Actions with dice that leave all others as they fell."""
    dice = seeded(f"{does}s {seed}")
    some = dice.choice(_BESIDE[does]) if until else 0
    return [
        Action(round(dice.uniform(0, until), 3), does, dice.randrange(phones), dice.getrandbits(48))
        for _ in range(some)
    ]


def plan_of(seed: int, steps: int = 90) -> Plan:
    """What happens under this seed."""
    dice = seeded(f"plan {seed}")
    accounts = LOGINS[: dice.randint(1, len(LOGINS))]
    phones = dice.choice((2, 3, 4, 4, 5, 8))
    logins = tuple(accounts[n] if n < len(accounts) else dice.choice(accounts) for n in range(phones))
    seldom = {name: weight for name, weight in _SELDOM.items() if dice.random() < 0.5}
    if seldom.keys() & FORGETS:
        seldom.pop("days_pass", None)
        seldom["back_up_server"] = 2
    if seldom.keys() & {"hand_over", "interleave"}:
        # Who lost a building by it has it again under a clock that is put back to before; the simulator's tree hasn't.
        seldom.pop("server_clock", None)
    if "restore_silently" in seldom:
        # Two phones of one replica id share a count: what one brings back hides that the other hasn't.
        seldom.pop("clone", None)
    weights = _OFTEN | seldom
    names = [*weights]
    picked = dice.choices(names, [weights[name] for name in names], k=steps)
    at, actions = 0.0, []
    for name in picked:
        at += dice.choice((0.0, 0.05, 0.3, 1, 1, 2, 5))
        actions.append(Action(round(at, 3), name, dice.randrange(phones), dice.getrandbits(48)))
    actions += [one for does in _BESIDE for one in _beside(does, seed, at, phones)]
    actions.sort(key=lambda action: action.at)
    years = (0, 0, 0, 1, -1, 3650, -3650)
    return Plan(
        seed=seed,
        logins=logins,
        records=dice.choice((3, 3, 6, 20)),
        page=dice.choice((1, 2, 7, 50)),
        batch=dice.choice((1, 3, 50, 100)),
        forgets=bool(seldom.keys() & FORGETS),
        server_offset_days=dice.choice(years),
        phone_offset_days=tuple(dice.choice(years) for _ in logins),
        rates={name: dice.choice(RATES) for name in NETWORK} | {name: dice.choice(RATES) / 4 for name in SERVER},
        actions=tuple(actions),
    )
