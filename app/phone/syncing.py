"""Signing in and syncing from the terminal, and what became of each thing that was sent."""

import asyncio
import sys
from dataclasses import dataclass
from getpass import getpass
from uuid import UUID

from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.phone import contested
from app.phone.find import keys_of, short
from app.phone.held import Held, Trouble
from app.phone.labels import COLLECTION_WORDS, Labels
from app.phone.reading import UNSENT, status_document
from app.phone.telling import Told, as_document, spelled, stamp, words_of
from app.settings import settings
from sync.client import Offline
from sync.entries import Entry, Key
from sync.replica import Shown
from sync.wire import Fields, Outcome, ProblemBody

PLATFORM = "terminal"
APP_VERSION = "0.1.0"
OUTCOME_WORDS = {
    "applied": "✓ 已保存 applied",
    "merged": "⇄ 已合并 merged",
    "conflicted": "? 有冲突 contested",
    "refused": "✗ 未接受 refused",
}


def login(held: Held, login: str, name: str) -> Told:
    """Signs in and registers this phone. Raises SignInRefused, Offline, OtherPersonsOutbox."""
    asyncio.run(sign_in(held, login, _password(), name))
    return Told(status_document(held), ["已登录 · Signed in. 接着 next: qiaomen phone sync"])


async def sign_in(held: Held, login: str, password: str, name: str) -> None:
    """The same with the password in hand."""
    async with held.line() as client:
        await client.sign_in(login, password, name, PLATFORM, APP_VERSION)


def sync(held: Held) -> Told:
    """Sends and fetches. Without an answer nothing is lost, and what was answered before is still told."""
    done = asyncio.run(exchange(held))
    labels = Labels(held)
    lines = [line for entry in done.answered for line in outcome_lines(held, labels, entry)]
    lines += _summary(held, done)
    if done.problem:
        lines.append(words_of(done.problem))
    document: Fields = {
        "outcomes": [_outcome_document(held, entry) for entry in done.answered],
        "requests": done.requests,
        "seconds": str(round(done.seconds, 2)),
        "status": status_document(held),
        "problem": as_document(done.problem) if done.problem else None,
    }
    return Told(document, lines, failed=done.problem is not None)


@dataclass(frozen=True)
class Exchanged:
    """What one sync came to: the mutations that were answered, each with its outcome."""

    answered: list[Entry]
    requests: int | None
    """None where the server couldn't be reached."""
    seconds: float
    problem: ProblemBody | None


async def exchange(held: Held) -> Exchanged:
    """Sends and fetches until a page is complete, or until that is of no use. Raises NotSignedIn."""
    sent = [entry.id for entry in held.entries.marked("unsent")]
    began = held.seams.monotonic()
    requests: int | None = None
    try:
        async with held.line() as client:
            report = await client.sync()
        requests, problem = report.requests, report.problem
    except Offline:
        problem = _OFFLINE
    seconds = held.seams.monotonic() - began
    answered = [entry for id in sent if (entry := held.entries.find(id)) and entry.outcome]
    return Exchanged(answered, requests, seconds, problem)


def _password() -> str:
    """From the settings, else from a person who types it unseen, else one line of standard input."""
    if given := settings().password:
        return given
    typed = getpass("密码 Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not typed:
        raise Trouble("password_missing", "没有输入密码", "No password was given")
    return typed


def _summary(held: Held, done: Exchanged) -> list[str]:
    state = held.replica.status()
    counts = {name: len(set(keys_of(held, name))) for name in held.replica.copies().collections()}
    here = "  ".join(f"{COLLECTION_WORDS.get(name, name)} {count}" for name, count in counts.items() if count)
    asked = f"{done.requests} 次请求 requests, " if done.requests is not None else ""
    return [
        f"本机 on this phone: {here}",
        f"{asked}{done.seconds:.2f} 秒 seconds; {UNSENT}: {state.unsent}; 冲突 conflicts: {state.conflicts}",
    ]


def outcome_lines(held: Held, labels: Labels, entry: Entry) -> list[str]:
    """What became of one mutation; where it isn't simply what was written, both versions."""
    outcome = _outcome_of(entry)
    one = held.replica.shown(entry.key)
    label = labels.line(one) if one else f"{_collection_words(entry.key)} {short(entry.key.record)}"
    lines = [f"{OUTCOME_WORDS[outcome.outcome]}  {entry.op}  {label}"]
    if outcome.problem:
        lines.append(f"    {words_of(outcome.problem)}")
    if outcome.outcome in ("merged", "refused"):
        for name, value in entry.content().items():
            lines.append(f"    {name}")
            lines.append(f"        我写的 mine   {spelled(labels.code(value))}")
            lines.append(f"        现在是 now    {spelled(labels.code(_now(one, name)))}")
    for conflict in _conflicts(held, entry, outcome):
        lines += [f"    {line}" for line in contested.as_lines(held, labels, conflict)]
    return lines


def _outcome_document(held: Held, entry: Entry) -> Fields:
    outcome, one = _outcome_of(entry), held.replica.shown(entry.key)
    wrote = entry.content()
    return {
        **{"mutation": str(entry.id), "outcome": outcome.outcome, "op": entry.op},
        **{"collection": entry.key.collection, "record": str(entry.key.record)},
        **{"made_at": stamp(entry.made_at), "wrote": wrote, "now": {name: _now(one, name) for name in wrote}},
        "conflicts": [contested.as_document(held, conflict) for conflict in _conflicts(held, entry, outcome)],
        "problem": as_document(outcome.problem) if outcome.problem else None,
    }


def _conflicts(held: Held, entry: Entry, outcome: Outcome) -> list[Shown]:
    keys = [Key("conflicts", entry.key.home, UUID(str(id))) for id in outcome.conflicts]
    return [conflict for key in keys if (conflict := held.replica.shown(key))]


def _now(one: Shown | None, name: str) -> JsonValue:
    return one.fields.get(name) if one else None


def _outcome_of(entry: Entry) -> Outcome:
    assert entry.outcome is not None
    return entry.outcome


def _collection_words(key: Key) -> str:
    return COLLECTIONS[key.collection].title if key.collection in COLLECTIONS else key.collection


_OFFLINE = ProblemBody(
    code="offline",
    title="The server can't be reached; nothing is lost, sync later",
    titles={
        "zh": "联系不上服务器，什么都没丢，稍后再同步",
        "en": "The server can't be reached; nothing is lost, sync later",
    },
)
