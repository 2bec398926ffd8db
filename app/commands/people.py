"""`qiaomen person` and `qiaomen grant`: who may sign in, and what they may do where."""

import sys
from datetime import UTC, datetime
from getpass import getpass
from typing import Any

from app.areas import Area, find_area
from app.commands.session import refuse, with_context
from app.context import Context
from app.database import Transaction
from app.grants import add_grant, end_grant
from app.identity.passwords import LONGEST, SHORTEST, hash_password
from app.people import add_person, find_person


def add(login: str, role: str, area_code: str) -> str:
    """The new person's id. The password is asked for twice, or read as one line of standard input."""

    async def work(context: Context) -> str:
        # First what a person would have to correct before typing a password.
        async with context.database.snapshot("server") as snapshot:
            area = await _area(snapshot, area_code)
            if await find_person(snapshot, login):
                refuse("This login is taken.")
        salt = context.seams.random_bytes(16)
        password_hash = await hash_password(_password(), salt)

        async def write(transaction: Transaction) -> str:
            person_id = await add_person(transaction, context.seams, login, password_hash)
            await add_grant(transaction, context, person_id=person_id, area_id=area.id, role=role)
            return str(person_id)

        return await context.database.run(write)

    return with_context(work)


def grant(
    login: str,
    role: str,
    area_code: str,
    *,
    since: datetime | None,
    until: datetime | None,
    reason: str | None,
) -> str:
    """The new grant's id. Times without a zone are this machine's."""

    async def write(context: Context, transaction: Transaction) -> str:
        person, area = await _person(transaction, login), await _area(transaction, area_code)
        grant_id = await add_grant(
            transaction,
            context,
            person_id=person.id,
            area_id=area.id,
            role=role,
            since=_in_utc(since),
            until=_in_utc(until),
            reason=reason,
        )
        return str(grant_id)

    return with_context(lambda context: context.database.run(lambda t: write(context, t)))


def end(login: str, area_code: str, role: str | None) -> int:
    """How many grants were ended."""

    async def write(context: Context, transaction: Transaction) -> int:
        person, area = await _person(transaction, login), await _area(transaction, area_code)
        return await end_grant(transaction, context, person_id=person.id, area_id=area.id, role=role)

    return with_context(lambda context: context.database.run(lambda t: write(context, t)))


async def _area(transaction: Transaction, code: str) -> Area:
    area = await find_area(transaction, code)
    return area or refuse(f"There is no area with code {code}. Make it first: qiaomen area add {code} NAME …")


async def _person(transaction: Transaction, login: str) -> Any:
    return await find_person(transaction, login) or refuse("Nobody has this login. Use: qiaomen person add")


def _password() -> str:
    if sys.stdin.isatty():
        password = getpass("Password: ")
        if getpass("Again: ") != password:
            refuse("The two differ.")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not SHORTEST <= len(password) <= LONGEST:
        refuse(f"A password has {SHORTEST} to {LONGEST} characters.")
    return password


def _in_utc(time: datetime | None) -> datetime | None:
    return time.astimezone(UTC) if time else None
