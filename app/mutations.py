"""GET /v1/mutations: what became of everything a person sent. Nothing refused is lost to its writer."""

import base64
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, JsonValue

from app.context import ContextDep
from app.identity.caller import CallerDep
from app.tables import ReceivedMutation

router = APIRouter(tags=["sync 同步"])
_RECEIVED: sa.Table = ReceivedMutation.__table__  # type: ignore[attr-defined]


class MutationView(BaseModel):
    """One mutation as it was received. The payload is kept of all but the plainly applied."""

    id: UUID
    home: UUID
    collection: str | None
    record: UUID | None
    op: str | None
    outcome: str
    answer: dict[str, JsonValue]
    made_at: datetime | None
    received_at: datetime
    payload: str | None
    """As text, as far as it is text."""
    payload_base64: str | None
    """The very bytes."""


class MutationList(BaseModel):
    """The newest first; `next` is the `before` of the page after it."""

    mutations: list[MutationView]
    next: UUID | None


@router.get("/v1/mutations", summary="本人的修改及结果 · My mutations and their outcomes")
async def list_mutations(
    caller: CallerDep,
    context: ContextDep,
    outcome: Annotated[Literal["applied", "merged", "conflicted", "refused"], Query()] = "refused",
    before: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> MutationList:
    """One's own mutations with this outcome, the payload as it was sent."""
    mine = [_RECEIVED.c.person_id == caller.person_id, _RECEIVED.c.outcome == outcome]
    if before is not None:
        place = sa.tuple_(_RECEIVED.c.received_at, _RECEIVED.c.id)
        last = sa.select(_RECEIVED.c.received_at, _RECEIVED.c.id).where(*mine, _RECEIVED.c.id == before)
        mine.append(place < last.order_by(_RECEIVED.c.received_at).limit(1).scalar_subquery())
    newest = sa.select(_RECEIVED).where(*mine).order_by(_RECEIVED.c.received_at.desc(), _RECEIVED.c.id.desc())
    async with context.database.snapshot() as snapshot:
        rows = await snapshot.rows(newest.limit(limit))
    following = rows[-1].id if len(rows) == limit else None
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
