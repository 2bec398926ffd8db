"""Planted faults of what a phone does with mutations that were refused because of others."""

from typing import Any

from tests.simulation.planting import Bug, Patch, instead


def what_depends_keeps_its_place() -> list[Patch]:
    """Found by seed 2122: with one edit a push, what depends on a create behind it goes round for ever."""

    def in_place(phone: Any, entry: Any) -> None:
        from sync.corrections import queue_on_top  # noqa: PLC0415

        queue_on_top(phone, entry)

    return [instead("sync.corrections.queue_behind", in_place)]


def what_was_refused_comes_alive() -> list[Patch]:
    """Found by seeds 300014 and 500598: what was refused long ago is queued behind a newer create; it undoes that, or
    the two go round for ever.
    """

    def whatever_its_state(entry: Any, code: str | None) -> bool:
        return code == "depends_on_refused"

    return [instead("sync.outcomes._may_wait", whatever_its_state)]


OF_CORRECTIONS: list[Bug] = [
    what_depends_keeps_its_place, what_was_refused_comes_alive,
]  # fmt: skip
