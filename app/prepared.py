"""Statements of the hot paths: built once, with their parameters by name, the same on both stores."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Several(TypeDecorator[Sequence[Any]]):
    """Many values as one parameter: an array on PostgreSQL, a JSON list on SQLite."""

    impl = sa.JSON
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """As each store takes it."""
        return ARRAY(self.of) if dialect.name == "postgresql" else sa.JSON()

    def process_bind_param(self, value: Sequence[Any] | None, dialect: sa.Dialect) -> Any:
        """Each value as a column of its type holds it."""
        if value is None or dialect.name == "postgresql":
            return value
        stored = self.of.dialect_impl(dialect).bind_processor(dialect)
        return [stored(each) for each in value] if stored else list(value)


class among(sa.ColumnElement[bool]):
    """`column` is one of the values of the parameter `name`: one statement for any number of them."""

    type: Any = sa.types.NULLTYPE  # SQLite would compare a boolean with 1, and use no index
    _traverse_internals = [  # noqa: RUF012 - SQLAlchemy's own name for what tells two statements apart
        ("column", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: sa.ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values = sa.bindparam(name, type_=_Several(column.type))


@compiles(among, "postgresql")
def _of_array(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in (element.column, element.values))
    return f"{column} = ANY ({values})"


@compiles(among)
def _of_list(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in (element.column, element.values))
    return f"{column} IN (SELECT value FROM json_each({values}))"
