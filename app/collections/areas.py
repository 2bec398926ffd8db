"""The tree of places 区域: district, street, community, grid, building, unit; its levels are data."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel

from app.collections.base import ADMINS, ask, collection, latest, once


def _tree_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("path", sa.Text, nullable=False, index=True),
        sa.Column("feed_area_id", sa.Uuid),
        sa.Column("reference_area_id", sa.Uuid, nullable=False),
    ]


@collection(
    "areas",
    title="区域 · Areas",
    about="区、街道、社区、网格、楼栋、单元构成的树 · The tree of district, street, community, grid, building and unit",
    lists_in="parent_id",
    writers=ADMINS,
    pushable=False,
    audience="reference",
    columns=_tree_columns,
)
class Area(SQLModel):
    """One place of the tree 一个区域."""

    parent_id: UUID | None = once(None, refers_to="areas", filter=True, description="上级区域 · The area it lies in")
    level: str = once(
        max_length=32, filter=True, description="层级 · Its level: district, street, community, grid, building, unit…"
    )
    name: str = ask(max_length=100, description="名称 · Its name")
    code: str | None = ask(None, max_length=32, filter=True, description="编码 · Its code; an attribute, never a key")
    administrative_code: str | None = ask(
        None,
        max_length=12,
        filter=True,
        description="行政区划代码 · The 12-digit code of the community it administratively lies in",
    )
    sort: int = latest(0, description="排序 · Its place among its siblings")
    feed_level: str = once("building", max_length=32, description="信息流层级 · The level that owns feeds in this tree")
    home_level: str = once(
        "community", max_length=32, description="归属层级 · The level whose areas are homes in this tree"
    )
