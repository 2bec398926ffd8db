"""Grounds of tags 标签依据: why somebody is marked as ill or poor, who says so, by what law, and until when."""

from datetime import date
from uuid import UUID

from sqlmodel import SQLModel

from app.collections.base import Code, Error, ask, collection, fault, forwards, once, text
from sync.wire import Fields

SENSITIVE = frozenset(
    {"disabled", "faith", "ill", "infected", "left_behind_child", "low_income", "mentally_ill", "pregnant"}
)
"""What tells of health, disability, faith, money, or a child under fourteen: for such the Personal Information
Protection Law 个人信息保护法 (articles 13, 28 and 29) wants a basis of its own. Other tags may name theirs.
"""


def _lawful(fields: Fields) -> list[Error]:
    unfounded = fields.get("tag") in SENSITIVE and not fields.get("basis")
    return [*forwards(fields), *([fault("basis", "no_legal_basis")] if unfounded else [])]


@collection(
    "tag_grounds",
    title="标签依据 · Grounds of tags",
    about="为何有此标签：来源、法律依据、有效期 · Why a tag is there: who says so, by what law, until when",
    lists_in="household_id",
    refuses=("no_legal_basis",),
    rule=_lawful,
)
class TagGround(SQLModel):
    """Why one tag of one household, or of one person in it, may be held 一个标签的依据."""

    household_id: UUID = ask(
        refers_to="households", filter=True, description="哪一户 · The household; changed when its person moves"
    )
    resident_id: UUID | None = once(
        None, refers_to="residents", filter=True, description="哪一位，空为整户 · Whose tag; null: the household's"
    )
    tag: Code = once(filter=True, description="标签代码 · The tag, a code of the list `tag`")
    source: Code = ask(
        "told", filter=True, description="来源代码 · Where it is known from, a code of the list `source`"
    )
    basis: Code | None = ask(
        None,
        filter=True,
        description="法律依据代码，敏感标签必填 · By what law it is held, a code of the list `basis`; sensitive tags "
        "need one",
    )
    since: date = ask(filter=True, description="起始日期 · Since when it is so")
    until: date | None = ask(
        None, filter=True, description="有效期至 · The last day on which it may be held; null while it has no end"
    )
    note: str = text("", max_length=4000, description="备注 · What the paper says, and where it lies")
