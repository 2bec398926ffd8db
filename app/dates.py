"""Rows with dates: in force from `since` on and until `until`, which may be open."""

from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import AfterValidator, AwareDatetime, StringConstraints

from sync.wire import in_utc

Time = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""As a request gives it, in any zone."""
Reason = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\u0000-\u001f\u007f]+$")]
"""Why: one line."""
Now = datetime | sa.BindParameter[datetime]
"""A time, or the parameter of a statement that is built once."""


def lasting(rows: sa.FromClause, now: Now) -> sa.ColumnElement[bool]:
    """Those that haven't ended, whether or not they have begun."""
    return sa.or_(rows.c.until.is_(None), rows.c.until > now)


def in_force(rows: sa.FromClause, now: Now) -> sa.ColumnElement[bool]:
    """Those that have begun and haven't ended."""
    return sa.and_(rows.c.since <= now, lasting(rows, now))


def has_ended(row: Any, now: datetime) -> bool:
    """Has this one?"""
    return row.until is not None and row.until <= now
