"""Vectors: recorded conversations that every client must replay, and values that every client must spell alike.

`python -m tests.vectors` records them anew against the real application; the files change only when the
protocol does. A conversation is a list of steps: the person does something (`do`), the phone says
something (`request`), the server answers (`answer`), and the phone shows something (`shown`). Ids that
the phone makes, and the time, are given, so that a request is equal to the last word.
"""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from sync.canonical import NotCanonical, canonical_json, digest, record_hash
from sync.entries import Key
from sync.replica import Replica
from sync.seams import Seams
from sync.store import MemoryStore
from tests.conftest import inline_context
from tests.phones import Phone, Time, new_phone
from tests.world import World, household, new_world

FOLDER = Path(__file__).parent.parent / "sync" / "vectors"
Steps = list[dict[str, Any]]

VALUES: list[JsonValue] = [
    {"b": 1, "a": [True, False, None], "c_1": {"z": "", "y": -1}},
    '甲单元 3 楼：\t"漏水"\\ / \b\f\n\r \u0001 \u001f \u007f é 𠮷',
    [2**53 - 1, -(2**53 - 1), 0],
    [],
    {},
]
REFUSED: list[JsonValue] = [1.5, 2**53, {"A": 1}, {"é": 1}, "a\0b", "\ud800"]


def spellings() -> dict[str, Any]:
    """Canonical JSON, hashes and a digest."""
    record, fields = "018f3c00-0000-7000-8000-000000000001", {"door": "101", "tags": ["ill", "living_alone"]}
    hashes = [record_hash("households", record, rev, fields) for rev in (1, 2)]
    return {
        "canonical": [{"value": value, "spelled": canonical_json(value).decode()} for value in VALUES],
        "refused": [{"value": json.dumps(value), "code": _code(value)} for value in REFUSED],
        "hashes": [
            {"collection": "households", "record": record, "rev": rev, "fields": fields, "hash": hashes[rev - 1]}
            for rev in (1, 2)
        ],
        "digest": digest(hashes),
    }


def _code(value: JsonValue) -> str:
    try:
        canonical_json(value)
    except NotCanonical as problem:
        return problem.code
    raise AssertionError(value)


class Script:
    """A phone whose every word is written down."""

    def __init__(self, phone: Phone, steps: Steps, ids: Iterator[str]) -> None:
        self.phone, self.steps, self.ids = phone, steps, ids

    def do(self, verb: str, *arguments: Any) -> Any:
        """The person does something."""
        self.steps.append({"do": [verb, *arguments]})
        return perform(self.phone.replica, verb, arguments)

    async def sync(self, *, lose_first_answer: bool = False) -> None:
        """The phone talks until it has nothing more to say."""
        self.do("want_sync")
        while request := self.phone.replica.next_request():
            self.steps.append({"request": {"path": request.path, "body": json.loads(request.body)}})
            answer = await self.phone.send(request)
            if lose_first_answer:
                lose_first_answer = False
                continue
            media = answer.headers["content-type"]
            self.steps.append({"answer": {"status": answer.status_code, "type": media, "body": answer.json()}})
            self.phone.replica.answer(request, answer.status_code, media, answer.content)

    def look(self) -> None:
        """What the phone shows now."""
        self.steps.append({"shown": shown_by(self.phone.replica)})


def shown_by(replica: Replica) -> dict[str, Any]:
    """Every household, visit and conflict as its person sees it."""
    return {
        shown.key.path: {"rev": shown.rev, "unsent": shown.unsent, "fields": shown.fields}
        for name in ("households", "visits", "conflicts")
        for shown in replica.shown_all(name)
    }


def perform(replica: Replica, verb: str, arguments: Any) -> Any:
    """A step's `do`: its words are the replica's own methods; a record is named by its path."""
    if verb == "create":
        collection, home, fields, record = arguments
        return replica.create(collection, UUID(home), fields, UUID(record))
    if verb in ("edit", "resolve"):
        return getattr(replica, verb)(Key.from_path(arguments[0]), arguments[1])
    if verb == "delete":
        return replica.delete(Key.from_path(arguments[0]))
    return getattr(replica, verb)()


def recorded_seams(time: Time, ids: list[str]) -> Seams:
    """A phone's world whose ids are written down as they are made."""
    seams = time.seams("vector phone")

    def new_id() -> UUID:
        id = seams.new_id()
        ids.append(str(id))
        return id

    return Seams(seams.now, seams.monotonic, new_id, seams.random_bytes, seams.uniform, seams.sleep)


async def record(folder: Path) -> dict[str, Any]:
    """The conversation: first sync, offline edits, a lost answer, a merge, a conflict, its resolution, a delete."""
    time = Time()
    world = await new_world(await inline_context(folder, time.seams("vectors")))
    for login in ("li", "wang"):
        await world.add_person(login)
    other = await new_phone(world, "wang", time.seams("other phone"))
    ids: list[str] = []
    phone = await new_phone(world, "li", recorded_seams(time, ids), page_limit=5)
    phone.replica = Replica(MemoryStore(), recorded_seams(time, ids), page_limit=5)
    person, replica = str(world.people["li"]), str(time.seams("a replica").new_id())
    phone.replica.sign_in(person, replica)
    steps: Steps = []
    await _talk(Script(phone, steps, iter(())), other, world)
    await world.context.database.close()
    return {
        "protocol": 1,
        "person": person,
        "replica": replica,
        "page_limit": 5,
        "now": time.now.isoformat().replace("+00:00", "Z"),
        "ids": ids,
        "steps": steps,
    }


async def _talk(script: Script, other: Phone, world: World) -> None:
    home, house, visit = str(world.home), str(UUID(int=101, version=4)), str(UUID(int=102, version=4))
    path = f"households/{home}/{house}"
    await script.sync()
    note = "老人独居。水管漏水。"
    script.do("create", "households", home, household(world, "101", note=note), house)
    script.do("create", "visits", home, {"household_id": house, "outcome": "opened", "note": "送药。"}, visit)
    script.look()
    await script.sync(lose_first_answer=True)
    script.look()
    await other.sync()
    theirs = Key.from_path(path)
    other.replica.edit(
        theirs, {"door": "101甲", "note": "老人独居。水管已修好。", "tags": {"add": ["ill"], "remove": []}}
    )
    await other.sync()
    mine = {
        "door": "101乙",
        "note": "老人独居，女儿每周来。水管漏水。",
        "tags": {"add": ["living_alone"], "remove": []},
    }
    script.do("edit", path, mine)
    await script.sync()
    script.look()
    conflict = next(script.phone.replica.conflicts())
    script.do("resolve", conflict.key.path, "101乙")
    script.look()
    await script.sync()
    script.do("delete", f"visits/{home}/{visit}")
    await script.sync()
    script.look()


def main() -> None:
    """Writes sync/vectors/ anew."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        conversation = asyncio.run(record(Path(folder)))
    _write("spellings.json", spellings())
    _write("conversation.json", conversation)


def _write(name: str, value: Any) -> None:
    (FOLDER / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
