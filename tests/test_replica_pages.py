"""Pages are staged, take effect together, and what is shown was always a state the server had."""

import json
import tracemalloc
from pathlib import Path
from uuid import UUID

from sync.canonical import digest, record_hash
from sync.entries import Key
from sync.replica import Request
from sync.store import MemoryStore, SqliteStore
from tests.scripted import HOME, JSON, Pair, Raw, new_pair, pair

__all__ = ["pair"]


def households(pair: Pair, count: int) -> list[Key]:
    """The server has as many, and no phone has them yet."""
    keys = [pair.key("households", number) for number in range(1, count + 1)]
    for key in keys:
        pair.server.write(key, {"door": f"{key.record}"})
    return keys


def shown(pair: Pair) -> list[Key]:
    return [one.key for one in pair.phone.shown_all("households")]


def next_request(pair: Pair) -> Request:
    pair.phone.want_sync()
    request = pair.phone.next_request()
    assert request is not None
    return request


def test_nothing_is_shown_before_a_page_is_complete() -> None:
    pair = new_pair(page_limit=2)
    keys = households(pair, 5)
    pair.phone.want_sync()
    for _ in range(2):
        pair.exchange()
        assert shown(pair) == []
    pair.exchange()
    assert shown(pair) == keys
    assert [pull["cursor"] for pull in pair.server.pulls] == [None, "2", "4"]
    assert pair.phone.next_request() is None


def test_a_cut_costs_one_page_and_a_page_that_comes_twice_is_staged_once() -> None:
    pair = new_pair(page_limit=2)
    keys = households(pair, 3)
    request = next_request(pair)
    answer = pair.server.answer(request)
    pair.phone.answer(request, *answer)
    pair.phone.answer(request, *answer)
    pair.lose_an_answer()
    pair.sync()
    assert shown(pair) == keys
    assert [pull["cursor"] for pull in pair.server.pulls] == [None, "2", "2"]


def test_unchanged_completes_what_is_staged(pair: Pair) -> None:
    keys = households(pair, 2)
    pair.server.beside = [{"complete": False}]
    pair.sync()
    assert shown(pair) == keys
    assert pair.phone.status().up_to_date


def test_a_page_that_leads_nowhere_is_no_page(pair: Pair) -> None:
    request = next_request(pair)
    for page in (
        {"epoch": "e1"},
        {"epoch": "e1", "cursor": None, "complete": True},
        {"epoch": "e1", "unchanged": True},
    ):
        assert pair.phone.answer(request, 200, JSON, json.dumps(page).encode()).verdict == "retry"
    pair.sync()
    request = next_request(pair)
    stuck = {"epoch": "e1", "cursor": request.cursor, "complete": False, "changes": []}
    assert pair.phone.answer(request, 200, JSON, json.dumps(stuck).encode()).verdict == "retry"


def test_an_older_change_of_a_record_does_not_undo_a_newer_one(pair: Pair) -> None:
    (key,) = households(pair, 1)
    pair.server.write(key, {"door": "new"})
    pair.server.changes.reverse()
    pair.sync()
    assert pair.fields(key) == {"door": "new"}


def test_a_record_lives_while_one_feed_lists_it_and_is_shown_as_the_widest_shows_it(pair: Pair) -> None:
    pair.server.open_feed(2, width=20)
    key = pair.key("residents", 1)
    pair.server.list(key, 1, {"name": "王*四"}, feed=1)
    pair.server.list(key, 1, {"name": "王小四", "phone": "1"}, feed=2)
    pair.sync()
    assert pair.fields(key) == {"name": "王小四", "phone": "1"}
    pair.server.list(key, 1, {}, feed=2, departed=True)
    pair.sync()
    assert pair.fields(key) == {"name": "王*四"}
    pair.server.list(key, 2, {}, feed=1, deleted=True)
    pair.sync()
    assert pair.phone.shown(key) is None


def test_a_record_that_two_feeds_list_is_shown_once(pair: Pair) -> None:
    pair.server.open_feed(2)
    for feed in (1, 2):
        pair.server.list(pair.key("households", 1), 1, {"door": "101"}, feed=feed)
    pair.sync()
    assert shown(pair) == [pair.key("households", 1)]


