"""The place that every seed begins in: areas and people, made once a process and copied."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import FastAPI

from app.context import Context
from app.database import Database
from app.main import create_app
from app.operator import Item, create_all
from app.people import add_person
from app.schema import ensure_server_row, migrate
from app.settings import Settings
from app.sqlite import Sqlite
from sync.seams import Seams
from tests.conftest import KEY
from tests.memory import in_memory
from tests.simulation.plan import LOGINS
from tests.simulation.store_faults import StoreFaults
from tests.simulation.timeline import Clock, Timeline

LIAR, BOSS = "sun", "gong"
TREE = (
    ("district", None, "district"),
    ("community", "district", "community"),
    ("grid_1", "community", "grid"),
    ("grid_2", "community", "grid"),
    ("building_1", "grid_1", "building"),
    ("building_2", "grid_1", "building"),
    ("building_3", "grid_2", "building"),
    ("unit_1", "building_1", "unit"),
    ("unit_2", "building_2", "unit"),
    ("unit_3", "building_3", "unit"),
    ("next_door", "district", "community"),
    ("building_9", "next_door", "building"),
    ("unit_9", "building_9", "unit"),
    ("team", "community", "team"),
)
GRANTED = {"li": "community", "wang": "community", "zhao": "building_2", "qian": "grid_2", LIAR: "building_9"}
"""Everybody's first grant, as a worker."""


@dataclass(frozen=True)
class Prepared:
    """What all seeds of a process have in common."""

    app: FastAPI
    loop: asyncio.AbstractEventLoop
    folder: Path
    areas: dict[str, UUID]
    people: dict[str, UUID]
    feeds: dict[int, tuple[str, str]]
    """Feed → its owner's name in the tree, and its audience."""
    database: Database
    """Of one file, whatever lies there: its statements are compiled once a process."""
    faults: StoreFaults


@cache
def prepared() -> Prepared:
    """Areas and people, once a process; in memory where that can be."""
    folder = Path(tempfile.mkdtemp(prefix="qiaomen-", dir=in_memory()))
    loop = asyncio.new_event_loop()
    timeline = Timeline()
    seams = Clock(timeline, timedelta()).seams("place")

    async def prepare() -> Prepared:
        database = Sqlite(f"sqlite:///{folder / 'place.db'}", seams, StoreFaults().connect)
        context, areas, people = await furnish(database, seams)
        await database.close()
        faults = StoreFaults()
        simulated = Sqlite(f"sqlite:///{folder / 'server.db'}", seams, faults.connect)
        feeds = _feeds(folder / "place.db", areas)
        return Prepared(application(context), loop, folder, areas, people, feeds, simulated, faults)

    return loop.run_until_complete(prepare())


async def furnish(database: Database, seams: Seams) -> tuple[Context, dict[str, UUID], dict[str, UUID]]:
    """An empty store becomes the place; its areas and people by name."""
    await migrate(database)
    context = Context(database, seams, KEY.encode(), await ensure_server_row(database, seams))
    areas = {name: seams.new_id() for name, _, _ in TREE}
    await create_all(context, [_area(areas, *one) for one in TREE])
    async with database.transaction() as transaction:
        people = {login: await add_person(transaction, seams, login, "-") for login in (*LOGINS, LIAR, BOSS)}
    return context, areas, people


def application(context: Context) -> FastAPI:
    """The real one, for any number of requests."""
    return create_app(context, Settings(requests_per_minute=1_000_000, pool_size=64, log_level="critical"))


def _area(areas: dict[str, UUID], name: str, parent: str | None, level: str) -> Item:
    fields: dict[str, Any] = {"parent_id": str(areas[parent]) if parent else None}
    fields |= {"level": level, "name": name, "code": name}
    return Item(collection="areas", record=str(areas[name]), home=None, fields=fields)


def _feeds(path: Path, areas: dict[str, UUID]) -> dict[int, tuple[str, str]]:
    with sqlite3.connect(path) as reading:
        rows = reading.execute("SELECT id, owner_id, audience FROM feed").fetchall()
    reading.close()
    return feeds_by_name(rows, areas)


def feeds_by_name(rows: Iterable[Any], areas: dict[str, UUID]) -> dict[int, tuple[str, str]]:
    """Rows of (id, owner_id, audience), the owner by its name in the tree."""
    names = {id.hex: name for name, id in areas.items()}
    return {id: (names[str(owner).replace("-", "")], audience) for id, owner, audience in rows}
