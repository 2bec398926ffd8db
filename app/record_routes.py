"""The routes of every collection, made from its declaration: list, read, history; create, put, patch, delete."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from app.answers import as_answer, read_object, record_answer
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import ContextDep
from app.contract import summary_of
from app.filters import MOST_LISTED
from app.identity.caller import CallerDep
from app.paging import each_once, link_to_next
from app.problems import Problem
from app.record_contract import answers_of
from app.records import MOST_HISTORY, HistoryRow, history_of, list_records
from app.terms import IfChanged, Key, Terms, TermsDep
from app.working import CONFLICTS
from app.writes import Asked, change_record, create_record, put_record, resolve_conflict

OVERRIDE = "X-HTTP-Method-Override"
Override = Annotated[
    Literal["PUT", "PATCH", "DELETE"],
    Header(
        alias=OVERRIDE,
        description="本意，供没有该方法的应用使用 · What is meant by this POST, for callers without the method",
    ),
]
Id = Annotated[UUID, Path(description="记录编号 · The record's id")]
router = APIRouter()


class RecordHistory(BaseModel):
    """The newest first."""

    history: list[HistoryRow] = Field(max_length=MOST_HISTORY, description="历史 · One row a rev, the newest 1,000")


class Resolution(BaseModel):
    """The value a person chose; `true` or `false` where the contested field is `deleted`."""

    model_config = ConfigDict(extra="forbid")

    value: JsonValue = Field(description="选定的值 · The value; of a set, all its members")


BODIES: list[type[BaseModel]] = [
    *(model for c in COLLECTIONS.values() if c.name != CONFLICTS for model in (c.create, c.put, c.patch)),
    Resolution,
]
"""What the routes name and readers of our own parse."""


def _routes_of(collection: Collection) -> APIRouter:
    routes = APIRouter(prefix=f"/v1/{collection.name}", tags=[collection.name])
    page = create_model(
        f"{collection.read.__name__.removesuffix('Read')}List",
        items=(
            list[collection.read],  # type: ignore[name-defined]
            Field(max_length=MOST_LISTED, description="记录 · The records"),
        ),
        next=(UUID | None, Field(description="下一页 · `after` of the page after this one; null at the end")),
    )
    _add_reading(routes, collection, page)
    if collection.name == CONFLICTS:
        _add_resolution(routes, collection)
    else:
        _add_creating(routes, collection)
        _add_changing(routes, collection)
    return routes


def _add_reading(routes: APIRouter, collection: Collection, page: type[BaseModel]) -> None:

    async def list_all(
        request: Request,
        caller: CallerDep,
        context: ContextDep,
        asked: Annotated[collection.query, Query()],  # type: ignore[name-defined]
    ) -> Any:
        """按编号排列，只含本人有权看到且符合全部条件的。下一页的地址在 `Link` 里；最后一页的 `next` 为 null。

        Records in order of id, as far as one's grants show them and the filters match, all of them at once.

        The next page is the address in `Link`, and what `after` takes is `next`; null on the last.
        """
        async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
            items, last = await list_records(snapshot, context, caller.person_id, collection, asked)
        page: JsonValue = {"items": [*items], "next": str(last) if last else None}
        return as_answer(page, link_to_next(request, "after", last))

    async def read(id: Id, caller: CallerDep, context: ContextDep, if_none_match: IfChanged = None) -> Any:
        """一条记录及其 `ETag`。无权看到的等于不存在。

        One record with its `ETag`. What one may not see does not exist.
        """
        return await record_answer(context, caller, collection, id, known=if_none_match)

    async def history(id: Id, caller: CallerDep, context: ContextDep) -> Any:
        """记录如何变成现在的样子，删除之后也可查。

        How the record became what it is, also after it was deleted.
        """
        async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
            return {"history": await history_of(snapshot, context, caller.person_id, collection, id)}

    _add(routes, collection, "GET", "", list_all, "列表 · List", page, needs=[each_once])
    _add(routes, collection, "GET", "/{id}", read, "读取 · Read", collection.read)
    _add(routes, collection, "GET", "/{id}/history", history, "历史 · History", RecordHistory)


def _add_creating(routes: APIRouter, collection: Collection) -> None:
    async def create(request: Request, caller: CallerDep, context: ContextDep, idempotency_key: Key = None) -> Any:
        """新建一条记录。`id` 可由调用方给出：UUID，建议第 7 版；没有则用 `Idempotency-Key`。

        Create a record. `id` may be chosen by the caller: a UUID, version 7 advised; without one the record
        takes its `Idempotency-Key`'s, if there is one.
        """
        fields = await read_object(request)
        chosen = fields.pop("id", None)
        id = _as_id(chosen) if chosen is not None else idempotency_key or context.seams.new_id()
        asked = Asked("create", caller.person_id, collection, id, fields, Terms(idempotency_key))
        await create_record(context, asked)
        return await record_answer(context, caller, collection, id, 201)

    _add(
        routes,
        collection,
        "POST",
        "",
        create,
        "新建 · Create",
        collection.read,
        201,
        openapi_extra=_body(collection.create),
    )


def _add_changing(routes: APIRouter, collection: Collection) -> None:
    read = collection.read

    async def put(id: Id, request: Request, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """使记录成为请求所写的样子：未写的字段取默认值。没有则新建。

        Make the record what the body says: an omitted field gets its default. Creates it where there is none.
        """
        fields = await read_object(request)
        if _as_id(fields.pop("id", str(id))) != id:
            raise Problem("bad_request", errors=[{"pointer": "/id", "code": "another_id"}])
        created = await put_record(context, Asked("put", caller.person_id, collection, id, fields, terms))
        return await record_answer(context, caller, collection, id, 201 if created else 200)

    async def patch(id: Id, request: Request, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """只改写明的字段（RFC 7396）：集合给出全部成员，`null` 清空字段。

        Change what the body names (RFC 7396): sets are given whole, `null` empties a field.
        """
        fields = await read_object(request)
        await change_record(context, Asked("patch", caller.person_id, collection, id, fields, terms))
        return await record_answer(context, caller, collection, id)

    async def delete(id: Id, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """删除记录；历史仍在。

        Delete the record; its history stays.
        """
        await change_record(context, Asked("delete", caller.person_id, collection, id, {}, terms))
        return Response(status_code=204)

    async def override(
        id: Id, request: Request, caller: CallerDep, context: ContextDep, terms: TermsDep, method: Override
    ) -> Any:
        """PUT、PATCH 或 DELETE，供没有这些方法的应用（如微信小程序）使用：内容、请求头、答复都一样；DELETE 不看内容。

        PUT, PATCH or DELETE, for callers that don't have the method: body, headers and answer are the same. A DELETE
        doesn't look at its body.
        """
        if method == "DELETE":
            return await delete(id, caller, context, terms)
        return await (put if method == "PUT" else patch)(id, request, caller, context, terms)

    whole, part = _body(collection.put), _body(collection.patch)
    _add(routes, collection, "PUT", "/{id}", put, "替换 · Replace", read, openapi_extra=whole)
    _add(routes, collection, "PATCH", "/{id}", patch, "修改 · Change", read, openapi_extra=part)
    _add(routes, collection, "DELETE", "/{id}", delete, "删除 · Delete", None, 204)
    either = _body(collection.put, collection.patch)
    _add(
        routes,
        collection,
        "POST",
        "/{id}",
        override,
        "替换、修改或删除 · Replace, change or delete",
        read,
        openapi_extra=either,
    )


def _add_resolution(routes: APIRouter, collection: Collection) -> None:
    async def resolve(id: Id, request: Request, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """选定一个值。记录在同一事务中写入；第二次处理会被拒绝。

        Choose the value. The record is written in the same transaction; a second resolution is refused.
        """
        body = await read_object(request)
        if body.keys() != {"value"}:
            raise Problem("bad_request", errors=[{"pointer": "/value", "code": "missing"}])
        await resolve_conflict(context, Asked("resolve", caller.person_id, collection, id, body, terms))
        return await record_answer(context, caller, collection, id)

    body = _body(Resolution)
    _add(
        routes,
        collection,
        "POST",
        "/{id}/resolution",
        resolve,
        "处理冲突 · Resolve",
        collection.read,
        openapi_extra=body,
    )


def _body(*models: type[BaseModel]) -> dict[str, Any]:
    """The body in OpenAPI. Where it may be one of several, a DELETE has none."""
    schemas = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"requestBody": {"required": len(schemas) == 1, "content": {"application/json": {"schema": schema}}}}


def _as_id(value: JsonValue) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise Problem("id_invalid", errors=[{"pointer": "/id"}]) from None


def _not_overridden(request: Request) -> None:
    """A method that would be overridden where nothing looks for it is told, never ignored."""
    if OVERRIDE in request.headers:
        raise Problem("bad_request", errors=[{"pointer": f"/{OVERRIDE}", "code": "not_here"}])


def _add(
    routes: APIRouter,
    collection: Collection,
    method: str,
    path: str,
    endpoint: Callable[..., Any],
    verb: str,
    model: Any,
    status: int = 200,
    needs: Sequence[Callable[[Request], None]] = (),
    **more: Any,
) -> None:
    checks = [*needs] if endpoint.__name__ == "override" else [*needs, _not_overridden]
    routes.add_api_route(
        path,
        endpoint,
        methods=[method],
        summary=summary_of(verb, collection.title),
        response_model=model,
        status_code=status,
        operation_id=f"{collection.name}_{endpoint.__name__}",
        responses=answers_of(collection, endpoint.__name__),
        response_class=Response if status == 204 else JSONResponse,
        dependencies=[Depends(check) for check in checks],
        **more,
    )


for _collection in COLLECTIONS.values():
    router.include_router(_routes_of(_collection))
