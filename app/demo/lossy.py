"""A bad network on loopback: a TCP proxy that loses answers, delivers requests twice, or lets a phone wait."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import Process
from collections import Counter, deque
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

from app.demo.processes import HOST

Fate = Literal["pass", "lose", "twice", "hold"]
"""lose: the server works, its answer never arrives. twice: the request arrives two times. hold: the answer
waits until the phone is gone."""


class LossyNetwork:
    """Between phones and the server of one port. What befalls the next syncs is written in `fates`."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.fates: deque[Fate] = deque()
        self.befell: Counter[Fate] = Counter()
        self._holds = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(self._carry, HOST, 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()

    @property
    def url(self) -> str:
        """What a phone takes for its server."""
        port = self._listening.sockets[0].getsockname()[1]
        return f"http://{HOST}:{port}"

    async def is_holding(self, phone: Process) -> bool:
        """Once an answer is being held back; False where the phone ends before."""
        held, ended = asyncio.ensure_future(self._holds.wait()), asyncio.ensure_future(phone.wait())
        await asyncio.wait((held, ended), return_when=asyncio.FIRST_COMPLETED)
        held.cancel()
        ended.cancel()
        return self._holds.is_set()

    async def _carry(self, phone: StreamReader, back: StreamWriter) -> None:
        """One connection is one request: the server closes behind its answer, and so do we."""
        with suppress(OSError, EOFError):
            await self._answer(await _request_from(phone), phone, back)
        back.close()

    async def _answer(self, request: bytes, phone: StreamReader, back: StreamWriter) -> None:
        fate: Fate = self.fates.popleft() if self.fates and _is_sync(request) else "pass"
        self.befell[fate] += 1
        answer = await self._ask(request)
        if fate == "twice":
            answer = await self._ask(request)
        if fate == "hold":
            self._holds.set()
            await phone.read()
        if fate in ("lose", "hold"):
            back.transport.abort()
            return
        back.write(answer)
        await back.drain()

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, self._server_port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


async def _request_from(phone: StreamReader) -> bytes:
    """One whole request, made to be the last of its connection; EOFError when the phone has hung up."""
    head = await phone.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    body = await phone.readexactly(int(length[1])) if length else b""
    return re.sub(rb"(?i)\r\nconnection: *[^\r]*", b"\r\nConnection: close", head) + body


def _is_sync(request: bytes) -> bool:
    return request.startswith(b"POST /v1/sync")
