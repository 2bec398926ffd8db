"""Campaigns 专项行动: a house-to-house sweep, or another round with a beginning, an end and an approval."""

import json
import re
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import jsonschema_rs
from pydantic import Field
from sqlmodel import SQLModel

from app.collections.base import OFFICE, Code, Error, ask, collection, fault, forwards, grows, once, text
from sync.wire import Fields

MOST_QUESTIONS = 16 * 1024
"""Characters of all versions together: every phone of the area carries them."""
ELSEWHERE = frozenset({"$dynamicRef", "$id", "$ref", "$schema"})
"""What would make a reader look for another document: a phone in a stairwell has this one alone."""
Version = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}$", max_length=4)]
Schema = Annotated[str, Field(max_length=MOST_QUESTIONS)]
Questions = Annotated[dict[Version, Schema], Field(max_length=50)]


def _in_order(fields: Fields) -> list[Error]:
    approval, kept, ends = fields.get("approval"), fields.get("keep_until"), fields.get("until")
    return [
        *forwards(fields),
        *([] if isinstance(approval, str) and any(map(str.isalnum, approval)) else [fault("approval", "no_approval")]),
        # Days of four digits, which compare as text.
        *([fault("keep_until")] if isinstance(kept, str) and isinstance(ends, str) and kept < ends else []),
        *([] if _can_be_asked(fields.get("questions")) else [fault("questions", "questions_invalid")]),
    ]


def _can_be_asked(questions: Any) -> bool:
    """Are they JSON Schemas (draft 2020-12) of an object, which stand by themselves and ask for what can travel?"""
    texts = [str(text) for text in questions.values()] if isinstance(questions, dict) else []
    return sum(map(len, texts)) <= MOST_QUESTIONS and all(_is_a_schema(text) for text in texts)


def _is_a_schema(text: str) -> bool:
    try:
        schema = json.loads(text, parse_constant=_no_json)
        if not isinstance(schema, dict) or schema.get("type") != "object" or _names(schema) & ELSEWHERE:
            return False
        asked = schema.get("properties")
        travels = isinstance(asked, dict) and all(re.fullmatch(r"[a-z0-9_]{1,64}", question) for question in asked)
        return travels and jsonschema_rs.meta.is_valid(schema)
    except (ValueError, RecursionError):
        return False


def _no_json(constant: str) -> None:
    """NaN and the like, which Python reads and no phone."""
    raise ValueError


def _names(value: Any) -> set[str]:
    """Of all objects in it."""
    if isinstance(value, dict):
        return {*value}.union(*(_names(one) for one in value.values()))
    return set[str]().union(*(_names(one) for one in value)) if isinstance(value, list) else set()


@collection(
    "campaigns",
    title="专项行动 · Campaigns",
    about="拉网式大排查等行动：范围、起止、批准、问卷 · Sweeps and the like: where, when, by what approval",
    lists_in="area_id",
    writers=OFFICE,
    pushable=False,
    audience="reference",
    refuses=("no_approval", "questions_invalid"),
    rule=_in_order,
)
class Campaign(SQLModel):
    """One campaign 一次专项行动. What comes in after its last day is taken all the same, and marked as late."""

    area_id: UUID = once(refers_to="areas", filter=True, description="范围 · The area whose doors are knocked at")
    name: str = ask(min_length=1, max_length=100, description="名称 · Its name")
    kind: Code = ask("sweep", filter=True, description="类别代码 · A code of the list `campaign`")
    approval: str = ask(max_length=100, description="批准文号 · The paper by which it is held: none without one")
    since: date = ask(description="起始日期 · The first day")
    until: date = ask(filter=True, description="截止日期 · The last day")
    keep_until: date | None = ask(
        None, description="信息应保存至 · Until which day what it asked is to be kept; null: as any other note"
    )
    questions: Questions = grows(
        default_factory=dict,
        description="各版问卷（JSON Schema） · Version → the JSON Schema of its answers, as text. Old versions stay: "
        "phones answer by the one they have, and what was asked is read by the one that asked it",
    )
    note: str = text("", max_length=4000, description="备注 · What whoever knocks should know")
