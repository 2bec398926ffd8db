"""What a person writes becomes mutations whose id, base, after and seen are fixed when they are made."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.canonical import NotCanonical
from sync.overlay import changed, composed
from sync.replica import AlreadyShown, Key, NotShown
from tests.scripted import HOME, OTHER_HOME, Pair, a_household, pair

__all__ = ["pair"]


def test_a_new_record_is_shown_at_once_and_marked_as_unsent(pair: Pair) -> None:
    key = pair.phone.create("visits", HOME, {"note": "nobody home"})
    shown = pair.phone.shown(key)
    assert shown is not None
    assert (shown.fields, shown.rev, shown.unsent) == ({"note": "nobody home"}, 0, True)
    assert [one.key for one in pair.phone.shown_all("visits")] == [key]
    pair.sync()
    shown = pair.phone.shown(key)
    assert shown is not None
    assert (shown.rev, shown.unsent) == (1, False)


def test_edits_of_an_unsent_create_stay_one_create(pair: Pair) -> None:
    key = pair.phone.create("households", HOME, {"door": "101", "needs": ["oil"], "calls": 1})
    pair.clock.now = pair.clock.now.replace(hour=20)
    pair.phone.edit(key, {"door": "102", "needs": {"add": ["rice"], "remove": ["oil"]}, "calls": {"increment": 2}})
    pair.sync()
    (mutation,) = pair.last_push()
    assert mutation["op"] == "create"
    assert mutation["fields"] == {"door": "102", "needs": ["rice"], "calls": 3}
    assert mutation["made_at"] == "2026-03-01T08:30:00Z"
    assert (mutation["base"], mutation["after"]) == (0, None)


def test_edits_of_one_record_are_sent_as_one_update_of_what_changed(pair: Pair) -> None:
    key = a_household(pair)
    pair.phone.edit(key, {"door": "101", "phone": "2", "needs": {"add": ["bread"]}, "calls": {"increment": 1}})
    pair.phone.edit(key, {"needs": {"remove": ["bread", "oil"]}, "calls": {"increment": 2}})
    assert pair.fields(key) == {"door": "101", "phone": "2", "needs": ["rice"], "calls": 7}
    pair.sync()
    (mutation,) = pair.last_push()
    assert mutation["fields"] == {
        **{"phone": "2", "needs": {"add": [], "remove": ["bread", "oil"]}, "calls": {"increment": 3}}
    }
    assert mutation["base"] == 3


def test_an_edit_that_changes_nothing_is_no_mutation(pair: Pair) -> None:
    key = a_household(pair)
    pair.phone.edit(key, {"door": "101", "needs": {"add": ["oil"]}})
    assert pair.phone.status().unsent == 0


def test_a_value_put_back_before_it_was_sent_is_sent_as_it_was(pair: Pair) -> None:
    key = a_household(pair)
    pair.phone.edit(key, {"phone": "2"})
    pair.phone.edit(key, {"phone": "1"})
    assert pair.fields(key) == pair.server.records[key]["fields"]


def test_a_deleted_record_that_something_unsent_refers_to_is_created_and_deleted(pair: Pair) -> None:
    key = pair.phone.create("households", HOME, {"door": "101"})
    pair.phone.create("visits", HOME, {"household_id": str(key.record), "note": "knocked"})
    pair.phone.delete(key)
    assert pair.phone.shown(key) is None
    pair.sync()
    assert pair.phone.shown(key) is None
    assert pair.phone.refusals() == []
    assert pair.phone.status().unsent == 0


def test_a_record_the_server_never_heard_of_vanishes_when_it_is_deleted(pair: Pair) -> None:
    key = pair.phone.create("visits", HOME, {"note": "a slip"})
    pair.phone.delete(key)
    assert pair.phone.shown(key) is None
    assert pair.phone.status().unsent == 0
    pair.sync()
    assert list(pair.server.mutations) == []


def test_a_record_edited_twice_before_an_answer_is_listed_once(pair: Pair) -> None:
    key = pair.phone.create("visits", HOME, {"note": "one"})
    pair.lose_an_answer()
    pair.phone.edit(key, {"note": "two"})
    assert [one.fields for one in pair.phone.shown_all("visits")] == [{"note": "two"}]


def test_a_set_written_whole_after_an_unsent_change_of_it_takes_nothing_of_that_back(pair: Pair) -> None:
    key = a_household(pair)
    pair.phone.edit(key, {"needs": {"add": ["bread"], "remove": ["oil"]}})
    pair.phone.edit(key, {"needs": ["oil", "soap"]})
    pair.sync()
    (mutation,) = pair.last_push()
    assert mutation["fields"] == {"needs": {"add": ["bread", "oil", "soap"], "remove": []}}


def test_an_unsent_edit_and_a_delete_are_sent_as_a_delete(pair: Pair) -> None:
    key = a_household(pair)
    pair.phone.edit(key, {"phone": "2"})
    pair.phone.delete(key)
    assert pair.phone.shown(key) is None
    pair.sync()
    (mutation,) = pair.last_push()
    assert (mutation["op"], mutation["fields"], mutation["base"]) == ("delete", {}, 3)
    assert key not in pair.server.records


def test_the_base_stays_what_it_was_when_the_oldest_squashed_edit_was_made(pair: Pair) -> None:
    key = a_household(pair)
    pair.server.write(key, {"phone": "9"})
    pair.phone.want_sync()
    pull = pair.phone.next_request()
    assert pull is not None
    pair.phone.edit(key, {"door": "102"})
    pair.phone.answer(pull, *pair.server.answer(pull))
    assert pair.fields(key) == {**pair.server.records[key]["fields"], "door": "102"}
    pair.phone.edit(key, {"phone": "8"})
    pair.sync()
    (mutation,) = pair.last_push()
    assert (mutation["base"], mutation["fields"]) == (3, {"door": "102", "phone": "8"})


def test_an_edit_made_while_another_is_in_flight_inherits_its_base_and_names_it(pair: Pair) -> None:
    key = a_household(pair)
    pair.phone.edit(key, {"phone": "2"})
    lost = pair.lose_an_answer()
    pair.phone.edit(key, {"phone": "3"})
    pair.phone.edit(key, {"door": "102"})
    pair.sync()
    first, again, second = pair.server.mutations
    assert again == first
    assert first["id"] == str(lost.mutations[0])
    assert (second["base"], second["after"]) == (3, first["id"])
    assert second["fields"] == {"phone": "3", "door": "102"}


def test_an_edit_of_an_unacknowledged_create_stands_on_rev_0(pair: Pair) -> None:
    key = pair.phone.create("visits", HOME, {"note": "one"})
    pair.lose_an_answer()
    pair.phone.edit(key, {"note": "two"})
    pair.sync()
    create, update = list(pair.server.mutations)[-2:]
    assert (update["op"], update["base"], update["after"]) == ("update", 0, create["id"])


def test_an_edit_upon_an_acknowledged_one_names_it_until_a_complete_page_holds_it(pair: Pair) -> None:
    key = a_household(pair)
    pair.phone.edit(key, {"phone": "2"})
    pair.server.beside = [{"complete": False, "cursor": "0"}]  # the page of this very sync is not complete
    pair.server.changes += [{**pair.server.changes[0], "seq": 99, "feed": 7}]
    assert pair.exchange().verdict == "ok"
    assert pair.phone.status().unsent == 0
    pair.phone.edit(key, {"phone": "3"})
    pair.sync()
    first, second = pair.server.mutations
    assert (second["base"], second["after"]) == (3, first["id"])
    pair.phone.edit(key, {"phone": "4"})
    pair.sync()
    third = pair.last_push()[0]
    assert (third["base"], third["after"]) == (pair.server.records[key]["rev"] - 1, None)


def test_only_one_mutation_of_a_record_is_in_flight(pair: Pair) -> None:
    key, other = a_household(pair), a_household(pair, 2)
    pair.phone.edit(key, {"phone": "2"})
    pair.lose_an_answer()
    pair.phone.edit(key, {"phone": "3"})
    pair.phone.edit(other, {"phone": "4"})
    pair.lose_an_answer()
    assert [m["fields"] for m in pair.last_push()] == [{"phone": "2"}, {"phone": "4"}]
    assert pair.phone.status().in_flight == 2


def test_a_push_holds_one_home_and_begins_with_what_may_be_on_its_way(pair: Pair) -> None:
    here, there = (pair.phone.create("visits", home, {"note": "x"}) for home in (HOME, OTHER_HOME))
    pair.phone.create("visits", HOME, {"note": "y"})
    pair.lose_an_answer()
    pair.phone.create("visits", HOME, {"note": "z"})
    pair.sync()
    homes = [[m["fields"]["note"] for m in push["mutations"]] for push in pair.server.pushes]
    assert homes == [["x", "y"], ["x", "y", "z"], ["x"]]
    assert pair.server.pushes[2]["home"] == str(OTHER_HOME)
    assert pair.fields(here) == pair.fields(there)


def test_a_push_stays_within_100_mutations_and_256_kilobytes(pair: Pair) -> None:
    for number in range(150):
        pair.phone.create("visits", HOME, {"note": str(number)})
    for _ in range(4):
        pair.phone.create("visits", HOME, {"note": "敲" * 30_000})
    pair.sync()
    assert [len(push["mutations"]) for push in pair.server.pushes] == [100, 52, 2]
    assert pair.phone.status().unsent == 0


def test_a_push_says_how_deep_the_outbox_is_and_since_when(pair: Pair) -> None:
    pair.phone.create("visits", HOME, {"note": "one"})
    pair.clock.now = pair.clock.now.replace(hour=12)
    pair.phone.create("visits", OTHER_HOME, {"note": "two"})
    pair.exchange()
    pair.exchange()
    first, second = pair.server.pushes
    assert first["outbox"] == {"depth": 2, "oldest_at": "2026-03-01T08:30:00Z"}
    assert second["outbox"] == {"depth": 1, "oldest_at": "2026-03-01T12:30:00Z"}
    assert (first["received"], second["received"]) == (0, 1)
    assert second["sent_at"] == "2026-03-01T12:30:00Z"


def test_seen_is_kept_with_every_edit_and_not_sent_to_the_server_it_came_from(pair: Pair) -> None:
    household = a_household(pair)
    area = pair.key("areas", 5)
    pair.server.write(area, {"name": "unit 1"})
    pair.sync()
    visit = pair.phone.create(
        "visits", HOME, {"household_id": str(household.record), "area_id": str(area.record), "note": "a"}
    )
    entry = next(pair.phone._read().entries.marked("unsent"))
    assert [(one.collection, one.rev, one.fields["phone"]) for one in entry.seen] == [("households", 3, "1")]
    pair.sync()
    pair.phone.edit(visit, {"note": "b"})
    entry = next(pair.phone._read().entries.marked("unsent"))
    assert [one.collection for one in entry.seen] == ["visits", "households"]
    assert entry.seen[0].fields["note"] == "a"
    pair.sync()
    assert not any("seen" in m or "epoch" in m for m in pair.server.mutations)


def test_what_is_referred_to_twice_is_seen_once(pair: Pair) -> None:
    household, resident = a_household(pair), pair.key("residents", 2)
    pair.server.write(resident, {"household_id": str(household.record)})
    pair.sync()
    pair.phone.create("visits", HOME, {"household_id": str(household.record), "resident_id": str(resident.record)})
    entry = next(pair.phone._read().entries.marked("unsent"))
    assert sorted(one.collection for one in entry.seen) == ["households", "residents"]


def test_words_as_long_as_an_id_refer_to_nothing(pair: Pair) -> None:
    pair.phone.create("visits", HOME, {"note": "no".ljust(36, "!")})
    assert next(pair.phone._read().entries.marked("unsent")).seen == []


def test_what_cannot_travel_is_told_to_its_writer_at_once(pair: Pair) -> None:
    key = a_household(pair)
    for value in (1.5, "a\0b", "\ud83d", 2**53, {"Key": 1}):
        with pytest.raises(NotCanonical):
            pair.phone.edit(key, {"note": value})
        with pytest.raises(NotCanonical):
            pair.phone.create("visits", HOME, {"note": value})
    assert pair.phone.status().unsent == 0


def test_what_is_not_shown_cannot_be_edited_and_what_is_cannot_be_made_anew(pair: Pair) -> None:
    key = a_household(pair)
    with pytest.raises(AlreadyShown):
        pair.phone.create("households", HOME, {"door": "1"}, key.record)
    pair.phone.delete(key)
    for write in (lambda: pair.phone.edit(key, {"door": "1"}), lambda: pair.phone.delete(key)):
        with pytest.raises(NotShown):
            write()
    with pytest.raises(NotShown):
        pair.phone.edit(Key("households", HOME, UUID(int=5)), {"door": "1"})


tags = st.lists(st.sampled_from("abc"), max_size=3)
deltas = st.fixed_dictionaries({}, optional={"add": tags, "remove": tags}).filter(bool)


@given(st.lists(st.sampled_from("abc"), unique=True), st.lists(deltas, min_size=1, max_size=5))
def test_squashed_changes_of_a_set_do_what_they_did_one_by_one(held: list[str], changes: list[dict]) -> None:
    one_by_one, squashed = sorted(held), changes[0]
    for change in changes:
        one_by_one = changed(one_by_one, change)
    for change in changes[1:]:
        squashed = composed(squashed, change)
    assert changed(sorted(held), squashed) == one_by_one
    assert set(squashed.get("add", [])).isdisjoint(squashed.get("remove", [])) or len(changes) == 1


@given(st.integers(-9, 9), st.lists(st.integers(-9, 9), min_size=1))
def test_squashed_increments_add_up(held: int, steps: list[int]) -> None:
    squashed = {"increment": steps[0]}
    for step in steps[1:]:
        squashed = composed(squashed, {"increment": step})
    assert changed(held, squashed) == held + sum(steps)
