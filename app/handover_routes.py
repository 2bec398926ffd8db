"""Handing over, tried first and then done: an area, a person. And who holds what: GET /v1/areas/{id}/phones."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.context import ContextDep
from app.contract import PARSED_BODY, SIGNED_IN, STORED, answers, succeeds
from app.handover import MOST_TOUCHED, hand_over
from app.holdings import phones_holding
from app.identity.caller import CallerDep
from app.paging import MOST_ON_A_PAGE, NewestFirst, each_once, on_this_page
from app.person_handover import Move, hand_person_over
from app.roles import RoleName
from app.touched import MOST_PHONES, Touched

router = APIRouter(tags=["areas"])

AreaId = Annotated[UUID, Path(description="区域编号 · The area, with all that lies in it")]
PersonId = Annotated[UUID, Path(description="人员编号 · The person's id")]


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
    phones: list[PhoneTouched] = Field(
        max_length=MOST_PHONES, description="手机 · The newest of their phones that aren't revoked"
    )
    phones_in_all: int = Field(ge=0, le=2**31 - 1, description="手机总数 · How many of those they have")


class HandoverReport(BaseModel):
    """What it touches. Phones lose and gain with their next complete pull; what was written before is still taken."""

    done: bool = Field(description="是否已执行 · Was it done, or only tried?")
    areas: int = Field(ge=1, le=2**31 - 1, description="区域数 · Areas that move, itself among them")
    records: int | None = Field(ge=0, le=2**53 - 1, description="记录数，仅试算 · Records listed there; of a dry run")
    open_conflicts: int | None = Field(
        ge=0, le=2**53 - 1, description="未处理冲突，仅试算 · Conflicts that wait there; of a dry run"
    )
    people_losing: int = Field(ge=0, le=2**31 - 1, description="移出人数 · How many lose it")
    people_gaining: int = Field(ge=0, le=2**31 - 1, description="接手人数 · How many gain it")
    losing: list[PersonTouched] = Field(
        max_length=MOST_TOUCHED, description="移出的人 · Who loses it, the first of them"
    )
    gaining: list[PersonTouched] = Field(
        max_length=MOST_TOUCHED, description="接手的人 · Who gains it, the first of them"
    )


class PersonHandover(BaseModel):
    """Which of their areas the person leaves, and for which."""

    model_config = ConfigDict(strict=True, extra="forbid")

    area_id: UUID = Field(strict=False, description="原区域 · The area they leave: all their roles over it go along")
    to: UUID = Field(strict=False, description="新的区域 · The area they go to")
    dry_run: bool = Field(True, description="只试算，不执行 · Only say what it would touch; nothing is done")


class ListedThere(BaseModel):
    """How much is listed where the person's phones lose or gain it."""

    records: int = Field(ge=0, le=2**53 - 1, description="记录数 · Records")
    open_conflicts: int = Field(ge=0, le=2**53 - 1, description="未处理冲突 · Conflicts that wait there")


class PersonHandoverReport(BaseModel):
    """What it touches. Phones lose and gain with their next complete pull; what was written before is still taken."""

    done: bool = Field(description="是否已执行 · Was it done, or only tried?")
    roles: list[RoleName] = Field(max_length=len(RoleName), description="角色 · The roles that go along")
    feeds: int = Field(
        ge=0, le=2**31 - 1, description="之后同步的信息流数 · Feeds they follow then; a phone syncs no more than 200"
    )
    losing: ListedThere | None = Field(description="移出，仅试算 · What their phones drop; of a dry run")
    gaining: ListedThere | None = Field(description="接手，仅试算 · What their phones get; of a dry run")
    person: PersonTouched = Field(description="人员 · Who it is, and their phones")


class HoldingPhone(PhoneTouched):
    """A phone and what it has of an area. Counted are feeds: what is listed together, as a building's records are."""

    person_id: UUID = Field(description="人员编号 · Whose it is")
    app_version: str = Field(max_length=32, description="应用版本 · The app's version")
    revoked_at: datetime | None = Field(description="停用时间 · When it was revoked; it can show nothing any more")
    holds: int = Field(ge=0, le=2**31 - 1, description="仍保存的信息流数 · Feeds of this area that it may still hold")
    to_drop: int = Field(
        ge=0, le=2**31 - 1, description="其中应清除的 · How many of these its person follows no longer"
    )
    purge: Literal["not_needed", "waiting", "confirmed"] = Field(
        description="清除状态 · Has it dropped what its person follows no longer? `confirmed`: it has shown that it has"
    )
    dropped_at: datetime | None = Field(description="确认清除时间 · When it last showed that; null before, or if never")


