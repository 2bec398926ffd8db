"""What a record's routes take and answer: a JSON object in, stored values out as they are."""

from uuid import UUID

from fastapi import Request, Response
from pydantic import JsonValue

from app.bodies import read_json_body
from app.collections.base import Collection
from app.context import Context
from app.identity.caller import Caller
from app.incoming import read_value
from app.problems import Problem
from app.records import get_record
from app.terms import Tags, names
from sync.canonical import canonical_json
from sync.wire import Fields


async def read_object(request: Request) -> Fields:
    """The body's fields. Raises bad_json, or the code of its flaw."""
    value = read_value(await read_json_body(request))
    if not isinstance(value, dict):
        raise Problem("bad_json")
    return value


async def record_answer(
    context: Context, caller: Caller, collection: Collection, id: UUID, status: int = 200, known: Tags | None = None
) -> Response:
    """The record as it is now, with its ETag; 304 where that is among the `known` ones. Raises not_found."""
    async with context.database.snapshot(context.seen_by(caller.person_id)) as snapshot:
        stored = await get_record(snapshot, context, caller.person_id, collection, id)
    headers = {"ETag": f'"{stored.rev}"'}
    if known is not None and names(known, stored.rev):
        return Response(status_code=304, headers=headers)
    if status == 201:
        headers["Location"] = f"/v1/{collection.name}/{id}"
    return as_answer(stored.as_view(id), headers, status)


def as_answer(value: JsonValue, headers: dict[str, str], status: int = 200) -> Response:
    """Stored values as they are: nothing is read into a model and spelled another way."""
    return Response(canonical_json(value), status, headers, "application/json")
