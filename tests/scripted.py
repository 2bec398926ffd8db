"""A scripted server and an invented world for the phone's half: no HTTP, no database, no real clock.

It keeps one history of changes per feed and believes every mutation, unless a test tells it otherwise.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from sync.canonical import digest, record_hash
from sync.entries import Key
from sync.overlay import changed
from sync.replica import Answered, Replica, Request
from sync.seams import Seams, seeded, uuid7
from sync.store import MemoryStore, Store
from sync.wire import MOST_MUTATIONS

HOME = UUID("11111111-0000-7000-8000-000000000001")
OTHER_HOME = UUID("11111111-0000-7000-8000-000000000002")
PERSON = UUID("22222222-0000-7000-8000-000000000001")
PHONE = UUID("33333333-0000-7000-8000-000000000001")

Raw = dict[str, Any]
Answer = tuple[int, str, bytes]
CONTENT = ("collection", "record", "home", "op", "base", "after", "fields")
JSON, PROBLEM = "application/json", "application/problem+json"


class Clock:
    """The phone's own, which a test may turn."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    def seconds(self) -> float:
        return self.now.timestamp()

    def seams(self, seed: int = 1) -> Seams:
        """A repeatable world around this clock."""
        chance = seeded(seed)
        return Seams(
            now=lambda: self.now,
            monotonic=self.seconds,
            new_id=lambda: uuid7(int(self.now.timestamp() * 1000), chance.getrandbits(74)),
            random_bytes=chance.randbytes,
            uniform=chance.uniform,
            sleep=self.sleep,
        )


def problem(status: int, code: str, **details: Any) -> Answer:
    """An RFC 9457 answer."""
    body = {"code": code, "status": status, "title": code, "details": details}
    return status, PROBLEM, json.dumps(body).encode()


def refusal(code: str) -> Raw:
    """What a mutation's outcome says when it is refused."""
    return {"outcome": "refused", "problem": {"code": code, "title": code}}


@dataclass
class ScriptedServer:
    """Feeds, a count and an epoch. Tests reach in and change what they like."""

    epoch: str = "e1"
    now: datetime = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
    received: int = 0
    feeds: dict[int, Raw] = field(default_factory=dict)
    changes: list[Raw] = field(default_factory=list)
    records: dict[Key, Raw] = field(default_factory=dict)
    outcomes: dict[str, tuple[Raw, Raw]] = field(default_factory=dict)
    """What became of each mutation, and of which content."""
    pushes: list[Raw] = field(default_factory=list)
    pulls: list[Raw] = field(default_factory=list)
    judge: Callable[[Raw], Raw | None] = lambda mutation: None
    """What to answer to a mutation; None: it is applied."""
    beside: list[Raw] = field(default_factory=list)
    """Words for the pages to come, one dict a page: lost, reset…"""
    next_answers: list[Answer] = field(default_factory=list)
    """Answers to give instead of one's own."""

    def __post_init__(self) -> None:
        self.open_feed(1)

    def open_feed(self, feed: int, width: int = 10, audience: str = "staff") -> None:
        """Whoever reads from the beginning gains it."""
        self.feeds[feed] = {"feed": feed, "owner": str(HOME), "audience": audience, "width": width}

    def list(self, key: Key, rev: int, fields: Raw, feed: int = 1, **flags: bool) -> None:
        """One change in one feed."""
        self.changes.append(
            {
                **{"feed": feed, "seq": len(self.changes) + 1, "collection": key.collection},
                **{"record": str(key.record), "home": str(key.home), "rev": rev, "fields": fields, **flags},
            }
        )

    def write(self, key: Key, fields: Raw) -> int:
        """Somebody else's change."""
        held = self.records.get(key, {"rev": 0, "fields": {}})
        rev, fields = held["rev"] + 1, {**held["fields"], **fields}
        self.records[key] = {"rev": rev, "fields": fields}
        self.list(key, rev, fields)
        return int(rev)

    def answer(self, request: Request) -> Answer:
        """What the server would say."""
        body = json.loads(request.body)
        assert body["protocol"] == 1
        said: Raw = {}
        if request.kind == "pull":
            self.pulls.append(body)
            said = self.page(body)
        elif request.kind == "push":
            said = self.push(body)
        else:
            self.pulls.append(body)
            said = {"push": self.push(body["push"]), "page": self.page(body)}
        if self.next_answers:
            return self.next_answers.pop(0)
        return 200, JSON, json.dumps(said).encode()

    def push(self, body: Raw) -> Raw:
        """Consumes what it hasn't seen, repeats what it has."""
        assert len(body["mutations"]) <= MOST_MUTATIONS
        assert {m["home"] for m in body["mutations"]} <= {body["home"]}
        self.pushes.append(body)
        outcomes = [self._outcome(mutation) for mutation in body["mutations"]]
        return {"outcomes": outcomes, "received": self.received, "epoch": self.epoch, "server_time": self._time()}

    def page(self, body: Raw) -> Raw:
        """From a cursor that is simply a number of changes."""
        cursor = body["cursor"]
        read, beside = min(int(cursor or 0), len(self.changes)), self.beside.pop(0) if self.beside else {}
        asked = {reset["feed"] for reset in beside.get("reset", [])} | set(body["reread"])
        again = [c for c in self.changes[:read] if c["feed"] in asked]
        new = self.changes[read : read + body["limit"]]
        if not (new or beside or asked) and cursor is not None:
            return {"unchanged": True, "epoch": self.epoch}
        reached = read + len(new)
        complete = reached == len(self.changes)
        return {
            "changes": again + new,
            "cursor": str(reached),
            "complete": complete,
            "gained": list(self.feeds.values()) if cursor is None else [],
            "reset": [{"feed": feed, "reason": "asked"} for feed in body["reread"]],
            "digests": self.digests() if complete else {},
            **{"epoch": self.epoch, "server_time": self._time(), **beside},
        }

    def digests(self) -> dict[str, int]:
        """Of every feed, over what is live in it."""
        live: dict[tuple[int, str], int] = {}
        for change in self.changes:
            words = change["collection"], change["record"], change["rev"], change["fields"]
            gone = change.get("deleted") or change.get("departed")
            live[change["feed"], change["record"]] = 0 if gone else record_hash(*words)
        return {str(feed): digest(h for (f, _), h in live.items() if f == feed) for feed in self.feeds}

    @property
    def mutations(self) -> Iterator[Raw]:
        """Every mutation that ever arrived, repeats too."""
        return (mutation for push in self.pushes for mutation in push["mutations"])

    def _outcome(self, mutation: Raw) -> Raw:
        content = {name: mutation[name] for name in CONTENT}
        if mutation["id"] not in self.outcomes:
            self.received += 1
            said = self.judge(mutation) or {"outcome": "applied", "rev": self._believe(mutation)}
            self.outcomes[mutation["id"]] = {"id": mutation["id"], **said}, content
            return self.outcomes[mutation["id"]][0]
        outcome, known = self.outcomes[mutation["id"]]
        if known != content:
            self.received += 1
            return {"id": mutation["id"], **refusal("mutation_reused")}
        return {**outcome, "replayed": True}

    def _believe(self, mutation: Raw) -> int:
        key = Key(mutation["collection"], UUID(mutation["home"]), UUID(mutation["record"]))
        held = self.records.get(key, {"fields": {}})["fields"]
        if mutation["op"] == "delete":
            rev = self.records.pop(key)["rev"] + 1
            self.list(key, rev, {}, deleted=True)
            return int(rev)
        return self.write(key, {name: changed(held.get(name), c) for name, c in mutation["fields"].items()})

    def _time(self) -> str:
        return self.now.isoformat()


