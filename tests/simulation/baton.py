"""The baton: of many requests at once, whoever has it sends PostgreSQL one statement; then it goes on.

Every statement passes asyncpg's protocol object, whoever sends it: the engine's connections, the pool for
glances, SQLAlchemy. There it waits for its turn. Nobody gets one before everybody else waits for theirs too,
is blocked by a lock, or is done; so whose turn it is depends on the seed alone, never on who was faster.
A statement that a lock holds up (as pg_blocking_pids says) keeps its place while the others go on, and
rejoins when it is let go. What PostgreSQL still decides by itself: who of several that wait for one row gets
it, which of those in a deadlock it ends, and how far a statement got that is cancelled under way.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal
from unittest.mock import patch

import asyncpg
from asyncpg.protocol import Protocol

SENDING = ("query", "bind_execute", "bind_execute_many", "bind", "execute", "copy_in", "copy_out")
"""What of the protocol makes PostgreSQL do anything. Parsing (`prepare`) reads no row and locks none."""
SOON_SECONDS = 0.003
"""A statement that takes longer is looked at: is it blocked?"""
STRAY_SECONDS = 2.0
"""Who asks for no statement in so long a time waits for something else than PostgreSQL."""
STUCK_SECONDS = 20

Ends = Literal["before", "under way", "killed"]
_seat: ContextVar["Seat | None"] = ContextVar("seat", default=None)


@dataclass(eq=False)
class Seat:
    """One request under the baton, and when which of its statements had their turn."""

    name: str
    ends: tuple[int, Ends] | None = None
    """At which of its statements the request is cancelled, before it is sent or while it is under way, or its
    connection killed."""
    task: "asyncio.Task[Any] | None" = None
    turns: list[int] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    struck: bool = False
    """Did its planned end come?"""
    thinking: bool = True
    """Is it at work itself, neither waiting for its turn nor for PostgreSQL?"""

    @property
    def over(self) -> bool:
        """Has the request ended?"""
        return self.task is not None and self.task.done()


@dataclass(eq=False)
class Sent:
    """One statement: waiting for its turn, then with PostgreSQL."""

    seat: Seat
    pid: int
    turn: "asyncio.Future[None]"
    blocked: bool = False


class Baton:
    """Hands out the turns of one seed. `watch` is a connection of its own, which nobody waits for."""

    def __init__(self, dice: Random, watch: asyncpg.Connection) -> None:
        self.dice, self.watch = dice, watch
        self.seats: list[Seat] = []
        self.waiting: list[Sent] = []
        self.with_postgres: list[Sent] = []
        self.turn = 0
        self.events: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._last: Seat | None = None
        self._trace = hashlib.sha256()

    @property
    def trace(self) -> str:
        """A hash of every choice."""
        return self._trace.hexdigest()[:16]

    async def together(self, works: "dict[Seat, Coroutine[Any, Any, Any]]") -> list[Any]:
        """All at once, statement by statement; what each gave, or the exception that ended it."""
        with in_turn():
            for seat, work in works.items():
                seat.task = asyncio.create_task(self._seated(seat, work))
            self.seats = [*works]
            done = asyncio.gather(*(seat.task for seat in works if seat.task), return_exceptions=True)
            done.add_done_callback(lambda _: self._changed.set())
            await self._conduct(done)
            for sent in self.waiting:
                sent.turn.cancel()
            return await done

    async def _seated(self, seat: Seat, work: Coroutine[Any, Any, Any]) -> Any:
        _seat.set(seat)
        _baton.set(self)
        try:
            return await work
        finally:
            seat.thinking = False
            self._changed.set()

    async def carry(self, seat: Seat, pid: int, words: str, statement: Callable[[], Awaitable[Any]]) -> Any:
        """One statement of a seat, in its turn."""
        sent = Sent(seat, pid, asyncio.get_running_loop().create_future())
        self._move(sent, self.waiting)
        try:
            await sent.turn
            self._move(sent, self.with_postgres)
            answer = await statement()
            if words == "COMMIT":
                seat.commits.append(self.turn)
            return answer
        except asyncpg.PostgresError as error:
            self.events[f"sqlstate {error.sqlstate}"] += 1
            raise
        finally:
            self._move(sent, None)

    def _move(self, sent: Sent, to: list[Sent] | None) -> None:
        for place in (self.waiting, self.with_postgres):
            if sent in place:
                place.remove(sent)
        if to is not None:
            to.append(sent)
        sent.seat.thinking = to is None and not sent.seat.over
        self._changed.set()

    async def _conduct(self, done: "asyncio.Future[Any]") -> None:
        while not done.done():
            await self._all_wait(done)
            if self.waiting:
                # In order of their seats, not of their arrival.
                self.waiting.sort(key=lambda sent: self.seats.index(sent.seat))
                await self._hand_to(self.dice.choice(self.waiting))
            await asyncio.sleep(0)

    async def _hand_to(self, sent: Sent) -> None:
        seat = sent.seat
        self.turn += 1
        seat.turns.append(self.turn)
        self._trace.update(f"{seat.name} ".encode())
        self.events["statements"] += 1
        self.events["interleaved"] += bool(self._last not in (None, seat) and self._last and not self._last.over)
        self._last = seat
        ends = seat.ends[1] if seat.ends and len(seat.turns) == seat.ends[0] else None
        if ends:
            seat.struck = True
            self.events[ends] += 1
        if ends == "killed":
            await self.watch.fetch("SELECT pg_terminate_backend($1, 1000)", sent.pid)
        if ends == "before" and seat.task:
            seat.task.cancel()
            await self._quiet(sent.pid)
            return
        sent.turn.set_result(None)
        # It is with PostgreSQL when the loop has come round.
        while sent in self.waiting:
            await asyncio.sleep(0)
        if ends == "under way" and seat.task:
            seat.task.cancel()
            await self._quiet(sent.pid)

    async def _all_wait(self, done: "asyncio.Future[Any]") -> None:
        """Until nobody thinks, and whatever PostgreSQL has is blocked; or until all is done."""
        for _ in range(int(STUCK_SECONDS / SOON_SECONDS)):
            if done.done():
                return
            if thinking := [seat for seat in self.seats if seat.thinking]:
                if not await self._something_changes(STRAY_SECONDS):
                    self.events["strays"] += len(thinking)
                    for seat in thinking:
                        seat.thinking = False
                continue
            if not self.with_postgres:
                return
            fresh = [sent for sent in self.with_postgres if not sent.blocked]
            if fresh and await self._something_changes(SOON_SECONDS):
                continue
            # Whoever was let go, or came back, while it was looked is at work again.
            if await self._look_who_is_blocked() and self.waiting and not any(seat.thinking for seat in self.seats):
                return
            await self._something_changes(SOON_SECONDS)
        raise AssertionError(f"nobody goes on: {self.with_postgres}, {self.waiting}, {self.seats}")

    async def _something_changes(self, seconds: float) -> bool:
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _look_who_is_blocked(self) -> bool:
        """Are all of them, and not by one another? Then nothing happens until somebody else goes on."""
        asked = [*self.with_postgres]
        rows = await self.watch.fetch(
            "SELECT pid, pg_blocking_pids(pid) AS by FROM unnest($1::int[]) AS pid", [sent.pid for sent in asked]
        )
        by = {row["pid"]: set(row["by"]) for row in rows}
        for sent in asked:
            if by[sent.pid] and not sent.blocked:
                self.events["blocked"] += 1
                self._trace.update(b"blocked ")
            sent.blocked = bool(by[sent.pid])
        return all(by.values()) and not _in_a_circle(by)

    async def _quiet(self, pid: int) -> None:
        """Until a cancelled request's connection has let go of everything."""
        busy = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state <> 'idle'"
        for _ in range(100):
            await asyncio.sleep(SOON_SECONDS)
            if not await self.watch.fetch(busy, pid):
                return


_baton: ContextVar[Baton | None] = ContextVar("baton", default=None)


def _in_a_circle(by: dict[int, set[int]]) -> bool:
    """Does anybody wait for themselves?"""
    free = {pid for pid, others in by.items() if not others}
    left = {pid: others & by.keys() for pid, others in by.items()}
    while found := {pid for pid, others in left.items() if pid not in free and not others - free}:
        free |= found
    return len(free) < len(by)


@contextmanager
def in_turn() -> Iterator[None]:
    """Meanwhile every statement of whoever has a seat waits for its turn."""
    with ExitStack() as stack:
        for name in SENDING:
            stack.enter_context(patch.object(Protocol, name, _waiting(getattr(Protocol, name))))
        yield


def _waiting(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def waits(protocol: Any, *arguments: Any, **options: Any) -> Any:
        seat, baton = _seat.get(), _baton.get()
        if seat is None or baton is None:
            return await method(protocol, *arguments, **options)
        words = str(arguments[0]) if method.__name__ == "query" else ""
        return await baton.carry(
            seat, protocol.get_server_pid(), words, lambda: method(protocol, *arguments, **options)
        )

    return waits
