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
from app.prepared import among
from app.records import get_record
from app.reports.parts import Ground, Named, areas_around, ground_of, known_area
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
OF_A_KNOCK = ("visits", "late", "opened", "settled")

Blocks = tuple[sa.ColumnElement[bool], ...]
"""What holds of the frozen ones."""


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
        frozen = await _frozen(snapshot, context, ground, campaign)
        doors = _doors(_targets(snapshot, ground, frozen), _knocks(ground, campaign, _end_of(context, known)))
        counts = _counts(
            await snapshot.rows(_by_block(ground, frozen)),
            await snapshot.rows(_by_target(doors)),
            await snapshot.rows(_by_place(ground, doors)),
            await snapshot.rows(_persons(snapshot, ground, campaign)),
        )
        left = None
        if ground.hidden_below is None:
            walk = Walk(await areas_around(snapshot, await known_area(snapshot, context, person, area), *ground.homes))
            left = await snapshot.rows(_left(doors))
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


async def _frozen(snapshot: Transaction, context: Context, ground: Ground, campaign: UUID) -> Blocks:
    """Which blocks in these places freezing the campaign made."""
    for_it = (_BLOCK.c.home.in_(ground.homes), _BLOCK.c.campaign_id == campaign, _BLOCK.c.deleted_at.is_(None))
    columns = (_BLOCK.c.id, _BLOCK.c.area_id, _BLOCK.c.part)
    found = await snapshot.rows(sa.select(*columns).where(*for_it, ground.holds(_BLOCK)))
    made = [row.id for row in found if row.id == block_id(context, campaign, row.area_id, row.part)]
    return _BLOCK.c.home.in_(ground.homes), among(_BLOCK.c.id, "made", made), ground.holds(_BLOCK)


def _by_block(ground: Ground, frozen: Blocks) -> sa.Select[Any]:
    """By part: blocks, those that somebody claimed, and how many residents were behind their doors."""
    claimed, registered = sa.func.count(_BLOCK.c.claimed_by), sa.cast(sa.func.sum(_BLOCK.c.registered), sa.BigInteger)
    columns: list[Any] = [sa.func.count().label("blocks"), claimed.label("claimed"), registered.label("registered")]
    counted = sa.select(ground.part.label("part"), *columns).select_from(ground.located(_BLOCK)).where(*frozen)
    return counted.group_by(ground.part)


def _targets(snapshot: Transaction, ground: Ground, frozen: Blocks) -> sa.Select[Any]:
    """(home, door, part, seen, gone, …) of each frozen door, as what it was merged into where it was.

    It is `seen` where it lies in one of these places still, and `gone` where it doesn't, or was deleted.
    """
    part, member = sa.cast(ground.part, sa.Text).label("part"), snapshot.members_of(_BLOCK.c.households)
    listed = sa.select(_BLOCK.c.home, part, snapshot.as_id(member.c.value).label("door"))
    # Apart: else SQLite looks into each list for each household of the community.
    each = listed.select_from(ground.located(_BLOCK).join(member, sa.true())).where(*frozen)
    named, alias = each.cte("named").prefix_with("MATERIALIZED"), _HOUSEHOLD.alias("alias")
    was = (alias.c.home == named.c.home, alias.c.id == named.c.door, alias.c.home.in_(ground.homes))
    into = sa.func.coalesce(alias.c[MERGED_INTO], alias.c.id)
    now = (_HOUSEHOLD.c.home == alias.c.home, _HOUSEHOLD.c.id == into, _HOUSEHOLD.c.home.in_(ground.homes))
    lies_here = ground.holds(_HOUSEHOLD)
    lives = sa.and_(lies_here, _HOUSEHOLD.c.deleted_at.is_(None))
    flags = (sa.case((lies_here, 1), else_=0).label("seen"), sa.case((lives, 0), else_=1).label("gone"))
    columns: list[Any] = [named.c.home, _HOUSEHOLD.c.id, named.c.part, *flags]
    unvisited = (*(sa.literal(0) for _ in OF_A_KNOCK), sa.null())
    where = named.join(alias, sa.and_(*was)).join(_HOUSEHOLD, sa.and_(*now))
    return sa.select(*columns, *unvisited).select_from(where)


def _knocks(ground: Ground, campaign: UUID, ends: datetime) -> sa.Select[Any]:
    """(home, door, …, visits, late, opened, settled, last) of each visit that was made for the campaign."""
    late = sa.or_(_VISIT.c.day >= ends.astimezone(CHINA).date(), _VISIT.c.created_at >= ends)
    is_so = (sa.true(), late, _VISIT.c.outcome == "opened", _VISIT.c.outcome.in_(SETTLED))
    counts = [sa.case((so, 1), else_=0).label(name) for name, so in zip(OF_A_KNOCK, is_so, strict=True)]
    target = [sa.cast(sa.null(), sa.Text).label("part"), sa.null().label("seen"), sa.null().label("gone")]
    columns: list[Any] = [_VISIT.c.home, _VISIT.c.household_id.label("door"), *target, *counts]
    return sa.select(*columns, _VISIT.c.day.label("last")).where(*_made_for(ground, campaign))


