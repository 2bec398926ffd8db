"""`qiaomen area`: the tree of areas, for a server that has nobody to sign in yet."""

import sqlalchemy as sa

from app.collections import COLLECTIONS
from app.commands.session import with_context
from app.context import Context
from app.operator import add_area

_AREA = COLLECTIONS["areas"].table


def add(code: str, name: str, level: str, parent_code: str | None) -> str:
    """The new area's id."""

    async def work(context: Context) -> str:
        return str(await add_area(context, code=code, name=name, level=level, parent_code=parent_code))

    return with_context(work)


def lines() -> list[str]:
    """One an area, in the order of the tree: code, level, name."""

    async def work(context: Context) -> list[str]:
        living = sa.select(_AREA).where(_AREA.c.deleted_at.is_(None)).order_by(_AREA.c.path)
        async with context.database.snapshot("server") as snapshot:
            return [f"{row.code or '-'}\t{row.level}\t{row.name}" for row in await snapshot.rows(living)]

    return with_context(work)
