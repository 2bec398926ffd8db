"""Somebody of every role, something in every place, and what the tree alone says who may do to which of it."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.enclaves import add_enclave
from app.grants import add_grant
from app.operator import Item, create_all
from app.people import add_person
from app.roles import ROLES
from app.settings import Settings
from app.tables import Enclave, Grant
from tests.conftest import KEY, opened
from tests.maker import values_of
from tests.raw_phone import Answer, RawPhone
from tests.world import NEW_ID, World, mutation, new_world

ENCLAVE: Any = Enclave.__table__  # type: ignore[attr-defined]
Right = Literal["no", "seen", "some", "yes"]
"""As if it were not; may be looked at; in part, see test_helpers_see_only_what_they_need.py; may be done."""

TREE = {
    "grid": "community", "building_1": "grid", "unit_1": "building_1", "building_2": "grid", "unit_2": "building_2",
    "grid_2": "community", "building_3": "grid_2", "unit_3": "building_3", "building_0": "community",
    "unit_0": "building_0", "community": "district", "community_2": "district", "grid_c": "community_2",
    "building_c": "grid_c", "unit_c": "building_c", "grid_d": "community_2", "street": "district",
    "team": "community", "team_g": "community", "team_2": "grid_2", "team_c": "community_2", "team_s": "street",
}  # fmt: skip
DOORS = {
    "own": "unit_1", "same grid": "unit_2", "other grid": "unit_3", "other community": "unit_c", "parent": "unit_0",
}  # fmt: skip
"""Where what staff records lies. A building beside the grid lies above it."""
AREAS = {
    "own": "building_1", "same grid": "building_2", "other grid": "building_3", "other community": "building_c",
    "parent": "district",
}  # fmt: skip
"""In what areas and codes lie."""
TEAMS = {
    "own": "team", "same grid": "team_g", "other grid": "team_2", "other community": "team_c", "parent": "team_s",
}  # fmt: skip
"""Whose cases."""
LIE = {"staff": DOORS, "reference": AREAS, "team": TEAMS}
PLACES = [*DOORS, "nonexistent"]
OVER = {
    "reader": "building_1", "worker": "building_1", "helper": "building_1",
    "secretary": "community", "first_secretary": "community", "admin": "community",
    "system": "community", "security": "community", "audit": "community", "mediator": "team", "officer": "team_g",
}  # fmt: skip
"""Every role, over what fits it."""
CALLERS = {role: (role, area) for role, area in OVER.items()} | {
    "reader of the grid": ("reader", "grid"),
    "worker of the grid": ("worker", "grid"),
    "admin of the district": ("admin", "district"),
    "former": (None, None),
    "stranger": (None, None),
    "anonymous": (None, None),
}
STAFF = {"reader", "worker", "secretary", "first_secretary", "admin"}
WRITERS = {
    "staff": STAFF - {"reader"},
    "reference": {"admin", "system"},
    "team": {"mediator"},
    **{name: {"admin", "system", "secretary", "first_secretary"} for name in ("campaigns", "members", "preferences")},
}
"""Of an audience, or of a collection that is an exception."""


def ancestry(area: str | None) -> list[str]:
    """The area and all it lies in."""
    return [area, *ancestry(TREE.get(area))] if area else []


@dataclass
class Caller:
    """Somebody signed in on a phone, or nobody."""

    name: str
    role: str | None
    area: str | None
    person: UUID | None
    phone: RawPhone

    def has(self, roles: set[str], area: str) -> bool:
        """One of the roles, over the area?"""
        return self.role in roles and self.area in ancestry(area)

    def right_to(self, collection: Collection, place: str) -> Right:
        """To a record: by whose feed lists it."""
        owner = owner_of(collection, place)
        if self.has(WRITERS.get(collection.name, WRITERS[collection.audience]), owner):
            return "yes"
        if collection.audience == "team":
            return "seen" if self.has({"officer"}, owner) else "no"
        if collection.audience == "staff":
            if self.has({"helper"}, owner) and collection.helper_view:
                return "some" if "helper" in collection.writers else "seen"
            return "seen" if self.has(STAFF, owner) else "no"
        above = self.role is not None and owner in ancestry(self.area)
        return "seen" if above or self.has({*ROLES}, owner) else "no"


def owner_of(collection: Collection, place: str) -> str:
    """The area that owns the feed: a building; a community, or the root above them; a team."""
    if collection.audience == "team":
        return TEAMS[place]
    if collection.audience == "staff":
        return next(area for area in ancestry(DOORS[place]) if area.startswith("building"))
    return next(a for a in ancestry(AREAS[place]) if a.startswith("community") or a == "district")


@dataclass
class Matrix:
    """Two communities, a caller of each kind, a record of each collection in each place."""

    world: World
    callers: dict[str, Caller] = field(default_factory=dict)
    held: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """(collection, place) → a record that nobody deletes."""
    beside: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """Likewise a second one, of what is referred to twice."""
    places: dict[tuple[str, UUID], str] = field(default_factory=dict)
    """(collection, id) → where it was made."""
    made_of: dict[tuple[str, str], Answer] = field(default_factory=dict)
    makers: list[RawPhone] = field(default_factory=list)
    enclaves: dict[tuple[str, str], UUID] = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)
    cells: Counter[str] = field(default_factory=Counter)

    def home(self, place: str, collection: Collection | None = None) -> UUID:
        """The community that the place lies in; for what lies above, that of one's own; of a team above, itself."""
        if collection and collection.audience == "team" and place == "parent":
            return self.world.areas["team_s"]
        return self.world.areas["community_2" if place == "other community" else "community"]

    def fields(self, collection: Collection, place: str) -> Answer:
        """Of a record that lies there, from its declaration."""
        if (collection.name, place) not in self.made_of:
            self.made_of[collection.name, place] = self._fields(collection, place)
        return self.made_of[collection.name, place]

    def _fields(self, collection: Collection, place: str) -> Answer:
        made: Answer = {}
        for name, spec in collection.fields.items():
            if spec.refers_to == "areas":
                made[name] = str(self.world.areas[LIE[collection.audience][place]])
            elif spec.refers_to and (spec.required or name == collection.lists_in):
                there = self.held, self.beside
                ids = (str(held[spec.refers_to, place]) for held in there)
                made[name] = next(id for id in ids if id not in made.values())
            elif spec.required:
                made[name] = values_of(collection, spec)[0]
        if collection.name == "areas":
            made["level"] = "street" if place == "parent" else "unit"
        return made

    async def make(self, collection: Collection, place: str) -> UUID:
        """A new record there."""
        id = NEW_ID()
        if collection.name == "conflicts":
            id = await self._contested(place)
        else:
            home = str(self.home(place, collection))
            if place == "parent" and collection.audience == "reference":
                home = str(id if collection.name == "areas" else self.world.areas["district"])
            fields = self.fields(collection, place)
            await create_all(
                self.world.context, [Item(collection=collection.name, record=str(id), home=home, fields=fields)]
            )
        self.places[collection.name, id] = place
        return id

    async def target(self, collection: Collection, place: str) -> UUID:
        """The one that stays; or none."""
        if place == "nonexistent":
            return NEW_ID()
        if (collection.name, place) not in self.held:
            self.held[collection.name, place] = await self.make(collection, place)
        return self.held[collection.name, place]

    async def _contested(self, place: str) -> UUID:
        door, home = await self.make(COLLECTIONS["households"], place), str(self.home(place))
        for phone, number in zip(self.makers, ("102", "103"), strict=True):
            edit = mutation(self.world, "households", door, "update", 1, fields={"door": number}, home=home)
            [outcome] = await phone.push(edit, home=home)
        return UUID(outcome["conflicts"][0])

    async def theirs(self, model: Any, login: str) -> UUID:
        """The first grant, or the newest phone, of somebody; one that nobody has where they have none."""
        table, person = model.__table__, self.world.people.get(login)
        order = table.c.since.desc() if model is Grant else table.c.id.desc()
        async with self.world.context.database.snapshot("server") as snapshot:
            row = await snapshot.first(sa.select(table.c.id).where(table.c.person_id == person).order_by(order))
        return UUID(str(row.id)) if row else NEW_ID()

    async def enclave(self, area: str, administrative: str) -> UUID:
        """One that begins in nine days and so shows nobody anything; the one there is, or a new one."""
        if id := self.enclaves.get((area, administrative)):
            async with self.world.context.database.snapshot("server") as snapshot:
                lasts = (ENCLAVE.c.id == id, ENCLAVE.c.until.is_(None))
                if await snapshot.first(sa.select(ENCLAVE.c.id).where(*lasts)):
                    return id
        since = self.world.context.seams.now() + timedelta(days=9)
        areas = {"area_id": self.world.areas[area], "administrative_id": self.world.areas[administrative]}
        async with self.world.context.database.transaction() as transaction:
            # The last one showed nobody anything: no grace of it is in the way.
            await transaction.execute(sa.delete(ENCLAVE).where(ENCLAVE.c.area_id == areas["area_id"]))
            row = await add_enclave(
                transaction,
                self.world.context,
                self.world.people["boss"],
                **areas,
                since=since,
                until=None,
                reason=None,
            )
        id = self.enclaves[area, administrative] = UUID(str(row.id))
        return id


