"""What becomes of creates, deletes, whole records and unknown bases: the design's §5, without a database."""

from typing import Any
from uuid import UUID

import pytest

from sync.decide import DELETED, Contest, Edit, Past, decide
from tests.story import RULES, START, Story

# Creates


def test_a_create_of_a_new_record_is_applied_and_an_invalid_one_refused() -> None:
    assert decide(RULES, None, Edit(UUID(int=1), "create", 0, START), Past()).fields == START
    wrong = decide(RULES, None, Edit(UUID(int=1), "create", 0, {**START, "low": 9}), Past())
    assert (wrong.outcome, wrong.problem) == ("refused", "invalid")


@pytest.mark.parametrize("op", ["update", "delete"])
def test_what_nobody_created_is_not_found(op: Any) -> None:
    assert decide(RULES, None, Edit(UUID(int=1), op, 1, {}), Past()).problem == "not_found"


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
    assert (decision.writes, decision.contested) == (False, {})


def test_an_edit_of_a_deleted_record_revives_it_and_asks() -> None:
    story = Story()
    story.push("you", "delete", 1)
    decision = story.push("me", "update", 1, {"phone": "2"})
    assert (decision.outcome, decision.deleted, decision.fields) == ("conflicted", False, {"phone": "2"})
    assert decision.contested == {DELETED: Contest(base=False, held=False, arriving=True)}


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
    assert (decision.outcome, decision.problem) == ("refused", "invalid")


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


def test_without_a_base_a_merge_that_makes_an_invalid_record_asks_beside_what_was_seen() -> None:
    story = Story()
    story.push("you", "update", 1, {"high": 3})
    decision = story.push("me", "update", None, {"low": 4}, seen=START)
    assert (decision.outcome, decision.contested) == ("conflicted", {"low": Contest(1, 1, 4)})


def test_without_a_base_sets_and_sums_still_take_effect() -> None:
    story = Story()
    story.push("me", "update", None, {"tags": {"add": ["c"], "remove": ["a"]}, "count": {"increment": 2}})
    assert (story["tags"], story["count"]) == (["b", "c"], 12)
