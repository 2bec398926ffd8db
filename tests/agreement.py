"""Does everything agree: what a reader was given, and what the server keeps of every mutation?"""

import random
from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.context import Context
from app.fields import MERGED_INTO
from app.tables import Feed, FeedEntry, FeedMark, History, ReceivedMutation, Replica
from sync import cursor as cursors
from sync.canonical import DIGEST_MODULUS
from tests.world import World, bearer

Copies = dict[tuple[int, str, str], dict[str, Any]]
"""(feed, collection, record) → the last change of it."""
Rows = list[dict[str, Any]]


class Reader:
    """A phone that only pulls: it applies by seq and holds each page to what it may say."""

    def __init__(self, world: World, token: str, faults: list[str]) -> None:
        self.world, self.headers, self.faults = world, bearer(token), faults
        self.cursor: str | None = None
        self.read: dict[int, int] = {}
        self.copies: Copies = {}
        self.met: set[tuple[int, int]] = set()
        self.repeated = self.pages = 0
        self.digests: dict[str, int] = {}

    async def pull(self, limit: int) -> bool:
        """One page; was it complete?"""
        body = {"cursor": self.cursor, "limit": limit}
        answer = await self.world.http.post("/v1/sync/pull", json=body, headers=self.headers)
        if answer.status_code == 401:  # in a long run the token ends
            with suppress(AssertionError):
                self.headers = bearer(await self.world.phone_token("reader"))
        elif answer.status_code not in (200, 503):
            self.faults.append(f"a pull answered {answer.status_code}")
        if answer.status_code != 200:
            return False
        page = answer.json()
        self.pages += 1
        if page.get("unchanged"):
            return True
        if len(page["changes"]) > limit or page["lost"] or page["reset"]:
            self.faults.append("a page was too long, or took a feed away")
        self.move(page)
        return bool(page["complete"])

    def move(self, page: dict[str, Any]) -> None:
        self.cursor = page["cursor"]
        context = self.world.context
        reached = cursors.decode(page["cursor"], context.server_id, context.subkey("cursor")).feeds
        for change in page["changes"]:
            place = change["feed"], change["seq"]
            self.repeated += place in self.met
            self.met.add(place)
            if not self.read.get(place[0], 0) < place[1] <= reached[place[0]].seq:
                self.faults.append("a page held what its cursors don't cover")
            self.apply(change)
        if any(position.seq < self.read.get(feed, 0) for feed, position in reached.items()):
            self.faults.append("the cursor went back")
        self.read = {feed: position.seq for feed, position in reached.items()}
        self.digests |= page["digests"]

    def apply(self, change: dict[str, Any]) -> None:
        key = change["feed"], change["collection"], change["record"]
        if change["seq"] <= self.copies.get(key, {"seq": 0})["seq"]:
            self.faults.append("a page went back to what was read before")
        self.copies[key] = change

    async def drain(self, *limits: int) -> None:
        while not await self.pull(random.choice(limits)):
            pass


async def faults_of(
    context: Context, acknowledged: dict[str, dict[str, Any]], fresh: Copies, digests: dict[str, int]
) -> tuple[int, list[str]]:
    """How many revisions the history has, and everything in which the server contradicts itself."""
    async with context.database.snapshot("server") as snapshot:
        tables = (ReceivedMutation, Replica, History, Feed, FeedMark, FeedEntry)
        kept = [[dict(r._mapping) for r in await snapshot.rows(sa.select(t.__table__))] for t in tables]
        records = {
            (name, row.id): dict(row._mapping)
            for name, collection in COLLECTIONS.items()
            for row in await snapshot.rows(sa.select(collection.table))
        }
    received, replicas, history, feeds, marks, entries = kept
    faults = of_received(received, replicas, history, acknowledged)
    faults += of_history(history, records)
    faults += of_feeds(feeds, marks, entries, digests)
    faults += of_listing(feeds, entries, records)
    listed = {(e["feed_id"], e["collection"], str(e["record_id"])): (e["seq"], e["rev"]) for e in entries}
    if {key: (change["seq"], change["rev"]) for key, change in fresh.items()} != listed:
        faults.append("a fresh pull is not what the feeds list")
    return len(history), faults


def of_received(received: Rows, replicas: Rows, history: Rows, acknowledged: dict[str, dict[str, Any]]) -> list[str]:
    """I1: every acknowledged mutation is kept with its outcome, and each received one has one."""
    of_phones = {str(row["id"]): row for row in received if row["replica_id"]}
    written = {str(row["mutation_id"]) for row in history}
    faults = []
    for id, outcome in acknowledged.items():
        row = of_phones.get(id)
        if row is None:
            faults.append("an acknowledged mutation is not there")
        elif row["outcome"] != outcome["outcome"] or row["answer"].get("rev") != outcome.get("rev"):
            faults.append("an acknowledged outcome is another now")
        elif id not in written and row["payload"] is None:
            faults.append("of an acknowledged mutation there is no word")
    names = Counter(row["outcome"] for row in of_phones.values())
    consumed = sum(row["received"] for row in replicas)
    if not sum(names.values()) == consumed == len(acknowledged):
        faults.append(f"received {consumed}, outcomes {names.total()}, acknowledged {len(acknowledged)}")
    if names.keys() - {"applied", "merged", "conflicted", "refused"}:
        faults.append("an outcome without a name")
    return faults


