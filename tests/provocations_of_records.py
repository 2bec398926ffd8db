"""How each code that only a record's routes answer is had from one of them."""

import re
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import httpx

from app.collections import COLLECTIONS
from app.erasure import erase
from tests.contract import Answer
from tests.maker import INHERITED, PLACES, TEAMS, Maker, who_only_reads
from tests.stage import OVERRIDE, Stage
from tests.two_people import contested
from tests.world import NEW_ID

FREEZE = "freeze_campaign"
Provocation = Callable[[Stage], Coroutine[Any, Any, httpx.Response]]


def said(**changes: Any) -> Provocation:
    """The good request with these changes."""

    async def provoke(stage: Stage) -> httpx.Response:
        return await stage.ask(**changes)

    return provoke


def field(value: bytes, name: str = "note") -> Provocation:
    """A body with this, as it is spelled."""
    return said(content=b'{"%s":%s}' % (name.encode(), value))


async def not_found(stage: Stage) -> httpx.Response:
    if stage.is_of_an_area:
        return await stage.ask_with(area_id=str(NEW_ID()))
    other = str(NEW_ID())
    there = {"path": re.sub(r"\{\w+\}", other, stage.path)}
    if not stage.name.endswith(("_create", "_put")):
        return await stage.ask(**there)
    # Made, deleted, and asked for once more: nothing comes back.
    key = {"Idempotency-Key": str(NEW_ID())}
    made = (await stage.ask(headers=key, **there)).json()
    await stage.make.send("DELETE", stage.collection, f"/{made['id']}")  # type: ignore[arg-type]
    return await stage.ask(headers=key, **there)


async def not_permitted(stage: Stage) -> httpx.Response:
    if stage.name == "conflicts_resolve":
        return await _delete_a_block(stage)
    reader = who_only_reads(stage.collection) if stage.collection else {"role": "reader"}
    if stage.is_of_an_area:
        reader = {"role": "helper"}
    headers = (await stage.another(**({"role": "secretary"} if stage.name == "delete_grant" else reader))).headers
    if stage.method == "PUT":
        return await stage.ask(headers=headers, json=await held(stage))
    return await stage.ask(headers=headers)


async def _delete_a_block(stage: Stage) -> httpx.Response:
    """A worker chooses that one is deleted, which only the office does."""
    block, worker = UUID((await stage.make.create(COLLECTIONS["blocks"]))["id"]), await stage.another()
    await worker.apply("blocks", block, "update", 1, fields={"note": "the worker's"})
    [conflict] = (await stage.make.phone.say("blocks", block, "delete", 1))["conflicts"]
    stage.id = UUID(conflict)
    return await stage.ask(json={"value": True}, headers=worker.headers)


async def held(stage: Stage) -> Answer:
    """The whole record, with one change."""
    assert stage.collection
    record = (await stage.make.send("GET", stage.collection, f"/{stage.id}")).json()
    whole = {name: record[name] for name in stage.collection.fields}
    return whole | await stage.make.change(stage.collection, record)


async def erased(stage: Stage) -> httpx.Response:
    assert stage.collection
    await erase(stage.world.context, stage.collection, stage.world.home, [stage.id])
    return await (stage.ask_with(id=str(stage.id)) if stage.name.endswith("_create") else stage.ask())


async def mutation_reused(stage: Stage) -> httpx.Response:
    key, doors = {"Idempotency-Key": str(NEW_ID())}, COLLECTIONS["households"]
    fields = {**await stage.make.fields(doors), "note": "another content"}
    made = await stage.make.send("POST", doors, json=fields, headers=key)
    assert made.status_code == 201, made.text
    return await stage.ask(headers=key)


async def id_taken(stage: Stage) -> httpx.Response:
    assert stage.collection
    if stage.name.endswith("_create"):
        return await stage.ask_with(id=str(stage.id))
    # In another building, or another team, of the same community, where Li sees nothing.
    li = await stage.another(area="building_1")
    there = str(stage.world.areas[PLACES[stage.collection.audience][1]])
    if stage.collection.lists_through == "households":
        there = (await stage.make.create(COLLECTIONS["households"], {"area_id": there, "door": "1"}))["id"]
    fields = {**await stage.make.fields(stage.collection), stage.collection.lists_in: there}
    theirs = await stage.make.create(stage.collection, fields)
    stage.id, mine = UUID(theirs["id"]), Maker(stage.world, li)
    if stage.collection.audience == "team":
        await stage.world.grant(li.login, TEAMS[0], "mediator")
        mine.joined = True
    headers = li.headers | ({OVERRIDE: "PUT"} if stage.name.endswith("_override") else {})
    return await stage.ask(json=await mine.fields(stage.collection), headers=headers)


async def once_changed(stage: Stage) -> httpx.Response:
    assert stage.collection
    held = (await stage.make.send("GET", stage.collection, f"/{stage.id}")).json()
    once = next(s for n, s in stage.collection.fields.items() if s.policy.name == "once" and n not in INHERITED)
    other = await stage.make.value(stage.collection, once, unlike=held[once.name])
    whole = {name: held[name] for name in stage.collection.fields} if stage.name.endswith("_put") else {}
    return await stage.ask(json={**whole, once.name: other})


NAMES_ANOTHER = {"post_roster": "after", "hand_over_person": "to", "hand_area_over": "to", "merge": "into"}
"""What a request, or a route of any collection, says of something else."""


