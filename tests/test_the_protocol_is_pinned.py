"""What travels changes only on purpose: with a new hash beside the protocol's number and a line in the changelog."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, create_model
from pydantic.json_schema import models_json_schema

from sync import wire
from sync.canonical import canonical_json
from tests.vectors import FOLDER

CHANGELOG = Path(__file__).parent.parent / "openapi" / "CHANGELOG.md"
SPOKEN: list[type[BaseModel]] = [
    *(wire.PushBody, wire.PushAnswer, wire.PullBody, wire.Page, wire.SyncBody, wire.SyncAnswer, wire.ProblemBody),
]
WORDS = {"description", "title", "examples", "example"}
"""What explains but doesn't travel."""

TELL = """What travels between a phone and the server has changed: its hash is now {now}, not {pinned}.

If that was not meant, undo it. If it was:
1. say in openapi/CHANGELOG.md, under the newest protocol, what changed and what an older app does then,
   and end that entry with the line `wire {now}`;
2. set WIRE = "{now}" in sync/wire.py, beside PROTOCOL;
3. where an app of the old protocol would go wrong: PROTOCOL + 1, a new heading in the changelog, new vectors.
"""


def hash_of(models: list[type[BaseModel]], vectors: bytes) -> str:
    """Of the shapes without their explanations, and of the recorded conversations."""
    _, schema = models_json_schema([(model, "validation") for model in models])
    return sha256(canonical_json(_bare(schema["$defs"])) + vectors).hexdigest()[:16]


def _bare(node: Any) -> Any:
    """Without explanations; a property that happens to be named so stays."""
    if isinstance(node, list):
        return [_bare(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        re.sub("[^a-z0-9_]", "_", name.lower()): _bare(part)
        for name, part in node.items()
        if name not in WORDS or isinstance(part, dict)
    }


def recorded() -> bytes:
    return b"".join(file.read_bytes() for file in sorted(FOLDER.glob("*.json")))


def test_what_travels_is_what_the_changelog_says() -> None:
    now = hash_of(SPOKEN, recorded())
    assert now == wire.WIRE, TELL.format(now=now, pinned=wire.WIRE)
    newest = CHANGELOG.read_text().split("\n## ")[1]
    assert newest.startswith(f"Protocol {wire.PROTOCOL}\n"), "openapi/CHANGELOG.md begins with another protocol"
    told = re.findall(r"^`wire ([0-9a-f]{16})`$", newest, re.MULTILINE)
    assert told[:1] == [wire.WIRE], f"openapi/CHANGELOG.md has no entry that ends with `wire {wire.WIRE}`"


class Small(wire.Wire):
    """A message."""

    word: int = 0


CHANGED: dict[str, type[BaseModel]] = {
    "a new word": create_model("Small", __base__=Small, other=(int, 0)),
    "another type": create_model("Small", __base__=wire.Wire, word=(str, "")),
    "another default": create_model("Small", __base__=wire.Wire, word=(int, 1)),
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED.keys())
def test_a_change_of_the_wire_changes_its_hash(changed: type[BaseModel]) -> None:
    assert hash_of([changed], b"") != hash_of([Small], b"")
    assert hash_of([Small], b"1") != hash_of([Small], b"2")


def test_an_explanation_is_no_change_of_the_wire() -> None:
    explained = create_model("Small", __base__=wire.Wire, __doc__="Otherwise explained.", word=(int, 0))
    assert hash_of([explained], b"") == hash_of([Small], b"")
