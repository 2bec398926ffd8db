"""/v1/reports/sweep, /v1/reports/patrol and /v1/reports/follow_ups: what campaigns and rounds came to."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from app.collections import COLLECTIONS
from app.collections.base import Code
from app.context import Context, ContextDep
from app.contract import SIGNED_IN, STORED, answers
from app.identity.caller import CallerDep
from app.paging import each_once
from app.records import find_record
from app.reports.counts import Few, HiddenBelow
from app.reports.follow_ups import MOST_KINDS, follow_ups_of
from app.reports.forms import SHOWN, Asked, as_form
from app.reports.patrol import patrol_of
from app.reports.sheets import Line, OfList
from app.reports.sweep import sweep_of
from sync.days import day_of

router = APIRouter(prefix="/v1/reports", tags=["reports"])
MOST_DOORS = 100_000
Way = Annotated[str, Field(max_length=2000, description="位置 · Place: the areas on the way to it, by name")]
Door = Annotated[str, Field(max_length=40, description="门牌号 · Door")]
Household = Annotated[UUID, Field(description="哪一户 · The household")]


class SweepAsked(Asked):
    """Of which campaign, and of which part of its area."""

    area_id: UUID = Field(description="区域 · The campaign's area, or a part of it")
    campaign_id: UUID = Field(description="专项行动 · The campaign")


class AreaSweep(BaseModel):
    """What a campaign has reached of one area."""

    area_id: UUID = Field(description="区域 · The area")
    name: str = Field(max_length=100, description="名称 · Name")
    level: Annotated[str, OfList(("level",))] = Field(max_length=32, description="层级 · Level")
    targets: Few = Field(description="目标户数 · Target doors: as they were frozen")
    knocked: Few = Field(description="敲过的户 · Knocked at: of these, each once")
    opened: Few = Field(description="开过门的户 · Opened: of these")
    left: Few = Field(description="待敲的户 · Still to knock: of these")
    gone: Few = Field(description="已不在此的户 · No longer there: of these")
    others: Few = Field(description="名单外的户 · Other doors: knocked at, but no target")
    visits: Few = Field(description="敲门次数 · Visits: however many at one door")
    late: Few = Field(description="迟到的记录 · Late visits: made or received after the last day")
    registered: Few = Field(description="登记人数 · Residents registered: behind the targets when these were frozen")
    met: Few = Field(description="见到的人 · Persons met: each once")
    not_registered: Few = Field(
        description="其中户籍不在此 · Registered elsewhere: of these, their household registration"
    )
    blocks: Few = Field(description="责任片 · Blocks: of doors")
    claimed: Few = Field(description="已认领 · Claimed: of these blocks")


class DoorToKnock(BaseModel):
    """A target where nobody opened yet, and nobody found out why not."""

    household: Household
    place: Way
    door: Door
    visits: int = Field(ge=0, description="已敲次数 · Times knocked")
    last: date | None = Field(description="上次日期 · Last time; null: never")


class SweepReport(BaseModel):
    """The area as a whole, the areas directly in it, and the doors that are left."""

    campaign_id: UUID = Field(description="专项行动 · The campaign")
    area_id: UUID = Field(description="区域 · The area")
    name: str = Field(max_length=100, description="名称 · Name: the campaign's")
    since: date = Field(description="起始日期 · First day")
    until: date = Field(description="截止日期 · Last day")
    hidden_below: HiddenBelow
    whole: AreaSweep = Field(description="合计 · As a whole")
    parts: list[AreaSweep] = Field(max_length=10_000, description="各下级区域 · Areas directly within")
    to_knock: Annotated[list[DoorToKnock], Field(max_length=MOST_DOORS)] | None = Field(
        description="待敲名单，社区以上为 null · Where to knock: along the walk; null to who looks from above"
    )


class PatrolAsked(Asked):
    """Whose log, of which day."""

    area_id: UUID = Field(description="区域 · The area in which they were about: a grid, a community")
    person_id: UUID | None = Field(None, description="人员，默认本人 · Whose; one's own")
    day: date | None = Field(None, description="日期，默认今天 · The day; today, by the server's clock")


class Knock(BaseModel):
    """One of the day's visits."""

    household: Household
    place: Way
    door: Door
    channel: Annotated[Code, OfList(("channel",))] = Field(description="方式 · Channel: where they met")
    outcome: Annotated[Code, OfList(("outcome",))] = Field(description="结果 · Outcome")
    needs: Annotated[list[Code], Field(max_length=1000), OfList(("need",))] = Field(description="需求 · Needs")
    note: str = Field(max_length=4000, description="记录 · Note: what was said")


