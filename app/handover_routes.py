"""POST /v1/areas/{id}/handover: a redrawn grid, tried first and then done."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from app.context import ContextDep
from app.contract import PARSED_BODY, SIGNED_IN, STORED, answers, succeeds
from app.handover import MOST_TOUCHED, Touched, hand_over
from app.identity.caller import CallerDep

router = APIRouter(tags=["areas"])

AreaId = Annotated[UUID, Path(description="区域编号 · The area that is handed over, with all that lies in it")]
MOST_PHONES = 1000


class Handover(BaseModel):
    """Where the area goes."""

    model_config = ConfigDict(strict=True, extra="forbid")

    to: UUID = Field(strict=False, description="新的上级区域 · The area it is to lie in")
    dry_run: bool = Field(True, description="只试算，不执行 · Only say what it would touch; nothing is done")


class PhoneTouched(BaseModel):
    """A phone of somebody whose area changes, as it last spoke."""

    id: UUID = Field(description="手机编号 · The phone's id")
    name: str = Field(max_length=64, description="名称 · What its owner calls it")
    seen_at: datetime | None = Field(description="最近同步 · When it last pulled, to five minutes")
    unsent: int = Field(ge=0, le=2**31 - 1, description="未上传条数 · Mutations it said it still holds")
    unsent_since: datetime | None = Field(description="最早未上传 · Since when, by its own clock")


class PersonTouched(BaseModel):
    """Somebody who loses or gains it."""

    person_id: UUID = Field(description="人员编号 · Who")
    phones: list[PhoneTouched] = Field(max_length=MOST_PHONES, description="手机 · Their phones that aren't revoked")


class HandoverReport(BaseModel):
    """What it touches. Phones lose and gain with their next complete pull; what was written before is still taken."""

    done: bool = Field(description="是否已执行 · Was it done, or only tried?")
    areas: int = Field(ge=1, le=2**31 - 1, description="区域数 · Areas that move, itself among them")
    records: int | None = Field(ge=0, le=2**53 - 1, description="记录数，仅试算 · Records listed there; of a dry run")
    open_conflicts: int | None = Field(
        ge=0, le=2**53 - 1, description="未处理冲突，仅试算 · Conflicts that wait there; of a dry run"
    )
    losing: list[PersonTouched] = Field(max_length=MOST_TOUCHED, description="移出的人 · Who loses it")
    gaining: list[PersonTouched] = Field(max_length=MOST_TOUCHED, description="接手的人 · Who gains it")


@router.post(
    "/v1/areas/{id}/handover",
    summary="交接 · Hand an area over",
    responses=succeeds(200)
    | answers(
        *(SIGNED_IN, STORED, PARSED_BODY, "bad_json", "not_permitted", "not_found", "reference_not_found"),
        *("handover_to_itself", "handover_cycle", "handover_across", "handover_too_deep"),
    ),
)
async def hand_area_over(id: AreaId, body: Handover, caller: CallerDep, context: ContextDep) -> HandoverReport:
    """楼栋换网格、网格重划。先试算：列出涉及的人、手机、未上传条数和未处理冲突；确认后以 `dry_run: false` 执行。

    A building goes to another grid, a grid is redrawn. First a dry run: the people and phones it touches, what they
    haven't sent, the conflicts that wait; then `dry_run: false` does it. No record is rewritten.
    """
    report = await hand_over(context, caller.person_id, id, body.to, dry_run=body.dry_run)
    return HandoverReport(
        done=not body.dry_run,
        areas=report.areas,
        records=report.records,
        open_conflicts=report.open_conflicts,
        losing=_views(report.losing),
        gaining=_views(report.gaining),
    )


def _views(touched: list[Touched]) -> list[PersonTouched]:
    return [
        PersonTouched(
            person_id=one.person_id,
            phones=[PhoneTouched.model_validate(phone, from_attributes=True) for phone in one.phones[:MOST_PHONES]],
        )
        for one in touched[:MOST_TOUCHED]
    ]
