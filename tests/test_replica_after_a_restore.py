"""The server came back from yesterday's copy: nothing it once acknowledged may be missing in the end."""

import json
from copy import deepcopy

import pytest

from sync.entries import Key
from sync.replica import OtherPersonsOutbox
from tests.scripted import HOME, OTHER_HOME, Answer, Pair, Raw, ScriptedServer, pair, problem, refusal

__all__ = ["pair"]


class RestorableServer(ScriptedServer):
    """Answers a push of another epoch, or of a higher count than its own, with 409 server_restored."""

    def answer(self, request: object) -> Answer:
        body = json.loads(request.body)  # type: ignore[attr-defined]
        push = body if request.kind == "push" else body.get("push")  # type: ignore[attr-defined]
        told = push or body
        if told.get("epoch") not in (None, self.epoch) or told.get("received", 0) > self.received:
            return problem(409, "server_restored", epoch=self.epoch, received=self.received)
        return super().answer(request)  # type: ignore[arg-type]


def with_a_backup(pair: Pair) -> tuple[Key, ScriptedServer]:
    """A household the server has; and a backup made at that moment."""
    server = pair.server = RestorableServer()
    household = pair.key("households", 1)
    server.write(household, {"door": "101", "phone": "1"})
    pair.sync()
    return household, deepcopy(server)


def restore(pair: Pair, backup: ScriptedServer, epoch: str = "e2") -> None:
    pair.server = deepcopy(backup)
    pair.server.epoch = epoch
    pair.server.pushes, pair.server.pulls = [], []


def test_the_whole_log_is_sent_again_in_order_then_the_outbox_before_any_page_counts(pair: Pair) -> None:
    household, backup = with_a_backup(pair)
    visit = pair.phone.create("visits", HOME, {"household_id": str(household.record), "note": "one"})
    pair.sync()
    pair.phone.edit(visit, {"note": "two"})
    pair.phone.edit(household, {"phone": "2"})
    pair.sync()
    pair.phone.create("visits", HOME, {"note": "unsent"})
    restore(pair, backup)
    pair.server.write(pair.key("households", 2), {"door": "102"})
    pair.phone.want_sync()
    pair.exchange()
    assert pair.phone.status().recovering
    assert pair.phone.shown(pair.key("households", 2)) is None
    pair.sync()
    assert [push["epoch"] for push in pair.server.pushes] == ["e2"]
    sent = list(pair.server.mutations)
    assert [m["fields"] for m in sent] == [
        {"household_id": str(household.record), "note": "one"},
        {"note": "two"},
        {"phone": "2"},
        {"note": "unsent"},
    ]
    assert [m["epoch"] for m in sent] == ["e1"] * 4
    assert [[one["collection"] for one in m["seen"]] for m in sent] == [
        ["households"],
        ["visits", "households"],
        ["households"],
        [],
    ]
    assert sent[2]["seen"][0]["fields"] == {"door": "101", "phone": "1"}
    assert "feed" not in sent[2]["seen"][0]
    assert pair.phone.status().up_to_date
    assert pair.phone.shown(pair.key("households", 2)) is not None
    assert pair.server.records[household]["fields"]["phone"] == "2"


def test_a_page_of_another_epoch_makes_the_phone_push_even_with_nothing_to_send(pair: Pair) -> None:
    household, backup = with_a_backup(pair)
    restore(pair, backup)
    pair.server.write(household, {"phone": "9"})
    pair.phone.want_sync()
    pull = pair.phone.next_request()
    assert pull is not None
    assert pull.kind == "pull"
    pair.phone.answer(pull, *pair.server.answer(pull))
    assert pair.fields(household) == {"door": "101", "phone": "1"}
    push = pair.phone.next_request()
    assert push is not None
    assert push.kind == "push"
    assert json.loads(push.body)["mutations"] == []
    pair.sync()
    assert pair.fields(household) == {"door": "101", "phone": "9"}


