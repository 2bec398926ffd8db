"""The server of one seed: the real application over a copy of one prepared place, with its own clock."""

import shutil
import sqlite3
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from fastapi import FastAPI

from app.compact import compact
from app.grants import add_grant, end_grant
from app.handover import hand_over
from app.identity.sign_ins import begin_sign_in
from app.problems import Problem
from app.schema import begin_epoch
from tests.simulation.interleaved import ON_PAPER, Enclave
from tests.simulation.place import BOSS, GRANTED, TREE, feeds_by_name, prepared
from tests.simulation.store_faults import ServerDied
from tests.simulation.timeline import Clock

T = TypeVar("T")


class Grant(NamedTuple):
    """As the simulator remembers it, beside what the server has."""

    area: str
    since: datetime
    until: datetime | None
    role: str = "worker"


class Reply(NamedTuple):
    """An answer; status 0 where the server died before it."""

    status: int
    media: str
    body: bytes
    moment: Any = None
    """What the oracle noted when it was made."""


HELPER = "helper"
VIEWS = {HELPER: HELPER, "mediator": "team"}
"""What those see who see other things than staff."""
NO_REPLY = Reply(0, "", b"")


async def answer_of(
    app: FastAPI, method: str, path: str, body: bytes, token: str, media: str = "application/json"
) -> Reply:
    """One request to the application, in process."""
    headers = [
        (b"content-type", media.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"authorization", f"Bearer {token}".encode()),
    ]
    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http"},
        **{"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers},
        **{"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {}},
    }
    heard: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]
    said: list[Any] = []

    async def receive() -> Any:
        return heard.pop(0) if heard else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    headers_said = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    answered = b"".join(message.get("body", b"") for message in said[1:])
    return Reply(said[0]["status"], headers_said.get("content-type", ""), answered)


