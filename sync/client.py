"""A replica over HTTP: carries its requests, keeps its tokens, waits and tries again."""

import base64
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx
from pydantic import ValidationError

from sync.days import DAY_BEGINS
from sync.exchange import Answered, Request
from sync.replica import Replica, Status
from sync.seams import Seams
from sync.wire import ProblemBody, Wire

TRIES: Final = 8
"""How often in a row an answer may fail to come."""
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
LONGEST_ASKED_SECONDS = 300.0
SMALLEST_GZIP_BYTES = 1024
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}

Said = TypeVar("Said", bound=Wire)


class Offline(Exception):
    """No usable answer came. Nothing is lost; sync again later."""


class NotSignedIn(Exception):
    """Nobody is signed in on this phone."""


class SignInRefused(Exception):
    """The server doesn't let this person in, or not with this password; `problem` says why."""

    def __init__(self, problem: ProblemBody) -> None:
        super().__init__(problem.code)
        self.problem = problem


@dataclass(frozen=True)
class SyncReport:
    """What one sync came to."""

    requests: int
    problem: ProblemBody | None
    """What stands in the way, if anything does; `status.up_to_date` says whether all went through."""
    status: Status


class _Tokens(Wire):
    access_token: str
    refresh_token: str


class _NewReplica(_Tokens):
    id: str
    day_begins: int = DAY_BEGINS
    """An older server doesn't say it."""


@asynccontextmanager
async def connected(replica: Replica, server: str, seams: Seams, timeout_seconds: float) -> AsyncIterator["Client"]:
    """A client of a server's base URL, on a connection of its own that no proxy of the environment sees."""
    async with httpx.AsyncClient(base_url=server, timeout=timeout_seconds, trust_env=False) as http:
        yield Client(replica, http, seams)


class Client:
    """One phone of one person, against one server (the base URL of `http`)."""

    def __init__(self, replica: Replica, http: httpx.AsyncClient, seams: Seams) -> None:
        self.replica, self._http, self._seams = replica, http, seams

    async def sign_in(self, login: str, password: str, name: str, platform: str, app_version: str) -> None:
        """Signs in and registers this phone.

        Raises SignInRefused, Offline, and OtherPersonsOutbox where somebody else's writing is on this
        phone alone (before the server hears of a new phone).
        """
        form = {"grant_type": "password", "username": login, "password": password}
        tokens = await self._require(_Tokens, "/v1/auth/token", data=form)
        person = _subject_of(tokens.access_token)
        self.replica.require_may_sign_in(person)
        about = {"name": name, "platform": platform, "app_version": app_version}
        headers = {**_JSON, "Authorization": f"Bearer {tokens.access_token}"}
        body = json.dumps(about).encode()
        phone = await self._require(_NewReplica, "/v1/replicas", content=body, headers=headers)
        self.replica.sign_in(person, phone.id, phone.day_begins)
        self.replica.keep_tokens(phone.access_token, phone.refresh_token)

    async def sync(self) -> SyncReport:
        """Sends what waits and reads until a page is complete. Raises Offline, NotSignedIn."""
        self.replica.want_sync()
        requests, failures = 0, 0
        problem: ProblemBody | None = None
        while request := self.replica.next_request():
            requests += 1
            answered, asked_seconds = await self._exchange(request)
            problem = answered.problem or problem
            if answered.verdict in ("sign_in", "stopped"):
                break
            failures = failures + 1 if answered.verdict == "retry" else 0
            if failures == TRIES:
                raise Offline
            if failures:
                await self._seams.sleep(asked_seconds + self._jitter_seconds(failures - 1))
        return SyncReport(requests, problem, self.replica.status())

    async def _exchange(self, request: Request) -> tuple[Answered, float]:
        """One request and its answer, with fresh tokens where the old ones have expired; and how many
        seconds the server asked to wait."""
        response = await self._send(request)
        if response is not None and _code_of(response) == "token_expired":
            response = await self._refresh()
            if response is not None and response.status_code == 200:
                response = await self._send(request)
        if response is None:
            return Answered("retry"), 0.0
        # Where a refresh was refused, the replica reads why: the token's end may be the phone's.
        content_type = response.headers.get("content-type", "")
        answered = self.replica.answer(request, response.status_code, content_type, response.content)
        return answered, _retry_after_seconds(response)

    async def _send(self, request: Request) -> httpx.Response | None:
        access_token, _ = self._require_tokens()
        headers, body = {**_JSON, "Authorization": f"Bearer {access_token}"}, request.body
        if len(body) > SMALLEST_GZIP_BYTES:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, mtime=0)
        return await self._try(request.method, request.path, content=body, headers=headers)

    async def _refresh(self) -> httpx.Response | None:
        """The answer to a refresh. Where it is a 200, the new tokens are on disk."""
        _, refresh_token = self._require_tokens()
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        response = await self._try("POST", "/v1/auth/token", data=form)
        if response is None or response.status_code != 200:
            return response
        fresh = _read(_Tokens, response)
        if fresh:
            self.replica.keep_tokens(fresh.access_token, fresh.refresh_token)
        return response if fresh else None

    def _require_tokens(self) -> tuple[str, str]:
        """(access, refresh). Raises NotSignedIn."""
        tokens = self.replica.tokens()
        if tokens is None:
            raise NotSignedIn
        return tokens

    async def _try(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        try:
            return await self._http.request(method, path, **options)
        except httpx.RequestError:
            return None

    async def _require(self, words: type[Said], path: str, **options: Any) -> Said:
        """A POST that must succeed, tried a few times. Raises SignInRefused, Offline."""
        for attempt in range(TRIES):
            response = await self._try("POST", path, **options)
            said = _read(words, response) if response is not None and response.is_success else None
            if said:
                return said
            problem = _read(ProblemBody, response) if response is not None else None
            if problem and response is not None and response.is_client_error and response.status_code != 429:
                raise SignInRefused(problem)
            asked_seconds = _retry_after_seconds(response) if response is not None else 0.0
            await self._seams.sleep(asked_seconds + self._jitter_seconds(attempt))
        raise Offline

    def _jitter_seconds(self, failures: int) -> float:
        """Full jitter: at 8:30 three hundred phones must not come back in step."""
        return self._seams.uniform(0.0, min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**failures))


def _read(words: type[Said], response: httpx.Response) -> Said | None:
    try:
        return words.model_validate_json(response.content)
    except ValidationError:
        return None


def _code_of(response: httpx.Response) -> str | None:
    problem = _read(ProblemBody, response) if response.is_client_error else None
    return problem.code if problem else None


def _retry_after_seconds(response: httpx.Response) -> float:
    """What the server asks for, within reason; a date counts as nothing, since it needs a clock."""
    asked = response.headers.get("retry-after", "")
    return min(float(asked), LONGEST_ASKED_SECONDS) if asked.isdecimal() else 0.0


def _subject_of(access_token: str) -> str:
    """The person in a token's claims. Not verified: it only tells this phone whose it is."""
    claims = access_token.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return str(said["sub"])
