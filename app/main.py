"""Assembles the application, nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from app import (
    campaign_routes,
    enclave_routes,
    grant_routes,
    handover_routes,
    health,
    merge_routes,
    mutation_routes,
    people_routes,
    record_routes,
    replica_routes,
    sync_routes,
)
from app.admission import Admission
from app.bounds import Bounds
from app.collecting import collect_seldom
from app.context import Context
from app.docs import documented_app
from app.handlers import LastResort, add_handlers
from app.head import HeadAsGet
from app.headers import SecurityHeaders
from app.identity import routes as identity
from app.identity.budget import Budget
from app.identity.guesses import Guesses
from app.imports import routes as imports
from app.logs import LibraryLogs, Log, RequestLog, configure_logs
from app.office import routes as office
from app.opening import open_context
from app.origins import CORS_OPTIONS
from app.rebuild import rebuild_views
from app.reports import activity_routes, doors_routes, rounds_routes
from app.reports import routes as reports
from app.settings import Settings, settings
from app.waiting import Waiting
from sync import seams

# In order of how often they are asked for: each is tried in turn.
ROUTERS = (
    sync_routes.router,
    identity.router,
    replica_routes.router,
    mutation_routes.router,
    record_routes.router,
    handover_routes.router,
    merge_routes.router,
    enclave_routes.router,
    people_routes.router,
    grant_routes.router,
    campaign_routes.router,
    reports.router,
    doors_routes.router,
    rounds_routes.router,
    activity_routes.router,
    imports.router,
    health.router,
    office.router,
)

REBUILT_AGAIN_SECONDS = 60
PLACES_PER_CONNECTION = 2
"""Requests that work at once: while one waits for the store, another reads its body or writes its answer."""


def create_app(context: Context | None = None, chosen: Settings | None = None) -> FastAPI:
    """The application over a context; without one it opens its own from the settings, and closes it."""
    chosen = chosen or settings()
    configure_logs(chosen.log_level)
    app = documented_app(lifespan=_lifespan)
    if context is not None:
        app.state.context = context
    app.state.guesses = Guesses()
    app.state.budget = Budget(chosen.requests_per_minute)
    app.state.waiting = Waiting()
    app.router.routes += _routes()
    add_handlers(app)
    # The last added is the outermost: the log sees what is sent, headers reach even the last resort.
    app.add_middleware(HeadAsGet)
    app.add_middleware(LastResort)
    app.add_middleware(Admission, places=PLACES_PER_CONNECTION * chosen.pool_size)
    app.add_middleware(Bounds)
    if chosen.cors_origins:
        app.add_middleware(CORSMiddleware, **CORS_OPTIONS, allow_origins=chosen.cors_origins)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Built once a process: each application that includes a router builds all of its routes anew, for a third of a
    second, and FastAPI's own caches never let go of them.
    """
    template = documented_app()
    there = len(template.routes)
    for router in ROUTERS:
        template.include_router(router)
    return template.routes[there:]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    # For the connections, which are told to end before this is (connections.py).
    state = {"stop_waiting": app.state.waiting.stop}
    if hasattr(app.state, "context"):
        yield state
        return
    LibraryLogs.take_over()
    context = app.state.context = await open_context(settings(), seams.real())
    collect_seldom()
    rebuilding = asyncio.create_task(_rebuild(context))
    try:
        yield state
    finally:
        app.state.waiting.stop()
        rebuilding.cancel()
        await asyncio.gather(rebuilding, return_exceptions=True)
        await context.database.close()


async def _rebuild(context: Context) -> None:
    """Beside serving, until it is done: a store that fails now may serve again in a minute."""
    while True:
        try:
            if listed := await rebuild_views(context):
                Log.info("views_rebuilt", count=listed)
            return
        except Exception as error:
            Log.error("views_not_rebuilt", error_kind=type(error).__name__)
            await context.seams.sleep(REBUILT_AGAIN_SECONDS)