def test_of_equally_wide_feeds_the_newest_copy_is_shown_then_that_of_the_lowest_feed(pair: Pair) -> None:
    key = pair.key("residents", 1)
    for feed, rev in ((2, 5), (3, 6), (4, 6)):
        pair.server.open_feed(feed, width=30)
        pair.server.list(key, rev, {"feed": feed}, feed=feed)
    pair.sync()
    assert pair.fields(key) == {"feed": 3}


def test_a_lost_feed_takes_its_records_with_it_also_from_what_was_seen(pair: Pair) -> None:
    pair.server.open_feed(2, width=20)
    lost, kept, mine = pair.key("households", 1), pair.key("households", 2), pair.key("visits", 3)
    pair.server.list(lost, 4, {"door": "secret"}, feed=2)
    pair.server.list(kept, 4, {"door": "unmasked", "floor": 1}, feed=2)
    pair.server.list(kept, 4, {"door": "***", "floor": 1}, feed=1)
    pair.sync()
    request = next_request(pair)
    for household in (lost, kept):
        pair.phone.create("visits", HOME, {"household_id": str(household.record)})
    pair.phone.edit(lost, {"door": "typed"})
    pair.server.beside = [{"lost": [2]}]
    pair.server.list(pair.key("visits", 9), 1, {}, feed=2)  # of a feed that is lost, nothing comes any more
    pair.phone.answer(request, *pair.server.answer(request))
    assert shown(pair) == [kept]
    assert pair.fields(kept) == {"door": "***", "floor": 1}
    assert isinstance(pair.store, MemoryStore)
    held = json.dumps(pair.store.snapshot(), default=str)
    assert "secret" not in held
    assert "unmasked" not in held
    assert "typed" in held
    (of_lost, of_kept, edit) = pair.phone._read().entries.all()
    assert (of_lost.seen, edit.seen) == ([], [])
    assert [one.fields for one in of_kept.seen] == [{"floor": 1}]
    assert pair.phone.shown(mine) is None
    assert [feed.feed for feed in pair.phone.copies().feeds()] == [1]


def test_a_lost_feed_leaves_what_another_feed_showed_in_what_was_seen(pair: Pair) -> None:
    pair.server.open_feed(2)
    lost, kept = pair.key("households", 1), pair.key("households", 2)
    pair.server.list(lost, 1, {"door": "101"}, feed=2)
    pair.server.list(kept, 1, {"door": "102"})
    pair.sync()
    pair.phone.create("moves", HOME, {"from_id": str(lost.record), "to_id": str(kept.record)})
    pair.server.beside = [{"lost": [2]}]
    pair.exchange()
    (move,) = pair.phone._read().entries.all()
    assert [(one.record, one.fields) for one in move.seen] == [(kept.record, {"door": "102"})]


def test_a_lost_feed_discards_what_is_staged_of_it_and_a_regained_one_begins_anew() -> None:
    pair = new_pair(page_limit=1)
    pair.server.open_feed(2)
    before, after = pair.key("households", 1), pair.key("households", 2)
    pair.server.list(before, 1, {"door": "101"}, feed=2)
    pair.server.list(after, 1, {"door": "102"}, feed=2)
    pair.server.list(pair.key("visits", 1), 1, {"note": "x"})
    pair.server.beside = [{}, {"lost": [2]}, {"gained": [pair.server.feeds[2]], "digests": {}}]
    pair.sync()
    assert shown(pair) == []
    pair.server.list(after, 1, {"door": "102"}, feed=2)
    pair.server.beside = [{"digests": {}}]
    pair.sync()
    assert shown(pair) == [after]


def test_a_reset_feed_is_read_again_from_its_beginning_and_the_outbox_stays(pair: Pair) -> None:
    kept, gone = households(pair, 2)
    pair.sync()
    pair.phone.edit(kept, {"door": "mine"})
    request = next_request(pair)
    page = {
        **{"changes": [pair.server.changes[0]], "cursor": "7", "complete": True, "epoch": "e1"},
        **{"reset": [{"feed": 1, "reason": "horizon"}]},
    }
    push = json.loads(request.body)["push"]
    answer = {"push": {**pair.server.push({**push, "mutations": []}), "outcomes": []}, "page": page}
    pair.phone.answer(request, 200, JSON, json.dumps(answer).encode())
    assert pair.phone.shown(gone) is None
    assert pair.fields(kept) == {"door": "mine"}
    assert pair.phone.status().unsent == 1


