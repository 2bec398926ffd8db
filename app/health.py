"""/livez: the process answers. /readyz: it may be sent work, because a note would survive."""

from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.context import Context, ContextDep
from app.contract import answers, succeeds
from app.database import Transaction
from app.problems import Problem
from app.schema import schema_is_at_head
from app.tables import Server

router = APIRouter(tags=["health"])
_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]


class Health(BaseModel):
    """All is well; anything else is a problem."""

    status: Literal["ok"] = Field("ok", description="状态 · Always `ok`")


@router.get("/livez", summary="存活 · Alive", responses=succeeds(200) | answers())
async def get_livez() -> Health:
    """进程在运行；不涉及数据库。

    The process is up; says nothing of the store.
    """
    return Health()


@router.get(
    "/readyz",
    summary="就绪 · Ready to take notes",
    responses=succeeds(200) | answers("not_ready", "overloaded"),
)
async def get_readyz(context: ContextDep) -> Health:
    """数据库可写、结构为本版本且不会丢失已确认的记录；否则 503 `not_ready` 并说明原因。

    The store can be written, has this version's schema and is durable; else 503 `not_ready` and why.
    """
    if reason := await fault_of(context):
        raise Problem("not_ready", reason=reason)
    return Health()


async def fault_of(context: Context) -> str | None:
    """`store`, `schema`, or the setting that makes commits forgetful; None when ready."""
    try:
        if not await schema_is_at_head(context.database):
            return "schema"
        # Not `run`: a probe says at once what it met.
        async with context.database.transaction() as transaction:
            await _touch(transaction)
        return await context.database.durability_fault()
    except Exception:
        return "store"


async def _touch(transaction: Transaction) -> None:
    """A write that changes nothing, committed as a note would be."""
    await transaction.execute(_SERVER.update().values(server_id=_SERVER.c.server_id))
