"""/v1/reports: what an office would otherwise ask to be filled in, derived from what was written at the door."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from app.collections.base import Code
from app.context import ContextDep
from app.contract import SIGNED_IN, STORED, answers
from app.identity.caller import CallerDep
from app.paging import each_once, each_once_but
from app.problems import wrong_field
from app.reports.counts import ByChannel, Few, HiddenBelow
from app.reports.coverage import coverage_of
from app.reports.duties import duties_of
from app.reports.forms import SHOWN, Asked, as_form
from app.reports.sheets import OfList
from app.reports.totals import totals_of
from sync.days import day_of

router = APIRouter(prefix="/v1/reports", tags=["reports"])
MOST_DOORS = 100_000


class DutiesAsked(Asked):
    """Which group's list, of which day."""

    area_id: UUID = Field(description="网格 · The grid, or other area, whose doors the group knocks")
    group: Code = Field("first", description="组别代码 · Group: which of the area's")
    day: date | None = Field(None, description="日期，默认今天 · The day; today, by the server's clock")


class TotalsAsked(Asked):
    """Of which area, and which tags together."""

    area_id: UUID = Field(description="区域 · The area, and whatever lies in it")
    tag: list[Code] = Field(
        [], max_length=10, description="标签，可重复 · Tag, may be repeated: residents with at least one are `any_of`"
    )


Tagged = Annotated[dict[str, Few], Field(max_length=1000), OfList(("tag",))]


class AreaTotals(BaseModel):
    """What is counted of one area; null where it is fewer than `hidden_below`."""

    area_id: UUID = Field(description="区域 · The area")
    name: str = Field(max_length=100, description="名称 · Name")
    level: Annotated[str, OfList(("level",))] = Field(max_length=32, description="层级 · Level")
    households: Few = Field(description="户数 · Households")
    residents: Few = Field(description="居民 · Residents")
    aged_60: Few = Field(description="60 岁及以上 · Aged 60 or over: residents by their birth dates")
    aged_80: Few = Field(description="80 岁及以上 · Aged 80 or over")
    any_of: Few = Field(
        None,
        description="有所问标签之一的人数 · Residents with any of the tags: of those asked for, each resident once; "
        "absent where none was",
    )
    household_tags: Tagged = Field(description="各标签户数 · Households with each tag")
    resident_tags: Tagged = Field(description="各标签人数 · Residents with each tag")


class TotalsReport(BaseModel):
    """The area as a whole, and the areas directly in it."""

    day: date = Field(description="日期 · Day: on which people were so old")
    tag: Annotated[list[Code], Field(max_length=10), OfList(("tag",))] = Field(
        description="所问标签 · Tags asked for: of which `any_of` counts who has at least one"
    )
    hidden_below: HiddenBelow
    whole: AreaTotals = Field(description="合计 · As a whole")
    parts: list[AreaTotals] = Field(max_length=10_000, description="各下级区域 · Areas directly within")


class CoverageAsked(Asked):
    """Of which area, and of which days."""

    area_id: UUID = Field(description="区域 · The area, and whatever lies in it")
    since: date = Field(description="起始日期 · The first day")
    until: date = Field(description="截止日期 · The last day")


class AreaCoverage(BaseModel):
    """What was reached of one area."""

    area_id: UUID = Field(description="区域 · The area")
    name: str = Field(max_length=100, description="名称 · Name")
    level: Annotated[str, OfList(("level",))] = Field(max_length=32, description="层级 · Level")
    households: Few = Field(description="户数 · Households: how many there are")
    knocked: Few = Field(description="敲过的户 · Knocked at: households, each once")
    opened: Few = Field(description="开过门的户 · Opened: households")
    visits: Few = Field(description="敲门次数 · Visits: however many at one door")
    met: Few = Field(description="见到的人 · Residents met: each once")
    by_channel: ByChannel = Field(description="各方式次数 · Visits by channel")


class MethodUse(BaseModel):
    """What one of the ways to knock led to."""

    method: Annotated[Code | None, OfList(("method",))] = Field(
        description="敲门方法 · Way of knocking: a code of the list `method`; null: none was told"
    )
    tried: Few = Field(description="次数 · Times tried")
    opened: Few = Field(description="开门次数 · Times opened")
    after_refusal: Few = Field(description="拒访后开门 · Opened after a refusal: that of the time before")


class CoverageReport(BaseModel):
    """The area as a whole, the areas directly in it, and the ways to knock."""

    since: date = Field(description="起始日期 · First day")
    until: date = Field(description="截止日期 · Last day")
    hidden_below: HiddenBelow
    whole: AreaCoverage = Field(description="合计 · As a whole")
    parts: list[AreaCoverage] = Field(max_length=10_000, description="各下级区域 · Areas directly within")
    methods: list[MethodUse] = Field(max_length=1000, description="各方法 · Ways of knocking: each that was used")


