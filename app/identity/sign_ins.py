"""Sign-ins: families of refresh tokens, of which the newest two generations are good.

A phone whose answer was lost comes back with the token before the newest, and is given the newest
again: a lost answer never signs a phone out while it holds unsent notes. An older token than that was
copied, so the family ends.
"""

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, Field

from app.context import Context
from app.database import Transaction
from app.identity.tokens import ACCESS_SECONDS, access_token, refresh_token, refresh_token_says
from app.prepared import among
from app.problems import Problem
from app.tables import Person, Replica, SignIn

IDLE_LIFE = timedelta(days=30)
LONGEST_LIFE = timedelta(days=90)

_PERSON: sa.Table = Person.__table__  # type: ignore[attr-defined]
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]
_SIGN_IN: sa.Table = SignIn.__table__  # type: ignore[attr-defined]


class Tokens(BaseModel):
    """Answer of a sign-in and of a refresh."""

    access_token: str = Field(max_length=1024, description="访问令牌 · Goes into `Authorization: Bearer …`")
    token_type: Literal["bearer"] = Field("bearer", description="类型 · Its kind")
    expires_in: int = Field(
        ACCESS_SECONDS, ge=1, le=ACCESS_SECONDS, description="有效秒数 · Seconds the access token lives"
    )
    refresh_token: str = Field(max_length=256, description="刷新令牌 · For the next access token; keep the newest")


async def begin_sign_in(
    transaction: Transaction, context: Context, *, person_id: UUID, replica_id: UUID | None = None
) -> Tokens:
    """A new family for the person, or for one phone of theirs."""
    now, sign_in_id = context.seams.now(), context.seams.new_id()
    row: dict[str, Any] = {
        "id": sign_in_id,
        "person_id": person_id,
        "replica_id": replica_id,
        "generation": 0,
        "created_at": now,
        "used_at": now,
        "ended_at": None,
    }
    await transaction.insert(_SIGN_IN, [row])
    return _tokens(context, sign_in_id, person_id, replica_id, 0)


async def refresh_sign_in(transaction: Transaction, context: Context, token: str) -> Tokens | Problem:
    """Fresh tokens, or why not.

    The problem is returned, to be raised after the commit: a reused token has ended its family, and a
    rollback would forget that.
    """
    sign_in_id, generation = refresh_token_says(context, token)
    # Locked: of two requests with one token the second must see what the first issued.
    row = await transaction.first(_refreshing(sign_in_id))
    if fault := _fault_of(row, context):
        return Problem(fault)
    assert row is not None
    change = _SIGN_IN.update().where(_SIGN_IN.c.id == sign_in_id)
    newest = row.generation
    if generation < newest - 1:
        await transaction.execute(change.values(ended_at=context.seams.now()))
        return Problem("refresh_reused")
    if generation >= newest:
        # A generation above the row's is ours too: the server was restored from an older backup.
        newest = generation + 1
        await transaction.execute(change.values(generation=newest, used_at=context.seams.now()))
    return _tokens(context, sign_in_id, row.person_id, row.replica_id, newest)


async def end_sign_ins_of_replica(transaction: Transaction, context: Context, replica_id: UUID) -> None:
    """Every family bound to the phone ends; its refresh tokens are worth nothing."""
    open_ones = (_SIGN_IN.c.replica_id == replica_id) & _SIGN_IN.c.ended_at.is_(None)
    await transaction.execute(_SIGN_IN.update().where(open_ones).values(ended_at=context.seams.now()))


_WITH_WHAT_ENDS_THEM = (
    sa.select(
        _SIGN_IN.c.person_id,
        _SIGN_IN.c.replica_id,
        _SIGN_IN.c.generation,
        _SIGN_IN.c.created_at,
        _SIGN_IN.c.used_at,
        _SIGN_IN.c.ended_at,
        _PERSON.c.disabled_at,
        _REPLICA.c.revoked_at,
    )
    .select_from(_SIGN_IN)
    .join(_PERSON, _PERSON.c.id == _SIGN_IN.c.person_id)
    .join(_REPLICA, _REPLICA.c.id == _SIGN_IN.c.replica_id, isouter=True)
)


def signed_in(sign_in_id: UUID | sa.BindParameter[UUID]) -> sa.Select[Any]:
    """The sign-in with what may have ended it: one row, or none."""
    return _WITH_WHAT_ENDS_THEM.where(_SIGN_IN.c.id == sign_in_id)


def still_good() -> sa.Select[Any]:
    """(id, person_id) of each of `:sign_ins` that nothing has ended: those for which `ended_by` says None."""
    ends = (_SIGN_IN.c.ended_at, _PERSON.c.disabled_at, _REPLICA.c.revoked_at)
    good = _WITH_WHAT_ENDS_THEM.where(among(_SIGN_IN.c.id, "sign_ins"), *(end.is_(None) for end in ends))
    return good.with_only_columns(_SIGN_IN.c.id, _SIGN_IN.c.person_id)


def ended_by(row: Any) -> str | None:
    """The code of what ended a sign-in; None while it is good. The phone's own end comes first: it wipes."""
    if row is None:
        return "not_signed_in"
    if row.revoked_at is not None:
        return "replica_revoked"
    if row.disabled_at is not None:
        return "person_disabled"
    return "not_signed_in" if row.ended_at is not None else None


def _refreshing(sign_in_id: UUID) -> sa.Select[Any]:
    return signed_in(sign_in_id).with_for_update(of=_SIGN_IN)


def _fault_of(row: sa.Row[Any] | None, context: Context) -> str | None:
    if fault := ended_by(row):
        return fault
    assert row is not None
    now = context.seams.now()
    too_old = now - row.used_at >= IDLE_LIFE or now - row.created_at >= LONGEST_LIFE
    return "not_signed_in" if too_old else None


def _tokens(context: Context, sign_in_id: UUID, person_id: UUID, replica_id: UUID | None, generation: int) -> Tokens:
    return Tokens(
        access_token=access_token(context, person_id=person_id, replica_id=replica_id, sign_in_id=sign_in_id),
        refresh_token=refresh_token(context, sign_in_id, generation),
    )
