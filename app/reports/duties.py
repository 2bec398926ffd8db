"""The duty list of a group's day, from what the store holds: sync/duty.py ranks and shares it, as a phone does."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.fields import as_wire
from app.prepared import among, not_by
from app.reports.parts import areas_around, codes_at, ids_along, seen_whole
from sync.calendar import Records
from sync.days import shifted
from sync.duty import LOOK_BACK, duty_list
from sync.wire import Fields

_HOUSEHOLD, _MEMBER, _PLAN, _VISIT = (
    COLLECTIONS[name].table for name in ("households", "members", "care_plans", "visits")
)
OF_A_PLAN = ("household_id", "resident_id", "channels", "responsible", "risk", "every_days", "days", "since")
OF_A_DOOR = ("area_id", "floor", "door")
OF_A_MEMBER = ("area_id", "group", "person_id", "name", "per_day", "since", "until")
OF_A_CODE = ("area_id", "list", "code", "retired")
OF_A_CONTACT = ("household_id", "channel", "persons_met", "day", "outcome")
"""What the list is made from: many rows are read, and what a plan says besides costs more than the rest. Whether it is
in force is asked while it is read.
"""

_IN_FORCE = (
    sa.select(_PLAN.c.id, *(_PLAN.c[name] for name in OF_A_PLAN), *(_HOUSEHOLD.c[name] for name in OF_A_DOOR))
    .select_from(
        _HOUSEHOLD.join(
            _PLAN, sa.and_(_PLAN.c.home == _HOUSEHOLD.c.home, _PLAN.c.household_id == not_by(_HOUSEHOLD.c.id))
        )
    )
    .where(
        _HOUSEHOLD.c.home == sa.bindparam("home"),
        among(_HOUSEHOLD.c.area_id, "areas"),
        _HOUSEHOLD.c.deleted_at.is_(None),
        _PLAN.c.deleted_at.is_(None),
        _PLAN.c.closed.is_(None),
        _PLAN.c.since <= sa.bindparam("day"),
        sa.or_(_PLAN.c.until.is_(None), _PLAN.c.until >= sa.bindparam("day")),
    )
)
_MET = (_VISIT.c.household_id, _VISIT.c.channel, _VISIT.c.persons_met)
_ON_THE_DAY = _VISIT.c.day == sa.bindparam("until")
_CONTACTS = (
    sa.select(*_MET, sa.func.max(_VISIT.c.day).label("day"), sa.literal("opened").label("outcome"))
    .where(
        _VISIT.c.home == sa.bindparam("home"),
        among(_VISIT.c.household_id, "doors"),
        _VISIT.c.deleted_at.is_(None),
        _VISIT.c.outcome == "opened",
        not_by(_VISIT.c.day) > sa.bindparam("after"),
        not_by(_VISIT.c.day) <= sa.bindparam("until"),
    )
    .group_by(*_MET, _ON_THE_DAY)
)
_MEMBERS = sa.select(_MEMBER.c.id, *(_MEMBER.c[name] for name in OF_A_MEMBER)).where(
    _MEMBER.c.home == sa.bindparam("home"), _MEMBER.c.area_id == sa.bindparam("area"), _MEMBER.c.deleted_at.is_(None)
)


async def duties_of(context: Context, person: UUID, area: UUID, day: date, group: str) -> Fields:
    """What one group of this area has to do on that day. Raises what seen_whole does."""
    # Where they see everything is looked for before the wall stands, which asks of each area whether they know it.
    async with context.database.snapshot("server") as snapshot:
        place, areas = await seen_whole(snapshot, context, person, area)
        tree = await areas_around(snapshot, place, *ids_along(place.path))
        async with snapshot.seen_by(context.seen_by(person)):
            records = await _records(snapshot, place, areas, day)
    return duty_list({**records, "areas": tree}, day, str(area), group)


async def _records(snapshot: Transaction, place: Any, areas: Sequence[UUID], day: date) -> Records:
    """Of what a phone holds that which matters here: every plan in force, and when each way of meeting last was."""
    home = place.home
    plans = await snapshot.fetch(_IN_FORCE, home=home, areas=areas, day=day)
    doors, days = [*{row.household_id for row in plans}], {"after": shifted(day, -LOOK_BACK), "until": day}
    contacts = await snapshot.fetch(_CONTACTS, home=home, doors=doors, **days)
    codes = await codes_at(snapshot, place, "rest_day", "work_day")
    return {
        "care_plans": _by_id(plans, OF_A_PLAN),
        "households": {str(row.household_id): _wire(row[-len(OF_A_DOOR) :], OF_A_DOOR) for row in plans},
        "visits": {str(n): _wire(row, OF_A_CONTACT) for n, row in enumerate(contacts)},
        "members": _by_id(await snapshot.fetch(_MEMBERS, home=home, area=place.id), OF_A_MEMBER),
        "codes": {str(code.id): {name: as_wire(getattr(code, name)) for name in OF_A_CODE} for code in codes},
    }


def _by_id(rows: Iterable[Any], names: Sequence[str]) -> dict[str, Fields]:
    """Of rows that begin with their id, and go on with what has these names."""
    return {str(row[0]): _wire(row[1:], names) for row in rows}


def _wire(values: Iterable[Any], names: Sequence[str]) -> Fields:
    return dict(zip(names, map(as_wire, values), strict=False))
