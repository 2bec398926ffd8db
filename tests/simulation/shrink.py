"""A failing plan made short: fewer faults, then fewer actions, as long as the same promise breaks."""

from collections.abc import Sequence
from dataclasses import replace

from tests.simulation.plan import Action, Plan
from tests.simulation.run import Simulation

MOST_TRIES = 100


class _Shrinking:
    def __init__(self, fault: str) -> None:
        self.invariant, self.tries = fault.partition(":")[0], 0

    def fails(self, plan: Plan) -> bool:
        """Does it still break the same promise? False when enough was tried."""
        self.tries += 1
        if self.tries > MOST_TRIES:
            return False
        faults = Simulation(plan).run().faults
        return bool(faults) and faults[0].partition(":")[0] == self.invariant


def shrunk(plan: Plan, fault: str) -> Plan:
    """The shortest that was found to break the promise that `fault` names."""
    shrinking = _Shrinking(fault)
    for name in plan.rates:
        without = replace(plan, rates={**plan.rates, name: 0.0})
        if plan.rates[name] and shrinking.fails(without):
            plan = without
    return plan.only(_fewest(shrinking, plan))


def _fewest(shrinking: _Shrinking, plan: Plan) -> Sequence[Action]:
    """Zeller's delta debugging, without its complements: halves, quarters and so on are left out in turn."""
    actions = plan.actions
    size = max(1, len(actions) // 2)
    while size:
        at = 0
        while at < len(actions):
            fewer = (*actions[:at], *actions[at + size :])
            if shrinking.fails(plan.only(fewer)):
                actions = fewer
            else:
                at += size
        size //= 2
    return actions
