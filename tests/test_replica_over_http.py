"""A client carries a replica's requests: tokens, waiting, trying again, and never losing a thing."""

import base64
import gzip
import json
from collections.abc import Callable

import httpx
import pytest

from sync.client import TRIES, Client, NotSignedIn, Offline, SignInRefused
from sync.entries import Key
from sync.exchange import Request
from sync.replica import OtherPersonsOutbox, Replica
from sync.store import MemoryStore
from tests.scripted import HOME, PERSON, PHONE, Clock, Raw, ScriptedServer, problem

OTHER = "22222222-0000-7000-8000-000000000002"
Handler = Callable[[httpx.Request], httpx.Response | None]


def a_token(person: str, name: str) -> str:
    """A JWT as far as a phone looks into it."""
    claims = base64.urlsafe_b64encode(json.dumps({"sub": person, "name": name}).encode()).rstrip(b"=")
    return f"head.{claims.decode()}.signature"


class HttpServer:
    """The scripted server behind HTTP, with tokens that can expire."""

    def __init__(self) -> None:
        self.scripted, self.requests = ScriptedServer(), list[httpx.Request]()
        self.person, self.refreshes, self.refused_refresh = str(PERSON), 0, ""
        self.access = self.refresh = ""
        self.in_the_way: list[Handler] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.in_the_way and (response := self.in_the_way.pop(0)(request)):
            return response
        if request.url.path == "/v1/auth/token":
            return self.token(dict(httpx.QueryParams(request.content.decode())))
        if request.headers["authorization"] != f"Bearer {self.access}":
            return as_response(problem(401, "token_expired"))
        if request.url.path == "/v1/replicas":
            assert json.loads(request.content) == {"name": "a phone", "platform": "test", "app_version": "1"}
            return httpx.Response(201, json={"id": str(PHONE), **self.tokens("phone")})
        return as_response(self.scripted.answer(as_asked(request)))

    def token(self, form: Raw) -> httpx.Response:
        if form["grant_type"] == "password":
            right = (form["username"], form["password"]) == ("li", "knock")
            return httpx.Response(200, json=self.tokens("person")) if right else refused("wrong_credentials")
        if self.refused_refresh or form["refresh_token"] != self.refresh:
            return refused(self.refused_refresh or "refresh_reused")
        self.refreshes += 1
        return httpx.Response(200, json=self.tokens(f"refreshed {self.refreshes}"))

    def tokens(self, name: str) -> Raw:
        self.access, self.refresh = a_token(self.person, name), f"refresh {name}"
        return {"access_token": self.access, "refresh_token": self.refresh, "token_type": "bearer"}

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


def as_response(answer: tuple[int, str, bytes]) -> httpx.Response:
    status, content_type, body = answer
    return httpx.Response(status, content=body, headers={"content-type": content_type})


def as_asked(request: httpx.Request) -> Request:
    body = request.content
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    kinds = {"/v1/sync": "sync", "/v1/sync/push": "push", "/v1/sync/pull": "pull"}
    return Request(kinds[request.url.path], body, 0, None)  # type: ignore[arg-type]


def refused(code: str) -> httpx.Response:
    return as_response(problem(401, code))


def no_signal(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no signal in this stairwell")


def a_portal(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, html="<html>Welcome</html>")


class Phone:
    """A client, its clock and its server."""

    def __init__(self) -> None:
        self.clock, self.server, self.store = Clock(), HttpServer(), MemoryStore()
        seams = self.clock.seams()
        self.replica = Replica(self.store, seams)
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.server), base_url="http://server")
        self.client = Client(self.replica, http, seams)

    async def sign_in(self) -> "Phone":
        await self.client.sign_in("li", "knock", "a phone", "test", "1")
        self.server.requests.clear()
        return self


async def test_signing_in_registers_the_phone_and_keeps_its_tokens() -> None:
    phone = Phone()
    await phone.client.sign_in("li", "knock", "a phone", "test", "1")
    assert phone.server.paths == ["/v1/auth/token", "/v1/replicas"]
    status = phone.replica.status()
    assert (status.person, status.replica) == (str(PERSON), str(PHONE))
    assert phone.replica.tokens() == (phone.server.access, "refresh phone")


