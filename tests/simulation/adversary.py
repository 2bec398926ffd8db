"""A phone that lies: about base, after, seen, epoch, received, home, areas and ids, with a real token."""

import json
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.simulation.people import NASTY, household
from tests.simulation.place import LIAR

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


def lie(simulation: "Simulation", dice: Random, word: str) -> None:
    """One push, or one pull, of somebody who means harm. It may be refused, and never break anything."""
    server = simulation.server
    token = simulation.liars_token()
    path = "/v1/sync/push"
    if dice.random() < 0.25:
        path, body = "/v1/sync/pull", {"cursor": dice.choice(_cursors(simulation, dice)), "reread": [1, 2, 3]}
    else:
        mutations = [_mutation(simulation, dice, f"{word}") for _ in range(dice.randint(1, 4))]
        body = {
            "protocol": 1,
            "epoch": dice.choice((None, simulation.epoch_heard, "feedfeedfeed")),
            "received": dice.choice((0, 0, 0, 10**9)),
            "home": dice.choice((None, None, str(server.home), str(server.place.areas["next_door"]))),
            "mutations": mutations,
        }
    reply = server.ask("POST", path, json.dumps(body).encode(), token)
    simulation.oracle.lied(LIAR, path, reply)


def _mutation(simulation: "Simulation", dice: Random, word: str) -> dict[str, Any]:
    server = simulation.server
    areas = server.place.areas
    seen_ids = [row["id"] for row in server.rows("SELECT id FROM received_mutation ORDER BY id LIMIT 20")]
    known = [str(UUID(str(id))) for id in seen_ids]
    record = dice.choice((str(household(dice.randrange(4))), str(UUID(int=dice.getrandbits(128), version=4))))
    home = dice.choice((server.home, areas["next_door"]))
    area = areas[dice.choice(("unit_1", "unit_2", "unit_9", "community"))]
    seen = [
        {
            "collection": "households",
            "record": record,
            "home": str(home),
            "rev": dice.randrange(5),
            "fields": {"area_id": str(area), "door": word, "note": word},
        }
    ]
    fields: dict[str, Any] = {"door": word, "area_id": str(area), "note": f"{word}{dice.choice(NASTY)}"}
    mutation = {
        "id": dice.choice((*known[:3], str(UUID(int=dice.getrandbits(128), version=4)))),
        "collection": dice.choice(("households", "households", "visits", "areas", "conflicts", "grants")),
        "record": record,
        "home": str(home),
        "op": dice.choice(("create", "update", "update", "delete")),
        "base": dice.choice((0, 1, 3, 10**6)),
        "after": dice.choice((None, None, *known[:2])),
        "fields": fields,
        "made_at": dice.choice(("2026-03-02T08:00:00Z", "1970-01-01T00:00:00Z", "2099-01-01T00:00:00+14:00")),
    }
    if dice.random() < 0.4:
        mutation |= {"epoch": dice.choice((None, "feedfeedfeed")), "seen": seen}
    return mutation


def _cursors(simulation: "Simulation", dice: Random) -> list[Any]:
    """Nobody's, somebody else's, and nearly somebody else's."""
    heard = simulation.cursors_heard[-3:]
    bent = [f"{cursor[:-3]}{dice.choice('AZ09')}{cursor[-2:]}" for cursor in heard]
    return [None, "AAAA", *heard, *bent]
