"""The product's own server with one route more: the least that an answer to a signed-in phone can cost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiosqlite
import asyncpg
from fastapi import FastAPI, Request, Response

from app.context import ContextDep
from app.identity.tokens import claims_of
from app.main import create_app
from app.settings import settings

CONNECTIONS = 8
PATH = "/floor"
ANSWER = b'{"unchanged":true}'


def create_floor() -> FastAPI:
    """create_app() and one route, behind the same middlewares."""
    app = create_app()
    app.state.floor = None
    app.add_api_route(PATH, floor, methods=["GET"], include_in_schema=False)
    return app


async def floor(request: Request, context: ContextDep) -> Response:
    """Verifies the token and asks the database for 1, through the bare driver, on a connection that waits for it."""
    claims_of(context, request.headers["authorization"].removeprefix("Bearer "))
    state = request.app.state
    if state.floor is None:
        state.floor = asyncio.ensure_future(_pool())
    pool: asyncio.LifoQueue[Callable[[], Awaitable[Any]]] = await state.floor
    ask = await pool.get()
    try:
        await ask()
    finally:
        pool.put_nowait(ask)
    return Response(ANSWER, media_type="application/json")


async def _pool() -> asyncio.LifoQueue[Callable[[], Awaitable[Any]]]:
    pool: asyncio.LifoQueue[Callable[[], Awaitable[Any]]] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        pool.put_nowait(await _connection())
    return pool


async def _connection() -> Callable[[], Awaitable[Any]]:
    file = settings().database_file
    if file is None:
        postgres = await asyncpg.connect(settings().database_url)
        return lambda: postgres.fetchval("SELECT 1")
    sqlite = await aiosqlite.connect(file)
    return lambda: sqlite.execute_fetchall("SELECT 1")
