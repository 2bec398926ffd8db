"""Whoever sits in an office in the demo: signed in over HTTP and without a phone, as from a browser."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.demo.script import Untrue
from app.demo.stage import Account
from sync.wire import MOST_MUTATIONS, PROTOCOL


class Office:
    """Requests of one person. What isn't answered well is an error of the demo."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **parameters: str | Sequence[str]) -> Any:
        """The answer's JSON."""
        return (await self._http.get(path, params=parameters)).raise_for_status().json()

    async def post(self, path: str, **body: Any) -> Any:
        """Likewise."""
        return (await self._http.post(path, json=body)).raise_for_status().json()

    async def device(self, name: str) -> "Device":
        """A phone of theirs, registered."""
        said = await self.post("/v1/replicas", name=name, platform="demo", app_version="1")
        return Device(self._http, said["access_token"])

    async def every(self, path: str, **parameters: str) -> list[Any]:
        """What all pages of a list hold."""
        found: list[Any] = []
        asked: dict[str, str] = {"limit": "1000", **parameters}
        while True:
            page = await self.get(path, **asked)
            found += page["items"]
            if page["next"] is None:
                return found
            asked["after"] = page["next"]

    async def area(self, code: str) -> str:
        """The id of the area with this code."""
        [area] = (await self.get("/v1/areas", code=code))["items"]
        return str(area["id"])


class Device:
    """A phone of the same person that only sends: what it would show is another's story."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http, self._headers = http, {"Authorization": f"Bearer {token}"}

    async def push(self, home: str, mutations: Sequence[Any]) -> None:
        """All of them, a hundred at a time. Raises Untrue where one isn't applied."""
        for begin in range(0, len(mutations), MOST_MUTATIONS):
            some = mutations[begin : begin + MOST_MUTATIONS]
            sent = some[-1]["made_at"]
            body = {"protocol": PROTOCOL, "home": home, "sent_at": sent, "mutations": some}
            answer = (await self._http.post("/v1/sync/push", json=body, headers=self._headers)).raise_for_status()
            outcomes = {one["outcome"] for one in answer.json()["outcomes"]}
            if outcomes != {"applied"}:
                raise Untrue(f"what was written on the rounds became {sorted(outcomes)}")


@asynccontextmanager
async def office_of(server: str, account: Account) -> AsyncIterator[Office]:
    """Signed in."""
    async with httpx.AsyncClient(base_url=server, timeout=60, trust_env=False) as http:
        form = {"grant_type": "password", "username": account.login, "password": account.password}
        answer = (await http.post("/v1/auth/token", data=form)).raise_for_status()
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield Office(http)
