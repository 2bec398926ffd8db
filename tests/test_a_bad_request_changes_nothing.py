"""A request that can't be understood is answered with its own code, in both languages, and leaves no trace."""

import base64
import gzip
import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.identity.tokens import ACCESS_SECONDS, access_token, claims_of
from app.problems import CATALOGUE
from sync import cursor as cursors
from sync.cursor import Position, Positions
from sync.wire import MOST_MUTATIONS, MOST_PUSH_BYTES, PROTOCOL
from tests.scene import Answer, Scene, as_bytes, scene_for_a_module, url_for_a_module
from tests.world import NEW_ID, bearer

__all__ = ["scene_for_a_module", "url_for_a_module"]  # the fixtures `scene` and `url`

ZIPPED = {"Content-Encoding": "gzip"}
MARKER = "zebra斑马"
"""What no answer may repeat."""


async def post(scene: Scene, body: bytes, path: str = "/v1/sync/push", **headers: str) -> httpx.Response:
    """As Li's phone; `authorization` and other headers may differ."""
    sent = {**bearer(scene.tokens["li"]), "Content-Type": "application/json"}
    sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    return await scene.world.http.post(path, content=body, headers={k: v for k, v in sent.items() if v})


async def state(scene: Scene) -> Any:
    """What a fresh phone of each person's would hold, and what is known of Li's mutations."""
    fresh = {k: v for k, v in (await scene.news()).items() if k not in ("cursor", "server_time")}
    listed = []
    for outcome in ("applied", "refused"):
        query, signed = {"outcome": outcome}, bearer(scene.tokens["li"])
        listed.append((await scene.world.http.get("/v1/mutations", params=query, headers=signed)).json())
    return fresh, listed, (await scene.push())["received"]


def require_problem(answer: httpx.Response, *codes: str, secret: str = MARKER) -> Answer:
    """One of these codes, as the catalogue says, in both languages, without a word of what was sent."""
    problem: Answer = answer.json()
    assert problem["code"] in codes, (answer.status_code, answer.text)
    entry = CATALOGUE[problem["code"]]
    assert 400 <= answer.status_code == entry.status == problem["status"] < 500
    assert problem["titles"] == {"zh": entry.zh, "en": entry.en}
    assert answer.headers["content-type"] == "application/problem+json"
    assert secret not in answer.text
    assert ascii(secret)[1:-1] not in answer.text
    return problem


def pushed(scene: Scene, count: int = 3) -> bytes:
    """A good push of some doors."""
    mutations = [scene.door(door=str(n), note=MARKER) for n in range(count)]
    return as_bytes({"protocol": 1, "home": str(scene.world.home), "mutations": mutations})


BAD_JSON = [
    *("", " ", "x", "[", "{", "}", "[]", "7", "null", '"text"', "{}{}", "{} x", "{},", "[{}]", "\ufeff{}"),
    *('{"a"}', '{"a":}', '{"a":1,}', '{,"a":1}', '{"a" 1}', "{a:1}", "{'a':1}", '{"a":1 "b":2}', '{"a":01}'),
    *('{"a":nan}', '{"a":NaN}', '{"a":-Infinity}', '{"a":1e999}', '{"a":.5}', '{"a":+1}', '{"a":0x1}'),
    *('{"a":1,"a":2}', '{"mutations":[],"mutations":[]}', '{"a":{"b":1,"b":2}}', f'{{"a":{"9" * 5000}}}'),
    *('{"mutations":{}}', '{"mutations":7}', '{"mutations":null}', '{"mutations":[1,]}', '{"mutations":[,]}'),
    *('{"mutations":[1 2]}', '{"mutations":[1', '{"mutations":[{"a":]}', '{"mutations":[tru]}', '{"mutations":[]'),
    *(r'{"mutations":[{"a":"\x"}]}', r'{"mutations":["\u12"]}', '{"mutations":["open]}', '{"a":"tab\there"}'),
    *("// comment\n{}", '{"a":1}/**/', "<html></html>", "a=1&b=2", "{}\0", "\0{}", "{1:2}", "{null:1}"),
]


async def test_bad_json_changes_nothing(scene: Scene) -> None:
    before = await state(scene)
    for text in BAD_JSON:
        marked = text.replace("{", f'{{"{MARKER}":1,', 1)
        for path in ("/v1/sync/push", "/v1/sync/pull", "/v1/sync"):
            for body in (text.encode(), marked.encode("utf-16"), text.encode() + MARKER.encode()):
                assert require_problem(await post(scene, body, path), "bad_json"), text
    assert await state(scene) == before


