"""Canonical JSON: one value has one spelling, and what can't travel is refused with a known code."""

import json

from pydantic import JsonValue

from app.bodies import require_depth
from app.problems import CATALOGUE, Problem
from sync.canonical import NotCanonical, canonical_json, record_hash, require_canonical

SEEDS = [
    '{"b":[1,-0,true,null,"字\\u0007\\ud83d\\ude00"],"a":{"":{}}}'.encode(),
    b'{"a":9007199254740991,"b":-9007199254740992,"c":1.0,"d":1e5,"e":NaN}',
    b'["\\u0000","\\ud800","\\u2028/\\/\x7f",[[[[]]]]]',
]
WORDS = [b"true", b"null", b"NaN", b"-0", b"1e9", b"9007199254740992", b"\\u0000", b"\\ud800", b"\xf0\x9f\x98\x80"]


def attempt(data: bytes) -> None:
    """Whatever Python takes for JSON, nested as deep as a body may be."""
    try:
        require_depth(data)
        value = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, Problem):
        return
    spelled = spelling_of(value)
    if isinstance(spelled, str):
        assert spelled in CATALOGUE
        return
    require_canonical(value)
    again = json.loads(spelled)
    assert again == value
    assert canonical_json(again) == spelled
    # Keys in another order are the same value.
    assert canonical_json(_turned(value)) == spelled
    hashes = {record_hash("visits", "1", 1, {"value": v}) for v in (value, again, _turned(value))}
    assert len(hashes) == 1
    assert 0 <= hashes.pop() < 2**48


def spelling_of(value: JsonValue) -> bytes | str:
    """Its bytes, or the code of why it can't travel."""
    try:
        return canonical_json(value)
    except NotCanonical as problem:
        return problem.code


def _turned(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_turned(item) for item in value]
    return {k: _turned(v) for k, v in reversed(value.items())} if isinstance(value, dict) else value
