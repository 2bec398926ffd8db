"""What three workers of one grid write while nobody has a signal, and what must have become of it in the end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from pydantic import JsonValue

from app.fields import as_wire
from app.phone.held import Held
from sync.decide import DELETED
from sync.merge import sentences
from sync.replica import Key, Shown
from sync.wire import Fields

WANGS_SENTENCE, LIS_SENTENCE = "今天回访过，一切都好。", "女儿留了电话，在抽屉里。"
LIS_NUMBER, ZHAOS_NUMBER, ZHAOS_SLIP = "027 8600 0001", "027 8600 0002", "问隔壁"
WANGS_TAG, LIS_TAG = "veteran", "party_member"
NOTES = {
    "wang": ("老人说腿好多了，想参加晨练。", "楼道灯坏了，已报修。", "敲了三次没人应，下午再来。"),
    "li": ("中午又来，开了门，是儿子在家。", "想学用手机挂号，约了周四。", "送药到门口，交到本人手里。"),
    "zhao": (
        "阳台漏水，拍了照给物业。",
        "孩子放学没人接，登记托管。",
        "独居，电话打通了，精神不错。",
        "邻居调解好了，双方握了手。",
    ),
}
FIRST_DOOR = {"wang": 0, "li": 2, "zhao": 5}
"""Where each begins: Wang's last door is Li's first, and both notes must stay."""


class Untrue(Exception):
    """What the story promises did not happen."""


@dataclass(frozen=True)
class Script:
    """Which records the story is about."""

    contested: Key
    """Wang and Li change the same field of this household."""
    merged: Key
    """Both add a tag to this one, and a sentence to its note."""
    crossed: Key
    """Wang deletes this resident while Li corrects their number."""
    mistyped: Key
    """Of this resident Zhao writes words where a number belongs."""
    doors: list[Key]
    notes: dict[UUID, str] = field(default_factory=dict)
    """Every visit that was written, with its text."""


def choose(held: Held) -> Script:
    """Fit records of the phone, the same ones at every telling of one seed."""
    households = [one for one in held.replica.shown_all("households") if one.fields["use"] == "self_occupied"]
    merged = next(one for one in households if len(sentences(one.fields["note"])) > 1)
    others = [one.key for one in households if one.key != merged.key]
    residents = [one.key for one in held.replica.shown_all("residents")]
    return Script(others[-1], merged.key, residents[0], residents[-1], others)


def write(held: Held, script: Script, login: str) -> None:
    """Everything that one of them writes offline."""
    for door, text in zip(script.doors[FIRST_DOOR[login] :], NOTES[login], strict=False):
        visit: Fields = {"household_id": str(door.record), "visited_at": as_wire(held.seams.now())}
        key = held.replica.create("visits", door.home, {**visit, "outcome": "opened", "note": text})
        script.notes[key.record] = text
    _EDITS[login](held, script)


def _wang(held: Held, script: Script) -> None:
    held.replica.edit(script.contested, {"use": "rented"})
    note = sentences(_get(held, script.merged).fields["note"])
    changed = "".join([WANGS_SENTENCE, *note[1:]])
    held.replica.edit(script.merged, {"tags": {"add": [WANGS_TAG]}, "note": changed})
    held.replica.delete(script.crossed)


def _li(held: Held, script: Script) -> None:
    held.replica.edit(script.contested, {"use": "vacant"})
    note = str(_get(held, script.merged).fields["note"])
    held.replica.edit(script.merged, {"tags": {"add": [LIS_TAG]}, "note": note + LIS_SENTENCE})
    held.replica.edit(script.crossed, {"phone": LIS_NUMBER})


def _zhao(held: Held, script: Script) -> None:
    held.replica.edit(script.mistyped, {"phone": ZHAOS_SLIP})


_EDITS = {"wang": _wang, "li": _li, "zhao": _zhao}


def settle(held: Held) -> None:
    """Offline again: Li's value is taken, and nobody is deleted whom somebody just wrote about."""
    for conflict in list(held.replica.conflicts()):
        held.replica.resolve(conflict.key, choice_for(conflict))


def choice_for(conflict: Shown) -> JsonValue:
    """What is decided."""
    return False if conflict.fields["field"] == DELETED else "vacant"


def correct(held: Held) -> None:
    """What was refused is written again, as it was meant."""
    for refused in held.replica.refusals():
        held.replica.correct(refused.id, {"phone": ZHAOS_NUMBER})


def faults_in(held: Held, script: Script) -> Iterator[str]:
    """What is not as it should be, once everybody has synced; nothing, if the story holds."""
    notes = {one.key.record: one.fields["note"] for one in held.replica.shown_all("visits")}
    if notes != script.notes:
        lost, extra = script.notes.keys() - notes.keys(), notes.keys() - script.notes.keys()
        yield f"notes: {len(lost)} lost, {len(extra)} that nobody wrote"
    merged = _get(held, script.merged).fields
    if not {WANGS_TAG, LIS_TAG} <= set(_members(merged["tags"])):
        yield "a tag that one of two added is gone"
    if not all(sentence in str(merged["note"]) for sentence in (WANGS_SENTENCE, LIS_SENTENCE)):
        yield "a sentence that one of two wrote is gone"
    if _get(held, script.contested).fields["use"] != "vacant":
        yield "the settled conflict has another value"
    crossed, mistyped = held.replica.shown(script.crossed), held.replica.shown(script.mistyped)
    if crossed is None or crossed.fields["phone"] != LIS_NUMBER:
        yield "the resident whom one deleted and another wrote about is gone"
    if mistyped is None or mistyped.fields["phone"] != ZHAOS_NUMBER:
        yield "the corrected number didn't arrive"
    state = held.replica.status()
    waiting = {"unsent": state.unsent, "refused": state.refused, "conflicts": state.conflicts}
    yield from (f"{count} {name} are left" for name, count in waiting.items() if count)
    if state.differing:
        yield f"{state.differing} feeds don't add up to what the server says"


def _get(held: Held, key: Key) -> Shown:
    shown = held.replica.shown(key)
    assert shown is not None
    return shown


def _members(value: object) -> list[str]:
    return [str(member) for member in value] if isinstance(value, list) else []
