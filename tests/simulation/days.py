"""I9 at rest: each visit counts for a day on which the server's clock has stood, whatever the phones' clocks said."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sync.days import LONGEST_AGO, day_of
from tests.simulation.place import LIAR
from tests.simulation.timeline import BEGINNING

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


def visits_count_for_the_servers_days(simulation: "Simulation", kept: dict[str, list[dict[str, Any]]]) -> None:
    """A phone's clock that stepped after a visit may have put it back by LONGEST_AGO, and never ahead."""
    begins = simulation.server.context.day_begins
    ends = (timedelta(0), timedelta(seconds=simulation.timeline.seconds))
    days = {day_of(BEGINNING + end + offset, begins) for offset in simulation.clock.offsets for end in ends}
    stepped = any(len(clock.offsets) > 1 for clock in simulation.clocks)
    liar = simulation.server.place.people[LIAR]
    for visit in kept["visits"]:
        late = stepped and min(days) - LONGEST_AGO <= visit["day"] <= max(days)
        if visit["created_by"] != liar and visit["day"] not in days and not late:
            simulation.fail("I9", f"a visit of {sorted(map(str, days))} counts for {visit['day']}")
