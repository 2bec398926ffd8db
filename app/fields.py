"""The fields of a collection: from annotation and policy to validation, column and wire value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

import sqlalchemy as sa
from annotated_types import MaxLen
from pydantic import Field as PydanticField
from pydantic import JsonValue, StringConstraints, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from sqlmodel import SQLModel, UTCDateTime

from app.tables import Json
from app.views import Mask, SeenByHelpers
from sync import merge
from sync.canonical import spelled
from sync.merge import Policy
from sync.wire import Fields

DEFAULT_TEXT = 200
"""Characters a text may have when its declaration doesn't say."""
MOST_MEMBERS = 100
"""Members a set may have."""

DELTAS = ("union", "total")
"""Policies whose fields travel in an update as what was added and removed, not as a whole value."""

Error = dict[str, JsonValue]


@dataclass(frozen=True)
class FieldSpec:
    """One field of a collection."""

    name: str
    policy: Policy
    adapter: TypeAdapter[Any]
    kind: type
    """str, int, bool, date, datetime, UUID, set or object (any JSON)."""
    refers_to: str | None
    filter: bool
    """May a list be asked for it?"""
    required: bool
    default: JsonValue
    longest: int
    """Characters or members it may have."""
    helper: Mask | None = None
    """How helpers see it; None where they don't."""
    given: bool = False
    """Does the server fill it in when the record is created?"""

    def may_be_too_much(self, value: JsonValue) -> bool:
        """Could a merge have made it too long, too many or too large? Its parts were valid when they came."""
        return len(value) > self.longest if isinstance(value, str | list) else value is not None


def as_uuid(value: Any) -> UUID | None:
    """A UUID out of a wire value, or None where it isn't one."""
    return _uuid_of(value) if isinstance(value, str) else None


@lru_cache(maxsize=8192)
def _uuid_of(text: str) -> UUID | None:
    """Remembered: a hundred visits to one household name it many hundred times."""
    try:
        return UUID(text)
    except ValueError:
        return None


def as_wire(value: Any) -> JsonValue:
    """A Python value as it travels: times in UTC, all equally long so that text compares as time; sets sorted."""
    kind = type(value)
    if kind is str or value is None or kind is int:
        return value  # type: ignore[no-any-return]
    if kind is UUID:
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, UUID | date):
        return str(value)
    if isinstance(value, set | frozenset):
        return [*sorted(str(member) for member in value)]
    return value  # type: ignore[no-any-return]


def spec_of(name: str, info: FieldInfo) -> FieldSpec:
    """What the declaration says of a field. No policy means `ask`."""
    policy = next((m for m in info.metadata if isinstance(m, Policy)), merge.ask)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    required = info.is_required()
    default = None if required else as_wire(info.get_default(call_default_factory=True))
    refers_to = extra.get("x-refers-to")
    adapter: TypeAdapter[Any] = TypeAdapter(constrained(info))
    return FieldSpec(
        name,
        policy,
        adapter,
        _kind_of(info.annotation),
        str(refers_to) if refers_to else None,
        bool(extra.get("x-filter")),
        required,
        default,
        _longest(info),
        next((m.mask for m in info.metadata if isinstance(m, SeenByHelpers)), None),
        bool(extra.get("readOnly")),
    )


def _longest(info: FieldInfo) -> int:
    """-1 where more than its length is limited: then every merge is looked at."""
    limits = [m for m in info.metadata if type(m).__module__.startswith(("annotated_types", "pydantic"))]
    if not limits:
        return MOST_MEMBERS if _kind_of(info.annotation) is set else DEFAULT_TEXT
    [first, *more] = limits
    return first.max_length if isinstance(first, MaxLen) and not more else -1


def constrained(info: FieldInfo) -> Any:
    """The annotation with its own constraints, and limits where it has none."""
    constraints = [m for m in info.metadata if type(m).__module__.startswith(("annotated_types", "pydantic"))]
    kinds = {info.annotation, *get_args(info.annotation)}
    bounded = any(hasattr(m, "max_length") and m.max_length for m in constraints)
    if str in kinds and not bounded:
        constraints.append(StringConstraints(max_length=DEFAULT_TEXT))
    if _kind_of(info.annotation) is set and not bounded:
        constraints.append(PydanticField(max_length=MOST_MEMBERS))
    annotation = info.annotation
    for constraint in constraints:
        annotation = Annotated[annotation, constraint]  # type: ignore[assignment]
    return annotation


def _kind_of(annotation: Any) -> type:
    """The first kind found in the annotation: unions, Annotated and Literal are looked into."""
    leaves = list(_leaves(annotation))
    kinds = (set, UUID, bool, int, datetime, date, str)
    return next((k for leaf in leaves for k in kinds if isinstance(leaf, type) and issubclass(leaf, k)), object)


