"""POST /v1/campaigns/{id}/freeze: whom a campaign wants to reach is written down when it begins."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from app.campaigns import freeze
from app.context import ContextDep
from app.contract import PARSED_BODY, SIGNED_IN, STORED, answers, succeeds
from app.identity.caller import CallerDep

router = APIRouter(tags=["campaigns"])

Id = Annotated[UUID, Path(description="行动编号 · The campaign's id")]


class Freezing(BaseModel):
    """Of which part of the campaign."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    area_id: UUID | None = Field(
        None, strict=False, description="区域，默认行动的全部范围 · Part of the campaign's area; all of it"
    )


class FrozenTargets(BaseModel):
    """What was written down. Doors of areas that had blocks already aren't among them."""

    blocks: int = Field(ge=0, description="责任片数 · Blocks that were made")
    households: int = Field(ge=0, description="户数 · Doors in them")
    registered: int = Field(ge=0, description="登记人数 · Residents behind these doors")


@router.post(
    "/v1/campaigns/{id}/freeze",
    summary="锁定目标名单 · Freeze the targets",
    responses=succeeds(200)
    | answers(
        *(SIGNED_IN, STORED, PARSED_BODY, "bad_json", "not_permitted", "not_found", "reference_not_found", "invalid"),
    ),
)
async def freeze_campaign(id: Id, body: Freezing, caller: CallerDep, context: ContextDep) -> FrozenTargets:
    """按单元、楼栋把现有各户编成责任片，供认领；以后搬走或新增的户不改变目标名单。重复执行不改变已有的片。由办公室在名册导入后执行。

    Every door there is now goes into a block of its staircase, which somebody claims. Doors that come or go later don't
    change the targets. Done again, it adds only blocks of areas that have none. It is for secretaries and
    administrators, once the rosters are in.
    """
    frozen = await freeze(context, caller.person_id, id, body.area_id)
    return FrozenTargets(blocks=frozen.blocks, households=frozen.households, registered=frozen.registered)
