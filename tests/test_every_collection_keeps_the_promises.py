"""Whatever is declared a collection keeps these promises unasked: a new one is covered the day it is declared."""

import re
from typing import Any
from uuid import UUID

import pytest
from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.fields import FieldSpec
from sync.wire import Fields
from tests.contract import document
from tests.maker import TEAMS, WRITABLE, Maker, as_change, boss, every, make, merged, values_of, who_only_reads
from tests.raw_phone import RawPhone, phone_of, second_community
from tests.world import NEW_ID, World, mutation

__all__ = ["boss", "make"]

PUSHABLE = {name: c for name, c in WRITABLE.items() if c.pushable}
FIELDS = [(c, f) for c in PUSHABLE.values() for f in c.fields.values()]


# The ordinary routes


@every
async def test_it_is_created_read_listed_changed_deleted_and_remembered(make: Maker, collection: Collection) -> None:
    fields = await make.fields(collection, whole=True)
    made = await make.send("POST", collection, json=fields)
    assert made.status_code == 201, made.text
    record = made.json()
    path = f"/{record['id']}"
    assert (made.headers["etag"], made.headers["location"]) == ('"1"', f"/v1/{collection.name}{path}")
    assert {name: record[name] for name in fields} == fields

    read = await make.send("GET", collection, path)
    assert (read.status_code, read.headers["etag"], read.json()) == (200, '"1"', record)
    listed = (await make.send("GET", collection, params={"limit": 1000})).json()["items"]
    assert [item for item in listed if item["id"] == record["id"]] == [record]

    change = await make.change(collection, record)
    changed = await make.send("PATCH", collection, path, json=change)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"'), changed.text
    assert changed.json() == {**record, "rev": 2, **change}

    assert (await make.send("DELETE", collection, path)).status_code == 204
    for method, body in [("GET", None), ("PATCH", change), ("DELETE", None)]:
        gone = await make.send(method, collection, path, **({"json": body} if body else {}))
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    listed = (await make.send("GET", collection, params={"limit": 1000})).json()["items"]
    assert record["id"] not in [item["id"] for item in listed]
    history = (await make.send("GET", collection, path + "/history")).json()["history"]
    assert [(row["op"], row["rev"]) for row in history] == [("delete", 3), ("update", 2), ("create", 1)]


@every
async def test_a_stale_if_match_is_412_and_never_merged(make: Maker, collection: Collection) -> None:
    record = await make.create(collection)
    path, change = f"/{record['id']}", await make.change(collection, record)
    fresh = await make.send("PATCH", collection, path, json=change, headers={"If-Match": '"1"'})
    assert fresh.status_code == 200
    held = fresh.json()
    other = await make.change(collection, held)
    for method, body in [("PATCH", {"json": other}), ("PATCH", {"json": change}), ("DELETE", {})]:
        stale = await make.send(method, collection, path, headers={"If-Match": '"1"'}, **body)
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert (await make.send("GET", collection, path)).json() == held
    for tag in ('"2"', "*"):
        again = await make.send("PATCH", collection, path, json=change, headers={"If-Match": tag})
        assert (again.status_code, again.headers["etag"]) == (200, '"2"')
    assert (await make.send("DELETE", collection, path, headers={"If-Match": '"2"'})).status_code == 204


@every
async def test_sets_are_answered_in_their_one_order(make: Maker, collection: Collection) -> None:
    """Two readings of one ETag are the same bytes, whichever process answers."""
    sets = [spec for spec in collection.fields.values() if spec.kind is set]
    members: dict[str, JsonValue] = {}
    for spec in sets:
        many: list[JsonValue] = [*(f"m{n:02}" for n in range(20))]
        if collection.clean_value(spec.name, many)[1]:
            many = [*sorted(str(NEW_ID()) for _ in range(20))]
        if collection.clean_value(spec.name, many)[1]:
            many = [member for [member] in sorted(values_of(collection, spec))]  # type: ignore[misc, type-var, union-attr]
        members[spec.name] = many
    record = await make.create(collection, {**await make.fields(collection), **members})
    assert {name: record[name] for name in members} == members


