"""What no HTTP library would send: each row is answered or hung up on, never with a 5xx, never with silence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from app.bounds import MOST_BODY_BYTES
from app.commands import running
from app.connections import BoundedConnection
from app.demo.processes import HOST, serving
from app.main import create_app
from sync import seams
from tests.conftest import KEY

ANSWER_SECONDS = 10
CLOSED = 0
HOST_LINE = b"Host: test\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + HOST_LINE
POST = b"POST /v1/sync/push HTTP/1.1\r\n" + HOST_LINE
FORM = b"POST /v1/auth/token HTTP/1.1\r\n" + HOST_LINE + b"Content-Type: application/x-www-form-urlencoded\r\n"
END = b"Connection: close\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def length(value: bytes | int) -> bytes:
    return b"Content-Length: %s\r\n" % (value if isinstance(value, bytes) else b"%d" % value)


# What is sent, and the status lines that come back; none where the server only hangs up.
ROWS: dict[str, tuple[bytes, list[int]]] = {
    "plain": (GET + END, [200]),
    "length missing": (POST + END, [401]),
    "length negative": (POST + length(b"-1") + END, [400]),
    "length no number": (POST + length(b"ten") + END, [400]),
    "length with a sign": (POST + length(b"+2") + END + b"{}", [400]),
    "length beyond 64 bits": (POST + length(b"9" * 30) + END, [400]),
    "length empty": (POST + length(b"") + END, [400]),
    "length twice, different": (POST + length(2) + length(3) + END + b"{}", [400]),
    "length twice, the same": (POST + length(2) + length(2) + END + b"{}", [400]),
    "length a list": (POST + length(b"2, 2") + END + b"{}", [400]),
    "length too large": (FORM + length(MOST_BODY_BYTES + 1) + b"\r\n", [413]),
    "length too small": (FORM + length(2) + b"\r\n" + b"a=b&c=d", [400]),
    "length and chunks": (FORM + length(5) + CHUNKED + END + b"0\r\n\r\n", [400]),
    "chunks and length": (FORM + CHUNKED + length(5) + END + b"0\r\n\r\n", [400]),
    "smuggled": (FORM + length(4) + CHUNKED + b"\r\n" + b"0\r\n\r\n" + GET + END, [400]),
    "chunk size no number": (FORM + CHUNKED + END + b"zz\r\nab\r\n0\r\n\r\n", [400]),
    "chunk size huge": (FORM + CHUNKED + END + b"f" * 20 + b"\r\nab", [400]),
    "chunk size negative": (FORM + CHUNKED + END + b"-1\r\n", [400]),
    "chunk longer than said": (FORM + CHUNKED + END + b"1\r\nabc\r\n0\r\n\r\n", [400]),
    "chunks in another coding": (FORM + b"Transfer-Encoding: gzip\r\n" + END, [400]),
    "chunked twice": (FORM + CHUNKED + CHUNKED + END + b"0\r\n\r\n", [400]),
    "chunked, well": (FORM + CHUNKED + END + b"3\r\na=b\r\n0\r\n\r\n", [400]),
    "header without a colon": (GET + b"nothing\r\n" + END, [400]),
    "header with a blank before the colon": (GET + b"X-A : b\r\n" + END, [400]),
    "header folded": (GET + b"X-A: b\r\n c\r\n" + END, [400]),
    "header with a NUL": (GET + b"X-A: b\0c\r\n" + END, [400]),
    "header with a bare CR": (GET + b"X-A: b\rc\r\n" + END, [400]),
    "header of 100 KB": (GET + b"X-A: " + b"a" * 100_000 + b"\r\n" + END, [431]),
    "headers without end": (GET + b"X-A: b\r\n" * 100_000, [431]),
    "address of 100 KB": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST_LINE + END, [400]),
    "address without end": (b"GET /" + b"a" * 2_000_000, [431]),
    "NUL in the path": (b"GET /li\0vez HTTP/1.1\r\n" + HOST_LINE + END, [400]),
    "NUL in the path, escaped": (b"GET /v1/households/%00 HTTP/1.1\r\n" + HOST_LINE + END, [401]),
    "half a character in the path": (b"GET /v1/%ff%fe HTTP/1.1\r\n" + HOST_LINE + END, [404]),
    "bytes beyond ASCII in the path": (b"GET /\xe6\x95\xb2 HTTP/1.1\r\n" + HOST_LINE + END, [400]),
    "dots in the path": (b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST_LINE + END, [404]),
    "absolute form": (b"GET http://other/livez HTTP/1.1\r\n" + HOST_LINE + END, [200]),
    "authority form": (b"CONNECT other:443 HTTP/1.1\r\n" + HOST_LINE + END, [400]),
    "asterisk form": (b"OPTIONS * HTTP/1.1\r\n" + HOST_LINE + END, [404]),
    "no path": (b"GET HTTP/1.1\r\n" + HOST_LINE + END, [400]),
    "unknown method": (b"KNOCK /livez HTTP/1.1\r\n" + HOST_LINE + END, [400]),
    "known to others": (b"PROPFIND /livez HTTP/1.1\r\n" + HOST_LINE + END, [405]),
    "TRACE": (b"TRACE /livez HTTP/1.1\r\n" + HOST_LINE + END, [405]),
    "method in lower case": (b"get /livez HTTP/1.1\r\n" + HOST_LINE + END, [400]),
    "HTTP/1.0": (b"GET /livez HTTP/1.0\r\n\r\n", [200]),
    "HTTP/0.9": (b"GET /livez\r\n\r\n", [200]),
    "HTTP/3.0": (b"GET /livez HTTP/3.0\r\n" + HOST_LINE + END, [400]),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, [400]),
    "noise": (bytes(range(256)) * 4, [400]),
    "nothing": (b"", []),
    "half a head": (b"GET /livez HT", []),
    "half a body": (FORM + length(100) + b"\r\n" + b"grant_type=", []),
    "pipelined": (GET + b"\r\n" + GET + b"\r\n" + GET + END, [200, 200, 200]),
    "pipelined after a refusal": (FORM + length(0) + b"\r\n" + GET + END, [400, 200]),
    "pipelined noise": (GET + b"\r\n" + b"\0\0\0\0", [400]),
    "asks for another protocol": (GET + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n", [200]),
    "expects to be told to go on": (FORM + length(10**9) + b"Expect: 100-continue\r\n\r\n", [413]),
}


@pytest.fixture(scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    """A real `qiaomen serve` over an SQLite file: no row gets as far as a store."""
    folder: Path = tmp_path_factory.mktemp("served")
    settings = {"QIAOMEN_DATABASE_URL": f"sqlite:///{folder}/test.db", "QIAOMEN_KEY": KEY}
    async with serving(None, settings, folder / "log", seams.real()) as (_, port):
        yield port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def said(port: int, sent: bytes, *, half_closed: bool) -> bytes:
    """Everything the server says until it hangs up."""
    async with connected(port) as (reader, writer), asyncio.timeout(ANSWER_SECONDS):
        answer = b""
        try:
            writer.write(sent)
            await writer.drain()
            if half_closed:
                writer.write_eof()
            while part := await reader.read(65536):
                answer += part
        except ConnectionError:
            pass
        return answer


def statuses(answer: bytes) -> list[int]:
    """Of every status line."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("name", ROWS)
