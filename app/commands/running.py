"""`qiaomen serve`, `migrate`, `restore`, `compact`, `openapi`: keeping the server."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
import uvicorn
from fastapi import FastAPI

from app.commands.session import told, with_context
from app.connections import BoundedConnection
from app.context import Context
from app.main import create_app
from app.opening import open_database, require_version
from app.schema import begin_epoch, ensure_server_row
from app.schema import migrate as migrate_database
from app.settings import settings
from sync import seams

GRACEFUL_SECONDS = 25
KEEP_ALIVE_SECONDS = 75
"""A little more than the minute for which a proxy in front keeps a connection, so that the proxy ends it."""
BACKLOG = 4096
"""Phones that knock before anybody opens; the system may keep fewer."""


def migrate(partitions: int | None = None) -> None:
    """Brings the database to head; an empty one on PostgreSQL into so many partitions."""

    async def run() -> None:
        database = open_database(settings(), seams.real())
        try:
            await require_version(database)
            await migrate_database(database, partitions)
            await ensure_server_row(database, database.seams)
        finally:
            await database.close()

    told(run)


def serve(host: str, port: int, workers: int, factory: Callable[[], FastAPI] = create_app) -> None:
    """Until it is told to stop. What can't be opened is said here, before any worker starts."""

    async def ready(context: Context) -> None:
        typer.echo(f"http://{host}:{port}/docs", err=True)

    with_context(ready)
    uvicorn.run(**server_options(factory), host=host, port=port, workers=workers)


def server_options(factory: Callable[[], FastAPI] = create_app) -> dict[str, Any]:
    """How uvicorn serves us, whatever the address."""
    return {
        # By name, for the workers; this module has imported it, so no other `app` is meant.
        "app": f"{factory.__module__}:{factory.__name__}",
        "factory": True,
        "http": BoundedConnection,
        "ws": "none",
        "forwarded_allow_ips": settings().forwarded_allow_ips,
        "backlog": BACKLOG,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": GRACEFUL_SECONDS,
        "access_log": False,
        "log_config": None,
        "server_header": False,
    }


def restore() -> str:
    """The new epoch."""
    return with_context(lambda context: begin_epoch(context.database, context.seams))


def openapi() -> str:
    """The OpenAPI document as JSON; opens no store."""
    return json.dumps(create_app().openapi(), ensure_ascii=False, indent=2)


def simulate(arguments: list[str]) -> int:
    """The simulator's exit code. It lives with the tests, which an installed package hasn't got."""
    if not Path("tests/simulation/__main__.py").is_file():
        typer.echo("请在源代码的顶层文件夹里运行 · Run this in the top folder of a checkout of the source", err=True)
        return 2
    return subprocess.run([sys.executable, "-m", "tests.simulation", *arguments], check=False).returncode
