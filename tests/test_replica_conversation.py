"""Which request goes out next, and what the phone makes of every kind of answer."""

import json
from uuid import UUID

import pytest

from sync.replica import OtherPersonsOutbox, Replica
from sync.store import MemoryStore
from tests.scripted import HOME, JSON, OTHER_HOME, PERSON, Pair, pair, problem

__all__ = ["pair"]

OTHER_PERSON = UUID("22222222-0000-7000-8000-000000000002")
OTHER_PHONE = UUID("33333333-0000-7000-8000-000000000002")


def test_a_phone_with_nothing_to_say_says_nothing(pair: Pair) -> None:
    assert pair.phone.next_request() is None
    pair.sync()
    assert pair.phone.next_request() is None
    assert pair.phone.status().up_to_date


def test_something_to_send_and_something_to_read_share_a_round_trip(pair: Pair) -> None:
    pair.phone.create("visits", HOME, {"note": "one"})
    pair.phone.want_sync()
    request = pair.phone.next_request()
    assert request is not None
    assert (request.method, request.path) == ("POST", "/v1/sync")
    assert pair.phone.answer(request, *pair.server.answer(request)).verdict == "ok"
    assert pair.phone.next_request() is None
    pair.phone.want_sync()
    request = pair.phone.next_request()
    assert request is not None
    assert (request.path, json.loads(request.body)["cursor"]) == ("/v1/sync/pull", "1")


def test_a_lost_answer_is_asked_for_again_word_for_word(pair: Pair) -> None:
    pair.phone.create("visits", HOME, {"note": "one", "needs": ["oil"]})
    for _ in range(3):
        pair.lose_an_answer()
    pair.sync()
    first, *again = pair.server.mutations
    assert again == [first] * 3
    assert pair.server.received == 1


def test_an_answer_given_twice_counts_once(pair: Pair) -> None:
    key = pair.phone.create("visits", HOME, {"note": "one"})
    request = pair.phone.next_request()
    assert request is not None
    answer = pair.server.answer(request)
    pair.phone.answer(request, *answer)
    pair.phone.edit(key, {"note": "two"})
    pair.phone.answer(request, *answer)
    assert pair.phone.status().unsent == 1
    assert pair.fields(key) == {"note": "two"}


def test_an_outcome_that_is_missing_is_asked_for_again(pair: Pair) -> None:
    pair.phone.create("visits", HOME, {"note": "one"})
    request = pair.phone.next_request()
    assert request is not None
    said = json.loads(pair.server.answer(request)[2])
    said["push"]["outcomes"] = []
    assert pair.phone.answer(request, 200, JSON, json.dumps(said).encode()).verdict == "retry"
    pair.sync()
    assert pair.phone.status().up_to_date


def test_outcomes_of_another_epoch_settle_nothing(pair: Pair) -> None:
    pair.sync()
    pair.phone.create("visits", HOME, {"note": "one"})
    request = pair.phone.next_request()
    assert request is not None
    said = json.loads(pair.server.answer(request)[2])
    said["push"]["epoch"] = "e9"
    assert pair.phone.answer(request, 200, JSON, json.dumps(said).encode()).verdict == "retry"
    assert pair.phone.status().unsent == 1


def test_the_same_person_signing_in_again_keeps_outbox_log_and_copies(pair: Pair) -> None:
    household = pair.key("households", 1)
    pair.server.write(household, {"door": "101"})
    pair.sync()
    pair.phone.create("visits", HOME, {"note": "one"})
    late = pair.lose_an_answer()
    pair.phone.sign_in(PERSON, OTHER_PHONE)
    assert pair.phone.status().unsent == 1
    assert pair.fields(household) == {"door": "101"}
    pair.phone.answer(late, *problem(401, "replica_revoked"))  # of the phone it was before
    assert pair.fields(household) == {"door": "101"}
    pair.sync()
    assert pair.server.pushes[-1]["received"] == 0
    assert pair.server.pulls[-1]["cursor"] is not None


