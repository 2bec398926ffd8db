"""What a count is in every report that counts."""

from typing import Annotated

from pydantic import BaseModel, Field

Few = Annotated[int, Field(ge=0)] | None
HiddenBelow = Annotated[
    int | None,
    Field(
        description="少于此数不显示，其余取其整倍数；本社区内为 null · Counts below this are not told: to who looks "
        "from above communities they are null, and others rounded to a multiple of it; null: every count is told as "
        "it is"
    ),
]


class ByChannel(BaseModel):
    """Visits by where they met."""

    door: Few = Field(description="上门 · At the door")
    phone: Few = Field(description="电话 · By telephone")
    street: Few = Field(description="路遇 · In the street")
    window: Few = Field(description="隔窗 · Through a window")
