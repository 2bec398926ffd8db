"""A pull may wait for news: it ends early for whatever a pull would say, costs one query a second for all who
wait, and depends on nothing. Seconds pass when a test says so.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.context import Context
from app.identity.tokens import ACCESS_SECONDS
from app.settings import Settings
from sync.wire import MOST_WAIT_SECONDS
from tests.conftest import KEY, opened
from tests.test_a_killed_server_keeps_what_it_acknowledged import server
from tests.waiters import PULL, Counting, Place, Seconds
from tests.world import bearer, new_world


@pytest.fixture
async def place(context: Context) -> AsyncIterator[Place]:
    seconds, store = Seconds(), Counting(context.database)
    seams = replace(seconds.time.seams(1), sleep=seconds.sleep)
    world = await new_world(replace(context, database=store, seams=seams))  # type: ignore[arg-type]
    await world.add_person("worker", area="building_1")
    await world.add_person("colleague")
    made = Place(world, seconds, store, bearer(await world.phone_token("worker")))
    made.cursor = (await made.pull()).json()["cursor"]
    yield made
    # Nobody is left behind, whatever the test was about.
    assert len(world.app.state.waiting) == 0
    await world.http.aclose()


async def test_news_are_told_at_once_to_whoever_waits_or_not(place: Place) -> None:
    await place.push()
    assert len((await place.pull(wait=MOST_WAIT_SECONDS)).json()["changes"]) == 1


async def test_a_push_of_another_phone_ends_the_wait(place: Place) -> None:
    waiting = place.waiting_pull()
    await place.seconds.passes()
    await place.seconds.watched()
    await place.push()
    page = (await place.next_second_answers(waiting)).json()
    assert [change["collection"] for change in page["changes"]] == ["households"]
    assert page["complete"]


async def test_a_push_between_the_empty_page_and_the_wait_is_not_missed(place: Place) -> None:
    place.store.after = place.push
    page = (await place.next_second_answers(place.waiting_pull())).json()
    assert len(page["changes"]) == 1


async def test_nothing_new_is_told_when_the_time_is_over(place: Place) -> None:
    waiting = place.waiting_pull(wait=10)
    for _ in range(9):
        await place.seconds.passes()
        await place.seconds.watched()
        assert not waiting.done()
    answer = await place.next_second_answers(waiting)
    assert answer.status_code == 200
    assert answer.json()["unchanged"]


async def test_a_grant_given_or_taken_ends_the_wait(place: Place) -> None:
    waiting = place.waiting_pull()
    await place.seconds.watched()
    await place.world.grant("worker", "building_2")
    page = (await place.next_second_answers(waiting)).json()
    assert page["gained"]
    place.cursor = page["cursor"]
    waiting = place.waiting_pull()
    await place.seconds.watched()
    await place.world.end_grant("worker", "building_2")
    page = (await place.next_second_answers(waiting)).json()
    assert page["lost"]


async def test_a_grant_that_ends_by_its_date_ends_the_wait(place: Place) -> None:
    until = place.seconds.time.now + timedelta(seconds=3)
    await place.world.grant("worker", "building_2", until=until)
    place.cursor = (await place.pull()).json()["cursor"]
    waiting = place.waiting_pull()
    for _ in range(2):
        await place.seconds.passes()
        await place.seconds.watched()
        assert not waiting.done()
    assert (await place.next_second_answers(waiting)).json()["lost"]


async def test_two_grants_over_the_same_feed_are_not_news(place: Place) -> None:
    await place.world.grant("worker", "building_1", "reader")
    waiting = place.waiting_pull(wait=3)
    await place.seconds.passes()
    await place.seconds.watched()
    assert not waiting.done()
    await place.seconds.passes()
    assert (await place.next_second_answers(waiting)).json()["unchanged"]


async def test_a_phone_that_is_revoked_hears_of_it_while_it_waits(place: Place) -> None:
    waiting = place.waiting_pull()
    await place.seconds.watched()
    phones = (await place.world.http.get("/v1/replicas", headers=place.headers)).json()["replicas"]
    await place.world.http.delete(f"/v1/replicas/{phones[0]['id']}", headers=place.headers)
    answer = await place.next_second_answers(waiting)
    assert answer.json()["code"] == "replica_revoked"


async def test_no_wait_outlives_its_token(place: Place) -> None:
    place.seconds.time.forward(seconds=ACCESS_SECONDS - 2)
    waiting = place.waiting_pull()
    await place.seconds.passes()
    answer = await place.next_second_answers(waiting)
    assert answer.json()["code"] == "token_expired"


async def test_a_server_that_stops_answers_whoever_waits(place: Place) -> None:
    waiting = place.waiting_pull()
    await place.seconds.watched()
    place.world.app.state.waiting.stop()
    assert (await waiting).json()["unchanged"]
    assert (await place.pull(wait=MOST_WAIT_SECONDS)).json()["unchanged"]


async def test_a_store_that_fails_ends_the_wait_and_the_next_one_works(place: Place) -> None:
    waiting = place.waiting_pull()
    await place.seconds.watched()
    place.store.fails = True
    answer = await place.next_second_answers(waiting)
    assert answer.json()["code"] == "unavailable"
    place.store.fails = False
    assert (await place.next_second_answers(place.waiting_pull(wait=1))).json()["unchanged"]


async def test_whoever_hangs_up_is_not_waited_for(place: Place) -> None:
    waiting = place.waiting_pull()
    await place.seconds.watched()
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    # As web servers say it: they cancel nothing.
    hung_up = asyncio.Event()
    messages = [{"type": "http.request", "body": b'{"cursor":"%s","wait":25}' % place.cursor.encode()}]

    async def receive() -> dict[str, Any]:
        if not messages:
            await hung_up.wait()
            return {"type": "http.disconnect"}
        return messages.pop()

    async def send(message: Any) -> None: ...

    asking = asyncio.create_task(place.world.app(_scope(place.headers), receive, send))
    while len(place.world.app.state.waiting) == 0:
        await asyncio.sleep(0)
    hung_up.set()
    async with asyncio.timeout(30):
        await asking


def _scope(headers: dict[str, str]) -> dict[str, Any]:
    """A request as a web server hands it over."""
    sent = {"content-type": "application/json", **headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
    place = {"path": PULL, "raw_path": PULL.encode(), "query_string": b"", "root_path": ""}
    return {"type": "http", "method": "POST", "headers": raw, "scheme": "http", "http_version": "1.1", **place}


async def test_a_thousand_who_wait_cost_one_query_a_second_and_take_nobodys_place(place: Place) -> None:
    present, waiting = place.world.app.state.waiting, []
    async with asyncio.timeout(120):
        # A few at a time, as many as are let in at once; whoever is in has given back the place.
        while len(waiting) < 1000:
            waiting += [place.waiting_pull(wait=3) for _ in range(10)]
            while len(present) < len(waiting):
                await asyncio.sleep(0)
    assert place.store.glances == 1 + 1000 + 1  # the first page of all, one each, and of the sign-in
    for second in range(1, 3):
        await place.seconds.passes()
        await place.seconds.watched()
        assert place.store.glances == 1002 + second
    await place.seconds.passes()
    assert all(answer.json()["unchanged"] for answer in await asyncio.gather(*waiting))


async def test_both_in_one_waits_only_when_there_is_nothing_to_push(place: Place) -> None:
    async def sync(**body: Any) -> dict[str, Any]:
        body = {"cursor": place.cursor, "wait": 1, **body}
        return dict((await place.world.http.post("/v1/sync", json=body, headers=place.headers)).json())

    answer = await sync(push={"mutations": []})
    assert "outcomes" in answer["push"]
    assert answer["page"]["unchanged"]
    assert not place.seconds.asleep.is_set()
    waiting = asyncio.create_task(sync())
    await place.seconds.passes()
    assert (await waiting)["page"]["unchanged"]


async def test_a_query_waits_as_well_and_nobody_waits_for_ever(place: Place) -> None:
    asked = {"cursor": place.cursor, "wait": "1"}
    waiting = asyncio.create_task(place.world.http.get(PULL, params=asked, headers=place.headers))
    assert (await place.next_second_answers(waiting)).json()["unchanged"]
    for wait in (-1, MOST_WAIT_SECONDS + 1):
        assert (await place.pull(wait=wait)).json()["code"] == "bad_request"


async def test_a_real_server_that_is_told_to_end_answers_first(database_url: str) -> None:
    settings = Settings(database_url=database_url, key=KEY)
    async with opened(settings) as context:
        world = await new_world(context)
        await world.add_person("worker")
        headers = bearer(await world.phone_token("worker"))
        await world.http.aclose()
    async with server(database_url) as (process, http):
        cursor = (await http.post(PULL, json={}, headers=headers)).json()["cursor"]
        body = {"cursor": cursor, "wait": MOST_WAIT_SECONDS}
        waiting = asyncio.create_task(http.post(PULL, json=body, headers=headers))
        await asyncio.wait([waiting], timeout=1.5)
        assert not waiting.done()
        told = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        answer = await waiting
        assert answer.status_code == 200
        assert answer.json()["unchanged"]
        assert await asyncio.to_thread(process.wait, 20) in (0, -signal.SIGTERM)
        assert time.monotonic() - told < 5
