"""Whoever reads Chinese gets Chinese, whoever reads English gets English, whoever doesn't say gets both."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.context import Context
from app.database import Transaction
from app.problems import CATALOGUE
from tests.scene import Scene, as_bytes, scene_for_a_module, url_for_a_module
from tests.world import bearer

__all__ = ["scene_for_a_module", "url_for_a_module"]  # the fixtures `scene` and `url`

ASKED = [
    *(("zh", said) for said in ("zh", "zh-CN", "ZH-Hant-TW", "zh-CN,zh;q=0.9,en;q=0.8", "fr, zh;q=0.1", "en;q=0, *")),
    *(("en", said) for said in ("en", "en-GB", "en;q=0.5,zh;q=0.4", "zh;q=0,en;q=0.001", "en,zh", " en ; q=1.0 , zh")),
    *(("en", said) for said in ("zh;q=nan,en;q=0.1", "zh;q=2,en;q=0.1", "en;level=1,zh;q=0.9")),
    *((None, said) for said in (None, "", "*", "fr", "fr,*;q=0.5", "zh;q=0,en;q=0", "q=1", ";;,,", "\x7fé", "zh;q=x")),
]


@pytest.mark.parametrize(("language", "said"), ASKED)
async def test_the_title_is_in_the_language_of_higher_quality(
    scene: Scene, language: str | None, said: str | None
) -> None:
    headers = {"Accept-Language": said.encode("latin-1")} if said is not None else {}
    require_language(await scene.world.http.get("/nowhere", headers=headers), language)


def require_language(answer: httpx.Response, language: str | None) -> str:
    """The code of the problem, whose words and headers are in that language."""
    problem = answer.json()
    entry = CATALOGUE[problem["code"]]
    titles = {"zh": entry.zh, "en": entry.en}
    assert problem["title"] == titles.get(language or "", f"{entry.zh} · {entry.en}")
    assert problem["titles"] == titles
    assert answer.headers["content-language"] == (language or "zh, en")
    assert "accept-language" in answer.headers["vary"].lower()
    return str(problem["code"])


@pytest.mark.parametrize("language", ["zh", "en", None])
async def test_every_answer_that_carries_a_problem_keeps_to_it(scene: Scene, language: str | None) -> None:
    asked = {**bearer(scene.tokens["li"]), **({"Accept-Language": language} if language else {})}
    http = scene.world.http
    answers = [
        await http.post("/v1/sync/push", headers=asked, content=b"{", params={}),
        await http.post("/v1/sync/push", headers={**asked, "Content-Type": "application/json"}, content=b"{"),
        await http.put("/livez", headers=asked),
        await http.get("/v1/households/x", headers=asked),
        await http.get("/v1/households", headers={**asked, "Authorization": "Bearer x"}),
        await http.post("/v1/auth/token", headers=asked, data={}),
        await http.post("/v1/auth/token", headers=asked, content=b"x" * 2_000_000),
    ]
    async with broken_store(scene):
        answers.append(await http.get("/v1/households", headers=asked))
        answers.append(await http.get("/readyz", headers=asked))
    codes = {require_language(answer, language) for answer in answers}
    expected = {
        "bad_json",
        "method_not_allowed",
        "bad_request",
        "token_foreign",
        "body_too_large",
        "wrong_content_type",
    }
    assert codes >= {*expected, "internal", "not_ready"}


@asynccontextmanager
async def broken_store(scene: Scene) -> AsyncIterator[None]:
    """Every transaction fails in a way that nobody expected."""

    @asynccontextmanager
    async def broken(*arguments: object) -> AsyncIterator[Transaction]:
        raise RuntimeError
        yield

    context: Context = scene.world.context
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context.database, "snapshot", broken)
        yield


async def test_a_page_problem_beside_outcomes_is_in_that_language_too(scene: Scene) -> None:
    body = as_bytes({"push": {"mutations": []}, "cursor": "!"})
    headers = {**bearer(scene.tokens["li"]), "Content-Type": "application/json", "Accept-Language": "zh"}
    answer = await scene.world.http.post("/v1/sync", content=body, headers=headers)
    problem = json.loads(answer.content)["page_problem"]
    assert problem["title"] == CATALOGUE[problem["code"]].zh
