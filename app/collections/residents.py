"""Residents 居民: the people behind a door. Intimate data: collected for a reason, seen by few."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, StringConstraints
from sqlmodel import SQLModel
from stdnum.cn import ric
from stdnum.exceptions import InvalidChecksum, ValidationError

from app.collections.base import (
    Code,
    Error,
    ask,
    collection,
    fault,
    masked_name,
    masked_number,
    masked_phone,
    text,
    union,
    whole,
)
from sync.wire import Fields


def _checked(number: str) -> str:
    """Length, birth date and check digit as GB 11643 says; X in upper case."""
    number = number.upper()
    if not number.isascii() or len(number) != 18:
        raise ValueError("id_number")
    if ric.calc_check_digit(number) != number[-1]:
        raise ValueError("check_digit")
    try:
        ric.get_birth_date(number)
    except (InvalidChecksum, ValidationError, ValueError):
        raise ValueError("id_number") from None
    return number


IdNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{17}[0-9Xx]$", max_length=18), AfterValidator(_checked)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 -]{3,20}$", max_length=21)]


def _birth_date_is_the_id_numbers(fields: Fields) -> list[Error]:
    number, born = fields.get("id_number"), fields.get("birth_date")
    if isinstance(number, str) and isinstance(born, str) and number[6:14] != born.replace("-", ""):
        return [fault("birth_date"), fault("id_number")]
    return []


@collection(
    "residents",
    title="居民 · Residents",
    about="门后的人；只收集必要的信息 · The people behind a door; only what is needed",
    lists_in="household_id",
    same=(("id_number",), ("name", "birth_date")),
    refuses=("check_digit",),
    rule=_birth_date_is_the_id_numbers,
)
class Resident(SQLModel):
    """One person living, or registered, at a door 一位居民."""

    household_id: UUID = ask(refers_to="households", filter=True, helper=whole, description="所在户 · The household")
    name: str = ask(min_length=1, max_length=60, helper=masked_name, description="姓名 · Name")
    sex: Literal["male", "female"] | None = ask(None, filter=True, helper=whole, description="性别 · Sex")
    birth_date: date | None = ask(None, filter=True, description="出生日期 · Birth date")
    phone: Phone | None = ask(None, helper=masked_phone, description="电话 · Phone")
    id_number: IdNumber | None = ask(
        None, helper=masked_number, description="身份证号码 · Resident ID number, with its check digit"
    )
    relation: Code = ask(
        "other",
        filter=True,
        helper=whole,
        description="与户主关系代码 · Relation to the head, a code of the list `relation`",
    )
    registered_here: bool = ask(True, filter=True, description="户籍在此 · Is the household registration here?")
    emergency_contact: str | None = ask(None, max_length=100, description="紧急联系人 · Whom to call")
    tags: set[Code] = union(default_factory=set, filter=True, description="标签 · Codes of the list `tag`")
    external_id: str | None = ask(None, max_length=64, filter=True, description="外部编号 · Their id in another system")
    note: str = text("", max_length=4000, description="备注 · What the next visitor should know")
