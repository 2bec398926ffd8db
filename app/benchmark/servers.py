"""A real `qiaomen serve` to measure, and what the system says it costs: processor time and memory."""

import os
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.demo.processes import serving
from app.settings import Settings
from sync.seams import Seams

PROC = Path("/proc")
SERVER = "app.cli"
REQUESTS_PER_MINUTE = 1_000_000
"""Each is counted as any phone's, but one phone does here in a minute what a thousand do in an hour."""


@dataclass(frozen=True)
class Server:
    """One running server with its workers."""

    process: Process
    port: int

    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far, in steps of 10 ms; 0 where there is no /proc."""
        if not PROC.exists():
            return 0
        ticks = sum(int(part) for pid in self._processes() for part in _stat(pid)[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Memory of its largest process: of one worker, since those are the largest."""
        return max(resident_bytes(pid) for pid in self._processes())

    def _processes(self) -> list[int]:
        parent = self.process.pid
        others = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
        return [parent, *(pid for pid in others if _parent_of(pid) == parent)]


@asynccontextmanager
async def running_server(
    settings: Settings, folder: Path, world: Seams, *, workers: int = 1, module: str = SERVER
) -> AsyncIterator[Server]:
    """`qiaomen serve` over this database until the block ends; every setting but one at its default."""
    environment = {
        "QIAOMEN_DATABASE_URL": settings.database_url,
        "QIAOMEN_REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
    }
    if settings.key:
        environment["QIAOMEN_KEY"] = settings.key
    log = folder / "server.log"
    async with serving(None, environment, log, world, workers=workers, module=module) as (process, port):
        yield Server(process, port)


def resident_bytes(pid: int) -> int:
    """What a process holds in memory."""
    return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str]:
    """From the state on, the third field of proc(5); what stands before may hold blanks."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _parent_of(pid: int) -> int:
    try:
        return int(_stat(pid)[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
