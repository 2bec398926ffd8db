"""One command's work on the store, and what its user is told when it can't be done."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import typer
from pydantic import ValidationError

from app.context import Context
from app.handlers import is_outage
from app.opening import CannotOpen, open_context
from app.partitions import CannotCut
from app.problems import CATALOGUE, Problem
from app.settings import Settings, settings
from app.wall import WallRefused
from sync import seams

T = TypeVar("T")


def with_context(work: Callable[[Context], Awaitable[T]]) -> T:
    """Opens the store that the settings name, does the work, closes it."""

    async def run() -> T:
        context = await open_context(settings(), seams.real())
        try:
            return await work(context)
        finally:
            await context.database.close()

    return told(run)


def told(run: Callable[[], Awaitable[T]], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> T:
    """The work's answer; what stands in its way is one sentence and exit code 1, not a traceback."""

    async def running() -> T:
        return await run()

    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(running())
    except (CannotOpen, WallRefused, CannotCut) as reason:
        refuse(str(reason))
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        # Never the value itself, which may be a key.
        refuse("\n".join(f"QIAOMEN_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()))
    except Problem as problem:
        entry = CATALOGUE[problem.code]
        where = " ".join(str(error["pointer"]) for error in problem.errors if "pointer" in error)
        refuse(f"{entry.zh} · {entry.en} ({problem.code}){where and f': {where}'}")
    except Exception as error:
        if not is_outage(error):
            raise
        refuse(f"The database can't be reached ({type(error).__name__}).")


def refuse(reason: str) -> NoReturn:
    """Says why on standard error and ends the command."""
    typer.echo(reason, err=True)
    raise typer.Exit(1)
