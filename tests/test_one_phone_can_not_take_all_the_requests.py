"""A phone has so many requests a minute, is told how many are left, and takes none of another's."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from app.context import Context
from app.settings import Settings
from tests.world import World, bearer, new_world

MOST = 5


class Clock:
    seconds = 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(context: Context, clock: Clock) -> AsyncIterator[World]:
    seams = replace(context.seams, monotonic=lambda: clock.seconds)
    made = await new_world(replace(context, seams=seams), Settings(requests_per_minute=MOST))
    await made.add_person("li")
    yield made
    await made.http.aclose()


async def pull(world: World, token: str) -> httpx.Response:
    return await world.http.get("/v1/sync/pull", headers=bearer(token))


async def test_every_answer_says_what_is_left_and_beyond_it_when_to_come_back(world: World, clock: Clock) -> None:
    token = await world.phone_token("li")
    for left in reversed(range(MOST)):
        answer = await pull(world, token)
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == f'"phone";q={MOST};w=60'
        assert answer.headers["ratelimit"] == f'"phone";r={left};t={60 - int(clock.seconds)}'
        clock.seconds += 2
    refused = await pull(world, token)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert (refused.headers["retry-after"], refused.headers["ratelimit"]) == ("50", '"phone";r=0;t=50')
    clock.seconds = 60
    assert (await pull(world, token)).status_code == 200, "the first of them is a minute ago"
    assert (await pull(world, token)).status_code == 429, "what was refused did not count, and the others still do"


async def test_problems_count_and_say_what_is_left_too(world: World) -> None:
    token = await world.phone_token("li")
    answer = await world.http.get(f"/v1/households/{world.home}", headers=bearer(token))
    assert (answer.status_code, answer.headers["ratelimit"]) == (404, f'"phone";r={MOST - 1};t=60')


async def test_another_phone_of_the_same_person_has_its_own(world: World) -> None:
    busy, other = await world.phone_token("li"), await world.phone_token("li")
    assert [(await pull(world, busy)).status_code for _ in range(MOST + 1)] == [200] * MOST + [429]
    assert (await pull(world, other)).status_code == 200


async def test_whoever_is_not_signed_in_spends_nothing(world: World) -> None:
    token = await world.phone_token("li")
    head, body, signature = token.split(".")
    for _ in range(MOST + 1):
        answer = await pull(world, f"{head}.{body}.{signature[::-1]}")
        assert answer.status_code == 401
        assert "ratelimit" not in answer.headers
    assert (await pull(world, token)).status_code == 200
