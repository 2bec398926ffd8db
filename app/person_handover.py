"""Handing a person over 换片: their roles over one area end and begin over another, in one transaction.

What they wrote before and send later is taken for thirty days, as after any role's end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import following, hold_grants, paths_under
from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.dates import has_ended
from app.follows import hold_follows
from app.grants import SECURITY, add_grant, end_these, held_in, require_area_under
from app.problems import Problem, wrong_field
from app.tables import Feed, FeedEntry, Follow
from app.touched import Touched, people_touched, run_or_try

_CONFLICT = COLLECTIONS["conflicts"].table
_FOLLOW: sa.Table = Follow.__table__  # type: ignore[attr-defined]
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
    """What some feeds list: records, each once, and conflicts that wait. Nothing of teams: that is nobody else's."""

    records: int
    open_conflicts: int


@dataclass(frozen=True)
class PersonReport:
    """What it touches: which roles go along, how many feeds the person follows then, what their phones last said.

    What these lose and gain is counted by a dry run alone; roles to come count as if they had begun.
    """

    roles: list[str]
    feeds: int
    losing: Listed | None
    gaining: Listed | None
    touched: Touched


async def hand_person_over(context: Context, giver: UUID, move: Move, *, dry_run: bool) -> PersonReport:
    """Whatever role the person has there, or is to have, they have here instead, until the same day.

    Raises not_permitted, not_found (they have no role there that one sees), reference_not_found, handover_to_itself,
    role_unfit and grant_overlaps.
    """

    async def work(transaction: Transaction) -> PersonReport:
        return await _hand_over(transaction, context, giver, move, counting=dry_run)

    return await run_or_try(context.database, work, dry_run=dry_run)


async def _hand_over(
    transaction: Transaction, context: Context, giver: UUID, move: Move, *, counting: bool
) -> PersonReport:
    # 1. Grants and the tree stand still; the pushes that held these grants are over. Nobody makes others wait for
    #    whom they may not hand over.
    await hold_grants(transaction, giver)
    if giver == move.person_id or not await paths_under(transaction, giver, SECURITY, context.seams.now):
        raise Problem("not_permitted")
    held = await held_in(transaction, move.person_id, move.area_id)
    await hold_follows(transaction)
    now = context.seams.now()
    held = [grant for grant in held if not has_ended(grant, now)]
    # 2. Who may: whoever could end these roles and give the new ones.
    await _require_theirs(transaction, context, giver, move)
    if not held:
        raise Problem("not_found")
    # 3. The old roles end and the new ones begin, at one moment.
    ended = [grant.id for grant in held]
    await end_these(transaction, ended, now)
    begun = [await _give_again(transaction, context, grant, move.to, now) for grant in held]
    # 4. What that means for their phones.
    feeds = len(await transaction.rows(following(move.person_id, now).distinct()))
    losing, gaining = await _counted(transaction, move.person_id, ended, begun, now) if counting else (None, None)
    of = await people_touched(transaction, [move.person_id])
    return PersonReport(sorted({grant.role for grant in held}), feeds, losing, gaining, of[move.person_id])


async def _require_theirs(transaction: Transaction, context: Context, giver: UUID, move: Move) -> None:
    paths = await paths_under(transaction, giver, SECURITY, context.seams.now)
    for name in ("area_id", "to"):
        await require_area_under(transaction, getattr(move, name), paths, name)
    if move.to == move.area_id:
        raise wrong_field("handover_to_itself", "to")


async def _give_again(transaction: Transaction, context: Context, grant: Any, to: UUID, now: datetime) -> UUID:
    again = {"role": grant.role, "since": max(grant.since, now), "until": grant.until, "reason": grant.reason}
    try:
        return await add_grant(transaction, context, person_id=grant.person_id, area_id=to, **again)
    except Problem as problem:
        # Of whatever can be wrong with the new grant, the old one shows that it isn't its dates or its person.
        raise wrong_field(problem.code, "to") from None


async def _counted(
    transaction: Transaction, person: UUID, ended: Sequence[UUID], begun: Sequence[UUID], now: datetime
) -> tuple[Listed, Listed]:
    """What the person loses and gains, beside what they follow otherwise."""
    feeds = sa.select(_FOLLOW.c.home, _FOLLOW.c.feed_id)
    # Of the old grants what ended now: what had gone to another area before isn't on the phone any more.
    old = feeds.where(_FOLLOW.c.grant_id.in_(ended), _FOLLOW.c.until >= now)
    new = feeds.where(_FOLLOW.c.grant_id.in_(begun))
    others = following(person, now).where(_FOLLOW.c.grant_id.not_in(begun))
    return (
        await _listed(transaction, old, others.union(new)),
        await _listed(transaction, new, others.union(old)),
    )


async def _listed(transaction: Transaction, of: sa.Select[Any], but_of: sa.CompoundSelect[Any]) -> Listed:
    """By these feeds, and by none of those."""
    there, elsewhere, kept = of.distinct().subquery(), but_of.subquery(), _ENTRY.alias("kept")
    own = sa.and_(_FEED.c.home == there.c.home, _FEED.c.id == there.c.feed_id, _FEED.c.audience != "team")
    listed = sa.and_(_ENTRY.c.home == there.c.home, _ENTRY.c.feed_id == there.c.feed_id, _ENTRY.c.live)
    key = [_ENTRY.c[name] for name in ("home", "collection", "record_id")]
    same = (*(kept.c[column.name] == column for column in key), kept.c.live)
    by = sa.and_(elsewhere.c.home == kept.c.home, elsewhere.c.feed_id == kept.c.feed_id)
    still = sa.select(1).select_from(kept.join(elsewhere, by)).where(*same).correlate(_ENTRY)
    records = sa.select(*key).select_from(there.join(_FEED, own).join(_ENTRY, listed)).where(~sa.exists(still))
    each = records.distinct().subquery()
    waits = sa.and_(_CONFLICT.c.home == each.c.home, _CONFLICT.c.id == each.c.record_id, _CONFLICT.c.state == "open")
    counts = sa.func.count().label("records"), sa.func.count(_CONFLICT.c.id).label("open_ones")
    of_conflicts = each.outerjoin(_CONFLICT, sa.and_(waits, each.c.collection == "conflicts"))
    [row] = await transaction.rows(sa.select(*counts).select_from(of_conflicts))
    return Listed(row.records, row.open_ones)
