"""The duty list of a group's day, from what the store holds: sync/duty.py ranks and shares it, as a phone does."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.fields import as_wire
from app.reports.parts import ids_along, seen_whole
from sync.calendar import Records
from sync.days import shifted
from sync.duty import LOOK_BACK, duty_list
from sync.wire import Fields

_AREA, _CODE, _HOUSEHOLD, _MEMBER, _PLAN, _VISIT = (
    COLLECTIONS[name].table for name in ("areas", "codes", "households", "members", "care_plans", "visits")
)


async def duties_of(context: Context, person: UUID, area: UUID, day: date, group: str) -> Fields:
    """What one group of this area has to do on that day. Raises what seen_whole does."""
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        place, theirs = await seen_whole(snapshot, context, person, area)
        records = await _records(snapshot, place.home, place.path, theirs, day)
    return duty_list(records, day, str(area), group)


async def _records(snapshot: Transaction, home: UUID, path: str, theirs: sa.Select[Any], day: date) -> Records:
    """Of what a phone holds that which matters here: every plan in force, and when each way of meeting last was."""
    above = ids_along(path)
    places = sa.select(theirs.subquery().c.id)
    doors = sa.select(_HOUSEHOLD.c.id).where(
        _HOUSEHOLD.c.home == home, _HOUSEHOLD.c.area_id.in_(places), _HOUSEHOLD.c.deleted_at.is_(None)
    )
    in_force = sa.select(_PLAN).where(
        _PLAN.c.home == home,
        _PLAN.c.household_id.in_(doors),
        _PLAN.c.deleted_at.is_(None),
        _PLAN.c.closed.is_(None),
        _PLAN.c.since <= day,
        sa.or_(_PLAN.c.until.is_(None), _PLAN.c.until >= day),
    )
    plans, planned = await snapshot.rows(in_force), sa.select(in_force.subquery().c.household_id)
    households = sa.select(_HOUSEHOLD).where(_HOUSEHOLD.c.home == home, _HOUSEHOLD.c.id.in_(planned))
    met = (_VISIT.c.household_id, _VISIT.c.channel, _VISIT.c.persons_met)
    contacts = (
        sa.select(*met, sa.func.max(_VISIT.c.day).label("day"), sa.literal("opened").label("outcome"))
        .where(
            _VISIT.c.home == home,
            _VISIT.c.household_id.in_(planned),
            _VISIT.c.deleted_at.is_(None),
            _VISIT.c.outcome == "opened",
            _VISIT.c.day > shifted(day, -LOOK_BACK),
            _VISIT.c.day <= day,
        )
        .group_by(*met)
    )
    # An area above communities is a home of its own.
    homes = {home, *above}
    around = sa.or_(_AREA.c.path.startswith(path), _AREA.c.id.in_(above))
    tree = sa.select(_AREA).where(_AREA.c.home.in_(homes), around, _AREA.c.deleted_at.is_(None))
    of_days = (_CODE.c.area_id.in_(above), _CODE.c.list.in_(("rest_day", "work_day")))
    codes = sa.select(_CODE).where(_CODE.c.home.in_(homes), *of_days)
    members = sa.select(_MEMBER).where(_MEMBER.c.home == home, _MEMBER.c.area_id == above[-1])
    return {
        "care_plans": _by_id("care_plans", plans),
        "households": _by_id("households", await snapshot.rows(households)),
        "visits": {str(n): _wire(row) for n, row in enumerate(await snapshot.rows(contacts))},
        "areas": _by_id("areas", await snapshot.rows(tree)),
        "members": _by_id("members", await snapshot.rows(members.where(_MEMBER.c.deleted_at.is_(None)))),
        "codes": _by_id("codes", await snapshot.rows(codes.where(_CODE.c.deleted_at.is_(None)))),
    }


def _by_id(collection: str, rows: Iterable[Any]) -> dict[str, Fields]:
    return {str(row.id): COLLECTIONS[collection].as_fields(row._mapping) for row in rows}


def _wire(row: Any) -> Fields:
    return {name: as_wire(value) for name, value in row._mapping.items()}
