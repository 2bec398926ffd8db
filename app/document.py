"""The OpenAPI document: what the framework makes of the routes, completed by what it can't know."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app import record_routes, sync_routes
from app.contract import HEADERS, RATE_LIMIT, header_references, problem_examples
from sync.canonical import LARGEST_INTEGER
from sync.wire import PROTOCOL, ProblemBody

Document = dict[str, Any]
EXAMPLES = Path(__file__).with_name("examples.json")
_SECURITY = "sign-in"
_NULL = {"type": "null"}
_FORMATS = {"uuid": 36, "date": 10, "date-time": 40}
"""Characters that a text of this format has at most."""


def completed(document: Document) -> Document:
    """Bodies that we read ourselves, examples, bounds that hold everywhere, and shared parts said once."""
    document["x-protocol"] = PROTOCOL
    document["security"] = [{_SECURITY: []}]
    components = document.setdefault("components", {})
    components["headers"] = HEADERS
    schemas = components.setdefault("schemas", {})
    # Invalid requests are `bad_request` here, whatever the framework would say.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _add_bodies(schemas)
    examples = json.loads(EXAMPLES.read_text("utf-8"))
    for operation in operations(document):
        _complete(operation)
        _exemplify(operation, examples.get(operation["operationId"], []))
    for schema in _schemas(document):
        _or_null(schema)
        _bound(schema)
    components["responses"] = _shared(document)
    answered = {code for response in components["responses"].values() for code in response["x-codes"]}
    components["examples"] = {code: problem_examples()[code] for code in sorted(answered)}
    return document


def operations(document: Document) -> Iterator[dict[str, Any]]:
    """Every operation, in the document's order."""
    for path in document["paths"].values():
        yield from path.values()


def _add_bodies(schemas: dict[str, Any]) -> None:
    """The request bodies that readers of our own parse: their models are named, not imported, by the routes."""
    schemas.setdefault("ProblemBody", ProblemBody.model_json_schema(mode="serialization"))
    for model in (*record_routes.BODIES, *sync_routes.BODIES):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(name, definition)
        schemas.setdefault(model.__name__, schema)


def _complete(operation: dict[str, Any]) -> None:
    """No 422 of the framework's; an operation for everybody says so, any other what the caller has left."""
    validation = operation["responses"].get("422", {})
    if "application/json" in validation.get("content", {}):
        del operation["responses"]["422"]
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _never_null(parameter["schema"])
    if not operation.setdefault("security", []):
        return
    for answer in operation["responses"].values():
        answer.setdefault("headers", {}).update(header_references(RATE_LIMIT))


def _exemplify(operation: dict[str, Any], examples: list[dict[str, Any]]) -> None:
    """What was asked and answered one morning, beside what may be: parameters from the first, bodies from all.

    Of what may be left out nothing is shown: whoever tries an operation out would send it along unseen, the same
    `Idempotency-Key` for every record.
    """
    for number, example in enumerate(examples, 1):
        name, asked = f"example_{number}", example["request"]
        for parameter in operation.get("parameters", []) if number == 1 else ():
            given = asked.get("headers" if parameter["in"] == "header" else parameter["in"], {})
            found = {key.lower(): value for key, value in given.items()}.get(parameter["name"].lower())
            if found is not None and parameter.get("required"):
                parameter["example"] = found
        bodies = operation.get("requestBody", {}).get("content", {})
        answers = operation["responses"][str(example["status"])].get("content", {})
        # Of an answer that comes in several forms, the JSON is what was recorded.
        in_json = {media: content for media, content in answers.items() if media.endswith("json")}
        for media, said in ((bodies, asked.get("body")), (in_json, example["answer"])):
            for content in media.values() if said is not None else ():
                content.setdefault("examples", {})[name] = {"summary": example["summary"], "value": said}


def _shared(document: Document) -> dict[str, Any]:
    """Problems are said once: the first operation that answers them so gives them their name."""
    named: dict[str, dict[str, Any]] = {}
    for operation in operations(document):
        route = operation["operationId"].removeprefix(f"{operation['tags'][0]}_")
        for status, answer in operation["responses"].items():
            if "x-codes" not in answer:
                continue
            name = next((name for name, said in named.items() if said == answer), f"{route}_{status}")
            if named.setdefault(name, answer) != answer:
                name = f"{operation['operationId']}_{status}"
                named[name] = answer
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return named


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema that says its type, or that it is one of several."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str) or isinstance(node.get("anyOf"), list):
            yield node
        for name, part in node.items():
            if name not in ("example", "examples"):
                yield from _schemas(part)
    elif isinstance(node, list):
        for part in node:
            yield from _schemas(part)


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What stands in an address or a header is there or not; there is no null to send."""
    parts = [part for part in schema.get("anyOf", []) if part != _NULL]
    others = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**parts[0], **others} if len(parts) == 1 else schema


def _or_null(schema: dict[str, Any]) -> None:
    """`anyOf` something and null, said in one: generators make better clients of that."""
    parts = schema.get("anyOf", [])
    if len(parts) == 2 and parts[1] == _NULL and isinstance(parts[0].get("type"), str):
        del schema["anyOf"]
        part = {**parts[0], "type": [parts[0]["type"], "null"]}
        if "enum" in part:
            part["enum"] = [*part["enum"], None]
        schema.update({name: value for name, value in part.items() if name not in schema})


def _bound(schema: dict[str, Any]) -> None:
    """No integer travels that JavaScript can't hold; a text of a known format is as long as that."""
    kinds = schema.get("type", [])
    if "integer" in kinds:
        # The framework spells bounds as floats.
        low = schema["minimum"] = int(schema.get("minimum", -LARGEST_INTEGER))
        high = schema["maximum"] = int(schema.get("maximum", LARGEST_INTEGER))
        schema.setdefault("format", "int32" if low >= -(2**31) and high < 2**31 else "int64")
    if "string" in kinds and schema.get("format") in _FORMATS:
        schema.setdefault("maxLength", _FORMATS[schema["format"]])
    schema.pop("title", None)
