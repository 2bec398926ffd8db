"""The routes of every collection, made from its declaration: list, read, history; create, put, patch, delete."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, JsonValue, create_model

from app.answers import as_answer, read_object, record_answer
from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.context import ContextDep
from app.identity.caller import CallerDep
from app.paging import each_once, link_to_next
from app.problems import Problem
from app.records import HistoryRow, history_of, list_records
from app.terms import IfChanged, Key, Terms, TermsDep
from app.working import CONFLICTS
from app.writes import Asked, change_record, create_record, put_record, resolve_conflict

OVERRIDE = "X-HTTP-Method-Override"
Override = Annotated[
    Literal["PUT", "PATCH", "DELETE"],
    Header(alias=OVERRIDE, description="What is meant by this POST, for callers without the method"),
]
router = APIRouter()


class RecordHistory(BaseModel):
    """The newest first."""

    history: list[HistoryRow]


class Resolution(BaseModel):
    """The value a person chose; `true` or `false` where the contested field is `deleted`."""

    model_config = ConfigDict(extra="forbid")

    value: JsonValue


BODIES: list[type[BaseModel]] = [model for c in COLLECTIONS.values() for model in (c.create, c.patch)] + [Resolution]
"""What the routes name and readers of our own parse."""


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
        _add_creating(routes, collection)
        _add_changing(routes, collection)
    return routes


def _add_reading(routes: APIRouter, collection: Collection, page: type[BaseModel]) -> None:
    title = collection.title

    async def list_all(
        request: Request,
        caller: CallerDep,
        context: ContextDep,
        asked: Annotated[collection.query, Query()],  # type: ignore[name-defined]
    ) -> Any:
        """Records in order of id, as far as one's grants show them and the filters match, all of them at once.

        The next page is the address in `Link`, and what `after` takes is `next`; null on the last."""
        async with context.database.snapshot() as snapshot:
            items, last = await list_records(snapshot, context, caller.person_id, collection, asked)
        page: JsonValue = {"items": [*items], "next": str(last) if last else None}
        return as_answer(page, link_to_next(request, "after", last))

    async def read(id: UUID, caller: CallerDep, context: ContextDep, if_none_match: IfChanged = None) -> Any:
        """One record with its `ETag`. What one may not see does not exist."""
        return await record_answer(context, caller, collection, id, known=if_none_match)

    async def history(id: UUID, caller: CallerDep, context: ContextDep) -> Any:
        """How the record became what it is, also after it was deleted."""
        async with context.database.snapshot() as snapshot:
            return {"history": await history_of(snapshot, context, caller.person_id, collection, id)}

    _add(routes, "GET", "", list_all, f"列表 · List: {title}", page, needs=[each_once])
    unchanged = {304: {"description": "The `ETag` still holds"}}
    _add(routes, "GET", "/{id}", read, f"读取 · Read: {title}", collection.read, responses=unchanged)
    _add(routes, "GET", "/{id}/history", history, f"历史 · History: {title}", RecordHistory)


def _add_creating(routes: APIRouter, collection: Collection) -> None:
    async def create(request: Request, caller: CallerDep, context: ContextDep, idempotency_key: Key = None) -> Any:
        """Create a record. `id` may be chosen by the caller: a UUID, version 7 advised; without one the record
        takes its `Idempotency-Key`'s, if there is one."""
        fields = await read_object(request)
        chosen = fields.pop("id", None)
        id = _as_id(chosen) if chosen is not None else idempotency_key or context.seams.new_id()
        asked = Asked("create", caller.person_id, collection, id, fields, Terms(idempotency_key))
        await create_record(context, asked)
        return await record_answer(context, caller, collection, id, 201)

    _add(
        routes,
        "POST",
        "",
        create,
        f"新建 · Create: {collection.title}",
        collection.read,
        201,
        openapi_extra=_body(collection.create),
    )


def _add_changing(routes: APIRouter, collection: Collection) -> None:
    title, read = collection.title, collection.read

    async def put(id: UUID, request: Request, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """Make the record what the body says: an omitted field gets its default. Creates it where there is none."""
        fields = await read_object(request)
        if _as_id(fields.pop("id", str(id))) != id:
            raise Problem("bad_request", errors=[{"pointer": "/id", "code": "another_id"}])
        created = await put_record(context, Asked("put", caller.person_id, collection, id, fields, terms))
        return await record_answer(context, caller, collection, id, 201 if created else 200)

    async def patch(id: UUID, request: Request, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """Change what the body names (RFC 7396): sets are given whole, `null` empties a field."""
        fields = await read_object(request)
        await change_record(context, Asked("patch", caller.person_id, collection, id, fields, terms))
        return await record_answer(context, caller, collection, id)

    async def delete(id: UUID, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """Delete the record; its history stays."""
        await change_record(context, Asked("delete", caller.person_id, collection, id, {}, terms))
        return Response(status_code=204)

    async def override(
        id: UUID, request: Request, caller: CallerDep, context: ContextDep, terms: TermsDep, method: Override
    ) -> Any:
        """PUT, PATCH or DELETE, for callers that don't have the method: body, headers and answer are the same."""
        if method == "DELETE":
            return await delete(id, caller, context, terms)
        return await (put if method == "PUT" else patch)(id, request, caller, context, terms)

    whole, part = _body(collection.create), _body(collection.patch)
    made: dict[int | str, Any] = {201: {"model": read, "description": "There was none: it is created"}}
    _add(routes, "PUT", "/{id}", put, f"替换 · Replace: {title}", read, responses=made, openapi_extra=whole)
    _add(routes, "PATCH", "/{id}", patch, f"修改 · Change: {title}", read, openapi_extra=part)
    _add(routes, "DELETE", "/{id}", delete, f"删除 · Delete: {title}", None, 204)
    either = _body(collection.create, collection.patch)
    made |= {204: {"description": "It is deleted"}}
    _add(
        routes,
        "POST",
        "/{id}",
        override,
        f"替换、修改或删除 · Replace, change or delete: {title}",
        read,
        responses=made,
        openapi_extra=either,
    )


def _add_resolution(routes: APIRouter, collection: Collection) -> None:
    async def resolve(id: UUID, request: Request, caller: CallerDep, context: ContextDep, terms: TermsDep) -> Any:
        """Choose the value. The record is written in the same transaction; a second resolution is refused."""
        body = await read_object(request)
        if body.keys() != {"value"}:
            raise Problem("bad_request", errors=[{"pointer": "/value", "code": "missing"}])
        await resolve_conflict(context, Asked("resolve", caller.person_id, collection, id, body, terms))
        return await record_answer(context, caller, collection, id)

    body = _body(Resolution)
    _add(routes, "POST", "/{id}/resolution", resolve, "处理冲突 · Resolve", collection.read, openapi_extra=body)


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
    method: str,
    path: str,
    endpoint: Callable[..., Any],
    summary: str,
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
        summary=summary,
        response_model=model,
        status_code=status,
        operation_id=f"{routes.prefix.removeprefix('/v1/')}_{endpoint.__name__}",
        dependencies=[Depends(check) for check in checks],
        **more,
    )


for _collection in COLLECTIONS.values():
    router.include_router(_routes_of(_collection))
