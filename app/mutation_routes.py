"""GET /v1/mutations: what became of everything a person sent. Nothing refused is lost to its writer."""

import base64
from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field, JsonValue

from app.context import ContextDep
from app.contract import SIGNED_IN, STORED, answers, succeeds
from app.identity.caller import CallerDep
from app.paging import MOST_ON_A_PAGE, NewestFirst, each_once, on_this_page
from app.tables import ReceivedMutation
from sync.wire import MOST_PUSH_BYTES, Op, OutcomeName

router = APIRouter(tags=["mutations"])
_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]


class MutationView(BaseModel):
    """One mutation as it was received. The payload is kept of all but the plainly applied and of what was erased."""

    id: UUID = Field(description="修改编号 · The mutation's id, or one of the server's where that was unusable")
    home: UUID = Field(description="社区 · The community it was sent to")
    collection: str | None = Field(max_length=64, description="记录类型 · The collection")
    record: UUID | None = Field(description="记录 · The record")
    op: Op | None = Field(description="操作 · What it wanted")
    outcome: OutcomeName = Field(description="结果 · What became of it")
    answer: dict[str, JsonValue] = Field(description="当时的答复 · The outcome as it was answered")
    made_at: datetime | None = Field(description="修改时间（手机时钟） · When it was made, by the phone's clock")
    received_at: datetime = Field(description="收到时间 · When it arrived")
    payload: str | None = Field(max_length=MOST_PUSH_BYTES, description="原文 · What was sent, as far as it is text")
    payload_base64: str | None = Field(
        max_length=MOST_PUSH_BYTES * 4 // 3 + 4, description="原始字节 · The very bytes, in base64"
    )


class MutationList(BaseModel):
    """The newest first; `next` is the `before` of the page after it."""

    mutations: list[MutationView] = Field(max_length=MOST_ON_A_PAGE, description="修改 · The mutations")
    next: UUID | None = Field(description="下一页 · `before` of the page after this one; null at the end")


class MutationQuery(NewestFirst):
    """Which of one's mutations."""

    outcome: OutcomeName = Field("refused", description="结果 · What became of them")


@router.get(
    "/v1/mutations",
    summary="本人的修改及结果 · My mutations and their outcomes",
    responses=succeeds(200, "Link") | answers(SIGNED_IN, STORED, "bad_request"),
    dependencies=[Depends(each_once)],
)
async def list_mutations(
    request: Request,
    response: Response,
    caller: CallerDep,
    context: ContextDep,
    asked: Annotated[MutationQuery, Query()],
) -> MutationList:
    """本人发送过的、结果为此的修改，附原文；被拒绝的也不会丢失。

    One's own mutations with this outcome, the payload as it was sent.
    """
    mine = [_RECEIVED.c.person_id == caller.person_id, _RECEIVED.c.outcome == asked.outcome]
    if asked.before is not None:
        received = sa.tuple_(_RECEIVED.c.received_at, _RECEIVED.c.id)
        last = sa.select(_RECEIVED.c.received_at, _RECEIVED.c.id).where(*mine, _RECEIVED.c.id == asked.before)
        mine.append(received < last.order_by(_RECEIVED.c.received_at).limit(1).scalar_subquery())
    newest = sa.select(_RECEIVED).where(*mine).order_by(_RECEIVED.c.received_at.desc(), _RECEIVED.c.id.desc())
    async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
        found = await snapshot.rows(newest.limit(asked.limit + 1))
    rows, following = on_this_page(found, request, response, asked)
    return MutationList(mutations=[_as_view(row) for row in rows], next=following)


def _as_view(row: sa.Row[tuple[object, ...]]) -> MutationView:
    payload: bytes | None = row.payload
    return MutationView(
        id=row.id,
        home=row.home,
        collection=row.collection,
        record=row.record_id,
        op=row.op,
        outcome=row.outcome,
        answer=row.answer,
        made_at=row.made_at,
        received_at=row.received_at,
        payload=payload.decode("utf-8", "replace") if payload is not None else None,
        payload_base64=base64.b64encode(payload).decode() if payload is not None else None,
    )
