"""Members of door-knock groups 敲门组成员: who shares a grid's doors with whom, and from when to when."""

from datetime import date
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import OFFICE, Code, ask, collection, forwards, latest, once


@collection(
    "members",
    title="敲门组成员 · Members of door-knock groups",
    about="谁与谁分担一个网格的门 · Who shares a grid's doors with whom, and from when to when",
    lists_in="area_id",
    writers=OFFICE,
    pushable=False,
    audience="reference",
    rule=forwards,
)
class Member(SQLModel):
    """One person in one group 一名组员. Whoever reads below the area knows their names; no role comes with it."""

    area_id: UUID = once(refers_to="areas", filter=True, description="网格 · The grid, or other area, they knock in")
    group: Code = once("first", filter=True, description="组别代码 · Which of the area's groups")
    person_id: UUID = once(filter=True, description="人员 · Whose account it is")
    name: str = ask(min_length=1, max_length=60, description="姓名 · As colleagues call them")
    leads: bool = latest(False, filter=True, description="组长 · Do they lead the group?")
    per_day: int = latest(10, ge=0, le=200, description="每日户数 · How many doors a day they can take")
    since: date = ask(filter=True, description="起始日期 · The first day")
    until: date | None = ask(None, filter=True, description="终止日期 · The last day; null while it has no end")
