"""/v1/enclaves: land that is served by one community and administratively lies in another 插花地."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access import paths_under
from app.context import ContextDep
from app.contract import PARSED_BODY, SIGNED_IN, STORED, answers, succeeds
from app.database import Transaction
from app.dates import Reason, Time
from app.enclaves import add_enclave, enclaves_under, end_enclave
from app.identity.caller import CallerDep
from app.paging import MOST_ON_A_PAGE, NewestFirst, each_once, on_this_page
from app.roles import READ_GRANTS

router = APIRouter(tags=["areas"])

EnclaveId = Annotated[UUID, Path(description="插花地编号 · The enclave's id")]


class NewEnclave(BaseModel):
    """Which area administratively lies where, from when to when, and why."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    area_id: UUID = Field(description="区域编号 · The building, estate or grid, where it is served")
    administrative_id: UUID = Field(description="行政归属 · The community, or part of one, in which it lies on paper")
    since: Time | None = Field(None, description="开始时间，默认现在 · From when; now unless told")
    until: Time | None = Field(None, description="结束时间 · Until when")
    reason: Reason | None = Field(None, description="依据 · Why: an agreement, a decision, a letter's number")


class EnclaveView(BaseModel):
    """One enclave. Whoever has a role where it lies on paper sees it, beside those who serve it."""

    id: UUID = Field(description="插花地编号 · The enclave's id")
    area_id: UUID = Field(description="区域编号 · The area, where it is served")
    administrative_id: UUID = Field(description="行政归属 · Where it lies on paper")
    since: datetime = Field(description="开始时间 · From when")
    until: datetime | None = Field(description="结束时间 · Until when; null while it has no end")
    reason: str | None = Field(max_length=200, description="依据 · Why")


class EnclaveList(BaseModel):
    """The newest first; `next` is the `before` of the page after it."""

    enclaves: list[EnclaveView] = Field(max_length=MOST_ON_A_PAGE, description="插花地 · The enclaves")
    next: UUID | None = Field(description="下一页 · `before` of the page after this one; null at the end")


@router.get(
    "/v1/enclaves",
    summary="插花地列表 · Enclaves",
    responses=succeeds(200, "Link") | answers(SIGNED_IN, STORED, "bad_request"),
    dependencies=[Depends(each_once)],
)
async def list_enclaves(
    request: Request,
    response: Response,
    caller: CallerDep,
    context: ContextDep,
    asked: Annotated[NewestFirst, Query()],
) -> EnclaveList:
    """书记和管理员看到所辖区域内的插花地，已结束的也在内。

    Those that are served, or lie on paper, in the areas of secretaries and administrators, the ended ones included.
    """
    async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
        paths = await paths_under(snapshot, caller.person_id, READ_GRANTS, context.seams.now)
        found = await enclaves_under(snapshot, paths, before=asked.before, most=asked.limit + 1)
    rows, following = on_this_page(found, request, response, asked)
    return EnclaveList(enclaves=[_as_view(row) for row in rows], next=following)


@router.post(
    "/v1/enclaves",
    status_code=201,
    summary="划定插花地 · Make an enclave",
    responses=succeeds(201)
    | answers(
        *(SIGNED_IN, STORED, PARSED_BODY, "bad_json", "not_permitted", "reference_not_found"),
        *("enclave_unfit", "enclave_overlaps", "dates_backward"),
    ),
)
async def post_enclave(body: NewEnclave, caller: CallerDep, context: ContextDep) -> EnclaveView:
    """行政归属一方的人员，在各自的授权之内也能看到并登记该区域；记录仍只有一份。须同时管理两处。

    People of the place in which it lies on paper see it, and write there, under their own grants. Its records stay
    one. Whoever makes it administers both places.
    """

    async def make(transaction: Transaction) -> EnclaveView:
        return _as_view(await add_enclave(transaction, context, caller.person_id, **body.model_dump()))

    return await context.database.run(make)


@router.delete(
    "/v1/enclaves/{enclave_id}",
    status_code=204,
    response_class=Response,
    summary="结束插花地 · End an enclave",
    responses=succeeds(204) | answers(SIGNED_IN, STORED, "bad_request", "not_found"),
)
async def delete_enclave(enclave_id: EnclaveId, caller: CallerDep, context: ContextDep) -> None:
    """立即结束。另一方的手机下一次拉取后不再保留；此前写下的三十天内仍会收下。任一方的管理员均可结束。

    Ends it now. The other side's phones drop it with their next complete pull; what was written before is still taken
    for thirty days. Whoever administers either place may end it.
    """
    await context.database.run(lambda t: end_enclave(t, context, caller.person_id, enclave_id))


def _as_view(row: Any) -> EnclaveView:
    return EnclaveView.model_validate(row, from_attributes=True)
