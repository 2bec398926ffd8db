"""Planted faults of what a phone does with mutations that were refused because of others."""

from typing import Any

from tests.simulation.planting import Bug, Patch, instead


def what_depends_keeps_its_place() -> list[Patch]:
    """Found by seed 2122: with one edit a push, what depends on a create behind it goes round for ever."""

    def in_place(phone: Any, entry: Any) -> None:
        from sync.corrections import queue_on_top  # noqa: PLC0415

        queue_on_top(phone, entry)

    return [instead("sync.corrections.queue_behind", in_place)]


def what_it_waits_for_goes_behind_it() -> list[Patch]:
    """Found by seed 300014: what depends on a create is queued behind it, and the create behind that, for ever."""

    def both(phone: Any, entry: Any) -> None:
        from sync.corrections import queue_on_top  # noqa: PLC0415

        anew = queue_on_top(phone, entry)
        upon = [one for one in phone.entries.over(anew.key) if one.place > anew.place and one.state == "waiting"]
        for moved in (anew, *upon):
            phone.entries.remove(moved)
            phone.entries.put(moved.model_copy(update={"place": phone.entries.next_place()}))

    return [instead("sync.corrections.queue_behind", both)]


def what_was_refused_comes_alive() -> list[Patch]:
    """Found by seed 500598: a delete that was refused long ago is queued behind a newer create, and undoes it."""

    def whatever_its_state(entry: Any, code: str | None) -> bool:
        return code == "depends_on_refused"

    return [instead("sync.outcomes._may_wait", whatever_its_state)]


OF_CORRECTIONS: list[Bug] = [
    what_depends_keeps_its_place, what_it_waits_for_goes_behind_it, what_was_refused_comes_alive,
]  # fmt: skip
