"""Wrong passwords are few, from wherever they come; and whoever is signed in never notices the guessing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from app import windows
from app.context import Context
from app.identity import passwords
from app.windows import Window
from tests.contract import client_of
from tests.world import PASSWORD, World, bearer, new_world

DAY = 24 * 60 * 60


@dataclass
class Place:
    """A world whose clock a test moves, and doors to it from several addresses."""

    world: World
    tried: list[str] = field(default_factory=list)
    """Passwords that were hashed."""
    seconds: float = 0.0

    @asynccontextmanager
    async def at(self, address: str) -> AsyncIterator[httpx.AsyncClient]:
        async with client_of(self.world.app, client=(address, 1)) as http:
            yield http

    async def sign_in(self, password: str, login: str = "li", address: str = "10.0.0.1") -> httpx.Response:
        form = {"grant_type": "password", "username": login, "password": password}
        async with self.at(address) as http:
            return await http.post("/v1/auth/token", data=form)

    async def codes(self, password: str, times: int, **where: str) -> list[int]:
        return [(await self.sign_in(password, **where)).status_code for _ in range(times)]


@pytest.fixture
async def place(context: Context, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    world = await new_world(replace(context, seams=replace(context.seams, monotonic=lambda: made.seconds)))
    made = Place(world)

    async def quick(password: str, held: str | None) -> bool:
        made.tried.append(password)
        return held is not None and password == PASSWORD

    # What hashing costs, test_signing_in.py pays.
    monkeypatch.setattr("app.identity.routes.is_password", quick)
    await world.add_person("li")
    yield made
    await world.http.aclose()


async def test_after_five_wrong_passwords_none_is_tried_for_a_quarter_of_an_hour(place: Place) -> None:
    assert await place.codes("wrong", 5) == [401] * 5
    refused = [await place.sign_in(password) for password in ("wrong", PASSWORD)]
    assert [answer.json()["code"] for answer in refused] == ["too_many_guesses"] * 2
    assert [answer.headers["retry-after"] for answer in refused] == ["900"] * 2
    assert refused[0].content == refused[1].content, "the right one is not told from a wrong one"
    assert place.tried == ["wrong"] * 5
    place.seconds = 899.5
    assert (await place.sign_in(PASSWORD)).headers["retry-after"] == "1"
    place.seconds = 900
    assert (await place.sign_in(PASSWORD)).status_code == 200


async def test_other_logins_and_other_addresses_are_not_concerned(place: Place) -> None:
    await place.codes("wrong", 5)
    assert await place.codes("wrong", 1, login="wang") == [401]
    assert (await place.sign_in(PASSWORD, address="10.0.0.2")).status_code == 200
    assert (await place.sign_in(PASSWORD)).status_code == 429


async def test_guesses_from_everywhere_end_after_twenty_a_day(place: Place) -> None:
    codes = [(await place.sign_in("wrong", address=f"10.0.1.{n}")).status_code for n in range(25)]
    assert codes == [401] * 20 + [429] * 5
    assert (await place.sign_in(PASSWORD, address="10.0.2.1")).headers["retry-after"] == str(DAY)
    place.seconds = DAY
    assert (await place.sign_in(PASSWORD, address="10.0.2.1")).status_code == 200


async def test_the_right_password_is_no_guess(place: Place) -> None:
    for _ in range(3):
        assert await place.codes("wrong", 4) == [401] * 4
        assert await place.codes(PASSWORD, 10) == [200] * 10
    assert await place.codes("wrong", 6) == [401] * 5 + [429]


async def test_a_guess_without_an_answer_is_none(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def down(*arguments: Any) -> AsyncIterator[None]:
        raise ConnectionRefusedError
        yield

    with monkeypatch.context() as patch:
        patch.setattr(place.world.context.database, "snapshot", down)
        assert await place.codes(PASSWORD, 30) == [503] * 30
    assert (await place.sign_in(PASSWORD)).status_code == 200


async def test_a_phone_that_is_signed_in_is_never_locked_by_guesses(place: Place) -> None:
    async with place.at("10.0.0.1") as http:
        tokens = (await place.sign_in(PASSWORD)).json()
        phone = {"name": "p", "platform": "test", "app_version": "1"}
        signed = (await http.post("/v1/replicas", json=phone, headers=bearer(tokens["access_token"]))).json()
        for number in range(30):
            await place.sign_in("wrong", address=f"10.0.0.{number % 5}")
        assert (await place.sign_in(PASSWORD)).status_code == 429
        form = {"grant_type": "refresh_token", "refresh_token": signed["refresh_token"]}
        refreshed = await http.post("/v1/auth/token", data=form)
        assert refreshed.status_code == 200
        headers = bearer(refreshed.json()["access_token"])
        assert (await http.post("/v1/sync/push", json={"mutations": []}, headers=headers)).status_code == 200


async def test_what_is_remembered_names_nobody(place: Place) -> None:
    await place.codes("wrong", 2)
    windows = place.world.app.state.guesses
    keys = [key for window in (windows.from_one_address, windows.of_one_day) for key in window._times]
    assert [len(key) for key in keys] == [32, 32]
    assert not [key for key in keys if b"li" in key or b"10.0.0.1" in key]


def test_what_is_past_is_forgotten_and_invented_keys_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST_KEYS", 50)
    window = Window(3, 10)
    for number in range(1000):
        window.add(b"%d" % number, 0)
        assert len(window._times) <= 50
    window.add(b"a", 5)
    for number in range(60):
        window.add(b"b", 11 + number / 100)
    assert set(window._times) == {b"a", b"b"}


async def test_a_crowd_at_the_hashing_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MOST_WAITING", 0)
    with pytest.raises(passwords.Problem, match="overloaded"):
        await passwords.is_password("x", None)
