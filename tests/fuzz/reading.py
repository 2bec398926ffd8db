"""The tolerant reader of a push: any bytes give an envelope or a problem, and nobody's flaw is a neighbour's.

Whatever stands beside a mutation, it is read the same: the same bytes, the same parsed mutation, the
same flaw. A reader that goes another way for well-formed bodies can therefore not read anything else.
"""

import json
from dataclasses import asdict
from typing import Any

from app.bodies import require_depth
from app.incoming import Arrived, as_model, read_envelope, read_value
from app.problems import Problem
from app.push import as_json
from sync.wire import Outcome, PullBody, PushAnswer, PushBody, SyncBody

_ID = "0192f0c0-0000-7000-8000-0000000000%02d"
_WHOLE = {
    "id": _ID % 1,
    "collection": "households",
    "record": _ID % 2,
    "home": _ID % 3,
    "op": "update",
    "base": 3,
    "after": _ID % 4,
    "fields": {"note": "敲门。", "tags": {"add": ["old"], "remove": []}, "floor": 3},
    "made_at": "2026-01-01T08:00:00+08:00",
    "epoch": "e",
    "seen": [{"collection": "areas", "record": _ID % 5, "home": _ID % 3, "rev": 1, "fields": {"name": "\U0001f6aa"}}],
}
_SHORT = {word: _WHOLE[word] for word in ("id", "collection", "record", "op", "made_at")}
_ENVELOPE = {"protocol": 1, "epoch": "e", "home": _ID % 3, "received": 5, "limit": 7, "cursor": "c", "reread": [1]}
GOOD = [json.dumps(m, ensure_ascii=escaped).encode() for m in (_WHOLE, _SHORT) for escaped in (True, False)]
FLAWED = [b'{"a":NaN}', rb'"\u0000"', b'"\xff"']
"""The second makes every text of the body suspect, the third the body no UTF-8 at all."""
SEEDS = [b"m" + good for good in GOOD]
_NASTY = [
    b"1.0",
    b"1e3",
    b"1.5",
    b"-0",
    b"-0.0",
    b"9007199254740993",
    b"-9007199254740992",
    b"1e999",
    b"NaN",
    b"9" * 20,
]
_NASTY += [
    rb'"\u0000"',
    rb'"\ud800"',
    rb'"\ud83d\ude00"',
    b'"\0"',
    b'"\t"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'{"A b":1}',
    b"[[[[]]]]",
]
SEEDS += [b"m" + GOOD[1].replace(b'"floor": 3', b'"floor": ' + nasty) for nasty in _NASTY]
SEEDS += [b"m" + GOOD[1].replace(b'"base": 3', b'"base": ' + nasty) for nasty in _NASTY]
SEEDS += [b'm"a\tb"', b'm{"id":"\xff\xed\xa0\x80"}', b'm{"id":"\\ud800\\u0000"}', b'm{"a":1,"a":2}', b"m[[[[]]]]"]
SEEDS += [b"e" + json.dumps(_ENVELOPE).encode()[1:-1], b'e"sent_at":"2026-01-01T08:00:00Z","outbox":{"depth":1}']
SEEDS += [b"b" + json.dumps({**_ENVELOPE, "push": {"mutations": [_WHOLE, _SHORT]}}).encode(), b"b\xef\xbb\xbf{}"]
_TEXTS = [*_WHOLE, *_ENVELOPE, "push", "mutations", "sent_at", "outbox", "depth", "oldest_at", "create", "delete"]
_TEXTS += ["NaN", "1e999", "-0.0", "9007199254740993", "null", "true", "0001-01-01T00:00:00+23:59", "},{", "],", "/**/"]
WORDS = [text.encode() for text in _TEXTS]
WORDS += [b"\\u0000", b"\\ud800", b"\\udc00", b"\xed\xa0\x80", b"\xff", b"\0", b"\xef\xbb\xbf"]

Read = str | tuple[dict[str, Any], list[Arrived]]


def attempt(data: bytes) -> None:
    """The first byte says where the rest stands: as one more mutation, in the envelope, or as the body."""
    way, rest = data[:1], data[1:]
    if way == b"m":
        require_neighbours_unharmed(rest)
    elif way == b"e":
        require_one_envelope(rest)
    else:
        require_answered(rest)
        require_value(rest)


