"""What a collection is: one class declares table, validation, merge policies, listing and OpenAPI models.

    @collection("visits", title="敲门记录 · Visits", about="每敲一次门，记一条 · One knock", lists_in="household_id")
    class Visit(SQLModel):
        household_id: UUID = once(refers_to="households", description="哪一户 · Which household")
        note: str = text(max_length=4000, default="", description="…")

Every field is made by the function named after its merge policy. A field without one is asked about. Helpers see of it
what `helper=` shows them (views.py), otherwise nothing. With `filter=True` its list can be asked for it (filters.py):
for ids, codes and choices, never for what names a person, since addresses are written down along the way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, TypeVar

import sqlalchemy as sa
from pydantic import (
    BaseModel,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticUndefined
from sqlmodel import Field, SQLModel
from typing_extensions import TypedDict

from app.fields import (
    DELTAS,
    Error,
    FieldSpec,
    as_column,
    as_wire,
    clean_field,
    constrained,
    fault,
    spec_of,
    table_of,
)
from app.filters import query_model
from app.models import create_model_of, patch_model_of, put_model_of, read_model_of
from app.roles import ADMINS, HELPERS, MEDIATORS, OFFICE, WORKERS
from app.rules import Given, day_told, forwards
from app.views import HELPER, Mask, SeenByHelpers, masked_name, masked_number, masked_phone, whole
from sync import merge
from sync.canonical import spelled
from sync.decide import Rules
from sync.merge import Policy
from sync.wire import Fields, Moment, Op

__all__ = [
    "ADMINS", "HELPERS", "MEDIATORS", "OFFICE", "REGISTRY", "WORKERS", "Code", "Collection", "Error", "Moment",
    "ask", "collection", "day_told", "fault", "forwards", "given", "grows", "latest", "masked_name", "masked_number",
    "masked_phone", "maximum", "once", "text", "total", "union", "whole",
]  # fmt: skip

MOST_FAULTS = 10
"""Faults told of one mutation: whoever sends a thousand learns enough from ten."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$", max_length=64)]
"""A code of a versioned list. One that this server doesn't know is kept."""

Model = TypeVar("Model", bound=type[SQLModel])


@dataclass(frozen=True)
class Collection:
    """A declared collection: all that the write path, the routes and the tests need to know of it."""

    name: str
    title: str
    about: str
    refuses: tuple[str, ...]
    """Codes of problems that only its own fields have."""
    table: sa.Table
    fields: Mapping[str, FieldSpec]
    create: type[BaseModel]
    put: type[BaseModel]
    patch: type[BaseModel]
    read: type[BaseModel]
    query: type[BaseModel]
    """The query parameters of its list."""
    writers: frozenset[str]
    deleters: frozenset[str]
    pushable: bool
    audience: str
    """`staff`, `team` or `reference`: by whom its feeds are followed; other views of it stand beside them."""
    lists_in: str
    """The field that decides the listing: one that refers to `areas`, or to a record listed by its own area."""
    same: tuple[tuple[str, ...], ...]
    """Fields of which two records that have the same may be of one thing. Where there are none, nothing is merged."""
    erased_with: tuple[str, ...]
    """Fields that name what it is erased with: a campaign whose retention ends, or a record that is erased."""
    rules: Rules = field(repr=False)
    gives: Given = field(repr=False)
    whole: TypeAdapter[dict[str, Any]] = field(repr=False)
    """Fields with whole values, no deltas among them."""

    @cached_property
    def references(self) -> dict[str, str]:
        """field → collection it refers to."""
        return {f.name: f.refers_to for f in self.fields.values() if f.refers_to}

    @cached_property
    def lists_through(self) -> str:
        """The collection that `lists_in` refers to."""
        return self.references.get(self.lists_in, "areas")

    @cached_property
    def helper_view(self) -> dict[str, Mask]:
        """What helpers see, and how; empty where none of it is theirs to see."""
        return {name: spec.helper for name, spec in self.fields.items() if spec.helper}

    def view(self, audience: str) -> dict[str, Mask] | None:
        """What an audience sees of it; None for all of it."""
        return self.helper_view if audience == HELPER else None

    def roles(self, op: Op) -> frozenset[str]:
        """Whose records these are to create and change, or to delete."""
        return self.deleters if op == "delete" else self.writers

    @cached_property
    def required(self) -> list[str]:
        """Fields that a create must name."""
        return [name for name, spec in self.fields.items() if spec.required]

    @cached_property
    def defaults(self) -> Fields:
        """What the others are where a create doesn't name them."""
        return {name: spec.default for name, spec in self.fields.items() if not spec.required}

    @cached_property
    def given(self) -> frozenset[str]:
        """Fields that the server fills in when a record is created, and nobody changes."""
        return frozenset(name for name, spec in self.fields.items() if spec.given)

    @cached_property
    def own_columns(self) -> list[str]:
        """Columns that only the server writes, beside those that every record has."""
        every = {*self.fields, "home", "id", "rev", "field_revs", "area_id", "created_at", "created_by"}
        return [column.name for column in self.table.c if column.name not in every]

    def clean(self, op: str, fields: Fields, spelling: bytes | None = None) -> tuple[Fields, list[Error]]:
        """The fields as they will be stored, and what is wrong with them. Deltas stay deltas.

        `spelling` is their canonical JSON where it is at hand.
        """
        if not fields.keys() <= self.fields.keys():
            unknown = [fault(name[:64], "unknown_field") for name in fields if name not in self.fields]
            return {}, unknown[:MOST_FAULTS]
        clean, errors = self._clean_known(fields, spelling, delta=op == "update")
        if op == "create":
            errors += [fault(name, "invalid") for name in self.required if name not in fields]
            clean = {**self.defaults, **clean}
        return clean, errors

    def _clean_known(self, fields: Fields, spelling: bytes | None, *, delta: bool) -> tuple[Fields, list[Error]]:
        deltas = {n: v for n, v in fields.items() if self.fields[n].policy.name in DELTAS} if delta else {}
        if deltas or spelling is None:
            spelling = spelled({n: v for n, v in fields.items() if n not in deltas})
        try:
            # All at once where nothing is wrong; field by field to say what is.
            clean: Fields = {n: as_wire(v) for n, v in self.whole.validate_json(spelling, strict=True).items()}
        except ValidationError:
            clean, deltas = {}, fields
        errors: list[Error] = []
        for name, value in deltas.items():
            clean[name], wrong = clean_field(self.fields[name], value, delta=delta)
            errors += wrong
        return clean, errors

    def clean_value(self, name: str, value: JsonValue) -> tuple[JsonValue, list[Error]]:
        """One field's whole value, never a delta."""
        return clean_field(self.fields[name], value, delta=False)

    def as_columns(self, fields: Fields) -> dict[str, Any]:
        """Wire values → column values."""
        return {name: as_column(self.fields[name].kind, value) for name, value in fields.items()}

    def as_fields(self, row: Mapping[str, Any]) -> Fields:
        """A row's columns → wire values."""
        return {name: as_wire(row[name]) for name in self.fields}


