"""Some rows of a file through the one write path, in one transaction: matched, planned, sent, and told row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from pydantic import JsonValue

from app.access import staff_areas
from app.batch import Actor, Incoming
from app.context import Context
from app.database import Transaction
from app.imports.fates import Decided, RowFate, Spoken
from app.imports.grounds import tell_unfounded
from app.imports.matching import (
    Known,
    asked_before,
    find_area,
    find_household,
    find_resident,
    read_by_id,
    read_gone_areas,
    read_known,
    read_removed,
)
from app.imports.places import Places
from app.imports.planning import Plan
from app.imports.rows import AREAS, HOUSEHOLDS, NUMBERS, RESIDENTS, Fault, Row
from app.imports.values import Unreadable, door_alike, name_alike, spellings
from app.keyed import keyed_id
from app.receive import receive
from app.writes import Write, as_arrived
from sync.conflict import candidates_of
from sync.days import day_of
from sync.wire import Fields


@dataclass(frozen=True)
class Job:
    """Whose import it is, and into what. Without a person it is the operator's."""

    context: Context
    person: UUID | None
    home: UUID
    home_path: str
    places: Places

    @cached_property
    def key(self) -> bytes:
        """What the ids of new records are made with."""
        return self.context.subkey("import")

    def new_id(self, collection: str, *parts: JsonValue | UUID) -> UUID:
        """The id of what a row creates: the same whenever it comes. From it nobody may guess an ID number."""
        return keyed_id(self.key, str(self.home), collection, *map(str, parts))

    def area_id(self, row: Row) -> UUID:
        """Of the area that a row would create."""
        said = row.said[AREAS]
        return self.new_id(AREAS, *(["code", said["code"]] if said.get("code") else [str(row.area), said["name"]]))

    def household_id(self, row: Row) -> UUID:
        """Of the household."""
        said = row.said[HOUSEHOLDS]
        external = said.get("external_id")
        key = ["external", external] if external else [str(row.area), door_alike(said["door"])]
        return self.new_id(HOUSEHOLDS, *key)

    def resident_id(self, row: Row, household: UUID) -> UUID:
        """Of the person behind it."""
        said = row.said[RESIDENTS]
        single = next((name for name in NUMBERS if said.get(name)), None)
        key = [single, said[single]] if single else [name_alike(said["name"]), said.get("birth_date")]
        return self.new_id(RESIDENTS, household, *key)

    async def seen(self, transaction: Transaction) -> list[UUID]:
        """The areas of which the person sees all records."""
        if self.person is None:
            return [*self.places.by_id]
        theirs = staff_areas(self.person, self.home_path, self.context.seams.now(), self.home)
        return [row.id for row in await transaction.rows(theirs)]


async def import_rows(transaction: Transaction, job: Job, rows: Sequence[Row]) -> list[RowFate]:
    """Their fates, in order. What is wrong with one leaves the others alone, and nothing of it is done."""
    # 1. Told anew whenever the transaction is begun again.
    spoken = [Spoken(Row(row.number, row.columns, row.said, row.area, [*row.faults])) for row in rows]
    good = [one for one in spoken if not one.row.faults]
    for one in good:
        one.id = job.area_id(one.row) if AREAS in one.row.said else job.household_id(one.row)
    # 2. Match: all that the rows may speak of, then row by row, for an earlier one may create what a later one means.
    if any(AREAS in one.row.said for one in good):
        known = {AREAS: await _known_areas(transaction, job, good)}
        for one in good:
            _speak_of_area(job, known[AREAS], one)
    else:
        known = await _known_doors(transaction, job, good)
        for one in good:
            _speak_of_door(job, known, one)
        today = day_of(job.context.seams.now(), job.context.day_begins)
        await tell_unfounded(transaction, job.home, today, [one for one in good if not one.row.faults])
    # 3. What was asked before isn't asked again; the rest goes through the one write path.
    plans = [plan for one in known.values() for plan in one.plans.values()]
    decided = await _settle(transaction, job, plans)
    await _send(transaction, job, plans)
    return [one.fate(decided) for one in spoken]


async def _known_areas(transaction: Transaction, job: Job, spoken: Sequence[Spoken]) -> Known:
    known = Known(AREAS, job.person)
    ids = {*job.places.by_id, *(one.id for one in spoken)}
    await read_by_id(transaction, known, job.home, None, ids)
    await read_gone_areas(transaction, known, job.home, [one.row for one in spoken])
    return known


async def _known_doors(transaction: Transaction, job: Job, spoken: Sequence[Spoken]) -> dict[str, Known]:
    """The households that the rows may mean, and who lives behind these or has the rows' numbers."""
    households, residents, home = Known(HOUSEHOLDS, job.person), Known(RESIDENTS, job.person), job.home
    seen = await job.seen(transaction)
    paths = {job.places.by_id[one.row.area].path for one in spoken if one.row.area}
    known = [(id, job.places.by_id[id].path) for id in seen if id in job.places.by_id]
    near = [id for id, path in known if any(path.startswith(above) for above in paths)]
    said = [one.row.said[HOUSEHOLDS] for one in spoken]
    await read_known(transaction, households, home, seen, "external_id", [one.get("external_id") for one in said])
    written = [door for one in said for door in spellings(one["door"])]
    await read_known(transaction, households, home, near, "door", written)
    await read_by_id(transaction, households, home, seen, {one.id for one in spoken})
    behind = {one.row.number: door for one in spoken if (door := _door_of(job, households, one))}
    people = [one.row for one in spoken if RESIDENTS in one.row.said and one.row.number in behind]
    await read_known(transaction, residents, home, seen, "household_id", behind.values())
    for name in NUMBERS:
        await read_known(transaction, residents, home, seen, name, [row.said[RESIDENTS].get(name) for row in people])
    await read_by_id(transaction, residents, home, seen, {job.resident_id(row, behind[row.number]) for row in people})
    await read_removed(transaction, households, home)
    await read_removed(transaction, residents, home)
    return {HOUSEHOLDS: households, RESIDENTS: residents}