def test_edits_made_before_the_first_page_of_the_new_epoch_say_that_their_base_is_an_old_one(pair: Pair) -> None:
    household, backup = with_a_backup(pair)
    restore(pair, backup)
    pair.phone.want_sync()
    pair.exchange()  # the page of another epoch
    pair.exchange()  # the empty push: 409
    pair.phone.edit(household, {"phone": "2"})
    pair.sync()
    (mutation,) = pair.server.mutations
    assert (mutation["base"], mutation["epoch"]) == (1, "e1")
    assert mutation["seen"][0]["rev"] == 1
    pair.phone.edit(household, {"phone": "3"})
    pair.sync()
    assert "epoch" not in pair.last_push()[0]


def test_where_only_the_count_betrays_it_the_epoch_of_every_base_is_null(pair: Pair) -> None:
    household, backup = with_a_backup(pair)
    pair.phone.edit(household, {"phone": "2"})
    pair.sync()
    restore(pair, backup, epoch="e1")
    pair.phone.edit(household, {"door": "102"})
    pair.sync()
    again, edit = pair.server.mutations
    assert "epoch" in again
    assert [again["epoch"], edit["epoch"]] == [None, None]
    assert (again["seen"][0]["fields"]["phone"], edit["seen"][0]["fields"]["phone"]) == ("1", "2")
    assert pair.phone.status().up_to_date
    assert pair.server.pushes[-1]["received"] == 0
    pair.phone.edit(household, {"door": "103"})
    pair.sync()
    assert "epoch" not in pair.last_push()[0]


def test_a_wrong_mark_is_accepted_only_after_a_push_has_asked_what_happened(pair: Pair) -> None:
    household, _ = with_a_backup(pair)
    pair.server.changes = []
    pair.server.write(household, {"phone": "7"})
    reset = {"reset": [{"feed": 1, "reason": "mark"}]}
    pair.server.beside = [reset, reset]
    pair.phone.want_sync()
    pair.exchange()
    assert pair.fields(household) == {"door": "101", "phone": "1"}
    pair.phone.edit(household, {"door": "102"})
    pair.sync()
    (mutation,) = pair.server.mutations
    assert mutation["epoch"] is None
    assert mutation["seen"][0]["fields"] == {"door": "101", "phone": "1"}
    assert pair.phone.status().up_to_date
    assert pair.server.beside == []


def test_a_page_whose_epoch_no_push_can_explain_is_left_until_the_next_sync(pair: Pair) -> None:
    household, _ = with_a_backup(pair)
    pair.server.beside = [{"epoch": "e9"}] * 3
    pair.phone.want_sync()
    verdicts = []
    while pair.phone.next_request():
        verdicts.append(pair.exchange().verdict)
        assert len(verdicts) < 9
    assert verdicts == ["ok", "ok", "retry"]
    assert not pair.phone.status().up_to_date
    assert pair.fields(household) == {"door": "101", "phone": "1"}
    pair.server.beside = []
    pair.sync()
    assert pair.phone.status().up_to_date


def test_what_was_once_accepted_and_is_now_refused_becomes_visible(pair: Pair) -> None:
    household, backup = with_a_backup(pair)
    pair.phone.edit(household, {"phone": "2"})
    pair.sync()
    restore(pair, backup)
    pair.server.judge = lambda mutation: refusal("not_permitted")
    pair.server.beside = [{"reset": [{"feed": 1, "reason": "mark"}]}] * 2  # the cursor is ahead of this past
    pair.sync()
    (refused,) = pair.phone.refusals()
    assert (refused.fields, refused.problem.code) == ({"phone": "2"}, "not_permitted")
    assert pair.fields(household) == {"door": "101", "phone": "1"}


def test_a_mutation_in_flight_when_the_server_was_restored_is_sent_again_as_it_was(pair: Pair) -> None:
    household, backup = with_a_backup(pair)
    pair.phone.edit(household, {"phone": "2"})
    pair.lose_an_answer()
    (lost,) = pair.last_push()
    restore(pair, backup)
    pair.sync()
    (again,) = pair.server.mutations
    assert {name: again[name] for name in lost} == lost
    assert again["epoch"] == "e1"


