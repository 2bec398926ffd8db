"""Organisations 组织: departments, stations, branches, volunteer groups. Who belongs to whom is in `affiliations`."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, StringConstraints
from sqlmodel import SQLModel
from stdnum.cn import uscc

from app.collections.base import ADMINS, Code, ask, collection, latest, once


def _checked(code: str) -> str:
    if uscc.calc_check_digit(code) != code[-1]:
        raise ValueError("check_digit")
    return code


_SIGNS = "0-9A-HJ-NP-RTUW-Y"
CreditCode = Annotated[
    str,
    StringConstraints(pattern=rf"^[{_SIGNS}]{{2}}[0-9]{{6}}[{_SIGNS}]{{10}}$", max_length=18),
    AfterValidator(_checked),
]
"""As GB 32100 has it: authority, kind, the place's six digits, nine of the organisation, check digit; no I O S V Z."""


@collection(
    "organisations",
    title="组织 · Organisations",
    about="部门、驿站、支部等；上级可有多个 · Departments, stations, branches; each may belong to several",
    lists_in="area_id",
    writers=ADMINS,
    pushable=False,
    audience="reference",
    refuses=("check_digit",),
)
class Organisation(SQLModel):
    """One organisation 一个组织. Its members are who has a role over its team, from when to when."""

    area_id: UUID = once(
        refers_to="areas", filter=True, description="所属区域 · The area whose register it stands in, and is seen below"
    )
    name: str = ask(min_length=1, max_length=100, description="名称 · Its name")
    kind: Code = ask("other", filter=True, description="类别代码 · A code of the list `organisation`")
    credit_code: CreditCode | None = ask(
        None, description="统一社会信用代码 · Unified social credit code, with its check digit"
    )
    team_id: UUID | None = ask(
        None, refers_to="areas", filter=True, description="执行团队 · The team, or place, whose people act for it"
    )
    sort: int = latest(0, description="排序 · Its place in a list")
    retired: bool = latest(False, filter=True, description="已撤销 · It is no more; what named it keeps it")
