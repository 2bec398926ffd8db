"""Whom a handover touches, and a dry run of it: done like the real one, told, and undone."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa

from app.database import Database, Transaction
from app.tables import Replica

Report = TypeVar("Report")
MOST_PHONES = 20
"""Phones named of each person, the newest."""
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]


class Touched(NamedTuple):
    """Somebody who loses or gains something, and what their phones last said."""

    person_id: UUID
    phones: Sequence[Any]
    phones_in_all: int


class _DryRun(Exception):
    """Undoes what was tried."""


async def run_or_try(database: Database, work: Callable[[Transaction], Awaitable[Report]], *, dry_run: bool) -> Report:
    """What the work reports, in one transaction; a dry run does it and undoes it."""
    tried: list[Report] = []

    async def undone(transaction: Transaction) -> None:
        tried[:] = [await work(transaction)]
        raise _DryRun

    if not dry_run:
        return await database.run(work)
    with suppress(_DryRun):
        await database.run(undone)
    return tried[0]


async def people_touched(transaction: Transaction, people: Iterable[UUID]) -> dict[UUID, Touched]:
    """These people, each with their phones that aren't revoked: the newest, and how many there are in all."""
    theirs: dict[UUID, list[Any]] = {person: [] for person in people}
    whose = _REPLICA.c.person_id
    columns = (
        sa.func.row_number().over(partition_by=whose, order_by=_REPLICA.c.id.desc()).label("rank"),
        sa.func.count().over(partition_by=whose).label("in_all"),
    )
    each = sa.select(_REPLICA, *columns).where(whose.in_(theirs), _REPLICA.c.revoked_at.is_(None)).subquery()
    newest = sa.select(each).where(each.c.rank <= MOST_PHONES).order_by(each.c.rank)
    for phone in await transaction.rows(newest) if theirs else ():
        theirs[phone.person_id].append(phone)
    return {person: Touched(person, held, held[0].in_all if held else 0) for person, held in theirs.items()}
