"""Pushes: one phone against bare inserts, and eight phones against one."""

from collections.abc import Sequence
from dataclasses import replace

from app.benchmark.asking import ask
from app.benchmark.figures import Figure, Timed, beside
from app.benchmark.ground import Phone, add_helper, sign_in_phones
from app.benchmark.keepalive import Answer, BadAnswer, as_request
from app.benchmark.preload import PUSH as BATCH
from app.benchmark.servers import running_server
from app.benchmark.session import Session
from app.benchmark.visits import Visit, as_push, as_row
from sync.wire import OutcomeName, PushBody

PUSH = "/v1/sync/push"
PHONES = 8


async def push(session: Session) -> list[Figure]:
    """One phone pushes visits, a hundred at a time.

    The limit is the least that any server must do with them: the same rows into a copy of their table,
    with its indexes and as many rows in it, one statement a hundred, each on disk when it returns. A push
    also keeps history, outcome, feed entry and mark of each visit, so it can't come near 1.
    """
    [phone] = await sign_in_phones(session.ground, 1, first=1)
    await session.bare.copy()
    ours, limit = [], []
    for _ in range(session.scale.rounds + 1):
        batches = [session.visits(phone, BATCH) for _ in range(session.scale.batches)]
        limit.append(await _insert_bare(session, phone, batches))
        ours.append(await push_visits(session, [phone], [batches]))
    return [beside("push", ours[1:], limit[1:], unit="records/s", at_least=0.12)]


async def push_two_views(session: Session) -> list[Figure]:
    """A phone in a building that helpers see too, so that each record stands in two feeds, in two views.

    The limit is a phone next door, in a building that only staff see, in the same rounds.
    """
    plain, shared = await sign_in_phones(session.ground, 2, first=1)
    await add_helper(session.ground, shared.building)
    ours, limit = list[Timed](), list[Timed]()
    for _ in range(session.scale.rounds + 1):
        for phone, timed in ((plain, limit), (shared, ours)):
            batches = [session.visits(phone, BATCH) for _ in range(session.scale.batches)]
            timed.append(await push_visits(session, [phone], [batches]))
    return [beside("push-two-views", ours[1:], limit[1:], unit="records/s", note="the limit is one view alone")]


async def push_eight(session: Session) -> list[Figure]:
    """Eight phones, each in a building of its own, at once.

    The limit is one phone alone at the same server, in the same rounds: nobody should wait for a neighbour.
    """
    phones = await sign_in_phones(session.ground, PHONES, first=1)
    ours, limit = [], []
    workers = session.many_workers
    async with running_server(session.settings, session.folder, session.world, workers=workers) as server:
        session = replace(session, server=server)
        for _ in range(session.scale.rounds + 1):
            batches = [[session.visits(phone, BATCH) for _ in range(session.scale.batches)] for phone in phones]
            alone = [session.visits(phones[0], BATCH) for _ in range(session.scale.batches)]
            limit.append(await push_visits(session, phones[:1], [alone]))
            ours.append(await push_visits(session, phones, batches))
    at_least = 0.9 if session.settings.embedded else 1.4
    note = f"{workers} worker{'s' * (workers > 1)}; the limit is one phone alone"
    return [beside("push-eight", ours[1:], limit[1:], unit="records/s", at_least=at_least, note=note)]


async def push_visits(session: Session, phones: Sequence[Phone], batches: Sequence[Sequence[list[Visit]]]) -> Timed:
    """Each phone its batches in turn, all phones at once; every visit must be applied."""
    bodies = [[as_push(session.ground.home, visits) for visits in own] for own in batches]
    return await push_bodies(session, phones, bodies, "applied")


async def push_bodies(
    session: Session, phones: Sequence[Phone], bodies: Sequence[Sequence[PushBody]], outcome: OutcomeName
) -> Timed:
    """Each phone its pushes in turn, all phones at once; of every mutation this must be the outcome."""
    requests = [
        [as_request(PUSH, phone.token(), body) for body in own] for phone, own in zip(phones, bodies, strict=True)
    ]
    records = sum(len(body.mutations) for own in bodies for body in own)
    timed, answers = await ask(session.server, session.world, requests, records)
    require_outcomes(answers, outcome, records)
    return timed


def require_outcomes(answers: Sequence[Answer], outcome: OutcomeName, count: int) -> None:
    """So many of this outcome, and no answer but 200. Raises BadAnswer."""
    found = sum(answer.expected().body.count(b'"outcome":"%b"' % outcome.encode()) for answer in answers)
    if found != count:
        raise BadAnswer(f"{found} of {count} were {outcome}: {answers[0].body[:300].decode()}")


async def _insert_bare(session: Session, phone: Phone, batches: Sequence[list[Visit]]) -> Timed:
    world, home, area = session.world, session.ground.home, phone.building.id
    ready = [
        session.bare.as_batch([as_row(visit, home, area, phone.person, visit.made_at) for visit in visits])
        for visits in batches
    ]
    each, began = [], world.monotonic()
    for batch in ready:
        start = world.monotonic()
        await session.bare.insert(batch)
        each.append(world.monotonic() - start)
    return Timed(sum(len(visits) for visits in batches), world.monotonic() - began, each)