async def reference_not_found(stage: Stage) -> httpx.Response:
    if stage.name == FREEZE:
        return await stage.ask_with(area_id=str(stage.world.areas["building_2"]))
    if name := NAMES_ANOTHER.get(stage.name, NAMES_ANOTHER.get(stage.name.rpartition("_")[2])):
        return await stage.ask_with(**{name: str(NEW_ID())})
    if stage.collection is None:
        return await stage.ask_with(area_id=str(stage.world.areas["district"]))
    if stage.collection.name == "conflicts":
        return await _move_to(stage, str(NEW_ID()))
    return await stage.ask_with(**{stage.collection.lists_in: str(NEW_ID())})


async def area_without_feed(stage: Stage) -> httpx.Response:
    assert stage.collection
    grid = str(stage.world.areas["grid"])
    return await (_move_to(stage, grid) if stage.collection.name == "conflicts" else stage.ask_with(area_id=grid))


async def _move_to(stage: Stage, area: str) -> httpx.Response:
    """Resolves where a door lies, of which two people thought otherwise."""
    door = UUID((await stage.make.create(COLLECTIONS["households"]))["id"])
    ours, theirs = (str(stage.world.areas[name]) for name in ("building_1", "building_2"))
    late = await stage.another()
    stage.id = UUID(await contested(stage.make.phone, late, door, "area_id", ours=ours, theirs=theirs))
    return await stage.ask(json={"value": area})


async def not_storable(stage: Stage) -> httpx.Response:
    def stumbles(*arguments: Any) -> Any:
        raise ZeroDivisionError

    stage.patch.setattr("app.receive.judge", stumbles)
    return await stage.ask()


async def already_resolved(stage: Stage) -> httpx.Response:
    await stage.ask()
    return await stage.ask()


async def mutation_invalid(stage: Stage) -> httpx.Response:
    """A conflict on whether the record is deleted can only be answered with yes or no."""
    phone, door = stage.make.phone, UUID((await stage.make.create(COLLECTIONS["households"]))["id"])
    await phone.apply("households", door, "update", 1, fields={"door": "102"})
    late = await stage.another()
    [conflict] = (await late.say("households", door, "delete", 1))["conflicts"]
    stage.id = UUID(conflict)
    return await stage.ask(json={"value": "yes"})


async def text_too_long(stage: Stage) -> httpx.Response:
    assert stage.collection
    if stage.collection.name == "conflicts":
        return await stage.ask(json={"value": "x" * 5000})
    long = next(name for name in ("note", "matter", "name", "document") if name in stage.collection.fields)
    return await stage.ask_with(**{long: "x" * 5000})


async def invalid(stage: Stage) -> httpx.Response:
    if stage.is_of_an_area:
        return await stage.ask_with(area_id=str(stage.world.areas["district"]))
    assert stage.collection
    if stage.collection.name == "conflicts":
        return await stage.ask(json={"value": 7})
    return await stage.ask_with(**{stage.collection.lists_in: 7})


async def check_digit(stage: Stage) -> httpx.Response:
    assert stage.collection
    of_a_person = "id_number" in stage.collection.fields
    number = ("id_number", "110105194912310021") if of_a_person else ("credit_code", "11420107MB1A2B3C40")
    return await stage.ask(json=dict([number]))


async def no_legal_basis(stage: Stage) -> httpx.Response:
    assert stage.collection
    sensitive = {**await stage.make.fields(stage.collection), "tag": "ill", "basis": "consent"}
    stage.id = UUID((await stage.make.create(stage.collection, sensitive))["id"])
    return await stage.ask_with(tag="ill", basis=None)


async def nobody_responsible(stage: Stage) -> httpx.Response:
    if stage.name.endswith("_put"):
        return await stage.ask(json={**await held(stage), "responsible": []})
    return await stage.ask_with(responsible=[])


async def no_approval(stage: Stage) -> httpx.Response:
    return await stage.ask_with(approval=" ")


async def questions_invalid(stage: Stage) -> httpx.Response:
    return await stage.ask_with(questions={"1": "no schema"})


async def server_gives(stage: Stage) -> httpx.Response:
    assert stage.collection
    stage.id = NEW_ID()
    headers = {OVERRIDE: "PUT"} if stage.name.endswith("_override") else {}
    fields, given = await stage.make.fields(stage.collection), min(stage.collection.given)
    return await stage.ask(json={**fields, given: "2026-01-01"}, headers=headers)


async def id_invalid(stage: Stage) -> httpx.Response:
    headers = {OVERRIDE: "PUT"} if stage.name.endswith("_override") else {}
    return await stage.ask(json={"id": "x"}, headers=headers)


OF_RECORDS: dict[str, Provocation] = {
    **{
        made.__name__: made
        for made in (
            *(not_found, not_permitted, mutation_reused, id_taken, once_changed, reference_not_found, id_invalid),
            *(area_without_feed, not_storable, already_resolved, mutation_invalid, text_too_long, invalid),
            *(check_digit, no_legal_basis, nobody_responsible, no_approval, questions_invalid, server_gives, erased),
        )
    },
    "stale": said(headers={"If-Match": '"77"'}),
    "already_there": said(headers={"If-None-Match": "*"}),
    "number_not_finite": field(b"NaN"),
    "number_not_whole": field(b"1.5"),
    "integer_too_large": field(b"9007199254740992"),
    "nul_in_text": field(rb'"\u0000"'),
    "lone_surrogate": field(rb'"\ud800"'),
    "duplicate_key": said(content=b'{"note":1,"note":2}'),
    "key_not_allowed": field(b'{"A":1}'),
}
