"""What a campaign has reached: its frozen doors, each once however many knocked, persons, and where to knock again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from app.campaigns import block_id
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.fields import MERGED_INTO
from app.records import get_record
from app.reports.parts import Ground, Named, areas_around, ground_of, homes_of, known_area
from sync.days import CHINA, shifted
from sync.walk import Walk
from sync.wire import Fields

_BLOCK, _HOUSEHOLD, _RESIDENT, _VISIT = (
    COLLECTIONS[name].table for name in ("blocks", "households", "residents", "visits")
)
SETTLED = ("opened", "moved_away", "not_found")
"""What needs no other knock."""
OF_BLOCKS = ("blocks", "claimed", "registered")
OF_TARGETS = ("targets", "gone", "knocked", "opened", "left")
OF_DOORS = ("visits", "late", "others")
OF_PERSONS = ("met", "not_registered")


async def sweep_of(context: Context, person: UUID, campaign: UUID, area: UUID) -> Fields:
    """Of an area: `{campaign_id, area_id, name, since, until, hidden_below, whole, parts,
    to_knock}`; that is None for whoever looks from above communities.

    Raises not_found, and not_permitted for a masked view.
    """
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        known = (await get_record(snapshot, context, person, COLLECTIONS["campaigns"], campaign)).fields
    # Counted by the server: no record is shown, and row by row the wall would cost more than counting.
    async with context.database.snapshot("server") as snapshot:
        ground = await ground_of(snapshot, context, person, area)
        homes = await homes_of(snapshot, ground)
        blocks = await _frozen(snapshot, context, ground, campaign)
        targets, knocks = _targets(snapshot, ground, blocks), _knocks(homes, campaign, _end_of(context, known))
        counts = _counts(
            await snapshot.rows(_by_block(ground, blocks)),
            await snapshot.rows(_by_target(targets, knocks)),
            await snapshot.rows(_by_door(ground, targets, knocks)),
            await snapshot.rows(_persons(snapshot, ground, homes, campaign)),
        )
        left = None
        if ground.hidden_below is None:
            walk = Walk(await areas_around(snapshot, await known_area(snapshot, context, person, area), *homes))
            left = await snapshot.rows(_left(targets, knocks))
    to_knock = None if left is None else await run_in_threadpool(_along, walk, str(area), left)
    return {
        "campaign_id": str(campaign),
        "area_id": str(ground.area.id),
        **{name: known[name] for name in ("name", "since", "until")},
        "hidden_below": ground.hidden_below,
        "whole": _summed(ground, ground.area, [*counts.values()]),
        "parts": [_summed(ground, part, [counts.get(part.id, {})]) for part in ground.parts],
        "to_knock": to_knock,
    }


def _end_of(context: Context, campaign: Fields) -> datetime:
    """When the campaign's last day of work is over."""
    after = shifted(date.fromisoformat(str(campaign["until"])), 1)
    return datetime.combine(after, time(context.day_begins), CHINA).astimezone(UTC)


async def _frozen(snapshot: Transaction, context: Context, ground: Ground, campaign: UUID) -> sa.Join:
    """The blocks in these places that freezing the campaign made."""
    here = (_BLOCK.c.home == ground.places.c.home, _BLOCK.c.area_id == ground.places.c.id)
    for_it = ground.places.join(_BLOCK, sa.and_(*here, _BLOCK.c.campaign_id == campaign, _BLOCK.c.deleted_at.is_(None)))
    found = await snapshot.rows(sa.select(_BLOCK.c.id, _BLOCK.c.area_id, _BLOCK.c.part).select_from(for_it))
    made = [row.id for row in found if row.id == block_id(context, campaign, row.area_id, row.part)]
    return ground.places.join(_BLOCK, sa.and_(*here, _BLOCK.c.id.in_(made)))


def _by_block(ground: Ground, blocks: sa.Join) -> sa.Select[Any]:
    """By part: blocks, those that somebody claimed, and how many residents were behind their doors."""
    registered = sa.cast(sa.func.sum(_BLOCK.c.registered), sa.BigInteger).label("registered")
    columns: list[Any] = [
        sa.func.count().label("blocks"),
        sa.func.count(_BLOCK.c.claimed_by).label("claimed"),
        registered,
    ]
    return sa.select(ground.part.label("part"), *columns).select_from(blocks).group_by(ground.part)


