"""Small pulls by many phones at once: fifty new records, and nothing new."""

import json
from collections.abc import Sequence
from dataclasses import replace

from app.benchmark.asking import ask
from app.benchmark.figures import Figure, beside
from app.benchmark.floor import PATH as FLOOR
from app.benchmark.ground import Phone, sign_in_phones
from app.benchmark.keepalive import Answer, BadAnswer, as_request
from app.benchmark.pulling import PULL, read_all
from app.benchmark.pushing import push_visits
from app.benchmark.servers import running_server
from app.benchmark.session import Session
from sync.wire import PROTOCOL, PullBody

DELTA = 50
MOST_EMPTY_BYTES = 100


async def delta(session: Session) -> list[Figure]:
    """Sixteen phones, each with fifty new records waiting, ask again and again.

    Between rounds somebody in each building pushes fifty more and the phones move on; within a round a
    phone asks from the same cursor, and the server, which remembers nothing of a phone, does the same work
    each time. No request may wait much longer than the others.
    """
    phones = await sign_in_phones(session.ground, session.scale.phones)
    cursors = [(await read_all(session, phone)).cursor for phone in phones]
    rounds = []
    for _ in range(session.scale.rounds + 1):
        await push_delta(session, phones)
        requests = [pulls(phone, cursor, session.scale.asks) for phone, cursor in zip(phones, cursors, strict=True)]
        timed, answers = await ask(session.server, session.world, requests, len(phones) * session.scale.asks)
        cursors = [cursor_of(answer) for answer in require_deltas(answers)[:: session.scale.asks]]
        rounds.append(timed)
    figure = beside("delta", rounds[1:], None, unit="pulls/s")
    note = "the limit is the 50th percentile"
    slowest = Figure("delta-p99", figure.p99_milliseconds, "ms", figure.p50_milliseconds, at_most=5, note=note)
    return [figure, slowest]


async def empty_pull(session: Session) -> list[Figure]:
    """Sixteen phones ask and nothing is new.

    The limit is a route of the same server, behind the same middlewares, that verifies the same token and
    asks the database for 1: no server that looks into its database can answer a signed-in phone for less.
    """
    phones = await sign_in_phones(session.ground, session.scale.phones)
    cursors = [(await read_all(session, phone)).cursor for phone in phones]
    asks, ours, limit = session.scale.asks * 4, [], []
    async with running_server(session.settings, session.folder, session.world, module="app.benchmark") as server:
        session = replace(session, server=server)
        for _ in range(session.scale.rounds + 1):
            floors = [[as_request(FLOOR, phone.token())] * asks for phone in phones]
            requests = [pulls(phone, cursor, asks) for phone, cursor in zip(phones, cursors, strict=True)]
            timed, answers = await ask(server, session.world, floors, len(phones) * asks)
            limit.append(timed)
            _require_empty([answer.expected() for answer in answers], b"true")
            timed, answers = await ask(server, session.world, requests, len(phones) * asks)
            ours.append(timed)
            _require_empty([answer.expected() for answer in answers], b'"unchanged":true')
    largest = max(len(answer.body) for answer in answers)
    return [beside("empty-pull", ours[1:], limit[1:], unit="pulls/s", at_least=0.6, sent_bytes=largest)]


def pulls(phone: Phone, cursor: str, count: int) -> list[bytes]:
    """The same pull so many times."""
    return [as_request(PULL, phone.token(), PullBody(protocol=PROTOCOL, cursor=cursor))] * count


async def push_delta(session: Session, phones: Sequence[Phone]) -> None:
    """Fifty new visits in each of these phones' buildings."""
    writers = list({phone.building.id: phone for phone in phones}.values())
    batches = [[session.visits(phone, DELTA)] for phone in writers]
    await push_visits(session, writers, batches)


def cursor_of(answer: Answer) -> str:
    """Where the page ends."""
    cursor: str = json.loads(answer.body)["cursor"]
    return cursor


def require_deltas(answers: Sequence[Answer]) -> Sequence[Answer]:
    """Themselves, where each is a complete page of fifty. Raises BadAnswer."""
    for answer in answers:
        body = answer.expected().body
        count = body.count(b'"seq":')
        if count != DELTA or b'"complete":true' not in body:
            raise BadAnswer(f"a delta of {count} records")
    return answers


def _require_empty(answers: Sequence[Answer], said: bytes) -> None:
    if not all(said in answer.body and len(answer.body) < MOST_EMPTY_BYTES for answer in answers):
        raise BadAnswer(f"an empty pull said {answers[0].body[:300].decode()}")
