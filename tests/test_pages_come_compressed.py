"""A page is compressed as its caller asks, and is the same page."""

import gzip
import json
from collections.abc import Callable

import pytest
import zstandard

from app.compression import WORTH_BYTES, encoding_for
from app.context import Context
from tests.raw_phone import phone_of
from tests.world import NEW_ID, bearer, household, mutation, new_world

DECODERS: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.decompress,
    "zstd": zstandard.ZstdDecompressor().decompress,
}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.8", "gzip"),
        ("GZIP ; q=1", "gzip"),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("*", "zstd"),
        ("*;q=0.1, zstd;q=0", "gzip"),
        ("br", None),
        ("gzip;q=much", None),
        (",,;=", None),
    ],
)
async def test_a_page_has_the_encoding_its_caller_likes_best(accepted: str, encoding: str | None) -> None:
    assert encoding_for(accepted) == encoding


async def test_a_compressed_page_is_the_same_page(context: Context) -> None:
    world = await new_world(context)
    phone = await phone_of(world, "li")
    doors = [mutation(world, "households", NEW_ID(), fields=household(world, str(n))) for n in range(40)]
    await phone.push(*doors)
    headers = bearer(await world.phone_token("li"))
    pages = {}
    for encoding, decode in DECODERS.items():
        asked = {**headers, "Accept-Encoding": encoding or "identity"}
        async with world.http.stream("POST", "/v1/sync/pull", json={}, headers=asked) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
        assert (answer.status_code, answer.headers.get("content-encoding")) == (200, encoding)
        assert answer.headers["vary"] == "Accept-Encoding"
        page = json.loads(decode(raw))
        pages[encoding] = page["changes"], page["digests"]
        assert encoding is None or len(raw) < len(decode(raw)) / 3
    assert pages["gzip"] == pages["zstd"] == pages[None]


async def test_what_fits_in_a_packet_is_left_alone(context: Context) -> None:
    world = await new_world(context)
    await world.add_person("li")
    headers = {**bearer(await world.phone_token("li")), "Accept-Encoding": "gzip"}
    cursor = (await world.http.post("/v1/sync/pull", json={}, headers=headers)).json()["cursor"]
    answer = await world.http.post("/v1/sync/pull", json={"cursor": cursor}, headers=headers)
    assert "content-encoding" not in answer.headers
    assert len(answer.content) < 100 < WORTH_BYTES
