"""What survives when two people change one field: the policies, one by one, and whatever hypothesis invents."""

from collections import Counter
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from app.fields import as_wire
from sync import merge
from sync.merge import CONTESTED, POLICIES, Fork, Policy, Refusal, sentences, steps

members = st.sets(st.sampled_from("abcdef"), max_size=6)
sentence = st.sampled_from(["甲。", "乙。", "丙！", "丁？", "戊；", "己\n", "\n", "。", "two words。"])
note = st.tuples(st.lists(sentence, max_size=6), st.sampled_from(["", "没有句号", "tail"])).map(
    lambda parts: "".join(parts[0]) + parts[1]
)
values: dict[str, st.SearchStrategy[JsonValue]] = {
    "ask": st.text(max_size=4),
    "grows": st.dictionaries(st.sampled_from("abc"), st.text(max_size=2)),
    "latest": st.text(max_size=4),
    "maximum": st.integers(),
    "once": st.text(max_size=4),
    "text": note,
}


def settled(policy: Policy, base: JsonValue, held: JsonValue, arriving: JsonValue, **more: Any) -> Any:
    return policy.settle(Fork(held, arriving, base, **more))


def delta(add: set[str], remove: set[str]) -> dict[str, JsonValue]:
    return {"add": [*sorted(add)], "remove": [*sorted(remove)]}


def test_every_policy_has_the_name_it_is_found_by_and_says_what_survives() -> None:
    assert {name: policy.name for name, policy in POLICIES.items()} == {name: name for name in POLICIES}
    assert POLICIES.keys() == {"ask", "latest", "union", "text", "maximum", "total", "once", "grows"}


# ask, latest


def test_ask_leaves_it_to_a_person_and_writes_freely_where_nobody_else_wrote() -> None:
    assert settled(merge.ask, "a", "b", "c") is CONTESTED
    assert merge.ask.take("a", "c") == "c"


def test_of_two_latest_values_the_one_that_arrives_later_wins() -> None:
    assert settled(merge.latest, "a", "b", "c") == "c"
    assert settled(merge.latest, "a", "b", None) is None


@pytest.mark.parametrize("name", sorted(values))
@settings(deadline=None)
@given(data=st.data())
def test_equal_values_are_never_contested(name: str, data: st.DataObject) -> None:
    if name == "ask":
        return  # decide never asks it about equal values: see test_decide.py
    base, same = data.draw(values[name]), data.draw(values[name])
    result = settled(POLICIES[name], base, same, same)
    assert result == same


# union


@settings(deadline=None)
@given(base=members, one=st.tuples(members, members), other=st.tuples(members, members))
def test_sets_take_every_add_and_every_remove_of_both_in_whatever_order_they_arrive(
    base: set[str], one: tuple[set[str], set[str]], other: tuple[set[str], set[str]]
) -> None:
    """A phone only adds what it doesn't show and only removes what it shows."""
    changes = [(add - base, remove & base) for add, remove in (one, other)]
    results = set()
    for first, second in permutations(changes):
        held = merge.union.take([*sorted(base)], delta(*first))
        assert isinstance(held, list)
        readded = {str(m) for m in held} - base
        results.add(tuple(settled(merge.union, None, held, delta(*second), readded=readded)))
    [result] = results
    added, removed = changes[0][0] | changes[1][0], changes[0][1] | changes[1][1]
    assert set(result) == (base | added) - removed


def test_an_add_beats_a_remove_of_the_same_member() -> None:
    assert settled(merge.union, ["x"], ["x"], delta(set(), {"x"}), readded={"x"}) == ["x"]
    assert settled(merge.union, ["x"], [], delta({"x"}, set())) == ["x"]
    assert merge.union.take(["x"], delta({"x"}, {"x"})) == ["x"]


def test_a_plain_list_only_adds_since_its_sender_saw_nothing_to_remove() -> None:
    assert settled(merge.union, None, ["a"], ["b"]) == ["a", "b"]


@settings(deadline=None)
@given(held=members, add=members, remove=members)
def test_a_set_is_spelled_sorted_and_once(held: set[str], add: set[str], remove: set[str]) -> None:
    result = merge.union.take([*held, *held], delta(add, remove))
    assert isinstance(result, list)
    assert result == sorted(set(map(str, result)))


# text


@settings(deadline=None)
@given(note)
def test_cutting_into_sentences_loses_no_character(text: str) -> None:
    assert "".join(sentences(text)) == text


