"""`qiaomen` in processes of its own: the server, and a phone that is killed. Ended by their handles alone."""

import asyncio
import os
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

from sync.seams import Seams

HOST = "127.0.0.1"
START_SECONDS, END_SECONDS = 60, 30
_KNOCK_SECONDS = 0.05


class NotServing(Exception):
    """The server ended, or didn't answer in time."""


async def start(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    module: str = "app.cli",
) -> Process:
    """`qiaomen` with these arguments, from the very modules that run here, whatever folder we are in.

    Its environment is made, not inherited: no setting of the user's shell changes the story, and no key
    stands on a command line, where everybody could read it.
    """
    modules = os.pathsep.join(str(Path(place).absolute()) for place in sys.path if place)
    own = {"PYTHONPATH": modules, "PYTHONUTF8": "1", **(environment or {})}
    output = log.open("ab") if log else None
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module, *arguments),
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=output or subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the story, which ends them
        )
    finally:
        if output:
            output.close()


@asynccontextmanager
async def serving(
    port: int | None,
    environment: Mapping[str, str],
    log: Path,
    world: Seams,
    *,
    workers: int = 1,
    module: str = "app.cli",
) -> AsyncIterator[tuple[Process, int]]:
    """`qiaomen serve` on loopback, on this port or a free one, until the block ends. Raises NotServing."""
    port = port or free_port()
    options = ("--host", HOST, "--port", str(port), "--workers", str(workers))
    process = await start("serve", *options, environment=environment, log=log, module=module)
    try:
        await until_listening(process, port, world)
        yield process, port
    finally:
        await end(process)


async def end(process: Process) -> None:
    """Asks it to end, and insists after a while."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def free_port() -> int:
    """A port that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """May a server listen there? Otherwise somebody else would answer in its place."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


async def until_listening(process: Process, port: int, world: Seams) -> None:
    """Knocks until somebody opens. Raises NotServing."""
    deadline = world.monotonic() + START_SECONDS
    while process.returncode is None and world.monotonic() < deadline:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await world.sleep(_KNOCK_SECONDS)
        else:
            writer.close()
            return
    raise NotServing
