"""/v1/grants: who has which role where, from when to when. Security administrators give and end them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access import held_paths_under, hold_grants, paths_under
from app.context import Context, ContextDep
from app.contract import PARSED_BODY, SIGNED_IN, STORED, answers, succeeds
from app.database import Transaction
from app.dates import Reason, Time
from app.grants import SECURITY, Sight, add_grant, end_one, require_area_under, seen_grants
from app.identity.caller import CallerDep
from app.paging import MOST_ON_A_PAGE, NewestFirst, each_once, on_this_page
from app.problems import Problem
from app.roles import READ_GRANTS, RoleName

router = APIRouter(tags=["grants"])

GrantId = Annotated[UUID, Path(description="授权编号 · The grant's id")]


class NewGrant(BaseModel):
    """Who is to have which role where, from when to when, and why."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    person_id: UUID = Field(description="人员编号 · Whose")
    area_id: UUID = Field(description="区域编号 · Over which area, and all that lies in it")
    role: RoleName = Field(description="角色 · Which role")
    since: Time | None = Field(None, description="开始时间，默认现在 · From when; now unless told")
    until: Time | None = Field(None, description="结束时间，到时自动失效 · Until when; it ends by itself")
    reason: Reason | None = Field(None, description="依据 · Why: a decision, a rota, a letter's number")


class GrantView(BaseModel):
    """One grant. An ended one stays, for thirty days of grace and for whoever asks later."""

    id: UUID = Field(description="授权编号 · The grant's id")
    person_id: UUID = Field(description="人员编号 · Whose")
    area_id: UUID = Field(description="区域编号 · Over which area")
    role: RoleName = Field(description="角色 · Which role")
    since: datetime = Field(description="开始时间 · From when")
    until: datetime | None = Field(description="结束时间 · Until when; null while it has no end")
    reason: str | None = Field(max_length=200, description="依据 · Why")


class GrantList(BaseModel):
    """The newest first; `next` is the `before` of the page after it."""

    grants: list[GrantView] = Field(max_length=MOST_ON_A_PAGE, description="授权 · The grants")
    next: UUID | None = Field(description="下一页 · `before` of the page after this one; null at the end")


class AskedGrants(NewestFirst):
    """Which grants."""

    person_id: UUID | None = Field(None, description="只看此人 · Of this person only")
    area_id: UUID | None = Field(None, description="只看此区域 · Over this very area only")


@router.get(
    "/v1/grants",
    summary="授权列表 · Grants",
    responses=succeeds(200, "Link") | answers(SIGNED_IN, STORED, "bad_request"),
    dependencies=[Depends(each_once)],
)
async def list_grants(
    request: Request, response: Response, caller: CallerDep, context: ContextDep, asked: Annotated[AskedGrants, Query()]
) -> GrantList:
    """本人的授权；书记和管理员还能看到所辖区域内的授权，已结束的也在内。

    One's own grants; secretaries and administrators see those over their areas too, the ended ones included.
    """
    async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
        paths = await paths_under(snapshot, caller.person_id, READ_GRANTS, context.seams.now)
        which = {"person_id": asked.person_id, "area_id": asked.area_id}
        sight = Sight(caller.person_id, paths)
        found = await seen_grants(snapshot, sight, before=asked.before, most=asked.limit + 1, **which)
    rows, following = on_this_page(found, request, response, asked)
    return GrantList(grants=[GrantView.model_validate(row, from_attributes=True) for row in rows], next=following)


@router.post(
    "/v1/grants",
    status_code=201,
    summary="授予角色 · Give a role",
    responses=succeeds(201)
    | answers(
        *(SIGNED_IN, STORED, PARSED_BODY, "bad_json", "not_permitted", "reference_not_found"),
        *("role_unfit", "end_needed", "dates_backward", "grant_overlaps", "roles_kept_apart"),
    ),
)
async def post_grant(body: NewGrant, caller: CallerDep, context: ContextDep) -> GrantView:
    """由安全管理员授予；不能授予自己。手机在下一次拉取时得到新的范围。

    Given by a security administrator of the area, and never to oneself. Phones gain what it shows with their next pull.
    """
    return await context.database.run(lambda t: _give(t, context, caller.person_id, body))


@router.delete(
    "/v1/grants/{grant_id}",
    status_code=204,
    response_class=Response,
    summary="结束授权 · End a grant",
    responses=succeeds(204) | answers(SIGNED_IN, STORED, "bad_request", "not_permitted", "not_found"),
)
async def delete_grant(grant_id: GrantId, caller: CallerDep, context: ContextDep) -> None:
    """立即结束。手机下一次拉取后不再保留该范围的数据；此前写下的三十天内仍会收下，交由现任处理。

    Ends it now. Phones drop what it showed with their next complete pull; what was written under it is still taken
    for thirty days, as candidates for whoever has the area now.
    """
    await context.database.run(lambda t: _end(t, context, caller.person_id, grant_id))


async def _give(transaction: Transaction, context: Context, giver: UUID, body: NewGrant) -> GrantView:
    paths = await held_paths_under(transaction, giver, SECURITY, context.seams.now)
    if not paths or giver == body.person_id:
        raise Problem("not_permitted")
    await require_area_under(transaction, body.area_id, paths)
    id = await add_grant(transaction, context, **body.model_dump())
    [row] = await seen_grants(transaction, Sight(None, paths), id=id)
    return GrantView.model_validate(row, from_attributes=True)


async def _end(transaction: Transaction, context: Context, ender: UUID, id: UUID) -> None:
    clock = context.seams.now
    shown = Sight(ender, await paths_under(transaction, ender, READ_GRANTS, clock))
    if not await seen_grants(transaction, shown, id=id):
        raise Problem("not_found")
    await hold_grants(transaction, ender)
    mine = Sight(None, await paths_under(transaction, ender, SECURITY, clock))
    if not await seen_grants(transaction, mine, id=id):
        raise Problem("not_permitted")
    await end_one(transaction, clock, id)
