"""The tree of places: and what an area's place in it decides."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.database import Transaction
from app.prepared import among
from sync.wire import Fields

_AREA = COLLECTIONS["areas"].table
AUDIENCES = ("staff", "team", "reference")
"""Whose feeds an area can own, but for other views of the same."""
TEAM = "team"
"""The level of areas that are teams 团队. They own a feed for their members and nothing of staff lists there."""


@dataclass(frozen=True)
class Area:
    """What the write path needs of an area: its place in the tree, and who owns its feeds."""

    home: UUID
    id: UUID
    level: str
    path: str
    feed_area_id: UUID | None
    """The ancestor, or itself, that owns the staff feed; None above that level, and of a team."""
    reference_area_id: UUID
    """Its community or, above communities, the root: where areas and codes are listed."""
    feed_level: str
    home_level: str

    def owner(self, audience: str) -> tuple[UUID, UUID] | None:
        """(home, area) of the feed that lists what lies here."""
        if audience == "reference":
            return self.reference_area_id, self.reference_area_id
        if audience == "team":
            return (self.home, self.id) if self.level == TEAM else None
        return (self.home, self.feed_area_id) if self.feed_area_id else None

    def columns(self) -> dict[str, Any]:
        """The columns that only the server writes."""
        return {
            "area_id": self.id,
            "path": self.path,
            "feed_area_id": self.feed_area_id,
            "reference_area_id": self.reference_area_id,
        }


def placed(record: UUID, fields: Fields, parent: Area | None) -> Area:
    """A new area's place. Its home is the community it is created under: itself, from there up."""
    feed_level = parent.feed_level if parent else str(fields.get("feed_level", "building"))
    home_level = parent.home_level if parent else str(fields.get("home_level", "community"))
    level = str(fields["level"])
    in_community = parent is not None and (parent.level == home_level or parent.home != parent.id)
    home = parent.home if parent and in_community else record
    feed_area = parent.feed_area_id if parent and parent.feed_area_id and level != TEAM else None
    if level == feed_level and feed_area is None:
        feed_area = record
    root = UUID(hex=parent.path[1:33]) if parent else record
    reference = home if in_community or level == home_level else root
    path = f"{parent.path if parent else '/'}{record.hex}/"
    return Area(home, record, level, path, feed_area, reference, feed_level, home_level)


def as_area(row: Any) -> Area:
    """A row of the table of areas."""
    return Area(
        row.home,
        row.id,
        row.level,
        row.path,
        row.feed_area_id,
        row.reference_area_id,
        row.feed_level,
        row.home_level,
    )


_IN_HOME = sa.select(_AREA).where(_AREA.c.home == sa.bindparam("home"), among(_AREA.c.id, "ids"))
_ANYWHERE = sa.select(_AREA).where(among(_AREA.c.id, "ids"))
_HELD = _ANYWHERE.order_by(_AREA.c.id).with_for_update(read=True)


async def areas_by_id(
    transaction: Transaction, home: UUID | None, ids: Collection[UUID], *, hold: bool = False
) -> dict[UUID, Area]:
    """Areas by id: nearly always of the home at hand, which an index finds; the rest wherever they are.

    With `hold` they stay where they are until this commits.
    """
    if hold:
        return {row.id: as_area(row) for row in await transaction.fetch(_HELD, ids=[*ids])}
    found: dict[UUID, Area] = {}
    if ids and home is not None:
        found = {row.id: as_area(row) for row in await transaction.fetch(_IN_HOME, home=home, ids=[*ids])}
    if missing := [id for id in ids if id not in found]:
        found |= {row.id: as_area(row) for row in await transaction.fetch(_ANYWHERE, ids=missing)}
    return found


async def living_areas(transaction: Transaction, ids: Collection[UUID]) -> dict[UUID, Area]:
    """Those that nobody has deleted: something new can be said of them."""
    living = sa.select(_AREA).where(_AREA.c.id.in_(ids), _AREA.c.deleted_at.is_(None))
    return {row.id: as_area(row) for row in await transaction.rows(living)}


async def find_area(transaction: Transaction, code: str) -> Area | None:
    """The area with this code; the nearest to the root where several have it."""
    statement = sa.select(_AREA).where(_AREA.c.code == code, _AREA.c.deleted_at.is_(None))
    row = await transaction.first(statement.order_by(sa.func.length(_AREA.c.path), _AREA.c.id))
    return as_area(row) if row else None
