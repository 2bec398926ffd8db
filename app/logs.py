"""Logs: one JSON object a line, with keys from a short list. Ids, counts and codes; never a person's words.

No query strings and no bodies: of an address only its template is written.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEYS = frozenset(
    {
        *("event", "level", "at", "method", "route", "status", "duration_seconds", "request_id"),
        *("problem_code", "error_kind", "sqlstate_code", "trace_info", "host", "port", "store", "kind"),
        *("count", "mutation_count", "change_count", "feed_count", "attempt", "outcome", "collection"),
    }
)
"""What may be written; any other key is left out before it reaches the page."""

Log = structlog.get_logger()


def configure_logs(level: str) -> None:
    """JSON lines on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            only_known_keys,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # Looked up line by line: a test's standard error lives no longer than the test.
        logger_factory=lambda *names: structlog.PrintLogger(sys.stderr),
    )


class LibraryLogs(logging.Handler):
    """What libraries log, without their words, which may quote a row; the web server's own quote none."""

    @classmethod
    def take_over(cls) -> None:
        """In place of whatever is configured, for the whole process."""
        logging.basicConfig(handlers=[cls()], level=logging.WARNING, force=True)

    def emit(self, record: logging.LogRecord) -> None:
        """One line; of an exception only its kind."""
        words = record.getMessage() if record.name == "uvicorn.error" and not record.exc_info else "library"
        kind = record.exc_info[0] if record.exc_info else None
        structlog.get_logger().warning(words, kind=record.name, error_kind=kind.__name__ if kind else None)


def only_known_keys(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last thing before a line is written."""
    return {key: value for key, value in event.items() if key in KEYS and value is not None}


def note_problem(scope: Scope, code: str) -> None:
    """So that the request's line says which problem it was."""
    scope.setdefault("state", {})["problem_code"] = code


class RequestLog:
    """One line a request: what was asked for and how it went, by template, code and seconds.

    Requests that were turned away are counted, at most one line a second: a crowd must not write a log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._turned_away_count, self._told_at = 0, float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = getattr(scope["app"].state, "context", None) if scope["type"] == "http" else None
        if context is None:
            await self.app(scope, receive, send)
            return
        began, status = context.seams.monotonic(), 0
        request_id = str(context.seams.new_id())
        scope.setdefault("state", {})["request_id"] = request_id

        async def sending(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, sending)
            finally:
                self._write(scope, status, began, context.seams.monotonic())

    def _write(self, scope: Scope, status: int, began: float, now: float) -> None:
        problem_code = scope.get("state", {}).get("problem_code")
        if problem_code == "overloaded":
            self._turned_away_count += 1
        else:
            Log.info(
                "request",
                method=scope["method"],
                route=getattr(scope.get("route"), "path", None),
                status=status,
                duration_seconds=round(now - began, 4),
                problem_code=problem_code,
            )
        if self._turned_away_count and now - self._told_at >= 1:
            Log.warning("overloaded", count=self._turned_away_count)
            self._turned_away_count, self._told_at = 0, now
