"""A push is a bag of separate letters: whatever is wrong with one, the others arrive and it is kept for its writer."""

import base64
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from app.bench import Bench
from app.context import Context
from app.incoming import Arrived
from app.judge import judge
from app.problems import CATALOGUE
from sync.wire import Outcome
from tests.scene import Answer, Scene, as_bytes, new_scene, scene_for_a_module, spliced, url_for_a_module
from tests.world import NEW_ID, bearer, mutation

__all__ = ["scene_for_a_module", "url_for_a_module"]  # the fixtures `scene` and `url`

DOOR_FIELDS: list[tuple[str, str, str | bytes]] = [
    # code, field, what it holds
    ("unknown_field", "colour", '"red"'),
    *(("invalid", "door", raw) for raw in ("7", "true", "null", "[]", "{}")),
    *(("invalid", "floor", raw) for raw in ('"3"', "true", "201", "[3]", '{"increment":1}')),
    *(("invalid", "tags", raw) for raw in ('"old"', '["Old"]', "[1]", '{"add":["old"]}', "null")),
    *(("invalid", "area_id", raw) for raw in ('"here"', "5", "null")),
    *(("invalid", "use", raw) for raw in ('"Not a code"', '""', "1")),
    ("invalid", "tags", json.dumps([f"tag_{n}" for n in range(101)])),
    ("text_too_long", "door", f'"{"号" * 41}"'),
    ("text_too_long", "note", f'"{"字" * 4001}"'),
    *(("nul_in_text", "note", raw) for raw in (r'"a\u0000b"', b'"a\x00b"')),
    *(("mutation_invalid", "note", raw) for raw in (b'"a\tb"', b'"a\x1fb"', b'"a\nb"')),
    *(("lone_surrogate", "note", raw) for raw in (r'"\ud800"', r'"\udc00x"', r'"\ud83d \ude00"')),
    *(("lone_surrogate", "note", raw) for raw in (b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\xe6\x95"', b'"\xc0\x80"')),
    *(("number_not_finite", "floor", raw) for raw in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000 + ".0")),
    *(("number_not_whole", "floor", raw) for raw in ("1.5", "-0.1", "1e300", "1e-9")),
    *(("integer_too_large", "floor", raw) for raw in ("9007199254740992", "-9007199254740992", "9" * 17, "9" * 5000)),
    ("integer_too_large", "note", "-" + "1" * 5000),
    ("duplicate_key", "floor", '1,"floor":2'),
    ("duplicate_key", "note", '{"a":{"b":1,"b":1}}'),
    ("key_not_allowed", "floor", '1,"Door No":"x"'),
    ("key_not_allowed", "floor", r'1,"\ud800":"x"'),
]

OTHER_FIELDS: list[tuple[str, str, str, str]] = [
    ("check_digit", "residents", "id_number", '"110101199003070012"'),
    *(("invalid", "residents", "id_number", raw) for raw in ('"123"', '"110101199013320010"', "11010119900307")),
    *(("invalid", "residents", "birth_date", raw) for raw in ('"2000-02-30"', '"soon"', "20000101", '"2000-1-1"')),
    *(("invalid", "residents", "sex", raw) for raw in ('"other"', "1")),
    *(("invalid", "residents", "registered_here", raw) for raw in ('"yes"', "1", "null")),
    *(("invalid", "residents", "phone", raw) for raw in ('"call me"', "13800000000")),
    *(("invalid", "residents", "name", raw) for raw in ('""', "null")),
    *(("invalid", "visits", "visited_at", raw) for raw in ('"noon"', "0", '"2026-01-01T08:00:00"')),
    ("invalid", "visits", "visited_at", '"0001-01-01T00:00:00+23:59"'),
    ("invalid", "visits", "visited_at", '"9999-12-31T23:59:59-23:59"'),
    *(("invalid", "visits", "persons_met", raw) for raw in ('["x"]', "[1]", '"x"')),
    *(("server_gives", "visits", "day", raw) for raw in ('"2026-01-01"', "null")),
    *(("invalid", "visits", "channel", raw) for raw in ('"roof"', "{}")),
]

WORDS: list[tuple[str, str, str]] = [
    # code, word of the mutation, what it holds
    *(("id_invalid", "id", raw) for raw in ("null", "7", '"garbled"', r'"a\u0007b"', '""', f'"{"x" * 10_000}"')),
    *(("id_invalid", "record", raw) for raw in ("null", "{}", '"garbled"')),
    ("nul_in_text", "id", r'"a\u0000b"'),
    ("lone_surrogate", "id", r'"\ud800"'),
    *(("mutation_invalid", "op", raw) for raw in ('"merge"', "null", "1")),
    *(("mutation_invalid", "base", raw) for raw in ("-1", '"1"', "null", "true")),
    ("number_not_whole", "base", "1.5"),
    *(("mutation_invalid", "home", raw) for raw in ('"here"', "1")),
    *(("mutation_invalid", "after", raw) for raw in ('"that"', "1")),
    *(("mutation_invalid", "fields", raw) for raw in ("[]", "null", '"door"')),
    *(("mutation_invalid", "made_at", raw) for raw in ("null", '"noon"', "0", '"2026-01-01"')),
    *(("mutation_invalid", "made_at", raw) for raw in ('"2026-01-01T08:00:00"', '"0001-01-01T00:00:00+23:59"')),
    *(("mutation_invalid", "seen", raw) for raw in ("{}", "[{}]", "[7]", "1")),
    *(("mutation_invalid", "collection", raw) for raw in ("null", "7")),
    *(("unknown_collection", "collection", raw) for raw in ('"dragons"', '""', '"households "')),
    *(("pull_only", "collection", raw) for raw in ('"areas"', '"codes"')),
    *(("mutation_invalid", "collection", raw) for raw in ('"conflicts"',)),
    ("duplicate_key", "op", '"create","op":"delete"'),
    ("wrong_home", "home", '"0192f0c0-0000-7000-8000-0000000000ff"'),
]


async def require_it_sinks_alone(scene: Scene, bad: bytes, code: str) -> None:
    """Everything this file promises of one bad mutation between two good ones."""
    good = [scene.door(door=f"好{NEW_ID()}"), scene.door(door=f"也好{NEW_ID()}")]
    sent = as_bytes(good[0]), bad, as_bytes(good[1])
    before = (await scene.news(scene.cursor)).get("cursor", scene.cursor)
    answer = await scene.push(*sent)
    # The good ones are applied, the bad one alone is refused, in both languages.
    outcomes = answer["outcomes"]
    assert [o["outcome"] for o in outcomes] == ["applied", "refused", "applied"], outcomes[1]
    problem = outcomes[1]["problem"]
    assert problem["code"] == code
    assert (problem["titles"]["zh"], problem["titles"]["en"]) == (CATALOGUE[code].zh, CATALOGUE[code].en)
    # Other people hear of the good ones, and of nothing else.
    heard = await scene.news(before)
    assert {change["record"] for change in heard["changes"]} == {m["record"] for m in good}
    # Its writer can read it byte for byte, and nobody else.
    payloads = await scene.payloads("li")
    assert payloads.count(bad) == 1
    assert bad not in await scene.payloads("wang")
    # The same push again answers the same and changes nothing.
    again = await scene.push(*sent)
    assert [{**o, "replayed": True} for o in outcomes] == again["outcomes"]
    assert again["received"] == answer["received"]
    assert (await scene.news(heard["cursor"]))["unchanged"]
    assert await scene.payloads("li") == payloads
    scene.cursor = heard["cursor"]


def short(value: object) -> str:
    return ascii(value)[:40]


@pytest.mark.parametrize(("code", "name", "raw"), DOOR_FIELDS, ids=short)
async def test_a_bad_value_sinks_alone(scene: Scene, code: str, name: str, raw: str | bytes) -> None:
    await require_it_sinks_alone(scene, spliced(scene.door(**{name: "@bad"}), bad=raw), code)


@pytest.mark.parametrize(("code", "collection", "name", "raw"), OTHER_FIELDS, ids=short)
async def test_a_bad_value_of_each_kind_sinks_alone(
    scene: Scene, code: str, collection: str, name: str, raw: str
) -> None:
    whole = {"visits": {"outcome": "opened"}, "residents": {"name": "赵"}}[collection]
    fields = {"household_id": str(scene.ids["mine"]), **whole, name: "@bad"}
    bad = mutation(scene.world, collection, NEW_ID(), fields=fields)
    await require_it_sinks_alone(scene, spliced(bad, bad=raw), code)


@pytest.mark.parametrize(("code", "name", "raw"), WORDS, ids=short)
async def test_a_bad_word_of_the_mutation_sinks_alone(scene: Scene, code: str, name: str, raw: str) -> None:
    await require_it_sinks_alone(scene, spliced({**scene.door(), name: "@bad"}, bad=raw), code)


@pytest.mark.parametrize("name", ["id", "record", "collection", "op", "made_at"])
async def test_a_missing_word_of_the_mutation_sinks_alone(scene: Scene, name: str) -> None:
    bad = {word: value for word, value in scene.door().items() if word != name}
    await require_it_sinks_alone(scene, as_bytes(bad), "id_invalid" if name in ("id", "record") else "mutation_invalid")


@pytest.mark.parametrize("raw", [b"7", b"[]", b'"text"', b"null", b"true", b"[[[[]]]]"])
async def test_a_mutation_that_is_no_object_sinks_alone(scene: Scene, raw: bytes) -> None:
    await require_it_sinks_alone(scene, raw, "mutation_invalid")


async def test_a_collection_name_too_long_for_an_index_sinks_alone(scene: Scene) -> None:
    name = "".join(NEW_ID().hex for _ in range(300))
    await require_it_sinks_alone(scene, as_bytes({**scene.door(), "collection": name}), "unknown_collection")


def _seen_conflict(scene: Scene, **fields: Any) -> Answer:
    record, home = NEW_ID(), str(scene.world.home)
    said = {"of_collection": "households", "of_record": str(scene.ids["mine"]), "field": "door", **fields}
    seen = [
        {"collection": "conflicts", "record": str(record), "home": home, "fields": said},
        {"collection": "households", "record": str(scene.ids["mine"]), "home": home, "fields": {}},
    ]
    resolution = {"value": "1", "base": fields.pop("base", 1)}
    return mutation(scene.world, "conflicts", record, "update", fields={"resolution": resolution}, seen=seen)


OF_OTHERS: dict[str, tuple[str, Callable[[Scene], Answer]]] = {
    "a household next door": ("reference_not_found", lambda s: _visit(s, s.ids["next_door"])),
    "a household of another community": ("reference_not_found", lambda s: _visit(s, s.ids["far_door"])),
    "a household nobody has": ("reference_not_found", lambda s: _visit(s, NEW_ID())),
    "a building next door": ("reference_not_found", lambda s: s.door(unit="unit_2")),
    "a building of another community": ("reference_not_found", lambda s: s.door(area_id=str(s.ids["tower"]))),
    "a building nobody has": ("reference_not_found", lambda s: s.door(area_id=str(NEW_ID()))),
    "the whole community": ("area_without_feed", lambda s: s.door(unit="community")),
    "an edit next door": ("not_found", lambda s: s.change("households", "next_door", fields={"door": "9"})),
    "an edit in another community": ("not_found", lambda s: s.change("households", "far_door", fields={"door": "9"})),
    "a delete next door": ("not_found", lambda s: s.change("households", "next_door", "delete")),
    "an id in use next door": ("id_taken", lambda s: {**s.door(), "record": str(s.ids["next_door"])}),
    "a move to next door": (
        "reference_not_found",
        lambda s: s.change("households", "mine", fields={"area_id": str(s.world.areas["unit_2"])}),
    ),
    "an edit of what nobody created": (
        "not_found",
        lambda s: mutation(s.world, "households", NEW_ID(), "update", 1, fields={"door": "9"}),
    ),
    "a delete of what nobody created": ("not_found", lambda s: mutation(s.world, "visits", NEW_ID(), "delete", 1)),
    "a delete of what is gone": ("already_deleted", lambda s: s.change("households", "gone", "delete")),
    "a change of what is set once": (
        "once_changed",
        lambda s: s.change("visits", "visit", fields={"outcome": "refused"}),
    ),
    "a create in conflicts": ("mutation_invalid", lambda s: mutation(s.world, "conflicts", NEW_ID())),
    "a conflict nobody has": (
        "not_found",
        lambda s: mutation(s.world, "conflicts", NEW_ID(), "update", fields={"resolution": {"value": 1, "base": 1}}),
    ),
    "a conflict seen of a garbled record": ("not_found", lambda s: _seen_conflict(s, of_record="garbled")),
    "a resolution whose base is true": ("mutation_invalid", lambda s: _seen_conflict(s, base=True)),
}


def _visit(scene: Scene, household_id: UUID) -> Answer:
    fields = {"household_id": str(household_id), "outcome": "opened"}
    return mutation(scene.world, "visits", NEW_ID(), fields=fields)


@pytest.mark.parametrize("what", OF_OTHERS)
async def test_what_one_may_not_do_sinks_alone(scene: Scene, what: str) -> None:
    code, make = OF_OTHERS[what]
    await require_it_sinks_alone(scene, as_bytes(make(scene)), code)


@pytest.mark.parametrize("who", ["li", "wang"])
async def test_a_reused_id_sinks_alone(scene: Scene, who: str) -> None:
    first = scene.door()
    await scene.push(as_bytes(first), who=who)
    second = scene.door(door="999") if who == "li" else scene.door()
    await require_it_sinks_alone(scene, as_bytes({**second, "id": first["id"]}), "mutation_reused")


async def test_of_an_id_used_twice_in_one_push_the_second_text_is_kept(scene: Scene) -> None:
    first = scene.door()
    second = as_bytes({**scene.door(note="另一件事。"), "id": first["id"]})
    answer = await scene.push(as_bytes(first), second)
    assert [o["outcome"] for o in answer["outcomes"]] == ["applied", "refused"]
    assert second in await scene.payloads("li")


@pytest.mark.parametrize("op", ["create", "update"])
async def test_a_mutation_that_makes_the_judge_crash_sinks_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, op: str
) -> None:
    fields = {"note": "crash"}
    bad = scene.door(**fields) if op == "create" else scene.change("households", "mine", fields=fields)

    def crashing(bench: Bench, arrived: Arrived) -> Outcome:
        if arrived.sent_id == bad["id"]:
            raise ZeroDivisionError
        return judge(bench, arrived)

    monkeypatch.setattr("app.receive.judge", crashing)
    await require_it_sinks_alone(scene, as_bytes(bad), "not_storable")


