"""A report as tables, for spreadsheets and printed pages. Headings are what the contract says of each field."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Annotated, Any, NamedTuple, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sync.wire import Fields

Cell = str | int | None
Line = tuple[str, Cell]
YES, NO = "是", "否"
NAMING = ("name", "hour", "day", "method", "kind", "tag", "door")
"""Fields that name a row."""
UNTOLD, UNNAMED = "未说明", "未命名"
"""What stands where a row has no name: of a code that nobody told, and of somebody, or some place, with none."""


class OfList(tuple[str, ...]):
    """Beside a field: its codes are of these lists, and called as the first of them calls them."""


@dataclass(frozen=True)
class Told:
    """How values are told: what (list, code) is called, and what stands for a count that is hidden."""

    names: Mapping[tuple[str, str], str]
    hidden: str | None = None

    def name(self, code: str, lists: OfList) -> str:
        """Of a code that no list names, itself."""
        return next((self.names[one, code] for one in lists if (one, code) in self.names), code)


@dataclass(frozen=True)
class Sheet:
    """A table with its headings; `name` says of which field of the report."""

    name: str
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    paths: Sequence[tuple[str, ...]] = ()
    """Of each column, where in a row of the report it stands; of what is of the row around it, nothing."""
    groups: Sequence[str] = ()
    """Of each column, what it has in common with those beside it; else nothing."""
    label: int | None = None
    """The column that names a row, where there is one."""
    wholes: int = 0
    """How many rows at the end are of the whole."""

    def own_heading(self, n: int) -> str:
        """Of a column, without what it has in common with those beside it."""
        group = self.groups[n] if self.groups else ""
        return self.headings[n].removeprefix(f"{_zh(group)}：") if group else self.headings[n]


class _Column(NamedTuple):
    path: tuple[str, ...]
    heading: str
    field: FieldInfo
    lists: OfList
    group: str = ""


def sheets_of(model: type[BaseModel], said: Fields, told: Told, about: Iterable[Line] = ()) -> list[Sheet]:
    """What it is about and what the report says of itself; then a table for each of its lists. Of a list in a list,
    each row begins with what names the outer one. Ids are for machines, and left out.
    """
    fields = model.model_fields
    lists = {name: inner for name, field in fields.items() if (inner := _listed(field)) is not None}
    alone = {
        name: f for name, f in fields.items() if name not in lists and not _model_of(f.annotation) and not _is_id(f)
    }
    columns = [column for name, field in alone.items() for column in _columns(name, field, [said], told)]
    own = [(column.heading, _cell(_at(said, column.path), column, told)) for column in columns]
    lines = [[heading, value] for heading, value in (*about, *own) if value not in (None, "")]
    found = [Sheet("about", "概况 · About", ["项目 · Item", "内容 · Value"], lines, label=0)]
    for name, inner in lists.items():
        if said.get(name) is None:
            continue  # not told, which is more than that there is none
        # A row of the whole, where the report has one of the same kind, ends the list of its parts.
        whole = [value for one, value in said.items() if one in fields and fields[one].annotation is inner]
        rows = [*_rows(said.get(name)), *_rows(whole)]
        first, *below = _of_list(name, _heading(fields[name]), inner, rows, told, [], [])
        found += [_with_wholes(first, len(whole)), *below]
    return found


def hidden_as(said: Fields) -> str | None:
    """What stands for a count that the report hides; None where it hides none."""
    return f"<{said['hidden_below']}" if said.get("hidden_below") else None


def asked_lines(asked: BaseModel, report: type[BaseModel], told: Told) -> list[Line]:
    """What was asked for, as far as the report doesn't say it itself."""
    left_out = {"form", "limit", *report.model_fields}
    fields = {name: f for name, f in type(asked).model_fields.items() if name not in left_out and not _is_id(f)}
    values = asked.model_dump(mode="json", include={*fields}, exclude_none=True)
    return [(_heading(fields[one]), _cell(value, _column(one, fields[one]), told)) for one, value in values.items()]


