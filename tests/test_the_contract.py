"""The committed OpenAPI document is what the server says, says enough, and is believed: every answer is held to it."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.collections import COLLECTIONS
from app.problems import CATALOGUE
from tests.contract import METHODS, Answer, check, document, responses_of

TESTS = Path(__file__).parent
COMMITTED = TESTS.parent / "openapi" / "openapi.json"
CHINESE, ENGLISH = re.compile("[一-鿿]"), re.compile("[A-Za-z]{2}")
OPERATIONS = {
    operation["operationId"]: operation
    for item in document()["paths"].values()
    for method, operation in item.items()
    if method in METHODS
}
every = pytest.mark.parametrize("name", OPERATIONS)


def speaks_both(text: str) -> bool:
    return bool(CHINESE.search(text) and ENGLISH.search(text))


def parts_of(node: Any) -> list[Any]:
    """Every object within."""
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return ([node] if isinstance(node, dict) else []) + [part for child in inside for part in parts_of(child)]


def test_the_committed_document_is_what_the_server_says() -> None:
    assert json.loads(COMMITTED.read_text()) == document(), "run: qiaomen openapi > openapi/openapi.json"


@every
def test_an_operation_is_named_and_explained_in_both_languages(name: str) -> None:
    operation = OPERATIONS[name]
    assert re.fullmatch("[a-z_]{4,40}", name)
    assert speaks_both(operation["summary"])
    assert speaks_both(operation["description"])
    assert [*operation["tags"]] == [t["name"] for t in document()["tags"] if t["name"] in operation["tags"]]
    for parameter in operation.get("parameters", []):
        assert speaks_both(parameter.get("description", "")), parameter["name"]


@every
def test_an_operation_names_exactly_its_codes_and_explains_each(name: str) -> None:
    for status, answer in responses_of(OPERATIONS[name]).items():
        if int(status) < 400:
            assert speaks_both(answer["description"]), status
            continue
        assert answer["x-codes"]
        for code in answer["x-codes"]:
            entry = CATALOGUE[code]
            assert entry.status == int(status)
            assert f"`{code}` {entry.zh} · {entry.en}" in answer["description"]
        assert answer["content"]["application/problem+json"]["examples"].keys() == {*answer["x-codes"]}


def test_every_word_that_travels_is_explained_in_both_languages() -> None:
    for name, schema in document()["components"]["schemas"].items():
        for word, described in schema.get("properties", {}).items():
            assert speaks_both(described.get("description", "")), f"{name}.{word}"


def test_tags_are_explained_and_what_waits_for_a_person_comes_before_the_tree() -> None:
    tags = document()["tags"]
    assert all(speaks_both(tag["description"]) and speaks_both(tag["x-displayName"]) for tag in tags)
    names = [tag["name"] for tag in tags]
    assert names[:4] == ["sign-in", "phones", "sync", "conflicts"]
    assert names[-2:] == ["mutations", "health"]
    assert names.index("households") < names.index("areas")


def test_no_reference_leads_nowhere() -> None:
    for reference in [part["$ref"] for part in parts_of(document()) if isinstance(part.get("$ref"), str)]:
        place: Any = document()
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


@pytest.mark.parametrize("name", COLLECTIONS)
def test_constraints_and_descriptions_in_both_languages_reach_the_document(name: str) -> None:
    schemas = document()["components"]["schemas"]
    collection = COLLECTIONS[name]
    for field in collection.fields:
        described = schemas[collection.read.__name__]["properties"][field]
        assert speaks_both(described["description"]), field
        assert described["x-merge"] == collection.rules.policies[field].name


# That answers are held to the document at all


MAY_SPEAK = {"contract.py", "test_the_contract.py", "test_a_crowd_is_turned_away_cheaply.py"}
"""The last has routes of its own."""


def test_every_client_in_these_tests_checks_what_it_is_answered() -> None:
    speaking = [file.name for file in TESTS.rglob("*.py") if "ASGITransport(" in file.read_text()]
    assert not [name for name in speaking if name not in MAY_SPEAK]


def problem(code: str, **changes: Any) -> Answer:
    entry = CATALOGUE[code]
    return {"code": code, "status": entry.status, "title": f"{entry.zh} · {entry.en}", **changes}


PROBLEM = {"content-type": "application/problem+json", "content-language": "zh, en"}
RIGHT: Answer = {"status_code": 404, "json": problem("not_found"), "headers": PROBLEM}
WRONG: dict[str, Answer] = {
    "a code of another operation": {"json": problem("wrong_credentials")},
    "a code of another status": {"status_code": 400},
    "a status that isn't declared": {"status_code": 418},
    "another media type": {"headers": {"content-type": "application/json"}},
    "a header that isn't declared": {"headers": {**PROBLEM, "ETag": '"1"'}},
    "a header too few": {"headers": {"content-type": "application/problem+json"}},
    "another shape": {"json": problem("not_found", title=7)},
}


def test_an_answer_as_declared_is_let_through() -> None:
    check("GET", "/v1/visits/7", httpx.Response(**RIGHT))
    check("GET", "/v1/nothing", httpx.Response(404, json=problem("no_route")))


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_an_undeclared_answer_fails_the_test_it_is_given_to(wrong: Answer) -> None:
    with pytest.raises(AssertionError):
        check("GET", "/v1/visits/7", httpx.Response(**(RIGHT | wrong)))
