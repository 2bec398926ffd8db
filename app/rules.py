"""Rules that several collections have: pure functions over the fields of one record."""

from collections.abc import Callable
from datetime import date

from pydantic import JsonValue

from app.fields import Error, fault
from sync.wire import Fields

DayOf = Callable[[JsonValue], date]
"""To which day of work a time belongs that a phone's clock told; without one, the time at which the edit was made."""
Given = Callable[[Fields, DayOf, date], Fields]
"""What the server fills in of a new record. Where a restore lost it, its fields may hold what somebody had seen."""


def forwards(fields: Fields) -> list[Error]:
    """What has a first and a last day, `since` and `until`, doesn't end before it begins."""
    since, until = fields.get("since"), fields.get("until")
    # Days of four digits, which compare as text.
    return [fault("until")] if isinstance(since, str) and isinstance(until, str) and until < since else []


def day_told(told: str) -> Given:
    """Fills in `day`: the day of work on which the field `told` says that it was, and never a later one than today.

    What a restore lost keeps the day that somebody had seen.
    """

    def day(fields: Fields, day_of: DayOf, today: date) -> Fields:
        return {"day": min(str(fields.get("day") or day_of(fields.get(told))), str(today))}

    return day
