"""The three addresses a phone syncs through: push, pull, and both in one round trip."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.bodies import read_json_body
from app.compression import JSON, json_response
from app.context import Context, ContextDep
from app.identity.caller import ClaimsDep, Phone, PhoneDep
from app.identity.tokens import Claims
from app.incoming import Arrived, as_model, read_envelope
from app.languages import language_of
from app.problems import Problem
from app.push import as_json, require_protocol, take_push
from app.waiting import awaited_page_of
from sync.wire import Page, PullBody, PushAnswer, PushBody, SyncAnswer, SyncBody

router = APIRouter(tags=["sync 同步"])


def _takes(name: str) -> dict[str, Any]:
    """The body in OpenAPI; a reader of our own parses it, so that one bad mutation stays alone."""
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


BODIES: tuple[type[BaseModel], ...] = (PushBody, PullBody, SyncBody)


@router.post(
    "/v1/sync/push",
    summary="上传离线修改 · Push offline edits",
    response_model=PushAnswer,
    openapi_extra=_takes("PushBody"),
)
async def push(request: Request, context: ContextDep, phone: PhoneDep) -> Response:
    """Judge up to 100 mutations (256 KB), each alone and in order. Sending the same again changes nothing.

    All mutations of a push belong to one home. A refused one is consumed, holds up nothing and is kept:
    its writer reads it at `GET /v1/mutations?outcome=refused`.
    """
    envelope, arrived = read_envelope(await read_json_body(request))
    return Response(as_json(await take_push(context, phone, envelope, arrived)), media_type=JSON)


@router.post(
    "/v1/sync/pull",
    summary="下载变化 · Pull changes",
    response_model=Page,
    openapi_extra=_takes("PullBody"),
)
async def pull(request: Request, context: ContextDep, claims: ClaimsDep) -> Response:
    """One page of what changed in this phone's feeds since the cursor. Stage pages until one is `complete`.

    With `wait`, an answer that would be `unchanged` comes as soon as there is news, or when the time is over:
    it is what a pull at that moment gives. Pull again to go on; nothing depends on the connection.
    """
    envelope, _ = read_envelope(await read_json_body(request))
    require_protocol(envelope)
    answer = await awaited_page_of(request, context, claims, as_model(PullBody, envelope))
    return json_response(request, answer.body)


@router.get("/v1/sync/pull", summary="下载变化 · Pull changes by query", response_model=Page)
async def pull_by_query(
    request: Request, query: Annotated[PullBody, Query()], context: ContextDep, claims: ClaimsDep
) -> Response:
    """The same as the POST, for clients that would rather GET."""
    require_protocol(query.model_dump())
    return json_response(request, (await awaited_page_of(request, context, claims, query)).body)


@router.post(
    "/v1/sync",
    summary="同步 · Push, then pull",
    response_model=SyncAnswer,
    openapi_extra=_takes("SyncBody"),
)
async def synchronise(request: Request, context: ContextDep, claims: ClaimsDep, phone: PhoneDep) -> Response:
    """Push, then read one page, in two transactions: a pull that fails never hides the outcomes.

    A push that fails as a whole (`server_restored`) is the answer's problem; no page is read then.
    """
    envelope, arrived = read_envelope(await read_json_body(request))
    require_protocol(envelope)
    body: SyncBody = as_model(SyncBody, _without_mutations(envelope))
    pushed = await _push(context, phone, envelope.get("push"), arrived)
    # Outcomes are never held back.
    wait = 0 if pushed else body.wait
    wanted = PullBody(cursor=body.cursor, limit=body.limit, reread=body.reread, wait=wait)
    page = await _page(request, context, claims, wanted)
    parts = [part for part in (pushed, page) if part is not None]
    return json_response(request, b"{" + b",".join(parts) + b"}")


def _without_mutations(envelope: dict[str, Any]) -> dict[str, Any]:
    push = envelope.get("push")
    return {**envelope, "push": {**push, "mutations": []}} if isinstance(push, dict) else envelope


async def _push(context: Context, phone: Phone, push: Any, arrived: list[Arrived]) -> bytes | None:
    if not isinstance(push, dict):
        return None
    return b'"push":' + as_json(await take_push(context, phone, push, arrived))


async def _page(request: Request, context: Context, claims: Claims, body: PullBody) -> bytes:
    try:
        return b'"page":' + (await awaited_page_of(request, context, claims, body)).body
    except Problem as problem:
        return (
            b'"page_problem":'
            + problem.as_body(language_of(request.scope)).model_dump_json(exclude_defaults=True).encode()
        )
