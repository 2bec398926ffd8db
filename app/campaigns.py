"""Freezing a campaign's targets: every door there is now goes into a block, along the walk, for somebody to claim."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa

from app.batch import Actor, Incoming
from app.collections import COLLECTIONS
from app.collections.blocks import MOST_DOORS
from app.context import Context
from app.database import Transaction
from app.problems import require_taken, wrong_field
from app.receive import receive
from app.records import get_record
from app.reports.parts import areas_around, ids_along, seen_whole
from app.writes import Write, as_arrived
from sync.walk import place_on_walk
from sync.wire import Fields

CAMPAIGNS, BLOCKS = COLLECTIONS["campaigns"], COLLECTIONS["blocks"]
_BLOCK, _HOUSEHOLD, _RESIDENT = BLOCKS.table, COLLECTIONS["households"].table, COLLECTIONS["residents"].table


@dataclass(frozen=True)
class Frozen:
    """What a freezing came to. Areas that had blocks already keep them as they are."""

    blocks: int
    households: int
    registered: int


async def freeze(context: Context, person: UUID, campaign: UUID, area: UUID | None) -> Frozen:
    """Makes the blocks of the area, or of all of the campaign's, where there are none yet; in one transaction.

    Raises not_found, reference_not_found where the area isn't the campaign's, and what seen_whole does.
    """

    async def work(transaction: Transaction) -> Frozen:
        async with transaction.seen_by(context.seen_by(person)):
            home, blocks = await _missing(transaction, context, person, campaign, area)
        arrived = [as_arrived(context, Write(BLOCKS, home, id, "create", 0, fields)) for id, fields in blocks.items()]
        done = await receive(transaction, context, Actor(person), Incoming(home, arrived))
        require_taken(done.outcomes)
        return Frozen(
            len(blocks),
            sum(len(_list(fields["households"])) for fields in blocks.values()),
            sum(int(str(fields["registered"])) for fields in blocks.values()),
        )

    return await context.database.run(work)


async def _missing(
    transaction: Transaction, context: Context, person: UUID, campaign: UUID, area: UUID | None
) -> tuple[UUID, Mapping[UUID, Fields]]:
    """The home, and the blocks to be made there, by id: the same doors always go into the same."""
    known = await get_record(transaction, context, person, CAMPAIGNS, campaign)
    whole = UUID(str(known.fields["area_id"]))
    place, theirs = await seen_whole(transaction, context, person, area or whole)
    if whole not in ids_along(place.path):
        raise wrong_field("reference_not_found", "area_id")
    there = sa.select(_BLOCK.c.area_id).where(_BLOCK.c.home == place.home, _BLOCK.c.campaign_id == campaign)
    frozen = {row.area_id for row in await transaction.rows(there)}
    doors = [row for row in await _doors(transaction, place.home, theirs) if row.area_id not in frozen]
    areas = await areas_around(transaction, place)
    doors.sort(key=lambda row: (place_on_walk(areas, {**row._mapping, "area_id": str(row.area_id)}), row.id.bytes))
    return place.home, {uuid5(campaign, f"{of['area_id']}/{of['part']}"): of for of in _blocks(campaign, doors)}


async def _doors(transaction: Transaction, home: UUID, theirs: sa.Select[Any]) -> Sequence[Any]:
    """Each with how many residents are behind it."""
    behind = sa.select(_RESIDENT.c.household_id, sa.func.count().label("many"))
    people = behind.where(_RESIDENT.c.home == home, _RESIDENT.c.deleted_at.is_(None)).group_by(_RESIDENT.c.household_id)
    of = people.subquery()
    columns = (_HOUSEHOLD.c.id, _HOUSEHOLD.c.area_id, _HOUSEHOLD.c.door, _HOUSEHOLD.c.floor)
    counted = sa.select(*columns, sa.func.coalesce(of.c.many, 0).label("many"))
    doors = counted.outerjoin(of, of.c.household_id == _HOUSEHOLD.c.id).where(
        _HOUSEHOLD.c.home == home,
        _HOUSEHOLD.c.area_id.in_(sa.select(theirs.subquery().c.id)),
        _HOUSEHOLD.c.deleted_at.is_(None),
    )
    return await transaction.rows(doors)


def _blocks(campaign: UUID, doors: Sequence[Any]) -> Iterator[Fields]:
    """Of doors in their order: those of one area, so many at a time."""
    by_area = defaultdict[UUID, list[Any]](list)
    for door in doors:
        by_area[door.area_id].append(door)
    for area, those in by_area.items():
        for part, begin in enumerate(range(0, len(those), MOST_DOORS), start=1):
            some = those[begin : begin + MOST_DOORS]
            yield {
                **{"area_id": str(area), "campaign_id": str(campaign), "part": part},
                "households": [str(door.id) for door in some],
                "registered": sum(door.many for door in some),
            }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
