"""Campaigns 专项行动: a house-to-house sweep, or another round with a beginning, an end and an approval."""

import json
import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

import jsonschema_rs
from pydantic import Field
from sqlmodel import SQLModel

from app.collections.base import OFFICE, Code, Error, ask, collection, fault, forwards, grows, once, text
from sync.wire import Fields

MOST_QUESTIONS = 16 * 1024
"""Characters of all versions together: every phone of the area carries them."""
PATTERNS = jsonschema_rs.FancyRegexOptions(size_limit=2**19)
"""Bytes that a pattern may take once it is compiled: as many as fit into the questions still cost about a second."""
ELSEWHERE = frozenset({"$dynamicRef", "$id", "$ref", "$schema"})
"""What would make a reader look for another document: a phone in a stairwell has this one alone."""
NAME = re.compile("[a-z0-9_]{1,64}")
"""Of a question, and of what an answer has within it."""
NAMING = ("dependentRequired", "dependentSchemas", "properties", "required")
"""Keywords that say how what is answered is called."""
OF_SCHEMAS = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")
"""Keywords with schemas by name."""
OF_VALUES = ("const", "default", "dependentRequired", "enum", "examples")
"""Keywords in which nothing is a schema, whatever it looks like."""
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


@lru_cache(maxsize=64)
def _is_a_schema(text: str) -> bool:
    """Remembered: compiling is the dearest part of any change of a campaign, and old versions stay."""
    try:
        schema = json.loads(text, parse_float=_not_whole, parse_constant=_not_whole)
        if not isinstance(schema, dict) or schema.get("type") != "object" or "properties" not in schema:
            return False
        # Raises ValueError for what fits its own schema and still is none: a pattern that no reader understands.
        # It also refuses what is nested deeper than anything below goes.
        jsonschema_rs.Draft202012Validator(schema, pattern_options=PATTERNS, offline=True)
        return all(_travels(one) for one in _schemas(schema))
    except (ValueError, RecursionError):
        return False


def _not_whole(number: str) -> None:
    """A fraction, which can't travel, or NaN and the like, which Python reads and no phone."""
    raise ValueError


def _travels(schema: Fields) -> bool:
    """Is there an answer to it that a push takes: keys as in all JSON that travels, and whole numbers?"""
    names = [name for keyword in NAMING for name in (_as_dict(schema.get(keyword)) or _as_list(schema.get(keyword)))]
    kinds = schema.get("type")
    fractions = "number" in (kinds if isinstance(kinds, list) else [kinds])
    return not (schema.keys() & ELSEWHERE) and not fractions and all(NAME.fullmatch(str(name)) for name in names)


def _schemas(schema: Fields) -> Iterator[Fields]:
    """It, and every schema that stands in it."""
    yield schema
    for keyword, value in schema.items():
        if keyword in OF_SCHEMAS:
            inner = [*_as_dict(value).values()]
        else:
            inner = [] if keyword in OF_VALUES else [value, *_as_list(value)]
        for one in inner:
            if isinstance(one, dict):
                yield from _schemas(one)


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


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
        description="各版问卷（JSON Schema），数值只用整数 · Version → the JSON Schema of its answers, as text. Names "
        "are of `[a-z0-9_]`, numbers are whole (tenths of a degree): nothing else travels. Old versions stay: "
        "phones answer by the one they have, and what was asked is read by the one that asked it",
    )
    note: str = text("", max_length=4000, description="备注 · What whoever knocks should know")
