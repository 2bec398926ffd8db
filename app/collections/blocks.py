"""Blocks of doors 责任片: whom a campaign wants to reach, as it was when it began; and who takes them."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlmodel import SQLModel

from app.collections.base import HELPERS, OFFICE, ask, collection, once, text, whole

MOST_DOORS = 200
"""Of one block: more than a staircase has, and no more than a group can do in a day."""
Doors = Annotated[set[UUID], Field(max_length=MOST_DOORS)]


@collection(
    "blocks",
    title="责任片 · Blocks of doors",
    about="一次行动中由一人认领的若干户，定后不变，由办公室删除 · Doors of a campaign that one person claims; they "
    "stay as they were, and only the office deletes them",
    lists_in="area_id",
    writers=HELPERS,
    deleters=OFFICE,
)
class Block(SQLModel):
    """Some doors of one area in one campaign 一片. Of two claims offline the first to arrive stands, the other asks.

    Targets are the blocks that freezing a campaign makes, so that nobody who knocks deletes any; what somebody makes
    beside them counts for no report.
    """

    area_id: UUID = once(refers_to="areas", filter=True, helper=whole, description="单元或楼栋 · Where its doors are")
    campaign_id: UUID = once(filter=True, helper=whole, description="专项行动 · The campaign")
    part: int = once(1, ge=1, le=1000, helper=whole, description="第几片 · Which of the area's blocks, along the walk")
    households: Doors = once(default_factory=set, helper=whole, description="各户 · Its doors")
    registered: int = once(
        0, ge=0, le=100_000, helper=whole, description="登记人数 · Residents behind them at that time"
    )
    claimed_by: UUID | None = ask(
        None, filter=True, helper=whole, description="认领人 · Who knocks there; null: nobody yet"
    )
    note: str = text("", max_length=1000, helper=whole, description="备注 · What was agreed about it")
