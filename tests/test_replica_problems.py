"""What a phone makes of a problem, and of what isn't the server's word at all."""

import json
from uuid import UUID

import pytest

from sync.store import MemoryStore
from tests.scripted import HOME, JSON, PERSON, Pair, a_household, new_pair, pair, problem

__all__ = ["pair"]

OTHER_PHONE = UUID("33333333-0000-7000-8000-000000000002")


@pytest.mark.parametrize(
    "answer",
    [
        (200, "text/html", b"<html>Welcome to the hotel</html>"),
        (200, JSON, b""),
        (200, JSON, b'{"push":{"outcomes":[],"rec'),
        (200, JSON, b"[]"),
        (200, JSON, b'{"status":"ok"}'),
        (204, JSON, b""),
        (302, "text/html", b""),
        (404, "text/html", b"not here"),
        (404, JSON, b'{"detail":"Not Found"}'),
        (502, "text/html", b"bad gateway"),
        problem(500, "internal"),
        problem(503, "unavailable", retry_after=2),
        problem(429, "too_many_requests"),
    ],
    ids=str,
)
def test_what_is_not_the_servers_word_costs_nothing_but_time(pair: Pair, answer: tuple[int, str, bytes]) -> None:
    pair.phone.create("visits", HOME, {"note": "one"})
    request = pair.phone.next_request()
    assert request is not None
    before = pair.phone.status()
    assert pair.phone.answer(request, *answer).verdict == "retry"
    assert pair.phone.status() == before
    pair.sync()
    assert pair.phone.status().up_to_date


def test_a_pull_that_fails_hides_no_outcomes(pair: Pair) -> None:
    for number in range(150):
        pair.phone.create("visits", HOME, {"note": str(number)})
    request = pair.phone.next_request()
    assert request is not None
    push = json.loads(pair.server.answer(request)[2])["push"]
    refused = {"push": push, "page_problem": {"code": "too_many_feeds", "status": 409, "title": "x"}}
    answered = pair.phone.answer(request, 200, JSON, json.dumps(refused).encode())
    assert answered.verdict == "ok"
    assert answered.problem is not None
    assert pair.phone.status().unsent == 50
    assert pair.phone.status().blocked_by == "too_many_feeds"
    request = pair.phone.next_request()  # pushes go on, without a pull
    assert request is not None
    assert request.path == "/v1/sync/push"
    pair.phone.answer(request, *pair.server.answer(request))
    assert pair.phone.next_request() is None
    assert not pair.phone.status().up_to_date
    pair.sync()  # the next sync tries again
    assert pair.phone.status().up_to_date
    assert pair.phone.status().blocked_by is None


def test_an_older_server_takes_nothing_and_loses_nothing(pair: Pair) -> None:
    pair.phone.create("visits", HOME, {"note": "one"})
    pair.server.next_answers = [problem(409, "server_older", protocol=0)]
    answered = pair.exchange()
    assert answered.verdict == "stopped"
    assert pair.phone.status().blocked_by == "server_older"
    pair.sync()
    assert pair.phone.status().up_to_date


def test_a_restore_that_says_neither_epoch_nor_count_stops_the_sync_and_loses_nothing(pair: Pair) -> None:
    key = pair.phone.create("visits", HOME, {"note": "one"})
    pair.server.next_answers = [problem(409, "server_restored")]
    assert pair.exchange().verdict == "stopped"
    assert not pair.phone.status().recovering
    pair.sync()
    assert pair.server.records[key]["fields"] == {"note": "one"}


@pytest.mark.parametrize("code", ["token_expired", "not_signed_in", "token_foreign"])
def test_a_token_that_is_no_good_asks_for_a_sign_in(pair: Pair, code: str) -> None:
    pair.phone.create("visits", HOME, {"note": "one"})
    pair.server.next_answers = [problem(401, code)]
    assert pair.exchange().verdict == "sign_in"
    assert pair.phone.status().blocked_by == code
    assert pair.phone.status().unsent == 1


@pytest.mark.parametrize("code", ["cursor_unreadable", "cursor_forged", "cursor_foreign"])
def test_a_cursor_the_server_does_not_know_is_dropped_and_everything_read_anew(pair: Pair, code: str) -> None:
    kept, gone = pair.key("households", 1), pair.key("households", 2)
    pair.server.write(kept, {"door": "101"})
    pair.server.write(gone, {"door": "102"})
    pair.sync()
    del pair.server.changes[1]  # the feed's past has changed
    pair.server.next_answers = [problem(400, code)]
    pair.phone.want_sync()
    assert pair.exchange().verdict == "ok"
    assert pair.fields(gone) == {"door": "102"}  # until the reading is complete
    pair.sync()
    assert pair.server.pulls[-1]["cursor"] is None
    assert [one.key for one in pair.phone.shown_all("households")] == [kept]
    pair.phone.want_sync()
    pair.server.next_answers = [problem(400, code)]
    pair.exchange()
    pair.server.next_answers = [problem(400, code)]
    assert pair.exchange().verdict == "stopped"  # there was no cursor to complain of