@pytest.fixture(scope="module", name="matrix")
async def matrix_for_a_module(url: str) -> AsyncIterator[Matrix]:
    """Built once a store."""
    assert OVER.keys() == ROLES.keys(), "a new role needs a line in OVER"
    async with opened(Settings(database_url=url, key=KEY)) as context:
        matrix = Matrix(await new_world(context))
        await _build(matrix)
        yield matrix
        await matrix.world.http.aclose()


async def _build(matrix: Matrix) -> None:
    world = matrix.world
    await create_all(world.context, _areas(world))
    for login in ("boss", "chief"):
        await world.add_person(login, role="admin", area="district")
        matrix.makers.append(RawPhone(world, await world.phone_token(login)))
    for collection in sorted(COLLECTIONS.values(), key=lambda c: (c.lists_through != "areas", c.name == "conflicts")):
        for place in DOORS:
            await matrix.target(collection, place)
            if collection.name == "organisations":
                matrix.beside[collection.name, place] = await matrix.make(collection, place)
    for name, (role, area) in CALLERS.items():
        matrix.callers[name] = await _caller(world, name, role, area)
    for place in PLACES[1:-1]:
        role, area = ("admin", "district") if place == "parent" else ("worker", DOORS[place])
        await world.add_person(place, role=role, area=area)
        await world.phone_token(place)


