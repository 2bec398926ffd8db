"""The routes of every collection, made from its declaration: list, read, create, patch, delete, history."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, JsonValue, create_model

from app.batch import Actor
from app.bodies import read_json_body
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import Context, ContextDep
from app.identity.caller import Caller, CallerDep
from app.incoming import read_value
from app.problems import Problem
from app.records import (
    Write,
    change_record,
    create_record,
    find_record,
    get_record,
    history_of,
    list_records,
    lock,
    require_match,
    write_one,
)
from app.working import CONFLICTS
from sync.canonical import canonical_json
from sync.wire import Fields

IfMatch = Annotated[str | None, Header(description='The `ETag` that was read, e.g. `"3"`; stale is 412')]
router = APIRouter()


class HistoryRow(BaseModel):
    """One rev: which fields became what, and what they were."""

    rev: int
    op: str
    at: datetime
    by: UUID | None
    mutation: UUID
    fields: dict[str, JsonValue]
    was: dict[str, JsonValue]


class RecordHistory(BaseModel):
    """The newest first."""

    history: list[HistoryRow]


class Resolution(BaseModel):
    """The value a person chose; `true` or `false` where the contested field is `deleted`."""

    model_config = ConfigDict(extra="forbid")

    value: JsonValue


def _body(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


BODIES: list[type[BaseModel]] = [model for c in COLLECTIONS.values() for model in (c.create, c.patch)] + [Resolution]


async def _object(request: Request) -> Fields:
    value = read_value(await read_json_body(request))
    if not isinstance(value, dict):
        raise Problem("bad_json")
    return value


def _answer(value: JsonValue, status: int = 200, **headers: str) -> Response:
    """Stored values as they are: nothing is read into a model and spelled another way."""
    return Response(canonical_json(value), status, headers, "application/json")


async def _read(context: Context, caller: Caller, collection: Collection, id: UUID, status: int = 200) -> Response:
    async with context.database.snapshot() as snapshot:
        stored = await get_record(snapshot, context, caller.person_id, collection, id)
    headers = {"ETag": f'"{stored.rev}"'}
    if status == 201:
        headers["Location"] = f"/v1/{collection.name}/{id}"
    return _answer(stored.as_view(id), status, **headers)


def _routes_of(collection: Collection) -> APIRouter:
    routes = APIRouter(prefix=f"/v1/{collection.name}", tags=[f"{collection.name} {collection.title.split(' · ')[0]}"])
    page = create_model(
        f"{collection.read.__name__.removesuffix('Read')}List",
        items=(list[collection.read], ...),  # type: ignore[name-defined]
        next=(UUID | None, ...),
    )
    _add_reading(routes, collection, page)
    if collection.name == CONFLICTS:
        _add_resolution(routes, collection)
    else:
        _add_writing(routes, collection)
    return routes


def _add_reading(routes: APIRouter, collection: Collection, page: type[BaseModel]) -> None:
    title = collection.title

    async def list_all(
        caller: CallerDep,
        context: ContextDep,
        after: Annotated[UUID | None, Query(description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Any:
        """Records in order of id, as far as one's grants show them."""
        async with context.database.snapshot() as snapshot:
            items = await list_records(snapshot, context, caller.person_id, collection, after, limit)
        return _answer({"items": [*items], "next": items[-1]["id"] if len(items) == limit else None})

    async def read(id: UUID, caller: CallerDep, context: ContextDep) -> Any:
        """One record with its `ETag`. What one may not see does not exist."""
        return await _read(context, caller, collection, id)

    async def history(id: UUID, caller: CallerDep, context: ContextDep) -> Any:
        """How the record became what it is, also after it was deleted."""
        async with context.database.snapshot() as snapshot:
            return {"history": await history_of(snapshot, context, caller.person_id, collection, id)}

    _add(routes, "GET", "", list_all, f"列表 · List: {title}", page)
    _add(routes, "GET", "/{id}", read, f"读取 · Read: {title}", collection.read)
    _add(routes, "GET", "/{id}/history", history, f"历史 · History: {title}", RecordHistory)


