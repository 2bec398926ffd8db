"""Monday morning: every phone comes at once; and then more than can be served."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

from app.benchmark.asking import ask
from app.benchmark.figures import Figure, percentile
from app.benchmark.ground import Phone, sign_in_phones
from app.benchmark.keepalive import Answer, BadAnswer, KeepAlive, as_request
from app.benchmark.pulling import read_all
from app.benchmark.servers import running_server
from app.benchmark.session import Session
from app.benchmark.small_pulls import DELTA, push_delta
from app.benchmark.visits import as_push
from sync.client import TRIES
from sync.wire import PROTOCOL, SyncBody

SYNC = "/v1/sync"
PUSHED = 10
OVERLOAD = 5
PATIENCE_SECONDS = 10
"""An answer that comes later than this has not come, to somebody in a stairwell."""

Cursors = dict[int, str]
"""By feed of the building: fifty records ago."""


@dataclass
class Tally:
    """What came of the phones."""

    done_seconds: list[float] = field(default_factory=list)
    put_off: int = 0
    """503s."""
    faults: list[str] = field(default_factory=list)
    """Anything else, and no answer at all."""

    def percentile(self, percent: int) -> float | None:
        """Milliseconds of those who were served."""
        return percentile(self.done_seconds, percent) * 1000 if self.done_seconds else None


async def storm(session: Session) -> list[Figure]:
    """Each phone pulls fifty records and pushes ten, as phones do, in one /v1/sync on a connection of its own.

    First the most that the server can do: a few phones, each asking again as soon as it is answered. Then
    all phones come within a minute; one that is told 503 waits as long as it was told, and a little longer
    by chance. Then five times as many a second come as could be served at most, each once; the limit is
    that most, since a server that is asked for more than it can do should go on doing what it can.
    """
    phones = await sign_in_phones(session.ground, session.scale.storm_phones)
    workers = session.many_workers
    async with running_server(session.settings, session.folder, session.world, workers=workers) as server:
        session = replace(session, server=server)
        cursors = await _cursors(session, phones)
        peak = await _peak(session, phones[: session.scale.phones], cursors)
        return [
            Figure("storm-peak", peak, "phones/s", note=f"{workers} worker{'s' * (workers > 1)}"),
            await _storm(session, phones, cursors),
            await _overload(session, phones, cursors, peak),
        ]


async def _cursors(session: Session, phones: Sequence[Phone]) -> Cursors:
    one_each = {phone.building.feed: phone for phone in phones}
    cursors = {feed: (await read_all(session, phone)).cursor for feed, phone in one_each.items()}
    await push_delta(session, list(one_each.values()))
    return cursors


def _request(session: Session, phone: Phone, cursors: Cursors) -> bytes:
    push = as_push(session.ground.home, session.visits(phone, PUSHED))
    cursor = cursors[phone.building.feed]
    return as_request(SYNC, phone.token(), SyncBody(protocol=PROTOCOL, push=push, cursor=cursor, limit=DELTA))


async def _peak(session: Session, phones: Sequence[Phone], cursors: Cursors) -> float:
    asks = session.scale.asks
    requests = [[_request(session, phone, cursors) for _ in range(asks)] for phone in phones]
    timed, answers = await ask(session.server, session.world, requests, asks * len(phones))
    if not all(map(_is_done, answers)):
        raise BadAnswer("a phone that asked alone was not served")
    return timed.rate


async def _storm(session: Session, phones: Sequence[Phone], cursors: Cursors) -> Figure:
    requests = [_request(session, phone, cursors) for phone in phones]
    tally, seconds = Tally(), session.scale.storm_seconds
    arrivals = [
        _arrive(session, request, seconds * number / len(requests), TRIES, tally)
        for number, request in enumerate(requests)
    ]
    await asyncio.gather(*arrivals)
    faults = f"; {len(tally.faults)} failed, the first by {tally.faults[0]}" if tally.faults else ""
    return Figure(
        "storm",
        len(tally.done_seconds),
        "phones",
        len(requests),
        at_least=1,
        p50_milliseconds=tally.percentile(50),
        p99_milliseconds=tally.percentile(99),
        note=f"all within {seconds:g} s; {tally.put_off} times one was told to come again{faults}",
    )


async def _overload(session: Session, phones: Sequence[Phone], cursors: Cursors, peak: float) -> Figure:
    seconds = session.scale.overload_seconds
    count = int(peak * OVERLOAD * seconds)
    requests = [_request(session, phone, cursors) for phone in islice(cycle(phones), count)]
    tally = Tally()
    arrivals = [
        asyncio.ensure_future(_arrive(session, request, seconds * number / count, 1, tally))
        for number, request in enumerate(requests)
    ]
    await session.world.sleep(seconds)
    served = len(tally.done_seconds)
    slowest = tally.percentile(99)
    for arrival in arrivals:
        arrival.cancel()
    await asyncio.gather(*arrivals, return_exceptions=True)
    note = (
        f"{count / seconds:.0f} came a second for {seconds:g} s; {tally.put_off} were told 503,"
        f" {len(tally.faults)} failed, {count - served - tally.put_off - len(tally.faults)} still waited at the end"
    )
    return Figure(
        "storm-overload", served / seconds, "phones/s", peak, at_least=0.8, p99_milliseconds=slowest, note=note
    )


async def _arrive(session: Session, request: bytes, after_seconds: float, tries: int, tally: Tally) -> None:
    """One phone: comes at its time, asks, and where it is put off comes again, so many times in all."""
    world = session.world
    await world.sleep(after_seconds)
    began = world.monotonic()
    for attempt in range(1, tries + 1):
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), KeepAlive(session.server.port) as line:
                answer = await line.ask(request)
        except (OSError, TimeoutError, BadAnswer) as error:
            tally.faults.append(type(error).__name__)
            return
        if answer.status != 503:
            break
        tally.put_off += 1
        if attempt < tries:
            await world.sleep((answer.retry_after_seconds or 1) * world.uniform(1, 1.5))
    if _is_done(answer):
        tally.done_seconds.append(world.monotonic() - began)
    elif answer.status != 503 or tries > 1:
        tally.faults.append(str(answer.status))


def _is_done(answer: Answer) -> bool:
    """Ten applied and fifty read."""
    pushed, _, page = answer.body.partition(b'"page":')
    return answer.status == 200 and pushed.count(b'"applied"') == PUSHED and page.count(b'"seq":') == DELTA