REGISTRY: dict[str, Collection] = {}


def _declared(policy: Policy) -> Callable[..., Any]:
    def declare(
        default: Any = PydanticUndefined,
        *,
        refers_to: str | None = None,
        filter: bool = False,
        helper: Mask | None = None,
        **options: Any,
    ) -> Any:
        extra = {"x-merge": policy.name, "x-refers-to": refers_to, **({"x-filter": True} if filter else {})}
        info = Field(default, schema_extra={"json_schema_extra": extra}, **options)
        info.json_schema_extra = extra
        info.metadata.append(policy)
        if helper is not None:
            info.metadata.append(SeenByHelpers(helper))
        return info

    declare.__doc__ = f"A field merged by the policy `{policy.name}`: see sync/merge.py."
    return declare


once, ask, latest = _declared(merge.once), _declared(merge.ask), _declared(merge.latest)
grows = _declared(merge.grows)
union, text = _declared(merge.union), _declared(merge.text)
maximum, total = _declared(merge.maximum), _declared(merge.total)


def given(**options: Any) -> Any:
    """A field that the server fills in when a record is created (`gives`), and nobody changes."""
    info = once(None, **options)
    info.json_schema_extra["readOnly"] = True
    return info


def collection(
    name: str,
    *,
    title: str,
    about: str,
    lists_in: str,
    writers: frozenset[str] = WORKERS,
    deleters: frozenset[str] | None = None,
    pushable: bool = True,
    audience: str = "staff",
    refuses: tuple[str, ...] = (),
    same: tuple[tuple[str, ...], ...] = (),
    erased_with: tuple[str, ...] = (),
    rule: Callable[[Fields], list[Error]] | None = None,
    gives: Given = lambda fields, day_of, today: {},
    columns: Callable[[], Sequence[sa.schema.SchemaItem]] = list,
) -> Callable[[Model], Model]:
    """Declares the class a collection.

    `about` is its line in the documentation; `deleters` are its writers unless they are named; what `same` names makes
    two records look like one; with what `erased_with` names it is erased; `rule` looks at a whole record; `gives` fills
    in what is `given`; `columns` are the server's own, and indexes.
    """

    def declare(model: Model) -> Model:
        infos = vars(model)["__pydantic_fields__"]
        specs = {n: spec_of(n, info) for n, info in infos.items()}
        REGISTRY[name] = Collection(
            name=name,
            title=title,
            about=about,
            refuses=refuses,
            table=table_of(name, specs, lists_in, columns(), same, erased_with),
            fields=specs,
            create=create_model_of(model),
            put=put_model_of(model),
            patch=patch_model_of(model),
            read=read_model_of(model),
            query=query_model(f"{model.__name__}Query", [(specs[n], info) for n, info in infos.items()]),
            writers=writers,
            deleters=writers if deleters is None else deleters,
            pushable=pushable,
            audience=audience,
            lists_in=lists_in,
            same=same,
            erased_with=erased_with,
            rules=Rules({n: s.policy for n, s in specs.items()}, _faults(specs, rule)),
            gives=gives,
            whole=TypeAdapter(_whole_fields(model)),
        )
        return model

    return declare


def _whole_fields(model: type[SQLModel]) -> Any:
    return TypedDict(model.__name__, {n: constrained(info) for n, info in model.model_fields.items()}, total=False)  # type: ignore[operator]


def _faults(specs: Mapping[str, FieldSpec], rule: Callable[[Fields], list[Error]] | None) -> Any:
    required = [name for name, spec in specs.items() if spec.required]
    # Only these can become what nobody sent: too long, too many, too large.
    merging = [spec for spec in specs.values() if spec.policy.name in ("text", "union", "total")]

    def faults(fields: Fields) -> list[Error]:
        missing = [fault(n, "invalid") for n in required if fields.get(n) is None]
        grown = [
            error
            for s in merging
            if s.may_be_too_much(value := fields.get(s.name))
            for error in clean_field(s, value, delta=False)[1]
        ]
        return missing + grown or (rule(fields) if rule else [])

    return faults
