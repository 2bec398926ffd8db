"""A small invented place to test in: one community, two buildings, and people with grants."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa
from fastapi import FastAPI

from app.collections import COLLECTIONS
from app.context import Context
from app.doctor import findings
from app.grants import add_grant, end_grant
from app.identity.passwords import hash_password
from app.identity.sign_ins import begin_sign_in
from app.main import create_app
from app.operator import Item, create_all
from app.people import add_person
from app.settings import Settings
from sync import seams
from tests.contract import client_of

PASSWORD = "knock knock knock"
NEW_ID = seams.real().new_id
AREAS = COLLECTIONS["areas"].table


@dataclass
class World:
    """A server with a district, a community, a grid and two buildings with a unit each."""

    context: Context
    app: FastAPI
    http: httpx.AsyncClient
    areas: dict[str, UUID] = field(default_factory=dict)
    people: dict[str, UUID] = field(default_factory=dict)

    @property
    def home(self) -> UUID:
        """The community."""
        return self.areas["community"]

    async def add_person(self, login: str, *, role: str = "worker", area: str = "community") -> UUID:
        """A person who has a role over an area."""
        async with self.context.database.transaction() as transaction:
            person = await add_person(transaction, self.context.seams, login, await _password_hash())
            self.people[login] = person
        await self.grant(login, area, role)
        return person

    async def grant(self, login: str, area: str, role: str = "worker", until: datetime | None = None) -> None:
        """Gives a role."""
        async with self.context.database.transaction() as transaction:
            await add_grant(
                transaction,
                self.context,
                person_id=self.people[login],
                area_id=self.areas[area],
                role=role,
                until=until,
            )

    async def end_grant(self, login: str, area: str, role: str | None = None) -> None:
        """Takes a role, or whatever roles there are."""
        person, area_id = self.people[login], self.areas[area]
        async with self.context.database.transaction() as transaction:
            await end_grant(transaction, self.context, person_id=person, area_id=area_id, role=role)

    async def token(self, login: str) -> str:
        """A token as signing in gives it, without the password's cost: test_signing_in.py pays that."""
        async with self.context.database.transaction() as transaction:
            tokens = await begin_sign_in(transaction, self.context, person_id=self.people[login])
        return tokens.access_token

    async def phone_token(self, login: str) -> str:
        """Registers a phone; its access token."""
        body = {"name": "a phone", "platform": "test", "app_version": "1"}
        headers = bearer(await self.token(login))
        answer = await self.http.post("/v1/replicas", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["access_token"])


_hashes: list[str] = []


async def _password_hash() -> str:
    """Everybody's, made once: it is slow on purpose."""
    if not _hashes:
        _hashes.append(await hash_password(PASSWORD, bytes(16)))
    return _hashes[0]


def bearer(token: str) -> dict[str, str]:
    """The header that signs a request."""
    return {"Authorization": f"Bearer {token}"}


PLACE = {
    "district": (None, "district"),
    "community": ("district", "community"),
    "grid": ("community", "grid"),
    "building_1": ("grid", "building"),
    "building_2": ("grid", "building"),
    "unit_1": ("building_1", "unit"),
    "unit_2": ("building_2", "unit"),
}
"""Area → the one above it, and its level."""


async def new_world(context: Context, chosen: Settings | None = None) -> World:
    """The place, without people yet. Its phones may ask as often as they like: their clock may stand still."""
    app = create_app(context, chosen or Settings(requests_per_minute=1_000_000, pool_size=64))
    return World(context, app, client_of(app), await _place_of(context) or await make_place(context))


async def _place_of(context: Context) -> dict[str, UUID]:
    """Where the store was copied from one that has the place: making it took a fifth of a test."""
    async with context.database.snapshot("server") as snapshot:
        areas = await snapshot.rows(sa.select(AREAS.c.name, AREAS.c.id).where(AREAS.c.code.in_(PLACE)))
    return {area.name: area.id for area in areas}


async def make_place(context: Context) -> dict[str, UUID]:
    """Its areas, by name."""
    areas = {name: NEW_ID() for name in PLACE}
    items = []
    for name, (parent, level) in PLACE.items():
        above = str(areas[parent]) if parent else None
        fields = {"parent_id": above, "level": level, "name": name, "code": name}
        items.append(Item(collection="areas", record=str(areas[name]), home=None, fields=fields))
    await create_all(context, items)
    return areas


async def nothing_drifted(context: Context) -> None:
    """The doctor finds that everything follows from what it should."""
    drifted = [finding async for finding in findings(context.database) if finding.differing]
    assert not drifted, "what the doctor says"


def household(world: World, door: str = "101", unit: str = "unit_1", **fields: Any) -> dict[str, Any]:
    """A household's fields."""
    return {"area_id": str(world.areas[unit]), "door": door, **fields}


def mutation(
    world: World, collection: str, record: UUID, op: str = "create", base: int = 0, **options: Any
) -> dict[str, Any]:
    """A mutation as a phone would send it."""
    return {
        "id": str(NEW_ID()),
        "collection": collection,
        "record": str(record),
        "home": str(world.home),
        "op": op,
        "base": base,
        "made_at": "2026-01-01T08:00:00Z",
        **options,
    }
