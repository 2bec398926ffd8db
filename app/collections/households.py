"""Households 户: a door, and how it is used."""

from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import Code, ask, collection, latest, text, union, whole


@collection(
    "households",
    title="户 · Households",
    about="一扇门，一户人家 · A door, and how it is used",
    lists_in="area_id",
    same=(("area_id", "door"),),
)
class Household(SQLModel):
    """One door 一户."""

    area_id: UUID = ask(
        refers_to="areas", filter=True, helper=whole, description="单元或楼栋 · The unit or building it lies in"
    )
    door: str = ask(max_length=40, helper=whole, description="门牌号 · The door number")
    floor: int | None = ask(None, ge=-9, le=200, helper=whole, description="楼层 · The floor")
    use: Code = ask(
        "self_occupied",
        filter=True,
        helper=whole,
        description="房屋用途代码 · How it is used, a code of the list `use`",
    )
    tags: set[Code] = union(default_factory=set, filter=True, description="标签 · Codes of the list `tag`")
    best_time: str | None = latest(
        None, max_length=100, helper=whole, description="合适的上门时间 · When somebody is usually in"
    )
    external_id: str | None = ask(None, max_length=64, filter=True, description="外部编号 · Its id in another system")
    note: str = text("", max_length=4000, description="备注 · What the next visitor should know")