class PatrolLogOfDay(BaseModel):
    """巡查日志由走访推算，不另填报 · Follows from the visits; only the note is written for it."""

    day: date = Field(description="日期 · Day: of work")
    person_id: UUID = Field(description="人员 · Whose log it is")
    name: str | None = Field(
        max_length=60, description="姓名 · Name: as the groups here call them; null for who is in none"
    )
    area_id: UUID = Field(description="区域 · The area")
    visits: int = Field(ge=0, description="敲门次数 · Visits")
    doors: int = Field(ge=0, description="敲过的户 · Doors knocked at: each once")
    opened: int = Field(ge=0, description="开过门的户 · Doors that opened")
    met: int = Field(ge=0, description="见到的人 · Residents met: each once")
    knocks: list[Knock] = Field(max_length=MOST_DOORS, description="各次走访 · Visits: along the walk")
    note: str = Field(max_length=1_000_000, description="备注 · Note: their own")


class FollowUpsAsked(Asked):
    """Of which area, and of which campaign."""

    area_id: UUID = Field(description="区域 · The area, and whatever lies in it")
    campaign_id: UUID | None = Field(None, description="专项行动 · Only of this campaign")


class FollowUpsOfKind(BaseModel):
    """What is counted of one kind."""

    kind: Annotated[Code, OfList(("follow_up",))] = Field(description="类别 · Kind: a code of the list `follow_up`")
    open: Few = Field(description="未办结 · Still open")
    overdue: Few = Field(description="其中逾期 · Overdue: of these")
    closed: Few = Field(description="已办结 · Closed")
    reasons: Annotated[dict[str, Few], Field(max_length=1000), OfList(("closed",))] = Field(
        description="办结原因 · Closed, by reason"
    )


class FollowUpsReport(BaseModel):
    """By kind."""

    day: date = Field(description="日期 · Day: on which they were overdue")
    area_id: UUID = Field(description="区域 · The area")
    hidden_below: HiddenBelow
    kinds: list[FollowUpsOfKind] = Field(max_length=MOST_KINDS, description="各类别 · By kind: each there is")


@router.get(
    "/sweep",
    summary="专项行动进展 · What a campaign has reached",
    response_model=SweepReport,
    responses=SHOWN | answers(SIGNED_IN, STORED, "bad_request", "not_found", "not_permitted"),
    dependencies=[Depends(each_once)],
)
async def get_sweep(caller: CallerDep, context: ContextDep, asked: Annotated[SweepAsked, Query()]) -> Any:
    """目标名单锁定后，敲了哪些门、见了多少人、还有哪些待敲；一户、一人只计一次，迟到的记录照收并标明。

    Of the doors that were frozen, which were knocked at, which opened, and where to knock again; and how many persons
    were met. A door and a person count once, from however many phones; what came late counts, and is told.
    """
    said = await sweep_of(context, caller.person_id, asked.campaign_id, asked.area_id)
    return await as_form(context, caller.person_id, asked, SweepReport, said, "专项行动进展 · Campaign")


@router.get(
    "/patrol",
    summary="巡查日志 · Patrol log of a day",
    response_model=PatrolLogOfDay,
    responses=SHOWN | answers(SIGNED_IN, STORED, "bad_request", "not_found", "not_permitted", "invalid"),
    dependencies=[Depends(each_once)],
)
async def get_patrol(caller: CallerDep, context: ContextDep, asked: Annotated[PatrolAsked, Query()]) -> Any:
    """一人一日一份：由当日走访推算，加上本人备注；几台手机写的合为一份。没有时刻，也没有轨迹。

    One log a person and a day: it follows from the visits, with their own note, from however many phones. It says
    neither the hour nor the way that somebody took.
    """
    day = asked.day or day_of(context.seams.now(), context.day_begins)
    whose = asked.person_id or caller.person_id
    said = await patrol_of(context, caller.person_id, asked.area_id, whose, day)
    return await as_form(context, caller.person_id, asked, PatrolLogOfDay, said, "巡查日志 · Patrol log")


@router.get(
    "/follow_ups",
    summary="跟进事项统计 · Follow-ups by kind",
    response_model=FollowUpsReport,
    responses=SHOWN | answers(SIGNED_IN, STORED, "bad_request", "not_found", "not_permitted"),
    dependencies=[Depends(each_once)],
)
async def get_follow_ups(caller: CallerDep, context: ContextDep, asked: Annotated[FollowUpsAsked, Query()]) -> Any:
    """各类跟进事项：未办结、逾期、已办结及原因。

    Follow-ups of each kind: open, overdue, and closed for which reasons.
    """
    day = day_of(context.seams.now(), context.day_begins)
    said = await follow_ups_of(context, caller.person_id, asked.area_id, asked.campaign_id, day)
    of = await _campaign_line(context, caller.person_id, asked.campaign_id) if asked.campaign_id else []
    return await as_form(context, caller.person_id, asked, FollowUpsReport, said, "跟进事项 · Follow-ups", of)


async def _campaign_line(context: Context, person: UUID, campaign: UUID) -> list[Line]:
    """What it is called, to whom that is known."""
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        found = await find_record(snapshot, context, person, COLLECTIONS["campaigns"], campaign)
    return [("专项行动 · Campaign", str(found.fields["name"]))] if found and not found.deleted else []
