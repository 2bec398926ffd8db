"""A roster that is imported, against bare inserts of the records that come of it."""

import csv
from collections import defaultdict
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.benchmark.figures import Figure, Timed, beside
from app.benchmark.ground import Building
from app.benchmark.preload import PUSH as BATCH
from app.benchmark.session import Session
from app.collecting import collect_seldom
from app.collections import COLLECTIONS
from app.commands.importing import BATCH as ROWS
from app.imports.importing import Import, Order
from app.imports.opening import open_table

HEADINGS = ("房号", "楼层", "姓名", "性别", "出生日期", "联系电话", "与户主关系", "人员标签", "备注")
RELATIONS = ("户主", "配偶", "子女")
KINDS = ("households", "residents")


async def import_roster(session: Session) -> list[Figure]:
    """A file of doors with three people each, a building a round, as the operator brings it in.

    The limit is what `push` is held against: the same records into copies of their tables, one statement a hundred,
    each on disk when it returns.
    """
    collect_seldom()
    for kind in KINDS:
        await session.bare.copy(COLLECTIONS[kind].table)
    ours, limit = [], []
    for number in range(session.scale.rounds + 1):
        building = session.ground.buildings[number % len(session.ground.buildings)]
        file = _roster(session.folder / f"roster-{number}.csv", number, session.scale.rows)
        timed, made = await _import(session, file, building)
        ours.append(timed)
        limit.append(await _insert_bare(session, made))
    return [beside("import", ours[1:], limit[1:], unit="records/s", at_least=0.1)]


def _roster(path: Path, round: int, rows: int) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(HEADINGS)
        for n in range(rows):
            door, of = divmod(n, len(RELATIONS))
            born, phone = f"19{n % 80 + 10}/{n % 9 + 1}/11", f"138{n:08d}"
            sex, tags = "男女"[n % 2], "独居、党员" if n % 5 == 0 else ""
            lines.writerow(
                [f"{round}-{door}", door % 30, f"居民{round}-{n}", sex, born, phone, RELATIONS[of], tags, "耳背。"]
            )
    return path


async def _import(session: Session, path: Path, building: Building) -> tuple[Timed, dict[str, list[UUID]]]:
    """How long it took, and the records it made, by their kind."""
    made: dict[str, dict[UUID, None]] = defaultdict(dict)
    each, began = [], session.world.monotonic()
    order = Order(building.id, dry_run=False)
    with (
        path.open("rb") as file,
        closing(Import(session.ground.context, None, order, partial(open_table, file))) as coming,
    ):
        await coming.begin()
        start = began
        while batch := await coming.next_batch(ROWS):
            each.append(session.world.monotonic() - start)
            start += each[-1]
            for fate in batch:
                assert fate.fate == "created", fate
                for kind, id in fate.records.items():
                    made[kind][id] = None
    seconds = session.world.monotonic() - began
    return Timed(sum(map(len, made.values())), seconds, each), {kind: [*ids] for kind, ids in made.items()}


async def _insert_bare(session: Session, made: dict[str, list[UUID]]) -> Timed:
    batches = []
    for kind in KINDS:
        table = COLLECTIONS[kind].table
        for begin in range(0, len(made[kind]), BATCH):
            rows = await _stored(session, table, made[kind][begin : begin + BATCH])
            batches.append(session.bare.as_batch(rows, table))
    each, began = [], session.world.monotonic()
    for batch in batches:
        start = session.world.monotonic()
        await session.bare.insert(batch)
        each.append(session.world.monotonic() - start)
    return Timed(sum(map(len, made.values())), session.world.monotonic() - began, each)


async def _stored(session: Session, table: sa.Table, ids: list[UUID]) -> list[Any]:
    which = sa.select(table).where(table.c.home == session.ground.home, table.c.id.in_(ids))
    async with session.ground.context.database.snapshot("server") as snapshot:
        return [row._mapping for row in await snapshot.rows(which)]
