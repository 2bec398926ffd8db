"""POST /v1/{collection}/{id}/merge: two records of one person, or of one door, become one."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from app.answers import record_answer
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import ContextDep
from app.contract import summary_of
from app.identity.caller import CallerDep
from app.merging import merge_record
from app.record_contract import answers_of
from app.terms import TermsDep
from app.writes import Asked

router = APIRouter()

Id = Annotated[UUID, Path(description="记录编号 · The record that becomes an alias of the other")]


class Merge(BaseModel):
    """Which of the two stays."""

    model_config = ConfigDict(strict=True, extra="forbid")

    into: UUID = Field(strict=False, description="保留的记录 · The record that stays")


def _add_merging(collection: Collection) -> None:
    async def merge(id: Id, body: Merge, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """把重复登记的一条并入另一条：缺的补上，集合与备注合并，不同的值成为冲突，引用改指保留的那条。
        原编号之后仍可用：手机上较晚到达的修改会落到保留的那条上。

        Merge a duplicate into the record that stays: it takes over what it lacks, sets and notes are joined, other
        values that differ become conflicts, and what referred to the one refers to the other. The old id keeps
        working: what phones send for it later reaches the record that stays.
        """
        asked = Asked("merge", caller.person_id, collection, id, {"into": str(body.into)}, terms)
        await merge_record(context, asked, body.into)
        return await record_answer(context, caller, collection, body.into)

    router.add_api_route(
        f"/v1/{collection.name}/{{id}}/merge",
        merge,
        methods=["POST"],
        summary=summary_of("合并 · Merge", collection.title),
        tags=[collection.name],
        response_model=collection.read,
        operation_id=f"{collection.name}_merge",
        responses=answers_of(collection, "merge"),
    )


for _collection in COLLECTIONS.values():
    if _collection.same:
        _add_merging(_collection)
