"""Freezing a campaign's targets: every door there is now goes into a block, along the walk, for somebody to claim."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from app.access import hold_grants, paths_under
from app.batch import Actor, Incoming
from app.collections import COLLECTIONS
from app.collections.base import OFFICE
from app.collections.blocks import MOST_DOORS
from app.context import Context
from app.database import Transaction
from app.keyed import keyed_id
from app.prepared import among
from app.problems import Problem, require_taken, wrong_field
from app.receive import receive
from app.records import get_record
from app.reports.parts import areas_around, ids_along, seen_whole
from app.writes import Write, as_arrived
from sync.walk import Walk, whole_number
from sync.wire import Fields

CAMPAIGNS, BLOCKS = COLLECTIONS["campaigns"], COLLECTIONS["blocks"]
_BLOCK, _HOUSEHOLD, _RESIDENT = BLOCKS.table, COLLECTIONS["households"].table, COLLECTIONS["residents"].table


@dataclass(frozen=True)
class Frozen:
    """What a freezing came to. Areas that had blocks already keep them as they are."""

    blocks: int
    households: int
    registered: int


def block_id(context: Context, campaign: UUID, area: UUID, part: int) -> UUID:
    """Of a block that a freezing makes, and nobody else can: what has another id is no target."""
    return keyed_id(context.subkey("block"), campaign, area, part)


async def freeze(context: Context, person: UUID, campaign: UUID, area: UUID | None) -> Frozen:
    """Makes the blocks of the area, or of all of the campaign's, where there never were any.

    Raises not_found, reference_not_found where the area isn't the campaign's, what seen_whole does, and not_permitted
    to whoever isn't of the office there: targets stay as they are from then on, for everybody.
    """
    place, walk, doors = await _doors_of(context, person, campaign, area)
    blocks = await run_in_threadpool(_blocks, context, campaign, walk, doors)

    async def work(transaction: Transaction) -> Frozen:
        await hold_grants(transaction, person)
        paths = await paths_under(transaction, person, OFFICE, context.seams.now)
        if not place.path.startswith(tuple(paths)):
            raise Problem("not_permitted")
        # Also one that was deleted: its doors were targets, and are none any more.
        there = sa.select(_BLOCK.c.area_id).where(_BLOCK.c.home == place.home, _BLOCK.c.id.in_(blocks))
        frozen = {row.area_id for row in await transaction.rows(there)}
        new = {id: fields for id, fields in blocks.items() if UUID(str(fields["area_id"])) not in frozen}
        arrived = [
            as_arrived(context, Write(BLOCKS, place.home, id, "create", 0, fields)) for id, fields in new.items()
        ]
        done = await receive(transaction, context, Actor(person), Incoming(place.home, arrived))
        require_taken(done.outcomes)
        households = sum(len(_list(fields["households"])) for fields in new.values())
        return Frozen(len(new), households, sum(whole_number(fields["registered"]) for fields in new.values()))

    return await context.database.run(work)


async def _doors_of(
    context: Context, person: UUID, campaign: UUID, area: UUID | None
) -> tuple[Any, Walk, Sequence[Any]]:
    """The area's row, the way through it, and its doors."""
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        known = await get_record(snapshot, context, person, CAMPAIGNS, campaign)
        whole = UUID(str(known.fields["area_id"]))
        place, theirs = await seen_whole(snapshot, context, person, area or whole)
        if whole not in ids_along(place.path):
            raise wrong_field("reference_not_found", "area_id")
        walk = Walk(await areas_around(snapshot, place))
        return place, walk, await _doors(snapshot, place.home, theirs)


async def _doors(snapshot: Transaction, home: UUID, theirs: Sequence[UUID]) -> Sequence[Any]:
    """Each with how many residents are behind it."""
    behind = sa.select(_RESIDENT.c.household_id, sa.func.count().label("many"))
    people = behind.where(_RESIDENT.c.home == home, _RESIDENT.c.deleted_at.is_(None)).group_by(_RESIDENT.c.household_id)
    of = people.subquery()
    columns = (_HOUSEHOLD.c.id, _HOUSEHOLD.c.area_id, _HOUSEHOLD.c.door, _HOUSEHOLD.c.floor)
    counted = sa.select(*columns, sa.func.coalesce(of.c.many, 0).label("many"))
    doors = counted.outerjoin(of, of.c.household_id == _HOUSEHOLD.c.id).where(
        _HOUSEHOLD.c.home == home,
        among(_HOUSEHOLD.c.area_id, "areas", theirs),
        _HOUSEHOLD.c.deleted_at.is_(None),
    )
    return await snapshot.rows(doors)


def _blocks(context: Context, campaign: UUID, walk: Walk, doors: Sequence[Any]) -> Mapping[UUID, Fields]:
    """By id: the doors of each area along the walk, so many at a time."""
    by_area = defaultdict[UUID, list[Any]](list)
    for door in sorted(doors, key=lambda row: (walk.place(row._mapping), row.id.bytes)):
        by_area[door.area_id].append(door)
    return {
        block_id(context, campaign, area, part): {
            **{"area_id": str(area), "campaign_id": str(campaign), "part": part},
            "households": [str(door.id) for door in some],
            "registered": sum(door.many for door in some),
        }
        for area, those in by_area.items()
        for part, some in enumerate(_cut(those), start=1)
    }


def _cut(doors: list[Any]) -> Iterator[list[Any]]:
    return (doors[begin : begin + MOST_DOORS] for begin in range(0, len(doors), MOST_DOORS))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
