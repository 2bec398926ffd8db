"""On which terms a request is made: what must still hold (RFC 9110 §13), and the key that makes it happen once."""

import re
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header
from pydantic import BeforeValidator

from app.problems import Problem


def _unquoted(text: str) -> str:
    """A structured-field string, as draft-ietf-httpapi-idempotency-key-header has it, or the bare word."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


LONGEST_TAGS = 1000
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=LONGEST_TAGS,
        description='读到的 `ETag`；已过时则 412 · The `ETag` that was read, e.g. `"3"`; stale is 412',
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=LONGEST_TAGS,
        description="`*`：仅当尚无此记录，否则 412 · `*`: only where there is no such record yet; else 412",
    ),
]
IfChanged = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=LONGEST_TAGS,
        description="已有的 `ETag`；未变则 304 · The `ETag` one has: if it still holds, 304",
    ),
]
Key = Annotated[
    UUID | None,
    BeforeValidator(_unquoted),
    Header(
        alias="Idempotency-Key",
        description="修改编号，重发只生效一次 · A UUID, quoted or bare, made once per request: the id of the mutation. "
        "Sent again, it acts once",
    ),
]


@dataclass(frozen=True)
class Terms:
    """What the caller asks of the record before it is written, and the mutation's id."""

    key: UUID | None = None
    if_match: str | None = None
    if_none_match: str | None = None

    def require(self, rev: int | None) -> None:
        """`rev` is None where there is no record. Raises stale, already_there."""
        if self.if_match is not None and not names(self.if_match, rev):
            raise Problem("stale", rev=rev)
        if self.if_none_match is not None and names(self.if_none_match, rev):
            raise Problem("already_there", rev=rev)


def names(tags: str, rev: int | None) -> bool:
    """Is this rev among the entity tags of a header? `*` is any that exists."""
    if rev is None or tags.strip() == "*":
        return rev is not None
    return str(rev) in (re.findall(r'"([^"]*)"', tags) or [tags.strip()])


def terms_of(if_match: IfMatch = None, if_none_match: IfNoneMatch = None, idempotency_key: Key = None) -> Terms:
    """The headers, read."""
    return Terms(idempotency_key, if_match, if_none_match)


TermsDep = Annotated[Terms, Depends(terms_of)]
