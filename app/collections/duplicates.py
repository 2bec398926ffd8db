"""Duplicates 疑似重复: two records that look like one. The server notes them (alike.py), a person decides."""

from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.collections.base import Code, collection, latest, once, text


def _indexes() -> list[sa.Index]:
    return [sa.Index(f"duplicates_{name}_index", "home", name) for name in ("record", "other")]


@collection(
    "duplicates",
    title="疑似重复 · Duplicates",
    about="像是同一人、同一户的两条记录，合并或标明不是 · Two records that look like one: merge them, or say no",
    lists_in="area_id",
    erased_with=("record", "other"),
    columns=_indexes,
)
class Duplicate(SQLModel):
    """Two records that look like one 疑似重复的两条记录."""

    area_id: UUID = once(refers_to="areas", filter=True, description="所在区域 · Where they lie, in the same building")
    of_collection: Code = once(filter=True, description="记录类型 · The collection of both")
    record: UUID = once(filter=True, description="一条 · The one; of two, the one with the smaller id")
    other: UUID = once(filter=True, description="另一条 · The other")
    alike: set[Code] = once(default_factory=set, description="相同的字段 · Fields of which both have the same")
    state: Literal["open", "dismissed"] = latest(
        "open", filter=True, description="状态 · open; dismissed where a person said that they are two"
    )
    note: str = text("", max_length=1000, description="备注 · Why they are two")