async def _caller(world: World, name: str, role: str | None, area: str | None) -> Caller:
    if name == "anonymous":
        phone = RawPhone(world, "")
        phone.headers = {}
        return Caller(name, None, None, None, phone)
    now = world.context.seams.now()
    async with world.context.database.transaction() as transaction:
        person = world.people[name] = await add_person(transaction, world.context.seams, name, "they never sign in")
        later = {"area_id": world.areas["unit_1"], "role": "reader", "since": now + timedelta(days=9)}
        if name != "stranger":
            # Their own, to be looked for and ended, which shows them nothing yet.
            await add_grant(transaction, world.context, person_id=person, **later)
    if role:
        await world.grant(name, str(area), role, until=now + timedelta(days=1) if ROLES[role].ends else None)
    elif name == "former":
        await world.grant(name, "building_1")
        await world.end_grant(name, "building_1")
    return Caller(name, role, area, person, RawPhone(world, await world.phone_token(name)))


def _areas(world: World) -> list[Item]:
    """What the world of other tests lacks."""
    made = []
    for name in ("grid_2", "building_3", "unit_3", "building_0", "unit_0", "street", "community_2", "grid_c",
                 "grid_d", "building_c", "unit_c", *TEAMS.values()):  # fmt: skip
        world.areas[name] = NEW_ID()
        above = "community_2" if "community_2" in ancestry(name) else "community"
        home = above if above in ancestry(name) else name
        fields: Answer = {"parent_id": str(world.areas[TREE[name]]), "level": name.split("_")[0], "name": name}
        fields["code"] = name
        id, lies_in = str(world.areas[name]), str(world.areas[home])
        made.append(Item(collection="areas", record=id, home=lies_in, fields=fields))
    return made
