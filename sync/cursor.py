"""A cursor: how far a replica has read in each feed, as opaque text only the server can make.

Layout before base64url: 1 byte version, 16 bytes of HMAC-SHA-256, 16 bytes server id, then per feed
in ascending order the varints (feed - previous feed, position, floor, tag), and a 0 where more pages
follow. The signature makes a cut or forged cursor recognisable; it hides nothing.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from uuid import UUID

VERSION = 1
_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Position:
    """How far one feed has been read."""

    seq: int = 0
    """Everything at or below it has been read."""
    floor: int = 0
    """While reading from the beginning: the head when that reading began. 0 otherwise."""
    tag: int = 0
    """The first mark's tag at or above max(seq, floor): proof of the past that was read. 0: none yet."""

    @property
    def proven(self) -> int:
        """The number whose mark the tag is, and which compaction must not have passed."""
        return max(self.seq, self.floor)


@dataclass(frozen=True, slots=True)
class Positions:
    """A decoded cursor."""

    server: UUID
    feeds: dict[int, Position] = field(default_factory=dict)
    complete: bool = True
    """Did a complete page end with it? What an incomplete one said is staged, and has had no effect yet."""


class BadCursor(ValueError):
    """Not a cursor of this server; `code` says how: cut, forged or of another server."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def encode(positions: Positions, key: bytes) -> str:
    """Opaque, URL-safe text."""
    body = bytearray(positions.server.bytes)
    previous = 0
    for feed, position in sorted(positions.feeds.items()):
        for number in (feed - previous, position.seq, position.floor, position.tag):
            _append_varint(body, number)
        previous = feed
    if not positions.complete:
        _append_varint(body, 0)
    signed = bytes([VERSION]) + _signature(bytes(body), key) + bytes(body)
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def decode(text: str, server: UUID, key: bytes) -> Positions:
    """The positions in `text`. Raises BadCursor: cursor_unreadable, cursor_foreign or cursor_forged."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor("cursor_unreadable") from None
    start = 1 + _SIGNATURE_BYTES
    if len(raw) < start + 16 or raw[0] != VERSION:
        raise BadCursor("cursor_unreadable")
    body = raw[start:]
    maker = UUID(bytes=body[:16])
    if maker != server:
        raise BadCursor("cursor_foreign")
    if not hmac.compare_digest(raw[1:start], _signature(body, key)):
        raise BadCursor("cursor_forged")
    numbers = _varints(body[16:])
    complete = len(numbers) % 4 == 0
    return Positions(server, _feeds_of(numbers if complete else numbers[:-1]), complete)


def _feeds_of(numbers: list[int]) -> dict[int, Position]:
    feeds: dict[int, Position] = {}
    feed = 0
    for step, seq, floor, tag in zip(*[iter(numbers)] * 4, strict=True):
        feed += step
        feeds[feed] = Position(seq, floor, tag)
    return feeds


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"cursor" + body, hashlib.sha256)[:_SIGNATURE_BYTES]


def _append_varint(body: bytearray, number: int) -> None:
    while number > 0x7F:
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)


def _varints(body: bytes) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in body:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number, shift = 0, 0
    return numbers
