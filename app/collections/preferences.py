"""Volunteers' preferences 志愿者意向: where, when and with what somebody likes to help. Declining costs nothing."""

from datetime import date
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import OFFICE, Code, ask, collection, forwards, once, text, union


@collection(
    "preferences",
    title="志愿者意向 · Volunteers' preferences",
    about="就近、就时、就便：愿在何处、何时、做什么 · Where, when and with what somebody likes to help",
    lists_in="area_id",
    writers=OFFICE,
    pushable=False,
    audience="reference",
    rule=forwards,
)
class Preference(SQLModel):
    """What one volunteer told of themselves 一位志愿者的意向. Everybody below the area reads it."""

    area_id: UUID = once(refers_to="areas", filter=True, description="区域 · The area whose people may ask them")
    person_id: UUID | None = once(None, filter=True, description="人员 · Their account, where they have one")
    name: str = ask(min_length=1, max_length=60, description="姓名 · As colleagues call them")
    places: set[UUID] = union(
        default_factory=set, filter=True, description="愿去的区域，空为不限 · Areas they like to go to; none: anywhere"
    )
    times: set[Code] = union(default_factory=set, filter=True, description="时段代码 · Codes of the list `time`")
    skills: set[Code] = union(default_factory=set, filter=True, description="特长代码 · Codes of the list `skill`")
    since: date = ask(filter=True, description="起始日期 · From which day on")
    until: date | None = ask(None, filter=True, description="终止日期 · The last day; null while it has no end")
    note: str = text(
        "",
        max_length=1000,
        description="备注 · What else everybody may know of it",
    )
