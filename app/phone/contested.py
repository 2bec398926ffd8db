"""A conflict as a person reads it: what both started from, what the record holds, and what else was written."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from pydantic import JsonValue

from app.phone.find import short
from app.phone.held import Held
from app.phone.labels import Labels, field_words
from app.phone.telling import clock, spelled, stamp
from sync.conflict import candidates_of
from sync.decide import DELETED
from sync.entries import Key
from sync.replica import Shown
from sync.wire import Fields

HELD = "held"
_VERSION_WITH_TIME = 7


def conflicts_of(held: Held, target: Key) -> Iterator[Shown]:
    """The open conflicts of one record."""
    for conflict in held.replica.conflicts():
        if (conflict.fields["of_collection"], conflict.fields["of_record"]) == (target.collection, str(target.record)):
            yield conflict


def as_document(held: Held, conflict: Shown) -> Fields:
    """Base, held and candidates, numbered as `resolve --take` takes them."""
    fields = conflict.fields
    return {
        "id": str(conflict.key.record),
        "collection": fields["of_collection"],
        "record": fields["of_record"],
        "field": fields["field"],
        "state": fields["state"],
        "base": fields["base"],
        "held": fields["held"],
        "candidates": [_candidate(held, number, one) for number, one in enumerate(candidates_of(fields), 1)],
        "unsent": conflict.unsent,
    }


def as_lines(held: Held, labels: Labels, conflict: Shown) -> list[str]:
    """The same for people, one version a line."""
    fields = conflict.fields
    collection, name = str(fields["of_collection"]), str(fields["field"])
    target = labels.of(conflict.key, collection, fields["of_record"])
    lines = [f"冲突 conflict {short(conflict.key.record)}  {target} · {field_words(collection, name)}"]
    lines.append(f"    原值 base        {value_words(labels, name, fields['base'])}")
    lines.append(f"    现值 {HELD}        {value_words(labels, name, fields['held'])}")
    for number, one in enumerate(candidates_of(fields), 1):
        who, when = _who(held, one), clock(_written_at(one))
        lines.append(f"    候选 {number}           {value_words(labels, name, one['value'])}   ({who}, {when})")
    return lines


def value_words(labels: Labels, field: str, value: JsonValue) -> str:
    """A contested value; where a delete crossed an edit, what it would do."""
    if field == DELETED:
        return "删除 delete it" if value else "保留 keep it"
    return spelled(labels.code(value))


def _candidate(held: Held, number: int, one: Fields) -> Fields:
    mine = one["by"] == held.replica.status().person
    written_at = stamp(_written_at(one))
    return {"take": str(number), "value": one["value"], "by": one["by"], "mine": mine, "written_at": written_at}


def _who(held: Held, one: Fields) -> str:
    if one["by"] is None:
        return "系统 operator"
    return "我 me" if one["by"] == held.replica.status().person else f"同事 colleague {short(one['by'])}"


def _written_at(one: Fields) -> datetime | None:
    """A version 7 id says when it was made, by its phone's clock: evidence, no more."""
    mutation = UUID(str(one["mutation"]))
    if mutation.version != _VERSION_WITH_TIME:
        return None
    return datetime.fromtimestamp((mutation.int >> 80) / 1000, UTC)
