"""F8: whoever begins a request and doesn't go on loses the connection; whoever is being answered keeps it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from app.bounds import MOST_HEAD_BYTES
from app.connections import MOST_HEAD_SECONDS, MOST_REST_SECONDS, BoundedConnection

KEEP_ALIVE_SECONDS = 75
HEAD = b"POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n"


class Timer:
    """What call_later gives; the test lets it ring."""

    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self.seconds, self.ring, self.cancelled = seconds, ring, False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Wire:
    """A connection without a network, on a loop whose clock stands still."""

    written: bytes = b""
    closed: bool = False
    timers: list[Timer] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"http": BoundedConnection, "timeout_keep_alive": KEEP_ALIVE_SECONDS}
        config = uvicorn.Config(self.app, interface="asgi3", log_config=None, **options)
        self.connection = BoundedConnection(config, ServerState(), {}, _loop=self)  # type: ignore[arg-type]
        self.create_task = loop.create_task
        self.connection.connection_made(self)  # type: ignore[arg-type]

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers, without a look at the body, as soon as it may."""
        if scope["type"] == "http":
            await self.answering.wait()
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})

    def call_later(self, seconds: float, ring: Callable[[], None]) -> Timer:
        self.timers.append(Timer(seconds, ring))
        return self.timers[-1]

    @property
    def running(self) -> list[float]:
        """Seconds of the timers that may still ring."""
        return [timer.seconds for timer in self.timers if not timer.cancelled]

    def ring(self) -> None:
        (timer,) = [timer for timer in self.timers if not timer.cancelled]
        timer.cancel()
        timer.ring()

    async def send(self, data: bytes) -> None:
        self.connection.data_received(data)
        for _ in range(5):
            await asyncio.sleep(0)

    # as a transport
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@pytest.fixture
async def wire() -> Wire:
    return Wire()


async def test_a_head_has_its_time_however_it_drips(wire: Wire) -> None:
    assert wire.running == [MOST_HEAD_SECONDS]
    for byte in HEAD:
        await wire.send(bytes([byte]))
    assert wire.running == [MOST_HEAD_SECONDS]
    wire.ring()
    assert wire.closed


async def test_the_second_head_has_no_more(wire: Wire) -> None:
    wire.answering.set()
    await wire.send(HEAD + b"\r\n" + b"x" * 10)
    assert wire.running == [KEEP_ALIVE_SECONDS]
    await wire.send(HEAD)
    assert wire.running == [MOST_HEAD_SECONDS]
    wire.ring()
    assert wire.closed


async def test_nobody_who_is_being_answered_is_hung_up_on(wire: Wire) -> None:
    await wire.send(HEAD + b"\r\n" + b"x" * 10)
    assert wire.running == []
    await wire.send(HEAD)
    wire.ring()
    assert not wire.closed
    wire.answering.set()
    await wire.send(b"")
    assert wire.written.startswith(b"HTTP/1.1 200")
    assert wire.running == [MOST_HEAD_SECONDS, KEEP_ALIVE_SECONDS]


async def test_what_is_left_of_an_answered_body_has_its_time(wire: Wire) -> None:
    wire.answering.set()
    await wire.send(HEAD + b"\r\n")
    assert wire.running == [KEEP_ALIVE_SECONDS, MOST_REST_SECONDS]
    await wire.send(b"x")
    assert wire.running == [MOST_REST_SECONDS]
    await wire.send(b"x" * 9)
    assert wire.running == []


async def test_a_head_without_end_is_not_kept_in_memory(wire: Wire) -> None:
    await wire.send(b"GET /x HTTP/1.1\r\n")
    for _ in range(MOST_HEAD_BYTES // 1000 + 1):
        assert not wire.closed
        await wire.send(b"A: " + b"b" * 1000 + b"\r\n")
    assert wire.written.startswith(b"HTTP/1.1 431")
    assert wire.closed


async def test_a_lost_connection_leaves_no_timer(wire: Wire) -> None:
    await wire.send(HEAD)
    wire.connection.connection_lost(None)
    assert wire.running == []
