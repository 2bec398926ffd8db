"""`qiaomen serve`, `migrate`, `restore`, `compact`, `openapi`: keeping the server."""

import json

import typer
import uvicorn

from app.commands.session import told, with_context
from app.context import Context
from app.main import create_app
from app.opening import open_database, require_version
from app.schema import begin_epoch, ensure_server_row
from app.schema import migrate as migrate_database
from app.settings import settings
from sync import seams

GRACEFUL_SECONDS = 25


def migrate() -> None:
    """Brings the database to head."""

    async def run() -> None:
        database = open_database(settings(), seams.real())
        try:
            await require_version(database)
            await migrate_database(database)
            await ensure_server_row(database, database.seams)
        finally:
            await database.close()

    told(run)


def serve(host: str, port: int, workers: int) -> None:
    """Until it is told to stop. What can't be opened is said here, before any worker starts."""

    async def ready(context: Context) -> None:
        typer.echo(f"http://{host}:{port}/docs", err=True)

    with_context(ready)
    uvicorn.run(
        # By name, for the workers; this module has imported it, so no other `app` is meant.
        f"{create_app.__module__}:{create_app.__name__}",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )


def restore() -> str:
    """The new epoch."""
    return with_context(lambda context: begin_epoch(context.database, context.seams))


def openapi() -> str:
    """The OpenAPI document as JSON; opens no store."""
    return json.dumps(create_app().openapi(), ensure_ascii=False, indent=2)