async def test_it_is_answered_or_hung_up_on(port: int, name: str) -> None:
    sent, expected = ROWS[name]
    answer = await said(port, sent, half_closed=not expected)
    assert statuses(answer) == expected, answer
    if 400 in expected or 431 in expected:
        assert b'"code":"' in answer, "a refusal is a problem"
        assert b"x-content-type-options: nosniff" in answer
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as http:
        assert (await http.get("/livez")).status_code == 200


async def test_a_short_body_that_nobody_wants_leaves_the_connection_open(port: int) -> None:
    async with connected(port) as (reader, writer), asyncio.timeout(ANSWER_SECONDS):
        writer.write(FORM + length(20_000) + b"\r\n" + b"a" * 10_000)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"413" in head
        assert b"connection: close" not in head.lower()
        writer.write(b"a" * 10_000 + GET + END)
        assert statuses(await reader.read()) == [200]


def test_uvicorn_runs_on_uvloop_and_httptools() -> None:
    config = uvicorn.Config(**running.server_options())
    assert config.get_loop_factory().__module__.startswith("uvloop")  # type: ignore[union-attr]
    config.load_app = lambda: create_app  # type: ignore[method-assign]
    config.load()
    assert config.http_protocol_class is BoundedConnection
    assert config.ws_protocol_class is None
