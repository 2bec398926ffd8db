"""What a request may weigh and how long it may take to arrive, whatever route it is for.

A route that reads its body itself sets a smaller limit (bodies.py).
"""

from contextlib import suppress

from fastapi.security.utils import get_authorization_scheme_param
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.admission import stepping_aside
from app.context import Context
from app.identity.tokens import claims_of
from app.languages import language_of
from app.logs import note_problem
from app.problems import Problem

MOST_BODY_BYTES = 1024 * 1024
MOST_BODY_BYTES_AT = {"/v1/auth/token": 16 * 1024}
"""Whoever signs in isn't known yet."""
MOST_FILE_BYTES_AT = {"/v1/imports": 16 * 1024 * 1024}
"""Of a body that goes to disk while it comes; it may be so large for those who show a token of ours."""
MOST_HEAD_BYTES = 64 * 1024
"""Of the address and the headers together."""
MOST_BODY_SECONDS = 30
"""For a body that may be larger, as many times longer."""
AT_ONCE_SECONDS = 0.1
"""A body that takes longer is waited for without a place among those who work."""


class Cut(HTTPException):
    """A problem that the framework lets through while it reads a body."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.http_status)
        self.problem = problem


class Bounds:
    """Refuses by what the headers say before a byte of the body is read; else bounds it while it comes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = ArrivingBody(scope, receive)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.complete and body.is_costly_to_drop:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        if problem := _problem_of_head(scope, body):
            note_problem(scope, problem.code)
            await problem.as_response(language_of(scope))(scope, receive, sending)
            return
        await self.app(scope, body.receive, sending)


def declared_bytes(scope: Scope) -> int | None:
    """What Content-Length says, 0 without a body; None for a body in chunks, whose length nobody knows."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value) if value.isdigit() else MOST_BODY_BYTES + 1
    return length


class ArrivingBody:
    """A request's body on its way, counted and timed."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope, self._receive = scope, receive
        context: Context = scope["app"].state.context
        self._seams = context.seams
        self.most_bytes = _most_bytes(scope, context)
        self.most_seconds = MOST_BODY_SECONDS * max(1, self.most_bytes // MOST_BODY_BYTES)
        self._ends_at = self._seams.monotonic() + self.most_seconds
        self._taken_bytes = 0
        self.declared_bytes = declared_bytes(scope)
        self.complete = self.declared_bytes == 0

    @property
    def is_costly_to_drop(self) -> bool:
        """Is closing the connection cheaper than reading, for nothing, what of the body is still to come?

        A short rest is read and dropped by the web server: hanging up on a phone that still sends can cost
        it the answer.
        """
        return self.declared_bytes is None or self.declared_bytes > MOST_BODY_BYTES

    async def receive(self) -> Message:
        """The next part; raises Cut when it is too much or too late."""
        if self.complete:
            # Whoever listens for the phone to hang up may listen as long as they like.
            return await self._receive()
        message = await self._next_in_time()
        self._taken_bytes += len(message.get("body", b""))
        if self._taken_bytes > self.most_bytes:
            raise Cut(Problem("body_too_large", most_bytes=self.most_bytes))
        self.complete = not message.get("more_body", False)
        return message

    async def _next_in_time(self) -> Message:
        if (seconds_left := self._seconds_left()) > 0:
            with suppress(TimeoutError):
                async with self._seams.timeout(min(AT_ONCE_SECONDS, seconds_left)):
                    return await self._receive()
        if (seconds_left := self._seconds_left()) > 0:
            with suppress(TimeoutError):
                async with stepping_aside(self._scope), self._seams.timeout(seconds_left):
                    return await self._receive()
        raise Cut(Problem("body_too_slow", most_seconds=self.most_seconds))

    def _seconds_left(self) -> float:
        return self._ends_at - self._seams.monotonic()


def _most_bytes(scope: Scope, context: Context) -> int:
    path = scope["path"]
    if path in MOST_FILE_BYTES_AT:
        said = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        with suppress(Problem):
            # Whether that sign-in still holds, the route asks; nobody's body is looked at before.
            scheme, token = get_authorization_scheme_param(said)
            claims_of(context, token if scheme.lower() == "bearer" else "")
            return MOST_FILE_BYTES_AT[path]
    return MOST_BODY_BYTES_AT.get(path, MOST_BODY_BYTES)


def _problem_of_head(scope: Scope, body: ArrivingBody) -> Problem | None:
    address_bytes = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    head_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
    if address_bytes + head_bytes > MOST_HEAD_BYTES:
        return Problem("head_too_large", most_bytes=MOST_HEAD_BYTES)
    if (body.declared_bytes or 0) > body.most_bytes:
        return Problem("body_too_large", most_bytes=body.most_bytes)
    return None
