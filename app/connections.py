"""A connection as uvicorn's httptools serves it, with what that leaves out: no request may begin for ever.

uvicorn has no time limit for the head of a request (address and headers), none for what of a body comes
after its answer, and no bound for a head's bytes. What it can't read it answers in plain words of its own.
"""

from asyncio import BaseTransport, TimerHandle
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.bounds import MOST_HEAD_BYTES
from app.headers import lines_for
from app.problems import Problem

MOST_HEAD_SECONDS = 15
MOST_REST_SECONDS = 15
"""For the rest of a body that nobody waits for any more."""


class BoundedConnection(HttpToolsProtocol):
    """Between two requests uvicorn's own `timeout_keep_alive` holds; while a body is awaited, bounds.py."""

    _timer: TimerHandle | None = None
    _in_head = _message_ended = True
    _head_bytes = 0

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Any, transport))
        self._start_timer(MOST_HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            # A head that comes in one piece is measured by bounds.py.
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._refuse("head_too_large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._message_ended, self._head_bytes = True, False, 0
        if self._timer is None:
            self._start_timer(MOST_HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._message_ended = True
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._message_ended and self._timer is None:
            self._start_timer(MOST_REST_SECONDS)

    def shutdown(self) -> None:
        """Whoever waits for news is answered now: a server that stops waits for its answers."""
        super().shutdown()
        self.app_state["stop_waiting"]()

    def send_400_response(self, msg: str) -> None:
        """In place of uvicorn's plain words: a problem, as every other refusal."""
        self._refuse("bad_http")

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._is_answering():
            # A second request was begun before the first was answered: that answer still goes out.
            self._start_timer(MOST_HEAD_SECONDS)
        else:
            self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, code: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(_as_bytes(Problem(code)))
            self.transport.close()


def _as_bytes(problem: Problem) -> bytes:
    response = problem.as_response()
    lines = [*response.raw_headers, *lines_for("/", "http"), (b"connection", b"close")]
    head = dict(reversed(lines))
    written = b"".join(b"%s: %s\r\n" % line for line in head.items())
    return STATUS_LINE[response.status_code] + written + b"\r\n" + bytes(response.body)
