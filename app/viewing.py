"""On PostgreSQL: how what is read says for whom, so that the wall (wall.py) lets through what is theirs.

Naming costs no round trip: a snapshot says it with its BEGIN, a statement without a transaction in itself. Either
way it is forgotten at the end, and what names nobody sees nothing behind the wall.
"""

from functools import cache
from typing import Literal

from app.database import SeenBy

READER = "qiaomen_reader"
"""The role that reads for people. It may read, and only through the wall."""


def reading_for(viewer: SeenBy | Literal["nobody"]) -> str:
    """What a transaction says to read for somebody, or for nobody yet."""
    role = f"SET LOCAL ROLE {READER}"
    if viewer == "nobody":
        return role
    person, time = as_named(viewer)
    return f"{role}; SET LOCAL qiaomen.person = '{person}'; SET LOCAL qiaomen.now = '{time}'"


def as_named(viewer: SeenBy) -> tuple[str, str]:
    """Whose rows, and when, as the wall reads them."""
    return str(viewer.person), viewer.now.isoformat()


@cache
def naming(statement: str, parameters: int) -> str:
    """The statement, which names its viewer in two more parameters before it reads anything.

    Before: its rows are the inner side of a join that can't begin without the outer one (LATERAL, and an OFFSET that
    keeps the planner from taking it apart).
    """
    return (
        "WITH viewer AS MATERIALIZED ("
        f"SELECT set_config('qiaomen.person', ${parameters + 1}, true)"
        f" || set_config('qiaomen.now', ${parameters + 2}, true) AS named) "
        "SELECT seen.* FROM viewer CROSS JOIN LATERAL ("
        f"SELECT * FROM ({statement}) AS statement WHERE viewer.named IS NOT NULL OFFSET 0) AS seen"
    )