def _made_for(ground: Ground, campaign: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return _VISIT.c.home.in_(ground.homes), _VISIT.c.campaign_id == campaign, _VISIT.c.deleted_at.is_(None)


def _doors(targets: sa.Select[Any], knocks: sa.Select[Any]) -> sa.CTE:
    """(home, door, part, seen, gone, visits, late, opened, settled, last): one row for each door that was frozen or
    knocked at; `gone` is null where it was no target.

    Grouped, not joined: neither has a key, and row by row no store would come to an end.
    """
    each = sa.union_all(knocks, targets).subquery("each")
    # A door that was merged with one of another part counts in the part that comes first, and once.
    of_target = (sa.func.min(each.c.part).label("part"), _most(each.c.seen), sa.func.min(each.c.gone).label("gone"))
    of_knocks = (_sum(each.c.visits), _sum(each.c.late), _most(each.c.opened), _most(each.c.settled))
    key = (each.c.home, each.c.door)
    return sa.select(*key, *of_target, *of_knocks, _most(each.c.last)).group_by(*key).cte("doors")


def _by_target(doors: sa.CTE) -> sa.Select[Any]:
    """By part: frozen doors, those that are gone, knocked at, opened, and where somebody has still to knock."""
    # Of a target that lies elsewhere now nobody is told whether somebody knocks there.
    knocked = sa.and_(doors.c.seen == 1, doors.c.visits > 0)
    is_so = {"knocked": knocked, "opened": sa.and_(knocked, doors.c.opened == 1), "left": _is_left(doors)}
    sums = [sa.func.sum(sa.case((so, 1), else_=0)).label(name) for name, so in is_so.items()]
    counted = sa.select(doors.c.part, sa.func.count().label("targets"), _sum(doors.c.gone), *sums)
    return counted.where(doors.c.gone.is_not(None)).group_by(doors.c.part)


def _is_left(doors: sa.CTE) -> sa.ColumnElement[bool]:
    """Has somebody still to knock there?"""
    return sa.and_(doors.c.gone == 0, doors.c.settled == 0)


def _by_place(ground: Ground, doors: sa.CTE) -> sa.Select[Any]:
    """By part: visits, those that came late, and doors that were knocked at though they were no target; at deleted
    doors, too: what was done there was done.
    """
    others = sa.func.sum(sa.case((doors.c.gone.is_(None), 1), else_=0)).label("others")
    columns: list[Any] = [ground.part.label("part"), _sum(doors.c.visits), _sum(doors.c.late), others]
    counted = sa.select(*columns).select_from(ground.at_doors(doors, doors.c.door))
    return counted.where(doors.c.visits > 0, ground.holds(_HOUSEHOLD)).group_by(ground.part)


def _persons(snapshot: Transaction, ground: Ground, campaign: UUID) -> sa.Select[Any]:
    """By part: whom they met of those who live in these places, each person once; and how many of them have their
    household registration elsewhere.
    """
    member = snapshot.members_of(_VISIT.c.persons_met)
    where = ground.at_doors(_VISIT, _VISIT.c.household_id).join(member, sa.true())
    # Whoever was met in two parts counts in the one that comes first, so that parts add up to the whole.
    key, first = (_VISIT.c.home, member.c.value), sa.func.min(sa.cast(ground.part, sa.Text)).label("part")
    seen = sa.select(_VISIT.c.home, snapshot.as_id(member.c.value).label("person"), first).select_from(where)
    named = seen.where(*_made_for(ground, campaign), ground.holds(_HOUSEHOLD)).group_by(*key).cte("named")
    who = (_RESIDENT.c.home == named.c.home, _RESIDENT.c.id == named.c.person, _RESIDENT.c.home.in_(ground.homes))
    into = sa.func.coalesce(_RESIDENT.c[MERGED_INTO], _RESIDENT.c.id)
    # Where somebody is registered, the record says that stayed.
    stayed = _RESIDENT.alias("stayed")
    same = (stayed.c.home == _RESIDENT.c.home, stayed.c.id == into, stayed.c.home.in_(ground.homes))
    people = named.join(_RESIDENT, sa.and_(*who)).join(stayed, sa.and_(*same))
    foreign = sa.func.max(sa.case((stayed.c.registered_here.is_(False), 1), else_=0)).label("foreign")
    met = sa.select(sa.func.min(named.c.part).label("part"), foreign).select_from(people)
    each = met.where(ground.holds(_RESIDENT)).group_by(named.c.home, into).subquery()
    columns: list[Any] = [sa.func.count().label("met"), sa.func.sum(each.c.foreign).label("not_registered")]
    return sa.select(each.c.part, *columns).group_by(each.c.part)


def _left(doors: sa.CTE) -> sa.Select[Any]:
    """The doors where somebody has still to knock."""
    there = sa.and_(_HOUSEHOLD.c.home == doors.c.home, _HOUSEHOLD.c.id == doors.c.door)
    columns: list[Any] = [_HOUSEHOLD.c[name] for name in ("id", "area_id", "door", "floor")]
    where = doors.join(_HOUSEHOLD, there)
    return sa.select(*columns, doors.c.visits, doors.c.last).select_from(where).where(_is_left(doors))


def _sum(of: Any) -> sa.Label[int]:
    return sa.cast(sa.func.sum(of), sa.Integer).label(of.name)


def _most(of: Any) -> sa.Label[Any]:
    return sa.func.max(of).label(of.name)


def _along(walk: Walk, area: str, doors: Sequence[Any]) -> list[Any]:
    return [
        {
            "household": str(row.id),
            "place": walk.way(row.area_id, area),
            "door": row.door,
            "visits": row.visits,
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
