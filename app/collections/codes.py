"""Versioned code lists 代码表: ways to knock, tags, needs… An unknown code is kept, never refused."""

from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import ADMINS, Code, ask, collection, latest, once


@collection(
    "codes",
    title="代码 · Codes",
    about="敲门方式、标签、需求等代码表 · Lists of ways to knock, tags, needs and the like",
    lists_in="area_id",
    writers=ADMINS,
    pushable=False,
    audience="reference",
)
class CodeEntry(SQLModel):
    """One code of one list 代码表中的一项."""

    area_id: UUID = once(refers_to="areas", filter=True, description="适用区域 · The area below which it holds")
    list: Code = once(filter=True, description="代码表 · The list: method, tag, need, use, relation…")
    code: Code = once(filter=True, description="代码 · The code")
    name: str = ask(max_length=100, description="中文名称 · Its Chinese name")
    name_en: str = ask("", max_length=100, description="英文名称 · Its English name")
    version: int = latest(1, description="版本 · The list's version that brought it")
    sort: int = latest(0, description="排序 · Its place in the list")
    retired: bool = latest(False, filter=True, description="已停用 · No longer offered; records that hold it keep it")
