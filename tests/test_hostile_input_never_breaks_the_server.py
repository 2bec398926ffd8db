"""Whatever is sent, the server answers, never with a fault of its own; and good neighbours are always applied."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.collections import COLLECTIONS
from app.problems import CATALOGUE
from sync.wire import Mutation, PullBody, PushBody, Seen
from tests.scene import Answer, Scene, as_bytes, scene_for_a_module, url_for_a_module
from tests.world import NEW_ID, bearer, mutation

__all__ = ["scene_for_a_module", "url_for_a_module"]  # the fixtures `scene` and `url`

bounded = settings(
    deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
FIELDS = ["area_id", "household_id", "door", "floor", "tags", "note", "use", "best_time", "name", "id_number"]
FIELDS += ["birth_date", "outcome", "visited_at", "persons_met", "needs", "of_record", "of_collection", "resolution"]
WORDS = [*PushBody.model_fields, *PullBody.model_fields, *Mutation.model_fields, *Seen.model_fields, *FIELDS, "push"]
RECORDS = ["mine", "next_door", "gone", "visit", "far_door", "tower"]


class Known(str):
    """The name of a record of the scene, which stands for its id."""


NASTY = [
    *("", "\0", "a\0b", "\ud800", "\udc00x", "\U0010ffff", "\u202eabc", "a\tb", "\x1f", "ﷺ" * 50, "字" * 300, "𠮷"),
    *("' OR 1=1 --", "%s%n", "{{7*7}}", "../../etc/passwd", "null", "NaN", "true", "0", "-1", "1e999", "=1+1"),
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T08:00:00"),
    *("2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2016-12-31T23:59:60Z", "1e10", "0001-01-01", "9999-12-31"),
    *(
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "{0192f0c0-0000-7000-8000-0000000000ff}",
    ),
    *(
        "urn:uuid:0192f0c0-0000-7000-8000-0000000000ff",
        "0192f0c0000070008000000000000000",
        "households",
        "residents",
        "visits",
        "conflicts",
        "areas",
        "codes",
    ),
    *(
        "create",
        "update",
        "delete",
        "add",
        "remove",
        "increment",
        "deleted",
        "open",
        "closed",
        "opened",
        "11010119900307001X",
    ),
]
NUMBERS = [0, -0.0, 1, -1, 1.5, 1e308, 2**31 - 1, 2**31, 2**53 - 1, 2**53, -(2**53), 2**63, 2**64, 10**30]
NUMBERS += [float("nan"), float("inf"), float("-inf")]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(-3, 3), st.sampled_from(NASTY), st.text(max_size=8)
)
IDS = st.sampled_from([Known(name) for name in RECORDS])
KEYS = st.one_of(
    st.sampled_from(WORDS), st.sampled_from(["add", "remove", "value", "base", "field"]), st.text(max_size=3)
)
VALUES = st.recursive(
    LEAVES | IDS, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v, max_size=5), max_leaves=12
)
SEEN = st.fixed_dictionaries(
    {"collection": st.sampled_from(["households", "visits", "residents", "conflicts", "areas"]), "record": IDS},
    optional={"fields": st.dictionaries(KEYS, VALUES, max_size=4), "rev": LEAVES, "home": LEAVES},
)


def known_ids(scene: Scene, value: Any) -> Any:
    """The value with names of records replaced by their ids."""
    if isinstance(value, Known):
        return str(scene.ids[value])
    if isinstance(value, list):
        return [known_ids(scene, item) for item in value]
    return {key: known_ids(scene, item) for key, item in value.items()} if isinstance(value, dict) else value


async def send(scene: Scene, path: str, body: bytes) -> httpx.Response:
    """The answer, which is never a fault of the server's and, when it is a problem, stands in the catalogue."""
    headers = {**bearer(scene.tokens["li"]), "Content-Type": "application/json"}
    answer = await scene.world.http.post(path, content=body, headers=headers)
    assert answer.status_code < 500, (answer.status_code, body)
    if answer.status_code != 200:
        assert CATALOGUE[answer.json()["code"]].status == answer.status_code
    return answer


