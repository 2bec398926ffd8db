"""What a command of the terminal phone says: for people in Chinese and English, for programs as one JSON document."""

import json
import sqlite3
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

import typer
from pydantic import JsonValue

from app.phone.held import Held, Terminal, Trouble, holding
from app.problems import CATALOGUE
from sync.canonical import NotCanonical
from sync.client import NotSignedIn, Offline, SignInRefused
from sync.replica import NotOpen, NotShown, OtherPersonsOutbox
from sync.wire import Fields, ProblemBody


@dataclass(frozen=True)
class Told:
    """An answer, twice: `document` for `--json`, `lines` for a person. `failed` ends with exit code 1."""

    document: Fields
    lines: list[str]
    failed: bool = False


def tell(terminal: Terminal, work: Callable[[Held], Told], *, makes_file: bool = False) -> None:
    """Does the work on the phone's file and says what came of it; what went wrong is a problem, not a traceback."""
    try:
        with holding(terminal, makes_file=makes_file) as held:
            told = work(held)
    except Exception as error:
        _refuse(terminal, _problem_of(error))
    typer.echo(_as_json(told.document) if terminal.json else "\n".join(told.lines))
    if told.failed:
        raise typer.Exit(1)


def words_of(problem: ProblemBody) -> str:
    """Chinese · English (code), with the fields it is about."""
    titles = [problem.titles[language] for language in ("zh", "en") if language in problem.titles]
    about = [str(error["pointer"]).removeprefix("/fields/") for error in problem.errors if "pointer" in error]
    named = f" [{', '.join(about)}]" if about else ""
    return f"{' · '.join(titles) or problem.title} ({problem.code}){named}"


def as_document(problem: ProblemBody) -> Fields:
    """A problem as JSON."""
    document: Fields = {"code": problem.code, "title": problem.titles.get("en", problem.title)}
    return {**document, "titles": {**problem.titles}, "errors": [*problem.errors]}


def spelled(value: JsonValue) -> str:
    """A field's value for people."""
    if value is None or value in ("", []):
        return "—"
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, list):
        return "、".join(spelled(item) for item in value)
    if isinstance(value, dict) and value.keys() <= {"add", "remove"}:
        signs = {"add": "+", "remove": "-"}
        return " ".join(f"{signs[op]}{spelled(items)}" for op, items in value.items() if items)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def clock(moment: datetime | None) -> str:
    """A time to the minute, in this machine's zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment else "—"


def stamp(moment: datetime | None) -> str | None:
    """A time in JSON: UTC with Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def padded(text: str, width: int) -> str:
    """Filled up to a width of cells; a Chinese character takes two."""
    cells = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * max(0, width - cells)


def _problem_of(error: Exception) -> ProblemBody:
    if isinstance(error, Trouble):
        return error.problem
    if isinstance(error, SignInRefused):
        return error.problem
    if isinstance(error, NotCanonical):
        return _of_catalogue(error.code)
    for kind, (code, zh, en) in _TROUBLES.items():
        if isinstance(error, kind):
            return Trouble(code, zh, en).problem
    raise error


def _of_catalogue(code: str) -> ProblemBody:
    entry = CATALOGUE[code]
    return Trouble(code, entry.zh, entry.en).problem


def _refuse(terminal: Terminal, problem: ProblemBody) -> NoReturn:
    if terminal.json:
        typer.echo(_as_json({"problem": as_document(problem)}))
    else:
        typer.echo(words_of(problem), err=True)
    raise typer.Exit(1)


def _as_json(document: Fields) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


_TROUBLES: dict[type[Exception], tuple[str, str, str]] = {
    NotShown: ("not_found", "本机没有这条记录", "There is no such record on this phone"),
    NotOpen: ("not_open", "该冲突已处理，请直接修改记录", "This conflict is closed; edit the record itself"),
    NotSignedIn: ("not_signed_in", "请先登录：qiaomen phone login", "Sign in first: qiaomen phone login"),
    Offline: (
        "offline",
        "联系不上服务器，什么都没丢，请稍后再试",
        "The server can't be reached; nothing is lost, try later",
    ),
    OtherPersonsOutbox: (
        "other_persons_outbox",
        "本机还有别人未上传的记录，只有本人能登录",
        "Somebody else's unsent writing is on this phone; only they may sign in",
    ),
    sqlite3.Error: ("file_unusable", "手机文件打不开或正被占用", "The phone's file is no phone, or is in use"),
    OSError: ("file_unusable", "手机文件无法读写", "The phone's file can't be read or written"),
}
"""What can go wrong on a phone, in words. Raised by the replica, its client or its file."""