def test_copies_that_do_not_add_up_are_read_again_once_and_reported(pair: Pair) -> None:
    keys = households(pair, 3)
    missed = pair.server.changes.pop(1)
    pair.server.beside = [{"digests": {"1": 12345}}]
    pair.phone.want_sync()
    pair.exchange()
    assert (pair.phone.status().rereads, pair.phone.status().differing) == (1, 1)
    pair.server.changes.append(missed)
    pair.exchange()
    assert pair.server.pulls[-1]["reread"] == [1]
    assert shown(pair) == keys
    assert pair.phone.status().differing == 0
    assert pair.phone.next_request() is None


def test_a_feed_that_never_adds_up_is_read_again_only_once_a_sync(pair: Pair) -> None:
    households(pair, 3)
    pair.server.beside = [{"digests": {"1": 12345}}] * 9
    pair.phone.want_sync()
    while pair.phone.next_request():
        pair.exchange()
    assert [pull["reread"] for pull in pair.server.pulls] == [[], [1]]
    assert pair.phone.status().differing == 1
    pair.server.beside = []
    pair.sync()  # the next sync tries once more
    assert pair.server.pulls[-1]["reread"] == [1]
    assert pair.phone.status().differing == 0


def test_the_phone_hashes_what_it_stored(pair: Pair) -> None:
    key = pair.key("households", 1)
    fields = {"door": "101 \u2028 敲门", "needs": ["b", "a"], "floor": None, "calls": 2**53 - 1}
    pair.server.list(key, 3, fields)
    pair.server.changes[0]["hash"] = 1  # what the server says of it isn't believed
    pair.sync()
    (feed,) = pair.phone.copies().feeds()
    assert feed.digest == digest([record_hash("households", str(key.record), 3, fields)])
    assert pair.phone.status().rereads == 0


def test_collections_the_phone_does_not_know_are_stored_as_they_come(pair: Pair) -> None:
    key = pair.key("drone_flights", 1)
    fields: Raw = {"height": 120, "pilot": {"name": "x", "list": [1, [2]]}}
    pair.server.list(key, 1, fields)
    pair.sync()
    assert pair.fields(key) == fields
    pair.phone.edit(key, {"height": 130})
    pair.sync()
    assert pair.last_push()[0]["fields"] == {"height": 130}


def test_a_page_asked_for_before_an_answer_does_not_take_the_edit_off_the_screen(pair: Pair) -> None:
    (key,) = households(pair, 1)
    pair.sync()
    early = next_request(pair)
    early_answer = pair.server.answer(early)
    pair.phone.edit(key, {"door": "mine"})
    push = pair.phone.next_request()
    assert push is not None
    said = json.loads(pair.server.answer(push)[2])
    del said["page"]
    said["page_problem"] = {"code": "unavailable", "status": 503, "title": "x"}
    pair.phone.answer(push, 200, JSON, json.dumps(said).encode())
    pair.phone.answer(early, *early_answer)
    assert pair.fields(key) == {"door": "mine"}
    pair.phone.edit(key, {"phone": "1"})
    pair.sync()
    assert [m["base"] for m in pair.server.mutations] == [1, 1]
    assert pair.fields(key) == {"door": "mine", "phone": "1"}


def test_a_long_reading_needs_no_more_memory_than_a_page_or_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "phone.db")
    pair = new_pair(store, page_limit=50)
    for number in range(1_500):
        key = Key("residents", HOME, UUID(int=number + 1))
        pair.server.list(key, 1, {"name": f"resident {number}", "note": "敲门" * 500})
    request: Request | None = next_request(pair)
    one_page = 0
    while request:
        answer = pair.server.answer(request)
        one_page = max(one_page, len(answer[2]))
        tracemalloc.start()
        pair.phone.answer(request, *answer)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * one_page, (peak, one_page)
        request = pair.phone.next_request()
    assert len(pair.server.pulls) == 30
    assert sum(1 for _ in pair.phone.shown_all("residents")) == 1_500
    store.close()
