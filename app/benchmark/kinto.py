"""The same delta asked of Kinto, where it is installed: a well-made sync service in Python, for scale."""

import asyncio
import json
import subprocess
from asyncio.subprocess import Process
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from app.benchmark.asking import ask
from app.benchmark.figures import Figure, beside
from app.benchmark.ground import sign_in_phones
from app.benchmark.keepalive import Answer, BadAnswer, KeepAlive
from app.benchmark.pulling import read_all
from app.benchmark.servers import Server
from app.benchmark.session import Session, database_beside
from app.benchmark.small_pulls import DELTA, pulls, push_delta, require_deltas
from app.benchmark.visits import Visit
from app.demo.processes import HOST, end, free_port, until_listening

RECORDS = "/v1/buckets/bench/collections/visits/records"
BEFORE = 25
"""Records that are there already: most of a request's size, and nothing to search through."""
START = "from kinto.__main__ import main; main()"
SETTINGS = """
[server:main]
use = egg:waitress#main
host = {host}
port = %(http_port)s
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.{backend}
kinto.storage_url = {url}
kinto.permission_backend = kinto.core.permission.{backend}
kinto.permission_url = {url}
kinto.cache_backend = kinto.core.cache.memory
kinto.bucket_create_principals = system.Authenticated
kinto.userid_hmac_secret = {secret}
multiauth.policies = basicauth
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
"""


async def delta_kinto(session: Session) -> list[Figure]:
    """Sixteen clients, each with the same fifty visits waiting, ask Kinto by `_since` and us by cursor.

    Kinto is shown from its fastest side: the cheapest way to sign in, its cache in memory, no log, and a
    collection that holds little else. On PostgreSQL it keeps its records in the same server as we do, as its
    makers advise; beside SQLite, which it doesn't know, in memory. It is one process of four threads, as it
    comes; we are one worker.
    """
    if session.kinto is None:
        return [Figure("delta-kinto", None, "pulls/s", note="not measured: name a Python that has it with --kinto")]
    phones = await sign_in_phones(session.ground, session.scale.phones)
    cursors = [(await read_all(session, phone)).cursor for phone in phones]
    await push_delta(session, phones)
    asks, count = session.scale.asks, len(phones) * session.scale.asks
    ours, theirs = [], []
    async with _running_kinto(session, session.kinto) as kinto:
        request = await _fill(session, kinto, session.visits(phones[0], BEFORE + DELTA))
        for _ in range(session.scale.rounds + 1):
            timed, answers = await ask(kinto, session.world, [[request] * asks] * len(phones), count)
            _require_delta(answers)
            theirs.append(timed)
            requests = [pulls(phone, cursor, asks) for phone, cursor in zip(phones, cursors, strict=True)]
            timed, answers = await ask(session.server, session.world, requests, count)
            require_deltas(answers)
            ours.append(timed)
    note = "the limit is Kinto, its records " + ("in memory" if session.settings.embedded else "in PostgreSQL")
    return [beside("delta-kinto", ours[1:], theirs[1:], unit="pulls/s", at_least=8, note=note)]


@asynccontextmanager
async def _running_kinto(session: Session, python: Path) -> AsyncIterator[Server]:
    ini, port = session.folder / "kinto.ini", free_port()
    backend = "memory" if session.settings.embedded else "postgresql"
    async with database_beside(session, "kinto") as settings:
        url, secret = settings.database_url.replace("%", "%%"), session.world.random_bytes(16).hex()
        ini.write_text(SETTINGS.format(host=HOST, secret=secret, backend=backend, url=url))
        await (await _start(session, python, "migrate", "--ini", str(ini))).wait()
        process = await _start(session, python, "start", "--ini", str(ini), "--port", str(port))
        try:
            await until_listening(process, port, session.world)
            yield Server(process, port)
        finally:
            await end(process)


async def _start(session: Session, python: Path, *arguments: str) -> Process:
    with (session.folder / "kinto.log").open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *(str(python.absolute()), "-c", START, *arguments),
            env={},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


async def _fill(session: Session, kinto: Server, visits: Sequence[Visit]) -> bytes:
    """Puts the visits there one by one; the request for the last fifty."""
    async with KeepAlive(kinto.port) as line:
        for path in ("/v1/buckets/bench", "/v1/buckets/bench/collections/visits"):
            (await line.ask(_request("PUT", path, {}))).expected(201)
        for number, visit in enumerate(visits):
            answer = (await line.ask(_request("POST", RECORDS, {"data": visit.fields}))).expected(201)
            if number == len(visits) - DELTA - 1:
                since = json.loads(answer.body)["data"]["last_modified"]
    return _request("GET", f"{RECORDS}?_since={since}")


def _request(method: str, path: str, words: object = None) -> bytes:
    body = b"" if words is None else json.dumps(words).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Basic {b64encode(b'phone:key').decode()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _require_delta(answers: Sequence[Answer]) -> None:
    for answer in answers:
        count = answer.expected().body.count(b'"last_modified"')
        if count != DELTA:
            raise BadAnswer(f"Kinto gave {count} records")
