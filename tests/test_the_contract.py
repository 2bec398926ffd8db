"""The committed OpenAPI document is what the server says, and says enough."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.collections import COLLECTIONS
from app.main import create_app

DOCUMENT = Path(__file__).parent.parent / "openapi" / "openapi.json"
METHODS = {"get", "post", "put", "patch", "delete"}


@cache
def said() -> dict[str, Any]:
    return create_app().openapi()


def test_the_committed_document_is_what_the_server_says() -> None:
    assert json.loads(DOCUMENT.read_text()) == said(), "run: qiaomen openapi > openapi/openapi.json"


def test_every_operation_has_a_name_and_a_description() -> None:
    for path, operations in said()["paths"].items():
        for method in operations.keys() & METHODS:
            operation = operations[method]
            assert operation.get("summary"), (path, method)
            assert operation.get("description"), (path, method)


def test_no_reference_leads_nowhere() -> None:
    document = said()
    text = json.dumps(document)
    for part in text.split('"#/components/schemas/')[1:]:
        name = part.split('"')[0]
        assert name in document["components"]["schemas"], name


@pytest.mark.parametrize("name", COLLECTIONS)
def test_constraints_and_descriptions_in_both_languages_reach_the_document(name: str) -> None:
    schemas = said()["components"]["schemas"]
    collection = COLLECTIONS[name]
    for field in collection.fields:
        described = schemas[collection.read.__name__]["properties"][field]
        chinese, _, english = described["description"].partition(" · ")
        assert any("\u4e00" <= c <= "\u9fff" for c in chinese), field
        assert english, field
        assert described["x-merge"] == collection.rules.policies[field].name