def _targets(snapshot: Transaction, ground: Ground, blocks: sa.Join) -> sa.CTE:
    """(home, part, door, seen, gone): each frozen door once, as what it was merged into where it was.

    It is `seen` where it lies in one of these places still, and `gone` where it doesn't, or was deleted.
    """
    named, alias, there = snapshot.members_of(_BLOCK.c.households), _HOUSEHOLD.alias("alias"), ground.places.alias()
    was = sa.and_(alias.c.home == _BLOCK.c.home, alias.c.id == snapshot.as_id(named.c.value))
    into = sa.func.coalesce(alias.c[MERGED_INTO], alias.c.id)
    now = sa.and_(_HOUSEHOLD.c.home == _BLOCK.c.home, _HOUSEHOLD.c.id == into)
    within = sa.and_(there.c.home == _HOUSEHOLD.c.home, there.c.id == _HOUSEHOLD.c.area_id)
    where = blocks.join(named, sa.true()).join(alias, was).join(_HOUSEHOLD, now).outerjoin(there, within)
    lives = sa.and_(there.c.id.is_not(None), _HOUSEHOLD.c.deleted_at.is_(None))
    columns = (
        _BLOCK.c.home,
        # A door that was merged with one of another part counts in the part that comes first, and once.
        sa.func.min(sa.cast(ground.part, sa.Text)).label("part"),
        _HOUSEHOLD.c.id.label("door"),
        sa.func.max(sa.case((there.c.id.is_not(None), 1), else_=0)).label("seen"),
        sa.func.min(sa.case((lives, 0), else_=1)).label("gone"),
    )
    return sa.select(*columns).select_from(where).group_by(_BLOCK.c.home, _HOUSEHOLD.c.id).cte("targets")


def _knocks(homes: Sequence[UUID], campaign: UUID, ends: datetime) -> sa.CTE:
    """(home, door, visits, late, opened, settled, last): what was knocked for the campaign, one row for each door."""
    late = sa.or_(_VISIT.c.day >= ends.astimezone(CHINA).date(), _VISIT.c.created_at >= ends)
    sums = {
        "late": sa.func.sum(sa.case((late, 1), else_=0)),
        "opened": sa.func.max(sa.case((_VISIT.c.outcome == "opened", 1), else_=0)),
        "settled": sa.func.max(sa.case((_VISIT.c.outcome.in_(SETTLED), 1), else_=0)),
        "last": sa.func.max(_VISIT.c.day),
    }
    key = (_VISIT.c.home, _VISIT.c.household_id.label("door"))
    columns = (*key, sa.func.count().label("visits"), *(of.label(name) for name, of in sums.items()))
    for_it = (_VISIT.c.home.in_(homes), _VISIT.c.campaign_id == campaign, _VISIT.c.deleted_at.is_(None))
    return sa.select(*columns).where(*for_it).group_by(_VISIT.c.home, _VISIT.c.household_id).cte("knocks")


def _of_one_door(knocks: sa.CTE, targets: sa.CTE) -> sa.ColumnElement[bool]:
    """Of a target that lies elsewhere now nobody is told whether somebody knocks there."""
    return sa.and_(knocks.c.home == targets.c.home, knocks.c.door == targets.c.door, targets.c.seen == 1)


def _is_left(targets: sa.CTE, knocks: sa.CTE) -> sa.ColumnElement[bool]:
    """Has somebody still to knock there?"""
    return sa.and_(targets.c.gone == 0, sa.func.coalesce(knocks.c.settled, 0) == 0)


def _by_target(targets: sa.CTE, knocks: sa.CTE) -> sa.Select[Any]:
    """By part: frozen doors, those that are gone, knocked at, opened, and where somebody has still to knock."""
    left = sa.case((_is_left(targets, knocks), 1), else_=0)
    sums = {"gone": targets.c.gone, "opened": knocks.c.opened, "left": left}
    columns: list[Any] = [
        sa.func.count().label("targets"),
        sa.func.count(knocks.c.door).label("knocked"),
        *(_sum(of).label(name) for name, of in sums.items()),
    ]
    where = targets.outerjoin(knocks, _of_one_door(knocks, targets))
    return sa.select(targets.c.part, *columns).select_from(where).group_by(targets.c.part)


def _doors(ground: Ground) -> sa.Join:
    """All in these places, deleted ones too: what was done there was done."""
    here = (_HOUSEHOLD.c.home == ground.places.c.home, _HOUSEHOLD.c.area_id == ground.places.c.id)
    return ground.places.join(_HOUSEHOLD, sa.and_(*here))


