"""Statements of the hot paths: built once, with their parameters by name, the same on both stores."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import Grouping
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
    """`column` is one of the values of the parameter `name`, or of these: one statement for any number of them."""

    type: Any = sa.types.NULLTYPE  # SQLite would compare a boolean with 1, and use no index
    _traverse_internals = [  # noqa: RUF012 - SQLAlchemy's own name for what tells two statements apart
        ("column", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: sa.ColumnElement[Any], name: str, values: Sequence[Any] | None = None) -> None:
        self.column = column
        self.values = sa.bindparam(name, values, required=values is None, type_=_Several(column.type))


class not_by(sa.ColumnElement[Any]):
    """The value of `column`, by which SQLite looks for nothing.

    It takes every home for a handful of rows, and a range of days for a quarter of them: it would read a community's
    visits of half a year to sift out those at a few doors.
    """

    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - as above

    def __init__(self, column: sa.ColumnElement[Any]) -> None:
        self.column, self.type = column, column.type


class Each:
    """A statement for each of many keys: `asked` names the parameter that holds its values for each of these columns.

    The values belong together, one of each a key; what lies in one home alone says which column holds the home, and
    gets it as the parameter `home`. `together` finds the rows by what is among the values, and so other combinations as
    well; `apart` looks each key up by itself, in PostgreSQL's words.

    Of a home that its statistics don't know yet PostgreSQL expects a handful of rows: it would read all of it and sift.
    So no key is a constant (OFFSET: nor becomes one), and a plan isn't kept, for one that was made while a table was
    young would stay. (How long the series is PostgreSQL knows only while it plans for the very values; else it guesses
    a thousand, and so planning anew seems cheaper to it, always.) In a home of 40,000 visits that are too new for
    statistics a push of 100 took half the time, and in one that it knows the same.
    """

    def __init__(
        self, statement: sa.Select[Any], *, home: sa.Column[Any] | None = None, **asked: sa.Column[Any]
    ) -> None:
        within = [] if home is None else [home == sa.bindparam("home")]
        self.together = statement.where(*within, *(among(column, name) for name, column in asked.items()))
        values: list[Any] = [Grouping(sa.bindparam(name, type_=ARRAY(column.type))) for name, column in asked.items()]
        places = sa.func.generate_series(_FIRST, sa.func.cardinality(values[0])).table_valued("at").render_derived()
        given = [value[places.c.at].label(name) for name, value in zip(asked, values, strict=True)]
        given += [] if home is None else [sa.bindparam("home", type_=home.type).label("home")]
        keys = sa.select(*given).select_from(places).offset(_NOTHING).subquery("asked")
        columns = asked if home is None else {**asked, "home": home}
        here = statement.where(*(column == keys.c[name] for name, column in columns.items()))
        found = here.offset(_NOTHING).lateral("found")
        self.apart = sa.select(found).select_from(keys.join(found, sa.true()))


_NOTHING: Any = sa.literal_column("0")
_FIRST: Any = sa.literal_column("1")


@compiles(among, "postgresql")
def _of_array(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in (element.column, element.values))
    return f"{column} = ANY ({values})"


@compiles(not_by)
def _as_it_is(element: not_by, compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.process(element.column, **options))


@compiles(not_by, "sqlite")
def _signed(element: not_by, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.column, **options)}"


@compiles(among)
def _of_list(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(part, **options) for part in (element.column, element.values))
    return f"{column} IN (SELECT value FROM json_each({values}))"
