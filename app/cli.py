"""The command `qiaomen`. Each command says what it does; app/commands does it."""

# ruff: noqa: PLC0415 - imports wait until their command runs, so that `qiaomen --help` is quick

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.phone.commands import phone
from app.roles import RoleName

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
person = typer.Typer(no_args_is_help=True, help="People who may sign in. Nobody registers by themselves.")
grant = typer.Typer(no_args_is_help=True, help="Who may do what where, and from when to when.")
area = typer.Typer(no_args_is_help=True, help="The tree of areas.")
app.add_typer(person, name="person")
app.add_typer(grant, name="grant")
app.add_typer(area, name="area")
app.add_typer(phone, name="phone")


Code = Annotated[str, typer.Option("--area", metavar="CODE", help="The area's code")]
Kind = Literal["roster", "areas"]
RoleOption = Annotated[RoleName, typer.Option("--role")]


@app.command()
def migrate(partitions: Annotated[int | None, typer.Option(min=2, max=1024, metavar="N")] = None) -> None:
    """Bring the database to this version's schema. The embedded SQLite does so by itself.

    With --partitions an empty database on PostgreSQL is cut into N parts by community, for good.
    """
    from app.commands import running

    running.migrate(partitions)


@app.command()
def serve(host: str = "127.0.0.1", port: int = 8000, workers: int = 1) -> None:
    """Serve the API; /docs is Swagger UI."""
    from app.commands import running

    running.serve(host, port, workers)


@app.command()
def restore() -> None:
    """After putting back a backup: begin a new epoch, so that phones send again what it lacks."""
    from app.commands import running

    typer.echo(running.restore())


@app.command()
def compact(older_than_days: Annotated[int, typer.Option(min=30)] = 180) -> None:
    """Forget marks, tombstones and departures older than the retention."""
    from app.commands.session import with_context
    from app.compact import compact as compact_feeds

    typer.echo(with_context(lambda context: compact_feeds(context, older_than_days)))


@app.command()
def erase() -> None:
    """Erase what was recorded for campaigns whose retention has ended; prints of how many records."""
    from app.commands.session import with_context
    from app.erasure import erase_ended

    typer.echo(with_context(erase_ended))


@app.command()
def doctor() -> None:
    """Compute anew what follows from other rows, and report what differs; changes nothing. Exit code 1 for drift."""
    from app.commands import checking

    if not checking.doctor(typer.echo):
        raise typer.Exit(1)


@app.command("import")
def import_roster(
    file: Annotated[Path, typer.Argument(help="An xlsx or CSV file", exists=True, dir_okay=False)],
    area_code: Code,
    *,
    write: Annotated[bool, typer.Option("--write", help="Do it; without this every row's fate is only told")] = False,
    kind: Annotated[Kind, typer.Option(help="Doors and the people behind them, or areas")] = "roster",
    mapping: Annotated[Path | None, typer.Option(metavar="FILE", help="JSON: heading → field")] = None,
    sheet: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which sheet; without it the first not hidden")
    ] = None,
    from_row: Annotated[int, typer.Option(min=1, help="Where to go on")] = 1,
) -> None:
    """Bring in a roster: one row a door, or one person behind it. First only tried; see POST /v1/imports.

    Prints what isn't plainly fine: row, fate, cells with what is wrong in them. Exit code 1 where a row was refused.
    """
    from app.commands import importing

    order = importing.Asked(area_code, kind, mapping, sheet, from_row, write)
    counts = importing.bring(file, order, typer.echo, lambda line: typer.echo(line, err=True))
    typer.echo("\t".join(f"{fate} {many}" for fate, many in sorted(counts.items()) if many))
    if counts["refused"]:
        raise typer.Exit(1)


@app.command()
def calendar(
    year: Annotated[int, typer.Argument(min=1, max=9999)],
    area_code: Code,
) -> None:
    """List a year's statutory days off, and the weekend days worked instead, as codes that hold at an area.

    What is listed there stays as it is, so that the same year again adds nothing. Exit code 1 for a year not known yet.
    """
    from app.commands import calendar

    for line in calendar.add(year, area_code):
        typer.echo(line)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from app.commands import running

    typer.echo(running.openapi())


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the story instead of serving")] = False,
    accounts: Annotated[Path | None, typer.Option(help="Write who may sign in to this file")] = None,
    database: Annotated[str | None, typer.Option(metavar="URL", help="An empty one; else SQLite in the folder")] = None,
    directory: Annotated[Path | None, typer.Option(help="Where the phones lie; else a temporary folder")] = None,
    port: Annotated[int | None, typer.Option(help="The server's; else a free one")] = None,
    seed: int = 1,
    plant: Annotated[str | None, typer.Option(hidden=True)] = None,
    small: Annotated[bool, typer.Option("--small", hidden=True)] = False,
) -> None:
    """Show a day of three phones on an invented community, check it, then serve it until Ctrl-C."""
    from app.demo.show import Options, show

    show(Options(once, accounts, database, directory, port, seed, plant, small))


@app.command()
def bench(
    *,
    database: Annotated[str | None, typer.Option(metavar="URL", help="An empty one; else SQLite in a folder")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute, to see that it works")] = False,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This measure; may be repeated")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures to this file too")] = None,
    kinto: Annotated[Path | None, typer.Option(metavar="PYTHON", help="One that has Kinto, to compare with")] = None,
) -> None:
    """Measure the hot paths beside their limits, in the same run on the same rows; exit code 1 for a miss."""
    from app.benchmark.run import Options
    from app.benchmark.run import bench as run

    run(Options(database, quick, only or (), json, kinto))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def simulate(context: typer.Context) -> None:
    """Play bad days from seeds against the product, in a checkout of its source; see `qiaomen simulate --help`."""
    from app.commands import running

    raise typer.Exit(running.simulate(context.args))


@person.command("add")
def person_add(login: str, role: RoleOption, area_code: Code) -> None:
    """Add a person with a role over an area. The password is asked for, or is one line of standard input."""
    from app.commands import people

    typer.echo(people.add(login, role, area_code))


@grant.command("add")
def grant_add(
    login: str,
    role: RoleOption,
    area_code: Code,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    reason: str | None = None,
) -> None:
    """Give a person a role over an area and all that lies in it."""
    from app.commands import people

    typer.echo(people.grant(login, role, area_code, since=since, until=until, reason=reason))


@grant.command("end")
def grant_end(login: str, area_code: Code, role: Annotated[RoleName | None, typer.Option()] = None) -> None:
    """End a person's grants over an area; all of them, or those of one role."""
    from app.commands import people

    typer.echo(people.end(login, area_code, role))


@area.command("add")
def area_add(
    code: str,
    name: str,
    level: Annotated[str, typer.Option(help="city, district, street, community, grid, building, …")],
    parent: Annotated[str | None, typer.Option(metavar="CODE", help="The area it lies in")] = None,
) -> None:
    """Add an area to the tree."""
    from app.commands import areas

    typer.echo(areas.add(code, name, level, parent))


@area.command("list")
def area_list() -> None:
    """Print the tree: code, level, name."""
    from app.commands import areas

    for line in areas.lines():
        typer.echo(line)


def main() -> None:
    """The entry point that pyproject.toml names."""
    app()


if __name__ == "__main__":
    main()
