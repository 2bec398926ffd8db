"""What becomes of one mutation, field by field and along a chain: the design's §5, without a database."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from sync.decide import Contest
from sync.wire import Fields
from tests.story import START, Story

# Fields


def test_different_fields_never_conflict() -> None:
    story = Story()
    assert story.push("you", "update", 1, {"name": "李"}).outcome == "applied"
    assert story.push("me", "update", 1, {"phone": "2"}).outcome == "applied"
    assert (story["name"], story["phone"]) == ("李", "2")


EQUAL: Fields = {**START, "name": "李", "colour": "blue", "note": "四。", "state": "taken"}


@pytest.mark.parametrize("name", ["name", "colour", "note", "state", "door"])
def test_equal_values_never_conflict(name: str) -> None:
    story = Story()
    story.push("you", "update", 1, {name: EQUAL[name]})
    decision = story.push("me", "update", 1, {name: EQUAL[name]})
    assert (decision.outcome, decision.writes, decision.contested) == ("applied", False, {})


def test_a_field_changed_since_the_base_keeps_the_held_value_and_asks_about_the_arriving_one() -> None:
    story = Story()
    story.push("you", "update", 1, {"phone": "2"})
    decision = story.push("me", "update", 1, {"phone": "3", "name": "李"})
    assert decision.outcome == "conflicted"
    assert decision.contested == {"phone": Contest(base="1", held="2", arriving="3")}
    assert decision.fields == {"name": "李"}


def test_a_field_changed_after_the_base_that_was_seen_is_simply_replaced() -> None:
    story = Story()
    story.push("you", "update", 1, {"phone": "2"})
    assert story.push("me", "update", 2, {"phone": "3"}).outcome == "applied"
    assert story["phone"] == "3"


def test_a_value_changed_and_changed_back_since_the_base_was_still_changed() -> None:
    story = Story()
    story.push("you", "update", 1, {"phone": "2"})
    story.push("you", "update", 2, {"phone": "1"})
    assert story.push("me", "update", 1, {"phone": "3"}).outcome == "conflicted"
    assert story["phone"] == "1"


@pytest.mark.parametrize(
    ("name", "yours", "mine", "value", "outcome"),
    [
        ("colour", "blue", "green", "green", "merged"),
        ("tags", {"add": ["c"], "remove": ["a"]}, {"add": ["d"], "remove": ["b"]}, ["c", "d"], "merged"),
        ("tags", {"add": ["c"]}, {"remove": ["a"]}, ["b", "c"], "merged"),
        ("note", "零。一。二。三。", "一。二。三。四。", "零。一。二。三。四。", "merged"),
        ("seen", 9, 7, 9, "merged"),
        ("seen", 7, 9, 9, "merged"),
        ("count", {"increment": 2}, {"increment": 3}, 15, "merged"),
        ("phone", "2", "3", "2", "conflicted"),
        ("note", "一。甲。三。", "一。乙。三。", "一。甲。三。", "conflicted"),
    ],
)
def test_two_crossing_edits_become_what_the_policy_says(
    name: str, yours: JsonValue, mine: JsonValue, value: JsonValue, outcome: str
) -> None:
    story = Story()
    story.push("you", "update", 1, {name: yours})
    decision = story.push("me", "update", 1, {name: mine})
    assert (decision.outcome, story[name]) == (outcome, value)


def test_once_changed_is_refused_and_takes_nothing_of_the_mutation() -> None:
    story = Story()
    decision = story.push("me", "update", 1, {"door": "102", "name": "李"})
    assert (decision.outcome, decision.problem, decision.writes) == ("refused", "once_changed", False)
    assert decision.errors == [{"pointer": "/fields/door"}]


def test_an_impossible_step_is_refused() -> None:
    story = Story()
    story.push("you", "update", 1, {"state": "taken"})
    story.push("you", "update", 2, {"state": "done"})
    decision = story.push("me", "update", 1, {"state": "taken"})
    assert (decision.outcome, decision.problem) == ("refused", "impossible_step")


def test_a_plain_number_for_a_total_is_asked_about_also_where_nobody_else_changed_it() -> None:
    decision = Story().push("me", "update", 1, {"count": 7})
    assert decision.contested == {"count": Contest(base=None, held=10, arriving=7)}


@settings(deadline=None)
@given(
    st.permutations(["you", "me", "she"]),
    st.lists(st.tuples(st.sets(st.sampled_from("cdef")), st.sets(st.sampled_from("ab"))), min_size=3, max_size=3),
)
def test_sets_converge_whoever_arrives_first(order: list[str], changes: list[tuple[set[str], set[str]]]) -> None:
    results = []
    for names in (["you", "me", "she"], order):
        story, by = Story(), dict(zip(["you", "me", "she"], changes, strict=True))
        for who in names:
            add, remove = by[who]
            story.push(who, "update", 1, {"tags": {"add": [*sorted(add)], "remove": [*sorted(remove)]}})
        results.append(story["tags"])
    added = set[str]().union(*(add for add, _ in changes))
    removed = set[str]().union(*(remove for _, remove in changes))
    assert results[0] == results[1] == sorted(({"a", "b"} | added) - removed)


def test_what_another_added_again_since_the_base_survives_a_remove_that_did_not_see_it() -> None:
    story = Story()
    story.push("you", "update", 1, {"tags": {"remove": ["a"]}})
    story.push("you", "update", 2, {"tags": {"add": ["a"]}})
    story.push("me", "update", 1, {"tags": {"remove": ["a"]}})
    assert story["tags"] == ["a", "b"]


# Chains: a phone never conflicts with itself


def test_an_edit_after_an_own_one_with_the_same_base_is_no_conflict() -> None:
    story = Story()
    story.push("me", "update", 1, {"phone": "2"})
    assert story.push("me", "update", 1, {"phone": "3"}, after=story.mutation).outcome == "applied"
    assert story["phone"] == "3"


def test_a_chain_of_many_links_is_followed_to_its_beginning() -> None:
    story = Story()
    story.push("me", "update", 1, {"phone": "2"})
    for name in ("李", "赵"):
        story.push("me", "update", 1, {"name": name}, after=story.mutation)
    assert story.push("me", "update", 1, {"phone": "3"}, after=story.mutation).outcome == "applied"
    assert story["phone"] == "3"


def test_a_chain_that_begins_below_the_history_at_hand_says_nothing_of_a_field() -> None:
    story = Story()
    story.push("me", "update", 1, {"phone": "2"})
    mine, story.written = story.mutation, []
    story.push("you", "update", 2, {"phone": "9"})
    decision = story.push("me", "update", 2, {"phone": "3"}, after=mine)
    assert decision.contested == {"phone": Contest(base="2", held="9", arriving="3")}


def test_an_old_base_without_after_conflicts_even_with_ones_own_edit() -> None:
    story = Story()
    story.push("me", "update", 1, {"phone": "2"})
    assert story.push("me", "update", 1, {"phone": "3"}).outcome == "conflicted"


def test_somebody_elses_edit_between_two_links_of_a_chain_is_contested() -> None:
    story = Story()
    story.push("me", "update", 1, {"phone": "2"})
    mine = story.mutation
    story.push("you", "update", 2, {"phone": "9"})
    decision = story.push("me", "update", 1, {"phone": "3"}, after=mine)
    assert decision.contested == {"phone": Contest(base="2", held="9", arriving="3")}


def test_naming_somebody_elses_mutation_after_which_one_edits_opens_no_door() -> None:
    story = Story()
    story.push("you", "update", 1, {"phone": "2"})
    assert story.push("me", "update", 1, {"phone": "3"}, after=story.mutation).outcome == "conflicted"


def test_a_text_merges_against_what_the_chain_last_sent_for_it() -> None:
    story = Story()
    story.push("you", "update", 1, {"note": "零。一。二。三。"})
    story.push("me", "update", 1, {"note": "一。二。三。四。"})
    assert story["note"] == "零。一。二。三。四。"
    story.push("me", "update", 1, {"note": "一。二。三。四。五。"}, after=story.mutation)
    assert story["note"] == "零。一。二。三。四。五。"


def test_a_chain_that_never_spoke_of_a_text_merges_against_the_base() -> None:
    story = Story()
    story.push("me", "update", 1, {"phone": "2"})
    mine = story.mutation
    story.push("you", "update", 2, {"note": "零。一。二。三。"})
    assert story.push("me", "update", 1, {"note": "一。二。三。四。"}, after=mine).outcome == "merged"
    assert story["note"] == "零。一。二。三。四。"
