"""Whatever is asked for and however it ends, the answer says what a browser may do with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from app.database import Transaction
from app.settings import Settings
from tests.conftest import KEY, opened
from tests.contract import client_of
from tests.scene import Scene, scene_for_a_module, url_for_a_module
from tests.world import bearer

__all__ = ["scene_for_a_module", "url_for_a_module"]  # the fixtures `scene` and `url`

ANSWERS = [
    (200, "GET", "/livez", {}),
    (200, "GET", "/readyz", {}),
    (200, "GET", "/v1/households", {}),
    (200, "POST", "/v1/sync/push", {"json": {"mutations": []}}),
    (200, "GET", "/docs", {}),
    (200, "GET", "/office", {}),
    (200, "GET", "/openapi.json", {}),
    (200, "GET", "/static-offline-docs/swagger-ui.css", {}),
    (400, "POST", "/v1/auth/token", {"data": {}}),
    (401, "GET", "/v1/households", {"headers": {"Authorization": "Bearer x"}}),
    (404, "GET", "/nowhere", {}),
    (404, "GET", "/static-offline-docs/nothing.js", {}),
    (405, "PUT", "/livez", {}),
    (405, "OPTIONS", "/v1/households", {}),
    (413, "POST", "/v1/sync/push", {"content": b"x" * 2_000_000}),
    (415, "POST", "/v1/sync/push", {"content": b"{}"}),
    (431, "GET", "/livez", {"headers": {"X-Long": "x" * 70_000}}),
]


def require_headers(answer: httpx.Response) -> None:
    said = answer.headers
    assert said["x-content-type-options"] == "nosniff"
    assert said["x-frame-options"] == "DENY"
    assert said["referrer-policy"] == "no-referrer"
    assert said["cross-origin-opener-policy"] == said["cross-origin-resource-policy"] == "same-origin"
    assert "geolocation=()" in said["permissions-policy"]
    assert "frame-ancestors 'none'" in said["content-security-policy"]
    assert "no-store" in said["cache-control"]
    assert not {"server", "x-powered-by", "strict-transport-security"} & said.keys()
    assert len({name for name, _ in said.raw}) == len(said.raw), "none of them twice"


@pytest.mark.parametrize(("status", "method", "path", "options"), ANSWERS)
async def test_they_are_on_every_kind_of_answer(
    scene: Scene, status: int, method: str, path: str, options: dict[str, Any]
) -> None:
    sent = {"headers": {}, **options}
    sent["headers"] = {**bearer(scene.tokens["li"]), **sent["headers"]}
    answer = await scene.world.http.request(method, path, **sent)
    assert answer.status_code == status
    require_headers(answer)


async def test_they_are_on_a_failure_nobody_expected_and_on_an_outage(scene: Scene) -> None:
    for error, status in ((RuntimeError(), 500), (ConnectionRefusedError(), 503)):

        @asynccontextmanager
        async def broken(_viewer: str, raised: Exception = error) -> AsyncIterator[Transaction]:
            raise raised
            yield

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scene.world.context.database, "snapshot", broken)
            answer = await scene.world.http.get("/v1/households", headers=bearer(scene.tokens["li"]))
        assert answer.status_code == status
        require_headers(answer)


async def test_only_documents_may_run_scripts_and_only_their_own(scene: Scene) -> None:
    for path in ("/docs", "/v1/households", "/nowhere"):
        policy = (await scene.world.http.get(path)).headers["content-security-policy"]
        assert ("script-src 'self'" in policy) is (path == "/docs")
        assert ("default-src 'none'" in policy) is (path != "/docs")
        assert "object-src 'none'" in policy or "default-src 'none'" in policy


async def test_https_is_insisted_on_only_where_the_request_came_over_it(scene: Scene) -> None:
    async with client_of(scene.world.app, "https://test") as https:
        for path in ("/livez", "/nowhere", "/docs"):
            said = (await https.get(path)).headers["strict-transport-security"]
            assert said == "max-age=31536000"


async def test_an_error_of_the_store_quotes_no_value(url: str) -> None:
    async with opened(Settings(database_url=url, key=KEY)) as context:
        for engine in {getattr(context.database, name, None) for name in ("engine", "writing", "reading")} - {None}:
            assert engine is not None
            assert engine.sync_engine.hide_parameters
