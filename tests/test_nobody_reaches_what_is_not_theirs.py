"""Every operation on something by its id, for somebody of every role, with the thing in every place.

What one may not see answers as what does not exist: the same status, code, body and headers. Nobody without the right
gets a success. Which operations there are is the document's to say: one that isn't in the matrix fails.
Collections whose routes are made alike take turns on the two stores (tests/in_turn.py).
"""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.document import operations
from app.tables import Grant, History, Replica
from tests.contract import document, path_of
from tests.maker import INHERITED
from tests.matrix import AREAS, DOORS, PLACES, WRITERS, Caller, Matrix, Right, ancestry, matrix_for_a_module
from tests.raw_phone import Answer
from tests.scene import url_for_a_module
from tests.stage import OVERRIDE
from tests.world import NEW_ID

__all__ = ["matrix_for_a_module", "url_for_a_module"]  # the fixtures `matrix` and `url`

PUBLIC = {"post_token", "get_livez", "get_readyz"}
OF_THE_ANSWER_ALONE = {"date", "ratelimit"}
"""Headers that tell of this moment, not of what was asked for."""
HANDED_TO = {
    "own": "grid_2", "same grid": "grid_2", "other grid": "grid", "other community": "grid_d", "parent": "street",
    "nonexistent": "grid_2",
}  # fmt: skip
"""What lies in the place, or for the parent the community, goes there."""


@dataclass(frozen=True)
class Asked:
    """One cell: what is asked for, and what may come of it."""

    id: UUID
    right: Right
    said: Answer
    method: str = ""


def verbs_of(collection: Collection) -> list[str]:
    reading = ["read", "history"]
    merging = ["merge"] if collection.same else []
    changing = ["resolve"] if collection.name == "conflicts" else ["put", "patch", "delete", "override", *merging]
    return [*reading, *changing]


MATRIX = {f"{name}_{verb}": (c, verb) for name, c in COLLECTIONS.items() for verb in verbs_of(c)}
OTHERS = {
    *("hand_area_over", "hand_over_person", "list_phones", "freeze_campaign", "delete_enclave"),
    *("delete_grant", "delete_person", "delete_replica"),
}
BY_ID = {o["operationId"] for o in operations(document()) if "{" in path_of(o["operationId"])[1]}


def test_every_operation_with_an_id_is_in_the_matrix() -> None:
    assert {*MATRIX, *OTHERS} == BY_ID


def test_every_operation_asks_who_calls_but_those_that_are_public() -> None:
    for operation in operations(document()):
        asks = operation.get("security", document().get("security"))
        assert bool(asks) == (operation["operationId"] not in PUBLIC), operation["operationId"]


def in_turn(name: str) -> Any:
    if name not in MATRIX:
        return name
    collection, verb = MATRIX[name]
    return pytest.param(name, marks=pytest.mark.in_turn(collection.name, verbs_of(collection).index(verb)))


@pytest.mark.parametrize("name", [in_turn(name) for name in sorted(BY_ID)])
async def test_what_one_may_not_see_is_as_if_it_were_not(name: str, matrix: Matrix) -> None:
    wrong = []
    for caller in matrix.callers.values():
        for place in PLACES:
            for asked in await cells(matrix, caller, name, place):
                found = await faults(matrix, caller, name, asked)
                wrong += [(caller.name, place, asked.method, fault) for fault in found]
                matrix.cells[name] += 1
    assert not wrong, (len(wrong), wrong[:5])
    await nobody_wrote_what_they_may_not(matrix)


async def faults(matrix: Matrix, caller: Caller, name: str, asked: Asked) -> list[str]:
    """What is wrong with the answer."""
    answer = await ask(matrix, caller, name, asked.id, asked.said)
    if caller.person is None:
        return [] if (answer.status_code, answer.json()["code"]) == (401, "not_signed_in") else [answer.text]
    unfit = asked.right != "some" and answer.is_success != (asked.right == "yes")
    if unfit or answer.status_code >= 500:
        return [f"{asked.right}: {answer.status_code} {answer.text[:200]}"]
    if asked.right != "no":
        return []
    key = (caller.name, name, repr(asked.said))
    if key not in matrix.answers:
        matrix.answers[key] = told(await ask(matrix, caller, name, NEW_ID(), asked.said))
    absent = matrix.answers[key]
    return [] if told(answer) == absent else [f"{told(answer)} where what does not exist answers {absent}"]