@pytest.mark.parametrize("code", ["body_too_large", "too_many_mutations"])
def test_a_push_that_is_too_large_is_halved(pair: Pair, code: str) -> None:
    for number in range(10):
        pair.phone.create("visits", HOME, {"note": str(number)})
    sizes = []
    for _ in range(2):
        request = pair.phone.next_request()
        assert request is not None
        sizes.append(len(request.mutations))
        assert pair.phone.answer(request, *problem(413, code)).verdict == "ok"
    pair.finish()
    sizes += [len(push["mutations"]) for push in pair.server.pushes]
    assert sizes == [10, 5, 2, 2, 2, 2, 2]
    assert [m["fields"]["note"] for m in pair.server.mutations] == [str(number) for number in range(10)]


def test_a_push_that_was_too_slow_is_halved_and_one_edit_alone_is_tried_again(pair: Pair) -> None:
    for number in range(4):
        pair.phone.create("visits", HOME, {"note": str(number)})
    sizes = []
    for _ in range(4):
        request = pair.phone.next_request()
        assert request is not None
        sizes.append(len(request.mutations))
        assert pair.phone.answer(request, *problem(408, "body_too_slow")).verdict == "retry"
    assert sizes == [4, 2, 1, 1]
    assert pair.phone.refusals() == []
    pair.finish()
    assert [m["fields"]["note"] for m in pair.server.mutations] == [str(number) for number in range(4)]


def test_a_mutation_that_is_too_large_alone_is_refused_here_and_holds_up_nothing(pair: Pair) -> None:
    large = pair.phone.create("visits", HOME, {"note": "x" * 300_000})
    small = pair.phone.create("visits", HOME, {"note": "small"})
    request = pair.phone.next_request()
    assert request is not None
    assert len(request.mutations) == 1
    assert pair.phone.answer(request, *problem(413, "body_too_large")).verdict == "ok"
    (refused,) = pair.phone.refusals()
    assert (refused.key, refused.problem.code) == (large, "body_too_large")
    assert refused.fields == {"note": "x" * 300_000}
    pair.sync()
    assert pair.fields(small) == {"note": "small"}
    assert pair.phone.shown(large) is None


def test_an_edit_that_is_too_large_with_what_was_seen_goes_without_it(pair: Pair) -> None:
    household = a_household(pair)
    pair.phone.edit(household, {"phone": "2"})
    pair.server.next_answers = [problem(413, "body_too_large")]
    assert pair.exchange().verdict == "ok"
    assert pair.phone.refusals() == []
    pair.phone.sign_in(PERSON, OTHER_PHONE)
    pair.sync()
    assert pair.server.records[household]["fields"]["phone"] == "2"
    assert next(pair.phone._read().entries.all()).seen == []


def test_a_revoked_phone_wipes_at_once_but_keeps_what_its_person_typed(pair: Pair) -> None:
    household = pair.key("households", 1)
    pair.server.write(household, {"door": "101", "phone": "1"})
    pair.sync()
    visit = pair.phone.create("visits", HOME, {"household_id": str(household.record), "note": "mine"})
    pair.phone.keep_tokens("access", "refresh")
    pair.server.next_answers = [problem(401, "replica_revoked")]
    assert pair.exchange().verdict == "stopped"
    assert pair.phone.shown(household) is None
    assert pair.phone.tokens() is None
    assert isinstance(pair.store, MemoryStore)
    assert "101" not in json.dumps(pair.store.snapshot(), default=str)  # not in any `seen` either
    assert pair.fields(visit) == {"household_id": str(household.record), "note": "mine"}
    assert pair.phone.next_request() is None
    pair.phone.sign_in(PERSON, OTHER_PHONE)
    pair.sync()
    assert pair.phone.status().up_to_date
    assert pair.server.records[visit]["fields"]["note"] == "mine"
    assert pair.phone.shown(household) is not None


def test_a_revoked_phone_keeps_nothing_of_the_pages_it_had_only_staged() -> None:
    pair = new_pair(page_limit=1)
    for number in (1, 2):
        pair.server.write(pair.key("households", number), {"door": "secret"})
    pair.phone.want_sync()
    pair.exchange()
    assert isinstance(pair.store, MemoryStore)
    assert "secret" in json.dumps(pair.store.snapshot(), default=str)
    pair.server.next_answers = [problem(401, "replica_revoked")]
    pair.exchange()
    assert "secret" not in json.dumps(pair.store.snapshot(), default=str)