@every
async def test_an_unknown_field_is_refused_and_a_missing_one_named(make: Maker, collection: Collection) -> None:
    fields = await make.fields(collection)
    strange = await make.send("POST", collection, json={**fields, "no_such_field": 1})
    assert (strange.status_code, strange.json()["code"]) == (422, "unknown_field")
    assert strange.json()["errors"][0]["pointer"] == "/fields/no_such_field"
    for name, spec in collection.fields.items():
        if spec.required:
            short = await make.send("POST", collection, json={n: v for n, v in fields.items() if n != name})
            assert short.status_code == 422
            assert f"/fields/{name}" in [error["pointer"] for error in short.json()["errors"]]


@every
async def test_its_history_is_a_chain_from_nothing_to_what_it_holds(make: Maker, collection: Collection) -> None:
    record = await make.create(collection, await make.fields(collection, whole=True))
    path = f"/{record['id']}"
    for _ in range(3):
        change = await make.change(collection, record)
        record = (await make.send("PATCH", collection, path, json=change)).json()
    rows = (await make.send("GET", collection, path + "/history")).json()["history"][::-1]
    held: Fields = {}
    for number, row in enumerate(rows, 1):
        assert row["rev"] == number
        assert row["by"] == str(make.world.people["boss"])
        assert row["was"] == {name: held[name] for name in row["fields"] if number > 1}
        held |= row["fields"]
    assert held == {name: record[name] for name in collection.fields}


# Sync


@pytest.mark.parametrize(("collection", "spec"), FIELDS, ids=[f"{c.name}.{f.name}" for c, f in FIELDS])
async def test_two_phones_that_cross_in_a_field_get_what_its_policy_says(
    world: World, make: Maker, boss: RawPhone, collection: Collection, spec: FieldSpec
) -> None:
    other = await phone_of(world, "other")
    record = await make.create(collection)
    if collection.audience == "team":
        await world.grant("other", TEAMS[0], "mediator")
    start = record[spec.name]
    ours = await make.value(collection, spec, unlike=start)
    theirs = await make.value(collection, spec, unlike=ours)
    if spec.kind is set:
        theirs = next(value for value in values_of(collection, spec) if value not in (start, ours))
    if spec.policy.name in ("once", "steps"):
        [outcome] = await boss.push(
            mutation(world, collection.name, UUID(record["id"]), "update", 1, fields={spec.name: ours})
        )
        assert (outcome["outcome"], (await boss.get(collection.name, record["id"]))["rev"]) == ("refused", 1)
        return
    for phone, value in ((boss, ours), (other, theirs)):
        change = as_change(spec, start, value)
        [outcome] = await phone.push(
            mutation(world, collection.name, UUID(record["id"]), "update", 1, fields={spec.name: change})
        )
    held = (await boss.get(collection.name, record["id"]))[spec.name]
    held = sorted(held) if spec.kind is set else held
    expected: dict[str, tuple[str, Any]] = {
        "ask": ("conflicted", ours),
        "latest": ("merged", theirs),
        "text": ("conflicted", ours),
    }
    if spec.policy.name in expected:
        assert (outcome["outcome"], held) == expected[spec.policy.name]
    else:
        assert outcome["outcome"] == "merged"
        assert held == merged(spec, start, ours, theirs)
    await boss.pull()
    if outcome["outcome"] == "conflicted":
        conflict = boss.holds("conflicts", outcome["conflicts"][0])
        assert conflict is not None
        assert conflict["fields"]["held"] == ours
        assert [c["value"] for c in conflict["fields"]["candidates"]] == [theirs]
        assert boss.feed_of("conflicts", conflict["record"]) == boss.feed_of(collection.name, record["id"])
    boss.check_digests()


@every
async def test_the_digest_is_the_sum_of_what_a_phone_stored(
    world: World, make: Maker, boss: RawPhone, collection: Collection
) -> None:
    records = [await make.create(collection, await make.fields(collection, whole=True)) for _ in range(3)]
    change = await make.change(collection, records[0])
    await make.send("PATCH", collection, f"/{records[0]['id']}", json=change)
    await make.send("DELETE", collection, f"/{records[1]['id']}")
    await boss.pull()
    first = boss.holds(collection.name, records[0]["id"])
    assert first is not None
    assert {"id": first["record"], "home": first["home"], "rev": first["rev"], **first["fields"]} == {
        **records[0],
        "rev": 2,
        **change,
    }
    assert boss.holds(collection.name, records[1]["id"]) is None
    assert boss.digests
    boss.check_digests()
    fresh = RawPhone(world, await world.phone_token("boss"))
    await fresh.pull()
    fresh.check_digests()
    assert {f: e for f, e in fresh.feeds.items() if e} == {f: e for f, e in boss.feeds.items() if e}


