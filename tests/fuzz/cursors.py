"""Cursors: whatever comes as one is read as it was made, or refused with a known code."""

from uuid import UUID

from sync.cursor import BadCursor, Position, Positions, decode, encode

SERVER = UUID("0192f0c0-0000-7000-8000-0000000000ff")
KEY = b"a key for tests only"
CODES = {"cursor_unreadable", "cursor_foreign", "cursor_forged"}
_REAL = encode(Positions(SERVER, {1: Position(5, 0, 7), 300: Position(2, 70_000, 2**32 - 1)}), KEY)
SEEDS = [b"\0" + bytes(range(64)), b"\1" + b"\x05", b"\2" + _REAL.encode(), b"\3\x10\x03\xff", b"\4abc"]
WORDS = [_REAL.encode(), b"=", b"-_"]


def attempt(data: bytes) -> None:
    """The first byte says how a cursor is made of the rest."""
    way, rest = data[:1], data[1:]
    if way == b"\0":
        require_kept(rest)
    elif way == b"\1":
        require_known(_damaged(rest))
    elif way == b"\2":
        require_known(rest.decode("utf-8", "surrogateescape"))
    else:
        require_known(data.decode("latin-1"))


def require_kept(data: bytes) -> None:
    """What is made is read again, here alone and with this key alone."""
    made = Positions(SERVER, _feeds(data), complete=len(data) % 2 == 0)
    text = encode(made, KEY)
    assert read(text) == made
    for server, key, code in ((UUID(int=1), KEY, "cursor_foreign"), (SERVER, b"another", "cursor_forged")):
        assert read(text, server, key) == code


def require_known(text: str) -> None:
    """Either exactly the cursor that was signed, or BadCursor."""
    found = read(text)
    # The last character of base64 carries spare bits, so the text may differ; what it says may not.
    assert found in CODES if isinstance(found, str) else encode(found, KEY) == _REAL


def read(text: str, server: UUID = SERVER, key: bytes = KEY) -> Positions | str:
    """The positions, or the code of what is wrong. Nothing but BadCursor may be raised."""
    try:
        return decode(text, server, key)
    except BadCursor as bad:
        return bad.code


def _feeds(data: bytes) -> dict[int, Position]:
    """Four numbers a feed, each of up to eight bytes, as the data says."""
    numbers, at = [], 0
    while at < len(data):
        width = data[at] % 8 + 1
        numbers.append(int.from_bytes(data[at + 1 : at + 1 + width], "big"))
        at += 1 + width
    return {feed: Position(seq, floor, tag) for feed, seq, floor, tag in zip(*[iter(numbers)] * 4, strict=False)}


def _damaged(data: bytes) -> str:
    """The real one with pieces cut out, changed and put in."""
    text = _REAL
    for at, cut, width in zip(*[iter(data[: len(data) // 4 * 3])] * 3, strict=False):
        text = text[:at] + data[-(width % 8) :].decode("latin-1") * (width % 3) + text[at + cut % 16 :]
    return text
