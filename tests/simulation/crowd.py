"""What people write so that it meets: in one round most of them are about the same door, each of a mind of their own.

One only knocks at doors, one only moves households, one goes through what was said there: a push then reads what
another one writes, which a push of a little of everything would have locked for itself. Two correct the door itself.
"""

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

from sync.entries import Key
from sync.seams import seeded
from tests.simulation.people import CANNOT, household
from tests.simulation.phone import SimulatedPhone
from tests.simulation.plan import Action

if TYPE_CHECKING:
    from tests.simulation.at_once import AtOnce

UNITS = ("unit_1", "unit_2", "unit_3")
MINDS = {"whatever": 25, "rename": 25, "knock": 20, "move": 15, "note": 15}


def mind_of(dice: Random) -> str:
    """Of one person in one round."""
    return dice.choices([*MINDS], [*MINDS.values()])[0]


def door_of(simulation: "AtOnce") -> int:
    """Where all of this round meet; another one now and then."""
    return simulation.dice.randrange(simulation.plan.records)


def write_at(simulation: "AtOnce", number: int, door: int, mind: str) -> None:
    """One person writes one thing about a door, or whatever comes to their mind."""
    phone, dice = simulation.phones[number], simulation.dice
    action = Action(0, "write", number, dice.getrandbits(48))
    if dice.random() < 0.3:
        door = door_of(simulation)
    key = Key("households", simulation.server.home, household(door))
    if mind == "whatever" or phone.replica.shown(key) is None:
        simulation._do_write(phone, action, seeded(action.dice))
        return
    with simulation.oracle.writing(phone), suppress(*CANNOT):
        _write(simulation, phone, key, mind, f"w{action.dice}x。")


def _write(simulation: "AtOnce", phone: SimulatedPhone, key: Key, mind: str, words: str) -> None:
    dice, replica = simulation.dice, phone.replica
    said = [one for one in replica.shown_all("visits") if one.fields.get("household_id") == str(key.record)]
    if mind == "move":
        to: dict[str, Any] = {"area_id": str(simulation.server.place.areas[dice.choice(UNITS)])}
        phone.saw((key,), lambda: replica.edit(key, to))
    elif mind == "rename":
        phone.saw((key,), lambda: replica.edit(key, {"door": words}))
    elif mind == "note" and said:
        visit = dice.choice(said)
        note = {"note": f"{visit.fields.get('note') or ''}{words}"}
        phone.saw((visit.key,), lambda: replica.edit(visit.key, note))
    else:
        fields: dict[str, Any] = {"household_id": str(key.record), "outcome": "opened", "note": words}
        phone.saw((key,), lambda: replica.create("visits", key.home, fields))
