"""Sensitive tags that a file brings and nobody gave a ground for: told cell by cell, for the law asks by what right."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.collections.tag_grounds import SENSITIVE
from app.database import Transaction
from app.imports.fates import Spoken
from app.imports.rows import HOUSEHOLDS, Fault

_GROUND = COLLECTIONS["tag_grounds"].table


class _Tagged(NamedTuple):
    """A tag that a row gives a household, or a person in one."""

    household: UUID
    resident: UUID | None
    tag: str


async def tell_unfounded(transaction: Transaction, home: UUID, today: date, rows: Sequence[Spoken]) -> None:
    """Whoever imports learns which tags of the file need a ground yet; the tags themselves are taken."""
    said = [(one, cell, tagged) for one in rows for cell, tagged in _sensitive(one)]
    founded = await _founded(transaction, home, today, {tagged.household for _, _, tagged in said})
    for one, cell, tagged in said:
        if tagged not in founded:
            one.remarks.append(Fault(cell, "no_legal_basis"))


def _sensitive(one: Spoken) -> Iterator[tuple[str | None, _Tagged]]:
    for plan in one.plans:
        said, held = one.row.said[plan.collection.name].get("tags"), plan.now.get("tags")
        tags = {*map(str, said)} & {*map(str, held)} if isinstance(said, list) and isinstance(held, list) else set()
        of_door = plan.collection.name == HOUSEHOLDS
        door = plan.id if of_door else UUID(str(plan.now["household_id"]))
        for tag in sorted(SENSITIVE & tags):
            yield one.row.cell(plan.collection.name, "tags"), _Tagged(door, None if of_door else plan.id, tag)


async def _founded(transaction: Transaction, home: UUID, today: date, doors: Iterable[UUID]) -> set[_Tagged]:
    """What has a ground today."""
    wanted = [*doors]
    if not wanted:
        return set()
    there = (_GROUND.c.home == home, _GROUND.c.household_id.in_(wanted), _GROUND.c.deleted_at.is_(None))
    lasting = sa.or_(_GROUND.c.until.is_(None), _GROUND.c.until >= today)
    columns = (_GROUND.c.household_id, _GROUND.c.resident_id, _GROUND.c.tag)
    rows = await transaction.rows(sa.select(*columns).where(*there, lasting))
    return {_Tagged(row.household_id, row.resident_id, row.tag) for row in rows}
