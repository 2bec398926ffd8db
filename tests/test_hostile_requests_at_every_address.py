"""Whatever is sent to any address of the document: the answer repeats none of it, and nothing changes.

Each is tried on one of the stores.
"""

import gzip
import json
import re
from typing import Any

import httpx
import pytest

from app.problems import CATALOGUE
from app.sqlite import Sqlite
from tests.contract import document
from tests.scene import Answer, Scene, scene_for_a_module, url_for_a_module
from tests.world import NEW_ID, bearer

__all__ = ["scene_for_a_module", "url_for_a_module"]  # the fixtures `scene` and `url`

MARKER = "zebra"
"""In every value that is sent, and in no answer."""
OPERATIONS = [
    (method.upper(), path)
    for path, operations in document()["paths"].items()
    for method in operations
    if path.startswith("/v1")
]
WITH_BODY = [(method, path) for method, path in OPERATIONS if method in ("POST", "PUT", "PATCH") and "auth" not in path]
ZIPPED = {"Content-Encoding": "gzip"}


def nested(depth: int) -> bytes:
    return b'{"name":' * depth + b'"zebra"' + b"}" * depth


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


BODIES: list[tuple[str, bytes, dict[str, str]]] = [
    *((name, body, {}) for name, body in (("nothing", b""), ("null", b"null"), ("true", b"true"), ("number", b"7"))),
    *((f"list of {name}", as_json([value] * 3), {}) for name, value in (("objects", {}), ("texts", MARKER))),
    ("text", as_json(MARKER), {}),
    ("deep", nested(17), {}),
    ("very deep", nested(2000), {}),
    ("open brackets", b'{"a":' + b"[" * 200_000, {}),
    ("byte order mark", b"\xef\xbb\xbf" + as_json({"name": MARKER}), {}),
    *((f"in {name}", json.dumps({"name": MARKER}).encode(name), {}) for name in ("utf-16", "utf-32", "utf-16-le")),
    ("key twice", b'{"name":"zebra","name":"zebra"}', {}),
    ("not a number", b'{"name":NaN,"zebra":-Infinity}', {}),
    ("broken characters", b'{"name":"\xff\xfe\xed\xa0\x80zebra"}', {}),
    ("too long text", as_json({"name": MARKER * 200_000}), {}),
    ("bomb", gzip.compress(b" " * 5_000_000 + as_json({"name": MARKER})), ZIPPED),
    ("packed twice", gzip.compress(gzip.compress(as_json({"name": MARKER}))), ZIPPED),
    ("cut short", gzip.compress(as_json({"name": MARKER}))[:-6], ZIPPED),
    ("not packed", as_json({"name": MARKER}), ZIPPED),
    ("packed in an unknown way", as_json({"name": MARKER}), {"Content-Encoding": MARKER}),
    ("form", b"name=zebra", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("nothing said", as_json({"name": MARKER}), {"Content-Type": ""}),
]
MAYBE_TAKEN: list[tuple[str, bytes]] = [
    # A phone newer than this server says more than it knows: where words are ignored, these are.
    ("thousands of unknown keys", as_json({f"word_{n}": MARKER for n in range(5000)})),
    ("a long text", as_json({"name": MARKER * 45_000})),
    ("a long key", as_json({"号码zebra" * 10_000: 1})),
    ("huge integers", b'{"name":%s,"limit":-%s}' % (b"9" * 4000, b"9" * 400)),
    ("huge floats", b'{"name":1e400,"limit":1e-400,"protocol":%s.5}' % (b"9" * 400)),
    ("null everywhere", as_json({"mutations": None, "push": None, "cursor": None, "name": None, "fields": None})),
    (
        "wrong kinds",
        as_json({"mutations": {}, "push": [], "cursor": {}, "name": [], "fields": 1, "value": {MARKER: 1}}),
    ),
    ("lone surrogates", rb'{"name":"\ud800zebra","\udc00":1,"value":"\ud800"}'),
    ("nul", rb'{"name":"zebra\u0000","a\u0000":1,"value":"\u0000"}'),
]


def in_turn(scene: Scene, asked: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Every second on one store, the rest on the other: what is wrong here is wrong before anything is stored."""
    return asked[isinstance(scene.world.context.database, Sqlite) :: 2]


async def ask(scene: Scene, method: str, path: str, **options: Any) -> httpx.Response:
    """As Wang, about a record that is there; never a fault of the server's, and never an echo."""
    path = re.sub(r"\{\w+_id\}", str(NEW_ID()), path.replace("{id}", str(scene.ids["mine"])))
    headers = {"Content-Type": "application/json", **options.pop("headers", {}), **bearer(scene.tokens["wang"])}
    sent = {name: value for name, value in headers.items() if value}
    answer = await scene.world.http.request(method, path, headers=sent, **options)
    assert answer.status_code < 500, (method, path, answer.text)
    if answer.status_code >= 400:
        problem: Answer = answer.json()
        assert CATALOGUE[problem["code"]].status == answer.status_code
        assert MARKER not in answer.text, (method, path)
    return answer


@pytest.mark.parametrize(("body", "headers"), [pytest.param(*rest, id=name) for name, *rest in BODIES])
async def test_a_body_nobody_can_take_is_refused_everywhere(scene: Scene, body: bytes, headers: dict[str, str]) -> None:
    before = await scene.news()
    for method, path in in_turn(scene, WITH_BODY):
        answer = await ask(scene, method, path, content=body, headers=headers)
        assert answer.status_code >= 400, (method, path, answer.text)
    assert (await scene.news())["digests"] == before["digests"]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in MAYBE_TAKEN])
