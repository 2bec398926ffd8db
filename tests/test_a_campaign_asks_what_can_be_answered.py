"""What a campaign asks can be answered with what travels, and what was asked stays to be read."""

import json
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest

from tests.raw_phone import RawPhone
from tests.sweeps import Answer, begin, doors, secretary, today
from tests.world import NEW_ID, World

__all__ = ["doors", "secretary"]  # the fixtures


def asking(question: Any) -> str:
    """A version with one question, which is so."""
    return json.dumps({"type": "object", "properties": {"a": question}})


def nested(depth: int, innermost: Answer) -> Answer:
    return {"not": nested(depth - 1, innermost)} if depth else innermost


UNANSWERABLE: list[Any] = [
    {"type": "number"},
    {"type": ["null", "number"]},
    {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "number"}]}},
    {"enum": [36.5]},
    {"type": "object", "properties": {"feverDays": {"type": "integer"}}},
    {"allOf": [{"patternProperties": {"^a": {"properties": {"一": {}}}}}]},
    {"type": "object", "required": ["feverDays"]},
    {"type": "string", "pattern": "(((("},
    {"type": "string", "pattern": r"(\p{L}{99}){99}"},
    {"const": "\ud800"},
    {"properties": []},
    nested(240, {"type": "number"}),
    nested(500, {}),
]
"""What could be asked, but not answered by anything that a push takes, or read by no validator."""


async def test_what_may_be_asked_is_answered_and_taken(world: World, secretary: RawPhone, doors: list[UUID]) -> None:
    """Also where a question is called as a keyword is, or a value looks like a schema."""
    tenths = {"type": "integer", "minimum": 300, "maximum": 450}
    asked = {"type": "array", "items": {"type": "object", "properties": {"fever_days": {"type": "integer"}}}}
    questions = {"t": tenths, "type": {"enum": ["number", {"type": "number"}]}, "properties": asked, "b": True}
    schema = json.dumps({"type": "object", "properties": questions, "required": ["t"]})
    campaign = await begin(secretary, questions={"1": schema})
    said = {"t": 365, "type": "number", "properties": [{"fever_days": 2}], "b": {"pattern": "(((("}}
    assert jsonschema_rs.is_valid(json.loads(schema), said)
    await secretary.apply(
        "answers", NEW_ID(), fields={"household_id": str(doors[0]), "campaign_id": campaign, "said": said}
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"approval": " "}, "no_approval"),
        ({"approval": "\u200b——"}, "no_approval"),
        ({"until": "2020-01-01"}, "invalid"),
        ({"keep_until": "2020-01-01"}, "invalid"),
        ({"questions": {"1": "not JSON"}}, "questions_invalid"),
        ({"questions": {"1": '{"type":"object","properties":{"fever":{"type":"perhaps"}}}'}}, "questions_invalid"),
        (
            {"questions": {"1": '{"type":"object","properties":{"a":{"$ref":"https://example.org/"}}}'}},
            "questions_invalid",
        ),
        ({"questions": {"1": '{"type":"object","properties":{"A B":{}}}'}}, "questions_invalid"),
        ({"questions": {"1": "[" * 9000}}, "questions_invalid"),
        ({"questions": {"1": '{"type":"object","properties":{"a":{"const":NaN}}}'}}, "questions_invalid"),
        *(({"questions": {"1": asking(one)}}, "questions_invalid") for one in UNANSWERABLE),
    ],
)
async def test_a_campaign_that_could_not_be_held_is_refused_with_why(
    world: World, secretary: RawPhone, said: Answer, code: str
) -> None:
    window = {"since": str(today(world)), "until": str(today(world, later=2))}
    fields = {"area_id": str(world.home), "name": "三天大排查", "approval": "〔2026〕7号", **window, **said}
    answer = await world.http.post("/v1/campaigns", json=fields, headers=secretary.headers)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (f"/fields/{min(said)}", code)


async def test_a_new_version_of_its_questions_leaves_those_by_which_somebody_answered(
    world: World, secretary: RawPhone
) -> None:
    first, second = (f'{{"type":"object","properties":{{"{name}":{{}}}}}}' for name in ("fever", "cough"))
    path = f"/v1/campaigns/{await begin(secretary)}"
    for questions in ({"1": first}, {"1": first, "2": second}):
        changed = await world.http.patch(path, json={"questions": questions}, headers=secretary.headers)
        assert (changed.status_code, changed.json()["questions"]) == (200, questions)
    for questions in ({}, {"2": second}, {"1": second, "2": second}):
        refused = await world.http.patch(path, json={"questions": questions}, headers=secretary.headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "once_changed"), refused.text
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/fields/questions"]
    held = (await world.http.get(path, headers=secretary.headers)).json()
    assert (held["questions"], held["rev"]) == ({"1": first, "2": second}, 3)