async def test_a_wrong_password_is_told_and_changes_nothing() -> None:
    phone = Phone()
    with pytest.raises(SignInRefused) as caught:
        await phone.client.sign_in("li", "wrong", "a phone", "test", "1")
    assert caught.value.problem.code == "wrong_credentials"
    assert phone.replica.tokens() is None


async def test_signing_in_outlasts_a_bad_moment_of_the_network_and_of_the_server() -> None:
    phone = Phone()
    too_many = as_response(problem(429, "too_many_requests"))
    phone.server.in_the_way = [no_signal, a_portal, lambda request: too_many]
    await phone.client.sign_in("li", "knock", "a phone", "test", "1")
    assert phone.replica.tokens() == (phone.server.access, "refresh phone")
    assert len(phone.clock.slept) == 3


async def test_signing_in_without_a_signal_ends_in_offline() -> None:
    phone = Phone()
    phone.server.in_the_way = [no_signal] * 99
    with pytest.raises(Offline):
        await phone.client.sign_in("li", "knock", "a phone", "test", "1")
    assert len(phone.server.requests) == len(phone.clock.slept) == TRIES


async def test_another_person_is_turned_away_before_the_server_hears_of_a_new_phone() -> None:
    phone = await Phone().sign_in()
    phone.replica.create("visits", HOME, {"note": "mine"})
    phone.server.person = OTHER
    with pytest.raises(OtherPersonsOutbox):
        await phone.client.sign_in("li", "knock", "a phone", "test", "1")
    assert phone.server.paths == ["/v1/auth/token"]
    assert phone.replica.status().unsent == 1


async def test_a_sync_sends_everything_and_reads_to_the_end() -> None:
    phone = await Phone().sign_in()
    household = Key("households", HOME, PHONE)
    phone.server.scripted.write(household, {"door": "101"})
    for number in range(120):
        phone.replica.create("visits", HOME, {"note": str(number)})
    report = await phone.client.sync()
    assert report.status.up_to_date
    assert report.problem is None
    assert report.requests == 2
    assert len(phone.server.scripted.records) == 121
    assert phone.replica.shown(household) is not None
    assert (await phone.client.sync()).requests == 1
    assert phone.clock.slept == []


async def test_a_large_body_travels_compressed_and_a_small_one_does_not() -> None:
    phone = await Phone().sign_in()
    phone.replica.create("visits", HOME, {"note": "敲门" * 1000})
    await phone.client.sync()
    await phone.client.sync()
    push, pull = phone.server.requests
    assert push.headers["content-encoding"] == "gzip"
    assert len(push.content) < 1024
    assert "content-encoding" not in pull.headers


async def test_an_expired_token_is_refreshed_and_the_new_one_is_on_disk_before_it_is_used() -> None:
    phone = await Phone().sign_in()
    phone.replica.create("visits", HOME, {"note": "mine"})
    phone.server.access = "expired"
    kept: list[object] = []

    def look(request: httpx.Request) -> None:
        kept.append(Replica(phone.store, phone.clock.seams()).tokens())

    phone.server.in_the_way = [look] * 3  # type: ignore[list-item]
    report = await phone.client.sync()
    assert phone.server.paths == ["/v1/sync", "/v1/auth/token", "/v1/sync"]
    assert kept[2] == (phone.server.access, "refresh refreshed 1")
    assert report.status.up_to_date
    assert report.status.blocked_by is None


async def test_a_lost_answer_to_a_refresh_is_asked_for_again_with_the_same_token() -> None:
    phone = await Phone().sign_in()
    phone.server.access = "expired"
    phone.server.in_the_way = [lambda request: None, no_signal]
    report = await phone.client.sync()
    assert report.status.up_to_date
    refreshes = [r.content for r in phone.server.requests if r.url.path == "/v1/auth/token"]
    assert refreshes[0] == refreshes[1]


