"""Every example of the contract was asked and answered so, and still is, on both stores."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from app.context import Context
from app.document import operations
from tests.contract import document
from tests.examples import FILE, play, record
from tests.phones import Time

RECORDED: dict[str, list[Any]] = json.loads(FILE.read_text())
OPERATIONS = {operation["operationId"]: operation for operation in operations(document())}
every = pytest.mark.parametrize("name", OPERATIONS)


async def test_the_morning_plays_again_as_it_was_recorded(tmp_path: Path) -> None:
    assert await record(tmp_path) == FILE.read_text(), "run: python -m tests.examples"


async def test_the_morning_goes_alike_on_both_stores(context: Context) -> None:
    played = await play(replace(context, seams=replace(context.seams, now=Time().seams("").now)))
    assert [(name, *map(outline, told)) for name, told in played.items()] == [
        (name, *map(outline, told)) for name, told in RECORDED.items()
    ]


def outline(told: Any) -> Any:
    """What was said, whatever the ids and the times."""
    if isinstance(told, dict):
        return {name: outline(part) for name, part in told.items() if name != "digests"}
    return [outline(part) for part in told] if isinstance(told, list) else type(told).__name__


@every
def test_an_operation_shows_what_it_takes_and_what_it_answers(name: str) -> None:
    operation = OPERATIONS[name]
    shown = [media["examples"] for media in operation.get("requestBody", {}).get("content", {}).values()]
    assert all(shown)
    needed = [p for p in operation.get("parameters", []) if p.get("required")]
    assert all("example" in parameter for parameter in needed)
    succeeding = [answer for status, answer in operation["responses"].items() if status in ("200", "201")]
    assert all(said["examples"] for a in succeeding for media, said in a["content"].items() if media.endswith("json"))


@every
def test_what_an_example_asks_is_what_the_document_allows(name: str) -> None:
    for media in OPERATIONS[name].get("requestBody", {}).get("content", {}).values():
        allowed = jsonschema_rs.Draft202012Validator({**media["schema"], "components": document()["components"]})
        for example in media["examples"].values():
            assert not [fault.message for fault in allowed.iter_errors(example["value"])]
