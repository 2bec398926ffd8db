"""Follow-ups by kind: how many are open, how many of these are overdue, and why the others were closed."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.context import Context
from app.reports.parts import Ground, ground_of
from sync.wire import Fields

MOST_KINDS = 1000
_FOLLOW_UP = COLLECTIONS["follow_ups"].table


async def follow_ups_of(context: Context, person: UUID, area: UUID, campaign: UUID | None, day: date) -> Fields:
    """Of an area, and of one campaign where that is asked for: `{day, area_id, hidden_below, kinds}`.

    Raises not_found, and not_permitted for a masked view.
    """
    # Counted by the server: no record is shown, and row by row the wall would cost more than counting.
    async with context.database.snapshot("server") as snapshot:
        ground = await ground_of(snapshot, context, person, area)
        by_kind: dict[str, list[Any]] = {}
        for row in await snapshot.rows(_by_kind(ground, campaign, day)):
            by_kind.setdefault(row.kind, []).append(row)
    return {
        "day": str(day),
        "area_id": str(ground.area.id),
        "hidden_below": ground.hidden_below,
        "kinds": [_told(ground, kind, by_kind[kind]) for kind in sorted(by_kind)[:MOST_KINDS]],
    }


def _by_kind(ground: Ground, campaign: UUID | None, day: date) -> sa.Select[Any]:
    """By kind and closing reason, which is null of those that are open: how many, and how many are overdue."""
    overdue = sa.func.sum(sa.case((_FOLLOW_UP.c.due < day, 1), else_=0)).label("overdue")
    columns = (_FOLLOW_UP.c.kind, _FOLLOW_UP.c.closed)
    living = (_FOLLOW_UP.c.home.in_(ground.homes), _FOLLOW_UP.c.deleted_at.is_(None), ground.at_a_door(_FOLLOW_UP))
    counted = sa.select(*columns, sa.func.count().label("many"), overdue).where(*living).group_by(*columns)
    return counted if campaign is None else counted.where(_FOLLOW_UP.c.campaign_id == campaign)


def _told(ground: Ground, kind: str, rows: Sequence[Any]) -> Fields:
    closed = {row.closed: row.many for row in rows if row.closed is not None}
    still = [row for row in rows if row.closed is None]
    return {
        "kind": kind,
        "open": ground.shown(sum(row.many for row in still)),
        "overdue": ground.shown(sum(row.overdue for row in still)),
        "closed": ground.shown(sum(closed.values())),
        "reasons": {reason: ground.shown(closed[reason]) for reason in sorted(closed)},
    }