FLAWS = [("door", "7"), ("note", r'"a\u0000b"'), ("floor", "NaN"), ("note", b'"\xff"'), ("floor", '1,"floor":2')]


@pytest.mark.parametrize(("name", "raw"), FLAWS, ids=short)
async def test_what_depends_on_a_refused_create_is_told_so_and_the_id_stays_free(
    scene: Scene, name: str, raw: str | bytes
) -> None:
    made = scene.door()
    bad = {**made, "fields": {**made["fields"], name: "@bad"}}
    edit = mutation(scene.world, "households", UUID(made["record"]), "update", 1, fields={"note": "有狗。"})
    dependants = [as_bytes(edit), as_bytes(_visit(scene, UUID(made["record"])))]
    answer = await scene.push(spliced(bad, bad=raw), *dependants)
    assert [o["problem"]["code"] for o in answer["outcomes"][1:]] == ["depends_on_refused"] * 2
    # In a later push too.
    later = [as_bytes({**json.loads(text), "id": str(NEW_ID())}) for text in dependants]
    answer = await scene.push(*later)
    assert [o["problem"]["code"] for o in answer["outcomes"]] == ["depends_on_refused"] * 2
    # Corrected, under new ids, everything is applied.
    corrected = [as_bytes({**json.loads(text), "id": str(NEW_ID())}) for text in (as_bytes(made), *dependants)]
    answer = await scene.push(*corrected)
    assert [o["outcome"] for o in answer["outcomes"]] == ["applied"] * 3


