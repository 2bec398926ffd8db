"""Canonical JSON, and the hashes and digests made of it.

One value has one spelling, the one that `JSON.stringify` of an object with sorted keys gives, so
that a phone in JavaScript and a server in Python hash the same bytes.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from json.encoder import encode_basestring

from pydantic import JsonValue

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that a JavaScript number holds exactly."""
DIGEST_MODULUS = 2**48
_KEY = re.compile(r"[a-z0-9_]+\Z")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False)


class NotCanonical(ValueError):
    """The value can't travel; `code` names why: a stable word for a problem."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def canonical_json(value: JsonValue) -> bytes:
    """The one spelling of `value`, in UTF-8: sorted keys, no spaces, no floats.

    Raises NotCanonical for a float, an integer beyond ±(2⁵³-1), a lone surrogate, NUL, or a key
    outside `[a-z0-9_]+`.
    """
    require_canonical(value)
    return spelled(value)


def require_canonical(value: JsonValue) -> None:
    """Raises NotCanonical where canonical_json would."""
    if isinstance(value, str):
        if not value.isascii() or "\0" in value:
            _require_text(value)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise NotCanonical("integer_too_large")
    elif isinstance(value, float):
        raise NotCanonical("number_not_whole")
    elif isinstance(value, list):
        for item in value:
            require_canonical(item)
    else:
        for key, item in value.items():
            if not _is_key(key):
                raise NotCanonical("key_not_allowed")
            require_canonical(item)


def spelled(value: JsonValue) -> bytes:
    """The spelling of what is known to be canonical, because it was checked when it arrived."""
    return _ENCODER.encode(value).encode()


def record_hash(collection: str, record: str, rev: int, fields: dict[str, JsonValue]) -> int:
    """The first 48 bits of SHA-256 of canonical {collection, record, rev, fields}: exact in JavaScript."""
    return spelled_record_hash(collection, record, rev, spelled(fields))


def spelled_record_hash(collection: str, record: str, rev: int, fields: bytes) -> int:
    """The record's hash where the canonical spelling of its fields is at hand."""
    names = encode_basestring(collection).encode(), encode_basestring(record).encode()
    whole = b'{"collection":%b,"fields":%b,"record":%b,"rev":%d}' % (names[0], fields, names[1], rev)
    return int.from_bytes(hashlib.sha256(whole).digest()[:6], "big")


def digest(hashes: Iterable[int]) -> int:
    """A feed's digest: the sum of its live entries' hashes mod 2⁴⁸. Order and history don't matter."""
    return sum(hashes) % DIGEST_MODULUS


@lru_cache(maxsize=4096)
def _is_key(key: str) -> bool:
    return _KEY.match(key) is not None


def _require_text(text: str) -> None:
    if "\0" in text:
        raise NotCanonical("nul_in_text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotCanonical("lone_surrogate") from None
