"""Days of work 工作日: to which day a moment belongs, for phones and server alike.

A day doesn't end at midnight: rounds go on until 24:00 and the notes of the last door are written after it. And no
phone's clock says which day it is: a phone only says how long ago something was, and both ends of that are read off one
clock, right or wrong.
"""

from datetime import UTC, date, datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))
"""All of China keeps one time, without summer time since 1991."""
DAY_BEGINS = 4
"""O'clock, where the operator says no other: after the last round and the notes that are written after it, and before
the first one at five.
"""
LONGEST_AGO = timedelta(days=180)
"""Whoever says that it was longer ago has a clock that stepped in between: as long as marks are kept, and no longer."""


def happened_at(said: datetime, sent_at: datetime, received_at: datetime) -> datetime:
    """When something was, by the server's clock: as long before the receipt as it was before the sending.

    `said` and `sent_at` are read off the phone's clock. One that stepped between the two can tell of something still to
    come (it was now then), or of long ago (it was LONGEST_AGO then); no more depends on it.
    """
    return received_at - min(max(sent_at - said, timedelta(0)), LONGEST_AGO)


def day_of(moment: datetime, begins: int) -> date:
    """The day of work: what is before `begins` o'clock (0 to 12) in China belongs to the day before."""
    try:
        return (moment.astimezone(UTC) + CHINA.utcoffset(None) - timedelta(hours=begins)).date()
    except OverflowError:  # where the calendar of four digits ends, its end
        return date.min if moment.year == date.min.year else date.max


def shifted(day: date, by: int) -> date:
    """So many days later, or earlier; where the calendar of four digits ends, its end."""
    return date.fromordinal(min(max(day.toordinal() + by, date.min.toordinal()), date.max.toordinal()))