async def require_neighbours(scene: Scene, *bad: bytes) -> None:
    """Good mutations before, between and after bad ones are applied."""
    good = [scene.door() for _ in range(len(bad) + 1)]
    sent = [as_bytes(good[0])]
    for door, hostile in zip(good[1:], bad, strict=True):
        sent += [hostile, as_bytes(door)]
    body = b'{"home":"%s","mutations":[%s]}' % (str(scene.world.home).encode(), b",".join(sent))
    answer = await send(scene, "/v1/sync/push", body)
    assert answer.status_code == 200, (answer.text, body)
    assert [o["outcome"] for o in answer.json()["outcomes"][::2]] == ["applied"] * len(good), body
    for outcome in answer.json()["outcomes"][1::2]:
        assert outcome["outcome"] != "refused" or outcome["problem"]["code"] in CATALOGUE


@given(body=st.dictionaries(KEYS, VALUES, max_size=8) | VALUES, path=st.sampled_from(["/push", "/pull", ""]))
@settings(bounded, max_examples=70)
async def test_no_body_breaks_the_server(scene: Scene, body: Any, path: str) -> None:
    await send(scene, f"/v1/sync{path}", as_bytes(known_ids(scene, body)))


@given(
    changes=st.lists(st.tuples(st.sampled_from(list(Mutation.model_fields)), VALUES), max_size=2),
    fields=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    collection=st.sampled_from(["households", "residents", "visits"]),
    op=st.sampled_from(["create", "update", "delete"]),
    record=IDS | st.none(),
)
@settings(bounded, max_examples=70)
async def test_no_mutation_harms_its_neighbours(
    scene: Scene, changes: list[tuple[str, Any]], fields: Answer, collection: str, op: str, record: Known | None
) -> None:
    fields = {**(scene.door()["fields"] if collection == "households" and op == "create" else {}), **fields}
    made = mutation(scene.world, collection, NEW_ID(), op, 1, fields=fields)
    made |= {**({"record": record} if record else {}), **dict(changes)}
    await require_neighbours(scene, as_bytes(known_ids(scene, made)))


@given(
    seen=st.lists(SEEN, max_size=3),
    said=st.dictionaries(st.sampled_from(["of_collection", "of_record", "field", "state"]), VALUES),
    resolution=st.dictionaries(st.sampled_from(["value", "base", "after"]), VALUES) | VALUES,
    epoch=st.none() | st.just("another"),
)
@settings(bounded, max_examples=60)
async def test_no_memory_of_a_lost_past_harms_its_neighbours(
    scene: Scene, seen: list[Answer], said: Answer, resolution: Any, epoch: str | None
) -> None:
    home, conflict = str(scene.world.home), NEW_ID()
    named = {"of_collection": "households", "of_record": Known("mine"), "field": "door", **said}
    seen = [{"home": home, "fields": {}, **s} for s in seen]
    seen += [{"collection": "conflicts", "record": str(conflict), "home": home, "fields": named}]
    seen += [{"collection": "households", "record": Known("mine"), "home": home, "fields": {}}]
    resolved = mutation(scene.world, "conflicts", conflict, "update", fields={"resolution": resolution})
    edited = mutation(scene.world, "households", scene.ids["mine"], "update", 1, fields={"note": "好。", "tags": {}})
    hostile = [{**m, "seen": seen, "epoch": epoch} for m in (resolved, edited)]
    await require_neighbours(scene, *(as_bytes(known_ids(scene, m)) for m in hostile))


BYTES = st.sampled_from([b"", b'"', b"\\", b"{", b"]", b",", b"\0", b"\xff"]) | st.binary(max_size=3)


@given(damage=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 3), BYTES), min_size=1, max_size=4))
@settings(bounded, max_examples=70)
async def test_no_damaged_bytes_break_the_server(scene: Scene, damage: list[tuple[int, int, bytes]]) -> None:
    body = bytearray(as_bytes({"protocol": 1, "mutations": [scene.door(note="说。"), scene.door()]}))
    for at, width, put in damage:
        body[at : at + width] = put
    await send(scene, "/v1/sync/push", bytes(body))


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:40])
async def test_every_nasty_text_in_every_field_is_taken_or_refused_alone(scene: Scene, text: str) -> None:
    in_mine = {"household_id": str(scene.ids["mine"])}
    whole = {"households": scene.door()["fields"], "residents": {**in_mine, "name": "赵"}}
    whole["visits"] = {**in_mine, "outcome": "opened"}
    made = [
        mutation(scene.world, collection, NEW_ID(), fields={**fields, name: text})
        for collection, fields in whole.items()
        for name in COLLECTIONS[collection].fields
    ]
    # Half of them with the text escaped, half with its bare bytes.
    bare = [json.dumps(m, ensure_ascii=False).encode("utf-8", "surrogatepass") for m in made]
    await require_neighbours(scene, *map(as_bytes, made[::2]), *bare[1::2])
