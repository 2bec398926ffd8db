"""The dependencies that say who is calling; every route but the sign-in itself takes one of them."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from app.context import ContextDep
from app.identity.budget import spend_request
from app.identity.sign_ins import ended_by, signed_in
from app.identity.tokens import Claims, claims_of
from app.problems import Problem

_SIGNED_IN = signed_in(sa.bindparam("sign_in"))


@dataclass(frozen=True)
class Caller:
    """A person who is signed in, perhaps on a registered phone."""

    person_id: UUID
    replica_id: UUID | None


@dataclass(frozen=True)
class Phone(Caller):
    """A person on a registered phone."""

    replica_id: UUID


class _SignedToken(OAuth2PasswordBearer):
    """What a token signed by us says of its holder; whether that still holds, only the store knows.

    One dependency for the header, the signature and the document, since every request pays for each.
    """

    async def __call__(self, request: Request) -> Claims:  # type: ignore[override]
        claims = claims_of(request.app.state.context, await super().__call__(request))
        spend_request(request, claims.sign_in_id)
        return claims


_signed_token = _SignedToken(
    tokenUrl="v1/auth/token",
    refreshUrl="v1/auth/token",
    scheme_name="sign-in",
    description=(
        "用账号密码换取访问令牌（15 分钟）和刷新令牌；手机登记后使用自己的令牌。"
        " · An access token for 15 minutes and a refresh token, for a login and its password; a registered phone"
        " has tokens of its own. JWTs are checked as RFC8725 asks: one algorithm, issuer, expiry."
    ),
    auto_error=False,
)
ClaimsDep = Annotated[Claims, Depends(_signed_token)]
"""For a route that reads the sign-in in the same statement as everything else, and nobody else."""


async def caller_of(context: ContextDep, claims: ClaimsDep) -> Caller:
    """Whoever holds a good access token: one query says that sign-in, person and phone still are."""
    async with context.database.glance("nobody") as store:
        row = await store.fetch_first(_SIGNED_IN, sign_in=claims.sign_in_id)
    if fault := ended_by(row):
        raise Problem(fault)
    return Caller(claims.person_id, claims.replica_id)


CallerDep = Annotated[Caller, Depends(caller_of)]


async def phone_of(caller: CallerDep) -> Phone:
    """Whoever holds a registered phone's token; `replica_needed` for anybody else."""
    return as_phone(caller)


def as_phone(who: Caller | Claims) -> Phone:
    """Raises replica_needed."""
    if who.replica_id is None:
        raise Problem("replica_needed")
    return Phone(who.person_id, who.replica_id)


PhoneDep = Annotated[Phone, Depends(phone_of)]
