"""Visits 敲门: one knock on one door, written once; only its note is corrected later."""

from datetime import date
from typing import Literal
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.collections.base import HELPERS, Code, Moment, collection, day_told, given, once, text, whole


def _indexes() -> list[sa.schema.SchemaItem]:
    for_one = sa.text("campaign_id IS NOT NULL")
    return [
        sa.Index("visits_day_index", "home", "day"),
        sa.Index("visits_campaign_index", "home", "campaign_id", postgresql_where=for_one, sqlite_where=for_one),
    ]


@collection(
    "visits",
    title="敲门记录 · Visits",
    about="每敲一次门，记一条 · One knock on one door, written once",
    lists_in="household_id",
    writers=HELPERS,
    gives=day_told("visited_at"),
    columns=_indexes,
)
class Visit(SQLModel):
    """One knock on one door 一次敲门."""

    household_id: UUID = once(refers_to="households", filter=True, helper=whole, description="哪一户 · The household")
    visited_at: Moment | None = once(
        None,
        filter=True,
        helper=whole,
        description="敲门时间（手机时钟） · When, by the phone's clock; `day` follows from how long that was ago",
    )
    day: date | None = given(
        filter=True,
        helper=whole,
        description="工作日，由服务器按时间差推定 · The day of work it counts for, as the server finds it: no phone's "
        "clock decides it",
    )
    channel: Literal["door", "phone", "street", "window"] = once(
        "door", filter=True, helper=whole, description="方式 · Where they met"
    )
    method: Code | None = once(
        None, filter=True, helper=whole, description="敲门十八法代码 · The way to knock, a code of the list `method`"
    )
    outcome: Literal["opened", "nobody_home", "refused", "moved_away", "not_found"] = once(
        filter=True, helper=whole, description="结果 · What happened"
    )
    persons_met: set[UUID] = once(default_factory=set, filter=True, description="见到的居民 · Residents who were met")
    campaign_id: UUID | None = once(
        None, filter=True, helper=whole, description="专项行动 · The campaign it was made for, if one"
    )
    needs: set[Code] = once(default_factory=set, filter=True, description="需求代码 · Codes of the list `need`")
    note: str = text("", max_length=4000, description="记录 · What was said")