def _of_list(
    name: str,
    title: str,
    model: type[BaseModel],
    rows: Sequence[Fields],
    told: Told,
    before: Sequence[str],
    begun: Sequence[Sequence[Cell]],
) -> list[Sheet]:
    """The table, and those of the lists in its rows; `begun` is how each row begins, under the headings `before`."""
    fields = model.model_fields
    inner = {one: of for one, field in fields.items() if (of := _listed(field)) is not None}
    shown = {one: field for one, field in fields.items() if not (_is_id(field) or _is_unasked(one, field, rows))}
    columns = [column for one, field in shown.items() for column in _columns(one, field, rows, told)]
    paths = [column.path for column in columns]
    own = [[_cell(_at(row, column.path), column, told) for column in columns] for row in rows]
    label = next((paths.index((one,)) for one in NAMING if (one,) in paths), None)
    if label is not None:
        named = _names_of([line[label] for line in own], columns[label])
        own = [[*line[:label], name, *line[label + 1 :]] for line, name in zip(own, named, strict=True)]
    filled = [[*start, *line] for start, line in zip(begun or [[] for _ in rows], own, strict=True)]
    headings = [*before, *(column.heading for column in columns)]
    around = len(before)
    groups = [*[""] * around, *(column.group for column in columns)]
    at = None if label is None else around + label
    sheets = [Sheet(name, title, headings, filled, [*[()] * around, *paths], groups, at)]
    naming = [n for n, path in enumerate(paths) if path[0] not in inner]
    for one, of in inner.items():
        below = [each for row in rows for each in _rows(row.get(one))]
        starts = [[line[n] for n in naming] for row, line in zip(rows, own, strict=True) for _ in _rows(row.get(one))]
        heads = [columns[n].heading for n in naming]
        sheets += _of_list(f"{name}.{one}", _heading(fields[one]), of, below, told, heads, starts)
    return sheets


def _names_of(cells: Sequence[Cell], column: _Column) -> list[Cell]:
    """None is empty. Whoever has no name is told from others who have none."""
    if column.path != ("name",):
        return [UNTOLD if cell in (None, "") else cell for cell in cells]
    numbers = count(1)
    return [cell or f"{UNNAMED} {next(numbers)}" for cell in cells]


def _with_wholes(sheet: Sheet, many: int) -> Sheet:
    """The last rows say in words that they are sums of the others."""
    at = sheet.label if many else None
    if at is None:
        return sheet
    parts, wholes = sheet.rows[:-many], sheet.rows[-many:]
    named = [[*row[:at], f"合计 {row[at]}", *row[at + 1 :]] for row in wholes]
    return replace(sheet, rows=[*parts, *named], wholes=many)


def _columns(name: str, field: FieldInfo, rows: Sequence[Fields], told: Told) -> list[_Column]:
    """What the field becomes: a model a column for each of its fields, a dictionary one for each of its keys."""
    group, lists = _heading(field), _lists_of(field)
    zh = _zh(group)
    if model := _model_of(field.annotation):
        inner = model.model_fields
        return [_Column((name, one), f"{zh}：{_heading(of)}", of, _lists_of(of), group) for one, of in inner.items()]
    if get_origin(field.annotation) is dict:
        keys = {key for row in rows if isinstance(held := row.get(name), dict) for key in held}
        return [_Column((name, key), f"{zh}：{told.name(key, lists)}", field, lists, group) for key in sorted(keys)]
    return [_column(name, field)]


def _column(name: str, field: FieldInfo) -> _Column:
    return _Column((name,), _heading(field), field, _lists_of(field))


def _lists_of(field: FieldInfo) -> OfList:
    return next((one for one in field.metadata if isinstance(one, OfList)), OfList())


def _listed(field: FieldInfo) -> type[BaseModel] | None:
    """The model of which the field holds a list, or may."""
    lists = [one for one in (field.annotation, *get_args(field.annotation)) if get_origin(_plain(one)) is list]
    return _model_of(get_args(_plain(lists[0]))[0]) if lists else None


def _plain(annotation: Any) -> Any:
    """Without what is said beside it."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _model_of(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _is_id(field: FieldInfo) -> bool:
    return UUID in (field.annotation, *get_args(field.annotation))


def _is_unasked(name: str, field: FieldInfo, rows: Sequence[Fields]) -> bool:
    """A count that is told where it is asked for alone, and wasn't."""
    return not field.is_required() and _is_count(field.annotation) and not any(name in row for row in rows)


def _is_count(annotation: Any) -> bool:
    return annotation is int or any(_is_count(one) for one in get_args(annotation))


def _heading(field: FieldInfo) -> str:
    """The first clause of what is said of it, in both languages."""
    zh, _, en = str(field.description).partition(" · ")
    return f"{re.split('[，；：（]', zh)[0]} · {re.split('[;:(]', en)[0].strip()}"


def _zh(text: str) -> str:
    return text.partition(" · ")[0]


def _rows(value: Any) -> list[Fields]:
    return value if isinstance(value, list) else []


def _at(row: Fields, path: Iterable[str]) -> Any:
    value: Any = row
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _cell(value: Any, column: _Column, told: Told) -> Cell:
    """Of a list of records, how many there are; of any other, what is in it."""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, list):
        many = _listed(column.field) is not None
        return len(value) if many else "、".join(told.name(str(one), column.lists) for one in value)
    if value is None and _is_count(column.field.annotation):
        return told.hidden
    return told.name(value, column.lists) if isinstance(value, str) else value
