"""The patrol log 巡查日志 of one person's day: derived from the visits, with their own note."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.fields import MERGED_INTO, as_wire
from app.prepared import among
from app.reports.parts import areas_around, seen_whole
from sync.walk import Walk
from sync.wire import Fields

_HOUSEHOLD, _LOG, _MEMBER, _RESIDENT, _VISIT = (
    COLLECTIONS[name].table for name in ("households", "patrol_logs", "members", "residents", "visits")
)
_TOLD = ("channel", "outcome", "needs", "note")


async def patrol_of(context: Context, person: UUID, area: UUID, whose: UUID, day: date) -> Fields:
    """What `whose` did in an area on that day: `{day, person_id, name, area_id, visits, doors, opened, met, knocks,
    note}`; `knocks` along the walk, without the hour; `met` each person once, whatever ids they were met under. The
    note is what all their phones noted, in the order it came; the name as the community's door-knock groups last called
    them, None of who is in none.

    Raises what seen_whole does.
    """
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        place, places = await seen_whole(snapshot, context, person, area)
        walk = Walk(await areas_around(snapshot, place))
        at = sa.and_(_HOUSEHOLD.c.home == _VISIT.c.home, _HOUSEHOLD.c.id == _VISIT.c.household_id)
        theirs_then = (_VISIT.c.day == day, _VISIT.c.created_by == whose, _VISIT.c.deleted_at.is_(None))
        columns = (_HOUSEHOLD.c.id, _HOUSEHOLD.c.area_id, _HOUSEHOLD.c.door, _HOUSEHOLD.c.floor)
        visits = sa.select(*columns, _VISIT.c.persons_met, *(_VISIT.c[name] for name in _TOLD)).join(_VISIT, at)
        here = (_HOUSEHOLD.c.home == place.home, among(_HOUSEHOLD.c.area_id, "areas", places))
        # Nobody writes into another's log.
        theirs = (_LOG.c.created_by == whose, _LOG.c.deleted_at.is_(None))
        of_the_day = (_LOG.c.home == place.home, among(_LOG.c.area_id, "areas", places), _LOG.c.day == day)
        logs = sa.select(_LOG.c.note).where(*of_the_day, _LOG.c.person_id == whose, *theirs)
        notes = [row.note for row in await snapshot.rows(logs.order_by(_LOG.c.created_at, _LOG.c.id)) if row.note]
        groups = sa.select(_MEMBER.c.name).where(_MEMBER.c.home == place.home, _MEMBER.c.person_id == whose)
        living = groups.where(_MEMBER.c.deleted_at.is_(None))
        called = await snapshot.first(living.order_by(_MEMBER.c.since.desc(), _MEMBER.c.id.desc()))
    # Asked by the server: the wall shows nobody a record that is gone. What was done at a door that was deleted since
    # was done; and of people who were merged it is only told that two are one.
    async with context.database.snapshot("server") as snapshot:
        knocks = await snapshot.rows(visits.where(*here, *theirs_then).order_by(_VISIT.c.created_at, _VISIT.c.id))
        merged = await snapshot.rows(_merged(snapshot, _HOUSEHOLD.join(_VISIT, at), places).where(*here, *theirs_then))
    stayed = {str(row.id): str(row.into) for row in merged}
    walked = sorted(knocks, key=lambda row: walk.place(row._mapping))
    return {
        "day": str(day),
        "person_id": str(whose),
        "name": called and called.name,
        "area_id": str(place.id),
        "visits": len(knocks),
        "doors": len({row.id for row in knocks}),
        "opened": len({row.id for row in knocks if row.outcome == "opened"}),
        "met": len({stayed.get(one, one) for row in knocks for one in row.persons_met}),
        "knocks": [_told(row, walk.way(row.area_id, str(place.id))) for row in walked],
        "note": "\n".join(notes),
    }


def _merged(snapshot: Transaction, visits: sa.Join, places: Sequence[UUID]) -> sa.Select[Any]:
    """(id, into) of those whom these visits name under the id of a record that was merged in these places."""
    named, into = snapshot.members_of(_VISIT.c.persons_met), _RESIDENT.c[MERGED_INTO]
    who = sa.and_(_RESIDENT.c.home == _VISIT.c.home, _RESIDENT.c.id == snapshot.as_id(named.c.value))
    where = visits.join(named, sa.true()).join(_RESIDENT, who)
    these = sa.select(_RESIDENT.c.id, into.label("into")).distinct().select_from(where)
    return these.where(into.is_not(None), among(_RESIDENT.c.area_id, "lived_in", places))


def _told(row: Any, place: str) -> Fields:
    told = {name: as_wire(getattr(row, name)) for name in _TOLD}
    return {"household": str(row.id), "place": place, "door": row.door, **told}
