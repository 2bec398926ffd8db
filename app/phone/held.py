"""A phone's file opened for one command, and the line to its server."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from sync import client, seams
from sync.client import Client
from sync.entries import Entries
from sync.replica import Replica
from sync.seams import Seams
from sync.store import SqliteStore
from sync.wire import ProblemBody

ANSWER_SECONDS = 60
LONGEST_WAIT_SECONDS = 0.5
"""Somebody sits before the terminal: tries follow each other faster than on a phone in a pocket."""


class Trouble(Exception):
    """What stands in the way of a command, in words its user can act on."""

    def __init__(self, code: str, zh: str, en: str, *, field: str | None = None) -> None:
        super().__init__(code)
        errors = [{"pointer": f"/fields/{field}", "code": code}] if field else []
        titles = {"zh": zh, "en": en}
        self.problem = ProblemBody.model_validate({"code": code, "title": en, "titles": titles, "errors": errors})


@dataclass(frozen=True)
class Terminal:
    """What the user said before the command: which phone, which server, how to speak."""

    file: Path
    server: str
    json: bool


@dataclass(frozen=True)
class Held:
    """A phone in hand."""

    terminal: Terminal
    replica: Replica
    store: SqliteStore
    seams: Seams

    @property
    def entries(self) -> Entries:
        """Outbox and log, for what a person asks about their own writing. Only read here."""
        return Entries(self.store)

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Client]:
        """A client of the server that the user named."""
        async with connected(self.replica, self.terminal.server, self.seams) as client:
            yield client


@contextmanager
def holding(terminal: Terminal, *, makes_file: bool) -> Iterator[Held]:
    """Opens the file; only signing in makes a new one. Raises Trouble, OSError, sqlite3.Error."""
    if not makes_file and not terminal.file.is_file():
        raise Trouble("no_phone", "还没有这部手机，请先登录", "There is no phone in this file yet; sign in first")
    world = patient(seams.real())
    with closing(SqliteStore(terminal.file)) as store:
        yield Held(terminal, Replica(store, world), store, world)


@asynccontextmanager
async def connected(replica: Replica, server: str, world: Seams) -> AsyncIterator[Client]:
    """A client of a server's base URL. Raises Trouble where that is none."""
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise Trouble("server_invalid", "服务器地址不正确", "The server's address must be like http://127.0.0.1:8000")
    async with client.connected(replica, server, world, ANSWER_SECONDS) as connection:
        yield connection


def patient(world: Seams) -> Seams:
    """The same world, in which no wait between two tries is longer than a person's patience."""
    return replace(world, sleep=lambda seconds: world.sleep(min(seconds, LONGEST_WAIT_SECONDS)))