def told(answer: httpx.Response) -> Any:
    """What somebody could tell two answers apart by."""
    headers = {name: value for name, value in answer.headers.items() if name not in OF_THE_ANSWER_ALONE}
    return answer.status_code, answer.content, headers


async def ask(matrix: Matrix, caller: Caller, name: str, id: UUID, said: Answer) -> httpx.Response:
    method, path = path_of(name)
    address = f"{path.partition('{')[0]}{id}{path.partition('}')[2]}"
    headers = {**caller.phone.headers, **said.get("headers", {})}
    return await matrix.world.http.request(method.upper(), address, **{**said, "headers": headers})


async def cells(matrix: Matrix, caller: Caller, name: str, place: str) -> list[Asked]:
    """What this caller may ask of the operation there."""
    if name in OTHERS:
        return [await OF_OTHERS[name](matrix, caller, place)]
    collection, verb = MATRIX[name]
    held = await matrix.target(collection, place)
    there = "own" if place == "nonexistent" else place
    right = caller.right_to(collection, there)
    if place == "nonexistent":
        # A PUT makes what isn't there, where one may.
        may: Right = right if right in ("yes", "some") else "no"
        put = Asked(held, may, {"json": matrix.fields(collection, there)}, "PUT")
        right = "no"
    if verb in ("read", "history"):
        return [Asked(held, "no" if right == "no" else "yes", {})]
    if verb == "resolve":
        id = await matrix.make(collection, place) if right == "yes" else held
        return [Asked(id, right, {"json": {"value": "104"}})]
    if place != "nonexistent":
        put = Asked(held, right, {"json": matrix.fields(collection, there)}, "PUT")
    gone = await matrix.make(collection, place) if right == "yes" and verb in ("delete", "override", "merge") else held
    deletes: Right = "seen" if right == "yes" and caller.role not in collection.deleters else right
    if verb == "merge":
        beside = "same grid" if place == "own" else "own"
        into = held if right == "yes" else await matrix.target(collection, beside)
        return [Asked(gone, right, {"json": {"into": str(into)}})]
    change = {text_of(collection.name): f"by {caller.name}"}
    patch, delete = Asked(held, right, {"json": change}, "PATCH"), Asked(gone, deletes, {}, "DELETE")
    asked = {"put": put, "patch": patch, "delete": delete}
    if verb != "override":
        return [asked[verb]]
    # Each method by itself is tried everywhere: here they take turns.
    turn = ([*matrix.callers].index(caller.name) + PLACES.index(place)) % len(asked)
    one = [*asked.values()][turn]
    return [Asked(one.id, one.right, {"json": {}, **one.said, "headers": {OVERRIDE: one.method}}, one.method)]


@cache
def text_of(name: str) -> str:
    """A field that takes any short text."""
    collection = COLLECTIONS[name]
    free = [name for name, spec in collection.fields.items() if spec.policy.name != "once" and name not in INHERITED]
    return next(name for name in free if not collection.clean_value(name, "by anybody")[1])


async def of_handover(matrix: Matrix, caller: Caller, place: str) -> Asked:
    """Dry runs alone, or nothing stays where it was."""
    area = "community" if place == "parent" else AREAS.get(place)
    body = {"to": str(matrix.world.areas[HANDED_TO[place]]), "dry_run": True}
    may = area and caller.has({"admin", "system"}, "district" if place == "parent" else area)
    # An administrator of the community sees it, but nothing that it could be given to.
    seen = area and caller.has({"admin", "system"}, area)
    id = matrix.world.areas[area] if area else NEW_ID()
    return Asked(id, "yes" if may else "seen" if seen else "no", {"json": body})


async def of_freezing(matrix: Matrix, caller: Caller, place: str) -> Asked:
    """The office where the campaign is held; of one above communities, in what is their own."""
    if place == "nonexistent":
        return Asked(NEW_ID(), "no", {"json": {}})
    campaigns, area = COLLECTIONS["campaigns"], "building_0" if place == "parent" else AREAS[place]
    id = await matrix.target(campaigns, place)
    seen = caller.right_to(campaigns, place) != "no"
    may: Right = "yes" if caller.has(WRITERS["campaigns"] & WRITERS["staff"], area) else "seen"
    return Asked(id, may if seen else "no", {"json": {"area_id": str(matrix.world.areas[area])}})


