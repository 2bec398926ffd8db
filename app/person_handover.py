"""Handing a person over 换片: their roles over one area end and begin over another, in one transaction.

What they wrote before and send later is taken for thirty days, as after any role's end.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from app.access import following, hold_grants, paths_under
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.grants import SECURITY, add_grant, end_one, held_in, require_area_under
from app.problems import Problem, wrong_field
from app.tables import Feed, FeedEntry
from app.touched import Touched, people_touched, run_or_try

_CONFLICT = COLLECTIONS["conflicts"].table
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Move:
    """Who goes from where to where."""

    person_id: UUID
    area_id: UUID
    to: UUID


@dataclass(frozen=True)
class Listed:
    """What some feeds list, but for those of teams: how much they have to do is nobody else's to know."""

    records: int
    open_conflicts: int


@dataclass(frozen=True)
class PersonReport:
    """What it touches: the roles that go along, what the person's phones drop and get, and what these last said."""

    roles: list[str]
    losing: Listed
    gaining: Listed
    touched: Touched


async def hand_person_over(context: Context, giver: UUID, move: Move, *, dry_run: bool) -> PersonReport:
    """Whatever role the person has there, or is to have, they have here instead, until the same day.

    Raises not_permitted, not_found (they have no role there that one sees), reference_not_found, handover_to_itself,
    role_unfit and grant_overlaps.
    """

    async def work(transaction: Transaction) -> PersonReport:
        return await _hand_over(transaction, context, giver, move)

    return await run_or_try(context.database, work, dry_run=dry_run)


async def _hand_over(transaction: Transaction, context: Context, giver: UUID, move: Move) -> PersonReport:
    # 1. Who may: whoever could end these roles and give the new ones.
    clock = context.seams.now
    await hold_grants(transaction, giver)
    paths = await paths_under(transaction, giver, SECURITY, clock)
    if not paths or giver == move.person_id:
        raise Problem("not_permitted")
    for name in ("area_id", "to"):
        await require_area_under(transaction, getattr(move, name), paths, name)
    if move.to == move.area_id:
        raise wrong_field("handover_to_itself", "to")
    # 2. The old roles end, once the pushes that hold them are over.
    held = await held_in(transaction, move.person_id, move.area_id, clock)
    if not held:
        raise Problem("not_found")
    before = await _followed(transaction, move.person_id, clock())
    for grant in held:
        await end_one(transaction, clock, grant.id)
    # 3. The new ones begin.
    now = clock()
    for grant in held:
        again = {"role": grant.role, "since": max(grant.since, now), "until": grant.until, "reason": grant.reason}
        try:
            await add_grant(transaction, context, person_id=move.person_id, area_id=move.to, **again)
        except Problem as problem:
            raise wrong_field(problem.code, "to") from None
    after = await _followed(transaction, move.person_id, clock())
    # 4. What that means for their phones.
    losing, gaining = await _listed(transaction, before - after), await _listed(transaction, after - before)
    of = await people_touched(transaction, [move.person_id])
    return PersonReport(sorted({grant.role for grant in held}), losing, gaining, of[move.person_id])


async def _followed(transaction: Transaction, person: UUID, now: datetime) -> set[int]:
    return {row.feed_id for row in await transaction.rows(following(person, now))}


async def _listed(transaction: Transaction, feeds: set[int]) -> Listed:
    own = sa.and_(_FEED.c.home == _ENTRY.c.home, _FEED.c.id == _ENTRY.c.feed_id, _FEED.c.audience != "team")
    conflict = (_ENTRY.c.collection == "conflicts", _CONFLICT.c.home == _ENTRY.c.home)
    of = sa.and_(*conflict, _CONFLICT.c.id == _ENTRY.c.record_id, _CONFLICT.c.state == "open")
    counts = sa.func.count().label("records"), sa.func.count(_CONFLICT.c.id).label("open_ones")
    listed = sa.select(*counts).select_from(_ENTRY.join(_FEED, own).outerjoin(_CONFLICT, of))
    row = await transaction.first(listed.where(_ENTRY.c.live, _ENTRY.c.feed_id.in_(feeds)))
    return Listed(row.records, row.open_ones) if row else Listed(0, 0)
