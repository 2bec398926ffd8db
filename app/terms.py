"""On which terms a request is made: what must still hold (RFC 9110 §13), and the key that makes it happen once."""

import re
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.problems import Problem


def _unquoted(text: str) -> str:
    """A structured-field string, as draft-ietf-httpapi-idempotency-key-header has it, or the bare word."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


LONGEST_TAGS = 1000
_TAG = r'(W/)?"[!#-~\x80-\xff]*"'
ENTITY_TAGS = rf"^(\*|[ \t]*({_TAG}[ \t]*)?(,[ \t]*({_TAG}[ \t]*)?)*)$"
"""`*`, or a list of entity tags with nothing between some of its commas: RFC 9110 §8.8.3, §5.6.1, §13.1. There is one
way to read each text, so that trying them takes no time."""


def _tags(lines: list[str]) -> list[str]:
    """Each tag in its quotes, or `*` alone. `W/` falls: a proxy that compresses puts it in front of what is ours.

    So it does for If-Match, though RFC 9110 would have a weak tag match nothing: a rev moves with every change, and
    nobody behind such a proxy could say what they had read.
    """
    # A list may come in several lines, and is their list.
    text = ",".join(lines)
    if len(text) > LONGEST_TAGS or not re.fullmatch(ENTITY_TAGS, text):
        # Ignoring it would write what was to be written on terms only.
        raise PydanticCustomError("not_entity_tags", "`*`, or entity tags in quotes")
    return ["*"] if text == "*" else re.findall(r'"[^"]*"', text)


Tags = list[str]
_AS_TAGS = (
    AfterValidator(_tags),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_TAGS, "pattern": ENTITY_TAGS}),
)
IfMatch = Annotated[
    Tags | None,
    *_AS_TAGS,
    Header(
        alias="If-Match",
        description='读到的 `ETag`；已过时则 412 · The `ETag` that was read, in its quotes, e.g. `"3"`; stale is 412',
    ),
]
IfNoneMatch = Annotated[
    Tags | None,
    *_AS_TAGS,
    Header(
        alias="If-None-Match",
        description="`*`：仅当尚无此记录，否则 412 · `*`: only where there is no such record yet; else 412",
    ),
]
IfChanged = Annotated[
    Tags | None,
    *_AS_TAGS,
    Header(
        alias="If-None-Match",
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
    if_match: Tags | None = None
    if_none_match: Tags | None = None

    def require(self, rev: int | None) -> None:
        """`rev` is None where there is no record. Raises stale, already_there."""
        if self.if_match is not None and not names(self.if_match, rev):
            raise Problem("stale", rev=rev)
        if self.if_none_match is not None and names(self.if_none_match, rev):
            raise Problem("already_there", rev=rev)


def names(tags: Tags, rev: int | None) -> bool:
    """Is this rev among the entity tags of a header? `*` is any that exists."""
    return rev is not None and (tags == ["*"] or f'"{rev}"' in tags)


def terms_of(if_match: IfMatch = None, if_none_match: IfNoneMatch = None, idempotency_key: Key = None) -> Terms:
    """The headers, read."""
    return Terms(idempotency_key, if_match, if_none_match)


TermsDep = Annotated[Terms, Depends(terms_of)]
