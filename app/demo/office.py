"""Whoever sits in an office in the demo: signed in over HTTP and without a phone, as from a browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.demo.stage import Account


class Office:
    """Requests of one person. What isn't answered well is an error of the demo."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **parameters: str) -> Any:
        """The answer's JSON."""
        return (await self._http.get(path, params=parameters)).raise_for_status().json()

    async def post(self, path: str, **body: Any) -> Any:
        """Likewise."""
        return (await self._http.post(path, json=body)).raise_for_status().json()

    async def area(self, code: str) -> str:
        """The id of the area with this code."""
        [area] = (await self.get("/v1/areas", code=code))["items"]
        return str(area["id"])


@asynccontextmanager
async def office_of(server: str, account: Account) -> AsyncIterator[Office]:
    """Signed in."""
    async with httpx.AsyncClient(base_url=server, timeout=60, trust_env=False) as http:
        form = {"grant_type": "password", "username": account.login, "password": account.password}
        answer = (await http.post("/v1/auth/token", data=form)).raise_for_status()
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield Office(http)
