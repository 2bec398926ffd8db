"""What a collection's routes take and answer, as models for OpenAPI made from its declaration."""

from typing import Annotated, Any, get_args
from uuid import UUID

from pydantic import MISSING, BaseModel, ConfigDict, create_model
from pydantic import Field as PydanticField
from sqlmodel import SQLModel

from app.fields import DEFAULT_TEXT, MOST_MEMBERS, constrained, spec_of
from app.views import whole

_ID = "编号，可由调用方生成 · Its id; a caller may choose it: a UUID, version 7 advised"
_HEAD: dict[str, Any] = {
    "id": (UUID, PydanticField(description="编号 · Its id")),
    "home": (UUID, PydanticField(description="社区 · The community it was born in")),
    "rev": (int, PydanticField(ge=1, description="版本 · How often it was written; the `ETag`")),
}
"""What every record is answered with, beside its fields."""


def create_model_of(source: type[SQLModel]) -> type[BaseModel]:
    """The body of a create: what has a default may be left out."""
    chosen = (UUID | MISSING, PydanticField(MISSING, description=_ID))
    return _model(f"{source.__name__}Create", source, id=chosen)


def put_model_of(source: type[SQLModel]) -> type[BaseModel]:
    """The body of a PUT: as of a create, but the address says which record it is."""
    return _model(f"{source.__name__}Put", source)


def patch_model_of(source: type[SQLModel]) -> type[BaseModel]:
    """The body of a PATCH: everything may be left out."""
    return _model(f"{source.__name__}Patch", source, optional=True)


def read_model_of(source: type[SQLModel]) -> type[BaseModel]:
    """A record as it is answered; what a view leaves out may be missing."""
    return _model(f"{source.__name__}Read", source, partial=True, **_HEAD)


def _model(
    model_name: str, source: type[SQLModel], *, optional: bool = False, partial: bool = False, **extra: Any
) -> type[BaseModel]:
    """A request or answer model for OpenAPI, with the declaration's constraints and descriptions."""
    fields: dict[str, Any] = dict(extra)
    for name, info in source.model_fields.items():
        annotation, spec = constrained(info), spec_of(name, info)
        if spec.given and not partial:
            continue
        if partial and spec.helper not in (None, whole):
            annotation = Annotated[str, PydanticField(max_length=DEFAULT_TEXT)] | None  # a mask fits no pattern
        if partial and spec.kind is set:
            members = list[get_args(info.annotation)[0]]  # type: ignore[misc, valid-type]
            most = spec.longest if spec.longest > 0 else MOST_MEMBERS
            annotation = Annotated[members, PydanticField(max_length=most)]
        described: dict[str, Any] = {"description": info.description, "json_schema_extra": info.json_schema_extra}
        if optional:
            fields[name] = (annotation | MISSING, PydanticField(MISSING, **described))
        elif info.is_required() and not partial:
            fields[name] = (annotation, PydanticField(**described))
        else:
            default = None if info.is_required() else info.get_default(call_default_factory=True)
            fields[name] = (annotation, PydanticField(default, **described))
    model: type[BaseModel] = create_model(
        model_name, __config__=ConfigDict(extra="ignore" if partial else "forbid"), **fields
    )
    return model
