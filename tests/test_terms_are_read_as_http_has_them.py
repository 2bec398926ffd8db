"""What must still hold where something is written (RFC 9110 §13): read as HTTP has it, and never left out."""

import httpx
import pytest

from app.collections import COLLECTIONS
from app.collections.base import Collection
from tests.maker import Maker, boss, every, make

__all__ = ["boss", "make"]

DOORS = COLLECTIONS["households"]
UNREADABLE = ["1", "zebra", '"1', "'1'", '"1" "2"', '*, "1"', '"1 "', 'w/"1"', '"1"' + "," * 998]


@every
@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
async def test_terms_that_nobody_can_read_are_never_left_out(make: Maker, collection: Collection, header: str) -> None:
    """Left out, they would let through what was to be written on terms only."""
    record = await make.create(collection)
    path, body = f"/{record['id']}", {"json": await make.change(collection, record)}
    posts = [("POST", {"X-HTTP-Method-Override": method}) for method in ("PUT", "PATCH", "DELETE")]
    for method, more in [("PUT", {}), ("PATCH", {}), ("DELETE", {}), *posts]:
        for terms in UNREADABLE:
            said = {} if method == "DELETE" else body
            answer = await make.send(method, collection, path, headers={header: terms, **more}, **said)
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
            assert answer.json()["errors"] == [{"pointer": f"/{header}", "code": "not_entity_tags"}]
    assert (await make.send("GET", collection, path)).json() == record


@pytest.mark.parametrize(
    ("header", "lines", "written"),
    [
        ("If-Match", ['"1"'], True),
        ("If-Match", ['W/"1"'], True),
        ("If-Match", ['"7" ,, "1",'], True),
        ("If-Match", ['"7"', '"1"'], True),
        ("If-Match", ["*"], True),
        ("If-Match", ['"*"'], False),
        ("If-Match", ['"11", "7,1"'], False),
        ("If-Match", [""], False),
        ("If-None-Match", ['"1"'], False),
        ("If-None-Match", ['W/"1"'], False),
        ("If-None-Match", ['"7"', '"1"'], False),
        ("If-None-Match", ['"7"', '"*"'], True),
        ("If-None-Match", [""], True),
    ],
)
async def test_a_list_of_tags_names_each_of_them(make: Maker, header: str, lines: list[str], written: bool) -> None:
    record = await make.create(DOORS)
    headers = httpx.Headers([*make.phone.headers.items(), *((header, line) for line in lines)])
    path = f"/v1/households/{record['id']}"
    answer = await make.world.http.patch(path, json={"door": "9"}, headers=headers)
    assert answer.status_code == (200 if written else 412)
    assert (await make.send("GET", DOORS, f"/{record['id']}")).json()["door"] == ("9" if written else record["door"])
