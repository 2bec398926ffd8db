"""Conflicts 冲突: a field that two people changed and no rule could settle. A person resolves it."""

from typing import Any
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import ask, collection, once


@collection(
    "conflicts",
    title="冲突 · Conflicts",
    about="两人改了同一处，等人来定 · What two people changed at once; a person decides",
    lists_in="of_record",
    erased_with=("of_record",),
)
class Conflict(SQLModel):
    """One contested field of one record 一处冲突."""

    of_collection: str = once(max_length=64, filter=True, description="记录类型 · The record's collection")
    of_record: UUID = once(filter=True, description="记录 · The record")
    field: str = once(
        max_length=64, filter=True, description="字段 · The contested field; `deleted` for a crossing delete"
    )
    base: Any = once(None, description="原值 · What both started from")
    held: Any = once(None, description="现值 · What the record holds now")
    candidates: Any = once(None, description="候选值 · `[{value, by, mutation, rev}]`, the values that wait")
    state: str = once("open", max_length=16, filter=True, description="状态 · open or closed")
    resolution: Any = ask(None, description="处理结果 · The value chosen. Sent as `{value, base, after}`")
    resolved_by: UUID | None = once(None, filter=True, description="处理人 · Who chose it")
