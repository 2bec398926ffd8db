"""The working calendar 工作日历 of an area, from the code lists that hold there; the same on phone and server."""

import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from sync.days import shifted
from sync.wire import Fields

Records = Mapping[str, Mapping[str, Fields]]
"""Collection → id → fields, as a phone shows them."""

MOST_REST = 184
"""Days on end: whoever rests longer than that works on the day they are asked about."""


@dataclass(frozen=True)
class Calendar:
    """Which days are worked: Monday to Friday, but for what the lists `rest_day` and `work_day` name."""

    rest: frozenset[date]
    work: frozenset[date]

    def is_worked(self, day: date) -> bool:
        """Is it a working day?"""
        return day in self.work or (day.weekday() < 5 and day not in self.rest)

    def last_worked(self, day: date) -> date:
        """The newest working day up to this one."""
        return self._nearest(day, -1)

    def next_worked(self, day: date) -> date:
        """The oldest working day from this one on."""
        return self._nearest(day, 1)

    def _nearest(self, day: date, step: int) -> date:
        if self.is_worked(day):
            return day
        days = (shifted(day, n * step) for n in range(1, MOST_REST))
        return next((one for one in days if self.is_worked(one)), day)


def calendar_of(records: Records, area: str) -> Calendar:
    """The working calendar of an area: the code lists `rest_day` and `work_day` that hold there, of codes like
    `2026_10_01`.
    """
    above, one = {area}, records.get("areas", {}).get(area)
    while one is not None and (parent := str(one.get("parent_id"))) not in above:
        above.add(parent)
        one = records["areas"].get(parent)
    listed = defaultdict[str, set[date]](set)
    for code in records.get("codes", {}).values():
        if code.get("area_id") in above and not code.get("retired"):
            said = str(code.get("code"))
            with suppress(ValueError):  # no such day: nobody rests on it
                if re.fullmatch(r"\d{4}_\d\d_\d\d", said):
                    listed[str(code.get("list"))].add(date.fromisoformat(said.replace("_", "-")))
    return Calendar(frozenset(listed["rest_day"]), frozenset(listed["work_day"]))
