"""What an error of a store means: whether trying again may help, and whose fault it is."""

import asyncpg
from sqlalchemy.exc import DBAPIError, StatementError

REPEATABLE = ("40001", "40P01", "23505", "55P03", "57P01", "57P02", "57P03")
"""Serialisation failure, deadlock, duplicate key, lock timeout, server going down: try again."""


def sqlstate_of(error: BaseException) -> str | None:
    """The five characters to decide on: PostgreSQL's own, or what SQLite's error amounts to."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    if state is None and (origin := getattr(cause, "__cause__", None)):
        state = getattr(origin, "sqlstate", None)
    if state is None:
        state = _SQLITE_STATES.get(getattr(cause, "sqlite_errorname", ""))
    return state


_SQLITE_STATES = {
    "SQLITE_CONSTRAINT_PRIMARYKEY": "23505",
    "SQLITE_CONSTRAINT_UNIQUE": "23505",
    "SQLITE_CONSTRAINT_CHECK": "23514",
    "SQLITE_CONSTRAINT_NOTNULL": "23502",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "23503",
    "SQLITE_CONSTRAINT_TRIGGER": "23514",
    **{f"SQLITE_{busy}": "40001" for busy in ("BUSY", "BUSY_SNAPSHOT", "LOCKED")},
    "SQLITE_TOOBIG": "22001",
    "SQLITE_MISMATCH": "22000",
}


def may_repeat(error: BaseException) -> bool:
    """Would the same transaction, from its beginning, have a chance?"""
    state = sqlstate_of(error)
    if state is not None:
        return state in REPEATABLE or state.startswith("08")
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, ConnectionError) or is_closed(error)


def is_closed(error: BaseException) -> bool:
    """The driver's own words for a connection that is gone, or that went in the middle of an answer.

    A ValueError among them is about values that it can't send. While it connects, SQLAlchemy repeats the words in an
    error of its own.
    """
    said = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return any(
        isinstance(one, asyncpg.InterfaceError | asyncpg.InternalClientError) and not isinstance(one, ValueError)
        for one in (said, said.__cause__)
    )


def is_data_error(error: BaseException) -> bool:
    """Is it the rows' fault (class 22 or 23, but not a duplicate key; or a value no column takes)?"""
    state = sqlstate_of(error) or ""
    unbindable = isinstance(error, StatementError) and not isinstance(error, DBAPIError)
    unbindable |= isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    return unbindable or (state[:2] in ("22", "23") and state != "23505")
