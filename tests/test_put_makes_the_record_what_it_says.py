"""PUT gives the whole record: what it omits is a default again; and an If-Match is the only thing it depends on."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.collections import COLLECTIONS
from app.collections.base import Collection
from sync.wire import Fields
from tests.maker import Maker, boss, every, make
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household

__all__ = ["boss", "make"]

DOORS, VISITS = COLLECTIONS["households"], COLLECTIONS["visits"]


async def put(make: Maker, collection: Collection, id: Any, body: Fields, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await make.send("PUT", collection, f"/{id}", json=body, headers=sent)


def required(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return dict(answer.json())


@every
async def test_what_a_put_omits_gets_its_default(make: Maker, collection: Collection) -> None:
    record = await make.create(collection, await make.fields(collection, whole=True))
    kept = {n: record[n] for n, s in collection.fields.items() if s.required or s.policy.name in ("once", "grows")}
    answer = await put(make, collection, record["id"], kept)
    assert answer.status_code == 200, answer.text
    defaults = {n: s.default for n, s in collection.fields.items() if n not in kept}
    assert answer.json() == {**record, **defaults, "rev": 2 if any(record[n] != v for n, v in defaults.items()) else 1}
    assert answer.headers["etag"] == f'"{answer.json()["rev"]}"'
    whole = {n: record[n] for n in collection.fields}
    again = await put(make, collection, record["id"], {**whole, "id": record["id"]})
    assert {n: again.json()[n] for n in whole} == whole


@every
async def test_a_put_without_a_required_field_or_with_an_unknown_one_is_refused(
    make: Maker, collection: Collection
) -> None:
    record = await make.create(collection)
    whole = {n: record[n] for n in collection.fields}
    for id in (record["id"], NEW_ID()):
        for name, spec in collection.fields.items():
            if spec.required:
                short = await put(make, collection, id, {n: v for n, v in whole.items() if n != name})
                assert f"/fields/{name}" in [e["pointer"] for e in required(short, 422, "invalid")["errors"]]
        for strange in ({"no_such_field": 1}, {"rev": 1}):
            required(await put(make, collection, id, {**whole, **strange}), 422, "unknown_field")
    required(await put(make, collection, record["id"], {**whole, "id": str(NEW_ID())}), 400, "bad_request")
    assert (await make.send("GET", collection, f"/{record['id']}")).json() == record


async def test_what_is_set_once_must_be_equal(make: Maker) -> None:
    visit = await make.create(VISITS, {**await make.fields(VISITS), "needs": ["medicine"], "note": "好。"})
    whole = {n: visit[n] for n in VISITS.fields}
    for change in ({"outcome": "refused"}, {"needs": []}):
        required(await put(make, VISITS, visit["id"], {**whole, **change}), 422, "once_changed")
    forgotten = {n: v for n, v in whole.items() if n != "needs"}
    required(await put(make, VISITS, visit["id"], forgotten), 422, "once_changed")
    assert (await put(make, VISITS, visit["id"], {**whole, "note": ""})).json()["note"] == ""


async def test_a_put_to_a_new_id_creates_the_record(make: Maker) -> None:
    id, fields = NEW_ID(), household(make.world)
    made = await put(make, DOORS, id, fields)
    assert (made.status_code, made.headers["etag"], made.headers["location"]) == (201, '"1"', f"/v1/households/{id}")
    assert made.json() == (await make.send("GET", DOORS, f"/{id}")).json()
    again = await put(make, DOORS, id, fields)
    assert (again.status_code, again.headers["etag"]) == (200, '"1"')


async def test_a_put_onto_nothing_is_no_put_onto_what_was_seen(make: Maker) -> None:
    id = NEW_ID()
    required(await put(make, DOORS, id, household(make.world), if_match='"1"'), 412, "stale")
    required(await put(make, DOORS, id, household(make.world), if_match="*"), 412, "stale")
    required(await make.send("GET", DOORS, f"/{id}"), 404, "not_found")


async def test_a_put_that_may_only_create_replaces_nothing(make: Maker) -> None:
    id = NEW_ID()
    assert (await put(make, DOORS, id, household(make.world), if_none_match="*")).status_code == 201
    required(await put(make, DOORS, id, household(make.world, "9"), if_none_match="*"), 412, "already_there")
    assert (await make.send("GET", DOORS, f"/{id}")).json()["door"] == "101"


async def test_of_two_puts_that_may_only_create_one_does(make: Maker) -> None:
    id = NEW_ID()
    puts = [put(make, DOORS, id, household(make.world, str(n)), if_none_match="*") for n in range(4)]
    answers = await asyncio.gather(*puts)
    assert sorted(a.status_code for a in answers) == [201, 412, 412, 412]
    [made] = [a.json() for a in answers if a.status_code == 201]
    assert (await make.send("GET", DOORS, f"/{id}")).json() == made


async def test_of_two_creates_of_one_id_one_does_and_the_other_changes_nothing(make: Maker) -> None:
    id = NEW_ID()
    bodies = [household(make.world, str(n), id=str(id)) for n in range(4)]
    answers = await asyncio.gather(*(make.send("POST", DOORS, json=body) for body in bodies))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409], [a.text for a in answers]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"id_taken"}
    [made] = [a.json() for a in answers if a.status_code == 201]
    assert (await make.send("GET", DOORS, f"/{id}")).json() == {**made, "rev": 1}
    assert (await make.send("GET", COLLECTIONS["conflicts"])).json()["items"] == []


async def test_puts_at_once_all_count(make: Maker) -> None:
    id = NEW_ID()
    answers = await asyncio.gather(*(put(make, DOORS, id, household(make.world, str(n))) for n in range(4)))
    assert sorted(a.status_code for a in answers) == [200, 200, 200, 201], [a.text for a in answers]
    assert (await make.send("GET", DOORS, f"/{id}")).json()["rev"] == 4
    assert (await make.send("GET", COLLECTIONS["conflicts"])).json()["items"] == []


async def test_a_stale_put_is_412(make: Maker) -> None:
    record = await make.create(DOORS)
    assert (await put(make, DOORS, record["id"], household(make.world, "1"), if_match='"1"')).status_code == 200
    required(await put(make, DOORS, record["id"], household(make.world, "2"), if_match='"1"'), 412, "stale")
    assert (await make.send("GET", DOORS, f"/{record['id']}")).json()["door"] == "1"


async def test_a_put_over_a_set_is_remembered_as_what_it_added_and_removed(make: Maker, boss: RawPhone) -> None:
    """So that a phone's add that crosses it isn't undone."""
    record = await make.create(DOORS, household(make.world, tags=["a", "b"]))
    assert (await put(make, DOORS, record["id"], household(make.world, tags=["b", "c"]))).status_code == 200
    added = await boss.say("households", UUID(record["id"]), "update", 1, fields={"tags": {"add": ["d"]}})
    assert added["outcome"] == "merged"
    assert (await boss.get("households", record["id"]))["tags"] == ["b", "c", "d"]


async def test_nobody_puts_where_they_may_not_write(world: World, make: Maker) -> None:
    record = await make.create(DOORS, household(world))
    reader = Maker(world, await phone_of(world, "reader", role="reader"))
    required(await put(reader, DOORS, record["id"], household(world, "9")), 403, "not_permitted")
    required(await put(reader, DOORS, NEW_ID(), household(world)), 422, "reference_not_found")
    neighbour = Maker(world, await phone_of(world, "neighbour", area="building_2"))
    required(await put(neighbour, DOORS, NEW_ID(), household(world)), 422, "reference_not_found")
    required(await put(neighbour, DOORS, record["id"], household(world, unit="unit_2")), 409, "id_taken")
    assert (await make.send("GET", DOORS, f"/{record['id']}")).json() == record


async def test_a_put_onto_a_deleted_record_revives_nothing(make: Maker) -> None:
    record = await make.create(DOORS)
    assert (await make.send("DELETE", DOORS, f"/{record['id']}")).status_code == 204
    required(await put(make, DOORS, record["id"], household(make.world)), 409, "id_taken")
    required(await make.send("GET", DOORS, f"/{record['id']}"), 404, "not_found")


# For callers that have no PATCH


@every
async def test_a_post_that_says_what_it_means_is_that(make: Maker, collection: Collection) -> None:
    record = await make.create(collection)
    path, change = f"/{record['id']}", await make.change(collection, record)
    patched = await make.send("POST", collection, path, json=change, headers={"X-HTTP-Method-Override": "PATCH"})
    assert (patched.status_code, patched.json()) == (200, {**record, **change, "rev": 2})
    whole = {n: record[n] for n in collection.fields}
    stale = {"X-HTTP-Method-Override": "PUT", "If-Match": '"1"'}
    required(await make.send("POST", collection, path, json=whole, headers=stale), 412, "stale")
    replaced = await make.send("POST", collection, path, json=whole, headers={"X-HTTP-Method-Override": "PUT"})
    assert (replaced.status_code, replaced.json()) == (200, {**record, "rev": 3})
    gone = await make.send("POST", collection, path, headers={"X-HTTP-Method-Override": "DELETE"})
    assert (gone.status_code, gone.content) == (204, b"")
    required(await make.send("GET", collection, path), 404, "not_found")


@pytest.mark.parametrize("content", [b"\x00", b"[]", b'{"door": 7}', b"{"])
async def test_a_delete_looks_at_no_body_whatever_it_is_called(make: Maker, content: bytes) -> None:
    for method, more in [("DELETE", {}), ("POST", {"X-HTTP-Method-Override": "DELETE"})]:
        record = await make.create(DOORS)
        headers = {"Content-Type": "application/json", **more}
        gone = await make.send(method, DOORS, f"/{record['id']}", content=content, headers=headers)
        assert (gone.status_code, gone.content) == (204, b"")


@pytest.mark.parametrize("method", ["GET", "POST", "patch", "TRACE", "", "PATCH, DELETE"])
async def test_a_post_that_means_something_else_is_told_so(make: Maker, method: str) -> None:
    record = await make.create(DOORS)
    headers = {"X-HTTP-Method-Override": method}
    problem = required(await make.send("POST", DOORS, f"/{record['id']}", json={}, headers=headers), 400, "bad_request")
    assert problem["errors"][0]["pointer"] == "/X-HTTP-Method-Override"


async def test_a_post_to_a_record_that_says_nothing_is_told_so(make: Maker) -> None:
    record = await make.create(DOORS)
    required(await make.send("POST", DOORS, f"/{record['id']}", json={}), 400, "bad_request")


async def test_only_the_post_to_a_record_is_overridden(make: Maker) -> None:
    record = await make.create(DOORS)
    path, headers = f"/{record['id']}", {"X-HTTP-Method-Override": "DELETE"}
    for method, where, body in [
        ("GET", path, {}),
        ("PUT", path, {"json": household(make.world)}),
        ("PATCH", path, {"json": {}}),
        ("DELETE", path, {}),
        ("POST", "", {"json": household(make.world)}),
        ("GET", "", {}),
    ]:
        required(await make.send(method, DOORS, where, headers=headers, **body), 400, "bad_request")
    assert (await make.send("GET", DOORS, path)).json() == record


async def test_what_an_address_allows_is_named(make: Maker) -> None:
    record = await make.create(DOORS)
    for method, path, allowed in [
        ("TRACE", f"/{record['id']}", "GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("DELETE", "", "GET, HEAD, POST"),
        ("POST", f"/{record['id']}/history", "GET, HEAD"),
    ]:
        answer = await make.send(method, DOORS, path)
        required(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == allowed