class HoldingPhoneList(BaseModel):
    """The newest first; `next` is the `before` of the page after it."""

    phones: list[HoldingPhone] = Field(max_length=MOST_ON_A_PAGE, description="手机 · The phones")
    next: UUID | None = Field(description="下一页 · `before` of the page after this one; null at the end")


@router.post(
    "/v1/areas/{id}/handover",
    summary="交接 · Hand an area over",
    responses=succeeds(200)
    | answers(
        *(SIGNED_IN, STORED, PARSED_BODY, "bad_json", "not_permitted", "not_found", "reference_not_found"),
        *("handover_to_itself", "handover_cycle", "handover_across", "handover_too_deep", "enclave_overlaps"),
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
        people_losing=report.people_losing,
        people_gaining=report.people_gaining,
        losing=[_view(one) for one in report.losing],
        gaining=[_view(one) for one in report.gaining],
    )


@router.post(
    "/v1/people/{person_id}/handover",
    summary="换片 · Hand a person over",
    responses=succeeds(200)
    | answers(
        *(SIGNED_IN, STORED, PARSED_BODY, "bad_json", "not_permitted", "not_found", "reference_not_found"),
        *("handover_to_itself", "role_unfit", "grant_overlaps"),
    ),
)
async def hand_over_person(
    person_id: PersonId, body: PersonHandover, caller: CallerDep, context: ContextDep
) -> PersonHandoverReport:
    """人员换到另一网格：原区域的角色全部结束，同样的角色在新区域开始，期限不变，一次完成。由安全管理员执行，先试算。

    Somebody goes to another grid: all their roles over the one end, the same begin over the other, with the same end,
    at once. For a security administrator of both, and never of oneself. First a dry run: what their phones drop and
    get, what they haven't sent, the conflicts that wait where nobody may be left to decide.
    """
    move = Move(person_id, body.area_id, body.to)
    report = await hand_person_over(context, caller.person_id, move, dry_run=body.dry_run)
    return PersonHandoverReport(
        done=not body.dry_run,
        roles=[RoleName(role) for role in report.roles],
        feeds=report.feeds,
        losing=report.losing and ListedThere.model_validate(report.losing, from_attributes=True),
        gaining=report.gaining and ListedThere.model_validate(report.gaining, from_attributes=True),
        person=_view(report.touched),
    )


def _view(one: Touched) -> PersonTouched:
    return PersonTouched(
        person_id=one.person_id,
        phones=[PhoneTouched.model_validate(phone, from_attributes=True) for phone in one.phones],
        phones_in_all=one.phones_in_all,
    )


@router.get(
    "/v1/areas/{id}/phones",
    summary="区域内的手机 · Phones that hold an area",
    responses=succeeds(200, "Link") | answers(SIGNED_IN, STORED, "bad_request", "not_permitted", "not_found"),
    dependencies=[Depends(each_once)],
)
async def list_phones(
    id: AreaId,
    request: Request,
    response: Response,
    caller: CallerDep,
    context: ContextDep,
    asked: Annotated[NewestFirst, Query()],
) -> HoldingPhoneList:
    """哪些手机保存着该区域的数据、最近同步、未上传条数，以及移出后是否已清除；三十天内清除的也列出。

    Which phones hold records of this area, are to get them, or dropped them in the last thirty days. A purge is
    `confirmed` by the phone itself: it came back with the cursor of a complete page without the feed, which it has only
    once that page took effect. That page dropped the copies; what its person wrote stays on it until it is sent.
    A phone that never comes back stays `waiting`, a revoked one too.
    """
    found = await phones_holding(context, caller.person_id, id, asked.before, asked.limit + 1)
    rows, following = on_this_page(found, request, response, asked)
    return HoldingPhoneList(phones=[_as_holding(row) for row in rows], next=following)


def _as_holding(row: Any) -> HoldingPhone:
    purge = "waiting" if row.to_drop else "confirmed" if row.dropped_at else "not_needed"
    return HoldingPhone.model_validate({**row._mapping, "purge": purge}, extra="ignore")
