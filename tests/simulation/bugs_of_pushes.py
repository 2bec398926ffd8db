"""Faults of the write path."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from app.problems import Problem
from sync.decide import Decision
from sync.wire import Outcome
from tests.simulation.planting import Bug, Patch, instead, wrapped


def no_dedupe() -> list[Patch]:
    """Nothing that arrives a second time is known."""

    async def nothing(batch: Any, transaction: Any, ids: Any) -> dict[UUID, Any]:
        return {}

    return [instead("app.batch.Batch._stored", nothing)]


def replays_are_always_applied() -> list[Patch]:
    """Whatever was received before is answered with `applied`."""

    async def cheerful(recall: Any, batch: Any, transaction: Any) -> None:
        await recall(batch, transaction)
        for place, answer in batch.answers.items():
            if answer.replayed:
                batch.answers[place] = Outcome(id=answer.id, outcome="applied", rev=1, replayed=True)

    return [wrapped("app.batch.Batch.recall", cheerful)]


def content_is_not_compared() -> list[Patch]:
    """Whatever comes under a known id of the same person counts as sent before."""

    def mine(is_mine: Any, batch: Any, row: Any, content: bytes) -> bool:
        return bool(row.person_id == batch.person)

    return [wrapped("app.batch.Batch._is_mine", mine)]


def refused_create_sinks_the_batch() -> list[Patch]:
    """After one refusal nothing of the push is taken."""

    def sinking(judge: Any, bench: Any, arrived: Any) -> Any:
        if bench.working.refused_creates:
            return Outcome(id=arrived.sent_id, outcome="refused", problem=Problem("depends_on_refused").as_body())
        return judge(bench, arrived)

    return [wrapped("app.receive.judge", sinking)]


def refused_words_are_not_kept() -> list[Patch]:
    """Of a refused mutation only the outcome is kept, and its phone is told that it was applied."""

    def bare(row: Any, batch: Any, place: int, arrived: Any) -> Any:
        kept = row(batch, place, arrived)
        if kept["outcome"] == "refused":
            batch.answers[place] = Outcome(id=arrived.sent_id, outcome="applied", rev=1)
            kept["payload"] = None
        return kept

    return [wrapped("app.batch.Batch._row", bare)]


def last_writer_wins() -> list[Patch]:
    """The later arrival replaces what its writer hadn't seen."""

    def wins(fork_of: Any, name: str, held: Any, edit: Any, past: Any) -> None:
        return None

    return [wrapped("sync.decide._fork_of", wins)]


def text_merge_takes_the_later() -> list[Patch]:
    """Notes are not merged: the later one stands."""
    return [instead("sync.merge._merge_sentences", lambda base, held, arriving, past_lost: arriving)]


def delete_beats_an_unseen_edit() -> list[Patch]:
    """A delete wins over what its writer never saw."""
    return [instead("sync.decide.crosses", lambda held, edit, past: False)]


def edit_of_the_deleted_is_dropped() -> list[Patch]:
    """An edit that crosses a delete is acknowledged and goes nowhere."""

    def silent(rules: Any, held: Any, edit: Any, past: Any) -> Decision:
        return Decision("applied") if held and held.deleted and edit.op == "update" else decide(rules, held, edit, past)

    from sync.decide import decide  # noqa: PLC0415

    return [instead("app.judge.decide", silent)]


def base_of_the_future_is_believed() -> list[Patch]:
    """A base of another epoch counts as one of this."""
    return [
        instead("app.recover.base_is_known", lambda bench, mutation: True),
        instead("app.resolve.base_is_known", lambda bench, mutation: True),
    ]


def resolution_ignores_the_fields_rev() -> list[Patch]:
    """A resolution replaces what was written since its writer looked."""

    def newest(resolution_of: Any, bench: Any, mutation: Any) -> Any:
        conflict, target, name, edit = resolution_of(bench, mutation)
        return conflict, target, name, replace(edit, base=target.held.rev)

    return [wrapped("app.resolve._resolution_of", newest)]


def resolution_closes_over_unseen_candidates() -> list[Patch]:
    """Values that came after its writer looked are closed with the rest."""

    def all_of_them(resolved: Any, conflict: Any, value: Any, by: Any, seen_rev: int) -> Any:
        return {**resolved(conflict, value, by, 10**9), "candidates": []}

    return [wrapped("app.resolve.conflicts.resolved", all_of_them)]


