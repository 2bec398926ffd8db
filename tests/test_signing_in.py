"""Signing in and staying signed in: what a phone that holds unsent notes may rely on."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from app.context import Context
from app.identity import passwords
from app.identity.caller import PhoneDep
from app.identity.passwords import hash_password
from app.identity.sign_ins import IDLE_LIFE, LONGEST_LIFE
from app.identity.tokens import ACCESS_SECONDS, refresh_token, refresh_token_says
from app.main import create_app
from app.opening import open_context
from app.people import add_person
from app.settings import Settings
from sync import seams
from tests.contract import client_of

PASSWORD = "苹果树下 correct horse"
PHONE = {"name": "张的手机", "platform": "android", "app_version": "1.0"}

Answer = dict[str, Any]


class Clock:
    """The server's clock, which a test moves."""

    def __init__(self) -> None:
        self.time = seams.real().now()

    def now(self) -> datetime:
        return self.time

    def forward(self, **how_long: int) -> None:
        self.time += timedelta(**how_long)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def context(tmp_path: Path, clock: Clock) -> AsyncIterator[Context]:
    world = replace(seams.real(), now=clock.now)
    opened = await open_context(Settings(database_url=f"sqlite:///{tmp_path}/test.db", key="k" * 32), world)
    yield opened
    await opened.database.close()


@pytest.fixture
async def person(context: Context) -> UUID:
    password_hash = await hash_password(PASSWORD, context.seams.random_bytes(16))
    return await context.database.run(lambda t: add_person(t, context.seams, "zhang", password_hash))


@pytest.fixture
def app(context: Context) -> FastAPI:
    made = create_app(context)

    @made.get("/whoami")
    async def whoami(phone: PhoneDep) -> dict[str, UUID]:
        """Only a registered phone is answered."""
        return {"person": phone.person_id, "replica": phone.replica_id}

    return made


@pytest.fixture
async def web(app: FastAPI, person: UUID) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def sign_in(web: httpx.AsyncClient, login: str = "zhang", password: str = PASSWORD) -> httpx.Response:
    form = {"grant_type": "password", "username": login, "password": password}
    return await web.post("/v1/auth/token", data=form)


async def refresh(web: httpx.AsyncClient, token: str) -> httpx.Response:
    return await web.post("/v1/auth/token", data={"grant_type": "refresh_token", "refresh_token": token})


async def registered(web: httpx.AsyncClient) -> Answer:
    person = (await sign_in(web)).json()
    answer = await web.post("/v1/replicas", json=PHONE, headers=bearer(person))
    assert answer.status_code == 201
    return dict(answer.json())


def bearer(tokens: Answer) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def whoami(web: httpx.AsyncClient, tokens: Answer) -> httpx.Response:
    return await web.get("/whoami", headers=bearer(tokens))


def code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["code"])


async def test_there_is_no_default_account(context: Context) -> None:
    async with context.database.snapshot("server") as snapshot:
        assert await snapshot.rows(sa.text("SELECT login FROM person")) == []


async def test_a_person_signs_in_registers_a_phone_and_is_known_by_it(web: httpx.AsyncClient, person: UUID) -> None:
    phone = await registered(web)
    assert (await whoami(web, phone)).json() == {"person": str(person), "replica": phone["id"]}
    listed = (await web.get("/v1/replicas", headers=bearer(phone))).json()["replicas"]
    assert [(r["id"], r["name"], r["revoked_at"]) for r in listed] == [(phone["id"], "张的手机", None)]


@pytest.mark.parametrize(
    ("login", "password"),
    [("zhang", "wrong"), ("nobody", PASSWORD), ("zh\x00ang", PASSWORD), ("zhang" * 20, PASSWORD)],
)
async def test_wrong_password_and_unknown_login_are_told_alike(
    web: httpx.AsyncClient, login: str, password: str
) -> None:
    answer = await sign_in(web, login, password)
    assert (answer.status_code, code(answer)) == (401, "wrong_credentials")