@settings(deadline=None)
@given(base=note, held=note, arriving=note)
def test_a_merged_text_loses_no_sentence_that_either_side_wrote(base: str, held: str, arriving: str) -> None:
    result = settled(merge.text, base, held, arriving)
    if result is CONTESTED:
        return
    before, ours, theirs = (Counter(sentences(text)) for text in (base, held, arriving))
    merged = Counter(sentences(result))
    for one in merged.keys() | ours.keys() | theirs.keys():
        written = max(ours[one], theirs[one]) - before[one]
        assert merged[one] >= written, f"{one!r} was written and is gone"
        if ours[one] == theirs[one] == before[one] == 0:
            assert merged[one] == 0, f"{one!r} was written by nobody"


@settings(deadline=None)
@given(base=note, held=note, arriving=note)
def test_both_orders_of_arrival_merge_a_text_to_the_same(base: str, held: str, arriving: str) -> None:
    assert settled(merge.text, base, held, arriving) == settled(merge.text, base, arriving, held)


@settings(deadline=None)
@given(base=note, other=note)
def test_a_text_that_only_one_side_changed_is_that_sides(base: str, other: str) -> None:
    assert settled(merge.text, base, base, other) == other
    assert settled(merge.text, base, other, base) == other


@pytest.mark.parametrize(
    ("base", "held", "arriving", "merged"),
    [
        ("一。二。三。", "一。二。三。四。", "零。一。二。三。", "零。一。二。三。四。"),
        ("一。二。三。", "一改。二。三。", "一。二。三改。", "一改。二。三改。"),
        ("一。二。三。", "一。三。", "一。二。三。四。", "一。三。四。"),
        ("一。二。三。", "一改。二。三改。", "一。二改。三。", "一改。二改。三改。"),
        ("一。二。", "一改。二。", "一。二改。", "一改。二改。"),
        ("一。二。", "一。", "一。", "一。"),
        (None, None, "一。", "一。"),
        ("", "同一句。", "同一句。", "同一句。"),
        ("一。", "甲。", "乙。", CONTESTED),
        ("一。", "一。甲。", "一。乙。", CONTESTED),
        ("一。二。", "一。", "一。二改。", CONTESTED),
        ("一。二。", "一。甲。二。", "一。二改。", CONTESTED),
        ("", "甲。", "乙。", CONTESTED),
    ],
)
def test_texts_merge_by_sentences_and_ask_where_both_changed_the_same_ones(
    base: JsonValue, held: JsonValue, arriving: JsonValue, merged: Any
) -> None:
    assert settled(merge.text, base, held, arriving) == merged


def test_a_long_stretch_is_one_edit_so_that_no_text_costs_more_than_its_length() -> None:
    """Looking for what is alike inside two notes of 2,000 full stops would take minutes."""
    base = [f"{n}。" for n in range(300)]
    held = [f"改{line}" if n < 2 * merge.MOST_COMPARED and n % 2 else line for n, line in enumerate(base)]
    inside, beyond = ([f"另{line}" if n == place else line for n, line in enumerate(base)] for place in (8, 250))
    assert settled(merge.text, "".join(base), "".join(held), "".join(inside)) is CONTESTED
    assert settled(merge.text, "".join(base), "".join(held), "".join(beyond)) == "".join(held[:200] + beyond[200:])


@pytest.mark.parametrize(("beyond", "looked_into"), [(0, True), (1, False)])
def test_a_stretch_of_the_most_that_is_compared_is_still_looked_into(beyond: int, looked_into: bool) -> None:
    base = [f"{n}。" for n in range(merge.MOST_COMPARED + beyond)]
    held = ["改。", *base[1:-1], "改。"]
    arriving = [*base[:8], "另。", *base[9:]]
    both = "".join([*held[:8], "另。", *held[9:]])
    result = settled(merge.text, *("".join(lines) for lines in (base, held, arriving)))
    assert result == (both if looked_into else CONTESTED)


def test_a_text_without_a_known_base_is_asked_about() -> None:
    assert settled(merge.text, None, "一。", "二。", base_known=False) is CONTESTED