async def test_a_strange_body_breaks_nothing_anywhere(scene: Scene, body: bytes) -> None:
    before = await scene.news()
    for method, path in in_turn(scene, WITH_BODY):
        await ask(scene, method, path, content=body)
    assert (await scene.news())["digests"] == before["digests"]


QUERIES: list[Any] = [
    pytest.param(f"limit={'9' * 20_000}", id="a huge limit"),
    pytest.param(f"{MARKER * 6000}=1&after={MARKER * 6000}", id="very long"),
    pytest.param("&".join(["limit=1"] * 3000), id="the same thousands of times"),
    pytest.param("limit=1&limit=zebra&after=&after=zebra&outcome=zebra", id="twice, differently"),
    pytest.param("&".join(f"reread={n}" for n in range(3000)), id="too many members"),
    pytest.param("after=%00&limit=%ff&cursor=%ed%a0%80&before=%F0%9F%98&outcome=%", id="no text at all"),
    pytest.param("&&&=&=&;;limit", id="hardly a query"),
]


@pytest.mark.parametrize("query", QUERIES)
async def test_no_query_breaks_anything_anywhere(scene: Scene, query: str) -> None:
    for method, path in in_turn(scene, OPERATIONS):
        if method == "GET":
            await ask(scene, method, f"{path}?{query}")


PLACES = [
    "%00",
    "%2e%2e%2f%2e%2e",
    "%ff%fe",
    "zebra" * 2000,
    "{0192f0c0-0000-7000-8000-0000000000ff}",
    "null",
    "%0d%0a",
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[:20])
async def test_no_address_breaks_anything(scene: Scene, place: str) -> None:
    for method, path in in_turn(scene, OPERATIONS):
        if "{" in path:
            head, _, rest = path.partition("{")
            answer = await ask(scene, method, f"{head}{place}{rest.partition('}')[2]}", content=b"{}")
            assert answer.status_code >= 400


HEADERS: list[dict[str, str]] = [
    *({"If-Match": value} for value in ("", '"', "zebra", 'W/"1"', '"' * 5000, "*, *", '"1", "2"', "9" * 5000)),
    *({"Accept": value} for value in ("zebra", "text/html", "application/json;q=zebra")),
    *({"Accept-Encoding": value} for value in ("zebra", "gzip;q=zebra", "identity;q=0, *;q=0", "," * 5000)),
    *({"Content-Type": f"application/json; charset={value}"} for value in ("utf-16", "zebra", '"')),
    {"X-HTTP-Method-Override": "zebra"},
    {"Idempotency-Key": "zebra" * 1000},
    {"If-None-Match": '"' * 3000},
    {"Range": "bytes=zebra"},
    {"Content-Length": "zebra"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=lambda headers: ascii(headers)[1:50])
async def test_no_header_breaks_anything_anywhere(scene: Scene, headers: dict[str, str]) -> None:
    for method, path in in_turn(scene, OPERATIONS):
        if method != "DELETE":
            await ask(scene, method, path, content=b"[]", headers=headers)
