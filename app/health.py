"""/livez: the process answers. /readyz: it may be sent work, because a note would survive."""

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel

from app.context import Context, ContextDep
from app.database import Transaction
from app.problems import Problem
from app.schema import schema_is_at_head
from app.tables import Server

router = APIRouter(tags=["health 健康"])
_SERVER: sa.Table = Server.__table__  # type: ignore[attr-defined]


class Health(BaseModel):
    """All is well; anything else is a problem."""

    status: str = "ok"


@router.get("/livez", summary="存活 · Alive")
async def get_livez() -> Health:
    """The process is up; says nothing of the store."""
    return Health()


@router.get("/readyz", summary="就绪 · Ready to take notes")
async def get_readyz(context: ContextDep) -> Health:
    """The store can be written, has this version's schema and is durable; else 503 `not_ready` and why."""
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
