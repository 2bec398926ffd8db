"""What lists and pulls show, and what pushes do, for somebody of every role: no more than the tree allows."""

from collections import defaultdict
from typing import Any
from uuid import UUID

import pytest

from app.collections import COLLECTIONS
from app.collections.base import Collection
from tests.matrix import CALLERS, DOORS, PLACES, STAFF, TEAMS, Caller, Matrix, ancestry, matrix_for_a_module, owner_of
from tests.raw_phone import Answer
from tests.scene import url_for_a_module
from tests.world import NEW_ID, household, mutation

__all__ = ["matrix_for_a_module", "url_for_a_module"]  # the fixtures `matrix` and `url`

SIGNED_IN = [name for name in CALLERS if name != "anonymous"]
PUSHED = sorted((c for c in COLLECTIONS.values() if c.pushable), key=lambda c: c.lists_through != "areas")
"""In an order in which a phone can send them: what others lie in comes first."""
every_caller = pytest.mark.parametrize("name", SIGNED_IN)


async def listed(matrix: Matrix, caller: Caller, path: str, items: str, **asked: Any) -> list[Answer]:
    """Every page of a list."""
    rows: list[Answer] = []
    while True:
        answer = await matrix.world.http.get(path, params={"limit": 60, **asked}, headers=caller.phone.headers)
        assert answer.status_code == 200, answer.text
        rows += answer.json()[items]
        if (following := answer.json()["next"]) is None:
            return rows
        asked["after" if items == "items" else "before"] = following


@every_caller
@pytest.mark.parametrize("collection", COLLECTIONS.values(), ids=COLLECTIONS)
async def test_a_list_shows_what_one_may_see_and_nothing_else(
    name: str, collection: Collection, matrix: Matrix
) -> None:
    caller = matrix.callers[name]
    shown = {row["id"] for row in await listed(matrix, caller, f"/v1/{collection.name}", "items")}
    for (of, id), place in matrix.places.items():
        assert of != collection.name or (str(id) in shown) == (caller.right_to(collection, place) != "no"), place
    known = {str(id) for of, id in matrix.places if of == collection.name}
    assert collection.name == "areas" or shown <= known
    if collection.name == "areas":
        tree = {str(id): area for area, id in matrix.world.areas.items() if str(id) in shown}
        assert shown - known == {*tree}
        assert {*tree.values()} == {area for area in matrix.world.areas if sees_area(caller, area)}


def sees_area(caller: Caller, area: str) -> bool:
    """An area is listed by its community, or by the root."""
    owner = next(a for a in ancestry(area) if a.startswith("community") or a == "district")
    return caller.role is not None and (owner in ancestry(caller.area) or str(caller.area) in ancestry(owner))


@every_caller
async def test_lists_of_phones_accounts_grants_and_mutations_show_ones_own(name: str, matrix: Matrix) -> None:
    caller, world = matrix.callers[name], matrix.world
    await caller.phone.push(mutation(world, "nothing", NEW_ID()))
    sent = await listed(matrix, caller, "/v1/mutations", "mutations")
    assert [row["collection"] for row in sent] == ["nothing"]
    [phone, *_] = await listed(matrix, caller, "/v1/replicas", "replicas")
    others = [other for other in matrix.callers.values() if other.person and other is not caller]
    for other in others[:3]:
        theirs = await listed(matrix, other, "/v1/replicas", "replicas")
        assert phone["id"] not in {row["id"] for row in theirs}
    seen = {row["person_id"] for row in await listed(matrix, caller, "/v1/grants", "grants")}
    overseers = {"admin", "secretary", "security", "audit"}
    areas = {other.person: {other.area, "unit_1"} for other in others if other.role}
    areas |= {world.people[place]: {area} for place, area in {**DOORS, "parent": "district"}.items() if place != "own"}
    for person, over in areas.items():
        assert (str(person) in seen) == any(caller.has(overseers, str(area)) for area in over), over
    answer = await world.http.get("/v1/people", headers=caller.phone.headers)
    assert answer.status_code == (200 if caller.role in ("system", "security", "audit") else 403)