ENVELOPES: list[tuple[str, Answer]] = [
    *(("push", {word: value}) for word in ("protocol", "received") for value in (MARKER, None, 1.5, [], -2.5)),
    *(("push", {"received": value}) for value in (-1, "1")),
    *(("push", {"home": value}) for value in (MARKER, 7, {})),
    *(("push", {"epoch": value}) for value in (7, [MARKER])),
    *(("push", {"sent_at": value}) for value in (MARKER, 7, "2026-01-01T08:00:00", "0001-01-01T00:00:00+23:59")),
    *(("push", {"outbox": value}) for value in (MARKER, 7, {"depth": -1}, {"depth": MARKER}, {"oldest_at": MARKER})),
    ("push", {"outbox": {"depth": 1, "oldest_at": "9999-12-31T23:59:59-23:59"}}),
    *(("pull", {"limit": value}) for value in (0, -1, 2001, 10**15, "10", None, 1.5, True, MARKER)),
    *(("pull", {"reread": value}) for value in (7, [MARKER], [1.5], list(range(201)))),
    *(("pull", {"cursor": value}) for value in (7, [MARKER], True)),
    ("pull", {"protocol": MARKER}),
    *(("", {"push": value}) for value in (7, MARKER, [], True)),
    *(("", {"limit": value}) for value in (0, 2001, MARKER)),
]


@pytest.mark.parametrize(("part", "words"), ENVELOPES, ids=lambda value: ascii(value)[:40])
async def test_a_malformed_envelope_changes_nothing(scene: Scene, part: str, words: Answer) -> None:
    before = await state(scene)
    body = {"protocol": 1, **({"mutations": [scene.door()]} if part == "push" else {}), **words}
    problem = require_problem(await post(scene, as_bytes(body), f"/v1/sync/{part}".rstrip("/")), "bad_request")
    assert problem["errors"]
    if part == "push":
        require_problem(await post(scene, as_bytes({"push": body}), "/v1/sync"), "bad_request")
    assert await state(scene) == before


@pytest.mark.parametrize("query", ["limit=0", "limit=2001", "limit=x", "protocol=x", "reread=x", f"limit={MARKER}"])
async def test_a_malformed_query_is_told_so(scene: Scene, query: str) -> None:
    answer = await scene.world.http.get(f"/v1/sync/pull?{query}", headers=bearer(scene.tokens["li"]))
    require_problem(answer, "bad_request")


async def test_what_is_too_much_is_told_its_limit(scene: Scene) -> None:
    before = await state(scene)
    problem = require_problem(await post(scene, pushed(scene, MOST_MUTATIONS + 1)), "too_many_mutations")
    assert problem["details"] == {"most_mutations": MOST_MUTATIONS}
    padded = as_bytes({"mutations": [scene.door()], "padding": MARKER * 50_000})
    assert len(padded) > 300 * 1024
    for body, headers in ((padded, {}), (gzip.compress(padded), ZIPPED), (padded * 10, {})):
        problem = require_problem(await post(scene, body, **headers), "body_too_large")
        assert problem["details"] in ({"most_bytes": MOST_PUSH_BYTES}, {"most_bytes": 1024 * 1024})
    assert await state(scene) == before


async def test_a_gzip_bomb_takes_no_memory(scene: Scene) -> None:
    before = await state(scene)
    bomb = gzip.compress(b'{"mutations":[' + b" " * 10_000_000)
    tracemalloc.start()
    answer = await post(scene, bomb, **ZIPPED)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    require_problem(answer, "body_too_large")
    assert len(bomb) < 20_000
    assert peak < 2_000_000
    assert await state(scene) == before


