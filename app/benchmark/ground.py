"""Where the measuring happens: an invented community of several buildings, and phones that are signed in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa

from app.context import Context
from app.database import Transaction
from app.demo.community import as_household, list_codes
from app.demo.doors import invent_flats
from app.grants import add_grant
from app.identity.sign_ins import begin_sign_in
from app.identity.tokens import access_token, claims_of
from app.operator import Item, create_all
from app.people import add_person
from app.tables import Feed, Replica
from sync.seams import seeded

SEED = 1
NO_PASSWORD = "!"
"""No hash at all: nobody signs in here with a password."""

_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Building:
    """An area with a feed of its own, and its doors."""

    id: UUID
    feed: int
    households: Sequence[str]


@dataclass(frozen=True)
class Phone:
    """A registered phone of a worker who has one building."""

    person: UUID
    replica: UUID
    sign_in: UUID
    building: Building
    context: Context

    def token(self) -> str:
        """Made now, since it lives 15 minutes."""
        return access_token(self.context, person_id=self.person, replica_id=self.replica, sign_in_id=self.sign_in)


@dataclass(frozen=True)
class Ground:
    """One community in one database."""

    context: Context
    home: UUID
    buildings: Sequence[Building]


async def lay_ground(context: Context, buildings: int, doors: int) -> Ground:
    """An empty database becomes a community of so many buildings with so many doors each."""
    world, dice = context.seams, seeded(SEED)
    district, community, grid = (str(world.new_id()) for _ in range(3))
    ids = [str(world.new_id()) for _ in range(buildings)]
    areas = [
        _area(district, None, "district"),
        _area(community, district, "community"),
        _area(grid, community, "grid"),
        *(_area(id, grid, "building", number) for number, id in enumerate(ids, 1)),
    ]
    flats = invent_flats(dice)
    households = [
        as_household(dice, flat, id, community)
        for number, id in enumerate(ids, 1)
        for flat in islice((flat for flat in flats if flat.building == number), doors)
    ]
    await create_all(context, cast(Iterable[Item], [*areas, *list_codes(dice, district), *households]))
    doors_of = {id: [h["record"] for h in households if h["fields"]["area_id"] == id] for id in ids}
    async with context.database.snapshot("server") as snapshot:
        feeds = {f.owner_id: f.id for f in await snapshot.rows(sa.select(_FEED).where(_FEED.c.audience == "staff"))}
    return Ground(context, UUID(community), [Building(UUID(id), feeds[UUID(id)], doors_of[id]) for id in ids])


async def sign_in_phones(ground: Ground, count: int, first: int = 0) -> list[Phone]:
    """That many workers with a phone each, spread over the buildings in turn from the first on."""
    context = ground.context

    async def work(transaction: Transaction) -> list[Phone]:
        return [
            await _sign_in(transaction, context, ground.home, ground.buildings[number % len(ground.buildings)])
            for number in range(first, first + count)
        ]

    return await context.database.run(work)


async def add_helper(ground: Ground, building: Building) -> None:
    """Somebody who sees the building masked: from now on what is recorded there stands in two feeds."""
    context = ground.context

    async def work(transaction: Transaction) -> None:
        person = await add_person(transaction, context.seams, f"helper-{context.seams.new_id()}", NO_PASSWORD)
        await add_grant(transaction, context, person_id=person, area_id=building.id, role="helper")

    await context.database.run(work)


async def _sign_in(transaction: Transaction, context: Context, home: UUID, building: Building) -> Phone:
    world = context.seams
    person = await add_person(transaction, world, f"worker-{world.new_id()}", NO_PASSWORD)
    await add_grant(transaction, context, person_id=person, area_id=building.id, role="worker")
    replica: dict[str, Any] = {
        "id": world.new_id(),
        "person_id": person,
        "name": "a phone",
        "platform": "benchmark",
        "app_version": "1",
        "received": 0,
        "unsent": 0,
        "created_at": world.now(),
    }
    await transaction.insert(_REPLICA, [replica])
    tokens = await begin_sign_in(transaction, context, person_id=person, replica_id=replica["id"])
    sign_in = claims_of(context, tokens.access_token).sign_in_id
    return Phone(person, replica["id"], sign_in, building, context)


def _area(id: str, parent: str | None, level: str, number: int = 1) -> dict[str, object]:
    fields = {"parent_id": parent, "level": level, "name": f"{level} {number}", "code": f"{level}-{number}"}
    return {"collection": "areas", "record": id, "home": None, "fields": fields}
