"""The dependencies that say who is calling; every route but the sign-in itself takes one of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer

from app.context import ContextDep
from app.database import Transaction
from app.identity.sign_ins import ended_by, signed_in
from app.identity.tokens import Claims, claims_of
from app.problems import Problem

_bearer = OAuth2PasswordBearer(tokenUrl="v1/auth/token", auto_error=False)


@dataclass(frozen=True)
class Caller:
    """A person who is signed in, perhaps on a registered phone."""

    person_id: UUID
    replica_id: UUID | None
    expires_at: datetime
    """When the access token ends: no waiting answer may outlive it."""


@dataclass(frozen=True)
class Phone(Caller):
    """A person on a registered phone."""

    replica_id: UUID


async def require_caller(snapshot: Transaction, claims: Claims) -> Caller:
    """One query: the sign-in, the person and the phone are all still good, or a Problem says which isn't."""
    if fault := ended_by(await snapshot.first(signed_in(claims.sign_in_id))):
        raise Problem(fault)
    return Caller(claims.person_id, claims.replica_id, claims.expires_at)


async def caller_of(context: ContextDep, token: Annotated[str | None, Depends(_bearer)]) -> Caller:
    """Whoever holds a good access token."""
    claims = claims_of(context, token)
    async with context.database.snapshot() as snapshot:
        return await require_caller(snapshot, claims)


CallerDep = Annotated[Caller, Depends(caller_of)]


async def phone_of(caller: CallerDep) -> Phone:
    """Whoever holds a registered phone's token; `replica_needed` for anybody else."""
    if caller.replica_id is None:
        raise Problem("replica_needed")
    return Phone(caller.person_id, caller.replica_id, caller.expires_at)


PhoneDep = Annotated[Phone, Depends(phone_of)]
