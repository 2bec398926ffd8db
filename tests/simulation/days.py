"""I9 at rest: each visit counts for a day on which the server's clock has stood, whatever the phones' clocks said."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sync.days import LONGEST_AGO, day_of
from tests.simulation.place import LIAR
from tests.simulation.timeline import BEGINNING

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


def visits_count_for_the_servers_days(simulation: "Simulation", kept: dict[str, list[dict[str, Any]]]) -> None:
    """Of those between the beginning and now: whole days may pass. A clock that stepped after a visit, or that of
    another phone onto which the visit was copied, may have put it back by LONGEST_AGO, and never ahead.
    """
    begins, now = simulation.server.context.day_begins, BEGINNING + timedelta(seconds=simulation.timeline.seconds)
    spans = {(day_of(BEGINNING + wrong, begins), day_of(now + wrong, begins)) for wrong in simulation.clock.offsets}
    stepped = simulation.oracle.copied or any(len(clock.offsets) > 1 for clock in simulation.clocks)
    earlier = LONGEST_AGO if stepped else timedelta(0)
    liar = simulation.server.place.people[LIAR]
    for visit in kept["visits"]:
        fits = any(first - earlier <= visit["day"] <= last for first, last in spans)
        if visit["created_by"] != liar and not fits:
            simulation.fail("I9", f"a visit counts for {visit['day']}, where the server's clock stood in {spans}")