def test_a_recovery_survives_lost_answers_kills_and_several_homes(pair: Pair) -> None:
    _, backup = with_a_backup(pair)
    for number in range(130):
        pair.phone.create("visits", OTHER_HOME if number % 3 else HOME, {"note": str(number)})
    pair.sync()
    restore(pair, backup)
    pair.phone.want_sync()
    pair.exchange()
    pair.exchange()
    pair.lose_an_answer()
    assert pair.phone.status().recovering
    pair.sync()
    assert len(pair.server.records) == 131
    assert all(m["epoch"] == "e1" and m["seen"] == [] for m in pair.server.mutations)
    assert all(len({m["home"] for m in push["mutations"]}) == 1 for push in pair.server.pushes)
    assert pair.phone.status().up_to_date


def test_a_server_restored_once_more_during_a_recovery_gets_everything_again(pair: Pair) -> None:
    _, backup = with_a_backup(pair)
    keys = [pair.phone.create("visits", home, {"note": "x"}) for home in (HOME, OTHER_HOME)]
    pair.sync()
    restore(pair, backup)
    pair.phone.want_sync()
    pair.exchange()
    pair.exchange()
    pair.exchange()
    restore(pair, backup, epoch="e3")
    pair.sync()
    assert {m["epoch"] for m in pair.server.mutations} == {"e1"}
    assert pair.server.records.keys() >= set(keys)


def test_a_phone_in_the_middle_of_a_recovery_is_not_given_to_another_person(pair: Pair) -> None:
    _, backup = with_a_backup(pair)
    pair.phone.create("visits", HOME, {"note": "x"})
    pair.sync()
    restore(pair, backup)
    pair.phone.want_sync()
    pair.exchange()
    assert pair.phone.status().unsent == 0
    with pytest.raises(OtherPersonsOutbox):
        pair.phone.sign_in("somebody else", "another phone")


def test_an_answer_from_before_the_restore_is_not_heard(pair: Pair) -> None:
    household, backup = with_a_backup(pair)
    pair.phone.edit(household, {"phone": "2"})
    old = pair.phone.next_request()
    assert old is not None
    answer = pair.server.answer(old)
    restore(pair, backup)
    pair.exchange()
    assert pair.phone.answer(old, *answer).verdict == "ok"
    assert pair.phone.status().in_flight == 1
    pair.sync()
    assert pair.server.records[household]["fields"]["phone"] == "2"


def test_the_first_answer_names_the_epoch_of_what_was_written_before_it(pair: Pair) -> None:
    for number in range(150):
        pair.phone.create("visits", HOME, {"note": str(number)})
    pair.sync()
    assert [push["epoch"] for push in pair.server.pushes] == [None, "e1"]
    assert not any("epoch" in m for m in pair.server.mutations)


def test_several_mutations_of_one_record_share_a_push_of_the_log(pair: Pair) -> None:
    household, backup = with_a_backup(pair)
    for phone in "234":
        pair.phone.edit(household, {"phone": phone})
        pair.sync()
    restore(pair, backup)
    pair.sync()
    (push,) = pair.server.pushes
    sent: list[Raw] = push["mutations"]
    assert [m["fields"]["phone"] for m in sent] == ["2", "3", "4"]


def test_a_phone_with_nothing_to_send_and_no_feed_left_learns_of_a_restore_by_its_count(pair: Pair) -> None:
    _, backup = with_a_backup(pair)
    visit = pair.phone.create("visits", HOME, {"note": "one"})
    pair.sync()
    restore(pair, backup, epoch="e1")  # nobody told the server
    pair.server.feeds.clear()
    pair.sync()
    assert visit in pair.server.records
    assert pair.phone.status().up_to_date


def test_signing_in_anew_sends_the_log_since_the_new_count_betrays_nothing(pair: Pair) -> None:
    _, backup = with_a_backup(pair)
    visit = pair.phone.create("visits", HOME, {"note": "one"})
    pair.sync()
    restore(pair, backup, epoch="e1")
    status = pair.phone.status()
    pair.phone.sign_in(str(status.person), "019cad8f-ac00-7000-8000-000000000077")
    pair.sync()
    assert visit in pair.server.records
    assert pair.phone.status().up_to_date