async def of_phones(matrix: Matrix, caller: Caller, place: str) -> Asked:
    """Of an area that one administers."""
    area = AREAS.get(place)
    may = area and caller.has({"admin", "system"}, area)
    return Asked(matrix.world.areas[area] if area else NEW_ID(), "yes" if may else "no", {})


async def of_enclave(matrix: Matrix, caller: Caller, place: str) -> Asked:
    """Whoever administers where it is served, or where it lies on paper."""
    if place in ("parent", "nonexistent"):
        return Asked(NEW_ID(), "no", {})
    building = next(area for area in ancestry(DOORS[place]) if area.startswith("building"))
    other = "community" if place == "other community" else "community_2"
    id = await matrix.enclave(building, other)
    may = caller.has({"admin", "system"}, building) or caller.has({"admin", "system"}, other)
    return Asked(id, "yes" if may else "no", {})


async def of_grant(matrix: Matrix, caller: Caller, place: str) -> Asked:
    """One's own are seen by everybody, those of one's areas by who administers or audits them; security ends them."""
    area = "unit_1" if place == "own" else "district" if place == "parent" else DOORS.get(place, "nowhere")
    id = await matrix.theirs(Grant, caller.name if place == "own" else place)
    seen = caller.has({"admin", "secretary", "security", "audit"}, area)
    seen = seen or (place == "own" and caller.name != "stranger")
    return Asked(id, "yes" if seen and caller.has({"security"}, area) else "seen" if seen else "no", {})


async def of_person(matrix: Matrix, caller: Caller, place: str) -> Asked:
    """Accounts are the whole server's, and so is who keeps them; nobody disables themselves."""
    id = matrix.world.people.get(caller.name if place == "own" else place) or NEW_ID()
    mine = caller.role == "system" and place != "nonexistent"
    return Asked(id, "no" if not mine else "seen" if place == "own" else "yes", {})


async def of_person_handover(matrix: Matrix, caller: Caller, place: str) -> Asked:
    """Security administrators, of whoever has a role over the area; nobody moves themselves. Dry runs alone."""
    left, to, mover = DOORS.get(place, "unit_2"), "building_0", f"who moves from the {place}"
    if place in DOORS and mover not in matrix.world.people:
        # Nobody else's: accounts and grants are ended by other operations.
        await matrix.world.add_person(mover, area=left)
    id = matrix.world.people.get(caller.name if place == "own" else mover) or NEW_ID()
    body = {"area_id": str(matrix.world.areas[left]), "to": str(matrix.world.areas[to]), "dry_run": True}
    may = place not in ("own", "nonexistent") and caller.has({"security"}, left)
    mine = place == "own" and caller.role == "security"
    return Asked(id, "yes" if may else "seen" if mine else "no", {"json": body})


async def of_replica(matrix: Matrix, caller: Caller, place: str) -> Asked:
    """One's own alone."""
    if place == "own" and caller.person:
        await matrix.world.phone_token(caller.name)
    id = await matrix.theirs(Replica, caller.name if place == "own" else place)
    return Asked(id, "yes" if place == "own" else "no", {})


OF_OTHERS: Any = {
    "hand_area_over": of_handover,
    "hand_over_person": of_person_handover,
    "freeze_campaign": of_freezing,
    "list_phones": of_phones,
    "delete_enclave": of_enclave,
    "delete_grant": of_grant,
    "delete_person": of_person,
    "delete_replica": of_replica,
}


async def nobody_wrote_what_they_may_not(matrix: Matrix) -> None:
    """By the server's own history."""
    table: Any = History.__table__  # type: ignore[attr-defined]
    people = {caller.person: caller for caller in matrix.callers.values() if caller.person}
    async with matrix.world.context.database.snapshot("server") as snapshot:
        rows = await snapshot.rows(sa.select(table).where(table.c.person_id.in_(people)))
    for row in rows:
        place = matrix.places.get((row.collection, row.record_id), "own")
        assert people[row.person_id].right_to(COLLECTIONS[row.collection], place) in ("yes", "some"), row
