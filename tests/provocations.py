"""How each code of a problem is had from an operation: one invented mistake each."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from app import admission, bounds, pull
from app.identity.tokens import access_token, refresh_token, refresh_token_says
from app.main import create_app
from app.operator import add_area
from app.settings import Settings
from app.tables import Person
from sync import cursor as cursors
from sync.cursor import Positions
from tests.contract import Answer, client_of
from tests.provocations_of_imports import OF_IMPORTS
from tests.provocations_of_merges import OF_MERGES
from tests.provocations_of_records import OF_RECORDS, Provocation, said
from tests.stage import OTHERS, Stage
from tests.world import NEW_ID, PASSWORD, bearer


def broken(error: Exception) -> Provocation:
    """Every way to the store fails so."""

    async def provoke(stage: Stage) -> httpx.Response:
        def fails(*arguments: Any) -> Any:
            raise error

        for way in ("transaction", "snapshot", "glance", "run"):
            stage.patch.setattr(stage.world.context.database, way, fails)
        return await stage.ask()

    return provoke


async def token_expired(stage: Stage) -> httpx.Response:
    context = stage.world.context
    long_ago = replace(context.seams, now=lambda: context.seams.now() - timedelta(days=1))
    person = stage.world.people[stage.login]
    token = access_token(replace(context, seams=long_ago), person_id=person, replica_id=None, sign_in_id=NEW_ID())
    return await stage.ask(headers=bearer(token))


async def replica_revoked(stage: Stage) -> httpx.Response:
    mine = stage.make.phone.headers
    phones = (await stage.world.http.get("/v1/replicas", headers=mine)).json()["replicas"]
    tokens = (await stage.world.http.post("/v1/replicas", json=OTHERS["post_replica"]["json"], headers=mine)).json()
    for phone in (*phones, tokens):
        await stage.world.http.delete(
            f"/v1/replicas/{phone['id']}", headers=bearer(await stage.world.token(stage.login))
        )
    return await stage.ask(**(_refreshing(tokens["refresh_token"]) if stage.is_form else {}))


async def person_disabled(stage: Stage) -> httpx.Response:
    form = {"grant_type": "password", "username": stage.login, "password": PASSWORD}
    tokens = (await stage.world.http.post("/v1/auth/token", data=form)).json()
    async with stage.world.context.database.transaction() as transaction:
        table: Any = Person.__table__  # type: ignore[attr-defined]
        this = sa.update(table).where(table.c.login == stage.login)
        await transaction.execute(this.values(disabled_at=stage.world.context.seams.now()))
    return await stage.ask(**(_refreshing(tokens["refresh_token"]) if stage.is_form else {}))


def _refreshing(token: str) -> Answer:
    return {"data": {"grant_type": "refresh_token", "refresh_token": token}}


async def not_signed_in(stage: Stage) -> httpx.Response:
    if not stage.is_form:
        return await stage.ask(headers={"Authorization": None})
    return await stage.ask(**_refreshing(refresh_token(stage.world.context, NEW_ID(), 0)))


async def token_foreign(stage: Stage) -> httpx.Response:
    return await stage.ask(**(_refreshing("x") if stage.is_form else {"headers": bearer("x")}))


async def refresh_reused(stage: Stage) -> httpx.Response:
    tokens = (await stage.ask()).json()
    oldest = tokens["refresh_token"]
    for _ in range(3):
        tokens = (await stage.ask(**_refreshing(tokens["refresh_token"]))).json()
    assert refresh_token_says(stage.world.context, oldest)
    return await stage.ask(**_refreshing(oldest))


async def replica_needed(stage: Stage) -> httpx.Response:
    return await stage.ask(headers=bearer(await stage.world.token(stage.login)))


async def too_many_requests(stage: Stage) -> httpx.Response:
    async with client_of(create_app(stage.world.context, Settings(requests_per_minute=1))) as http:
        await http.get("/v1/replicas", headers=stage.make.phone.headers)
        return await stage.ask(http)


async def too_many_guesses(stage: Stage) -> httpx.Response:
    wrong = {"data": {**stage.good["data"], "password": "wrong"}}
    for _ in range(5):
        await stage.ask(**wrong)
    return await stage.ask(**wrong)


async def overloaded(stage: Stage) -> httpx.Response:
    stage.patch.setattr(admission, "PATIENCE_SECONDS", 0)
    stage.patch.setattr(admission, "PLACES_OF_THEIR_OWN", {"/v1/auth/token": 0, "/readyz": 0})
    stage.patch.setattr(admission.Gate, "retry_seconds", lambda *_: 1)
    async with client_of(create_app(stage.world.context, Settings(pool_size=0))) as http:
        return await stage.ask(http)


async def body_too_slow(stage: Stage) -> httpx.Response:
    stage.patch.setattr(bounds, "MOST_BODY_SECONDS", 0)
    return await stage.ask()


async def not_ready(stage: Stage) -> httpx.Response:
    return await broken(OSError())(stage)


async def bad_request(stage: Stage) -> httpx.Response:
    if stage.is_form:
        return await stage.ask(data={})
    if "{" in stage.path:
        return await stage.ask(path=re.sub(r"\{\w+\}", "x", stage.path))
    if stage.method == "GET":
        return await stage.ask(params={"limit": "x"})
    if "files" in stage.good:
        return await stage.ask_with(area_id="x")
    if stage.collection:
        return await stage.ask(headers={"Idempotency-Key": "x"})
    return await stage.ask(json={"protocol": "x"})


async def cursor_foreign(stage: Stage) -> httpx.Response:
    context = stage.world.context
    return await _pulling(stage, cursors.encode(Positions(NEW_ID()), context.subkey("cursor")))


async def cursor_forged(stage: Stage) -> httpx.Response:
    return await _pulling(stage, cursors.encode(Positions(stage.world.context.server_id), b"another key"))


async def cursor_unreadable(stage: Stage) -> httpx.Response:
    return await _pulling(stage, "x")


async def _pulling(stage: Stage, cursor: str) -> httpx.Response:
    if stage.method == "GET":
        return await stage.ask(params={"cursor": cursor})
    return await stage.ask(json={"cursor": cursor})


async def too_many_feeds(stage: Stage) -> httpx.Response:
    stage.patch.setattr(pull, "MOST_FEEDS", 0)
    return await stage.ask()


async def server_older(stage: Stage) -> httpx.Response:
    return await (stage.ask(params={"protocol": 2}) if stage.method == "GET" else stage.ask(json={"protocol": 2}))


async def server_restored(stage: Stage) -> httpx.Response:
    if stage.method == "GET":
        return await stage.ask(params={"received": 7})
    body: Answer = {"received": 7, "mutations": []}
    return await stage.ask(json={"push": body} if stage.path == "/v1/sync" else body)


async def login_taken(stage: Stage) -> httpx.Response:
    return await stage.ask_with(login=stage.login)


async def role_unfit(stage: Stage) -> httpx.Response:
    if stage.name == "hand_over_person":
        boss = await stage.another(role="security", area="district")
        return await stage.ask(
            json={**stage.good["json"], "to": str(stage.world.areas["district"])}, headers=boss.headers
        )
    return await stage.ask_with(role="secretary")


async def end_needed(stage: Stage) -> httpx.Response:
    return await stage.ask_with(role="first_secretary", area_id=str(stage.world.home))


async def dates_backward(stage: Stage) -> httpx.Response:
    if "/reports/" in stage.path:
        return await stage.ask_with(until="2026-03-01")
    return await stage.ask_with(since="2026-03-02T08:00:00Z", until="2026-03-02T07:00:00Z")


async def grant_overlaps(stage: Stage) -> httpx.Response:
    if stage.name == "hand_over_person":
        login = next(login for login, person in stage.world.people.items() if person == stage.id)
        await stage.world.grant(login, "building_2")
        return await stage.ask()
    await stage.ask()
    return await stage.ask()


async def enclave_unfit(stage: Stage) -> httpx.Response:
    return await stage.ask_with(area_id=str(stage.world.areas["unit_1"]))


async def enclave_overlaps(stage: Stage) -> httpx.Response:
    if stage.name != "hand_area_over":
        await stage.ask()
        return await stage.ask()
    # Of what goes and where it goes, both are enclaves.
    boss, world = await stage.another(role="admin", area="district"), stage.world
    there = await add_area(world.context, code=None, name="other", level="community", parent_code="district")
    for area in (str(stage.id), stage.good["json"]["to"]):
        body = {"area_id": area, "administrative_id": str(there)}
        await world.http.post("/v1/enclaves", json=body, headers=boss.headers)
    return await stage.ask()


async def handover_to_itself(stage: Stage) -> httpx.Response:
    return await stage.ask_with(to=stage.good["json"].get("area_id") or str(stage.world.areas["grid"]))


async def handover_cycle(stage: Stage) -> httpx.Response:
    return await stage.ask_with(to=str(stage.world.areas["unit_1"]))


async def handover_too_deep(stage: Stage) -> httpx.Response:
    return await stage.ask_with(to=str(stage.world.areas["building_2"]))


async def handover_across(stage: Stage) -> httpx.Response:
    boss = await stage.another(role="admin", area="district")
    return await stage.ask(json={"to": str(stage.world.areas["district"])}, headers=boss.headers)


async def roles_kept_apart(stage: Stage) -> httpx.Response:
    there = {"area_id": str(stage.world.home)}
    await stage.ask_with(**there, role="audit")
    return await stage.ask_with(**there, role="security")


PROVOCATIONS: dict[str, Provocation] = {
    **OF_RECORDS,
    **OF_MERGES,
    **OF_IMPORTS,
    **{
        made.__name__: made
        for made in (
            *(token_expired, replica_revoked, person_disabled, not_signed_in, token_foreign, refresh_reused),
            *(replica_needed, too_many_requests, too_many_guesses, overloaded, body_too_slow, not_ready, bad_request),
            *(login_taken, role_unfit, end_needed, dates_backward, grant_overlaps, roles_kept_apart),
            *(enclave_unfit, enclave_overlaps),
            *(handover_to_itself, handover_cycle, handover_too_deep, handover_across),
            *(cursor_foreign, cursor_forged, cursor_unreadable, too_many_feeds, server_older, server_restored),
        )
    },
    "internal": broken(RuntimeError()),
    "unavailable": broken(OSError()),
    "head_too_large": said(headers={"X-Long": "x" * 70_000}),
    "bad_json": said(content=b"{"),
    "too_deep": said(content=b"[" * 17),
    "bad_gzip": said(content=b"x", headers={"Content-Encoding": "gzip"}),
    "wrong_content_type": said(headers={"Content-Type": "text/plain"}),
    "wrong_credentials": said(data={"grant_type": "password", "username": "nobody", "password": "wrong"}),
    "too_many_mutations": said(content=b'{"mutations":[%s]}' % b",".join([b"1"] * 101)),
}