def _leaves(annotation: Any) -> Iterator[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield type(arguments[0])
    elif origin is Annotated:
        yield from _leaves(arguments[0])
    elif origin in (set, list, dict):
        yield origin
    elif arguments:
        for argument in arguments:
            yield from _leaves(argument)
    elif annotation is not type(None):
        yield annotation


def clean_field(spec: FieldSpec, value: JsonValue, *, delta: bool) -> tuple[JsonValue, list[Error]]:
    """The value as it will be stored, and what is wrong with it. In an update, sets and totals come as deltas."""
    if delta and isinstance(value, dict) and spec.policy.name in DELTAS:
        return _clean_delta(spec, value)
    if delta and spec.policy.name in DELTAS:
        return None, [fault(spec.name, "invalid")]
    try:
        return as_wire(spec.adapter.validate_json(spelled(value), strict=True)), []
    except ValidationError as error:
        return None, [fault(spec.name, _code_of(error))]


def _clean_delta(spec: FieldSpec, value: Fields) -> tuple[JsonValue, list[Error]]:
    allowed = {"add", "remove"} if spec.policy.name == "union" else {"increment"}
    if not value.keys() <= allowed:
        return None, [fault(spec.name, "invalid")]
    clean: Fields = {}
    errors: list[Error] = []
    for word, part in value.items():
        clean[word], wrong = clean_field(spec, part, delta=False)
        errors += wrong
    return clean, errors


def as_delta(spec: FieldSpec, held: JsonValue, whole: JsonValue) -> JsonValue:
    """A whole value as an update says it: of a set what to add and to remove, of a sum by how much; else as it is."""
    if spec.policy.name == "union" and isinstance(whole, list):
        present = held if isinstance(held, list) else []
        return {"add": [m for m in whole if m not in present], "remove": [m for m in present if m not in whole]}
    if spec.policy.name == "total" and isinstance(whole, int):
        return {"increment": whole - (held if isinstance(held, int) else 0)}
    return whole


def _code_of(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "string_too_long":
        return "text_too_long"
    return "check_digit" if "check_digit" in str(first.get("ctx", {}).get("error", "")) else "invalid"


def fault(name: str, code: str = "invalid") -> Error:
    """What is wrong with a field; never what its value was."""
    return {"pointer": f"/fields/{name}", "code": code}


def as_column(kind: type, value: JsonValue) -> Any:
    """A wire value as the column takes it."""
    if not isinstance(value, str):
        return value
    if kind is str:
        return value
    if kind is UUID:
        return as_uuid(value)
    if kind is datetime:
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if kind is date else value


COLUMN_TYPES: dict[type, Any] = {
    str: sa.Text,
    int: sa.BigInteger,
    bool: sa.Boolean,
    date: sa.Date,
    datetime: UTCDateTime,
    UUID: sa.Uuid,
    set: Json,
    object: Json,
}


MERGED_INTO = "merged_into"
"""The column that tells of a record that was merged which one stayed. It leads there at once, never over another."""


ERASED_AT = "erased_at"
"""The column that tells when what anybody wrote of a record was erased."""


def table_of(
    name: str,
    specs: Mapping[str, FieldSpec],
    lists_in: str,
    extra: Sequence[sa.schema.SchemaItem],
    same: Sequence[tuple[str, ...]],
    erased_with: Sequence[str],
) -> sa.Table:
    """A collection's table: its fields, and the columns that every record has."""
    own = [sa.Column(n, COLUMN_TYPES[s.kind], nullable=not s.required) for n, s in specs.items()]
    area = [] if "area_id" in specs else [sa.Column("area_id", sa.Uuid, nullable=False)]
    return sa.Table(
        name,
        SQLModel.metadata,
        sa.Column("home", sa.Uuid, primary_key=True),
        sa.Column("id", sa.Uuid, primary_key=True),
        *own,
        *area,
        *extra,
        *(_of_same(name, same) if same else ()),
        *([sa.Column(ERASED_AT, UTCDateTime)] if erased_with else []),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("field_revs", Json, nullable=False),
        sa.Column("deleted_at", UTCDateTime),
        sa.Column("created_at", UTCDateTime, nullable=False),
        sa.Column("created_by", sa.Uuid),
        sa.Column("updated_at", UTCDateTime, nullable=False),
        sa.Column("updated_by", sa.Uuid),
        sa.Index(f"{name}_{lists_in}_index", "home", lists_in),
        *_of_references(name, specs, lists_in),
    )


def _of_references(name: str, specs: Mapping[str, FieldSpec], lists_in: str) -> Iterator[sa.Index]:
    """What finds all that names a record, for a list that asks for it and for a merge, where no listing goes by that.
    What names an area beside its own is few.
    """
    for spec in specs.values():
        if spec.name != lists_in and spec.refers_to not in (None, "areas"):
            named = None if spec.required else sa.column(spec.name).is_not(None)
            yield sa.Index(f"{name}_{spec.name}_index", "home", spec.name, postgresql_where=named, sqlite_where=named)


def _of_same(name: str, same: Sequence[tuple[str, ...]]) -> Iterator[sa.schema.SchemaItem]:
    """What finds records that look alike, and aliases of one that was merged."""
    for rule in same:
        yield sa.Index(f"{name}_{'_'.join(rule)}_index", "home", *rule)
    into = sa.Column(MERGED_INTO, sa.Uuid)
    yield into
    merged = into.is_not(None)
    yield sa.Index(f"{name}_merged_index", "home", MERGED_INTO, postgresql_where=merged, sqlite_where=merged)
