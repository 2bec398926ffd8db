"""What becomes of creates, deletes, whole records and unknown bases: the design's §5, without a database."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from sync import merge
from sync.decide import DELETED, Contest, Edit, Held, Past, Written, decide
from tests.story import POLICIES, RULES, START, Story

BOTH_WRONG = [{"pointer": "/fields/low"}, {"pointer": "/fields/high"}]

# Creates


def test_a_create_of_a_new_record_is_applied_and_an_invalid_one_refused() -> None:
    made = decide(RULES, None, Edit(UUID(int=1), "create", 0, START), Past())
    assert (made.outcome, made.fields) == ("applied", START)
    wrong = decide(RULES, None, Edit(UUID(int=1), "create", 0, {**START, "low": 9}), Past())
    assert (wrong.outcome, wrong.problem, wrong.errors) == ("refused", "invalid", BOTH_WRONG)


@pytest.mark.parametrize("op", ["update", "delete"])
def test_what_nobody_created_is_not_found(op: Any) -> None:
    decision = decide(RULES, None, Edit(UUID(int=1), op, 1, {}), Past())
    assert (decision.outcome, decision.problem) == ("refused", "not_found")


def test_a_create_of_what_exists_counts_as_an_edit() -> None:
    story = Story()
    same = story.push("me", "create", 0, START)
    assert (same.outcome, same.writes) == ("applied", False)
    other = story.push("me", "create", 0, {**START, "phone": "2"})
    assert other.contested.keys() == {"phone"}
    assert story["phone"] == "1"


def test_a_create_asks_nothing_about_values_that_were_changed_since_by_people_who_had_seen_them() -> None:
    """After a restore the record was made from what somebody saw of it, and edited, before its create came."""
    story = Story()
    story.push("you", "update", 1, {"phone": "2"})
    assert story.push("me", "create", 0, START).outcome == "applied"
    assert story["phone"] == "2"


def test_a_create_that_says_nothing_of_a_field_is_asked_about_where_nobody_had_seen_it_empty() -> None:
    """Neither the record's making nor an edit of another field says that anybody had seen this one."""
    story = Story()
    story.push("you", "update", 1, {"phone": "2"})
    story.push("you", "update", 2, {"name": "李"})
    assert story.push("me", "create", 0, {**START, "phone": None}).contested.keys() == {"phone"}


# Deletes


def test_a_delete_that_saw_everything_deletes() -> None:
    story = Story()
    assert story.push("me", "delete", 1).deleted is True


def test_a_delete_that_crosses_an_edit_does_not_win_and_asks() -> None:
    story = Story()
    story.push("you", "update", 1, {"phone": "2"})
    decision = story.push("me", "delete", 1)
    assert (decision.outcome, decision.writes) == ("conflicted", False)
    assert decision.contested == {DELETED: Contest(base=False, held=False, arriving=True)}


def test_a_delete_after_ones_own_edit_crosses_nothing() -> None:
    story = Story()
    story.push("me", "update", 1, {"phone": "2"})
    assert story.push("me", "delete", 1, after=story.mutation).outcome == "applied"


def test_a_delete_whose_base_is_unknown_deletes_only_what_was_seen() -> None:
    story = Story()
    assert story.push("me", "delete", None, seen={**START, "phone": "9"}).outcome == "conflicted"
    assert story.push("me", "delete", None).outcome == "conflicted"
    assert story.push("me", "delete", None, seen=START).outcome == "applied"


def test_a_second_delete_changes_nothing_and_asks_nothing() -> None:
    story = Story()
    story.push("you", "delete", 1)
    decision = story.push("me", "delete", 1)
    assert (decision.outcome, decision.problem) == ("refused", "already_deleted")
    assert (decision.writes, decision.contested) == (False, {})


def test_an_edit_of_a_deleted_record_revives_it_and_asks() -> None:
    story = Story()
    story.push("you", "delete", 1)
    decision = story.push("me", "update", 1, {"phone": "2"})
    assert (decision.outcome, decision.deleted, decision.fields) == ("conflicted", False, {"phone": "2"})
    assert decision.contested == {DELETED: Contest(base=False, held=False, arriving=True)}


def test_an_edit_that_changes_nothing_of_a_deleted_record_revives_it_all_the_same() -> None:
    story = Story()
    story.push("you", "delete", 1)
    decision = story.push("me", "update", 1, {"phone": START["phone"]})
    assert (decision.outcome, decision.writes, decision.fields) == ("conflicted", True, {})
    assert story.held is not None
    assert not story.held.deleted


def test_an_edit_of_a_deleted_record_that_is_refused_revives_nothing() -> None:
    story = Story()
    story.push("you", "delete", 1)
    decision = story.push("me", "update", 1, {"door": "102"})
    assert (decision.outcome, decision.deleted) == ("refused", None)
    assert story.held is not None
    assert story.held.deleted


# The record as a whole


def test_an_edit_that_is_wrong_by_itself_is_refused() -> None:
    decision = Story().push("me", "update", 1, {"low": 9})
    assert (decision.outcome, decision.problem, decision.errors) == ("refused", "invalid", BOTH_WRONG)


def test_why_an_edit_is_refused_does_not_change_where_the_held_record_is_no_longer_valid() -> None:
    """Its rules were tightened since it was written."""
    tightened = replace(RULES, faults=lambda fields: BOTH_WRONG)
    edit = Edit(UUID(int=9), "update", 1, {"door": "102"})
    decision = decide(tightened, Held(1, START, {}), edit, Past())
    assert (decision.problem, decision.errors) == ("once_changed", [{"pointer": "/fields/door"}])


