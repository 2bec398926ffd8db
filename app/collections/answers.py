"""Answers 问卷答卷: what a campaign asked at a door, as it was answered there."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue
from sqlmodel import SQLModel

from app.collections.base import Error, ask, collection, fault, once, text
from sync.canonical import canonical_json
from sync.wire import Fields

MOST_BYTES = 8 * 1024
Question = Annotated[str, Field(min_length=1, max_length=64)]
Said = Annotated[dict[Question, JsonValue], Field(max_length=100)]


def _short(fields: Fields) -> list[Error]:
    said = fields.get("said")
    return [fault("said", "text_too_long")] if said and len(canonical_json(said)) > MOST_BYTES else []


@collection(
    "answers",
    title="问卷答卷 · Answers",
    about="一次行动在一户、一人处问到的 · What a campaign asked somebody, and what they said",
    lists_in="household_id",
    erased_with=("campaign_id",),
    rule=_short,
)
class Answers(SQLModel):
    """One sheet of answers 一份答卷. Kept as it was said: whether it fits the questions a phone sees while it is asked,
    and a server that knows another version of them than the phone refuses nothing.
    """

    household_id: UUID = once(refers_to="households", filter=True, description="哪一户 · The household")
    resident_id: UUID | None = once(
        None, refers_to="residents", filter=True, description="哪一位，空为整户 · Who; null: the household as a whole"
    )
    campaign_id: UUID = once(filter=True, description="专项行动 · The campaign that asks")
    version: int = once(1, ge=1, le=9999, description="问卷版本 · The version of its questions they were asked by")
    said: Said = ask(default_factory=dict, description="回答 · Question → answer")
    note: str = text("", max_length=1000, description="备注 · What no question asked for")
