"""Compressed answers: zstd or gzip, as the caller asks, by libraries quick enough to do it on every page."""

from functools import lru_cache

import zstandard
from fastapi import Request, Response
from isal import igzip

WORTH_BYTES = 1024
"""Below it a page fits in a packet or two anyway."""
JSON = "application/json"


def json_response(request: Request, body: bytes) -> Response:
    """The body in the encoding that `Accept-Encoding` likes best; as it is where that is none of ours."""
    headers = {"Vary": "Accept-Encoding"}
    encoding = encoding_for(request.headers.get("accept-encoding", "")) if len(body) >= WORTH_BYTES else None
    if encoding == "zstd":
        body = zstandard.ZstdCompressor(level=1).compress(body)
    elif encoding == "gzip":
        body = igzip.compress(body, compresslevel=2, mtime=0)
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(body, headers=headers, media_type=JSON)


@lru_cache(maxsize=256)
def encoding_for(accepted: str) -> str | None:
    """`zstd`, `gzip` or None, by RFC 9110's quality values; of equals zstd, which is smaller and quicker."""
    weights = dict(_weighed(part) for part in accepted.lower().split(",") if part.strip())
    anything = weights.get("*", 0.0)
    liked = [(weights.get(name, anything), name) for name in ("gzip", "zstd")]
    best, name = max(liked)
    return name if best > 0 and best >= weights.get("identity", 0.0) else None


def _weighed(part: str) -> tuple[str, float]:
    name, _, weight = part.partition(";")
    try:
        return name.strip(), float(weight.replace(" ", "").removeprefix("q=")) if weight else 1.0
    except ValueError:
        return name.strip(), 0.0
