"""/v1/reports/activity: what was done over time, and never by whom."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from app.context import ContextDep
from app.contract import SIGNED_IN, STORED, answers
from app.identity.caller import CallerDep
from app.paging import each_once
from app.problems import wrong_field
from app.reports.activity import activity_of
from app.reports.counts import ByChannel, Few, HiddenBelow
from app.reports.forms import SHOWN, Asked, as_form
from app.reports.sheets import OfList

router = APIRouter(prefix="/v1/reports", tags=["reports"])
MOST_DAYS = 366
MOST_CODES = 200


class ActivityAsked(Asked):
    """Of which area, and of which days."""

    area_id: UUID = Field(description="区域 · The area, and whatever lies in it")
    since: date = Field(description="起始日期 · The first day")
    until: date = Field(description="截止日期，最多 366 天 · The last day: 366 of them at most")


class HourOfDay(BaseModel):
    """Visits in one hour of all these days."""

    hour: int = Field(ge=0, le=23, description="时段，手机所报，北京时间 · Hour: as phones told it, in China's time")
    visits: Few = Field(description="敲门次数 · Visits")
    opened: Few = Field(description="开门次数 · Opened: visits to which the door did")
    by_channel: ByChannel = Field(description="各方式次数 · Visits by channel")


class ByOutcome(BaseModel):
    """Visits by what came of them."""

    opened: Few = Field(description="开门 · Opened")
    nobody_home: Few = Field(description="无人 · Nobody home")
    refused: Few = Field(description="拒访 · Refused")
    moved_away: Few = Field(description="已搬走 · Moved away: who lived there")
    not_found: Few = Field(description="未找到 · Not found: no such door")


class ConflictsOn(BaseModel):
    """What two people changed at once and a person decides."""

    opened: Few = Field(description="新增 · New: opened on that day")
    decided: Few = Field(description="已处理 · Decided: on that day")
    open: Few = Field(description="待处理 · Open: at its end")


class DayOfWork(BaseModel):
    """One day of work."""

    day: date = Field(description="日期 · Day: of work")
    visits: Few = Field(description="敲门次数 · Visits")
    by_outcome: ByOutcome = Field(description="各结果次数 · Visits by outcome")
    conflicts: ConflictsOn = Field(description="冲突 · Conflicts")


class RefusedOn(BaseModel):
    """What the server refused of what phones sent on one day."""

    day: date = Field(description="日期 · Day: of work, on which they arrived")
    mutations: Few = Field(description="被拒的修改 · Edits refused: mutations")
    by_code: Annotated[dict[str, Few], Field(max_length=MOST_CODES), OfList(("problem",))] = Field(
        description="各原因 · By reason: the problem's code"
    )


class ActivityReport(BaseModel):
    """Over time, and never by person."""

    since: date = Field(description="起始日期 · First day")
    until: date = Field(description="截止日期 · Last day")
    hidden_below: HiddenBelow
    visits: Few = Field(description="敲门次数 · Visits: in all")
    untimed: Few = Field(description="未说明时间的次数 · Visits without an hour: no phone told it")
    hours: list[HourOfDay] = Field(max_length=24, description="各时段 · By hour of day: all 24")
    days: list[DayOfWork] = Field(
        max_length=MOST_DAYS, description="各日 · By day of work: every day, one after another"
    )
    refused: Annotated[list[RefusedOn], Field(max_length=MOST_DAYS)] | None = Field(
        description="被拒的修改；仅限整个社区及以上，其余为 null · Edits refused; null where less than a whole "
        "community is asked for or seen: what was refused lies in no area"
    )


@router.get(
    "/activity",
    summary="走访动态 · Activity over time",
    response_model=ActivityReport,
    responses=SHOWN | answers(SIGNED_IN, STORED, "bad_request", "not_found", "not_permitted", "dates_backward"),
    dependencies=[Depends(each_once)],
)
async def get_activity(caller: CallerDep, context: ContextDep, asked: Annotated[ActivityAsked, Query()]) -> Any:
    """一段日子里各时段、各日的敲门次数和结果，冲突的新增与处理，以及被拒的修改；不按人统计，也没有轨迹。
    时段按手机所说，日期由服务器推定。

    Visits by hour and by day of work, with what came of them; conflicts opened and decided; mutations refused. Nothing
    is counted by person, and nothing tells where anybody was. Hours are as phones told them, days as the server found.
    """
    if asked.until < asked.since:
        raise wrong_field("dates_backward", "until")
    if (asked.until - asked.since).days >= MOST_DAYS:
        raise wrong_field("bad_request", "until")
    said = await activity_of(context, caller.person_id, asked.area_id, asked.since, asked.until)
    return await as_form(context, caller.person_id, asked, ActivityReport, said, "走访动态 · Activity")
