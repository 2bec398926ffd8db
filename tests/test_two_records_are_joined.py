"""The rules by which two records of one thing become one: no server, no database."""

from typing import Any

import pytest
from pydantic import JsonValue

from sync.decide import Contest, Held, Rules
from sync.join import decide_join
from sync.merge import POLICIES, Policy, steps
from sync.wire import Fields


def joined(policy: Policy, held: JsonValue, other: JsonValue, faults: Any = lambda fields: []) -> Any:
    """What becomes of one field: the value, or what is asked."""
    decision = decide_join(Rules({"x": policy}, faults), Held(1, {"x": held}, {}), {"x": other})
    assert decision.outcome == ("conflicted" if decision.contested else "merged")
    assert (decision.deleted, decision.problem) == (None, None)
    if decision.contested:
        assert decision.fields == {}
        assert decision.contested == {"x": Contest(None, held, other)}
        return "asked"
    return decision.fields.get("x", held)


@pytest.mark.parametrize("policy", [*POLICIES.values(), steps({("a", "b")})], ids=lambda policy: policy.name)
@pytest.mark.parametrize("nothing", [None, "", []])
def test_what_one_lacks_it_has_from_the_other(policy: Policy, nothing: JsonValue) -> None:
    assert joined(policy, nothing, "a") == "a"
    assert joined(policy, "a", nothing) == "a"
    assert joined(policy, "a", "a") == "a"
    assert joined(policy, nothing, nothing) == nothing


@pytest.mark.parametrize(
    ("policy", "held", "other", "result"),
    [
        ("ask", "a", "b", "asked"),
        ("ask", False, True, "asked"),
        ("ask", 0, 1, "asked"),
        ("latest", "a", "b", "a"),
        ("once", "a", "b", "a"),
        ("grows", {"1": "a"}, {"2": "b"}, {"1": "a", "2": "b"}),
        ("grows", {"1": "a"}, {"1": "b"}, "asked"),
        ("maximum", 2, 3, 3),
        ("maximum", 3, 2, 3),
        ("total", 2, 3, 5),
        ("total", 0, 3, 3),
        ("union", ["b"], ["a", "b"], ["a", "b"]),
        ("union", ["a", "b"], ["b"], ["a", "b"]),
        ("text", "甲。", "乙。", "甲。\n乙。"),
        ("text", "甲。\n", "乙。", "甲。\n乙。"),
        ("text", "甲", "乙", "甲\n乙"),
        ("text", "甲。乙。", "乙。丙。", "甲。乙。\n丙。"),
        ("text", "甲。乙。", "乙。", "甲。乙。"),
    ],
)
def test_what_both_say_is_joined_by_the_fields_policy(
    policy: str, held: JsonValue, other: JsonValue, result: JsonValue
) -> None:
    assert joined(POLICIES[policy], held, other) == result


def test_a_step_that_was_taken_stays() -> None:
    assert joined(steps({("a", "b")}), "a", "b") == "a"


def test_what_makes_no_valid_record_is_asked() -> None:
    def short(fields: Fields) -> list[dict[str, JsonValue]]:
        return [{"pointer": "/fields/x", "code": "text_too_long"}] if len(str(fields["x"])) > 5 else []

    assert joined(POLICIES["text"], "甲。", "乙。", short) == "甲。\n乙。"
    assert joined(POLICIES["text"], "甲甲。", "乙乙。", short) == "asked"


NAMES = ("a", "b", "c")


def of_three(held: Fields, other: Fields, faults: Any) -> tuple[Fields, set[str]]:
    decision = decide_join(Rules(dict.fromkeys(NAMES, POLICIES["ask"]), faults), Held(1, held, {}), other)
    assert {name: contest.arriving for name, contest in decision.contested.items()} == {
        name: other[name] for name in decision.contested
    }
    return decision.fields, {*decision.contested}


def test_only_what_is_wrong_is_asked_where_that_is_enough() -> None:
    def apart(fields: Fields) -> list[dict[str, JsonValue]]:
        wrong = fields["a"] is not None and fields["a"] != fields["b"]
        return [{"pointer": f"/fields/{name}", "code": "invalid"} for name in ("a", "b") if wrong]

    held: Fields = {"a": None, "b": 1, "c": None}
    assert of_three(held, {"a": 2, "b": 2, "c": 3}, apart) == ({"c": 3}, {"a", "b"})
    assert of_three(held, {"a": 1, "b": None, "c": 3}, apart) == ({"a": 1, "c": 3}, set())


def test_all_is_asked_where_nobody_can_say_what_is_wrong() -> None:
    def one_alone(fields: Fields) -> list[dict[str, JsonValue]]:
        return [{"pointer": "/fields/c", "code": "invalid"}] if fields["a"] and fields["b"] else []

    held: Fields = {"a": None, "b": None, "c": 1}
    assert of_three(held, {"a": 2, "b": 3, "c": None}, one_alone) == ({}, {"a", "b"})