async def test_every_refusal_can_be_paged_to(scene: Scene) -> None:
    sent = [as_bytes(scene.door(door=n)) for n in range(60)]
    await scene.push(*sent)
    found, before = [], None
    while True:
        query = {"limit": "25", **({"before": before} if before else {})}
        page = (await scene.world.http.get("/v1/mutations", params=query, headers=bearer(scene.tokens["li"]))).json()
        found += [base64.b64decode(m["payload_base64"] or "") for m in page["mutations"]]
        before = page["next"]
        if before is None or not page["mutations"]:
            break
    assert set(sent) <= set(found)


async def test_applied_merged_conflicted_and_refused_add_up_to_received(context: Context) -> None:
    scene = await new_scene(context)
    record = scene.ids["mine"]
    edits: list[Answer] = [{"door": "201", "tags": {"add": ["dog"]}}, {"door": "202"}, {"tags": {"add": ["cat"]}}]
    await scene.push(as_bytes(mutation(scene.world, "households", record, "update", 1, fields=edits[0])), who="wang")
    mine = [as_bytes(mutation(scene.world, "households", record, "update", 1, fields=edit)) for edit in edits[1:]]
    answer = await scene.push(*mine, as_bytes(scene.door()), b"7", as_bytes(scene.door(door=7)))
    assert [o["outcome"] for o in answer["outcomes"]] == ["conflicted", "merged", "applied", "refused", "refused"]
    counts = {}
    for outcome in ("applied", "merged", "conflicted", "refused"):
        query = {"outcome": outcome, "limit": "200"}
        listed = await scene.world.http.get("/v1/mutations", params=query, headers=bearer(scene.tokens["li"]))
        counts[outcome] = len(listed.json()["mutations"])
    assert counts == {"applied": 1, "merged": 1, "conflicted": 1, "refused": 2}
    assert sum(counts.values()) == answer["received"]
    await scene.world.http.aclose()