def _door_of(job: Job, households: Known, one: Spoken) -> UUID | None:
    try:
        plan = find_household(households, job.places, one.row, one.id)
    except Unreadable:
        return None
    return plan.id if plan else one.id


def _speak_of_area(job: Job, known: Known, one: Spoken) -> None:
    row = one.row
    try:
        plan = find_area(known, row, one.id) or Plan(known.collection, one.id)
    except Unreadable as problem:
        row.fault(AREAS, "name", problem.code)
        return
    said: Fields = {**row.said[AREAS], "parent_id": str(row.area)}
    _check(row, plan, said)
    if not row.faults:
        one.say(plan, said)
        known.add(plan)


def _speak_of_door(job: Job, known: Mapping[str, Known], one: Spoken) -> None:
    """Of the household and of the person behind it; of neither where anything is wrong."""
    row, said = one.row, dict(one.row.said[HOUSEHOLDS])
    try:
        household = find_household(known[HOUSEHOLDS], job.places, row, one.id)
        household = household or Plan(known[HOUSEHOLDS].collection, one.id)
    except Unreadable as problem:
        row.fault(HOUSEHOLDS, "door", problem.code)
        return
    if not _lies_within(job.places, household, row.area):
        said["area_id"] = str(row.area)
    told = [(household, said)]
    if RESIDENTS in row.said:
        try:
            id = job.resident_id(row, household.id)
            resident = find_resident(known[RESIDENTS], row, household.id, id)
        except Unreadable as problem:
            row.fault(RESIDENTS, "name", problem.code)
            return
        behind: Fields = {**row.said[RESIDENTS], "household_id": str(household.id)}
        told.append((resident or Plan(known[RESIDENTS].collection, id), behind))
    for plan, fields in told:
        _spell_as_held(plan, fields)
        _check(row, plan, fields)
    if not row.faults:
        for plan, fields in told:
            one.say(plan, fields)
            known[plan.collection.name].add(plan)


def _spell_as_held(plan: Plan, said: Fields) -> None:
    """What is only written otherwise is no other door, and nobody of another name."""
    for name, alike in (("door", door_alike), ("name", name_alike)):
        if name in said and plan.now.get(name) is not None and alike(said[name]) == alike(plan.now[name]):
            said[name] = plan.now[name]


def _check(row: Row, plan: Plan, said: Fields) -> None:
    """Is the record there, or still to be made, and does what the row adds leave it valid?"""
    if plan.deleted:
        row.faults.append(Fault(None, "already_deleted"))
        return
    if not plan.now:
        # Of a new record the reader has seen that.
        return
    filling = {name: value for name, value in said.items() if plan.is_free(name)}
    for error in plan.collection.rules.faults({**plan.now, **filling}):
        row.fault(plan.collection.name, str(error["pointer"]).rpartition("/")[2], str(error["code"]))


def _lies_within(places: Places, plan: Plan, area: UUID | None) -> bool:
    """In the row's area, or in a part of it that the file doesn't tell?"""
    held = places.by_id.get(UUID(str(plan.now["area_id"]))) if plan.now else None
    return held is not None and area is not None and held.path.startswith(places.by_id[area].path)


async def _settle(transaction: Transaction, job: Job, plans: Sequence[Plan]) -> Decided:
    """What was asked before isn't asked again."""
    decided: dict[tuple[UUID, str, str], UUID | None] = {}
    conflicts = await asked_before(transaction, job.home, plans)
    for plan in plans:
        for name, value in [pair for other in plan.contested for pair in other.items()]:
            for conflict in conflicts.get((plan.id, name), ()):
                if any(candidate["value"] == value for candidate in candidates_of({"candidates": conflict.candidates})):
                    decided[plan.id, name, str(value)] = conflict.id if conflict.state == "open" else None
                    plan.settle(name, value)
    return decided


async def _send(transaction: Transaction, job: Job, plans: Sequence[Plan]) -> None:
    """Through the one write path; what it says of each goes to its plan."""
    writes = [*_writes(job, plans)]
    if not writes:
        return
    arrived = [as_arrived(job.context, write) for _, write in writes]
    done = await receive(transaction, job.context, Actor(job.person), Incoming(job.home, arrived))
    for (plan, _), outcome in zip(writes, done.outcomes, strict=True):
        plan.conflicts += outcome.conflicts
        if outcome.problem is not None and plan.refusal is None:
            plan.refusal = outcome.problem.code, outcome.problem.errors


def _writes(job: Job, plans: Sequence[Plan]) -> Iterator[tuple[Plan, Write]]:
    for plan in plans:
        for op, base, fields in plan.writes():
            yield plan, Write(plan.collection, job.home, plan.id, op, base, fields)
