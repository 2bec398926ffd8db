"""What a measurement comes to: a figure beside its limit, and whether that is what was wanted."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One row of the table: ours, and what it is held against."""

    measure: str
    ours: float | None
    unit: str
    limit: float | None = None
    ratio: float | None = None
    """The median round's; without it ours divided by the limit."""
    at_least: float | None = None
    at_most: float | None = None
    p50_milliseconds: float | None = None
    p99_milliseconds: float | None = None
    bytes: int | None = None
    cpu_microseconds: float | None = None
    """The server's own processor time per record or request; PostgreSQL's is not in it."""
    note: str = ""

    @property
    def value(self) -> float | None:
        """What is held against the wish."""
        if self.ratio is not None or self.ours is None or self.limit is None:
            return self.ours if self.ratio is None else self.ratio
        return self.ours / self.limit

    @property
    def wanted(self) -> str:
        """The wish in words; empty where the figure is only told."""
        signs = (("≥", self.at_least), ("≤", self.at_most))
        return " ".join(f"{sign} {number:g}" for sign, number in signs if number is not None)

    @property
    def met(self) -> bool | None:
        """None where nothing was wanted. What could not be measured is not met."""
        if not self.wanted:
            return None
        if self.value is None or math.isnan(self.value):
            return False
        return self.value >= (self.at_least or 0) and self.value <= (self.at_most or math.inf)


@dataclass(frozen=True)
class Timed:
    """One round: so many records (or requests) in so many seconds, and how long each piece of it took."""

    records: int
    seconds: float
    each_seconds: Sequence[float]
    cpu_seconds: float = 0
    bytes: int = 0

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds


def beside(
    measure: str,
    ours: Sequence[Timed],
    limit: Sequence[Timed] | None,
    *,
    unit: str,
    at_least: float | None = None,
    sent_bytes: int | None = None,
    note: str = "",
) -> Figure:
    """The median rounds of both, and the median of their ratios: two rounds that follow each other share their luck."""
    each = [seconds for timed in ours for seconds in timed.each_seconds]
    records = sum(timed.records for timed in ours)
    return Figure(
        measure,
        median(timed.rate for timed in ours),
        unit,
        median(timed.rate for timed in limit) if limit else None,
        median(mine.rate / other.rate for mine, other in zip(ours, limit, strict=True)) if limit else None,
        at_least=at_least,
        p50_milliseconds=percentile(each, 50) * 1000,
        p99_milliseconds=percentile(each, 99) * 1000,
        bytes=sent_bytes,
        cpu_microseconds=sum(timed.cpu_seconds for timed in ours) / records * 1_000_000 or None,
        note=note,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that this many in a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


HEADINGS = ("measure", "ours", "limit", "unit", "ratio", "wanted", "", "p50 ms", "p99 ms", "bytes", "CPU µs")


def table_of(figures: Sequence[Figure]) -> str:
    """The figures as text, one a line, with their notes below."""
    rows = [HEADINGS, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(_placed(cell, width, at) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    notes = [f"{figure.measure}: {figure.note}" for figure in figures if figure.note]
    return "\n".join([*(line.rstrip() for line in lines), "", *notes])


def write_json(file: Path, about: dict[str, object], figures: Sequence[Figure]) -> None:
    """The same for programs."""
    rows = [{**asdict(one), "value": one.value, "wanted": one.wanted, "met": one.met} for one in figures]
    file.write_text(json.dumps({**about, "figures": rows}, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _cells(one: Figure) -> tuple[str, ...]:
    ratio = _number(one.value) if one.limit is not None else ""
    mark = {True: "✓", False: "✗", None: ""}[one.met]
    measured = (one.p50_milliseconds, one.p99_milliseconds, one.bytes, one.cpu_microseconds)
    return (
        one.measure,
        _number(one.ours),
        _number(one.limit),
        one.unit,
        ratio,
        one.wanted,
        mark,
        *map(_number, measured),
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _placed(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if HEADINGS[column] in ("measure", "unit", "wanted", "") else cell.rjust(width)