def _by_door(ground: Ground, targets: sa.CTE, knocks: sa.CTE) -> sa.Select[Any]:
    """By part: visits, those that came late, and doors that were knocked at though they were no target."""
    here = sa.and_(knocks.c.home == _HOUSEHOLD.c.home, knocks.c.door == _HOUSEHOLD.c.id)
    other = sa.case((targets.c.door.is_(None), 1), else_=0)
    sums = {"visits": knocks.c.visits, "late": knocks.c.late, "others": other}
    where = _doors(ground).join(knocks, here).outerjoin(targets, _of_one_door(knocks, targets))
    columns: list[Any] = [_sum(of).label(name) for name, of in sums.items()]
    return sa.select(ground.part.label("part"), *columns).select_from(where).group_by(ground.part)


def _sum(of: Any) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(of), 0), sa.Integer)


def _persons(snapshot: Transaction, ground: Ground, homes: Sequence[UUID], campaign: UUID) -> sa.Select[Any]:
    """By part: whom they met of those who live in these places, each person once; and how many of them have their
    household registration elsewhere.
    """
    named, into = snapshot.members_of(_VISIT.c.persons_met), sa.func.coalesce(_RESIDENT.c[MERGED_INTO], _RESIDENT.c.id)
    at = sa.and_(_VISIT.c.home == _HOUSEHOLD.c.home, _VISIT.c.household_id == _HOUSEHOLD.c.id)
    who = sa.and_(_RESIDENT.c.home == _VISIT.c.home, _RESIDENT.c.id == snapshot.as_id(named.c.value))
    where = _doors(ground).join(_VISIT, at).join(named, sa.true()).join(_RESIDENT, who)
    foreign = sa.func.max(sa.case((_RESIDENT.c.registered_here.is_(False), 1), else_=0)).label("foreign")
    # Whoever was met in two parts counts in the one that comes first, so that parts add up to the whole.
    part = sa.func.min(sa.cast(ground.part, sa.Text)).label("part")
    living = sa.tuple_(_RESIDENT.c.home, _RESIDENT.c.area_id).in_(sa.select(ground.places.c.home, ground.places.c.id))
    for_it = (_VISIT.c.home.in_(homes), _VISIT.c.campaign_id == campaign, _VISIT.c.deleted_at.is_(None))
    met = sa.select(into, part, foreign).select_from(where).where(*for_it, living)
    each = met.group_by(_VISIT.c.home, into).subquery()
    columns = (sa.func.count().label("met"), _sum(each.c.foreign).label("not_registered"))
    return sa.select(each.c.part, *columns).group_by(each.c.part)


def _left(targets: sa.CTE, knocks: sa.CTE) -> sa.Select[Any]:
    """The doors where somebody has still to knock."""
    there = sa.and_(_HOUSEHOLD.c.home == targets.c.home, _HOUSEHOLD.c.id == targets.c.door)
    columns = (_HOUSEHOLD.c.id, _HOUSEHOLD.c.area_id, _HOUSEHOLD.c.door, _HOUSEHOLD.c.floor)
    where = targets.join(_HOUSEHOLD, there).outerjoin(knocks, _of_one_door(knocks, targets))
    return sa.select(*columns, knocks.c.visits, knocks.c.last).select_from(where).where(_is_left(targets, knocks))


def _along(walk: Walk, area: str, doors: Sequence[Any]) -> list[Any]:
    return [
        {
            "household": str(row.id),
            "place": walk.way(row.area_id, area),
            "door": row.door,
            "visits": row.visits or 0,
            "last": str(row.last) if row.last else None,
        }
        for row in sorted(doors, key=lambda row: (walk.place(row._mapping), row.id))
    ]


Counts = dict[str, int]


def _counts(*found: Sequence[Any]) -> Mapping[UUID | None, Counts]:
    """By part, what the statements say of it; of the area itself under None."""
    counts: dict[UUID | None, Counts] = {}
    for row in (row for rows in found for row in rows):
        of = row._mapping
        part = UUID(of["part"]) if isinstance(of["part"], str) else of["part"]
        counts.setdefault(part, {}).update({name: many for name, many in of.items() if name != "part"})
    return counts


def _summed(ground: Ground, area: Named, counts: Sequence[Counts]) -> Fields:
    names = (*OF_BLOCKS, *OF_TARGETS, *OF_DOORS, *OF_PERSONS)
    sums = {name: ground.shown(sum(one.get(name, 0) for one in counts)) for name in names}
    return {"area_id": str(area.id), "name": area.name, "level": area.level, **sums}
