"""Sponsorships 结对帮扶: who stands by a building, or by a household in it, from when to when."""

from datetime import date
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import Code, ask, collection, forwards, latest, once, text, whole


@collection(
    "sponsorships",
    title="结对帮扶 · Sponsorships",
    about="谁与哪栋楼、哪一户结对，何时起止 · Who stands by which building or household, from when to when",
    lists_in="area_id",
    rule=forwards,
)
class Sponsorship(SQLModel):
    """One link between somebody and a place 一项结对. Whoever declines, or ends it, needs no reason.

    It lies where its own area says, which whole buildings need: that of one household stays when the household moves
    to another building, until somebody who has both changes its area.
    """

    area_id: UUID = ask(
        refers_to="areas",
        filter=True,
        helper=whole,
        description="楼栋或单元，户迁楼时另改 · The building or unit; changed by hand when its household moves",
    )
    household_id: UUID | None = once(
        None,
        refers_to="households",
        filter=True,
        helper=whole,
        description="哪一户，空为整栋 · The household; null: the building",
    )
    person_id: UUID | None = once(
        None, filter=True, helper=whole, description="人员 · The account, where they have one"
    )
    name: str = ask(min_length=1, max_length=60, helper=whole, description="姓名 · Who it is")
    kind: Code = ask(
        "party_member", filter=True, helper=whole, description="类别代码 · A code of the list `sponsorship`"
    )
    state: Code = latest("agreed", filter=True, helper=whole, description="状态代码 · agreed, asked, declined, ended")
    since: date = ask(filter=True, helper=whole, description="起始日期 · The first day")
    until: date | None = ask(
        None, filter=True, helper=whole, description="终止日期 · The last day; null while it has no end"
    )
    note: str = text("", max_length=1000, description="备注 · What they agreed")