@every
async def test_a_phone_writes_it_exactly_where_it_is_declared_to(
    world: World, make: Maker, boss: RawPhone, collection: Collection
) -> None:
    fields, id = await make.fields(collection), NEW_ID()
    outcome = await boss.say(collection.name, id, fields=fields)
    if collection.pushable:
        assert outcome["outcome"] == "applied", outcome
        return
    assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "pull_only")
    record = await make.create(collection)
    for op, change in [("update", await make.change(collection, record)), ("delete", {})]:
        outcome = await boss.say(collection.name, UUID(record["id"]), op, 1, fields=change)
        assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "pull_only")
    assert (await boss.get(collection.name, record["id"]))["rev"] == 1


# Who sees it


@every
async def test_what_belongs_to_another_community_is_as_absent_as_what_never_was(
    world: World, make: Maker, collection: Collection
) -> None:
    record = await make.create(collection)
    await second_community(world)
    stranger = Maker(world, RawPhone(world, await world.phone_token("qian")))
    change = await make.change(collection, record)
    for method, end, body in [
        ("GET", "", {}),
        ("PATCH", "", {"json": change}),
        ("DELETE", "", {}),
        ("GET", "/history", {}),
    ]:
        foreign, absent = [
            await stranger.send(method, collection, f"/{id}{end}", **body) for id in (record["id"], NEW_ID())
        ]
        assert (foreign.status_code, absent.status_code) == (404, 404), foreign.text
        assert foreign.json() == absent.json()
        assert set(foreign.headers) == set(absent.headers)
    assert record["id"] not in (await stranger.send("GET", collection)).text
    await stranger.phone.pull()
    assert stranger.phone.holds(collection.name, record["id"]) is None
    assert (await make.send("GET", collection, f"/{record['id']}")).json() == record


@every
async def test_who_only_reads_writes_nothing(world: World, make: Maker, collection: Collection) -> None:
    record = await make.create(collection)
    reader = Maker(world, await phone_of(world, "reader", **who_only_reads(collection)))
    assert (await reader.send("GET", collection, f"/{record['id']}")).json() == record
    change = await make.change(collection, record)
    for method, path, body in [
        ("POST", "", {"json": await make.fields(collection)}),
        ("PATCH", f"/{record['id']}", {"json": change}),
        ("DELETE", f"/{record['id']}", {}),
    ]:
        answer = await reader.send(method, collection, path, **body)
        assert 400 <= answer.status_code < 500, (method, answer.text)
    assert (await make.send("GET", collection, f"/{record['id']}")).json() == record


# What an outsider reads


@pytest.mark.parametrize("collection", COLLECTIONS.values(), ids=COLLECTIONS.keys())
def test_every_field_is_described_in_chinese_and_in_english_wherever_it_is_documented(collection: Collection) -> None:
    models = (
        [collection.read] if collection.name == "conflicts" else [collection.read, collection.create, collection.patch]
    )
    for model in models:
        properties = document()["components"]["schemas"][model.__name__]["properties"]
        for name in collection.fields.keys() - (collection.given if model is not collection.read else set()):
            described = properties[name].get("description", "")
            assert re.search("[一-鿿]", described), f"{collection.name}.{name} has no Chinese"
            assert re.search("[A-Za-z]{3}", described), f"{collection.name}.{name} has no English"


@pytest.mark.parametrize("collection", COLLECTIONS.values(), ids=COLLECTIONS.keys())
def test_every_field_says_how_it_is_merged_and_the_collection_has_both_names(collection: Collection) -> None:
    properties = document()["components"]["schemas"][collection.read.__name__]["properties"]
    for name, spec in collection.fields.items():
        assert properties[name]["x-merge"] == spec.policy.name
    assert re.search("[一-鿿].*[A-Za-z]{3}", collection.title)
