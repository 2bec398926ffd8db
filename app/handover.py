"""Handing an area over 交接: a building to another grid, a grid to another part of its community.

Nothing is rewritten but the area itself and who follows which feed: what was recorded there stays in its feeds, so
that the cost grows with the areas and the people, never with the residents.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.access import held_paths_under
from app.areas import Area, living_areas
from app.batch import Actor, Incoming
from app.collections import COLLECTIONS
from app.collections.base import ADMINS
from app.context import Context
from app.database import Transaction
from app.enclaves import require_one_at_a_time
from app.feeds import open_masked_feeds
from app.follows import follow_moved, followers_touched
from app.problems import Problem, require_taken, wrong_field
from app.receive import receive
from app.tables import Feed, FeedEntry
from app.touched import Touched, people_touched, run_or_try
from app.writes import Write, as_arrived

MOST_TOUCHED = 500
"""People named in a report, of those who lose it and of those who gain it."""
_AREA = COLLECTIONS["areas"].table
_CONFLICT = COLLECTIONS["conflicts"].table
_FEED: sa.Table = Feed.__table__  # type: ignore[attr-defined]
_ENTRY: sa.Table = FeedEntry.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Report:
    """What a handover touches. Records and conflicts are counted by a dry run alone."""

    areas: int
    records: int | None
    open_conflicts: int | None
    people_losing: int
    people_gaining: int
    losing: list[Touched]
    gaining: list[Touched]


async def hand_over(context: Context, person: UUID, area: UUID, to: UUID, *, dry_run: bool) -> Report:
    """Gives the area to another parent, in one transaction; a dry run does it and undoes it.

    Raises not_found, not_permitted, reference_not_found, handover_to_itself, handover_cycle, handover_across and
    handover_too_deep, and enclave_overlaps.
    """

    async def work(transaction: Transaction) -> Report:
        return await _hand_over(transaction, context, person, area, to, counting=dry_run)

    return await run_or_try(context.database, work, dry_run=dry_run)


async def _hand_over(
    transaction: Transaction, context: Context, person: UUID, area: UUID, to: UUID, *, counting: bool
) -> Report:
    # 1. The tree stands still: of two handovers one is over before the other looks.
    paths = await held_paths_under(transaction, person, ADMINS, context.seams.now)
    if not paths:
        raise Problem("not_permitted")
    moved, parent = await _both(transaction, area, to, paths)
    subtree = await transaction.rows(_below(moved.path).order_by(_AREA.c.id).with_for_update())
    held = next(row for row in subtree if row.id == area)
    _require_possible(moved, parent, held.parent_id)
    now = context.seams.now()
    await require_one_at_a_time(transaction, moved.path, parent.path, now)
    before = await followers_touched(transaction, moved.path, now)
    # 2. Its place, and that of all below it.
    path = f"{parent.path}{area.hex}/"
    rest = sa.func.substr(_AREA.c.path, len(moved.path) + 1)
    below = _AREA.c.path.startswith(moved.path)
    await transaction.execute(sa.update(_AREA).where(below).values(path=sa.literal(path) + rest))
    # 3. Who follows what, from now on.
    await open_masked_feeds(transaction, context.seams, path)
    await follow_moved(transaction, path, now)
    after = await followers_touched(transaction, path, now)
    # 4. The area itself, through the one write path, which ends in the feeds' locks.
    report = await _report(transaction, path, len(subtree), before - after, after - before, counting=counting)
    write = Write(COLLECTIONS["areas"], moved.home, area, "update", held.rev, {"parent_id": str(to)})
    incoming = Incoming(moved.home, [as_arrived(context, write)])
    done = await receive(transaction, context, Actor(person, hands_over=True), incoming)
    require_taken(done.outcomes)
    return report


async def _both(transaction: Transaction, area: UUID, to: UUID, paths: Sequence[str]) -> tuple[Area, Area]:
    """The area and its new parent."""
    found = await living_areas(transaction, [area, to])
    seen = {id: one for id, one in found.items() if any(one.path.startswith(path) for path in paths)}
    if area not in seen:
        raise Problem("not_found")
    if to not in seen:
        raise wrong_field("reference_not_found", "to")
    return seen[area], seen[to]


def _below(path: str) -> sa.Select[Any]:
    columns = (_AREA.c.id, _AREA.c.parent_id, _AREA.c.rev)
    return sa.select(*columns).where(_AREA.c.path.startswith(path))


def _require_possible(moved: Area, parent: Area, now_in: UUID | None) -> None:
    """Feeds and homes stay what they are: that bounds where an area can go."""
    if parent.path.startswith(moved.path):
        raise wrong_field("handover_cycle", "to")
    if now_in == parent.id:
        raise wrong_field("handover_to_itself", "to")
    if parent.feed_area_id is not None or moved.feed_area_id not in (None, moved.id):
        raise wrong_field("handover_too_deep", "to")
    # What lies in a community stays in it; a community, or what lies above, stays above communities.
    within = moved.home != moved.id
    above = parent.home == parent.id and parent.level != parent.home_level
    if moved.path[:34] != parent.path[:34] or (parent.home != moved.home if within else not above):
        raise wrong_field("handover_across", "to")


async def _report(
    transaction: Transaction,
    path: str,
    areas: int,
    lost: Iterable[tuple[UUID, int]],
    gained: Iterable[tuple[UUID, int]],
    *,
    counting: bool,
) -> Report:
    records = conflicts = None
    if counting:
        owner = sa.and_(_AREA.c.home == _FEED.c.home, _AREA.c.id == _FEED.c.owner_id)
        owned = sa.select(_FEED.c.id).join(_AREA, owner).where(_AREA.c.path.startswith(path))
        # How many cases a team has is nobody else's to know.
        known = owned.where(_FEED.c.audience != "team")
        records = await _count(transaction, _ENTRY, _ENTRY.c.live, _ENTRY.c.feed_id.in_(known))
        there = sa.select(_AREA.c.id).where(_AREA.c.path.startswith(path))
        of_teams = [c.name for c in COLLECTIONS.values() if c.audience == "team"]
        elsewhere = _CONFLICT.c.of_collection.not_in(of_teams)
        open_ones = (_CONFLICT.c.state == "open", _CONFLICT.c.area_id.in_(there), elsewhere)
        conflicts = await _count(transaction, _CONFLICT, *open_ones)
    people = [sorted({person for person, _ in pairs}) for pairs in (lost, gained)]
    named = [some[:MOST_TOUCHED] for some in people]
    of = await people_touched(transaction, {*named[0], *named[1]})
    losing, gaining = ([of[person] for person in some] for some in named)
    return Report(areas, records, conflicts, len(people[0]), len(people[1]), losing, gaining)


async def _count(transaction: Transaction, table: sa.Table, *which: Any) -> int:
    row = await transaction.first(sa.select(sa.func.count()).select_from(table).where(*which))
    return int(row[0]) if row else 0