async def test_a_portal_that_answers_a_refresh_costs_only_time() -> None:
    phone = await Phone().sign_in()
    phone.server.access = "expired"
    phone.server.in_the_way = [lambda request: None, a_portal]
    assert (await phone.client.sync()).status.up_to_date
    assert phone.server.refreshes == len(phone.clock.slept) == 1


async def test_a_refused_refresh_asks_for_a_sign_in_and_keeps_the_outbox() -> None:
    phone = await Phone().sign_in()
    phone.replica.create("visits", HOME, {"note": "mine"})
    phone.server.access, phone.server.refused_refresh = "expired", "refresh_reused"
    report = await phone.client.sync()
    assert report.problem is not None
    assert report.problem.code == report.status.blocked_by == "refresh_reused"
    assert report.status.unsent == 1
    phone.server.refused_refresh = ""
    await phone.sign_in()
    assert (await phone.client.sync()).status.up_to_date


async def test_a_phone_revoked_while_its_token_had_expired_wipes_as_well() -> None:
    phone = await Phone().sign_in()
    household = Key("households", HOME, PHONE)
    phone.server.scripted.write(household, {"door": "101"})
    await phone.client.sync()
    phone.server.access, phone.server.refused_refresh = "expired", "replica_revoked"
    report = await phone.client.sync()
    assert report.status.blocked_by == "replica_revoked"
    assert phone.replica.shown(household) is None
    assert (await phone.client.sync()).requests == 0


async def test_a_token_that_expires_again_at_once_does_not_turn_in_circles() -> None:
    phone = await Phone().sign_in()
    phone.server.in_the_way = [lambda request: refused("token_expired"), lambda request: None] * 9
    report = await phone.client.sync()
    assert report.requests == 1
    assert report.status.blocked_by == "token_expired"


async def test_a_stairwell_and_a_portal_cost_only_time() -> None:
    phone = await Phone().sign_in()
    phone.replica.create("visits", HOME, {"note": "mine"})
    phone.server.in_the_way = [no_signal, a_portal, no_signal]
    report = await phone.client.sync()
    assert report.status.up_to_date
    bodies = {request.content for request in phone.server.requests}
    assert len({json.loads(body)["push"]["mutations"][0]["id"] for body in bodies}) == 1
    assert len(phone.clock.slept) == 3


async def test_waiting_grows_with_full_jitter_and_ends_in_offline() -> None:
    phone = await Phone().sign_in()
    phone.replica.create("visits", HOME, {"note": "mine"})
    phone.server.in_the_way = [no_signal] * 99
    with pytest.raises(Offline):
        await phone.client.sync()
    assert len(phone.server.requests) == TRIES
    limits = [0.5, 1, 2, 4, 8, 16, 30]
    assert len(phone.clock.slept) == len(limits)
    assert all(0 <= slept <= limit for slept, limit in zip(phone.clock.slept, limits, strict=True))
    assert len(set(phone.clock.slept)) == len(limits)
    assert phone.replica.status().unsent == 1


async def test_the_server_says_when_to_come_back() -> None:
    phone = await Phone().sign_in()

    def busy(request: httpx.Request) -> httpx.Response:
        response = as_response(problem(503, "unavailable"))
        response.headers["retry-after"] = "20"
        return response

    phone.server.in_the_way = [busy]
    assert (await phone.client.sync()).status.up_to_date
    (slept,) = phone.clock.slept
    assert 20 <= slept <= 20.5


async def test_nobody_signed_in_is_told_so() -> None:
    phone = Phone()
    with pytest.raises(NotSignedIn):
        await phone.client.sync()


async def test_what_stops_a_sync_is_in_its_report() -> None:
    phone = await Phone().sign_in()
    phone.replica.create("visits", HOME, {"note": "mine"})
    phone.server.scripted.next_answers = [problem(409, "server_older")]
    report = await phone.client.sync()
    assert report.problem is not None
    assert (report.problem.code, report.requests) == ("server_older", 1)
    assert not report.status.up_to_date