def of_history(history: Rows, records: dict[tuple[str, UUID], dict[str, Any]]) -> list[str]:
    """Each rev once and without a gap, and each write upon what the one before left."""
    faults, past = [], defaultdict(list)
    for row in sorted(history, key=lambda row: row["rev"]):
        past[row["collection"], row["record_id"]].append(row)
    for key, rows in past.items():
        held: dict[str, Any] = {}
        for row in rows:
            if any(name in held and held[name] != value for name, value in row["was"].items()):
                faults.append(f"{key[0]}: a write was upon another value than the one before left")
            held |= {name: value for name, value in row["fields"].items() if name != MERGED_INTO}
        now = records.get(key)
        fields = COLLECTIONS[key[0]].as_fields(now) if now else {}
        if now is None or any(fields[name] != value for name, value in held.items()):
            faults.append(f"{key[0]}: the record is not what its history says")
        elif [row["rev"] for row in rows] != list(range(1, now["rev"] + 1)):
            faults.append(f"{key[0]}: a rev is missing, or is there twice")
    if records.keys() - past.keys():
        faults.append("a record without history")
    return faults


def of_feeds(feeds: Rows, marks: Rows, entries: Rows, digests: dict[str, int]) -> list[str]:
    """The head is the newest number and has its mark; the digest is the sum of what is listed."""
    faults = []
    newest = {(mark["feed_id"], mark["seq"]): mark["tag"] for mark in marks}
    for feed in feeds:
        listed = [entry for entry in entries if entry["feed_id"] == feed["id"]]
        numbers = [entry["seq"] for entry in listed]
        newest_listed = max(numbers, default=0)
        forgotten = newest_listed < feed["head"] <= feed["horizon"]  # a tombstone that compaction took
        if len(set(numbers)) != len(numbers) or (newest_listed != feed["head"] and not forgotten):
            faults.append("a number is there twice, or the head is not the newest")
        if feed["head"] and newest.get((feed["id"], feed["head"])) != feed["tag"]:
            faults.append("the head has not its mark")
        total = sum(entry["hash"] for entry in listed if entry["live"]) % DIGEST_MODULUS
        if not total == feed["digest"] == digests.get(str(feed["id"]), total):
            faults.append("a digest is not the sum of what is listed")
    return faults


SHOWN_TO_HELPERS = {"households", "residents", "visits"}


def of_listing(feeds: Rows, entries: Rows, records: dict[tuple[str, UUID], dict[str, Any]]) -> list[str]:
    """Whatever is not deleted is listed once, at its rev, in the feed of the building, or team, where it lies now; and
    once more in the helpers' feed of that building, where there is one and they may see any of it.
    """
    faults, live, masked = [], defaultdict(list), defaultdict(list)
    helpers = {feed["id"]: feed["owner_id"] for feed in feeds if feed["audience"] == "helper"}
    for entry in (entry for entry in entries if entry["live"]):
        where = masked if entry["feed_id"] in helpers else live
        where[entry["collection"], entry["record_id"]].append(entry)
    own = {feed["owner_id"]: feed["id"] for feed in feeds if feed["audience"] in ("staff", "team")}
    for key, row in records.items():
        if key[0] == "areas":
            continue
        at = live.get(key, [])
        if len(at) != (row["deleted_at"] is None):
            faults.append(f"{key[0]}: a record is listed {len(at)} times")
        elif at and (at[0]["rev"], at[0]["feed_id"]) != (row["rev"], own[owner_of(key, records)]):
            faults.append(f"{key[0]}: a record is listed at another rev, or where it no longer lies")
        seen = [(entry["rev"], helpers[entry["feed_id"]]) for entry in masked.get(key, ())]
        owner = owner_of(key, records)
        theirs = owner in helpers.values() and key[0] in SHOWN_TO_HELPERS and row["deleted_at"] is None
        if seen != ([(row["rev"], owner)] if theirs else []):
            faults.append(f"{key[0]}: helpers see {seen}")
    return faults


def owner_of(key: tuple[str, UUID], records: dict[tuple[str, UUID], dict[str, Any]]) -> UUID:
    """Through its household, or the record that a conflict is of, to the building; or to the team."""
    row = records[key]
    if key[0] == "conflicts":
        return owner_of((row["of_collection"], UUID(str(row["of_record"]))), records)
    if "household_id" in row:
        return owner_of(("households", row["household_id"]), records)
    area = records["areas", UUID(str(row["area_id"]))]
    owner: UUID = area["feed_area_id"] or area["id"]
    return owner
