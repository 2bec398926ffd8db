"""What a route can answer, said beside it: `responses=answers(SIGNED_IN, READ_BODY, "stale")`.

Exactly these codes reach the OpenAPI document, and the tests hold every answer against it.
"""

from collections.abc import Iterable
from typing import Any

from app.problems import CATALOGUE, Problem

Codes = str | tuple[str, ...]
Responses = dict[int | str, dict[str, Any]]

ANYWHERE: Codes = ("head_too_large", "body_too_large", "internal")
"""Of every route."""
SIGNED_IN: Codes = (
    *("not_signed_in", "token_expired", "token_foreign", "replica_revoked", "person_disabled"),
    "too_many_requests",
)
"""Of every route that takes a `CallerDep`."""
ON_A_PHONE: Codes = (*SIGNED_IN, "replica_needed")
"""Of every route that takes a `PhoneDep`."""
STORED: Codes = ("unavailable", "overloaded")
"""Of every route that needs the store."""
PARSED_BODY: Codes = ("bad_request", "body_too_slow")
"""Of every route whose body the framework reads into a model."""
READ_BODY: Codes = ("bad_json", "too_deep", "bad_gzip", "wrong_content_type", "body_too_slow")
"""Of every route that reads its body with `read_json_body`."""
UNFIT_VALUE: Codes = (
    *("number_not_finite", "number_not_whole", "integer_too_large"),
    *("nul_in_text", "lone_surrogate", "duplicate_key", "key_not_allowed"),
)
"""What can't travel: of a whole CRUD body, or of one mutation."""
UNFIT_FIELD: Codes = ("invalid", "text_too_long")
"""Of any field's value; a collection may refuse more (`refuses`)."""
REFUSALS: Codes = (
    *("id_invalid", "mutation_invalid", "unknown_collection", "pull_only", "wrong_home", "mutation_reused"),
    *UNFIT_VALUE,
    "unknown_field",
    *UNFIT_FIELD,
    *("check_digit", "no_legal_basis", "nobody_responsible", "no_approval", "questions_invalid", "server_gives"),
    *("reference_not_found", "area_without_feed", "depends_on_refused", "not_found", "id_taken", "not_permitted"),
    *("already_deleted", "already_resolved", "once_changed", "not_storable", "erased"),
)
"""Why one mutation of a push can be refused; they travel in its outcome, inside a 200."""

_SUCCESS = {
    200: "成功 · Done",
    304: "未变 · The `ETag` still holds",
    201: "已新建 · Created",
    204: "成功，无内容 · Done, with nothing to say",
}
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {
        "required": True,
        "description": "记录的版本，用于 If-Match · The record's rev in quotes, for `If-Match`",
        "schema": {"type": "string", "pattern": r'^"[0-9]+"$', "maxLength": 24},
        "example": '"3"',
    },
    "Location": {
        "required": True,
        "description": "新记录的地址 · Where the new record is read",
        "schema": {"type": "string", "format": "uri-reference", "maxLength": 200},
        "example": "/v1/households/0198f2c4-7a10-7c3e-9d52-5f0c8a1b2e01",
    },
    "Link": {
        "description": "下一页的地址，最后一页没有 · The address of the next page; none on the last",
        "schema": {"type": "string", "pattern": '^<.*>; rel="next"$', "maxLength": 4000},
        "example": '</v1/households?limit=100&after=0198f2c4-7a10-7c3e-9d52-5f0c8a1b2e01>; rel="next"',
    },
    "WWW-Authenticate": {
        "required": True,
        "description": "如何登录 · How to sign in",
        "schema": {"type": "string", "const": "Bearer"},
    },
    "Content-Language": {
        "description": "标题的语言，按 Accept-Language · Of the title, as `Accept-Language` asked",
        "required": True,
        "schema": {"type": "string", "enum": ["zh", "en", "zh, en"]},
    },
    "RateLimit": {
        "description": "本机还能请求几次、多少秒内 · Requests that this phone has left, and for how many seconds",
        "schema": {"type": "string", "pattern": r'^"phone";r=[0-9]+;t=[0-9]+$', "maxLength": 40},
        "example": '"phone";r=599;t=60',
    },
    "RateLimit-Policy": {
        "description": "每台手机的限额 · What a phone may ask: so many requests in so many seconds",
        "schema": {"type": "string", "pattern": r'^"phone";q=[0-9]+;w=[0-9]+$', "maxLength": 40},
        "example": '"phone";q=600;w=60',
    },
    "Retry-After": {
        "required": True,
        "description": "几秒后再试 · Seconds to wait before trying again",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 86400},
        "example": 2,
    },
}
"""Headers that answers carry, by name, as `components/headers` holds them."""
RATE_LIMIT = ("RateLimit", "RateLimit-Policy")
"""On what a caller who is known is answered."""
_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def answers(*codes: Codes) -> Responses:
    """The problems, grouped by status, for a route's `responses`; what can happen anywhere is among them."""
    found: dict[int, list[str]] = {}
    for code in codes_of(*codes, ANYWHERE):
        found.setdefault(CATALOGUE[code].status, []).append(code)
    return {status: _problems(status, found[status]) for status in sorted(found)}


def codes_of(*groups: Codes) -> list[str]:
    """The codes of these groups, each once, in the catalogue's order."""
    named = {code for group in groups for code in ((group,) if isinstance(group, str) else group)}
    assert named <= CATALOGUE.keys(), named - CATALOGUE.keys()
    return [code for code in CATALOGUE if code in named]


def succeeds(status: int, *headers: str) -> Responses:
    """The answer of success, with the headers it carries."""
    return {status: {"description": _SUCCESS[status], **_headers(headers)}}


def summary_of(verb: str, title: str) -> str:
    """What an operation does with which collection: 列表：户 · List: Households."""
    verbs, titles = verb.split(" · "), title.split(" · ")
    return f"{verbs[0]}：{titles[0]} · {verbs[1]}: {titles[1]}"


def _problems(status: int, codes: list[str]) -> dict[str, Any]:
    lines = [f"- `{code}` {CATALOGUE[code].zh} · {CATALOGUE[code].en}" for code in codes]
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {
        "description": "\n".join(lines),
        "x-codes": codes,
        **_headers(("Content-Language", *_PROBLEM_HEADERS.get(status, ()))),
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    }


def header_references(names: Iterable[str]) -> dict[str, Any]:
    """These headers, as an answer declares them."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _headers(names: Iterable[str]) -> dict[str, Any]:
    found = header_references(names)
    return {"headers": found} if found else {}


def problem_examples() -> dict[str, Any]:
    """Every problem as it travels, for `components/examples`."""
    return {
        code: {
            "summary": f"{entry.zh} · {entry.en}",
            "value": Problem(code).as_body().model_dump(mode="json", exclude_defaults=True),
        }
        for code, entry in CATALOGUE.items()
    }