async def test_an_unknown_login_costs_as_much_hashing_as_a_known_one() -> None:
    held = await hash_password(PASSWORD, bytes(16))
    costs = [text.split("$")[3] for text in (held, passwords.nobodys_hash())]
    assert costs == ["m=19456,t=2,p=1"] * 2
    assert not await passwords.is_password("", None)


async def test_a_disabled_person_can_neither_sign_in_nor_go_on(web: httpx.AsyncClient, context: Context) -> None:
    phone = await registered(web)
    async with context.database.transaction() as transaction:
        await transaction.execute(sa.text("UPDATE person SET disabled_at = created_at"))
    assert code(await sign_in(web)) == "wrong_credentials"
    assert code(await whoami(web, phone)) == "person_disabled"
    assert code(await refresh(web, phone["refresh_token"])) == "person_disabled"


async def test_a_person_without_a_registered_phone_is_told_to_register_it(web: httpx.AsyncClient) -> None:
    assert code(await whoami(web, (await sign_in(web)).json())) == "replica_needed"


async def test_an_access_token_lives_fifteen_minutes_of_the_servers_clock(web: httpx.AsyncClient, clock: Clock) -> None:
    phone = await registered(web)
    assert phone["expires_in"] == ACCESS_SECONDS == 900
    clock.forward(seconds=ACCESS_SECONDS - 1)
    assert (await whoami(web, phone)).status_code == 200
    clock.forward(seconds=1)
    answer = await whoami(web, phone)
    assert (answer.status_code, code(answer)) == (401, "token_expired")
    assert "Bearer" in answer.headers["www-authenticate"]


async def test_no_token_a_foreign_one_and_a_garbled_one_each_say_what_they_are(
    web: httpx.AsyncClient, context: Context
) -> None:
    phone = await registered(web)
    assert code(await web.get("/whoami")) == "not_signed_in"
    assert code(await web.get("/whoami", headers={"Authorization": "Basic eDp5"})) == "not_signed_in"
    head, body, signature = phone["access_token"].split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    for garbled in ("x", "a.b.c", f"{head}.{body}.{signature[::-1]}", f"{none}.{body}.", "é.è.à"):
        headers = {"Authorization": f"Bearer {garbled}".encode("latin-1")}
        assert code(await web.get("/whoami", headers=headers)) == "token_foreign"


@pytest.mark.parametrize("other", ["key", "server_id"])
async def test_another_servers_token_means_nothing_here(
    web: httpx.AsyncClient, context: Context, app: FastAPI, other: str
) -> None:
    changed = {"key": b"o" * 32} if other == "key" else {"server_id": context.seams.new_id()}
    app.state.context = replace(context, **changed)  # type: ignore[arg-type]
    foreign = await registered(web)
    app.state.context = context
    assert code(await whoami(web, foreign)) == "token_foreign"


async def test_a_refreshed_phone_stays_the_same_phone(web: httpx.AsyncClient, clock: Clock) -> None:
    phone = await registered(web)
    tokens = phone
    for _ in range(3):
        clock.forward(days=20)
        tokens = (await refresh(web, tokens["refresh_token"])).json()
        assert (await whoami(web, tokens)).json()["replica"] == phone["id"]


async def test_a_lost_answer_never_signs_a_phone_out(web: httpx.AsyncClient) -> None:
    held = (await registered(web))["refresh_token"]
    for _ in range(5):
        lost = [await refresh(web, held) for _ in range(3)]
        assert [answer.status_code for answer in lost] == [200, 200, 200]
        assert len({answer.json()["refresh_token"] for answer in lost}) == 1
        held = lost[0].json()["refresh_token"]


