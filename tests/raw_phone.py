"""Phones whose every word a test writes itself, a clock that it moves, and a second community."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from app.grants import add_grant
from app.identity.passwords import hash_password
from app.operator import Item, create_all
from app.people import add_person
from sync import seams
from sync.canonical import digest, record_hash
from tests.world import NEW_ID, PASSWORD, World, bearer, mutation

Answer = dict[str, Any]


class RawPhone:
    """A phone whose words a test writes itself; what it stores is only what the pages said."""

    def __init__(self, world: World, token: str, login: str = "") -> None:
        self.world, self.headers, self.login = world, bearer(token), login
        self.cursor: str | None = None
        self.feeds: dict[int, dict[tuple[str, str], Answer]] = defaultdict(dict)
        self.digests: dict[int, int] = {}
        self.lost: set[int] = set()

    async def send(self, *mutations: Answer, **envelope: Any) -> httpx.Response:
        body = {"protocol": 1, "home": str(self.world.home), "mutations": [*mutations], **envelope}
        return await self.world.http.post("/v1/sync/push", json=body, headers=self.headers)

    async def push(self, *mutations: Answer, **envelope: Any) -> list[Answer]:
        answer = await self.send(*mutations, **envelope)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["outcomes"])

    async def say(self, collection: str, record: UUID, op: str = "create", base: int = 0, **options: Any) -> Answer:
        """One mutation by itself; its outcome."""
        [outcome] = await self.push(mutation(self.world, collection, record, op, base, **options))
        return outcome

    async def apply(self, *mutation: Any, **options: Any) -> Answer:
        outcome = await self.say(*mutation, **options)
        assert outcome["outcome"] == "applied", outcome
        return outcome

    async def pull(self) -> None:
        """Reads to the complete page."""
        complete = False
        while not complete:
            body = {"protocol": 1, "cursor": self.cursor, "limit": 100}
            answer = await self.world.http.post("/v1/sync/pull", json=body, headers=self.headers)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            complete = self._store(page)

    def _store(self, page: Answer) -> bool:
        if page.get("unchanged"):
            return True
        for reset in page.get("reset", []):
            self.feeds[reset["feed"]].clear()
        for change in page.get("changes", []):
            entries, key = self.feeds[change["feed"]], (change["collection"], change["record"])
            entries.pop(key, None)
            if not (change.get("deleted") or change.get("departed")):
                entries[key] = change
        self.digests |= {int(feed): value for feed, value in page.get("digests", {}).items()}
        for feed in page.get("lost", []):
            self.lost.add(feed)
            self.feeds.pop(feed, None)
            self.digests.pop(feed, None)
        self.cursor = page["cursor"]
        return bool(page["complete"])

    def check_digests(self) -> None:
        """Each feed's digest is the sum of the hashes of what this phone stored of it."""
        for feed, expected in self.digests.items():
            hashes = [
                record_hash(c["collection"], c["record"], c["rev"], c["fields"]) for c in self.feeds[feed].values()
            ]
            assert digest(hashes) == expected

    def holds(self, collection: str, record: object) -> Answer | None:
        """The change of the record, whichever feed holds it."""
        found = [e for feed in self.feeds.values() if (e := feed.get((collection, str(record))))]
        assert len(found) <= 1
        return found[0] if found else None

    def feed_of(self, collection: str, record: object) -> int:
        change = self.holds(collection, record)
        assert change is not None
        return int(change["feed"])

    async def get(self, collection: str, record: object) -> Answer:
        answer = await self.world.http.get(f"/v1/{collection}/{record}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def history(self, collection: str, record: object) -> list[Answer]:
        answer = await self.world.http.get(f"/v1/{collection}/{record}/history", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["history"])

    async def resolve(
        self, conflict: str, value: Any, *, base: int, seen: int, after: UUID | str | None = None
    ) -> Answer:
        """A resolution made by somebody who saw the conflict at rev `seen` and its record at rev `base`."""
        said = {"resolution": {"value": value, "base": base, "after": str(after) if after else None}}
        return await self.say("conflicts", UUID(conflict), "update", seen, fields=said)


async def phone_of(world: World, login: str, **where: str) -> RawPhone:
    """A new person with a phone."""
    await world.add_person(login, **where)
    return RawPhone(world, await world.phone_token(login), login)


class Clock:
    """The server's clock, which a test moves."""

    def __init__(self) -> None:
        self.time = seams.real().now()

    def now(self) -> datetime:
        return self.time

    def forward(self, **how_long: float) -> None:
        self.time += timedelta(**how_long)


async def second_community(world: World) -> UUID:
    """Another community of the same district, with a building and a unit."""
    home = NEW_ID()
    world.areas |= {"community_b": home, "building_b": NEW_ID(), "unit_b": NEW_ID()}
    tree = [
        ("community_b", "district", "community"),
        ("building_b", "community_b", "building"),
        ("unit_b", "building_b", "unit"),
    ]
    await create_all(
        world.context,
        [
            Item(
                collection="areas",
                record=str(world.areas[name]),
                home=None,
                fields={"parent_id": str(world.areas[parent]), "level": level, "name": name, "code": name},
            )
            for name, parent, level in tree
        ],
    )
    hashed = await hash_password(PASSWORD, bytes(16))
    async with world.context.database.transaction() as transaction:
        qian = world.people["qian"] = await add_person(transaction, world.context.seams, "qian", hashed)
        there = {"person_id": qian, "area_id": home}
        await add_grant(transaction, world.context, **there, role="worker")
    return home
