"""Planted faults of what a restored server is told: each shows in one seed of a thousand, and in its trace."""

from dataclasses import replace
from typing import Any

from sync.decide import DELETED, Decision
from tests.simulation.planting import Bug, Patch, wrapped


def an_epoch_that_comes_back_counts() -> list[Patch]:
    """Found by seeds 3401034 and 3401507: restored, then restored unnoticed to before that: an old epoch goes on
    otherwise, and what was seen in its first life is taken for seen.
    """

    def of_the_present(forget: Any, phone: Any, epoch: str | None = None) -> None:
        if epoch in (None, phone.meta.epoch):
            forget(phone, None)

    return [wrapped("sync.phone.Phone.forget_bases", of_the_present)]


def what_a_restore_took_counts_as_deleted() -> list[Patch]:
    """Found by seed 3401557: a sentence that only a restore took is taken out of the note that brings it back."""

    def known(merged: Any, *texts: Any, past_lost: bool) -> Any:
        return merged(*texts, past_lost=False)

    return [wrapped("sync.merge._merge_sentences", known)]


def a_choice_under_grace_hides_what_is_held() -> list[Patch]:
    """Found by seed 3501776: a choice whose conflict a restore has lost opens one that says of any field what is held
    of a deleted record.
    """

    def hidden(decision_on: Any, bench: Any, target: Any, name: str, edit: Any, chosen: Any, verdict: str) -> Decision:
        decision: Decision = decision_on(bench, target, name, edit, chosen, verdict)
        if verdict != "grace" or name == DELETED:
            return decision
        contested = {name: replace(decision.contested[name], held=bool(target.held and target.held.deleted))}
        return replace(decision, contested=contested)

    return [wrapped("app.resolve._decision_on", hidden)]


OF_RESTORES: list[Bug] = [
    an_epoch_that_comes_back_counts, what_a_restore_took_counts_as_deleted, a_choice_under_grace_hides_what_is_held,
]  # fmt: skip