def _add_writing(routes: APIRouter, collection: Collection) -> None:
    title = collection.title

    async def create(request: Request, caller: CallerDep, context: ContextDep) -> Any:
        """Create a record. `id` may be chosen by the caller: a UUID, version 7 advised."""
        fields = await _object(request)
        chosen = fields.pop("id", None)
        id = _as_id(chosen) if chosen is not None else context.seams.new_id()
        await create_record(context, Actor(caller.person_id), collection, id, fields)
        return await _read(context, caller, collection, id, 201)

    async def patch(
        id: UUID,
        request: Request,
        caller: CallerDep,
        context: ContextDep,
        if_match: IfMatch = None,
    ) -> Any:
        """Change what the body names (RFC 7396): sets are given whole, `null` empties a field."""
        await change_record(context, Actor(caller.person_id), collection, id, if_match, await _object(request))
        return await _read(context, caller, collection, id)

    async def delete(id: UUID, caller: CallerDep, context: ContextDep, if_match: IfMatch = None) -> None:
        """Delete the record; its history stays."""
        await change_record(context, Actor(caller.person_id), collection, id, if_match, None)

    _add(routes, "POST", "", create, f"新建 · Create: {title}", collection.read, 201, _body(collection.create))
    _add(
        routes,
        "PATCH",
        "/{id}",
        patch,
        f"修改 · Change: {title}",
        collection.read,
        200,
        _body(collection.patch),
    )
    _add(routes, "DELETE", "/{id}", delete, f"删除 · Delete: {title}", None, 204)


def _add_resolution(routes: APIRouter, collection: Collection) -> None:
    async def resolve(
        id: UUID,
        request: Request,
        caller: CallerDep,
        context: ContextDep,
        if_match: IfMatch = None,
    ) -> Any:
        """Choose the value. The record is written in the same transaction; a second resolution is refused."""
        body = await _object(request)
        if body.keys() != {"value"}:
            raise Problem("bad_request", errors=[{"pointer": "/value", "code": "missing"}])
        await _resolve(context, caller, collection, id, if_match, body["value"])
        return await _read(context, caller, collection, id)

    _add(
        routes,
        "POST",
        "/{id}/resolution",
        resolve,
        "处理冲突 · Resolve",
        collection.read,
        200,
        _body(Resolution),
    )


async def _resolve(
    context: Context, caller: Caller, conflicts: Collection, id: UUID, if_match: str | None, value: JsonValue
) -> None:
    async def work(transaction: Any) -> None:
        seen = await find_record(transaction, context, caller.person_id, conflicts, id)
        if seen is None:
            raise Problem("not_found")
        target = COLLECTIONS[str(seen.fields["of_collection"])]
        held = await lock(transaction, target, seen.home, UUID(str(seen.fields["of_record"])))
        conflict = await lock(transaction, conflicts, seen.home, id)
        require_match(if_match, conflict["rev"])
        said: Fields = {"resolution": {"value": value, "base": held["rev"], "after": None}}
        write = Write(conflicts, seen.home, id, "update", conflict["rev"], said)
        await write_one(transaction, context, Actor(caller.person_id), write)

    await context.database.run(work)


def _as_id(value: JsonValue) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise Problem("id_invalid", errors=[{"pointer": "/id"}]) from None


def _add(
    routes: APIRouter,
    method: str,
    path: str,
    endpoint: Callable[..., Any],
    summary: str,
    model: Any,
    status: int = 200,
    extra: dict[str, Any] | None = None,
) -> None:
    name = f"{routes.prefix.removeprefix('/v1/')}_{endpoint.__name__}"
    routes.add_api_route(
        path,
        endpoint,
        methods=[method],
        summary=summary,
        response_model=model,
        status_code=status,
        openapi_extra=extra,
        operation_id=name,
    )


for _collection in COLLECTIONS.values():
    router.include_router(_routes_of(_collection))
