"""Request bodies: bounded before anything looks into them, inflated with a bound, then parsed."""

import re
import zlib

from fastapi import Request

from app.bounds import declared_bytes
from app.problems import Problem
from sync.wire import MOST_PUSH_BYTES

MOST_DEPTH = 16
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_ALL_BUT_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))


async def read_json_body(request: Request, most_bytes: int = MOST_PUSH_BYTES) -> bytes:
    """The body's bytes, at most `most_bytes` after inflation, nested at most 16 deep.

    Raises wrong_content_type, body_too_large (with the limit), bad_gzip, too_deep.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Problem("wrong_content_type")
    if (declared_bytes(request.scope) or 0) > most_bytes:
        # Before a byte is read.
        raise Problem("body_too_large", most_bytes=most_bytes)
    raw = await _bounded(request, most_bytes)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "gzip":
        raw = _inflated(raw, most_bytes)
    elif encoding not in ("identity", ""):
        raise Problem("wrong_content_type")
    require_depth(raw)
    return raw


async def _bounded(request: Request, most_bytes: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            raise Problem("body_too_large", most_bytes=most_bytes)
    return bytes(body)


def _inflated(raw: bytes, most_bytes: int) -> bytes:
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        body = inflater.decompress(raw, most_bytes + 1)
    except zlib.error:
        raise Problem("bad_gzip") from None
    if len(body) > most_bytes:
        raise Problem("body_too_large", most_bytes=most_bytes)
    if not inflater.eof or inflater.unused_data:
        raise Problem("bad_gzip")
    return body


def require_depth(body: bytes) -> None:
    """Raises too_deep before a recursive parser could be hurt by the body."""
    depth = 0
    whole = _ESCAPE.sub(b"", body) if b"\\" in body else body
    # Between quotes is text, and every other piece is between them.
    for bracket in b"".join(whole.translate(None, _ALL_BUT_STRUCTURE).split(b'"')[::2]):
        depth += 1 if bracket in b"[{" else -1
        if depth > MOST_DEPTH:
            raise Problem("too_deep", most_depth=MOST_DEPTH)
