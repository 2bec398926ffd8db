"""An empty database becomes a community with people who may sign in, and what it holds is counted back."""

import base64
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast
from uuid import UUID

import sqlalchemy as sa

from app.areas import areas_by_id, find_area
from app.collections import COLLECTIONS
from app.commands.calendar import days_of, list_days
from app.context import Context
from app.database import Database, Transaction
from app.demo.community import COMMUNITY, Community
from app.demo.interleaved import DISTRICTS, ON_PAPER
from app.grants import add_grant
from app.identity.passwords import hash_password
from app.opening import CannotOpen, open_context, open_database, require_version
from app.operator import Item, create_all
from app.people import add_person
from app.rebuild import rebuild_views
from app.schema import migrate
from app.settings import Settings
from sync.seams import Seams

GRID = f"{COMMUNITY}001"
"""Its two buildings are those of the notebook: 312 doors, 554 residents."""
CAST = (
    ("secretary", "admin", COMMUNITY),
    ("wang", "worker", GRID),
    ("li", "worker", GRID),
    ("zhao", "worker", GRID),
    ("zhou", "worker", "420106002021-xx"),
    ("chen", "worker", ON_PAPER["420106002021-xx"]),
    ("guo", "secretary", "420106002021"),
    ("city", "admin", " ".join(DISTRICTS)),
)
"""Login, role and the code of the area, or several. A grid's workers share its doors; Zhou and Chen an estate."""
PASSWORD_BYTES = 10


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in."""

    login: str
    password: str
    role: str
    area: str


async def open_empty(settings: Settings, world: Seams) -> Context:
    """The store at head, with nobody and nothing in it. Raises CannotOpen where it is in use."""
    if settings.database_file is not None and settings.database_file.exists():
        raise CannotOpen(f"{settings.database_file.name} is there already. This wants a database of its own.")
    if not settings.embedded:
        database = open_database(settings, world)
        try:
            await require_version(database)
            await _require_empty(database)
            await migrate(database)
        finally:
            await database.close()
    context = await open_context(settings, world)
    # There is nothing that an older release has listed: whoever serves this later needn't look for it.
    await rebuild_views(context)
    return context


async def load(context: Context, community: Community) -> None:
    """Through the same write path as everything else."""
    await create_all(context, cast(Iterable[Item], community))


async def list_days_off(context: Context, community: Community, year: int) -> None:
    """The year's real days off, over all of its tree; of a year that nobody has announced yet, none."""
    try:
        days = days_of(year)
    except NotImplementedError:
        return
    async with context.database.snapshot("server") as snapshot:
        [root] = (await areas_by_id(snapshot, None, [UUID(community.root_id)])).values()
    await list_days(context, root, days)


async def counts_of(context: Context) -> dict[str, int]:
    """What the database holds, asked of its tables; vacant flats are households too."""
    areas = COLLECTIONS["areas"].table
    async with context.database.snapshot("server") as snapshot:

        async def count(table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
            living = sa.select(sa.func.count()).select_from(table).where(table.c.deleted_at.is_(None), *where)
            row = await snapshot.first(living)
            return int(row[0]) if row else 0

        return {
            "grids": await count(areas, areas.c.level == "grid"),
            "buildings": await count(areas, areas.c.level == "building"),
            "households": await count(COLLECTIONS["households"].table),
            "residents": await count(COLLECTIONS["residents"].table),
        }


def expected_of(*communities: Community) -> dict[str, int]:
    """What it should hold."""
    return {
        "grids": sum(len(one.areas_of_level("grid")) for one in communities),
        "buildings": sum(len(one.areas_of_level("building")) for one in communities),
        "households": sum(len(one.households) for one in communities),
        "residents": sum(len(one.residents) for one in communities),
    }


async def add_accounts(context: Context) -> list[Account]:
    """The cast, each with a password of its own that is kept nowhere."""
    people = [Account(login, _new_password(context.seams), role, area) for login, role, area in CAST]
    for one in people:
        password_hash = await hash_password(one.password, context.seams.random_bytes(16))
        await _add_account(context, one, password_hash)
    return people


def write_accounts(file: Path, base_url: str, people: list[Account]) -> None:
    """For a program that plays along. Only its owner may read the file, from its first moment."""
    document = {"base_url": base_url, "people": [asdict(one) for one in people]}
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
        os.chmod(file, 0o600)  # it may be older than this rule
        json.dump(document, opened, ensure_ascii=False, indent=2)


def part_of(community: Community, grid: str) -> Community:
    """The same community with the doors and people of one grid only."""
    inside = {area["record"] for area in community.areas if area["fields"]["code"] == grid}
    for area in community.areas:  # parents come first
        if area["fields"]["parent_id"] in inside:
            inside.add(area["record"])
    households = tuple(one for one in community.households if one["fields"]["area_id"] in inside)
    doors = {one["record"] for one in households}
    residents = tuple(one for one in community.residents if one["fields"]["household_id"] in doors)
    return Community(community.root_id, community.community_id, community.areas, community.codes, households, residents)


async def _require_empty(database: Database) -> None:
    async with database.snapshot("server") as snapshot:
        names = await snapshot.connection.run_sync(lambda connection: sa.inspect(connection).get_table_names())
    if names:
        raise CannotOpen("The database isn't empty. This wants one of its own.")


def _new_password(world: Seams) -> str:
    """80 random bits in groups that can be read aloud."""
    text = base64.b32encode(world.random_bytes(PASSWORD_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


async def _add_account(context: Context, one: Account, password_hash: str) -> None:
    async def work(transaction: Transaction) -> None:
        person = await add_person(transaction, context.seams, one.login, password_hash)
        for code in one.area.split():
            area = await find_area(transaction, code)
            assert area is not None
            await add_grant(transaction, context, person_id=person, area_id=area.id, role=one.role)

    await context.database.run(work)
