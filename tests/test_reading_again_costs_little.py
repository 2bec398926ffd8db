"""What a caller has already isn't sent again: `If-None-Match` answers 304, HEAD answers without the body."""

import pytest

from app.collections.base import Collection
from tests.maker import Maker, boss, every, make

__all__ = ["boss", "make"]


@every
async def test_a_record_that_one_has_is_not_sent_again(make: Maker, collection: Collection) -> None:
    record = await make.create(collection)
    path = f"/{record['id']}"
    for known in ('"1"', 'W/"1"', '"7", "1"', "*"):
        same = await make.send("GET", collection, path, headers={"If-None-Match": known})
        assert (same.status_code, same.headers["etag"], same.content) == (304, '"1"', b"")
    await make.send("PATCH", collection, path, json=await make.change(collection, record))
    for known in ('"1"', '"11"', '"22"', "", '"*"'):
        new = await make.send("GET", collection, path, headers={"If-None-Match": known})
        assert (new.status_code, new.headers["etag"], new.json()["rev"]) == (200, '"2"', 2)
    for malformed in ("1", "2", '"2', '*, "2"'):
        assert (await make.send("GET", collection, path, headers={"If-None-Match": malformed})).status_code == 400
    await make.send("DELETE", collection, path)
    assert (await make.send("GET", collection, path, headers={"If-None-Match": "*"})).status_code == 404


@every
async def test_head_is_get_without_its_body(make: Maker, collection: Collection) -> None:
    record = await make.create(collection)
    for path, status in [("", 200), (f"/{record['id']}", 200), (f"/{record['home']}x", 400), ("/a/b/c", 404)]:
        got, head = [await make.send(method, collection, path) for method in ("GET", "HEAD")]
        assert (got.status_code, head.status_code, head.content) == (status, status, b"")
        assert got.content
        # Each has counted as a request.
        said = [{n: v for n, v in answer.headers.items() if n != "ratelimit"} for answer in (got, head)]
        assert said[0] == said[1]


@pytest.mark.parametrize("path", ["/v1/mutations", "/v1/replicas", "/livez", "/docs"])
async def test_head_works_where_get_does(make: Maker, path: str) -> None:
    got = await make.world.http.head(path, headers=make.phone.headers)
    assert (got.status_code, got.content) == (200, b"")


async def test_head_is_not_allowed_where_get_is_not(make: Maker) -> None:
    answer = await make.world.http.head("/v1/sync/push", headers=make.phone.headers)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")
