"""People who may sign in. Only a command line or an administrator makes one; nobody registers."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from app.database import Transaction
from app.problems import Problem
from app.tables import Person
from sync.seams import Seams

LONGEST_LOGIN = 64

_PERSON: sa.Table = Person.__table__  # type: ignore[attr-defined]


async def add_person(transaction: Transaction, seams: Seams, login: str, password_hash: str) -> UUID:
    """A new person without any grant; `invalid` for an impossible login, `login_taken` for a second one."""
    if not is_login(login):
        raise Problem("invalid", errors=[{"pointer": "/login", "code": "invalid"}])
    if await find_person(transaction, login):
        raise Problem("login_taken")
    person_id = seams.new_id()
    row = {"id": person_id, "login": login, "password": password_hash, "created_at": seams.now()}
    await transaction.insert(_PERSON, [row])
    return person_id


async def find_person(transaction: Transaction, login: str) -> sa.Row[Any] | None:
    """id, login, password (its hash) and disabled_at."""
    if not is_login(login):
        return None
    columns = sa.select(_PERSON.c.id, _PERSON.c.login, _PERSON.c.password, _PERSON.c.disabled_at)
    return await transaction.first(columns.where(_PERSON.c.login == login))


def is_login(login: str) -> bool:
    """1 to 64 printable characters, no blanks at the ends; so none that a store can't hold."""
    return 1 <= len(login) <= LONGEST_LOGIN and login.isprintable() and login == login.strip()


async def people_seen(snapshot: Transaction, before: UUID | None, most: int) -> Sequence[Any]:
    """The newest accounts: id, login, created_at, disabled_at."""
    columns = sa.select(_PERSON.c.id, _PERSON.c.login, _PERSON.c.created_at, _PERSON.c.disabled_at)
    older = columns if before is None else columns.where(_PERSON.c.id < before)
    return await snapshot.rows(older.order_by(_PERSON.c.id.desc()).limit(most))


async def disable_person(transaction: Transaction, seams: Seams, id: UUID) -> bool:
    """From now on nobody signs in with it, and who is signed in no longer is. False where there is none."""
    disabled = sa.func.coalesce(_PERSON.c.disabled_at, seams.now())
    return await transaction.execute(_PERSON.update().where(_PERSON.c.id == id).values(disabled_at=disabled)) > 0
