"""Pulls of a whole feed: a phone's first, plain and compressed, against the bare reading of the same bytes."""

import gzip
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.benchmark.asking import ask
from app.benchmark.figures import Figure, Timed, beside
from app.benchmark.ground import Phone, sign_in_phones
from app.benchmark.keepalive import Answer, BadAnswer, KeepAlive, as_request
from app.benchmark.session import Session
from sync.wire import DEFAULT_PAGE, PROTOCOL, PullBody

PULL = "/v1/sync/pull"
GZIP_LEVEL = 6


@dataclass(frozen=True)
class FirstPull:
    """What a phone asks for until its first page is complete, and what it got."""

    asked: list[PullBody]
    pages: list[bytes]
    feeds: list[tuple[UUID, int]]
    """(home, feed) of each feed, in order of the feed."""
    records: int
    cursor: str


async def first_pull(session: Session) -> list[Figure]:
    """One phone reads everything it may see, page by page.

    The limit is the bare driver reading the same stored bytes of the same feeds, in pages of as many,
    joined to one page's bytes: no token, no access, no snapshot of heads, no cursor, no HTTP.
    """
    phone = (await sign_in_phones(session.ground, 1))[0]
    first = await read_all(session, phone)
    requests = [as_request(PULL, phone.token(), body) for body in first.asked]
    ours, limit = [], []
    for _ in range(session.scale.rounds + 1):
        limit.append(await _read_bare(session, first))
        timed, answers = await ask(session.server, session.world, [requests], first.records)
        require_same(first, [answer.expected().body for answer in answers])
        ours.append(timed)
    return [beside("first-pull", ours[1:], limit[1:], unit="records/s", at_least=0.35, sent_bytes=ours[1].bytes)]


async def first_pull_gzip(session: Session) -> list[Figure]:
    """The same, compressed for the air: as fast beside the same limit, and little larger than gzip -6."""
    phone = (await sign_in_phones(session.ground, 1))[0]
    first = await read_all(session, phone)
    smallest = sum(len(gzip.compress(page, GZIP_LEVEL, mtime=0)) for page in first.pages)
    requests = [as_request(PULL, phone.token(), body, accept_encoding="gzip") for body in first.asked]
    ours, limit, encoding = [], [], ""
    for _ in range(session.scale.rounds + 1):
        limit.append(await _read_bare(session, first))
        timed, answers = await ask(session.server, session.world, [requests], first.records)
        encoding = answers[0].expected().encoding
        require_same(first, [_inflated(answer) for answer in answers])
        ours.append(timed)
    if encoding != "gzip":
        return [Figure("first-pull-gzip", None, "records/s", at_least=0.28, note="not compressed")]
    rate = beside("first-pull-gzip", ours[1:], limit[1:], unit="records/s", at_least=0.28)
    note = f"the limit is gzip -{GZIP_LEVEL} of the same pages; plain they are {sum(map(len, first.pages)):,} bytes"
    size = Figure("first-pull-gzip-bytes", ours[-1].bytes, "bytes", smallest, at_most=1.15, note=note)
    return [rate, size, *await _zstd(session, phone, first, smallest)]


async def _zstd(session: Session, phone: Phone, first: FirstPull, smallest: int) -> list[Figure]:
    """The bytes of the same pages for a phone that takes zstd, where the server gives it; only told."""
    requests = [as_request(PULL, phone.token(), body, accept_encoding="zstd") for body in first.asked]
    timed, answers = await ask(session.server, session.world, [requests], first.records)
    if any(answer.expected().encoding != "zstd" for answer in answers):
        return []
    return [Figure("first-pull-zstd-bytes", timed.bytes, "bytes", smallest, note="the limit is the same")]


async def read_all(session: Session, phone: Phone, cursor: str | None = None) -> FirstPull:
    """Pulls until complete; what was asked can be asked again, by the clock."""
    asked = [PullBody(protocol=PROTOCOL, cursor=cursor)]
    pages: list[bytes] = []
    feeds: list[tuple[UUID, int]] = []
    records = 0
    async with KeepAlive(session.server.port) as line:
        while True:
            body = (await line.ask(as_request(PULL, phone.token(), asked[-1]))).expected().body
            page = json.loads(body)
            pages.append(body)
            if "unchanged" in page:
                return FirstPull(asked, pages, feeds, records, str(cursor))
            records += len(page["changes"])
            feeds += [
                (session.ground.home if g["audience"] == "staff" else UUID(g["owner"]), g["feed"])
                for g in page["gained"]
            ]
            if page["complete"]:
                return FirstPull(asked, pages, sorted(feeds, key=lambda feed: feed[1]), records, page["cursor"])
            asked.append(PullBody(protocol=PROTOCOL, cursor=page["cursor"]))


def require_same(first: FirstPull, pages: Sequence[bytes]) -> None:
    """The changes of these pages, byte for byte as they were first read. Raises BadAnswer."""
    if [_changes(page) for page in pages] != [_changes(page) for page in first.pages]:
        raise BadAnswer("the same pull gave other changes")


def _changes(page: bytes) -> bytes:
    return page[: page.rindex(b"],")]


def _inflated(answer: Answer) -> bytes:
    return gzip.decompress(answer.body) if answer.encoding == "gzip" else answer.body


async def _read_bare(session: Session, first: FirstPull) -> Timed:
    world, each, total, records = session.world, [], 0, 0
    began = last = world.monotonic()
    async for count, page in _bare_pages(session, first.feeds):
        now = world.monotonic()
        each.append(now - last)
        last, total, records = now, total + len(page), records + count
    timed = Timed(records, world.monotonic() - began, each, 0, total)
    if records != first.records:
        raise BadAnswer(f"the store holds {records} records and the pages {first.records}")
    return timed


async def _bare_pages(session: Session, feeds: Sequence[tuple[UUID, int]]) -> AsyncIterator[tuple[int, bytes]]:
    """Every entry of these feeds in pages of DEFAULT_PAGE."""
    rows: list[tuple[int, int, bytes]] = []
    for home, feed in feeds:
        above = 0
        while True:
            found = await session.bare.stored_bodies(home, feed, above, DEFAULT_PAGE - len(rows))
            rows += found
            if len(rows) < DEFAULT_PAGE:
                break
            above = found[-1][1]
            yield len(rows), _as_page(rows)
            rows = []
    yield len(rows), _as_page(rows)


def _as_page(rows: Sequence[tuple[int, int, bytes]]) -> bytes:
    return b'{"changes":[%b]}' % b",".join(b'{"feed":%d,"seq":%d,%b}' % (*row,) for row in rows)
