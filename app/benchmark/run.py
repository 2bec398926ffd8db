"""`qiaomen bench`: an empty database is filled and served, what was asked for is measured, and the table printed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from app.benchmark.conflicts import conflicts
from app.benchmark.figures import Figure, table_of, write_json
from app.benchmark.growth import growth
from app.benchmark.importing import import_roster
from app.benchmark.keepalive import BadAnswer
from app.benchmark.kinto import delta_kinto
from app.benchmark.memory import memory
from app.benchmark.pulling import first_pull, first_pull_gzip
from app.benchmark.pushing import push, push_eight, push_two_views
from app.benchmark.reporting import reports
from app.benchmark.session import FULL, QUICK, Session, open_session
from app.benchmark.small_pulls import delta, empty_pull
from app.benchmark.storm import storm
from app.commands.session import refuse, told
from app.demo.processes import NotServing
from app.settings import Settings
from sync import seams

MEASURES: dict[str, Callable[[Session], Awaitable[list[Figure]]]] = {
    "push": push,
    "push-eight": push_eight,
    "push-two-views": push_two_views,
    "import": import_roster,
    "reports": reports,
    "conflicts": conflicts,
    "first-pull": first_pull,
    "first-pull-gzip": first_pull_gzip,
    "delta": delta,
    "delta-kinto": delta_kinto,
    "empty-pull": empty_pull,
    "growth": growth,
    "storm": storm,
    "memory": memory,
}


@dataclass(frozen=True)
class Options:
    """What `qiaomen bench` was asked for."""

    database: str | None
    quick: bool
    only: Sequence[str]
    json: Path | None
    kinto: Path | None


def bench(options: Options) -> None:
    """Prints the table; exit code 1 where a figure is missed."""
    if unknown := set(options.only) - set(MEASURES):
        refuse(f"--only {', '.join(sorted(unknown))}: there is {', '.join(MEASURES)}.")
    try:
        figures = told(lambda: _run(options), _fast_loop())
    except NotServing:
        refuse("The server ended by itself.")
    typer.echo(table_of(figures))
    if any(figure.met is False for figure in figures):
        raise typer.Exit(1)


async def _run(options: Options) -> list[Figure]:
    world = seams.real()
    figures: list[Figure] = []
    with TemporaryDirectory(prefix="qiaomen-bench-") as name:
        folder = Path(name)
        url = options.database or f"sqlite:///{folder / 'qiaomen.db'}"
        settings = Settings(database_url=url, key=world.random_bytes(32).hex())
        scale = QUICK if options.quick else FULL
        async with open_session(settings, folder, world, scale, options.kinto) as session:
            for measure in options.only or MEASURES:
                typer.echo(f"{measure}… ", err=True, nl=False)
                began = world.monotonic()
                figures += await _measured(session, measure)
                typer.echo(f"{world.monotonic() - began:.0f} s", err=True)
    if options.json:
        store = "sqlite" if settings.embedded else "postgresql"
        write_json(options.json, {"at": world.now().isoformat(), "store": store, "quick": options.quick}, figures)
    return figures


async def _measured(session: Session, measure: str) -> list[Figure]:
    """Its figures. One that can't be had is a miss, and doesn't cost the others."""
    try:
        return await MEASURES[measure](session)
    except BadAnswer as answer:
        return [Figure(measure, None, "", at_least=0, note=f"not measured: {answer}")]


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed: the generator should cost as little as it can."""
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - there is none on Windows

        return uvloop.new_event_loop
    return None
