"""What an office counts, against one indexed count of the table that most of it is counted in."""

import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.benchmark.bare import bare_connection
from app.benchmark.district import District, lay_district
from app.benchmark.figures import Figure
from app.benchmark.session import Session, database_beside, opened_empty
from app.collections import COLLECTIONS
from app.reports.activity import activity_of
from app.reports.coverage import coverage_of
from app.reports.duties import duties_of
from app.reports.totals import totals_of

MOST_OF_A_COUNT, MOST_OF_A_LIST_MILLISECONDS, MOST_OF_MEMORY = 20, 10, 2
DAYS = 30

_RESIDENT = COLLECTIONS["residents"].table


@dataclass
class Measured:
    """How long each round took, in seconds."""

    ask: Callable[[], Awaitable[Any]]
    seconds: list[float] = field(default_factory=list)


async def reports(session: Session) -> list[Figure]:
    """A community of 8,234 residents, then the whole district, in process.

    The limit is a count of the community's residents who aren't deleted, by the index that begins with their home, in
    turn with the reports. What a report of the district holds in memory is counted by Python, against one of the
    community: it mustn't grow with the residents, of whom there are as many times more as there are communities.
    """
    async with database_beside(session, "reports") as settings, opened_empty(settings, session.world) as context:
        district = await lay_district(context, session.scale.communities)
        async with bare_connection(settings, session.folder / "reports-bare.db") as bare:
            await bare.settle()
        return [*await _of_a_community(session, district), *await _of_all(session, district)]


async def _of_a_community(session: Session, district: District) -> list[Figure]:
    community = district.communities[0]
    today = session.world.now().date()
    context, boss, since = district.context, district.boss, today - timedelta(days=DAYS)
    asked = {
        "reports-totals": Measured(lambda: totals_of(context, boss, community, today)),
        "reports-coverage": Measured(lambda: coverage_of(context, boss, community, since, today)),
        "reports-activity": Measured(lambda: activity_of(context, boss, community, since, today)),
        "reports-duties": Measured(lambda: duties_of(context, boss, district.grid, today, "first")),
    }
    limit = Measured(lambda: _count(district))
    for _ in range(session.scale.rounds + 1):
        for one in (limit, *asked.values()):
            began = session.world.monotonic()
            await one.ask()
            one.seconds.append(session.world.monotonic() - began)
    duties = asked.pop("reports-duties")
    listed = await duties.ask()
    assert listed["due"] > 0, "an empty list is no list"
    return [
        *(_beside(measure, one, limit) for measure, one in asked.items()),
        Figure("reports-duties", median(duties.seconds[1:]) * 1000, "ms", at_most=MOST_OF_A_LIST_MILLISECONDS),
    ]


async def _of_all(session: Session, district: District) -> list[Figure]:
    today, context, boss = session.world.now().date(), district.context, district.boss
    since = today - timedelta(days=DAYS)
    asked: dict[str, Callable[[UUID], Awaitable[Any]]] = {
        "reports-district-totals": lambda area: totals_of(context, boss, area, today),
        "reports-district-coverage": lambda area: coverage_of(context, boss, area, since, today),
    }
    figures = []
    for measure, ask in asked.items():
        small, _ = await _most_held(session, ask, district.communities[0])
        large, seconds = await _most_held(session, ask, district.district)
        note = f"{seconds:.1f} s, {len(district.communities):,} communities"
        figures.append(Figure(measure, large, "KB", small, at_most=MOST_OF_MEMORY, note=note))
    return figures


def _beside(measure: str, ours: Measured, limit: Measured) -> Figure:
    """Milliseconds, the first round left out: in it statements are prepared."""
    ratios = [mine / theirs for mine, theirs in zip(ours.seconds[1:], limit.seconds[1:], strict=True)]
    times = (median(one.seconds[1:]) * 1000 for one in (ours, limit))
    return Figure(measure, next(times), "ms", next(times), median(ratios), at_most=MOST_OF_A_COUNT)


async def _count(district: District) -> None:
    there = (_RESIDENT.c.home == district.communities[0], _RESIDENT.c.deleted_at.is_(None))
    async with district.context.database.snapshot("server") as snapshot:
        [row] = await snapshot.rows(sa.select(sa.func.count()).select_from(_RESIDENT).where(*there))
    assert row[0] == district.residents


async def _most_held(session: Session, ask: Callable[[UUID], Awaitable[Any]], area: UUID) -> tuple[float, float]:
    """The most that Python held at once while it was answered, in KB, and how many seconds it takes otherwise."""
    began = session.world.monotonic()
    await ask(area)
    seconds = session.world.monotonic() - began
    tracemalloc.start()
    try:
        await ask(area)
        return tracemalloc.get_traced_memory()[1] / 1024, seconds
    finally:
        tracemalloc.stop()
