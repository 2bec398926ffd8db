"""How many requests work at once; the others wait a moment, and beyond that are asked to come back.

A server that takes everything collapses at half past eight, when every phone wakes: each answer is late,
so each phone asks again. This one works on a few requests at a time, keeps short lines for those who wait,
pushes before everything else, and turns the rest away before a byte of their bodies is read.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import ceil

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.context import Context
from app.languages import Language, language_of
from app.logs import note_problem
from app.problems import Problem
from sync.seams import Seams

MOST_WAITING = 128
"""In each line."""
PATIENCE_SECONDS = 0.15
LEAST_RETRY_SECONDS, MOST_RETRY_SECONDS = 1, 60
COUNTED_ON_PER_SECOND = 10
"""Requests that a place surely serves: those turned away are spread over the time that takes."""
PLACES_OF_THEIR_OWN = {"/v1/auth/token": 4, "/readyz": 2, "/v1/imports": 2}
"""So that no crowd signs a phone out, or takes the server for dead, and no spreadsheets keep phones waiting; few, for
anybody may ask.
"""
FREE = ("/livez", "/office", "/docs", "/static-offline-docs", "/openapi.json")
PULL = "/v1/sync/pull"

Turn = asyncio.Future[None]


class Full(Exception):
    """Neither a place nor room to wait for one."""


class Gate:
    """Some places, and two lines for them: the first is served before the second."""

    def __init__(self, places: int) -> None:
        self.places = self.free = places
        self.lines: tuple[deque[Turn], deque[Turn]] = (deque(), deque())
        self.turned_away = 0
        """Since a place was last free for the asking; halved each time one is."""

    async def enter(self, rank: int, seams: Seams) -> None:
        """Takes a place, now or within PATIENCE_SECONDS; Full when there is none."""
        if self.free:
            self.free -= 1
            self.turned_away //= 2
            return
        if len(self.lines[rank]) >= MOST_WAITING:
            self.turned_away += 1
            raise Full
        try:
            async with seams.timeout(PATIENCE_SECONDS):
                await self.wait(rank)
        except TimeoutError:
            self.turned_away += 1
            raise Full from None

    async def wait(self, rank: int) -> None:
        """Takes a place, however long that takes: for those who had one and gave it back."""
        if self.free:
            self.free -= 1
            return
        turn: Turn = asyncio.get_running_loop().create_future()
        self.lines[rank].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was called in the very moment it left.
                self.leave()
            with suppress(ValueError):
                self.lines[rank].remove(turn)
            raise

    def leave(self) -> None:
        """Gives the place to whoever is next."""
        for line in self.lines:
            while line:
                turn = line.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self.free += 1

    def retry_seconds(self, seams: Seams) -> int:
        """When to come back: the more are waiting and turned away, the further apart."""
        crowd = self.turned_away + sum(map(len, self.lines))
        spread = 2 + crowd / (self.places * COUNTED_ON_PER_SECOND)
        return LEAST_RETRY_SECONDS + ceil(seams.uniform(0, min(spread, MOST_RETRY_SECONDS)))


@dataclass
class Place:
    """What a request that works holds."""

    gate: Gate
    rank: int
    held: bool = True

    def give_back(self) -> None:
        """Once is enough, and more does no harm."""
        if self.held:
            self.held = False
            self.gate.leave()


@asynccontextmanager
async def stepping_aside(scope: Scope) -> AsyncIterator[None]:
    """While a request only waits, for news or for a slow body, another may work in its place.

    `async with stepping_aside(request.scope): await news` — outside any transaction, or the connection is
    kept from whoever got the place. Afterwards the request waits for a place again, for as long as it takes
    and behind those of its kind that came before; pushes still go first. Where the waiting fails, the request
    goes on without a place: it has nothing left to do but to say so.
    """
    place: Place | None = scope.get("state", {}).get("place")
    if place is None or not place.held:
        yield
        return
    place.give_back()
    yield
    await place.gate.wait(place.rank)
    place.held = True


class Admission:
    """Plain ASGI: a place for whoever works, none for what costs nothing."""

    def __init__(self, app: ASGIApp, places: int) -> None:
        self.app = app
        self.work = Gate(places)
        self.apart = {path: Gate(few) for path, few in PLACES_OF_THEIR_OWN.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(FREE):
            await self.app(scope, receive, send)
            return
        context: Context = scope["app"].state.context
        gate = self.apart.get(scope["path"], self.work)
        rank = _rank_of(scope)
        try:
            await gate.enter(rank, context.seams)
        except Full:
            note_problem(scope, "overloaded")
            for message in _turned_away(scope, gate.retry_seconds(context.seams)):
                await send(message)
            return
        place = scope.setdefault("state", {})["place"] = Place(gate, rank)
        try:
            await self.app(scope, receive, send)
        finally:
            place.give_back()


def _rank_of(scope: Scope) -> int:
    """0 for what a person wrote, 1 for what can be read later."""
    return int(scope["method"] in ("GET", "HEAD", "OPTIONS") or scope["path"] == PULL)


def _turned_away(scope: Scope, retry_seconds: int) -> tuple[Message, Message]:
    lines, body = _ANSWERS[language_of(scope)]
    retry = (b"retry-after", str(retry_seconds).encode())
    start = {"type": "http.response.start", "status": _STATUS, "headers": [*lines, retry]}
    return start, {"type": "http.response.body", "body": body}


def _answer(language: Language | None) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Made once: whoever is turned away must cost next to nothing."""
    response = Problem("overloaded").as_response(language)
    return [line for line in response.raw_headers if line[0] != b"retry-after"], bytes(response.body)


_ANSWERS = {language: _answer(language) for language in (None, "zh", "en")}
_STATUS = Problem("overloaded").http_status
