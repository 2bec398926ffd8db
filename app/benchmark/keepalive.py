"""A lean HTTP/1.1 client that keeps its connection: the load generator shares its cores with what it measures.

Requests are bytes made before the clock starts; answers stay the bytes that travelled, compressed or not.
"""

import asyncio
import gzip
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.demo.processes import HOST
from sync.client import SMALLEST_GZIP_BYTES
from sync.wire import Wire

READ_AHEAD_BYTES = 2 * 1024 * 1024


class BadAnswer(Exception):
    """The server answered what no measurement can be made of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it travelled."""

    status: int
    encoding: str
    body: bytes
    retry_after_seconds: float | None

    def expected(self, status: int = 200) -> "Answer":
        """Itself; raises BadAnswer with status and problem code where another status was wanted."""
        if self.status != status:
            raise BadAnswer(f"{self.status}: {self.body[:300].decode(errors='replace')}")
        return self


def as_request(path: str, token: str, words: Wire | None = None, *, accept_encoding: str | None = None) -> bytes:
    """A whole request: a POST of these words, spelled and compressed as a phone does, or a GET without."""
    head = [
        f"{'GET' if words is None else 'POST'} {path} HTTP/1.1",
        f"Host: {HOST}",
        f"Authorization: Bearer {token}",
    ]
    body = b""
    if accept_encoding:
        head.append(f"Accept-Encoding: {accept_encoding}")
    if words is not None:
        body = words.model_dump_json(exclude_unset=True).encode()
        if len(body) > SMALLEST_GZIP_BYTES:
            body = gzip.compress(body, mtime=0)
            head.append("Content-Encoding: gzip")
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class KeepAlive:
    """One connection; one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def ask(self, request: bytes) -> Answer:
        """Sends the bytes and reads one answer. Raises BadAnswer where none comes.

        A server may close a connection between two requests, and a phone then opens another; so do we, once.
        """
        try:
            return await self._ask(request)
        except _Closed:
            self._writer.close()
            await self._open()
        try:
            return await self._ask(request)
        except _Closed as closed:
            raise BadAnswer("the server closes every connection") from closed

    async def _open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(HOST, self._port, limit=READ_AHEAD_BYTES)

    async def _ask(self, request: bytes) -> Answer:
        self._writer.write(request)
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        except ConnectionError as error:
            raise _Closed from error
        except asyncio.IncompleteReadError as cut:
            raise _Closed if not cut.partial else BadAnswer("half an answer") from cut
        if _header(head, b"transfer-encoding"):
            raise BadAnswer("an answer without its length")
        length = int(_header(head, b"content-length") or 0)
        try:
            body = await self._reader.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError) as cut:
            raise BadAnswer("half an answer") from cut
        wait = _header(head, b"retry-after")
        encoding = (_header(head, b"content-encoding") or b"").decode()
        return Answer(int(head[9:12]), encoding, body, float(wait) if wait else None)


class _Closed(Exception):
    """Before a byte of an answer."""


def _header(head: bytes, name: bytes) -> bytes | None:
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    at += len(name) + 3
    return head[at : head.index(b"\r\n", at)].strip()
