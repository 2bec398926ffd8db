"""Does it stay as fast as it is? The same work at databases of several sizes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from statistics import median

from app.benchmark.asking import ask
from app.benchmark.bare import bare_connection
from app.benchmark.figures import Figure, Timed
from app.benchmark.ground import Phone, lay_ground, sign_in_phones
from app.benchmark.preload import PUSH as BATCH
from app.benchmark.preload import preload
from app.benchmark.pulling import read_all
from app.benchmark.pushing import push_visits
from app.benchmark.servers import running_server
from app.benchmark.session import Session, database_beside, opened_empty
from app.benchmark.small_pulls import cursor_of, pulls, push_delta, require_deltas

BUILDINGS = 8


@dataclass
class Grown:
    """One size: a session at a database of its own, a phone that is up to date, and the rounds so far."""

    size: int
    session: Session
    phone: Phone
    cursor: str
    pushes: list[Timed] = field(default_factory=list)
    deltas: list[Timed] = field(default_factory=list)


async def growth(session: Session) -> list[Figure]:
    """One phone pushes a hundred visits, and pulls fifty, at each size in turn, round after round.

    The databases lie side by side, each under a server of its own, and hold equally many areas, feeds and
    people: only the number of visits grows, and with it every table and index. The limit is the smallest.
    """
    async with AsyncExitStack() as stack:
        sizes = [await stack.enter_async_context(_grown(session, size)) for size in session.scale.sizes]
        for _ in range(session.scale.rounds + 1):
            for one in sizes:
                await _round(one)
        return [
            _figure("growth-push", sizes, [one.pushes[1:] for one in sizes]),
            _figure("growth-delta", sizes, [one.deltas[1:] for one in sizes]),
        ]


async def _round(one: Grown) -> None:
    session, phone, scale = one.session, one.phone, one.session.scale
    batches = [session.visits(phone, BATCH) for _ in range(scale.batches)]
    one.pushes.append(await push_visits(session, [phone], [batches]))
    one.cursor = (await read_all(session, phone, one.cursor)).cursor
    await push_delta(session, [phone])
    timed, answers = await ask(session.server, session.world, [pulls(phone, one.cursor, scale.asks)], scale.asks)
    one.cursor = cursor_of(require_deltas(answers)[-1])
    one.deltas.append(timed)


def _figure(measure: str, sizes: Sequence[Grown], rounds: Sequence[Sequence[Timed]]) -> Figure:
    """Milliseconds a request at the largest size beside those at the smallest."""
    medians = [[median(timed.each_seconds) * 1000 for timed in own] for own in rounds]
    times = [median(own) for own in medians]
    ratio = median(last / first for first, last in zip(medians[0], medians[-1], strict=True))
    said = ", ".join(f"{one.size:,} visits {time:.3g} ms" for one, time in zip(sizes, times, strict=True))
    return Figure(measure, times[-1], "ms", times[0], ratio, at_most=1.25, note=said)


@asynccontextmanager
async def _grown(session: Session, size: int) -> AsyncIterator[Grown]:
    async with AsyncExitStack() as stack:
        settings = await stack.enter_async_context(database_beside(session, f"{size}"))
        context = await stack.enter_async_context(opened_empty(settings, session.world))
        ground = await lay_ground(context, BUILDINGS, session.scale.doors)
        [writer, phone] = await sign_in_phones(ground, 2)
        await preload(ground, writer, session.knocks, size, ground.buildings)
        bare = await stack.enter_async_context(bare_connection(settings, session.folder / f"{size}-bare.db"))
        await bare.settle()
        server = await stack.enter_async_context(running_server(settings, session.folder, session.world))
        own = replace(session, settings=settings, ground=ground, bare=bare, server=server)
        yield Grown(size, own, phone, (await read_all(own, phone)).cursor)
