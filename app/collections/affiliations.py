"""Affiliations 隶属关系: which organisation belongs to which other, and from when to when. One may have several."""

from datetime import date
from typing import Literal
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import ADMINS, Error, ask, collection, fault, forwards, once
from sync.wire import Fields


def _of_two_and_forwards(fields: Fields) -> list[Error]:
    if fields.get("organisation_id") == fields.get("parent_id"):
        return [fault("parent_id")]
    return forwards(fields)


@collection(
    "affiliations",
    title="隶属关系 · Affiliations",
    about="组织的上级，可有多个，各有起止 · To whom an organisation belongs: several at a time, each with its dates",
    lists_in="organisation_id",
    writers=ADMINS,
    pushable=False,
    audience="reference",
    rule=_of_two_and_forwards,
)
class Affiliation(SQLModel):
    """One organisation belongs to another 一条隶属关系; both stand in the register of one area."""

    organisation_id: UUID = once(refers_to="organisations", filter=True, description="组织 · The organisation")
    parent_id: UUID = once(refers_to="organisations", filter=True, description="上级 · The one it belongs to")
    kind: Literal["leads", "guides", "supports"] = ask(
        "leads", filter=True, description="关系 · What the parent does: 领导 leads, 业务指导 guides, 共建 supports"
    )
    since: date = ask(filter=True, description="起始日期 · The first day")
    until: date | None = ask(None, filter=True, description="终止日期 · The last day; null while it has no end")
    document: str = ask("", max_length=100, description="文号 · Which document says so")
