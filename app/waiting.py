"""Waiting for news: a pull that finds nothing new may be answered later, as soon as there is something.

Whoever waits holds no connection, no snapshot and no place among those who work. One task a process,
which lives while somebody waits, asks once a second, in one query for all of them, where their feeds and
their sign-ins stand.
"""

import asyncio
from collections.abc import Iterable
from contextvars import Context as Variables
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from fastapi import Request
from starlette.types import Receive

from app.access import followed_in_sum
from app.admission import stepping_aside
from app.context import Context, context_of
from app.identity.sign_ins import still_good
from app.identity.tokens import Claims, require_unexpired
from app.logs import Log
from app.pull import Answer, page_of
from sync import cursor as cursors
from sync.cursor import Position
from sync.wire import PullBody

EVERY_SECONDS = 1
_STANDINGS = followed_in_sum(still_good())


class Standing(NamedTuple):
    """What the feeds that somebody follows amount to; by a cursor, how far they have been read.

    Where the feeds are the same, a push moves the sum of heads. Where they are not, four sums that agree all
    the same, with random tags among them, are next to impossible, and the phone's next pull says what is new.
    """

    feeds: int
    ids: int
    heads: int
    tags: int

    @classmethod
    def of(cls, read: dict[int, Position]) -> "Standing":
        """By the cursor of a pull that found nothing new: every feed was read to its head."""
        positions = read.values()
        return cls(len(read), sum(read), sum(p.seq for p in positions), sum(p.tag for p in positions))


@dataclass(eq=False, slots=True)
class Waiter:
    """A request without an answer yet."""

    sign_in: UUID
    standing: Standing
    expires_at: datetime
    """The token's end, by the clock on the wall."""
    deadline: float
    """By the clock that never steps."""
    woken: asyncio.Future[None]


async def awaited_page_of(request: Request, claims: Claims, body: PullBody) -> Answer:
    """What a pull gives now, if there is anything new or `body.wait` is 0; else what it gives after waiting.

    Raises what `page_of` raises, and token_expired.
    """
    context = context_of(request)
    answer = await page_of(context, claims, body)
    if not (answer.unchanged and body.wait and body.cursor):
        return answer
    read = cursors.decode(body.cursor, context.server_id, context.subkey("cursor")).feeds
    waiting: Waiting = request.app.state.waiting
    async with stepping_aside(request.scope):
        await waiting.for_news(context, claims, Standing.of(read), body.wait, request.receive)
    require_unexpired(context, claims)
    return await page_of(context, claims, body)


class Waiting:
    """Everybody in this process who waits for news."""

    def __init__(self) -> None:
        self._waiters: set[Waiter] = set()
        self._watch: asyncio.Task[None] | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._waiters)

    async def for_news(
        self, context: Context, claims: Claims, standing: Standing, most_seconds: float, receive: Receive
    ) -> None:
        """Returns when something may be new, when the sign-in or the token has ended, when the phone has hung
        up, when the server stops, and before `most_seconds` are over.
        """
        if self._stopped:
            return
        woken = asyncio.get_running_loop().create_future()
        deadline = context.seams.monotonic() + most_seconds
        waiter = Waiter(claims.sign_in_id, standing, claims.expires_at, deadline, woken)
        hung_up = asyncio.create_task(_hung_up(receive))
        self._waiters.add(waiter)
        if self._watch is None:
            # Without the variables of the request that happens to be the first: it will be long gone.
            self._watch = asyncio.create_task(self._keep_watch(context), context=Variables())
        try:
            await asyncio.wait((woken, hung_up), return_when=asyncio.FIRST_COMPLETED)
            if hung_up.done():
                hung_up.result()  # raises what is wrong with the rest of the body
        finally:
            hung_up.cancel()
            self._waiters.discard(waiter)

    def stop(self) -> None:
        """The server stops: whoever waits is answered now, and nobody waits any more."""
        self._stopped = True
        self._wake(self._waiters)

    async def _keep_watch(self, context: Context) -> None:
        """What was new before somebody began to wait is seen as well: their cursor is what is compared."""
        try:
            while self._waiters:
                await context.seams.sleep(EVERY_SECONDS)
                await self._look(context)
        finally:
            self._watch = None
            self._wake(self._waiters)

    async def _look(self, context: Context) -> None:
        """Wakes whom the moment concerns. Should the store not answer, everybody: their own pull says why."""
        now, elapsed = context.seams.now(), context.seams.monotonic()
        looking = tuple(self._waiters)
        try:
            standings = await _standings_of(context, {waiter.sign_in for waiter in looking}, now)
        except Exception as error:
            Log.warning("waiting ended", error_kind=type(error).__name__, count=len(looking))
            self._wake(looking)
            return
        self._wake(
            waiter
            for waiter in looking
            if standings.get(waiter.sign_in) != waiter.standing
            or waiter.expires_at <= now
            or waiter.deadline - elapsed < EVERY_SECONDS  # the next look would come too late
        )

    def _wake(self, waiters: Iterable[Waiter]) -> None:
        for waiter in tuple(waiters):
            self._waiters.discard(waiter)
            if not waiter.woken.done():
                waiter.woken.set_result(None)


async def _standings_of(context: Context, sign_ins: set[UUID], now: datetime) -> dict[UUID, Standing]:
    """Of the sign-ins that are still good."""
    async with context.database.glance("server") as store:
        rows = await store.fetch(_STANDINGS, sign_ins=list(sign_ins), now=now)
    return {sign_in: Standing(*sums) for sign_in, *sums in rows}


async def _hung_up(receive: Receive) -> None:
    """Web servers tell it in the place of another part of the body, and do not cancel anything."""
    while (await receive())["type"] != "http.disconnect":
        pass
