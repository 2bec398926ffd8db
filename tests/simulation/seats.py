"""Who sits under the baton, and what each has sent."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

Ends = Literal["before", "under way", "killed"]


class Stuck(AssertionError):
    """Somebody waits for something else than PostgreSQL, or a lock is nobody's."""


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
    held_up: bool = False
    """Does a lock hold it up?"""
    let_go: bool = False
    """Has it that lock by now, and wasn't told to go on yet?"""
    unheard: bool = False
    """Is its answer never heard, since the request ends while it is under way?"""
    came_to: str = ""
    """How it ended: `done`, or an error."""
    frees: bool = True
    """May locks have been let go with it?"""
