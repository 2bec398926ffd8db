"""The three addresses a phone syncs through: push, pull, and both in one round trip."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.bodies import read_json_body
from app.compression import JSON, json_response
from app.context import Context, context_of
from app.contract import ON_A_PHONE, READ_BODY, REFUSALS, STORED, Codes, answers, codes_of, succeeds
from app.identity.caller import ClaimsDep, Phone, PhoneDep
from app.identity.tokens import Claims
from app.incoming import Arrived, as_model, read_envelope
from app.languages import language_of
from app.problems import Problem
from app.push import as_json, require_protocol, take_push
from app.waiting import awaited_page_of
from sync.wire import Page, PullBody, PushAnswer, PushBody, SyncAnswer, SyncBody

router = APIRouter(tags=["sync"])


def _takes(name: str, *inside: Codes) -> dict[str, Any]:
    """The body in OpenAPI; a reader of our own parses it, so that one bad mutation stays alone.

    `inside` are the codes of problems that travel within a 200.
    """
    schema = {"$ref": f"#/components/schemas/{name}"}
    body = {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}
    return body | ({"x-codes-inside": codes_of(*inside)} if inside else {})


BATCH: Codes = (*READ_BODY, "bad_request", "too_many_mutations", "server_older")
"""What the reader of every body of this file can say."""
PAGE: Codes = ("cursor_unreadable", "cursor_forged", "cursor_foreign", "too_many_feeds")

BODIES: tuple[type[BaseModel], ...] = (PushBody, PullBody, SyncBody)


@router.post(
    "/v1/sync/push",
    summary="上传离线修改 · Push offline edits",
    response_model=PushAnswer,
    openapi_extra=_takes("PushBody", REFUSALS),
    responses=succeeds(200) | answers(ON_A_PHONE, STORED, BATCH, "server_restored"),
)
async def push(request: Request, phone: PhoneDep) -> Response:
    """逐条、按先后判定离线修改，最多 100 条（256 KB）。重复发送不改变任何结果。被拒绝的也会保留，可随时查阅。

    Judge up to 100 mutations (256 KB), each alone and in order. Sending the same again changes nothing.
    All mutations of a push belong to one home. A refused one is consumed, holds up nothing and is kept: its
    writer reads it at `GET /v1/mutations?outcome=refused`.
    """
    envelope, arrived = read_envelope(await read_json_body(request))
    return Response(as_json(await take_push(context_of(request), phone, envelope, arrived)), media_type=JSON)


@router.post(
    "/v1/sync/pull",
    summary="下载变化 · Pull changes",
    response_model=Page,
    openapi_extra=_takes("PullBody"),
    responses=succeeds(200) | answers(ON_A_PHONE, STORED, BATCH, PAGE, "server_restored"),
)
async def pull(request: Request, claims: ClaimsDep) -> Response:
    """游标之后，本机各信息流的变化，一次一页。先暂存，直到某页为 `complete`，再一并生效。带 `wait` 则无变化时稍等。

    One page of what changed in this phone's feeds since the cursor. Stage pages until one is `complete`.

    With `wait`, an answer that would be `unchanged` comes as soon as there is news, or when the time is over:
    it is what a pull at that moment gives. Pull again to go on; nothing depends on the connection.
    """
    envelope, _ = read_envelope(await read_json_body(request))
    require_protocol(envelope)
    answer = await awaited_page_of(request, claims, as_model(PullBody, envelope))
    return json_response(request, answer.body)


@router.get(
    "/v1/sync/pull",
    summary="下载变化（GET） · Pull changes by query",
    response_model=Page,
    responses=succeeds(200) | answers(ON_A_PHONE, STORED, PAGE, "server_restored", "bad_request", "server_older"),
)
async def pull_by_query(request: Request, query: Annotated[PullBody, Query()], claims: ClaimsDep) -> Response:
    """与 POST 相同，供习惯 GET 的应用使用。

    The same as the POST, for clients that would rather GET.
    """
    require_protocol(query.model_dump())
    return json_response(request, (await awaited_page_of(request, claims, query)).body)


@router.post(
    "/v1/sync",
    summary="同步 · Push, then pull",
    response_model=SyncAnswer,
    openapi_extra=_takes("SyncBody", REFUSALS, PAGE, STORED, ON_A_PHONE),
    responses=succeeds(200) | answers(ON_A_PHONE, STORED, BATCH, "server_restored"),
)
async def synchronise(request: Request, claims: ClaimsDep, phone: PhoneDep) -> Response:
    """先上传，再读一页，一个来回、两次事务：下载失败不会掩盖上传的结果。

    Push, then read one page, in two transactions: a pull that fails never hides the outcomes.

    A push that fails as a whole (`server_restored`) is the answer's problem; no page is read then.
    """
    envelope, arrived = read_envelope(await read_json_body(request))
    require_protocol(envelope)
    body: SyncBody = as_model(SyncBody, _without_mutations(envelope))
    pushed = await _push(context_of(request), phone, envelope.get("push"), arrived)
    # Outcomes are never held back.
    wait = 0 if pushed else body.wait
    wanted = PullBody(cursor=body.cursor, limit=body.limit, reread=body.reread, wait=wait)
    page = await _page(request, claims, wanted)
    parts = [part for part in (pushed, page) if part is not None]
    return json_response(request, b"{" + b",".join(parts) + b"}")


def _without_mutations(envelope: dict[str, Any]) -> dict[str, Any]:
    push = envelope.get("push")
    return {**envelope, "push": {**push, "mutations": []}} if isinstance(push, dict) else envelope


async def _push(context: Context, phone: Phone, push: Any, arrived: list[Arrived]) -> bytes | None:
    if not isinstance(push, dict):
        return None
    return b'"push":' + as_json(await take_push(context, phone, push, arrived))


async def _page(request: Request, claims: Claims, body: PullBody) -> bytes:
    try:
        return b'"page":' + (await awaited_page_of(request, claims, body)).body
    except Problem as problem:
        return (
            b'"page_problem":'
            + problem.as_body(language_of(request.scope)).model_dump_json(exclude_defaults=True).encode()
        )
