"""PostgreSQL's processes as the baton has them: whom a lock holds up, and that nobody goes on unasked.

When a transaction ends, whatever waited for it would go on at once, and who comes to the next row first would be
the machine's affair. So a process that waits for a lock, and sleeps anyway, is stopped, until it is told to go on:
there is never more than one of them at work.
"""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

_BLOCKING = "SELECT pid, pg_blocking_pids(pid) AS by FROM unnest($1::int[]) AS pid"
# A statement that was parsed and never asked for leaves its connection active, reading.
_BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE pid = $1 AND (state LIKE 'idle in%' OR state = 'active' AND wait_event IS DISTINCT FROM 'ClientRead')
"""

By = dict[int, set[int]]
"""Process → the processes that it waits for."""


def may_be_stopped(url: str) -> bool:
    """Are a server's processes on this machine? Of any other, such a number may be anybody's here."""
    return parse_qs(urlsplit(url).query).get("host", [""])[0].startswith("/")


class Backends:
    """`watch` is a connection of its own, which nobody waits for."""

    def __init__(self, watch: asyncpg.Connection) -> None:
        self.watch = watch
        self.stopped: set[int] = set()

    async def waiting(self, pids: list[int]) -> By:
        """Which of these wait for a lock, and for whom."""
        rows = await self.watch.fetch(_BLOCKING, pids)
        return {row["pid"]: set(row["by"]) for row in rows if row["by"]}

    async def end(self, pid: int) -> None:
        """Its connection is lost, and what it held is free."""
        # Its own way to wait for that looks only every tenth of a second.
        await self.watch.fetch("SELECT pg_terminate_backend($1)", pid)
        while await self.watch.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
            await asyncio.sleep(0.001)

    async def is_busy(self, pid: int) -> bool:
        """Has it a transaction open, or a statement at work?"""
        return bool(await self.watch.fetchval(_BUSY, pid))

    def stop(self, pid: int) -> None:
        """It waits for a lock; it may be given that, but not make use of it yet."""
        assert _is_postgres(pid), pid
        self.stopped.add(pid)
        os.kill(pid, signal.SIGSTOP)

    def go_on(self, *pids: int) -> None:
        """As if nothing had been."""
        for pid in pids:
            self.stopped.discard(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def in_a_circle(pid: int, by: By) -> bool:
    """Does it wait for itself, through others?"""
    met: set[int] = set()
    ahead = {pid}
    while ahead := {one for each in ahead for one in by.get(each, ())} - met:
        met |= ahead
    return pid in met


def _is_postgres(pid: int) -> bool:
    # Where there is no such folder, there are no containers either.
    said = Path(f"/proc/{pid}/cmdline")
    return not said.parent.parent.joinpath("self").exists() or b"postgres" in said.read_bytes()
