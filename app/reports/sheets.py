"""A report as tables, for spreadsheets and printed pages. Headings are what the contract says of each field."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sync.wire import Fields

Cell = str | int | None
Names = Mapping[str, str]
"""Code → what it is called where the report is about."""
YES, NO = "是", "否"


@dataclass(frozen=True)
class Sheet:
    """A table with its headings; `name` says of which field of the report."""

    name: str
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    label: int | None
    """The column that names a row, where there is one."""
    wholes: int = 0
    """How many rows at the end are of the whole."""


def sheets_of(model: type[BaseModel], said: Fields, names: Names) -> list[Sheet]:
    """What the report says of itself first, then a table for each of its lists; of a list in a list, each row begins
    with what names the outer one. Ids are for machines and left out.
    """
    fields = model.model_fields
    lists = {name: inner for name, field in fields.items() if (inner := _listed(field)) is not None}
    alone = [name for name in fields if name not in lists and not _is_model(fields[name])]
    about = [(_heading(fields[name]), said.get(name)) for name in alone if not _is_id(fields[name])]
    lines = [[heading, _cell(value, names)] for heading, value in about]
    found = [Sheet("about", "概况 · About", ["项目 · Item", "内容 · Value"], lines, None)]
    for name, inner in lists.items():
        # A row of the whole, where the report has one of the same kind, ends the list of its parts.
        whole = [value for one, value in said.items() if one in fields and fields[one].annotation is inner]
        rows = [*_rows(said.get(name)), *_rows(whole)]
        first, *below = _of_list(name, _heading(fields[name]), inner, rows, names, [], [])
        found += [replace(first, wholes=len(whole)), *below]
    return found


def _of_list(
    name: str,
    title: str,
    model: type[BaseModel],
    rows: Sequence[Fields],
    names: Names,
    before: Sequence[str],
    begun: Sequence[Sequence[Cell]],
) -> list[Sheet]:
    """The table, and those of the lists in its rows; `begun` is how each row begins, under the headings `before`."""
    fields = model.model_fields
    inner = {one: of for one, field in fields.items() if (of := _listed(field)) is not None}
    columns = [column for name, field in fields.items() if not _is_id(field) for column in _columns(name, field, rows)]
    begun = begun or [[] for _ in rows]
    filled = [
        [*start, *(_cell(_at(row, path), names, counted=path[0] in inner) for path, _ in columns)]
        for start, row in zip(begun, rows, strict=True)
    ]
    headings = [*before, *(names.get(heading, heading) for _, heading in columns)]
    paths = [path for path, _ in columns]
    label = len(before) + paths.index(("name",)) if ("name",) in paths else None
    sheets = [Sheet(name, title, headings, filled, label)]
    named = [n for n, path in enumerate(paths) if path[0] not in inner]
    for one, of in inner.items():
        below = [each for row in rows for each in _rows(row.get(one))]
        starts = [
            [line[len(before) + n] for n in named]
            for row, line in zip(rows, filled, strict=True)
            for _ in _rows(row.get(one))
        ]
        heads = [headings[len(before) + n] for n in named]
        sheets += _of_list(f"{name}.{one}", _heading(fields[one]), of, below, names, heads, starts)
    return sheets


def _columns(name: str, field: FieldInfo, rows: Sequence[Fields]) -> list[tuple[tuple[str, ...], str]]:
    """(path, heading) of each column that the field becomes: a model one for each of its fields, a dictionary one for
    each of its keys.
    """
    if _is_model(field):
        return [((name, one), _heading(of)) for one, of in field.annotation.model_fields.items()]  # type: ignore[union-attr]
    if get_origin(field.annotation) is dict:
        keys = {key for row in rows if isinstance(held := row.get(name), dict) for key in held}
        return [((name, key), key) for key in sorted(keys)]
    return [((name,), _heading(field))]


def _listed(field: FieldInfo) -> type[BaseModel] | None:
    """The model of which the field holds a list."""
    inner = get_args(field.annotation)[:1] if get_origin(field.annotation) is list else ()
    return inner[0] if inner and isinstance(inner[0], type) and issubclass(inner[0], BaseModel) else None


def _is_model(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _is_id(field: FieldInfo) -> bool:
    return UUID in (field.annotation, *get_args(field.annotation))


def _heading(field: FieldInfo) -> str:
    """The first clause of what is said of it, in both languages."""
    zh, _, en = str(field.description).partition(" · ")
    return f"{re.split('[；：（]', zh)[0]} · {re.split('[;:(]', en)[0].strip()}"


def _rows(value: Any) -> list[Fields]:
    return value if isinstance(value, list) else []


def _at(row: Fields, path: Iterable[str]) -> Any:
    value: Any = row
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _cell(value: Any, names: Names, *, counted: bool = False) -> Cell:
    """Of a list of records, how many there are; of any other, what is in it."""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, list):
        return len(value) if counted else "、".join(names.get(str(one), str(one)) for one in value)
    return names.get(value, value) if isinstance(value, str) else value
