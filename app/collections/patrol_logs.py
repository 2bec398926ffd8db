"""Patrol logs 巡查日志: one's own note on a day. The rest of the log follows from the day's visits."""

from datetime import date
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import ask, collection, once, text


@collection(
    "patrol_logs",
    title="巡查日志 · Patrol logs",
    about="当日自己的备注；其余由走访推算 · One's own note on a day; the rest of the log follows from the visits",
    lists_in="area_id",
)
class PatrolLog(SQLModel):
    """What one person noted on one day 一人一日的备注. Two phones may each begin one: the report joins them."""

    area_id: UUID = once(
        refers_to="areas", filter=True, description="单元或楼栋 · The building, or part of one, where it was written"
    )
    person_id: UUID = once(filter=True, description="人员 · Whose log it is")
    day: date = ask(
        filter=True,
        description="工作日，手机时钟有误时可更正 · The day of work it is of; changed where a phone's clock was wrong",
    )
    note: str = text("", max_length=4000, description="备注 · What no visit says")