def test_nobody_signs_in_over_another_persons_unsent_notes(pair: Pair) -> None:
    pair.server.write(pair.key("households", 1), {"door": "101"})
    pair.sync()
    pair.phone.create("visits", HOME, {"note": "one"})
    with pytest.raises(OtherPersonsOutbox):
        pair.phone.sign_in(OTHER_PERSON, OTHER_PHONE)
    pair.lose_an_answer()
    with pytest.raises(OtherPersonsOutbox):
        pair.phone.sign_in(OTHER_PERSON, OTHER_PHONE)
    pair.sync()
    pair.phone.want_sync()
    late = pair.phone.next_request()
    assert late is not None
    answer = pair.server.answer(late)
    pair.phone.sign_in(OTHER_PERSON, OTHER_PHONE)
    assert list(pair.phone.shown_all("households")) == list(pair.phone.shown_all("visits")) == []
    pair.phone.answer(late, *answer)  # a page for the person before
    assert list(pair.phone.shown_all("households")) == []
    assert pair.phone.status().person == str(OTHER_PERSON)
    assert pair.phone.next_request() is None


def test_a_phone_restored_from_an_older_copy_loses_no_edit(pair: Pair) -> None:
    assert isinstance(pair.store, MemoryStore)
    key = pair.phone.create("visits", HOME, {"note": "one"})
    older = pair.store.snapshot()
    pair.sync()
    pair.phone.edit(key, {"note": "two"})
    pair.sync()
    pair.store.restore(older)
    pair.phone = Replica(pair.store, pair.clock.seams(seed=2))
    pair.phone.edit(key, {"note": "three"})  # joins the create, whose id the server knows with other content
    pair.phone.create("visits", HOME, {"note": "after it"})
    pair.sync()
    create, update, reused, *_, anew = pair.server.mutations
    assert create["id"] == reused["id"] != anew["id"]
    # What was written under the old id after the copy was made is on no screen of this phone: nothing lies on it.
    assert (anew["op"], anew.get("after"), anew["fields"]) == ("create", None, {"note": "three"})
    assert update["fields"] == {"note": "two"}
    assert pair.phone.refusals() == []
    assert pair.fields(key) == {"note": "three"}
    assert pair.phone.status().up_to_date


def test_the_log_forgets_after_30_days_of_the_servers_clock_and_no_sooner(pair: Pair) -> None:
    first = pair.phone.create("visits", HOME, {"note": "one"})
    pair.sync()
    pair.clock.now = pair.clock.now.replace(year=2036)  # the phone's clock means nothing
    pair.phone.create("visits", OTHER_HOME, {"note": "two"})
    pair.sync()
    log = [entry.key for entry in pair.phone._read().entries.all()]
    assert log[0] == first
    assert len(log) == 2
    pair.server.now = pair.server.now.replace(month=4)
    pair.phone.create("visits", HOME, {"note": "three"})
    pair.sync()
    assert [entry.fields["note"] for entry in pair.phone._read().entries.all()] == ["three"]


def test_the_log_keeps_what_no_complete_page_has_brought_however_old_it_is(pair: Pair) -> None:
    key = pair.phone.create("visits", HOME, {"note": "one"})
    pair.server.beside = [{"complete": False}, {"complete": False, "cursor": "0"}]
    pair.exchange()
    pair.server.now = pair.server.now.replace(month=5)
    pair.phone.create("visits", OTHER_HOME, {"note": "two"})
    pair.exchange()
    assert [entry.fields["note"] for entry in pair.phone._read().entries.all()] == ["one", "two"]
    assert pair.fields(key) == {"note": "one"}


def test_the_count_the_phone_tells_never_falls(pair: Pair) -> None:
    for note in "ab":
        pair.phone.create("visits", HOME, {"note": note})
        pair.sync()
    pair.server.received = 1
    pair.phone.create("visits", HOME, {"note": "c"})
    pair.sync()
    pair.phone.create("visits", HOME, {"note": "d"})
    pair.sync()
    assert [push["received"] for push in pair.server.pushes] == [0, 1, 2, 2]
