"""The filters of a list: a field declared with `filter=True` is a query parameter, its kind says what is compared.

Days and times have `…_from` and `…_to`, both inclusive; a set is asked for one member; anything else must be equal.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any, get_args
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from app.database import Transaction
from app.fields import FieldSpec, constrained
from sync.canonical import require_canonical

MOST_LISTED = 1000
_RANGES = {"from": "不早于 · Not before", "to": "不晚于 · Not after"}
# Query parameters are read leniently: a number would pass for a time, and `on` for true.
_SPELLED = {bool: "true|false", int: r"-?\d{1,15}", date: r"\d{4}-\d\d-\d\d", datetime: r"\d{4}-\d\d-\d\dT.+"}


def query_model(name: str, fields: Iterable[tuple[FieldSpec, FieldInfo]]) -> type[BaseModel]:
    """The query parameters of a collection's list: what is declared to be filtered by, `after` and `limit`."""
    after = Field(None, description="上一页的 `next` · `next` of the page before")
    parameters: dict[str, Any] = {}
    for spec, info in fields:
        if spec.filter:
            parameters |= _parameters_of(spec, info)
    parameters |= {
        "after": (UUID | None, after),
        "limit": (int, Field(100, ge=1, le=MOST_LISTED, description="每页条数 · How many")),
    }
    model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **parameters)
    return model


def _parameters_of(spec: FieldSpec, info: FieldInfo) -> dict[str, Any]:
    if spec.kind is set:
        [member] = get_args(info.annotation)
        return {spec.name: (_exactly(str, member), Field(None, description=f"{info.description} (one of them)"))}
    wanted = _exactly(spec.kind, constrained(info))
    if spec.kind not in (date, datetime):
        return {spec.name: (wanted, Field(None, description=info.description))}
    return {
        f"{spec.name}_{end}": (wanted, Field(None, description=f"{words}: {info.description}"))
        for end, words in _RANGES.items()
    }


def _exactly(kind: type, annotation: Any) -> Any:
    """The annotation for a value spelled as it travels, or for none."""

    def spelled(text: str) -> str:
        if kind in _SPELLED and not re.fullmatch(_SPELLED[kind], text):
            raise ValueError("not spelled as it travels")
        require_canonical(text)
        return text

    return Annotated[annotation, BeforeValidator(spelled)] | None


def matching(snapshot: Transaction, table: sa.Table, fields: Mapping[str, FieldSpec], asked: BaseModel) -> list[Any]:
    """The conditions on the collection's own table that were asked for."""
    found: list[sa.ColumnElement[bool]] = []
    for spec, end, value in _asked_for(fields, asked):
        column = table.c[spec.name]
        if end:
            found.append(column >= value if end == "_from" else column <= value)
        else:
            found.append(snapshot.holds(column, str(value)) if spec.kind is set else column == value)
    return found


def filtered_by(fields: Mapping[str, FieldSpec], asked: BaseModel) -> set[str]:
    """The fields that decide what is found."""
    return {spec.name for spec, _, _ in _asked_for(fields, asked)}


def _asked_for(fields: Mapping[str, FieldSpec], asked: BaseModel) -> Iterator[tuple[FieldSpec, str, Any]]:
    for spec in fields.values():
        for end in ("", "_from", "_to") if spec.filter else ():
            value = getattr(asked, spec.name + end, None)
            if value is not None:
                yield spec, end, value
