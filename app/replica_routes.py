"""/v1/replicas: the phones a person has registered. Each has a sign-in of its own and can be revoked."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.context import Context, ContextDep
from app.contract import PARSED_BODY, SIGNED_IN, STORED, answers, succeeds
from app.database import Transaction
from app.identity.caller import CallerDep
from app.identity.sign_ins import Tokens, begin_sign_in, end_sign_ins_of_replica
from app.paging import MOST_ON_A_PAGE, NewestFirst, each_once, on_this_page
from app.problems import Problem
from app.tables import Replica

router = APIRouter(tags=["phones"])
_REPLICA: sa.Table = Replica.__table__  # type: ignore[attr-defined]

# No control characters: PostgreSQL holds no NUL, and a name is shown on one line.
Word = StringConstraints(min_length=1, max_length=32, pattern=r"^[^\u0000-\u001f\u007f]+$")
Name = StringConstraints(min_length=1, max_length=64, pattern=r"^[^\u0000-\u001f\u007f]+$")


ReplicaId = Annotated[UUID, Path(description="手机编号 · The phone's id")]


class NewReplica(BaseModel):
    """An installation introduces itself."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, Name] = Field(description="名称 · What its owner calls it")
    platform: Annotated[str, Word] = Field(description="平台 · wechat, android, ios…")
    app_version: Annotated[str, Word] = Field(description="应用版本 · The app's version")


class NewReplicaTokens(Tokens):
    """The phone's id, tokens that name it, and when a day ends where it is used."""

    id: UUID = Field(description="手机编号 · The phone's id")
    day_begins: int = Field(
        ge=0,
        le=12,
        description="工作日几点开始（中国时间） · The hour, in China, at which a day of work begins: the phone counts "
        "visits by it that no server has counted yet",
    )


class ReplicaView(BaseModel):
    """One of the caller's phones. `unsent` and `unsent_since` are what it last said of its outbox."""

    id: UUID = Field(description="手机编号 · The phone's id")
    name: str = Field(max_length=64, description="名称 · What its owner calls it")
    platform: str = Field(max_length=32, description="平台 · wechat, android, ios…")
    app_version: str = Field(max_length=32, description="应用版本 · The app's version")
    created_at: datetime = Field(description="登记时间 · When it was registered")
    seen_at: datetime | None = Field(description="最近同步 · When it last pulled, to five minutes")
    unsent: int = Field(ge=0, le=2**31 - 1, description="未上传条数 · Mutations it said it still holds")
    unsent_since: datetime | None = Field(description="最早未上传 · Since when, by its own clock")
    revoked_at: datetime | None = Field(description="停用时间 · When it was revoked")


class ReplicaList(BaseModel):
    """The newest first; `next` is the `before` of the page after it."""

    replicas: list[ReplicaView] = Field(max_length=MOST_ON_A_PAGE, description="手机 · The phones")
    next: UUID | None = Field(description="下一页 · `before` of the page after this one; null at the end")


@router.post(
    "/v1/replicas",
    status_code=201,
    summary="登记本机 · Register this phone",
    responses=succeeds(201) | answers(SIGNED_IN, STORED, PARSED_BODY, "bad_json"),
)
async def post_replica(body: NewReplica, caller: CallerDep, context: ContextDep) -> NewReplicaTokens:
    """登记本机。此后使用返回的令牌：只有它能上传和下载。

    Register this phone. Use the answered tokens from now on: only they may push and pull.
    """
    return await context.database.run(lambda t: _add(t, context, caller.person_id, body))


@router.get(
    "/v1/replicas",
    summary="本人的手机 · My phones",
    responses=succeeds(200, "Link") | answers(SIGNED_IN, STORED, "bad_request"),
    dependencies=[Depends(each_once)],
)
async def get_replicas(
    request: Request, response: Response, caller: CallerDep, context: ContextDep, asked: Annotated[NewestFirst, Query()]
) -> ReplicaList:
    """本人的手机，含已停用的。

    The caller's own phones, the revoked ones too.
    """
    newest = sa.select(_REPLICA).where(_REPLICA.c.person_id == caller.person_id).order_by(_REPLICA.c.id.desc())
    if asked.before is not None:
        newest = newest.where(_REPLICA.c.id < asked.before)
    async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
        found = await snapshot.rows(newest.limit(asked.limit + 1))
    rows, following = on_this_page(found, request, response, asked)
    return ReplicaList(replicas=[ReplicaView.model_validate(row, from_attributes=True) for row in rows], next=following)


@router.delete(
    "/v1/replicas/{replica_id}",
    status_code=204,
    response_class=Response,
    summary="停用手机 · Revoke a phone",
    responses=succeeds(204) | answers(SIGNED_IN, STORED, "bad_request", "not_found"),
)
async def delete_replica(replica_id: ReplicaId, caller: CallerDep, context: ContextDep) -> None:
    """停用一部手机：它的下一个请求得到 `replica_revoked`，应随即清除数据。

    Revoke a phone: its next request is answered `replica_revoked`, which tells it to wipe its copy.
    """
    await context.database.run(lambda t: _revoke(t, context, caller.person_id, replica_id))


async def _add(transaction: Transaction, context: Context, person_id: UUID, body: NewReplica) -> NewReplicaTokens:
    replica_id = context.seams.new_id()
    row: dict[str, Any] = {
        "id": replica_id,
        "person_id": person_id,
        "created_at": context.seams.now(),
        "received": 0,
        "unsent": 0,
        **body.model_dump(),
    }
    await transaction.insert(_REPLICA, [row])
    tokens = await begin_sign_in(transaction, context, person_id=person_id, replica_id=replica_id)
    return NewReplicaTokens(id=replica_id, day_begins=context.day_begins, **tokens.model_dump())


async def _revoke(transaction: Transaction, context: Context, person_id: UUID, replica_id: UUID) -> None:
    mine = (_REPLICA.c.id == replica_id) & (_REPLICA.c.person_id == person_id)
    # Locked as a push locks it: a push that is under way ends before, the next one sees the end.
    if await transaction.first(sa.select(_REPLICA.c.id).where(mine).with_for_update()) is None:
        raise Problem("not_found")
    still = mine & _REPLICA.c.revoked_at.is_(None)
    await transaction.execute(_REPLICA.update().where(still).values(revoked_at=context.seams.now()))
    await end_sign_ins_of_replica(transaction, context, replica_id)
