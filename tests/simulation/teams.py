"""Teams in the simulator: people join and leave one, and bring it cases that nobody above it may ever receive."""

from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.people import CANNOT, any_of, resolving, text
from tests.simulation.phone import SimulatedPhone
from tests.simulation.plan import Action

if TYPE_CHECKING:
    from tests.simulation.run import Simulation

TEAM, MEDIATOR = "team", "mediator"
LASTS = (None, None, None, timedelta(seconds=60), timedelta(days=1))


def at_the_team(simulation: "Simulation", phone: SimulatedPhone, action: Action, dice: Random) -> None:
    """Somebody joins it or leaves it; or writes of a case, as they would who aren't of it."""
    what = dice.choices(("join", "leave", "write"), (5, 2, 18))[0]
    if what == "join":
        simulation.server.grant(phone.login, TEAM, dice.choice(LASTS), MEDIATOR)
    elif what == "leave":
        simulation.server.end_grant(phone.login, TEAM)
    else:
        with simulation.oracle.writing(phone), phone.dying_in(simulation.writes_before_death(phone)), suppress(*CANNOT):
            _write(simulation, phone, f"w{action.dice}x", dice)


def _write(simulation: "Simulation", phone: SimulatedPhone, word: str, dice: Random) -> None:
    replica, server = phone.replica, simulation.server
    case = any_of(replica.shown_all("cases"), dice)
    conflict = any_of((one for one in replica.conflicts() if one.fields["of_collection"] == "cases"), dice)
    if case is None or dice.random() < 0.2:
        fields = {"area_id": str(server.place.areas[TEAM]), "opened_on": "2026-03-02", "parties": word}
        phone.saw((), lambda: replica.create("cases", server.home, {**fields, "matter": text(word, dice)}))
    elif conflict and dice.random() < 0.5:
        phone.saw(*resolving(replica, conflict, word, dice))
    elif dice.random() < 0.1:
        phone.saw((case.key,), lambda: replica.delete(case.key))
    else:
        phone.saw((case.key,), lambda: replica.edit(case.key, _edit(case.fields, word, dice)))


def _edit(fields: dict[str, Any], word: str, dice: Random) -> dict[str, Any]:
    matter = f"{fields.get('matter') or ''}{text(word, dice)}"
    return dice.choice(
        [{"parties": word}, {"matter": matter}, {"matter": word}, {"state": dice.choice(("open", "settled"))}]
    )
