"""Deliveries 送货: what was brought to a door, on which day of work, and who signed for it."""

from datetime import date
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field, StringConstraints
from sqlmodel import SQLModel

from app.collections.base import HELPERS, Code, Moment, ask, collection, day_told, given, once, text, whole

Item = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Items = Annotated[set[Item], Field(max_length=50)]


def _by_day() -> list[sa.schema.SchemaItem]:
    return [sa.Index("deliveries_day_index", "home", "day")]


@collection(
    "deliveries",
    title="送货与慰问 · Deliveries",
    about="送到门口的物资、慰问品 · What was brought to a door, and the signed paper where there is one",
    lists_in="household_id",
    writers=HELPERS,
    gives=day_told("delivered_at"),
    columns=_by_day,
)
class Delivery(SQLModel):
    """What was brought to one door at one time 一次送货. Rounds end at midnight: `day` is the day of work."""

    household_id: UUID = once(refers_to="households", filter=True, helper=whole, description="哪一户 · The household")
    delivered_at: Moment | None = once(
        None, filter=True, helper=whole, description="送达时间（手机时钟） · When, by the phone's clock"
    )
    day: date | None = given(
        filter=True,
        helper=whole,
        description="工作日，由服务器推定 · The day of work it counts for, as the server finds it",
    )
    kind: Code = once("supplies", filter=True, helper=whole, description="类别代码 · A code of the list `delivery`")
    items: Items = once(default_factory=set, helper=whole, description="物品 · What was brought")
    receipt: str | None = ask(
        None, max_length=100, description="签收单 · The number of the signed paper, where there is one"
    )
    note: str = text("", max_length=1000, description="备注 · Where it was left, who took it")