def test_an_edit_that_is_wrong_by_itself_is_refused_also_where_somebody_changed_something_else() -> None:
    """As conflicts its values could only ever be chosen one by one, and every choice would be refused."""
    story = Story()
    story.push("you", "update", 1, {"name": "李"})
    decision = story.push("me", "update", 1, {"low": 9, "high": 8})
    assert (decision.outcome, decision.problem) == ("refused", "invalid")


def test_a_merge_that_makes_an_invalid_record_becomes_a_conflict_on_each_arriving_field() -> None:
    story = Story()
    story.push("you", "update", 1, {"high": 3})
    decision = story.push("me", "update", 1, {"low": 4, "name": "李"})
    assert (decision.outcome, decision.writes) == ("conflicted", False)
    assert decision.contested == {"low": Contest(1, 1, 4), "name": Contest("王", "王", "李")}


def test_a_value_that_is_held_already_is_not_asked_about_in_an_invalid_merge() -> None:
    story = Story()
    story.push("you", "update", 1, {"high": 3, "name": "李"})
    assert story.push("me", "update", 1, {"low": 4, "name": "李"}).contested.keys() == {"low"}


@pytest.mark.parametrize(
    ("base", "seen", "high", "increment", "outcome"),
    [
        (1, None, 3, 3, "conflicted"),
        (1, None, 8, 9, "refused"),
        (None, START, 3, 3, "conflicted"),
        (None, START, 8, 9, "refused"),
        (None, None, 3, 3, "refused"),
    ],
)
def test_an_increment_is_wrong_by_itself_only_where_it_is_wrong_for_what_was_seen(
    base: int | None, seen: Any, high: int, increment: int, outcome: str
) -> None:
    """Seen: a low of 1 under a high of 5. Where nobody says what was seen, it is what is held."""
    summed = replace(RULES, policies={**POLICIES, "low": merge.total})
    past = Past([Written(2, UUID(int=2), {"high": high}, {"high": 5})])
    edit = Edit(UUID(int=9), "update", base, {"low": {"increment": increment}}, seen=seen)
    assert decide(summed, Held(2, {**START, "high": high}, {"high": 2}), edit, past).outcome == outcome


def test_the_base_of_a_conflict_is_what_the_chain_said_even_where_that_was_nothing() -> None:
    story = Story()
    story.push("me", "update", 1, {"name": "", "low": 1})
    mine = story.mutation
    story.push("you", "update", 2, {"high": 3})
    decision = story.push("me", "update", 1, {"low": 4, "name": "李"}, after=mine)
    assert decision.contested["name"] == Contest("", "", "李")


# Bases that mean nothing here


def test_a_base_above_the_records_rev_is_unknown_never_refused() -> None:
    decision = Story().push("me", "update", 7, {"phone": "2"})
    assert decision.outcome == "conflicted"


@pytest.mark.parametrize("base", [None, 7])
def test_without_a_base_a_field_is_contested_when_it_is_neither_as_seen_nor_as_arriving(
    base: int | None,
) -> None:
    story = Story()
    assert story.push("me", "update", base, {"phone": "2"}, seen=START).outcome == "applied"
    assert story["phone"] == "2"
    story.push("you", "update", 2, {"name": "李"})
    decision = story.push("me", "update", base, {"phone": "3", "name": "赵"}, seen={**START, "phone": "2"})
    assert decision.contested == {"name": Contest("王", "李", "赵")}
    assert decision.fields == {"phone": "3"}
    assert story.push("me", "update", base, {"name": "李"}, seen=START).contested == {}


def test_without_a_base_texts_merge_against_what_was_seen_and_are_asked_about_when_nothing_was() -> None:
    story = Story()
    story.push("you", "update", 1, {"note": "零。一。二。三。"})
    assert story.push("me", "update", None, {"note": "一。二。三。四。"}, seen=START).outcome == "merged"
    assert story["note"] == "零。一。二。三。四。"
    assert story.push("me", "update", None, {"note": "五。"}).outcome == "conflicted"
    assert Story(note=None).push("me", "update", None, {"note": "五。"}).outcome == "conflicted"


def test_without_a_base_a_merge_that_makes_an_invalid_record_asks_beside_what_was_seen() -> None:
    story = Story()
    story.push("you", "update", 1, {"high": 3})
    decision = story.push("me", "update", None, {"low": 4}, seen=START)
    assert (decision.outcome, decision.contested) == ("conflicted", {"low": Contest(1, 1, 4)})


def test_without_a_base_sets_and_sums_still_take_effect() -> None:
    story = Story()
    story.push("me", "update", None, {"tags": {"add": ["c"], "remove": ["a"]}, "count": {"increment": 2}})
    assert (story["tags"], story["count"]) == (["b", "c"], 12)


@pytest.mark.parametrize(("lost", "note"), [(False, "一。三。四。"), (True, "一。二。三。四。")])
def test_where_the_past_is_lost_nobody_need_have_taken_out_what_the_held_text_lacks(lost: bool, note: str) -> None:
    story = Story()
    story.push("you", "update", 1, {"note": "一。三。"})
    story.push("me", "update", None, {"note": "一。二。三。四。"}, seen=START, past_lost=lost)
    assert story["note"] == note


def test_of_what_this_phone_had_sent_itself_no_past_is_lost() -> None:
    story = Story()
    story.push("me", "update", 1, {"note": "一。二。三。四。"})
    mine = story.mutation
    story.push("you", "update", 2, {"note": "二。三。四。"})
    story.push("me", "update", None, {"note": "一。二。三。四。五。"}, after=mine, seen=START, past_lost=True)
    assert story["note"] == "二。三。四。五。"