@pytest.mark.parametrize(
    ("seen", "held", "arriving", "merged"),
    [
        ("一。二。", "一。", "二。", "二。"),  # the restored server never had the second one
        ("一。二。", "一。", "一。二。三。", "一。二。三。"),
        ("一。二。", "", "一。二改。", "一。二改。"),
        ("一。二。", "一。二。甲。", "一改。二。", "一改。二。甲。"),  # what somebody has added since stays
        ("一。二改。", "一。二。", "一。二改。三。", CONTESTED),  # from before its change, or another one after it?
        ("一。二。", "一改。二。", "一改。二。", "一改。二。"),
    ],
)
def test_after_a_restore_what_a_text_lacks_was_taken_out_by_nobody(
    seen: str, held: str, arriving: str, merged: Any
) -> None:
    assert settled(merge.text, seen, held, arriving, past_lost=True) == merged


# maximum, total


@settings(deadline=None)
@given(base=st.integers(), held=st.integers(), arriving=st.integers())
def test_maximum_keeps_the_larger(base: int, held: int, arriving: int) -> None:
    assert settled(merge.maximum, base, held, arriving) == max(held, arriving)
    assert merge.maximum.take(held, arriving) == max(held, arriving)


def test_nothing_is_smaller_than_no_value() -> None:
    assert settled(merge.maximum, None, None, 3) == 3
    assert settled(merge.maximum, None, 3, None) == 3


def test_of_two_moments_the_later_is_the_larger() -> None:
    """All moments are spelled equally long: `…00Z` would sort after `…00.500000Z` though it is earlier."""
    whole = as_wire(datetime(2026, 1, 1, 8, tzinfo=UTC))
    half = as_wire(datetime(2026, 1, 1, 8, 0, 0, 500_000, tzinfo=UTC))
    assert settled(merge.maximum, None, whole, half) == half
    assert settled(merge.maximum, None, half, whole) == half


@settings(deadline=None)
@given(start=st.integers(-1000, 1000), increments=st.lists(st.integers(-1000, 1000), min_size=1, max_size=5))
def test_a_total_is_the_sum_of_all_increments(start: int, increments: list[int]) -> None:
    held: JsonValue = start
    for number, increment in enumerate(increments):
        change: JsonValue = {"increment": increment}
        result: Any = settled(merge.total, start, held, change) if number % 2 else merge.total.take(held, change)
        held = result
    assert held == start + sum(increments)


def test_a_total_that_nobody_set_begins_at_nothing() -> None:
    assert merge.total.take(None, {"increment": 3}) == 3


def test_a_plain_number_for_a_total_is_asked_about_since_it_cannot_be_summed() -> None:
    assert settled(merge.total, 1, 5, 7) is CONTESTED
    assert settled(merge.total, 1, 7, 7) == 7
    assert settled(merge.total, None, None, 7) == 7


# once, steps


def test_once_ignores_the_equal_and_refuses_the_different() -> None:
    for result in (settled(merge.once, None, "a", "b"), merge.once.take("a", "b")):
        assert result == Refusal("once_changed")
    assert merge.once.take("a", "a") == "a"


def test_what_grows_takes_new_entries_and_refuses_to_change_or_drop_one() -> None:
    assert merge.grows.take(None, {"1": "a"}) == {"1": "a"}
    assert merge.grows.take({"1": "a"}, {"1": "a", "2": "b"}) == {"1": "a", "2": "b"}
    for arriving in ({}, None, {"2": "b"}, {"1": "b", "2": "b"}):
        assert merge.grows.take({"1": "a"}, arriving) == Refusal("once_changed")
        assert settled(merge.grows, {"1": "a"}, {"1": "a", "3": "c"}, arriving) == Refusal("once_changed")


def test_of_what_grows_on_two_sides_all_entries_stay_and_a_person_decides_between_two_of_one_name() -> None:
    base, held = {"1": "a"}, {"1": "a", "2": "b"}
    assert settled(merge.grows, base, held, {"1": "a", "3": "c"}) == {"1": "a", "2": "b", "3": "c"}
    assert settled(merge.grows, base, held, {"1": "a", "2": "B"}) is CONTESTED
    assert settled(merge.grows, None, held, {"3": "c"}, base_known=False) == {"1": "a", "2": "b", "3": "c"}
    assert settled(merge.grows, None, held, {"1": "A"}, base_known=False) is CONTESTED


def test_an_impossible_step_is_refused_also_when_two_people_took_one() -> None:
    task = steps({("open", "taken"), ("taken", "done")})
    assert task.name == "steps"
    assert task.take("open", "taken") == "taken"
    assert task.take("open", "done") == Refusal("impossible_step")
    assert settled(task, "open", "taken", "done") == "done"
    assert settled(task, "open", "done", "taken") == Refusal("impossible_step")
    assert settled(task, "open", "taken", "taken") == "taken"