def require_neighbours_unharmed(fuzz: bytes) -> None:
    """Alone, among good mutations and beside a flawed one it is read alike, and so are they."""
    alone, among = read(body_of(fuzz)), read(body_of(*GOOD, fuzz, *GOOD))
    beside = [read(body_of(flawed, fuzz)) for flawed in FLAWED]
    if isinstance(alone, str):
        # Not JSON at all, or too deep: then nothing of the body can be told apart.
        assert all(isinstance(each, str) for each in (among, *beside))
        assert alone == "too_deep" or not is_one_value(fuzz)
        return
    if not is_one_value(fuzz):
        return  # it closes the list and goes on by itself
    assert len(alone[1]) == 1
    require_usable(alone[1][0])
    assert alone[1][0].raw.strip() == fuzz.strip(b" \t\n\r")
    assert not isinstance(among, str)
    assert among[1] == [*EXPECTED, *alone[1], *EXPECTED]
    for each in beside:
        assert not isinstance(each, str)
        assert each[1][1:] == alone[1]


def require_one_envelope(fuzz: bytes) -> None:
    """What stands around the mutations is read alike, be they good or flawed."""
    bodies = (b'{"mutations":[%s],%s}' % (mutation, fuzz) for mutation in (GOOD[0], *FLAWED))
    good, *others = (read(body) for body in bodies)
    for flawed in others:
        if isinstance(good, str) or isinstance(flawed, str):
            assert good == flawed
        else:
            assert spelled(good[0]) == spelled(flawed[0])
    if not isinstance(good, str):
        require_models(good[0])


def require_answered(body: bytes) -> None:
    """Any bytes at all."""
    found = read(body)
    if not isinstance(found, str):
        for arrived in found[1]:
            require_usable(arrived)
        require_models(found[0])


def require_usable(arrived: Arrived) -> None:
    """What the write path asks of every mutation, flawed or not."""
    assert arrived.content() == arrived.content()
    assert (arrived.flaw is None) <= (arrived.mutation is not None)
    problem = Problem(arrived.flaw, errors=arrived.errors).as_body() if arrived.flaw else None
    outcome = Outcome(id=arrived.sent_id, outcome="refused", problem=problem)
    json.loads(as_json(PushAnswer(outcomes=[outcome], received=1, epoch="e", server_time="2026-01-01T00:00:00Z")))
    if arrived.flaw is None:
        # Spelled by ourselves it is the same content.
        again = read(body_of(json.dumps(json.loads(arrived.raw)).encode()))
        assert not isinstance(again, str)
        assert again[1][0].content() == arrived.content()


def require_models(envelope: dict[str, Any]) -> None:
    """Each address finds its words in the envelope, or says where they are wrong."""
    for model in (PushBody, PullBody, SyncBody):
        try:
            as_model(model, {**envelope, "mutations": []})
        except Problem as problem:
            answer = json.loads(problem.as_response().body)
        else:
            continue
        assert answer["code"] == "bad_request"
        assert answer["errors"]


def require_value(body: bytes) -> None:
    """A body of one value is read as Python reads it, or refused."""
    try:
        require_depth(body)
        value = read_value(body)
    except Problem as problem:
        problem.as_response()
        return
    assert value == json.loads(body.decode("utf-8", "surrogateescape"), strict=False)


def read(body: bytes) -> Read:
    """As the push does; the code of a problem."""
    try:
        require_depth(body)
        envelope, arrived = read_envelope(body)
    except Problem as problem:
        code = problem.code
    else:
        return envelope, arrived
    assert code in ("bad_json", "too_deep", "too_many_mutations")
    return code


def body_of(*mutations: bytes) -> bytes:
    return b'{"protocol":1,"mutations":[%s]}' % b",".join(mutations)


def is_one_value(fuzz: bytes) -> bool:
    """By Python's own reader, which takes a raw control character in a text as ours does."""
    try:
        json.loads(fuzz.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        # A number too long for Python's int is one value all the same.
        return False
    return not fuzz.startswith(b"\xef\xbb\xbf")


def spelled(envelope: dict[str, Any]) -> str:
    """With types told apart: 1, 1.0 and true are equal to Python."""
    return json.dumps(envelope)


_expected = read(body_of(*GOOD))
assert not isinstance(_expected, str)
EXPECTED = _expected[1]
assert all(arrived.flaw is None for arrived in EXPECTED), [asdict(arrived) for arrived in EXPECTED]
