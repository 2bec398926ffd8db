"""Every answer of an application in these tests is held against its own OpenAPI document.

`client_of` is how a test speaks to an application in process: an answer that its operation doesn't
declare fails there and then, with the operation's name.
"""

import json
import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
from fastapi import FastAPI

from app.main import create_app

Answer = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
DOCUMENT, DIALECT = "urn:contract", "https://json-schema.org/draft/2020-12/schema"
NO_OPERATION = {"no_route", "method_not_allowed"}
"""What an address or a method that isn't in the document is answered."""


def client_of(app: FastAPI, base_url: str = "http://test", **options: Any) -> httpx.AsyncClient:
    """A client of the application, in process, whose answers are checked; `options` are the transport's."""
    return httpx.AsyncClient(transport=_Checked(app, **options), base_url=base_url)


class _Checked(httpx.ASGITransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        body = httpx.ByteStream(b"".join([part async for part in answer.stream]))
        # Read here as text and JSON, and given on as the bytes that came.
        read, unread = (httpx.Response(answer.status_code, headers=answer.headers, stream=body) for _ in range(2))
        read.read()
        check(request.method, request.url.path, read)
        return unread


@cache
def document() -> Answer:
    """The application's contract."""
    return dict(create_app().openapi())


def check(method: str, path: str, answer: httpx.Response) -> None:
    """Fails when the operation doesn't declare this answer: status, code, headers, media type or shape."""
    if method.lower() not in METHODS or not path.startswith("/v1/"):
        return
    operation = find_operation(method, path)
    if operation is None:
        assert answer.json()["code"] in NO_OPERATION, (method, path, answer.text)
        return
    name, status = operation["operationId"], str(answer.status_code)
    assert status in operation["responses"], f"{name} doesn't declare {status}: {answer.text[:200]}"
    declared = responses_of(operation)[status]
    media = answer.headers.get("content-type", "").partition(";")[0]
    assert media in declared.get("content", {"": {}}), f"{name} doesn't declare {media} for {status}"
    promised, known = declared.get("headers", {}), document()["components"]["headers"]
    for header in known:
        said = header in answer.headers
        assert not said or header in promised, f"{name} doesn't declare the header {header} for {status}"
        assert said or header not in promised or not known[header].get("required"), f"{name} lacks {header} in {status}"
    if media == "application/problem+json":
        code = answer.json()["code"]
        assert code in declared["x-codes"], f"{name} doesn't declare {code}"
    if media.endswith("json"):
        _fit(name, status, media, answer)


def find_operation(method: str, path: str) -> Answer | None:
    """The operation that answers there; what is literal goes before what is a parameter."""
    fitting = [(pattern, item) for pattern, item in _patterns() if pattern.fullmatch(path)]
    return next((item[method.lower()] for _, item in fitting if method.lower() in item), None)


@cache
def _patterns() -> list[tuple[re.Pattern[str], Answer]]:
    paths = sorted(document()["paths"].items(), key=lambda path: path[0].count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), item) for path, item in paths]


def _fit(name: str, status: str, media: str, answer: httpx.Response) -> None:
    told = sorted(f"{fault.instance_path}: {fault.message[:200]}" for fault in validator(name, status, media)(answer))
    assert not told, f"{name} declares another shape for {status}: {told[:5]}"
    inside = set(codes_inside(answer.json()))
    declared = operation_named(name).get("x-codes-inside", [])
    assert inside <= set(declared), f"{name} doesn't declare {inside - set(declared)} inside"


def codes_inside(body: Any) -> list[str]:
    """The codes of problems within an answer of success."""
    if not isinstance(body, dict) or "code" in body:
        return []
    push = body.get("push") or body
    outcomes = push.get("outcomes") if isinstance(push, dict) else None
    problems = [outcome.get("problem") for outcome in outcomes or ()] + [body.get("page_problem")]
    return [problem["code"] for problem in problems if problem]


def responses_of(operation: Answer) -> dict[str, Answer]:
    """What an operation declares to answer, by status."""
    shared = document()["components"]["responses"]
    declared = operation["responses"].items()
    return {status: shared[said["$ref"].split("/")[-1]] if "$ref" in said else said for status, said in declared}


@cache
def operation_named(name: str) -> Answer:
    """The operation with this id."""
    found = (item[method] for item in document()["paths"].values() for method in item if method in METHODS)
    return next(operation for operation in found if operation["operationId"] == name)


def path_of(name: str) -> tuple[str, str]:
    """The method and the address of an operation."""
    places = ((method, path) for path, item in document()["paths"].items() for method in item if method in METHODS)
    return next(place for place in places if document()["paths"][place[1]][place[0]]["operationId"] == name)


@cache
def validator(name: str, status: str, media: str) -> Any:
    """Gives the faults of an answer's body."""
    shape = {"$ref": f"{DOCUMENT}#/answers/{_key(name, status, media)}"}
    made = jsonschema_rs.Draft202012Validator(shape, validate_formats=True, registry=_shapes())
    return lambda answer: made.iter_errors(json.loads(answer.content))


@cache
def _shapes() -> jsonschema_rs.Registry:
    """The shape of every answer, and what they share, once: in each validator it would be 5 MB."""
    answers = {
        _key(operation["operationId"], status, media): closed(shown["schema"])
        for item in document()["paths"].values()
        for operation in (item[method] for method in item if method in METHODS)
        for status, declared in responses_of(operation).items()
        for media, shown in declared.get("content", {}).items()
        if media.endswith("json")
    }
    whole = {"$schema": DIALECT, "answers": answers, "components": closed(document()["components"])}
    return jsonschema_rs.Registry([(DOCUMENT, whole)])


def _key(name: str, status: str, media: str) -> str:
    return f"{name}.{status}.{media.replace('/', '.')}"


def closed(schema: Any) -> Any:
    """The schema, allowing an object no member that it doesn't name: a later server may show one more, but this one
    shows none that it hasn't declared."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    parts = {name: closed(part) for name, part in schema.items()}
    return {"additionalProperties": False, **parts} if named else parts
