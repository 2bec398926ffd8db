"""What a worker holds in memory after serving, and what one page needs on its way out."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tracemalloc

from starlette.types import Message

from app.benchmark.asking import ask
from app.benchmark.figures import Figure
from app.benchmark.ground import Phone, sign_in_phones
from app.benchmark.keepalive import BadAnswer, as_request
from app.benchmark.preload import PUSH as BATCH
from app.benchmark.pulling import PULL, read_all
from app.benchmark.pushing import push_visits
from app.benchmark.servers import PROC
from app.benchmark.session import Session
from app.main import create_app
from sync.wire import MOST_PAGE, PROTOCOL, PullBody

MEGABYTE = 1024 * 1024
ONLY_IMPORTED = """
import os, app.main
pages = int(open("/proc/self/statm").read().split()[1])
print(pages * os.sysconf("SC_PAGE_SIZE"))
"""
MOST_OF_A_WORKER, MOST_OF_A_PAGE = 80, 5


async def memory(session: Session) -> list[Figure]:
    """One worker after many phones have read everything and pushed at once, less the same code only imported.

    What is imported is the interpreter's and the libraries' share, the same on an idle server; the rest is
    what serving costs: connections, caches, and pages that were never given back. A page's own memory is
    counted in this process, as the most that was held while it was made, in times of its size.
    """
    phones = await sign_in_phones(session.ground, session.scale.phones)
    await _serve_much(session, phones)
    page = Figure("memory-page", await _page_times(session, phones[0]), "times", at_most=MOST_OF_A_PAGE)
    if not PROC.exists():
        return [Figure("memory", None, "MB", at_most=MOST_OF_A_WORKER, note="no /proc here"), page]
    imported = _only_imported()
    held = session.server.resident_bytes()
    note = f"{held / MEGABYTE:.0f} MB after serving, {imported / MEGABYTE:.0f} MB only imported"
    return [Figure("memory", (held - imported) / MEGABYTE, "MB", at_most=MOST_OF_A_WORKER, note=note), page]


async def _serve_much(session: Session, phones: list[Phone]) -> None:
    """All phones at once ask for the largest page as often as a first pull has pages, and push a hundred visits."""
    first = await read_all(session, phones[0])
    largest = PullBody(protocol=PROTOCOL, limit=MOST_PAGE)
    requests = [[as_request(PULL, phone.token(), largest)] * len(first.asked) for phone in phones]
    _, answers = await ask(session.server, session.world, requests, first.records)
    if any(answer.status != 200 for answer in answers):
        raise BadAnswer("a pull was refused")
    await push_visits(session, phones, [[session.visits(phone, BATCH)] for phone in phones])


def _only_imported() -> int:
    modules = os.pathsep.join(place for place in sys.path if place)
    command = [sys.executable, "-P", "-c", ONLY_IMPORTED]
    return int(subprocess.run(command, env={"PYTHONPATH": modules}, capture_output=True, check=True).stdout)


async def _page_times(session: Session, phone: Phone) -> float:
    """The most that was held while a page of the largest kind was made, in times of its bytes."""
    app = create_app(session.ground.context)
    body = json.dumps({"protocol": PROTOCOL, "limit": MOST_PAGE}).encode()
    headers = [(b"authorization", f"Bearer {phone.token()}".encode()), (b"content-type", b"application/json")]
    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": PULL},
        **{"raw_path": PULL.encode(), "query_string": b"", "headers": headers, "scheme": "http"},
        **{"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "root_path": "", "state": {}},
    }
    sizes: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sizes.append(len(message.get("body", b"")))

    with contextlib.redirect_stderr(io.StringIO()):  # the log of requests
        await app({**scope}, receive, send)  # what is made once is not the page's
        sizes.clear()
        tracemalloc.start()
        await app({**scope}, receive, send)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most / sum(sizes)
