"""Follow-ups 跟进: what a knock at a door has left to be done for somebody, until it is closed with a reason."""

from datetime import date
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import Code, ask, collection, forwards, latest, once, text, union


@collection(
    "follow_ups",
    title="跟进事项 · Follow-ups",
    about="购药、陪诊、返汉等需跟进的人，办结时写明原因 · Who is to be followed up, until it is closed with a reason",
    lists_in="household_id",
    erased_with=("campaign_id",),
    rule=forwards,
)
class FollowUp(SQLModel):
    """One matter of one household, or of somebody in it 一件跟进事项."""

    household_id: UUID = ask(refers_to="households", filter=True, description="哪一户 · The household")
    resident_id: UUID | None = once(
        None, refers_to="residents", filter=True, description="哪一位，空为整户 · Who; null: the household as a whole"
    )
    campaign_id: UUID | None = once(
        None, filter=True, description="专项行动 · The campaign that brought it up, if one did"
    )
    kind: Code = ask(filter=True, description="类别代码 · A code of the list `follow_up`")
    since: date = ask(filter=True, description="起始日期 · Since when")
    due: date | None = ask(None, filter=True, description="期限 · By when it should be done")
    responsible: set[UUID] = union(default_factory=set, filter=True, description="责任人 · Whose it is")
    closed: Code | None = latest(
        None,
        filter=True,
        description="办结原因代码，填写即办结 · Why it is closed, a code of the list `closed`; null: open",
    )
    until: date | None = latest(None, filter=True, description="办结日期 · On which day it was closed")
    note: str = text("", max_length=4000, description="备注 · What was done")
