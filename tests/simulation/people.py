"""What people write: real edits of what they see, chosen by an action's dice."""

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sync.canonical import NotCanonical
from sync.entries import Key
from sync.replica import AlreadyShown, NotOpen, NotRefused, NotShown, Replica, Shown
from tests.simulation.phone import SimulatedPhone
from tests.simulation.server import Server

if TYPE_CHECKING:
    from tests.simulation.plan import Action
    from tests.simulation.run import Simulation

CANNOT = (AlreadyShown, NotCanonical, NotOpen, NotRefused, NotShown)
"""What the phone itself says no to."""
NASTY = (
    *("\x00", "\ud800", "\u202etxet", "a" * 5000, "\\u0000", '"}],"x":[', "𝄞 👩\u200d👩\u200d👧"),
    *("\r\n\t\x1f", "e\u0301", "1e999", "。" * 300),
)
PLACES = ("unit_1", "unit_2", "unit_3", "building_1", "unit_9")


def household(number: int) -> UUID:
    """The records that everybody writes about: few, so that edits cross."""
    return UUID(int=number + 1, version=4)


def write(server: Server, phone: SimulatedPhone, records: int, action: "Action", word: str, dice: Random) -> None:
    """One person writes one thing."""
    key = Key("households", server.home, household(dice.randrange(records)))
    shown = phone.replica.shown(key)
    made: Callable[[], Any]
    if shown is None:
        keys, made = (
            (key,),
            lambda: phone.replica.create("households", server.home, _new(server, word, dice), key.record),
        )
    else:
        keys, made = _chosen(server, phone, shown, word, dice)
    with suppress(*CANNOT):
        phone.saw(keys, made)


def _chosen(
    server: Server, phone: SimulatedPhone, shown: Shown, word: str, dice: Random
) -> tuple[tuple[Key, ...], Callable[[], Any]]:
    key, replica = shown.key, phone.replica
    what = dice.choices(("edit", "visit", "resident", "child", "resolve", "delete"), (60, 10, 6, 10, 12, 6))[0]
    if what == "visit":
        fields = {"household_id": str(key.record), "outcome": "opened", "note": text(word, dice)}
        return (key,), lambda: replica.create("visits", server.home, fields)
    if what == "resident":
        fields = {"household_id": str(key.record), "name": word, "note": text(word, dice)}
        return (key,), lambda: replica.create("residents", server.home, fields)
    if what == "child" and (child := any_of(replica.shown_all(dice.choice(("visits", "residents"))), dice)):
        return (child.key,), lambda: replica.edit(child.key, _edit_of_child(child, word, dice))
    if what == "resolve" and (conflict := any_of(replica.conflicts(), dice)):
        return resolving(replica, conflict, word, dice)
    if what == "delete":
        return (key,), lambda: replica.delete(key)
    return (key,), lambda: replica.edit(key, _edit(server, shown.fields, word, dice))


def resolving(replica: Replica, conflict: Shown, word: str, dice: Random) -> tuple[tuple[Key, ...], Callable[[], Any]]:
    """What one looks at who decides, and the deed."""
    target = Key(str(conflict.fields["of_collection"]), conflict.key.home, UUID(str(conflict.fields["of_record"])))
    return (conflict.key, target), lambda: replica.resolve(conflict.key, _choice(conflict, word, dice))


def any_of(found: Any, dice: Random) -> Shown | None:
    """One of them, if there is any."""
    every = [*found]
    return dice.choice(every) if every else None


def _new(server: Server, word: str, dice: Random) -> dict[str, Any]:
    place = str(server.place.areas[dice.choice(PLACES[:3])])
    return {"area_id": place, "door": word, "note": text(word, dice), "tags": [f"t{dice.randrange(4)}"]}


def _edit(server: Server, fields: dict[str, Any], word: str, dice: Random) -> dict[str, Any]:
    note = str(fields.get("note") or "")
    return dice.choice(
        [
            {"door": word},
            {"door": word, "note": f"{word}。{note}"},
            {"note": f"{note}{text(word, dice)}"},
            {"note": text(word, dice)},
            {"note": "。".join(note.split("。")[1:])},
            {"tags": {"add": [f"t{dice.randrange(4)}"], "remove": [f"t{dice.randrange(4)}"]}},
            {"best_time": word},
            {"floor": dice.randrange(300)},
            {"use": dice.choice(("self_occupied", "rented")), "external_id": word},
            {"area_id": str(server.place.areas[dice.choice(PLACES)])},
        ]
    )  # fmt: skip


def _edit_of_child(child: Shown, word: str, dice: Random) -> dict[str, Any]:
    note = {"note": f"{child.fields.get('note') or ''}{text(word, dice)}"}
    if child.key.collection == "residents":
        return dice.choice([note, {"name": word}, {"phone": f"1380000{dice.randrange(10000):04d}"}])
    return dice.choice([note, {"note": word}, {"outcome": "refused"}])


def _choice(conflict: Shown, word: str, dice: Random) -> Any:
    listed: Any = conflict.fields["candidates"]
    choices = [conflict.fields["held"], *(one["value"] for one in listed)]
    return word if conflict.fields["field"] == "door" and dice.random() < 0.2 else dice.choice(choices)


def text(word: str, dice: Random) -> str:
    """A sentence; now and then with what no program likes."""
    return f"{word}{dice.choice(NASTY)}。" if dice.random() < 0.06 else f"{word}。"


def merge(simulation: "Simulation", phone: SimulatedPhone, action: "Action", dice: Random) -> None:
    """Somebody finds that two doors are one."""
    one, into = dice.sample([household(number) for number in range(simulation.plan.records)], 2)
    if simulation.server.merge(phone.login, one, into).status >= 500:
        simulation.fail("O9", "a merge broke")


def correct(phone: SimulatedPhone, word: str, dice: Random) -> None:
    """Somebody reads a refusal: writes it anew, or lets it go."""
    refusals = phone.replica.refusals()
    if not refusals:
        return
    refused = dice.choice(refusals)
    with suppress(*CANNOT):
        if dice.random() < 0.3:
            phone.replica.dismiss(refused.id)
        else:
            kept = {} if "resolution" in refused.fields else refused.fields
            fields = {**kept, "note": f"{word}。"}
            phone.saw((refused.key,), lambda: phone.replica.correct(refused.id, fields))
