"""A past for the tables: as many visits as wanted, row for row what pushing them would have left behind.

A million pushed visits would take an hour. A test compares these rows with those of a real push.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from app.benchmark.ground import Building, Ground, Phone
from app.benchmark.visits import VISITS, Knocks, Visit, as_row
from app.database import Transaction
from app.tables import Feed, FeedEntry, FeedMark, History, ReceivedMutation
from sync.canonical import DIGEST_MODULUS, canonical_json, record_hash

PUSH = 100
"""Visits a push, and so a mark."""
AT_ONCE = 100 * PUSH

Rows = list[dict[str, Any]]
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]
_MARK: sa.Table = FeedMark.__table__  # type: ignore[attr-defined]
_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]


async def preload(ground: Ground, phone: Phone, knocks: Knocks, count: int, buildings: Sequence[Building]) -> None:
    """That many visits, in pushes of a hundred to these buildings in turn."""
    pushes = _pushes(knocks, count, buildings)
    while batch := [push for _, push in zip(range(AT_ONCE // PUSH), pushes, strict=False)]:
        await ground.context.database.run(lambda t, batch=batch: _load(t, ground, phone, batch))  # type: ignore[misc]


Push = tuple[Building, list[Visit]]


def _pushes(knocks: Knocks, count: int, buildings: Sequence[Building]) -> Iterator[Push]:
    for number, start in enumerate(range(0, count, PUSH)):
        building = buildings[number % len(buildings)]
        yield building, knocks.visits(min(PUSH, count - start), building.households)


async def _load(transaction: Transaction, ground: Ground, phone: Phone, pushes: Sequence[Push]) -> None:
    wanted = sa.select(_FEED).where(_FEED.c.home == ground.home, _FEED.c.audience == "staff").with_for_update()
    feeds: dict[int, dict[str, Any]] = {row.id: dict(row._mapping) for row in await transaction.rows(wanted)}
    rows: dict[sa.Table, Rows] = defaultdict(list)
    for building, visits in pushes:
        _list_push(ground, phone, feeds[building.feed], building, visits, rows)
    for table, added in rows.items():
        await transaction.insert(table, added)
    await transaction.upsert(_FEED, list(feeds.values()))


def _list_push(
    ground: Ground,
    phone: Phone,
    feed: dict[str, Any],
    building: Building,
    visits: Sequence[Visit],
    rows: dict[sa.Table, Rows],
) -> None:
    """Adds one push's rows; the feed moves on."""
    now, home = visits[-1].made_at, ground.home
    for visit in visits:
        feed["head"] += 1
        number = record_hash("visits", str(visit.id), 1, visit.kept)
        feed["digest"] = (feed["digest"] + number) % DIGEST_MODULUS
        rows[VISITS.table].append(as_row(visit, home, building.id, phone.person, now))
        rows[_ENTRY].append(_entry(visit, ground, feed, number))
        rows[_HISTORY].append(_history(visit, ground, phone))
        rows[_RECEIVED].append(_received(visit, ground, phone))
    feed["tag"] = int.from_bytes(ground.context.seams.random_bytes(4), "big") | 1
    mark = {"home": home, "feed_id": feed["id"], "seq": feed["head"], "tag": feed["tag"], "made_at": now}
    rows[_MARK].append(mark)


def _entry(visit: Visit, ground: Ground, feed: dict[str, Any], number: int) -> dict[str, Any]:
    body = b'"collection":"visits","record":"%b","home":"%b","rev":1,"fields":%b,"hash":%d' % (
        str(visit.id).encode(),
        str(ground.home).encode(),
        canonical_json(visit.kept),
        number,
    )
    return {
        **{"home": ground.home, "collection": "visits", "record_id": visit.id, "feed_id": feed["id"]},
        **{"seq": feed["head"], "rev": 1, "hash": number, "live": True, "body": body},
    }


def _history(visit: Visit, ground: Ground, phone: Phone) -> dict[str, Any]:
    return {
        **{"home": ground.home, "collection": "visits", "record_id": visit.id, "rev": 1},
        **{"mutation_id": visit.mutation, "person_id": phone.person, "at": visit.made_at},
        **{"op": "create", "fields": visit.kept, "was": {}},
    }


def _received(visit: Visit, ground: Ground, phone: Phone) -> dict[str, Any]:
    """Its content's digest is only as long as a real one: nobody sends these again."""
    return {
        **{"home": ground.home, "id": visit.mutation, "person_id": phone.person, "replica_id": phone.replica},
        **{"collection": "visits", "record_id": visit.id, "op": "create"},
        **{"content": hashlib.sha256(visit.mutation.bytes).digest(), "base": 0, "after": None},
        **{"made_at": visit.made_at, "sent_at": visit.made_at, "received_at": visit.made_at},
        **{"outcome": "applied", "answer": {"id": str(visit.mutation), "outcome": "applied", "rev": 1}},
        "payload": None,
    }
