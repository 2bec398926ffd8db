"""CORS: no page of another site by default, exactly those that are named otherwise, and never with credentials."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import typer
from pydantic import ValidationError

from app.commands import running
from app.context import Context
from app.settings import Settings, settings
from tests.world import new_world

OFFICE, LOCAL = "https://office.example.cn", "http://localhost:5173"
STRANGERS = [
    *(
        "null",
        "*",
        "https://example.cn",
        "https://evil.cn",
        "http://office.example.cn",
        "https://office.example.cn:8443",
    ),
    *("https://office.example.cn.evil.cn", "https://evil-office.example.cn", "https://xoffice.example.cn"),
    *("https://office.example.cn/", "https://OFFICE.example.cn", "https://office.example.cn, https://evil.cn", ""),
    *("https://office.example.cn@evil.cn", "http://localhost", "http://localhost:51730", "file://", "https://office"),
]
ALLOWED = "access-control-allow-origin"


@asynccontextmanager
async def serving(context: Context, *origins: str) -> AsyncIterator[httpx.AsyncClient]:
    world = await new_world(context, Settings(cors_origins=list(origins)))
    async with world.http as http:
        yield http


async def preflight(http: httpx.AsyncClient, origin: str, method: str, *headers: str) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    asked |= {"Access-Control-Request-Headers": ", ".join(headers)} if headers else {}
    return await http.options("/v1/households", headers=asked)


async def test_no_other_site_is_allowed_by_default(context: Context) -> None:
    async with serving(context) as http:
        for origin in (OFFICE, *STRANGERS):
            for answer in (await http.get("/livez", headers={"Origin": origin}), await preflight(http, origin, "GET")):
                assert not [name for name in answer.headers if name.startswith("access-control")]
                assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_exactly_the_named_sites_are_allowed(context: Context) -> None:
    async with serving(context, OFFICE, LOCAL) as http:
        for origin in (OFFICE, LOCAL):
            for path in ("/livez", "/v1/households", "/nowhere"):
                answer = await http.get(path, headers={"Origin": origin})
                assert answer.headers[ALLOWED] == origin
                assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
                assert "origin" in answer.headers["vary"].lower()
        for origin in STRANGERS:
            answer = await http.get("/livez", headers={"Origin": origin})
            assert ALLOWED not in answer.headers
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert (await preflight(http, origin, "GET")).status_code == 400
            assert ALLOWED not in (await preflight(http, origin, "GET")).headers


async def test_a_page_may_send_and_read_what_the_api_speaks(context: Context) -> None:
    spoken = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-HTTP-Method-Override")
    async with serving(context, OFFICE) as http:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = await preflight(http, OFFICE, method, *spoken)
            assert (answer.status_code, answer.headers[ALLOWED]) == (200, OFFICE)
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await preflight(http, OFFICE, "GET", "X-Something")).status_code == 400
        answer = await http.get("/livez", headers={"Origin": OFFICE})
        exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert exposed >= {"ETag", "Link", "Location", "Retry-After", "RateLimit", "RateLimit-Policy"}
        assert "access-control-allow-credentials" not in answer.headers


async def test_refusals_before_any_route_can_be_read_by_the_page_too(context: Context) -> None:
    async with serving(context, OFFICE) as http:
        headers = {"Origin": OFFICE, "Content-Length": str(10**9)}
        answer = await http.post("/v1/sync/push", content=b"", headers=headers)
        assert (answer.status_code, answer.headers[ALLOWED]) == (413, OFFICE)
        assert {"Origin", "Accept-Language"} <= {name.strip() for name in answer.headers["vary"].split(",")}


@pytest.mark.parametrize("said", [origin for origin in STRANGERS[:2] + STRANGERS[9:12] + STRANGERS[13:14] if origin])
@pytest.mark.parametrize("beside", ["", f"{OFFICE},"])
def test_the_server_refuses_to_start_on_anything_but_exact_origins(
    said: str, beside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QIAOMEN_CORS_ORIGINS", beside + said.replace(", ", "/,"))
    with pytest.raises(ValidationError, match="an origin is exactly"):
        Settings()


def test_the_command_says_which_variable_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QIAOMEN_CORS_ORIGINS", "https://*.secret.cn")
    settings.cache_clear()
    try:
        with pytest.raises(typer.Exit):
            running.serve("127.0.0.1", 1, 1)
    finally:
        settings.cache_clear()
    said = capsys.readouterr().err
    assert "QIAOMEN_CORS_ORIGINS" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("said", "origins"),
    [
        ("", []),
        (OFFICE, [OFFICE]),
        (f" {OFFICE} , {LOCAL},", [OFFICE, LOCAL]),
        ("http://[::1]:80", ["http://[::1]:80"]),
    ],
)
def test_origins_stand_between_commas(said: str, origins: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIAOMEN_CORS_ORIGINS", said)
    assert Settings().cors_origins == origins
