"""The baton: of many requests at once, whoever has it sends PostgreSQL one statement; then it goes on.

Every statement passes asyncpg's protocol object, whoever sends it: the engine's connections, the pool for
glances, SQLAlchemy. There it waits for its turn. A turn lasts until the statement is done and its request waits
for another, or until a lock holds it up, as pg_blocking_pids says; no clock has a say in that. Whoever is held up
and was let go since waits for a turn again (backends.py), so that PostgreSQL never works on two at once: whose turn
it is, and what comes of it, is the seed's alone, never who was faster.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from random import Random
from typing import Any
from unittest.mock import patch

import asyncpg
from asyncpg.protocol import Protocol

from tests.simulation.backends import Backends, in_a_circle
from tests.simulation.seats import Seat, Sent, Stuck

SENDING = ("query", "bind_execute", "bind_execute_many", "bind", "execute", "copy_in", "copy_out")
"""What of the protocol makes PostgreSQL do anything. Parsing (`prepare`) reads no row and locks none."""
BESIDE = ("_introspect_types", "_introspect_type", "set_type_codec")
"""What a connection asks for its own sake, the first time: which types there are. Nobody waits for that."""
SOON_SECONDS = 0.002
"""A statement that takes longer is looked at: is it held up?"""
STUCK_SECONDS = 60
"""Nothing takes so long, unless somebody waits for what never comes."""
ROUNDS_OF_THE_LOOP = 4
"""Whatever a request does beside its statement (`meanwhile`) is done by then."""
DEMOTED = 0.08
"""How often somebody who goes before the others has to stand behind them."""

_seat: ContextVar[Seat | None] = ContextVar("seat", default=None)


class Baton:
    """Hands out the turns of one seed."""

    def __init__(self, dice: Random, watch: asyncpg.Connection) -> None:
        self.dice, self.backends = dice, Backends(watch)
        self.seats: list[Seat] = []
        self.waiting: list[Sent] = []
        self.with_postgres: list[Sent] = []
        self.turn = 0
        self.events: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._last: Seat | None = None
        self._order: list[Seat] | None = None
        self._freed = False
        """May the last turn have let somebody go on?"""
        self._trace = hashlib.sha256()

    @property
    def trace(self) -> str:
        """A hash of every turn, and of what came of it."""
        return self._trace.hexdigest()[:16]

    def note(self, *words: object) -> None:
        """Part of the trace."""
        self._trace.update(f"{words}\n".encode())

    async def together(self, works: "dict[Seat, Coroutine[Any, Any, Any]]") -> list[Any]:
        """All at once, statement by statement; what each gave, or the exception that ended it."""
        self.seats = []
        # Either everybody goes on about as fast, or some are far ahead of the others, and then no longer.
        self._order = None if self.dice.random() < 0.5 else self.dice.sample([*works], len(works))
        with in_turn():
            try:
                for seat, work in works.items():
                    self.seats.append(seat)
                    seat.task = asyncio.create_task(self._seated(seat, work))
                    await self._nobody_thinks()
                while ready := await self._ready():
                    await self._hand_to(self._next(ready))
                if left := [seat.name for seat in works if not seat.over]:
                    raise Stuck(f"nobody lets {left} go on")
            finally:
                self.backends.go_on(*self.backends.stopped)
                for seat in self.seats:
                    if seat.task and not seat.over:
                        seat.task.cancel()
            return await asyncio.gather(*(seat.task for seat in works if seat.task), return_exceptions=True)

    async def _seated(self, seat: Seat, work: Coroutine[Any, Any, Any]) -> Any:
        _seat.set(seat)
        _baton.set(self)
        try:
            return await work
        finally:
            seat.thinking = False
            self._changed.set()

    async def carry(self, seat: Seat, protocol: Any, words: str, statement: Callable[[], Awaitable[Any]]) -> Any:
        """One statement of a seat, in its turn."""
        sent = Sent(seat, protocol.get_server_pid(), asyncio.get_running_loop().create_future())
        self._move(sent, self.waiting)
        try:
            await sent.turn
            answer = await statement()
            sent.came_to = "done"
            sent.frees = words.startswith("ROLLBACK") or not protocol.is_in_transaction()
            if words == "COMMIT":
                seat.commits.append(self.turn)
            await self._heard(sent)
            return answer
        except Exception as error:
            sent.came_to = getattr(error, "sqlstate", None) or type(error).__name__
            self.events[f"sqlstate {sent.came_to}"] += 1
            await self._heard(sent)
            raise
        finally:
            sent.came_to = sent.came_to or "cancelled"
            self._move(sent, None)

    async def _heard(self, sent: Sent) -> None:
        if sent.unheard:
            self._changed.set()
            await asyncio.get_running_loop().create_future()  # until it is cancelled

    def _move(self, sent: Sent, to: list[Sent] | None) -> None:
        for place in (self.waiting, self.with_postgres):
            if sent in place:
                place.remove(sent)
        if to is not None:
            to.append(sent)
        sent.seat.thinking = to is None and not sent.seat.over
        self._changed.set()

    async def _ready(self) -> list[Sent]:
        """Who waits for a turn, in order of their seats: to send a statement, or to go on with one."""
        if self._freed:
            await self._look_who_was_let_go()
        async with asyncio.timeout(STUCK_SECONDS):
            while not (ready := self._in_line()) and self.with_postgres:
                await self._look_who_was_let_go()
        return ready

    def _in_line(self) -> list[Sent]:
        let_go = [sent for sent in self.with_postgres if sent.let_go]
        return sorted([*self.waiting, *let_go], key=lambda sent: self.seats.index(sent.seat))

    async def _look_who_was_let_go(self) -> None:
        if held_up := [sent for sent in self.with_postgres if not sent.let_go]:
            by = await self.backends.waiting([sent.pid for sent in held_up])
            for sent in held_up:
                sent.let_go = sent.pid not in by

    def _next(self, ready: list[Sent]) -> Sent:
        if self._order is None:
            return self.dice.choice(ready)
        first = min(ready, key=lambda sent: self._order.index(sent.seat))  # type: ignore[union-attr]
        if self.dice.random() < DEMOTED:
            self._order.remove(first.seat)
            self._order.append(first.seat)
        return first

    async def _hand_to(self, sent: Sent) -> None:
        self.turn += 1
        self.events["interleaved"] += bool(self._last not in (None, sent.seat) and self._last and not self._last.over)
        self._last = sent.seat
        if sent.let_go:
            sent.held_up = sent.let_go = False
            self.backends.go_on(sent.pid)
            await self._done_or_held_up(sent)
        else:
            await self._send(sent)
        await self._nobody_thinks()
        self._freed = sent.frees or sent.seat.struck
        self.note(sent.seat.name, sent.came_to or "held up")

    async def _send(self, sent: Sent) -> None:
        seat = sent.seat
        seat.turns.append(self.turn)
        self.events["statements"] += 1
        ends = seat.ends[1] if seat.ends and len(seat.turns) == seat.ends[0] else None
        if ends:
            seat.struck = True
            self.events[ends] += 1
        if ends == "killed":
            await self.backends.end(sent.pid)
        if ends != "before":
            sent.unheard = ends == "under way"
            self._move(sent, self.with_postgres)
            sent.turn.set_result(None)
            await self._done_or_held_up(sent)
        if ends in ("before", "under way") and seat.task:
            if sent.held_up:
                self.backends.go_on(sent.pid)
            seat.task.cancel()
            await self._quiet(sent)

    async def _done_or_held_up(self, sent: Sent) -> None:
        """Until its answer is there, or a lock that another seat has holds it up."""
        async with asyncio.timeout(STUCK_SECONDS):
            while not sent.came_to:
                if await self._something_changes(SOON_SECONDS) or sent.came_to:
                    continue
                by = await self.backends.waiting([one.pid for one in self.with_postgres])
                # A circle is PostgreSQL's to open: whoever closed it is the only one awake, and finds out.
                if by.get(sent.pid) and not in_a_circle(sent.pid, by) and not sent.came_to:
                    sent.held_up = True
                    self.events["blocked"] += 1
                    self.backends.stop(sent.pid)
                    return

    async def _nobody_thinks(self) -> None:
        """Until every seat waits for its turn, or for PostgreSQL, or is over."""
        async with asyncio.timeout(STUCK_SECONDS):
            while any(seat.thinking for seat in self.seats):
                await self._something_changes(STUCK_SECONDS)
            for _ in range(ROUNDS_OF_THE_LOOP):
                await asyncio.sleep(0)

    async def _quiet(self, sent: Sent) -> None:
        """Until a cancelled request's connection has let go of everything, or is used by it once more."""
        async with asyncio.timeout(STUCK_SECONDS):
            while await self.backends.is_busy(sent.pid):
                if any(one is not sent and one.pid == sent.pid for one in self.waiting):
                    return
                await asyncio.sleep(SOON_SECONDS)

    async def _something_changes(self, seconds: float) -> bool:
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True


_baton: ContextVar[Baton | None] = ContextVar("baton", default=None)


@contextmanager
def in_turn() -> Iterator[None]:
    """Meanwhile every statement of whoever has a seat waits for its turn."""
    with ExitStack() as stack:
        for name in SENDING:
            stack.enter_context(patch.object(Protocol, name, _waiting(getattr(Protocol, name))))
        for name in BESIDE:
            stack.enter_context(patch.object(asyncpg.Connection, name, _beside(getattr(asyncpg.Connection, name))))
        yield


def _waiting(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def waits(protocol: Any, *arguments: Any, **options: Any) -> Any:
        seat, baton = _seat.get(), _baton.get()
        if seat is None or baton is None:
            return await method(protocol, *arguments, **options)
        words = str(arguments[0]) if method.__name__ == "query" else ""
        return await baton.carry(seat, protocol, words, lambda: method(protocol, *arguments, **options))

    return waits


def _beside(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def without_a_turn(connection: Any, *arguments: Any, **options: Any) -> Any:
        before = _seat.set(None)
        try:
            return await method(connection, *arguments, **options)
        finally:
            _seat.reset(before)

    return without_a_turn
