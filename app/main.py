"""Assembles the application, nothing else."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import health, mutations, record_routes, replicas, sync_routes
from app.context import Context
from app.docs import documented_app
from app.handlers import LastResort, add_handlers
from app.headers import SecurityHeaders
from app.identity import routes as identity
from app.logs import LibraryLogs, RequestLog, configure_logs
from app.opening import open_context
from app.settings import settings
from sync import seams

ROUTERS = (
    identity.router,
    replicas.router,
    sync_routes.router,
    mutations.router,
    record_routes.router,
    health.router,
)


def create_app(context: Context | None = None) -> FastAPI:
    """The application over a context; without one it opens its own from the settings, and closes it."""
    configure_logs(settings().log_level)
    app = documented_app(lifespan=_lifespan)
    if context is not None:
        app.state.context = context
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    # The last added is the outermost: the log sees what is sent, headers reach even the last resort.
    for layer in (LastResort, SecurityHeaders, RequestLog):
        app.add_middleware(layer)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    if hasattr(app.state, "context"):
        yield
        return
    LibraryLogs.take_over()
    context = app.state.context = await open_context(settings(), seams.real())
    # What was loaded to serve lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        await context.database.close()