@every_caller
async def test_a_pull_from_the_beginning_brings_ones_own_feeds_and_no_others(name: str, matrix: Matrix) -> None:
    caller = matrix.callers[name]
    cursor, complete, gained, changes = None, False, set(), list[Answer]()
    while not complete:
        body = {"protocol": 1, "cursor": cursor, "limit": 50}
        answer = await matrix.world.http.post("/v1/sync/pull", json=body, headers=caller.phone.headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        if page.get("unchanged"):
            break
        gained |= {(one["owner"], one["audience"]) for one in page.get("gained", ())}
        changes += page["changes"]
        cursor, complete = page["cursor"], page["complete"]
    names = {str(id): area for area, id in matrix.world.areas.items()}
    assert {(names[owner], audience) for owner, audience in gained} == feeds_of(matrix, caller)
    live = {(c["collection"], c["record"]) for c in changes if not c.get("deleted") and not c.get("departed")}
    for (of, id), place in matrix.places.items():
        assert ((of, str(id)) in live) == (caller.right_to(COLLECTIONS[of], place) != "no"), (of, place)
    for change in changes:
        fields = set(change.get("fields", {}))
        collection = COLLECTIONS[change["collection"]]
        view = collection.helper_view if caller.role == "helper" and collection.audience == "staff" else None
        assert fields in (set(), {*(collection.fields if view is None else view)}), collection.name


def feeds_of(matrix: Matrix, caller: Caller) -> set[tuple[str, str]]:
    """Of buildings in one's area for staff, of one's team; of communities in or above it, of the root, for all."""
    teams = {(area, "team") for area in TEAMS.values() if caller.has({"mediator", "officer"}, area)}
    buildings = {(area, "staff") for area in matrix.world.areas if area.startswith("building")}
    owners = ("district", "community", "community_2")
    places = {(area, "reference") for area in owners if sees_area(caller, area)}
    masked = {(area, "helper") for area, _ in buildings if caller.has({"helper"}, area)}
    return places | teams | masked | {feed for feed in buildings if caller.has(STAFF, feed[0])}


@every_caller
@pytest.mark.parametrize("place", PLACES)
async def test_a_push_to_what_one_may_not_see_is_refused_as_to_what_is_not_there(
    name: str, place: str, matrix: Matrix
) -> None:
    caller, there = matrix.callers[name], "own" if place == "nonexistent" else place
    if (name, there) == ("former", "own"):
        return  # what they send is within the grace: see test_grace_and_moves.py
    to = dict[bool, dict[UUID, list[Answer]]]({True: defaultdict(list), False: defaultdict(list)})
    rights = {c.name: "no" if place == "nonexistent" else caller.right_to(c, there) for c in PUSHED}
    for collection in (c for c in PUSHED if rights[c.name] in ("no", "seen")):
        ids = {True: await matrix.target(collection, place), False: NEW_ID()}
        says = [said for said in pushes(matrix, collection, there) if place != "nonexistent" or said["op"] != "create"]
        home = matrix.home(there, collection)
        for known, id in ids.items():
            to[known][home] += [mutation(matrix.world, collection.name, id, home=str(home), **said) for said in says]
    for home in to[True]:
        known, absent = [await caller.phone.push(*to[known][home], home=str(home)) for known in (True, False)]
        for said, one, other in zip(to[True][home], known, absent, strict=True):
            assert (one["outcome"], other["outcome"]) == ("refused", "refused"), said
            assert rights[said["collection"]] == "seen" or one["problem"] == other["problem"], said
        matrix.cells["push"] += len(known)


def pushes(matrix: Matrix, collection: Collection, place: str) -> list[Answer]:
    """A create, an update and a delete; of a conflict, a resolution."""
    if collection.name == "conflicts":
        good = {"value": "104", "base": 1, "after": None}
        said: list[Any] = [good, {**good, "value": 5}, {**good, "base": "x"}, {}, None]
        return [{"op": "update", "base": 1, "fields": {"resolution": one}} for one in said]
    fields = matrix.fields(collection, place)
    own = {collection.lists_in: fields[collection.lists_in]}
    return [
        {"op": "create", "fields": fields},
        {"op": "update", "base": 1, "fields": own},
        {"op": "update", "base": 9, "fields": {"note": "…"}},
        {"op": "delete", "base": 1},
    ]


@every_caller
async def test_areas_that_one_may_not_see_are_not_told_by_what_can_not_lie_in_them(name: str, matrix: Matrix) -> None:
    """Nothing is registered above buildings: of another community's grid that would say that it is there."""
    caller, world = matrix.callers[name], matrix.world
    home, told = str(world.areas["community_2"]), []
    world.areas["nowhere"] = NEW_ID()
    for area in ("grid_c", "nowhere"):
        fields = household(world, unit=area)
        door = mutation(world, "households", NEW_ID(), fields=fields, home=home)
        [outcome] = await caller.phone.push(door, home=home)
        told.append(outcome["problem"]["code"])
    del world.areas["nowhere"]
    seen = name == "admin of the district"
    assert told == ["area_without_feed" if seen else "reference_not_found", "reference_not_found"]


async def test_a_helper_resolves_no_conflict_of_what_is_hidden_from_them(matrix: Matrix) -> None:
    """They may write visits, but see no note of one, and no conflict."""
    helper, home = matrix.callers["helper"], matrix.home("own")
    [boss, chief], knock = matrix.makers, await matrix.make(COLLECTIONS["visits"], "own")
    await boss.apply("visits", knock, "update", 1, fields={"note": "甲。"})
    await boss.apply("visits", knock, "update", 2, fields={"note": "乙。"})
    conflicted = await chief.say("visits", knock, "update", 2, fields={"note": "丙。"})
    said = {"resolution": {"value": "丁。", "base": 3, "after": None}}
    lost = {"of_collection": "visits", "of_record": str(knock), "field": "note"}
    for id in (conflicted["conflicts"][0], str(NEW_ID())):
        seen = [{"collection": "conflicts", "record": id, "home": str(home), "fields": lost}]
        for more in ({}, {"seen": seen}):
            outcome = await helper.phone.say("conflicts", UUID(id), "update", 1, fields=said, **more)
            assert outcome["outcome"] == "refused", (id, more)
    assert (await boss.get("visits", knock))["note"] == "乙。"


async def test_that_an_id_is_taken_is_told_to_whoever_could_have_created_it_alone(matrix: Matrix) -> None:
    households = COLLECTIONS["households"]
    for caller in matrix.callers.values():
        if caller.person is None:
            continue
        for place in DOORS:
            if caller.right_to(households, place) != "no":
                continue
            body = {**household(matrix.world), "id": str(await matrix.make(households, place))}
            taken = await matrix.world.http.post("/v1/households", json=body, headers=caller.phone.headers)
            # In another community the same id is another record.
            may = caller.right_to(households, "own") == "yes"
            expected = (201 if place == "other community" else 409) if may else 422
            assert taken.status_code == expected, (caller.name, place, owner_of(households, place), taken.text)
