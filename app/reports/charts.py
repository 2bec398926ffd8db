"""Pictures over time, as columns and lines to be drawn in SVG. Each shows what the table below it says, and no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.reports.sheets import Cell, Sheet

WIDTH, HEIGHT, LEAST_LEFT, TOP, BOTTOM = 720, 200, 44, 8, 22
A_DIGIT = 8
MOST_LABELS = 12
NARROW = 5
"""A column of fewer units has no outline, which would be all that is seen of it."""
MOST_DOTS = 62
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Chart:
    """How some columns of a table are drawn: on each other, beside each other, or as a line."""

    title: str
    columns: tuple[str, ...]
    """Names of counts, `a` or `a.b`; or `a`, all that is in it."""
    way: Literal["stacked", "beside", "line"]


CHARTS: dict[str, tuple[Chart, ...]] = {
    "hours": (
        Chart("各时段敲门次数（按方式） · Visits by hour and channel", ("by_channel",), "stacked"),
        Chart("各时段敲门与开门 · Visits, and doors opened, by hour", ("visits", "opened"), "beside"),
    ),
    "days": (
        Chart("各日敲门次数（按结果） · Visits by day and outcome", ("by_outcome",), "stacked"),
        Chart("各日冲突 · Conflicts by day", ("conflicts.opened", "conflicts.decided"), "beside"),
        Chart("待处理冲突 · Conflicts open at the end of the day", ("conflicts.open",), "line"),
    ),
    "refused": (Chart("各日被拒的修改 · Edits refused, by day", ("mutations",), "stacked"),),
}
"""Table → its pictures."""


def charts_of(sheet: Sheet) -> list[dict[str, Any]]:
    """As the template draws them. Of a table where there is nothing to count there are none."""
    return [drawn for chart in CHARTS.get(sheet.name, ()) if (drawn := _drawn(sheet, chart)) is not None]


def _drawn(sheet: Sheet, chart: Chart) -> dict[str, Any] | None:
    numbers = [n for n, path in enumerate(sheet.paths) if {".".join(path), path[0]} & {*chart.columns}]
    rows = [[_count(row[n]) for n in numbers] for row in sheet.rows]
    highest = max((sum(row) if chart.way == "stacked" else max(row, default=0) for row in rows), default=0)
    untold = any(not isinstance(row[n], int) for row in sheet.rows for n in numbers)
    if not highest or (chart.way == "line" and untold):
        # A line through what isn't told would fall to nothing there.
        return None
    top, ticks = _scale(highest)
    left = max(LEAST_LEFT, A_DIGIT * len(str(top)) + 12)
    width = (WIDTH - left) / len(rows)
    drawn = {"title": chart.title, "width": WIDTH, "height": TOP + HEIGHT + BOTTOM, "left": left, "untold": untold}
    drawn |= {"ticks": [{"y": _y(tick, top), "text": tick} for tick in ticks]}
    drawn |= {
        "labels": _labels([str(row[0]) for row in sheet.rows], left, width),
        "names": [sheet.own_heading(n) for n in numbers],
    }
    if chart.way == "line":
        points = [(round(left + (at + 0.5) * width, 1), _y(row[0], top)) for at, row in enumerate(rows)]
        return {**drawn, "line": points, "dots": points if len(points) <= MOST_DOTS else [], "rects": []}
    rects = [rect for at, row in enumerate(rows) for rect in _rects(row, left + at * width, width, top, chart.way)]
    return {**drawn, "line": [], "dots": [], "rects": rects}


def _rects(row: Sequence[int], x: float, width: float, top: int, way: str) -> list[dict[str, Any]]:
    """The columns of one hour or day, in four fifths of its room."""
    wide = width * 0.8 / (len(row) if way == "beside" else 1)
    rects, below = [], 0
    for at, count in enumerate(row):
        left = x + width * 0.1 + (at * wide if way == "beside" else 0)
        y, foot = _y(below + count, top), _y(below, top)
        if count:
            place = {"x": round(left, 2), "y": y, "width": round(wide, 2), "height": round(foot - y, 2)}
            rects.append({**place, "of": at, "narrow": wide < NARROW})
        below += count if way == "stacked" else 0
    return rects


def _y(count: int, top: int) -> float:
    return round(TOP + HEIGHT * (1 - count / top), 2)


def _scale(highest: int) -> tuple[int, list[int]]:
    """The top of the picture, and where it has lines: whole numbers, five at most."""
    step = next(s * 10**power for power in range(16) for s in STEPS if s * 10**power * 4 >= highest)
    top = -(-highest // step) * step
    return top, [*range(0, top + 1, step)]


def _labels(names: Sequence[str], left: float, width: float) -> list[dict[str, Any]]:
    """As many as have room; of a day, its month and day."""
    every = 1 if len(names) <= 24 and len(names[0]) <= 2 else max(1, -(-len(names) // MOST_LABELS))
    shown = [(at, name[5:] if len(name) == 10 else name) for at, name in enumerate(names) if at % every == 0]
    return [{"x": round(left + (at + 0.5) * width, 1), "text": name} for at, name in shown]


def _count(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0