@dataclass
class Pair:
    """A phone, its server, and the world between them."""

    clock: Clock
    store: Store
    server: ScriptedServer
    phone: Replica

    def exchange(self) -> Answered:
        """One request and its answer."""
        request = self.phone.next_request()
        assert request is not None
        return self.phone.answer(request, *self.server.answer(request))

    def lose_an_answer(self) -> Request:
        """The server gets it; the phone hears nothing."""
        request = self.phone.next_request()
        assert request is not None
        self.server.answer(request)
        return request

    def sync(self) -> None:
        """Everything up, everything down."""
        self.phone.want_sync()
        self.finish()

    def finish(self) -> None:
        """Until there is nothing to say."""
        for _ in range(200):
            request = self.phone.next_request()
            if request is None:
                return
            answered = self.phone.answer(request, *self.server.answer(request))
            assert answered.verdict == "ok", answered
        raise AssertionError("this phone never comes to rest")

    def fields(self, key: Key) -> Raw | None:
        """As shown."""
        shown = self.phone.shown(key)
        return dict(shown.fields) if shown else None

    def key(self, collection: str, number: int, home: UUID = HOME) -> Key:
        """A record somebody else made."""
        return Key(collection, home, UUID(int=(7 << 76) | (2 << 62) | number))

    def last_push(self) -> list[Raw]:
        """The mutations that came last."""
        pushed: list[Raw] = self.server.pushes[-1]["mutations"]
        return pushed


def new_pair(store: Store | None = None, page_limit: int = 500) -> Pair:
    """Somebody signs in on a new phone."""
    clock, store = Clock(), store or MemoryStore()
    phone = Replica(store, clock.seams(), page_limit)
    phone.sign_in(PERSON, PHONE)
    return Pair(clock, store, ScriptedServer(), phone)


@pytest.fixture
def pair() -> Pair:
    """A phone that has never spoken to its server."""
    return new_pair()


def a_household(pair: Pair, number: int = 1, **fields: object) -> Key:
    """One the server has, at rev 3, and the phone too."""
    key = pair.key("households", number)
    pair.server.records[key] = {"rev": 2, "fields": {"door": "101", "phone": "1", "needs": ["oil", "rice"], "calls": 4}}
    pair.server.write(key, fields)
    pair.sync()
    return key
