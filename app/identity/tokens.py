"""The two tokens. Both are signed, neither is stored.

An access token (a JWT) says for 15 minutes who is calling. A refresh token names a sign-in and a
generation of it; what a generation is good for, sign_ins.py decides.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from app.context import Context
from app.problems import Problem

ACCESS_SECONDS = 15 * 60


@dataclass(frozen=True)
class Claims:
    """What an access token says."""

    person_id: UUID
    replica_id: UUID | None
    sign_in_id: UUID
    expires_at: datetime


def access_token(context: Context, *, person_id: UUID, replica_id: UUID | None, sign_in_id: UUID) -> str:
    """A JWT, good for ACCESS_SECONDS by the server's clock."""
    now = int(context.seams.now().timestamp())
    claims: dict[str, Any] = {
        "iss": str(context.server_id),
        "sub": str(person_id),
        "sin": str(sign_in_id),
        "iat": now,
        "exp": now + ACCESS_SECONDS,
    }
    if replica_id is not None:
        claims["rep"] = str(replica_id)
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(context.subkey("access")))


def claims_of(context: Context, token: str | None) -> Claims:
    """Raises `not_signed_in` without a token, `token_foreign` for one we didn't sign, `token_expired`."""
    if not token:
        raise Problem("not_signed_in")
    claims = _signed_claims(context.subkey("access"), str(context.server_id), token)
    require_unexpired(context, claims)
    return claims


def require_unexpired(context: Context, claims: Claims) -> None:
    """Raises `token_expired`: asked again where an answer took its time."""
    if claims.expires_at <= context.seams.now():
        raise Problem("token_expired")


@lru_cache(maxsize=4096)
def _signed_claims(key: bytes, issuer: str, token: str) -> Claims:
    """Remembered, since a phone shows the same token for 15 minutes; only good ones are."""
    try:
        said = jwt.decode(token, OctKey.import_key(key), algorithms=["HS256"]).claims
        claims = Claims(
            person_id=UUID(said["sub"]),
            replica_id=UUID(said["rep"]) if "rep" in said else None,
            sign_in_id=UUID(said["sin"]),
            expires_at=datetime.fromtimestamp(said["exp"], UTC),
        )
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem("token_foreign") from error
    if said.get("iss") != issuer:
        raise Problem("token_foreign")
    return claims


def refresh_token(context: Context, sign_in_id: UUID, generation: int) -> str:
    """48 characters: the sign-in, its generation, and our signature. The same input gives the same token."""
    body = sign_in_id.bytes + generation.to_bytes(4, "big")
    signature = hmac.digest(context.subkey("refresh"), body, sha256)[:16]
    return urlsafe_b64encode(body + signature).decode()


def refresh_token_says(context: Context, token: str) -> tuple[UUID, int]:
    """The sign-in and the generation; raises `token_foreign` if we didn't sign it."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii"))
        sign_in_id, generation = UUID(bytes=raw[:16]), int.from_bytes(raw[16:20], "big")
    except ValueError as error:
        raise Problem("token_foreign") from error
    # The whole text, not its decoded signature alone: base64 has many spellings of the same bytes.
    if not hmac.compare_digest(token, refresh_token(context, sign_in_id, generation)):
        raise Problem("token_foreign")
    return sign_in_id, generation
