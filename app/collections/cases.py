"""Mediation cases 调解案件: who quarrels about what, and what they agreed. Only the team's mediators ever see one."""

from datetime import date
from typing import Literal
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import MEDIATORS, Code, ask, collection, latest, once, text


@collection(
    "cases",
    title="调解案件 · Mediation cases",
    about="谁与谁为何事相争、如何议定；只有本团队的调解员看得到 · Who quarrels about what, and what they agreed",
    lists_in="area_id",
    writers=MEDIATORS,
    audience="team",
)
class Case(SQLModel):
    """One quarrel brought to a team of mediators 一件调解案件."""

    area_id: UUID = once(refers_to="areas", filter=True, description="调解团队 · The team: an area of the level `team`")
    kind: Code = ask("other", filter=True, description="纠纷类型代码 · A code of the list `quarrel`")
    opened_on: date = ask(filter=True, description="受理日期 · When it was brought")
    parties: str = ask(min_length=1, max_length=2000, description="当事人 · Who, and how to reach them")
    matter: str = text("", max_length=4000, description="事由和经过 · What about, and what was said and done")
    state: Literal["open", "settled", "failed", "withdrawn"] = latest(
        "open", filter=True, description="状态 · open; settled, failed or withdrawn"
    )
    agreement: str = text("", max_length=4000, description="调解协议 · What they agreed")