async def test_a_refresh_token_older_than_that_signs_everybody_out_who_holds_one(
    web: httpx.AsyncClient,
) -> None:
    first = await registered(web)
    second = (await refresh(web, first["refresh_token"])).json()
    third = (await refresh(web, second["refresh_token"])).json()
    assert code(await refresh(web, first["refresh_token"])) == "refresh_reused"
    assert code(await refresh(web, third["refresh_token"])) == "not_signed_in"
    assert code(await whoami(web, third)) == "not_signed_in"
    assert (await sign_in(web)).status_code == 200


async def test_a_sign_in_ends_after_thirty_idle_days_and_after_ninety_in_all(
    web: httpx.AsyncClient, clock: Clock
) -> None:
    assert (IDLE_LIFE.days, LONGEST_LIFE.days) == (30, 90)
    idle = await registered(web)
    clock.forward(days=30)
    assert code(await refresh(web, idle["refresh_token"])) == "not_signed_in"
    tokens = await registered(web)
    for _ in range(3):
        clock.forward(days=29)
        tokens = (await refresh(web, tokens["refresh_token"])).json()
    clock.forward(days=3)
    assert code(await refresh(web, tokens["refresh_token"])) == "not_signed_in"


async def test_a_server_restored_from_a_backup_signs_no_phone_out(web: httpx.AsyncClient, context: Context) -> None:
    tokens = await registered(web)
    for _ in range(4):
        tokens = (await refresh(web, tokens["refresh_token"])).json()
    async with context.database.transaction() as transaction:
        await transaction.execute(sa.text("UPDATE sign_in SET generation = 1"))
    after = await refresh(web, tokens["refresh_token"])
    assert after.status_code == 200
    assert (await refresh(web, after.json()["refresh_token"])).status_code == 200


async def test_a_refresh_token_can_not_be_made_up(web: httpx.AsyncClient, context: Context) -> None:
    token = (await registered(web))["refresh_token"]
    sign_in_id, generation = refresh_token_says(context, token)
    other = refresh_token(replace(context, key=b"o" * 32), sign_in_id, generation + 1)
    for made_up in (other, token[::-1], token[:-4], token + "AAAA", "x", "é", "=", token + "\n"):
        assert code(await refresh(web, made_up)) == "token_foreign", made_up


async def test_a_revoked_phone_hears_so_at_its_next_request_and_others_do_not(web: httpx.AsyncClient) -> None:
    lost, kept = await registered(web), await registered(web)
    for _ in range(2):
        assert (await web.delete(f"/v1/replicas/{lost['id']}", headers=bearer(kept))).status_code == 204
    assert code(await whoami(web, lost)) == "replica_revoked"
    assert code(await refresh(web, lost["refresh_token"])) == "replica_revoked"
    assert (await whoami(web, kept)).status_code == 200
    assert (await refresh(web, kept["refresh_token"])).status_code == 200


async def test_somebody_elses_phone_can_not_be_told_from_none(web: httpx.AsyncClient, context: Context) -> None:
    mine = await registered(web)
    hashed = await hash_password(PASSWORD, bytes(16))
    await context.database.run(lambda t: add_person(t, context.seams, "li", hashed))
    other = (await sign_in(web, "li")).json()
    nobodys = context.seams.new_id()
    answers = [await web.delete(f"/v1/replicas/{i}", headers=bearer(other)) for i in (mine["id"], nobodys)]
    assert [a.status_code for a in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert (await whoami(web, mine)).status_code == 200


async def test_a_rejected_request_never_comes_back_in_the_answer(web: httpx.AsyncClient) -> None:
    person = bearer((await sign_in(web)).json())
    secret = "王小明420107"
    bodies = [PHONE | {"name": secret * 20}, PHONE | {"name": {secret: secret}}, {secret: 1}, [secret]]
    for body in bodies:
        answer = await web.post("/v1/replicas", json=body, headers=person)
        assert (answer.status_code, code(answer)) == (400, "bad_request")
        assert secret not in answer.text
    form = {"grant_type": secret, "username": secret * 30, "password": secret * 90}
    answer = await web.post("/v1/auth/token", data=form)
    assert answer.status_code == 400
    assert secret not in answer.text