class DueDoor(BaseModel):
    """A door with contacts due."""

    household: UUID = Field(description="哪一户 · The household")
    place: str = Field(max_length=2000, description="位置 · Place: the areas on the way to it, by name")
    door: str = Field(max_length=40, description="门牌号 · Door")
    due: date = Field(description="应访日期 · Due: when the first of its contacts was")
    late: int = Field(ge=0, description="逾期天数 · Days overdue")
    risk: int = Field(ge=1, le=3, description="风险 · Risk: of its plans the highest, 3 before 1")
    plans: list[UUID] = Field(max_length=MOST_DOORS, description="关爱计划 · The plans that are due")
    responsible: list[UUID] = Field(max_length=MOST_DOORS, description="责任人 · Whose it is")
    shared: bool = Field(False, description="由他人分担 · Shared: does somebody take it whose it isn't?")


class Share(BaseModel):
    """What one member does on that day, in this order: overdue first, then by risk, then along the walk."""

    person: UUID = Field(description="人员 · The member")
    name: str = Field(max_length=60, description="姓名 · Name: as colleagues call them")
    per_day: int = Field(ge=0, description="每日户数 · Doors a day: how many they can take")
    doors: list[DueDoor] = Field(max_length=MOST_DOORS, description="当日各户 · Doors of the day: theirs")


class DutyList(BaseModel):
    """清单由关爱计划和走访推算，不另填报 · Follows from plans and visits; nobody fills it in."""

    day: date = Field(description="日期 · Day")
    worked: bool = Field(description="是否工作日 · Working day: is it one?")
    members: list[Share] = Field(max_length=1000, description="各人的清单 · Each member's share")
    undone: list[DueDoor] = Field(max_length=MOST_DOORS, description="无人可做 · What nobody has room for")
    due: int = Field(ge=0, description="应访户数 · Doors due")
    overdue: int = Field(ge=0, description="逾期户数 · Doors overdue")
    done: int = Field(ge=0, description="当日完成的计划 · Plans kept on that day")


@router.get(
    "/duties",
    summary="每日工作清单 · Duty list of a day",
    response_model=DutyList,
    responses=SHOWN | answers(SIGNED_IN, STORED, "bad_request", "not_found", "not_permitted", "invalid"),
    dependencies=[Depends(each_once)],
)
async def get_duties(caller: CallerDep, context: ContextDep, asked: Annotated[DutiesAsked, Query()]) -> Any:
    """一个敲门组当天该敲哪些门、谁敲：逾期在前，其次风险，再按路线；做不完的列明，并建议由谁分担。

    Which doors a group knocks on that day, and who: overdue first, then by risk, then along the walk. What one person
    has no room for is shared out; what nobody has room for is told. A phone computes the same from what it holds.
    """
    day = asked.day or day_of(context.seams.now(), context.day_begins)
    said = await duties_of(context, caller.person_id, asked.area_id, day, asked.group)
    return await as_form(context, caller.person_id, asked, DutyList, said, "每日工作清单 · Duty list")


@router.get(
    "/totals",
    summary="人口与类别统计 · Totals",
    response_model=TotalsReport,
    responses=SHOWN | answers(SIGNED_IN, STORED, "bad_request", "not_found", "not_permitted"),
    dependencies=[Depends(each_once_but("tag"))],
)
async def get_totals(caller: CallerDep, context: ContextDep, asked: Annotated[TotalsAsked, Query()]) -> Any:
    """一个区域及其下级的户数、人数、年龄和各类标签；问几个标签时，也数至少有其一的人，一人只计一次；
    社区以上的人看不到少于 5 的数，其余取 10 的整倍数。

    Households, residents, ages and tags of an area and of the areas in it, as far as one's grants show them; and how
    many residents have at least one of several tags. To who works above the community, numbers below 5 are not told,
    and others to the nearest 10.
    """
    day = day_of(context.seams.now(), context.day_begins)
    tags = sorted({*asked.tag})
    said = await totals_of(context, caller.person_id, asked.area_id, day, tags)
    return await as_form(context, caller.person_id, asked, TotalsReport, said, "人口与类别统计 · Totals")


@router.get(
    "/coverage",
    summary="走访覆盖 · Coverage",
    response_model=CoverageReport,
    responses=SHOWN | answers(SIGNED_IN, STORED, "bad_request", "not_found", "not_permitted", "dates_backward"),
    dependencies=[Depends(each_once)],
)
async def get_coverage(caller: CallerDep, context: ContextDep, asked: Annotated[CoverageAsked, Query()]) -> Any:
    """某些天里敲过哪些门：一扇门不论敲几次、几人敲，只算一户；并列出哪种方法敲开了拒访的门。

    What the knocking of some days has reached: a door counts once, whoever knocked and how often; and which way of
    knocking opened doors that had been refused the time before.
    """
    if asked.until < asked.since:
        raise wrong_field("dates_backward", "until")
    said = await coverage_of(context, caller.person_id, asked.area_id, asked.since, asked.until)
    return await as_form(context, caller.person_id, asked, CoverageReport, said, "走访覆盖 · Coverage")
