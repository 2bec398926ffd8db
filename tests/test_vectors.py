"""The recorded vectors hold: a client that replays them byte for byte speaks the protocol."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from sync.canonical import NotCanonical, canonical_json, digest, record_hash
from sync.replica import Replica
from sync.seams import Seams
from sync.store import MemoryStore
from sync.wire import PROTOCOL
from tests.phones import Time
from tests.vectors import FOLDER, perform, shown_by


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def test_values_are_spelled_hashed_and_summed_as_recorded() -> None:
    said = read("spellings.json")
    for one in said["canonical"]:
        assert canonical_json(one["value"]).decode() == one["spelled"]
    for one in said["refused"]:
        value = json.loads(one["value"])
        for inside in (value, [value], {"a": value}):
            with pytest.raises(NotCanonical) as refused:
                canonical_json(inside)
            assert refused.value.code == str(refused.value) == one["code"]
    hashes = [one["hash"] for one in said["hashes"]]
    for one in said["hashes"]:
        assert record_hash(one["collection"], one["record"], one["rev"], one["fields"]) == one["hash"]
    assert digest(hashes) == said["digest"]


@pytest.mark.parametrize("key", ["", "A", "é", "a b", "a-b", "a.b", "a\n", "\na", "٣"])
def test_a_key_is_made_of_small_letters_digits_and_underscores_alone(key: str) -> None:
    assert canonical_json({"az_09": 1}) == b'{"az_09":1}'
    with pytest.raises(NotCanonical, match="key_not_allowed"):
        canonical_json({key: 1})


def test_a_replica_says_and_shows_what_was_recorded() -> None:
    said = read("conversation.json")
    assert said["protocol"] == PROTOCOL
    ids = iter(said["ids"])
    world = Time(now=datetime.fromisoformat(said["now"])).seams("replay")
    seams = Seams(world.now, world.monotonic, lambda: UUID(next(ids)), world.random_bytes, world.uniform, world.sleep)
    replica = Replica(MemoryStore(), seams, said["page_limit"])
    replica.sign_in(said["person"], said["replica"])
    request = None
    for step in said["steps"]:
        if "do" in step:
            perform(replica, step["do"][0], step["do"][1:])
        elif "request" in step:
            request = replica.next_request()
            assert request is not None
            assert {"path": request.path, "body": json.loads(request.body)} == step["request"]
        elif "answer" in step:
            assert request is not None
            answer = step["answer"]
            replica.answer(request, answer["status"], answer["type"], json.dumps(answer["body"]).encode())
        else:
            assert shown_by(replica) == step["shown"]
    assert replica.next_request() is None
