"""Ids that the same words always give, and that nobody else can make or guess back."""

import hashlib
import hmac
from functools import lru_cache
from uuid import UUID


@lru_cache(maxsize=4096)
def keyed_id(key: bytes, *parts: object) -> UUID:
    """A UUID of version 4, as random as the key is secret."""
    said = "\x1f".join(str(part) for part in parts)
    return UUID(bytes=hmac.digest(key, said.encode(), hashlib.sha256)[:16], version=4)
