"""An Idempotency-Key is the mutation's id: the same request again, also at once, has the effect and answer of once."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.collections import COLLECTIONS
from app.collections.base import Collection
from tests.maker import Maker, every
from tests.raw_phone import RawPhone, phone_of
from tests.two_people import contested, door, li, wang
from tests.world import NEW_ID, World, household, mutation

__all__ = ["door", "li", "wang"]

DOORS = COLLECTIONS["households"]


def keyed(key: object, **headers: str) -> dict[str, str]:
    return {"Idempotency-Key": str(key), **headers}


@pytest.fixture
async def make(world: World) -> Maker:
    return Maker(world, await phone_of(world, "boss", role="admin"))


async def revs(make: Maker, collection: Collection, id: str) -> list[int]:
    rows = (await make.send("GET", collection, f"/{id}/history")).json()["history"]
    return [row["rev"] for row in rows]


@every
async def test_every_write_sent_twice_acts_once(make: Maker, collection: Collection) -> None:
    fields, keys = await make.fields(collection), [NEW_ID() for _ in range(4)]
    made, again = [
        await make.send("POST", collection, json=fields, headers=keyed(key)) for key in (keys[0], f'"{keys[0]}"')
    ]
    assert (made.status_code, again.status_code) == (201, 201), made.text
    assert (made.json(), made.headers["location"]) == (again.json(), again.headers["location"])
    record = made.json()
    path, change = f"/{record['id']}", await make.change(collection, record)
    whole = {name: record[name] for name in collection.fields}
    for key, method, body, status in [
        (keys[1], "PATCH", change, 200),
        (keys[2], "PUT", whole, 200),
        (keys[3], "DELETE", None, 204),
    ]:
        sent = {"headers": keyed(key, **{"If-Match": f'"{len(await revs(make, collection, record["id"]))}"'})}
        sent |= {"json": body} if body is not None else {}
        answers = [await make.send(method, collection, path, **sent) for _ in range(2)]
        assert [a.status_code for a in answers] == [status, status], answers[1].text
        assert answers[0].content == answers[1].content
    history = (await make.send("GET", collection, f"{path}/history")).json()["history"]
    assert [(row["rev"], row["mutation"]) for row in history] == [(n + 1, str(keys[n])) for n in (3, 2, 1, 0)]


async def test_a_create_without_an_id_takes_the_keys(make: Maker) -> None:
    key = NEW_ID()
    made = await make.send("POST", DOORS, json=household(make.world), headers=keyed(key))
    assert made.json()["id"] == str(key)
    chosen = household(make.world, id=str(NEW_ID()))
    for _ in range(2):
        made = await make.send("POST", DOORS, json=chosen, headers=keyed(NEW_ID()))
        assert made.status_code in (201, 409)
    assert made.json()["code"] == "id_taken"


async def test_a_put_that_created_answers_201_again(make: Maker) -> None:
    id, created, replaced = NEW_ID(), NEW_ID(), NEW_ID()
    for _ in range(2):
        made = await make.send("PUT", DOORS, f"/{id}", json=household(make.world), headers=keyed(created))
        assert (made.status_code, made.headers["location"]) == (201, f"/v1/households/{id}")
    for _ in range(2):  # nothing differs, so that the rev stays 1
        made = await make.send("PUT", DOORS, f"/{id}", json=household(make.world), headers=keyed(replaced))
        assert (made.status_code, made.headers["etag"]) == (200, '"1"')


async def test_what_others_wrote_meanwhile_is_not_written_over(make: Maker) -> None:
    record, key = await make.create(DOORS, household(make.world, tags=["a"])), NEW_ID()
    path, change = f"/{record['id']}", {"door": "102", "tags": ["b"]}
    assert (await make.send("PATCH", DOORS, path, json=change, headers=keyed(key))).status_code == 200
    other = await make.send("PATCH", DOORS, path, json={"door": "103", "tags": ["c"]})
    again = await make.send("PATCH", DOORS, path, json=change, headers=keyed(key))
    assert (again.status_code, again.json(), again.headers["etag"]) == (200, other.json(), '"3"')


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_a_key_used_for_other_content_is_refused_and_changes_nothing(make: Maker, method: str) -> None:
    record, key = await make.create(DOORS), NEW_ID()
    path, headers = f"/{record['id']}", keyed(key)
    assert (await make.send("PATCH", DOORS, path, json={"note": "一。"}, headers=headers)).status_code == 200
    body = {} if method == "DELETE" else {"json": {**household(make.world), "note": "二。"}}
    other = await make.create(DOORS)
    elsewhere = {} if method == "DELETE" else {"json": {"note": "一。"} if method == "PATCH" else household(make.world)}
    for place, said in ((path, body), (f"/{other['id']}", elsewhere)):
        reused = await make.send(method, DOORS, place, headers=headers, **said)
        assert (reused.status_code, reused.json()["code"]) == (409, "mutation_reused")
    made = await make.send("POST", DOORS, json=household(make.world), headers=headers)
    assert (made.status_code, made.json()["code"]) == (409, "mutation_reused")
    assert (await make.send("GET", DOORS, path)).json() == {**record, "rev": 2, "note": "一。"}
    assert (await make.send("GET", DOORS, f"/{other['id']}")).json() == other


async def test_a_key_is_its_persons_own(make: Maker, li: RawPhone) -> None:
    key = NEW_ID()
    await make.send("POST", DOORS, json=household(make.world), headers=keyed(key))
    theirs = await Maker(make.world, li).send("POST", DOORS, json=household(make.world), headers=keyed(key))
    assert (theirs.status_code, theirs.json()["code"]) == (409, "mutation_reused")


async def test_a_refused_request_may_be_corrected_under_its_key(make: Maker) -> None:
    key = NEW_ID()
    bad = await make.send("POST", DOORS, json=household(make.world, floor=999), headers=keyed(key))
    assert bad.status_code == 422
    good = await make.send("POST", DOORS, json=household(make.world, floor=9), headers=keyed(key))
    assert (good.status_code, good.json()["floor"]) == (201, 9)


@pytest.mark.parametrize("key", ["", '""', "7", "abc", '"abc"', '"', "'0192f0c0-0000-7000-8000-0000000000ff'", "键"])
async def test_a_key_that_is_no_uuid_is_told_so(make: Maker, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    answer = await make.send("POST", DOORS, json=household(make.world), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert answer.json()["errors"][0]["pointer"] == "/Idempotency-Key"
    assert (await make.send("GET", DOORS)).json()["items"] == []


async def test_requests_that_arrive_at_once_act_once(make: Maker) -> None:
    key = NEW_ID()

    async def at_once(method: str, path: str, **said: Any) -> list[httpx.Response]:
        sent = [make.send(method, DOORS, path, headers=keyed(key, **{"If-Match": '"1"'}), **said) for _ in range(5)]
        return await asyncio.gather(*sent)

    made = await at_once("POST", "", json=household(make.world))
    assert {(a.status_code, a.content) for a in made} == {(201, made[0].content)}, [a.text for a in made]
    path, key = f"/{made[0].json()['id']}", NEW_ID()
    changed = await at_once("PATCH", path, json={"note": "一次。"})
    assert {(a.status_code, a.headers.get("etag")) for a in changed} == {(200, '"2"')}, [a.text for a in changed]
    id, key = NEW_ID(), NEW_ID()
    headers = keyed(key, **{"If-None-Match": "*"})
    puts = [make.send("PUT", DOORS, f"/{id}", json=household(make.world), headers=headers) for _ in range(5)]
    answers = await asyncio.gather(*puts)
    assert {(a.status_code, a.headers.get("etag")) for a in answers} == {(201, '"1"')}, [a.text for a in answers]
    assert len((await make.send("GET", DOORS)).json()["items"]) == 2


async def test_a_delete_sent_again_deletes_nothing_that_came_after(make: Maker, li: RawPhone) -> None:
    record, key = await make.create(DOORS), NEW_ID()
    path = f"/{record['id']}"
    assert (await make.send("DELETE", DOORS, path, headers=keyed(key))).status_code == 204
    revived = await li.say("households", UUID(record["id"]), "update", 1, fields={"note": "还在。"})
    assert revived["outcome"] == "conflicted"
    assert (await make.send("DELETE", DOORS, path, headers=keyed(key))).status_code == 204
    assert (await make.send("GET", DOORS, path)).json()["note"] == "还在。"


async def test_a_create_sent_again_brings_back_nothing_that_was_deleted(make: Maker) -> None:
    key, fields = NEW_ID(), household(make.world)
    assert (await make.send("POST", DOORS, json=fields, headers=keyed(key))).status_code == 201
    assert (await make.send("DELETE", DOORS, f"/{key}")).status_code == 204
    again = await make.send("POST", DOORS, json=fields, headers=keyed(key))
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    assert await revs(make, DOORS, str(key)) == [2, 1]


async def test_a_phone_and_an_ordinary_request_share_one_memory(world: World, li: RawPhone) -> None:
    """What was posted under a key and is pushed under the same id is one mutation."""
    id, key, fields = NEW_ID(), NEW_ID(), household(world)
    posted = await Maker(world, li).send("POST", DOORS, json={**fields, "id": str(id)}, headers=keyed(key))
    assert posted.status_code == 201
    [outcome] = await li.push({**mutation(world, "households", id, fields=fields), "id": str(key)})
    assert (outcome["outcome"], outcome["replayed"]) == ("applied", True)


async def test_a_resolution_sent_twice_resolves_once(world: World, li: RawPhone, wang: RawPhone, door: UUID) -> None:
    conflict, key = await contested(li, wang, door), NEW_ID()
    path = f"/v1/conflicts/{conflict}/resolution"
    answers = [
        await world.http.post(path, json={"value": "103"}, headers={**li.headers, **keyed(key)}) for _ in range(2)
    ]
    assert [a.status_code for a in answers] == [200, 200], answers[1].text
    assert answers[0].json() == answers[1].json()
    other = await world.http.post(path, json={"value": "104"}, headers={**li.headers, **keyed(key)})
    assert (other.status_code, other.json()["code"]) == (409, "mutation_reused")
    late = await world.http.post(path, json={"value": "104"}, headers={**wang.headers, **keyed(NEW_ID())})
    assert (late.status_code, late.json()["code"]) == (409, "already_resolved")
    assert (await li.get("households", door))["door"] == "103"
