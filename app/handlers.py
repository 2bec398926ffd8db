"""Every failure becomes a problem: what a route raises, what the framework raises, what nobody expected."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.bounds import Cut
from app.failures import is_closed, sqlstate_of
from app.languages import language_of
from app.logs import Log, note_problem
from app.paging import as_pointer
from app.problems import Problem

METHODS = {"GET": "GET, HEAD", "POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE"}
"""What each that a route takes allows."""
_BY_STATUS = {404: "no_route", 405: "method_not_allowed"}


def add_handlers(app: FastAPI) -> None:
    """Problems, the framework's own exceptions and invalid requests, in one shape."""
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_invalid_request)


def on_problem(request: Request, problem: Exception) -> Response:
    """As the catalogue says."""
    assert isinstance(problem, Problem)
    note_problem(request.scope, problem.code)
    return problem.as_response(language_of(request.scope))


def on_http_exception(request: Request, error: Exception) -> Response:
    """No such address, no such method, a body that can't be parsed or doesn't end."""
    assert isinstance(error, HTTPException)
    problem = error.problem if isinstance(error, Cut) else Problem(_code_of(request, error.status_code))
    response = on_problem(request, problem)
    if problem.code == "method_not_allowed":
        response.headers["Allow"] = ", ".join(allowed_methods(request))
    return response


def _code_of(request: Request, status: int) -> str:
    """A body that can't be parsed is no JSON where it should have been some; a form is malformed in another way."""
    sent_json = "json" in request.headers.get("content-type", "")
    return _BY_STATUS.get(status, "bad_json" if status == 400 and sent_json else "bad_request")


def allowed_methods(request: Request) -> list[str]:
    """Over every route of this address: the framework names those of the first only."""
    scope = {"type": "http", "path": request.scope["path"], "root_path": request.scope.get("root_path", "")}
    routes = request.app.router.routes
    asked = ({**scope, "headers": [], "method": method} for method in METHODS)
    return [METHODS[s["method"]] for s in asked if any(r.matches(s)[0] is Match.FULL for r in routes)]


def on_invalid_request(request: Request, error: Exception) -> Response:
    """Where it is wrong and how, by JSON pointer; never what was sent."""
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return on_problem(request, Problem("bad_json"))
    errors = [{"pointer": _pointer(fault["loc"], fault["type"]), "code": fault["type"]} for fault in faults]
    return on_problem(request, Problem("bad_request", errors=errors))


def _pointer(place: tuple[Any, ...], code: str) -> str:
    """RFC 6901, within the body, query or path. A key of the caller's own making doesn't come back."""
    if (place[0], code) == ("query", "extra_forbidden"):
        return as_pointer(str(place[-1]))
    known = place[1:-1] if code == "extra_forbidden" else place[1:]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in known)


class LastResort:
    """What nobody caught: logged without its words, which may quote a record, and answered as a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except ClientDisconnect:
            # Nobody is left to answer; what it sent will come again.
            note_problem(scope, "disconnected")
        except Exception as error:
            problem = problem_of(error)
            note_problem(scope, problem.code)
            Log.error(
                "failed",
                problem_code=problem.code,
                error_kind=type(error).__name__,
                sqlstate_code=sqlstate_of(error),
                trace_info=frames_of(error),
            )
            if started:
                raise ConnectionAbortedError from None
            if request_id := scope.get("state", {}).get("request_id"):
                # What a person can read to whoever keeps the logs.
                problem.details["request_id"] = request_id
            await problem.as_response(language_of(scope))(scope, receive, send)


def problem_of(error: BaseException) -> Problem:
    """A store that can't be reached, is full or is going down is `unavailable`; the rest is our fault."""
    return Problem("unavailable" if is_outage(error) else "internal")


def is_outage(error: BaseException) -> bool:
    """PostgreSQL's classes 08, 53 and 57, SQLite's disk, a lost or refused connection, none free in time."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    if getattr(cause, "sqlite_errorname", "").startswith(_SQLITE_OUTAGES):
        return True
    if is_closed(cause):
        return True
    state = sqlstate_of(error) or ""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or state[:2] in ("08", "53", "57") or isinstance(cause, OSError | NoConnectionFree)


_SQLITE_OUTAGES = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_BUSY")


def frames_of(error: BaseException) -> list[str]:
    """`module:line` of our own code on the way to the error, and of where it was raised."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_globals.get("__name__", "?"), trace.tb_lineno))
        trace = trace.tb_next
    kept = [f for f in frames[1:-1] if f[0].startswith(("app.", "sync."))] + frames[-1:]
    return [f"{module}:{line}" for module, line in kept]
