"""A district of many communities, each as large as the reported one: for what an office counts."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from app.benchmark.ground import NO_PASSWORD, SEED
from app.benchmark.visits import VISITS, Knocks, as_row
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.demo.community import Community, Item, invent_community
from app.grants import add_grant
from app.operator import create_all
from app.people import add_person

AT_ONCE = 1000
"""Rows a statement: SQLite takes so many values and no more."""
PLANS, RESPONSIBLE = 150, 2
"""Care plans in the first grid, and who is responsible for each in turn."""
PLANNED_DAYS = 30
"""Since how long the plans are in force."""
KNOCKED = 5
"""Of so many doors one was not knocked at."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class District:
    """What was laid out, and who may see all of it."""

    context: Context
    boss: UUID
    district: UUID
    communities: Sequence[UUID]
    residents: int
    """Of each community."""
    grid: UUID
    """The first of the first community, with plans."""


async def lay_district(context: Context, communities: int) -> District:
    """An empty database becomes a district. Areas, and the doors, plans and visits of the first grid, are written as by
    anybody, for a duty list tells what is listed; all else, people and the visits of one day at four doors of five, is
    put into its tables without a history, for what is counted is counted there.
    """
    world = context.seams
    invented = invent_community(SEED, world.now().date())
    first = {item["record"]: item["record"] for item in invented.areas}
    copies = [first, *(_renamed(context, invented) for _ in range(communities - 1))]
    root, community = invented.root_id, invented.community_id
    await create_all(context, cast(Any, [*_areas(invented, copies), *invented.codes]))
    grid = invented.areas_of_level("grid")[0]["record"]
    doors = _doors_of(invented, grid)
    await create_all(context, cast(Any, [*doors, *_plans(context, doors), *_visits(context, community, doors)]))
    for names in copies:
        await _fill(context, invented, names, {door["record"] for door in doors} if names is first else set())
    boss = await context.database.run(lambda transaction: _add_boss(transaction, context, UUID(root)))
    of_all = [UUID(names[community]) for names in copies]
    return District(context, boss, UUID(root), of_all, len(invented.residents), UUID(grid))


async def _add_boss(transaction: Transaction, context: Context, district: UUID) -> UUID:
    person = await add_person(transaction, context.seams, "boss", NO_PASSWORD)
    await add_grant(transaction, context, person_id=person, area_id=district, role="admin")
    return person


def _renamed(context: Context, invented: Community) -> Mapping[str, str]:
    """Another community: the ids of its areas by those of the invented one. District and street are the same."""
    kept = {item["record"] for item in invented.areas[:2]}
    return {i["record"]: i["record"] if i["record"] in kept else str(context.seams.new_id()) for i in invented.areas}


def _areas(invented: Community, copies: Sequence[Mapping[str, str]]) -> Iterator[Item]:
    planted = set[str]()
    for names in copies:
        for item in invented.areas:
            id, parent = names[item["record"]], item["fields"]["parent_id"]
            if id not in planted:
                planted.add(id)
                code = item["fields"]["code"] if names[item["record"]] == item["record"] else None
                fields = {**item["fields"], "parent_id": parent and names[str(parent)], "code": code}
                yield Item(collection="areas", record=id, home=None, fields=fields)


async def _fill(context: Context, invented: Community, names: Mapping[str, str], written: Set[str]) -> None:
    """One community's rows, but for the doors that are written already, and the visits there."""
    home, now, new_id = UUID(names[invented.community_id]), context.seams.now(), context.seams.new_id
    stamps = {"home": home, "rev": 1, "field_revs": {}, "deleted_at": None, "merged_into": None}
    stamps |= {"created_at": now, "created_by": None, "updated_at": now, "updated_by": None}
    same = home == UUID(invented.community_id)
    doors = {h["record"]: h["record"] if same else str(new_id()) for h in invented.households}
    places = {h["record"]: UUID(names[str(h["fields"]["area_id"])]) for h in invented.households}
    households, residents, visits = COLLECTIONS["households"], COLLECTIONS["residents"], VISITS
    rows: dict[sa.Table, Rows] = {households.table: [], residents.table: [], visits.table: []}
    for item in invented.households:
        columns = households.as_columns(cast(Any, item["fields"]))
        row = {**columns, **stamps, "id": UUID(doors[item["record"]]), "area_id": places[item["record"]]}
        rows[households.table] += [] if item["record"] in written else [row]
    for item in invented.residents:
        door, columns = str(item["fields"]["household_id"]), residents.as_columns(cast(Any, item["fields"]))
        behind = {"id": new_id(), "household_id": UUID(doors[door]), "area_id": places[door]}
        rows[residents.table].append({**columns, **stamps, **behind})
    knocks = Knocks(context.seams, str(home))
    for number, (door, id) in enumerate(doors.items()):
        if number % KNOCKED and door not in written:
            [visit] = knocks.visits(1, [id])
            rows[visits.table].append(as_row(visit, home, places[door], home, now))
    for table, all_rows in rows.items():
        for begin in range(0, len(all_rows), AT_ONCE):
            await context.database.run(
                lambda t, table=table, part=all_rows[begin : begin + AT_ONCE]: t.insert(table, part)  # type: ignore[misc]
            )


def _doors_of(invented: Community, grid: str) -> list[Item]:
    parents = {item["record"]: str(item["fields"]["parent_id"]) for item in invented.areas}
    return [h for h in invented.households if parents[parents[str(h["fields"]["area_id"])]] == grid]


def _visits(context: Context, community: str, doors: Sequence[Item]) -> Iterator[Item]:
    """As many as there are doors, but for a fifth, at any of them."""
    knocks = Knocks(context.seams, "first")
    for visit in knocks.visits(len(doors) * (KNOCKED - 1) // KNOCKED, [door["record"] for door in doors]):
        yield Item(collection="visits", record=str(visit.id), home=community, fields=cast(Any, visit.fields))


def _plans(context: Context, doors: Sequence[Item]) -> Iterator[Item]:
    """For the first doors of the grid, all of them due by now or kept."""
    people = [str(context.seams.new_id()) for _ in range(RESPONSIBLE)]
    since = str(context.seams.now().date() - timedelta(days=PLANNED_DAYS))
    for number, household in enumerate(doors[:PLANS]):
        fields: dict[str, object] = {"household_id": household["record"], "reason": "elderly", "since": since}
        fields["responsible"] = [people[number % RESPONSIBLE]]
        yield Item(collection="care_plans", record=str(context.seams.new_id()), home=household["home"], fields=fields)