class Server:
    """One server, its database and everybody's grants."""

    one_at_a_time = True
    """Is a request over before the next begins?"""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.place, self.clock = prepared(), clock
        self.faults = self.place.faults
        self.path = self.place.folder / "server.db"
        self.backup: Path | None = None
        self.begin_grants()
        self._seams = clock.seams(f"server {seed}")
        self._put(self.place.folder / "place.db")
        self.give_first_grants()

    @property
    def home(self) -> UUID:
        """The community that everybody but the liar works in."""
        return self.place.areas["community"]

    def ask(self, method: str, path: str, body: bytes, token: str, media: str = "application/json") -> Reply:
        """One request, whole: nothing else happens meanwhile."""
        try:
            return self.run(answer_of(self.place.app, method, path, body, token, media))
        except ServerDied:
            self.start_again()
            return NO_REPLY

    def start_again(self) -> None:
        """The process is another; what it hadn't committed is gone."""
        self.faults.disarm()
        self.close()
        self._open()

    def begin_grants(self) -> None:
        """Nobody has any, and the tree is as it was planted."""
        self.grants: dict[str, list[Grant]] = {login: [] for login in (*GRANTED, BOSS)}
        self.parents = {name: parent for name, parent, _ in TREE}
        self.enclaves: list[Enclave] = []
        self.handovers = 0

    def give_first_grants(self) -> None:
        """Everybody's first, and the administrator's."""
        for login, area in GRANTED.items():
            self.grant(login, area)
        for area in ("community", ON_PAPER):
            self.grant(BOSS, area, role="admin")

    # What an operator does.

    def sign_in(self, login: str) -> str:
        """An access token as a password gives it, without the password's cost."""

        async def begin() -> str:
            async with self.context.database.transaction() as transaction:
                person = self.place.people[login]
                return (await begin_sign_in(transaction, self.context, person_id=person)).access_token

        return self.run(begin())

    def hand_over(self, area: str, to: str) -> None:
        """A building goes to another grid, where that can be."""

        async def give() -> None:
            await hand_over(self.context, self.place.people[BOSS], ids[area], ids[to], dry_run=False)

        ids = self.place.areas
        try:
            self.run(give())
        except Problem as problem:
            # Its clock may have been put back to before the administrator's grant.
            if problem.code not in ("handover_to_itself", "enclave_overlaps", "not_permitted"):
                raise
            return
        self.parents[area] = to
        self.handovers += 1

    def merge(self, login: str, one: UUID, into: UUID) -> Reply:
        """Somebody finds that two doors are one."""
        body = b'{"into":"%s"}' % str(into).encode()
        return self.ask("POST", f"/v1/households/{one}/merge", body, self.sign_in(login))

    def grant(self, login: str, area: str, lasts: timedelta | None = None, role: str = "worker") -> None:
        """A role from now on, for ever or for a while; nothing where they have it."""
        until = self.clock.now() + lasts if lasts else None

        async def give() -> None:
            async with self.context.database.transaction() as transaction:
                person, of = self.place.people[login], self.place.areas[area]
                options: dict[str, Any] = {"area_id": of, "role": role, "until": until}
                await add_grant(transaction, self.context, person_id=person, **options)

        try:
            self.run(give())
        except Problem as problem:
            if problem.code != "grant_overlaps":
                raise
            return
        self.grants[login].append(Grant(area, self.clock.now(), until, role))

    def end_grant(self, login: str, area: str) -> None:
        """Nobody has that role there any more."""
        now = self.clock.now()

        async def end() -> None:
            async with self.context.database.transaction() as transaction:
                person = self.place.people[login]
                await end_grant(transaction, self.context, person_id=person, area_id=self.place.areas[area])

        self.run(end())
        held = self.grants[login]
        self.grants[login] = [
            one._replace(until=now) if one.area == area and (one.until is None or one.until > now) else one
            for one in held
        ]

    def compact(self, days: int) -> None:
        """Tombstones and marks older than that are forgotten."""
        self.run(compact(self.context, days))

    def back_up(self) -> None:
        """A copy of everything, as of now."""
        self.backup = self.path.with_suffix(".backup")
        with sqlite3.connect(self.path) as reading, sqlite3.connect(self.backup) as copy:
            reading.backup(copy)
        reading.close()
        copy.close()
        self.saved_grants = {login: [*held] for login, held in self.grants.items()}
        self.saved_tree = {**self.parents}, [*self.enclaves]

    def restore(self, *, by_the_command: bool) -> bool:
        """The backup is the server from now on. False without one."""
        if self.backup is None:
            return False
        self.close()
        self._put(self.backup)
        self.grants = {login: [*held] for login, held in self.saved_grants.items()}
        self.parents, self.enclaves = {**self.saved_tree[0]}, [*self.saved_tree[1]]
        if by_the_command:
            self.run(begin_epoch(self.context.database, self._seams))
        return True

    # What the simulator knows without asking the application.

    def reading(self, login: str) -> set[int]:
        """The feeds that this person may read at this moment, by the grants that were given."""
        now, found, feeds = self.clock.now(), set(), self.place.feeds | self.masked_feeds()
        for grant in self.grants[login]:
            if grant.since <= now and (grant.until is None or grant.until > now):
                on_paper = [one.area for one in self.enclaves if one.lasts(now) and ON_PAPER in self._below(grant.area)]
                view = VIEWS.get(grant.role, "staff")
                for area in (grant.area, *on_paper):
                    found |= self._feeds_of(area, view, feeds)
        return found

    def _feeds_of(self, area: str, view: str, feeds: dict[int, tuple[str, str]]) -> set[int]:
        """Of an area: what is owned below it, and the codes and areas above."""
        below, above = self._below(area), self._above(area)
        staff = {feed for feed, (owner, audience) in feeds.items() if audience == view and owner in below}
        return staff | {feed for feed, (owner, kind) in feeds.items() if kind == "reference" and owner in below | above}

    def masked_feeds(self) -> dict[int, tuple[str, str]]:
        """The feeds of the helpers' view, which open when a helper first has a role there."""
        rows = self.rows("SELECT id, owner_id, audience FROM feed WHERE audience = 'helper'")
        return feeds_by_name([tuple(row) for row in rows], self.place.areas)

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Of the database as it is, past every layer of the application."""
        return self._looking.execute(query, values).fetchall()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """To its end, on the process's one loop."""
        return self.place.loop.run_until_complete(work)

    def close(self) -> None:
        """Lets go of the file. The store itself is never closed: it serves the next file too."""
        self._looking.close()
        for engine in (self.place.database.reading, self.place.database.writing):
            self.run(engine.dispose())

    def _put(self, file: Path) -> None:
        """That is the database from now on."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        shutil.copy(file, self.path)
        self._open()

    def _open(self) -> None:
        self.place.database.seams = self._seams
        self.context = replace(self.place.app.state.context, database=self.place.database, seams=self._seams)
        self.place.app.state.context = self.context
        self._looking = sqlite3.connect(self.path, isolation_level=None)
        self._looking.row_factory = sqlite3.Row

    def _below(self, area: str) -> set[str]:
        return {name for name in self.parents if area in self._above(name)}

    def _above(self, area: str) -> set[str]:
        parent = self.parents[area]
        return {area, *(self._above(parent) if parent else ())}