async def test_a_body_wrongly_packed_changes_nothing(scene: Scene) -> None:
    before = await state(scene)
    body, packed = pushed(scene), gzip.compress(pushed(scene))
    for bad in (body, b"", packed + b"x", packed + packed, packed[:-1] + b"x", b"\x1f\x8b" + packed[2:].swapcase()):
        require_problem(await post(scene, bad, **ZIPPED), "bad_gzip")
    require_problem(await post(scene, gzip.compress(packed), **ZIPPED), "bad_json")
    require_problem(await post(scene, packed), "bad_json")
    for coding in ("gzip, gzip", "br", "deflate", MARKER.encode().hex()):
        require_problem(await post(scene, packed, content_encoding=coding), "wrong_content_type")
    for media in ("", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data"):
        require_problem(await post(scene, body, content_type=media), "wrong_content_type")
    assert await state(scene) == before


async def test_depth_is_bounded_outside_of_texts(scene: Scene) -> None:
    before = await state(scene)
    nested = [b"[" * n + b"]" * n for n in (16, 99_999)] + [b'{"a":' * 16 + b"1" + b"}" * 16, b"[" * 100_000]
    for deep in nested:
        for body in (b'{"a":' + deep + b"}", b'{"mutations":[%s]}' % deep[:-2], deep * (len(deep) > 100)):
            require_problem(await post(scene, body or b"[" * 17), "too_deep")
    # A string that never ends costs one look, not one for each of its quotes.
    require_problem(await post(scene, b'{"a":"' + b'\\"' * 100_000), "bad_json")
    assert await state(scene) == before
    door = scene.door(note="[{" * 1000)
    assert (await scene.push(as_bytes(door)))["outcomes"][0]["outcome"] == "applied"


async def test_a_cut_forged_or_foreign_cursor_is_told_so(scene: Scene) -> None:
    before = await state(scene)
    cursor = (await scene.news())["cursor"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    flipped = [raw[:n] + bytes([raw[n] ^ 1 << n % 8]) + raw[n + 1 :] for n in range(len(raw))]
    foreign = Positions(NEW_ID(), {1: Position(1, 0, 1)})
    ours = replace(foreign, server=scene.world.context.server_id)
    key = scene.world.context.subkey("cursor")
    bad = [(cursor[:n], ("cursor_unreadable", "cursor_forged", "cursor_foreign")) for n in range(len(cursor))]
    bad += [(_as_text(text), ("cursor_unreadable", "cursor_forged", "cursor_foreign")) for text in flipped]
    bad += [(cursors.encode(foreign, key), ("cursor_foreign",)), (cursors.encode(foreign, b"k"), ("cursor_foreign",))]
    bad += [(cursors.encode(ours, scene.world.context.subkey("content")), ("cursor_forged",))]
    bad += [(text, ("cursor_unreadable",)) for text in ("", "!", MARKER, "\0", cursor + "!", "A" * 50_000)]
    bad += [(cursor + "AAAA", ("cursor_forged",)), (cursor * 2, ("cursor_forged", "cursor_unreadable"))]
    for text, codes in bad:
        require_problem(await post(scene, as_bytes({"cursor": text}), "/v1/sync/pull"), *codes, secret=text or MARKER)
    for text, codes in bad[::10]:
        signed = bearer(scene.tokens["li"])
        answer = await scene.world.http.get("/v1/sync/pull", params={"cursor": text}, headers=signed)
        require_problem(answer, *codes, secret=text or MARKER)
        # A pull that fails doesn't hide the push.
        both = await post(scene, as_bytes({"push": {"mutations": []}, "cursor": text}), "/v1/sync")
        assert both.json()["page_problem"]["code"] in codes
        assert both.json()["push"]["outcomes"] == []
    assert await state(scene) == before


def _as_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def _tokens(scene: Scene) -> list[tuple[str, str]]:
    """(code, Authorization): everything that is no good."""
    context, good = scene.world.context, scene.tokens["li"]
    claims = claims_of(context, good)
    who = {"person_id": claims.person_id, "replica_id": claims.replica_id, "sign_in_id": claims.sign_in_id}
    long_ago = replace(context.seams, now=lambda: claims.expires_at - timedelta(seconds=2 * ACCESS_SECONDS))
    unsigned = [_as_text(as_bytes(part)) for part in ({"alg": "none"}, {"sub": str(claims.person_id)})]
    garbled = ["x", MARKER.encode().hex(), ".".join([*unsigned, ""]), good[:-2], good + "x", _as_text(b"[" * 40_000)]
    return [
        ("not_signed_in", ""),
        ("not_signed_in", f"Basic {good}"),
        ("not_signed_in", "Bearer "),
        ("not_signed_in", f"Bearer {access_token(context, **{**who, 'sign_in_id': NEW_ID()})}"),
        *(("token_foreign", f"Bearer {token}") for token in garbled),
        ("token_foreign", f"Bearer {access_token(replace(context, key=b'k' * 32), **who)}"),
        ("token_foreign", f"Bearer {access_token(replace(context, server_id=NEW_ID()), **who)}"),
        ("token_expired", f"Bearer {access_token(replace(context, seams=long_ago), **who)}"),
        ("replica_needed", f"Bearer {await scene.world.token('li')}"),
    ]


REQUESTS = [("/v1/sync/push", {}), ("/v1/sync/pull", {}), ("/v1/sync", {"push": {}})]


async def test_nobody_syncs_without_a_good_token_of_a_phone(scene: Scene) -> None:
    before, body = await state(scene), pushed(scene)
    for code, authorization in await _tokens(scene):
        for path, wrapped in REQUESTS:
            sent = as_bytes({"push": json.loads(body)}) if wrapped else body
            answer = await post(scene, sent, path, authorization=authorization)
            require_problem(answer, code)
            assert ("www-authenticate" in answer.headers) is (answer.status_code == 401)
    assert await state(scene) == before


async def test_a_revoked_phone_pushes_nothing_more(scene: Scene) -> None:
    token = await scene.world.phone_token("li")
    phone = claims_of(scene.world.context, token).replica_id
    signed = bearer(scene.tokens["li"])
    assert (await scene.world.http.delete(f"/v1/replicas/{phone}", headers=signed)).status_code == 204
    before = await state(scene)
    for path, _ in REQUESTS:
        require_problem(await post(scene, pushed(scene), path, authorization=f"Bearer {token}"), "replica_revoked")
    assert await state(scene) == before


async def test_nothing_is_taken_from_a_newer_app_or_after_a_restore(scene: Scene) -> None:
    before, push = await state(scene), json.loads(pushed(scene))
    newer = {**push, "protocol": PROTOCOL + 1}
    for path, body in (("/push", newer), ("/pull", newer), ("", {"push": newer}), ("", {**newer, "push": push})):
        require_problem(await post(scene, as_bytes(body), f"/v1/sync{path}"), "server_older")
    query, signed = {"protocol": str(PROTOCOL + 1)}, bearer(scene.tokens["li"])
    require_problem(await scene.world.http.get("/v1/sync/pull", params=query, headers=signed), "server_older")
    for words in ({"epoch": MARKER}, {"received": 2**53 - 1}):
        problem = require_problem(await post(scene, as_bytes({**push, **words})), "server_restored")
        assert problem["details"]["received"] == before[-1]
    pulled = await post(scene, as_bytes({"received": 2**53 - 1}), "/v1/sync/pull")
    assert require_problem(pulled, "server_restored")["details"]["received"] == before[-1]
    assert await state(scene) == before


@pytest.mark.parametrize("headers", [{}, ZIPPED], ids=["plain", "gzip"])
async def test_a_push_cut_at_any_byte_applies_nothing(scene: Scene, headers: dict[str, str]) -> None:
    before, body = await state(scene), pushed(scene)
    whole = gzip.compress(body) if headers else body
    for length in range(len(whole)):
        require_problem(await post(scene, whole[:length], **headers), "bad_gzip" if headers else "bad_json")
    assert await state(scene) == before
    answer = await post(scene, whole, **headers)
    assert [o["outcome"] for o in answer.json()["outcomes"]] == ["applied"] * 3


async def test_a_phone_that_hangs_up_in_the_middle_has_sent_nothing(scene: Scene) -> None:
    before, body = await state(scene), pushed(scene)
    headers = {**bearer(scene.tokens["li"]), "Content-Type": "application/json", "Content-Length": str(len(body))}
    request = httpx.Request("POST", "http://test/v1/sync/push", headers=headers)
    scope = {"type": "http", "method": "POST", "path": "/v1/sync/push", "query_string": b"", "root_path": ""}
    scope |= {"http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("test", 80)}
    for length in range(0, len(body) + 1, 50):
        heard: list[Any] = [
            {"type": "http.request", "body": body[:length], "more_body": True},
            {"type": "http.disconnect"},
        ]
        answered: list[Any] = []

        async def receive(heard: list[Any] = heard) -> Any:
            return heard.pop(0) if len(heard) > 1 else heard[0]

        async def send(message: Any, answered: list[Any] = answered) -> None:
            answered.append(message)

        named = [(name.lower(), value) for name, value in request.headers.raw]
        await scene.world.app({**scope, "headers": named, "state": {}}, receive, send)
        assert not [m for m in answered if m.get("status", 0) >= 500 or m.get("status") == 200]
    assert await state(scene) == before
