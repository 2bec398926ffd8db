"""Packed bodies: what a compressor packed comes out whole, all else is refused, nothing grows beyond its bound."""

import gzip
import zlib
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request

from app.bodies import read_json_body
from app.problems import Problem

MOST_BYTES = 2000
CODINGS = [b"gzip", b"GZIP ", b"identity", b"", b"zstd", b"br", b"deflate", b"gzip, gzip", b"x-gzip", b"\xff"]
SEEDS = [
    b"p\x00\x00" + b'{"a":"b"}' * 3,
    b"r\x00\x00" + gzip.compress(b'{"a":"b"}'),
    b"r\x00\x03" + gzip.compress(b"x" * MOST_BYTES + b"y"),
    b"r\x00\x03" + gzip.compress(b"1") * 2,
    b"r\x00\x00" + zlib.compress(b"1"),
    b"d\x00\x05" + b"[" * 20,
    b"r\x04\x00" + bytes.fromhex("28b52ffd04000900007b7d"),
]
WORDS = [b"\x1f\x8b\x08\x00", b"\x1f\x8b\x08\x1f", b"\x28\xb5\x2f\xfd", b"[[[[[[[[[", b"\x00\x00\xff\xff"]
CODES = {"bad_gzip", "body_too_large", "too_deep", "wrong_content_type"}


def attempt(data: bytes) -> None:
    """Two bytes say which coding is claimed and how it is cut in pieces; the first whether it is packed by us."""
    way, coding, cut, rest = data[:1], data[1:2], data[2:3], data[3:]
    if way == b"p":
        require_whole(rest, pieces(gzip.compress(rest, (cut or b"\0")[0] % 10), cut))
    elif way == b"d":
        packed = gzip.compress(rest)
        at = (cut or b"\0")[0] % len(packed)
        require_honest(b"gzip", [packed[:at], packed[at + 1 :]])
    else:
        require_honest(CODINGS[(coding or b"\0")[0] % len(CODINGS)], pieces(rest, cut))


def require_whole(body: bytes, packed: list[bytes]) -> None:
    """Packed by a compressor: what went in, or the reason why that is too much."""
    assert read(b"gzip", packed) == (body if len(body) <= MOST_BYTES else "body_too_large") or is_deep(body)


def require_honest(coding: bytes, parts: list[bytes]) -> None:
    """Taken only as zlib reads it: one whole member and nothing after it."""
    found = read(coding, parts)
    if isinstance(found, str):
        assert found in CODES
        return
    assert len(found) <= MOST_BYTES
    if coding.strip().lower() == b"gzip":
        inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        assert found == inflater.decompress(b"".join(parts))
        assert inflater.eof
        assert not inflater.unused_data
    elif coding in (b"identity", b""):
        assert found == b"".join(parts)


def read(coding: bytes, parts: list[bytes]) -> bytes | str:
    """What the server makes of a body that comes in parts; the code of a problem."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    heard = iter(messages)

    async def receive() -> Any:
        return next(heard)

    headers = [(b"content-type", b"application/json"), (b"content-encoding", coding)]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)
    try:
        return finished(read_json_body(request, MOST_BYTES))
    except Problem as problem:
        return problem.code


def finished(work: Coroutine[Any, Any, bytes]) -> bytes:
    """Its result, without a loop: everything it waits for is there already."""
    try:
        work.send(None)
    except StopIteration as done:
        return bytes(done.value)
    raise AssertionError("it waits for something")


def pieces(raw: bytes, cut: bytes) -> list[bytes]:
    size = (cut or b"\0")[0] % 16 * 7 or len(raw) or 1
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def is_deep(body: bytes) -> bool:
    return body.count(b"[") + body.count(b"{") > 16