def newer_candidate_replaces_the_older() -> list[Patch]:
    """A conflict keeps one candidate, the last."""

    def only(joined: Any, conflict: Any, value: Any, **options: Any) -> Any:
        return joined({**conflict, "candidates": []}, value, **options)

    return [wrapped("app.effects.conflicts.joined", only)]


def conflict_forgets_what_is_held() -> list[Patch]:
    """While a conflict is open its `held` stays what it was."""
    return [instead("app.effects.follow_conflicts", lambda *arguments, **options: None)]


def history_has_a_gap() -> list[Patch]:
    """A second write of a record in one push leaves no row of history."""

    def once(write: Any, bench: Any, record: Any, decision: Any, mutation: UUID, op: str) -> None:
        rows = [*record.history]
        write(bench, record, decision, mutation, op)
        if rows:
            record.history[:] = rows

    return [wrapped("app.effects.write", once)]


def count_is_not_kept() -> list[Patch]:
    """The server doesn't count what it received of a phone."""

    async def uncounted(keep: Any, transaction: Any, batch: Any) -> None:
        fresh, batch.fresh = batch.fresh, []
        rows = batch.rows(fresh)
        await transaction.insert(__import__("app.receive", fromlist=["_"])._RECEIVED, rows)
        await keep(transaction, batch)
        batch.fresh = fresh

    return [wrapped("app.receive._keep", uncounted)]


def listed_in_a_transaction_of_its_own() -> list[Patch]:
    """Records are committed before they are listed: a crash between leaves them unlisted."""

    async def apart(list_changes: Any, transaction: Any, listing: Any, now: Any) -> None:
        await transaction.connection.exec_driver_sql("COMMIT")
        await transaction.connection.exec_driver_sql("BEGIN IMMEDIATE")
        await list_changes(transaction, listing, now)

    return [wrapped("app.receive.list_changes", apart)]


def dependants_stay_behind() -> list[Patch]:
    """A household moves, and its visits stay in the old building's feed."""

    async def nothing(transaction: Any, working: Any) -> None:
        return None

    return [instead("app.receive.move_dependants", nothing)]


def old_place_is_remembered() -> list[Patch]:
    """A record that moved is listed where it was."""

    def first(area_of: Any, working: Any, record: Any) -> Any:
        return working.areas.get(record.area_id) or area_of(working, record)

    return [wrapped("app.working.Working.area_of", first)]


def old_records_are_written_on() -> list[Patch]:
    """A late edit of what was merged brings it back."""
    return [instead("app.working.Working.survivor", lambda working, record: record)]


def late_edits_of_the_merged_are_believed() -> list[Patch]:
    """A late edit of what was merged replaces what the other record says, seen or not."""

    def believed(led: Any, bench: Any, mutation: Any, fields: Any, alias: Any) -> Any:
        edit = led(bench, mutation, fields, alias)
        return replace(edit, seen={**bench.working.survivor(alias).fields})

    return [wrapped("app.recover._led", believed)]


def what_comes_late_names_the_old_record() -> list[Patch]:
    """A visit written at a door that was merged meanwhile stays there."""
    return [instead("app.working.Working.led", lambda working, collection, fields: fields)]


def visits_count_for_their_phones_day() -> list[Patch]:
    """The phone's clock says when it was, and is believed."""
    return [instead("app.batch.happened_at", lambda said, sent_at, received_at: said)]


OF_PUSHES: list[Bug] = [
    no_dedupe, replays_are_always_applied, content_is_not_compared, refused_create_sinks_the_batch,
    refused_words_are_not_kept, last_writer_wins, text_merge_takes_the_later, delete_beats_an_unseen_edit,
    edit_of_the_deleted_is_dropped, base_of_the_future_is_believed, resolution_ignores_the_fields_rev,
    resolution_closes_over_unseen_candidates, newer_candidate_replaces_the_older, conflict_forgets_what_is_held,
    history_has_a_gap, count_is_not_kept, listed_in_a_transaction_of_its_own, dependants_stay_behind,
    old_place_is_remembered, old_records_are_written_on, late_edits_of_the_merged_are_believed,
    what_comes_late_names_the_old_record, visits_count_for_their_phones_day,
]  # fmt: skip
