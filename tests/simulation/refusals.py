"""I6 at every step: a mutation falls with another only where it needs what that one would have made."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sync.exchange import Request

if TYPE_CHECKING:
    from tests.simulation.server import Server


def falls_for_nothing(server: "Server", mutation: dict[str, Any], outcome: dict[str, Any]) -> bool:
    """Was it refused for what depends on a refused create, though no other mutation that makes its record, or one that
    it names, was ever refused? Asked where one request is at work at a time.
    """
    told = (outcome.get("problem") or {}).get("code") == "depends_on_refused"
    if not told or outcome.get("replayed") or not server.one_at_a_time:
        return False
    needed = {UUID(mutation["record"])}
    for value in mutation["fields"].values():
        with suppress(ValueError):
            needed.add(UUID(str(value)))
    refused = server.rows("SELECT id, record_id FROM received_mutation WHERE op = 'create' AND outcome = 'refused'")
    return not any(UUID(made) in needed for by, made in refused if UUID(by) != UUID(mutation["id"]))


def mutations_in(request: Request) -> list[dict[str, Any]]:
    """What a request pushes."""
    said: dict[str, Any] = json.loads(request.body)
    push = said if request.kind == "push" else said["push"]
    mutations: list[dict[str, Any]] = push["mutations"]
    return mutations
