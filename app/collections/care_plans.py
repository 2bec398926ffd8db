"""Care plans 关爱计划: who is to be met how often, by whom, and what counts as meeting them."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlmodel import SQLModel

from app.collections.base import Code, Error, ask, collection, fault, forwards, latest, once, text, union
from sync.wire import Fields

Channel = Literal["door", "phone", "street", "window"]


def _somebodys(fields: Fields) -> list[Error]:
    return forwards(fields) if fields.get("responsible") else [fault("responsible", "nobody_responsible")]


@collection(
    "care_plans",
    title="关爱计划 · Care plans",
    about="多久见一次、由谁负责；清单由此算出 · How often to meet whom, and whose it is: duty lists follow from it",
    lists_in="household_id",
    refuses=("nobody_responsible",),
    rule=_somebodys,
)
class CarePlan(SQLModel):
    """One promise to look after somebody 一项关爱计划. When the next contact is due follows from the visits."""

    household_id: UUID = once(refers_to="households", filter=True, description="哪一户 · The household")
    resident_id: UUID | None = once(
        None,
        refers_to="residents",
        filter=True,
        description="哪一位 · Who: only a visit that met them counts; null: anybody behind the door",
    )
    reason: Code = ask("other", filter=True, description="缘由代码 · Why, a code of the list `care`")
    every_days: Annotated[int, Field(ge=1, le=92)] = ask(
        7, description="周期（天） · The longest time between two contacts, in days"
    )
    days: Literal["working_days", "all_days"] = ask(
        "working_days",
        description="工作日或每日 · On working days only: what is due on a holiday is due before it; or on all days",
    )
    channels: set[Channel] = union(
        default_factory=set, description="算数的方式，空为不限 · Which ways of meeting count; none: all"
    )
    responsible: set[UUID] = union(filter=True, description="责任人 · Whose it is: one person or more")
    risk: Annotated[int, Field(ge=1, le=3)] = ask(2, description="风险 · 1 low, 2, 3 high: what comes first")
    since: date = ask(filter=True, description="起始日期 · By when the first contact is due")
    until: date | None = ask(None, filter=True, description="终止日期 · The last day; null while it has no end")
    closed: Code | None = latest(
        None,
        filter=True,
        description="结束原因代码，填写即不再到期 · Why it ended, a code of the list `closed`: nothing is due then",
    )
    note: str = text("", max_length=4000, description="备注 · What whoever goes should know")
