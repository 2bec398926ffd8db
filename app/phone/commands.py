"""The commands of `qiaomen phone`: what each takes. What it does is in the file it imports."""

# ruff: noqa: PLC0415 - imports wait until their command runs, so that `qiaomen --help` is quick

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import JsonValue

    from app.phone.held import Terminal
    from sync.wire import Fields

phone = typer.Typer(no_args_is_help=True, help="A phone in the terminal: write offline, sync later.")

Record = Annotated[str, typer.Argument(metavar="ID", help="An id, or enough of its end to be the only one")]
Name = Annotated[str, typer.Argument(metavar="COLLECTION", help="households, residents, visits, …")]
Codes = Annotated[list[str] | None, typer.Option(metavar="FIELD=CODE", help="May be given several times")]


class Channel(StrEnum):
    """Where they met."""

    DOOR = "door"
    PHONE = "phone"
    STREET = "street"
    WINDOW = "window"


class VisitOutcome(StrEnum):
    """What happened at the door."""

    OPENED = "opened"
    NOBODY_HOME = "nobody_home"
    REFUSED = "refused"
    MOVED_AWAY = "moved_away"
    NOT_FOUND = "not_found"


@phone.callback()
def about(
    context: typer.Context,
    file: Annotated[Path, typer.Option(help="The phone's file")] = Path("phone.db"),
    server: Annotated[str, typer.Option(metavar="URL")] = "http://127.0.0.1:8000",
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON document instead of words")] = False,
) -> None:
    """A phone in the terminal 终端手机: everything but login and sync works without the server."""
    from app.phone.held import Terminal

    context.obj = Terminal(file, server, json)


@phone.command()
def login(
    context: typer.Context, login: str, name: Annotated[str, typer.Option(help="The phone's name")] = "terminal"
) -> None:
    """Sign in and register this phone. The password is asked for, or is one line of standard input."""
    from app.phone import syncing
    from app.phone.telling import tell

    tell(_terminal(context), lambda held: syncing.login(held, login, name), makes_file=True)


@phone.command("list")
def list_(context: typer.Context, collection: Name = "households") -> None:
    """Print a collection's records; households by door."""
    from app.phone import reading
    from app.phone.telling import tell

    tell(_terminal(context), lambda held: reading.listed(held, collection))


@phone.command()
def show(context: typer.Context, record: Record) -> None:
    """Print one record, with its conflicts, and of a household who lives there and who knocked."""
    from app.phone import reading
    from app.phone.telling import tell

    tell(_terminal(context), lambda held: reading.shown(held, record))


@phone.command()
def note(
    context: typer.Context,
    household: Record,
    text: str,
    *,
    outcome: VisitOutcome = VisitOutcome.OPENED,
    channel: Channel = Channel.DOOR,
    method: Annotated[str | None, typer.Option(metavar="CODE", help="Which of the eighteen ways")] = None,
    need: Annotated[list[str] | None, typer.Option(metavar="CODE", help="May be given several times")] = None,
) -> None:
    """Write down a knock on a door."""
    from app.phone import writing
    from app.phone.telling import tell

    needs: list[JsonValue] = [*(need or [])]
    said: Fields = {"outcome": outcome.value, "channel": channel.value, "method": method, "needs": needs, "note": text}
    tell(_terminal(context), lambda held: writing.note(held, household, said))


@phone.command()
def edit(
    context: typer.Context,
    collection: Name,
    record: Record,
    fields: Annotated[list[str] | None, typer.Argument(metavar="FIELD=VALUE…")] = None,
    *,
    add: Codes = None,
    remove: Codes = None,
) -> None:
    """Change fields of a record; `--add` and `--remove` change a set of codes."""
    from app.phone import writing
    from app.phone.telling import tell

    changes = writing.Changes(fields or [], add or [], remove or [])
    tell(_terminal(context), lambda held: writing.edit(held, collection, record, changes))


@phone.command()
def delete(context: typer.Context, collection: Name, record: Record) -> None:
    """Delete a record."""
    from app.phone import writing
    from app.phone.telling import tell

    tell(_terminal(context), lambda held: writing.delete(held, collection, record))


@phone.command()
def sync(context: typer.Context) -> None:
    """Send what is unsent, fetch what is new, and say what became of what was sent."""
    from app.phone import syncing
    from app.phone.telling import tell

    tell(_terminal(context), syncing.sync)


@phone.command()
def status(context: typer.Context) -> None:
    """How much is unsent and since when, what was refused, what waits to be settled."""
    from app.phone import reading
    from app.phone.telling import tell

    tell(_terminal(context), reading.status)


@phone.command()
def conflicts(context: typer.Context) -> None:
    """What two people changed and no rule could settle, side by side."""
    from app.phone import reading
    from app.phone.telling import tell

    tell(_terminal(context), reading.conflicts)


@phone.command()
def resolve(
    context: typer.Context,
    conflict: Record,
    take: Annotated[str | None, typer.Option(metavar="held|1|2…", help="The held value, or a candidate")] = None,
    value: Annotated[str | None, typer.Option(metavar="TEXT", help="Neither: this value")] = None,
) -> None:
    """Settle a conflict, online or not."""
    from app.phone import writing
    from app.phone.telling import tell

    tell(_terminal(context), lambda held: writing.resolve(held, conflict, take, value))


def _terminal(context: typer.Context) -> "Terminal":
    terminal: Terminal = context.obj
    return terminal
