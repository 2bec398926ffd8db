"""Canonical JSON, and the hashes and digests made of it.

One value has one spelling, the one that `JSON.stringify` of an object with sorted keys gives, so
that a phone in JavaScript and a server in Python hash the same bytes.
"""

import hashlib
import json
import re
from collections.abc import Iterable

from pydantic import JsonValue

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that a JavaScript number holds exactly."""
DIGEST_MODULUS = 2**48
_KEY = re.compile(r"[a-z0-9_]+\Z")


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
    return _spell(value)


def require_canonical(value: JsonValue) -> None:
    """Raises NotCanonical where canonical_json would."""
    if isinstance(value, str):
        _require_text(value)
    elif isinstance(value, float):
        raise NotCanonical("number_not_whole")
    elif isinstance(value, int):
        if not isinstance(value, bool) and abs(value) > LARGEST_INTEGER:
            raise NotCanonical("integer_too_large")
    elif isinstance(value, list):
        for item in value:
            require_canonical(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not _KEY.match(key):
                raise NotCanonical("key_not_allowed")
            require_canonical(item)


def record_hash(collection: str, record: str, rev: int, fields: dict[str, JsonValue]) -> int:
    """The first 48 bits of SHA-256 of canonical {collection, record, rev, fields}: exact in JavaScript."""
    spelled = _spell({"collection": collection, "record": record, "rev": rev, "fields": fields})
    return int.from_bytes(hashlib.sha256(spelled).digest()[:6], "big")


def digest(hashes: Iterable[int]) -> int:
    """A feed's digest: the sum of its live entries' hashes mod 2⁴⁸. Order and history don't matter."""
    return sum(hashes) % DIGEST_MODULUS


def _spell(value: JsonValue) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _require_text(text: str) -> None:
    if "\0" in text:
        raise NotCanonical("nul_in_text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotCanonical("lone_surrogate") from None
