"""What a person writes: a knock, an edit, a delete, the settling of a conflict. None of it needs the server."""

import json
from dataclasses import dataclass

from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.fields import FieldSpec, as_wire
from app.phone.contested import HELD
from app.phone.find import get_key, short
from app.phone.held import Held, Trouble
from app.phone.labels import Labels
from app.phone.reading import UNSENT, record_document
from app.phone.telling import Told
from app.problems import CATALOGUE
from sync.conflict import candidates_of
from sync.decide import DELETED
from sync.outbox import NotOpen, NotShown
from sync.replica import Key, Shown
from sync.wire import Fields

_YES, _NO = {"true", "yes", "1", "是"}, {"false", "no", "0", "否"}


@dataclass(frozen=True)
class Changes:
    """An edit as it was typed: FIELD=VALUE, and FIELD=CODE to add and to remove."""

    fields: list[str]
    add: list[str]
    remove: list[str]


def note(held: Held, household: str, said: Fields) -> Told:
    """A visit to a household, now by this phone's clock. Raises Trouble."""
    key = get_key(held, household, "households")
    fields: Fields = {"household_id": str(key.record), "visited_at": as_wire(held.seams.now()), **said}
    _require_clean("visits", "create", fields)
    return _told(held, held.replica.create("visits", key.home, fields))


def edit(held: Held, collection: str, record: str, changes: Changes) -> Told:
    """Changes what was named. Raises Trouble, NotShown."""
    key = get_key(held, record, collection)
    one = held.replica.shown(key)
    if one is None:
        raise NotShown(key.path)
    fields: Fields = {}
    for field, text in map(_split, changes.fields):
        fields[field] = _as_change(held, one, field, text)
    for op, typed in (("add", changes.add), ("remove", changes.remove)):
        for field, code in map(_split, typed):
            _require_set(collection, field)
            delta = fields.setdefault(field, {"add": [], "remove": []})
            assert isinstance(delta, dict)
            delta[op] = [*_members(delta[op]), code]
    if not fields:
        raise Trouble("nothing_to_change", "没有要修改的内容：字段=值", "Nothing to change; say FIELD=VALUE")
    _require_clean(collection, "update", fields)
    held.replica.edit(key, fields)
    return _told(held, key)


def delete(held: Held, collection: str, record: str) -> Told:
    """Deletes on this phone; a crossing edit of somebody else will ask. Raises Trouble, NotShown."""
    key = get_key(held, record, collection)
    held.replica.delete(key)
    words = f"已删除，{UNSENT} · Deleted: {collection} {short(key.record)}"
    return Told({"deleted": {"collection": collection, "id": str(key.record)}}, [words])


def resolve(held: Held, conflict: str, take: str | None, text: str | None) -> Told:
    """Takes the held value, a candidate or another value. Raises Trouble, NotShown, NotOpen."""
    key = get_key(held, conflict, "conflicts")
    one = held.replica.shown(key)
    if one is None or one.fields["state"] != "open":
        raise NotOpen(key.path)
    if (take is None) == (text is None):
        raise Trouble("choose_one", "请用 --take 或 --value 之一", "Say either --take or --value")
    value = _as_taken(one, take) if take is not None else _as_given(held, one, text or "")
    held.replica.resolve(key, value)
    target = Key(str(one.fields["of_collection"]), key.home, get_key(held, str(one.fields["of_record"])).record)
    if held.replica.shown(target) is None:
        words = f"已处理：删除，{UNSENT} · Settled: deleted, not sent yet"
        return Told({"resolved": str(key.record), "value": value}, [words])
    told = _told(held, target)
    return Told(
        {"resolved": str(key.record), "value": value, "record": told.document}, ["已处理 · Settled", *told.lines]
    )


def _told(held: Held, key: Key) -> Told:
    one = held.replica.shown(key)
    if one is None:
        raise NotShown(key.path)
    unsent = held.replica.status().unsent
    return Told(
        record_document(one), [Labels(held).line(one), f"已保存在本机 · Saved on this phone; {UNSENT}: {unsent}"]
    )


def _as_taken(conflict: Shown, take: str) -> JsonValue:
    candidates = candidates_of(conflict.fields)
    if take == HELD:
        return conflict.fields["held"]
    if take.isdecimal() and 1 <= int(take) <= len(candidates):
        return candidates[int(take) - 1]["value"]
    choices = ", ".join([HELD, *(str(number) for number in range(1, len(candidates) + 1))])
    raise Trouble("no_such_candidate", f"可选：{choices}", f"There are: {choices}")


def _as_given(held: Held, conflict: Shown, text: str) -> JsonValue:
    collection, field = str(conflict.fields["of_collection"]), str(conflict.fields["field"])
    if field == DELETED:
        return _as_bool(field, text)
    value = _as_value(held, _spec_of(collection, field), text)
    _require(COLLECTIONS[collection].clean_value(field, value)[1])
    return value


def _split(typed: str) -> tuple[str, str]:
    field, equals, text = typed.partition("=")
    if not equals:
        raise Trouble("field_without_value", f"请写成 字段=值：{typed}", f"Write FIELD=VALUE: {typed}")
    return field.strip(), text


def _as_change(held: Held, one: Shown, field: str, text: str) -> JsonValue:
    """A value as an edit says it: a set by what comes and what goes, as merging needs it."""
    spec = _spec_of(one.key.collection, field)
    value = _as_value(held, spec, text)
    if spec.policy.name == "union":
        wanted, had = _members(value), _members(one.fields.get(field))
        return {"add": [c for c in wanted if c not in had], "remove": [c for c in had if c not in wanted]}
    return {"increment": value} if spec.policy.name == "total" else value


def _as_value(held: Held, spec: FieldSpec, text: str) -> JsonValue:
    """What was typed, as the field's declaration means it; nothing typed empties it."""
    if spec.kind is set:
        return [code.strip() for code in text.split(",") if code.strip()]
    if text == "":
        return "" if spec.default == "" else None
    if spec.kind is bool:
        return _as_bool(spec.name, text)
    if spec.refers_to:
        return str(get_key(held, text, spec.refers_to).record)
    return _as_json(spec.name, text) if spec.kind in (int, object) else text


def _as_json(field: str, text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        raise _invalid(field) from None
    return value


def _as_bool(field: str, text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise _invalid(field)
    return text.lower() in _YES


def _members(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _spec_of(collection: str, field: str) -> FieldSpec:
    known = COLLECTIONS.get(collection)
    if known is None or field not in known.fields:
        names = ", ".join(known.fields) if known else ""
        raise Trouble("unknown_field", f"没有字段 {field}，可用：{names}", f"No field {field}; there are: {names}")
    return known.fields[field]


def _require_set(collection: str, field: str) -> None:
    if _spec_of(collection, field).policy.name != "union":
        raise Trouble("not_a_set", f"{field} 不是多选字段", f"{field} holds one value; say {field}=VALUE")


def _require_clean(collection: str, op: str, fields: Fields) -> None:
    """What is plainly wrong is said at the door, not hours later by the server."""
    known = COLLECTIONS.get(collection)
    if known is None or not known.pushable:
        raise Trouble("pull_only", *CATALOGUE["pull_only"][1:])
    _require(known.clean(op, fields)[1])


def _require(errors: list[dict[str, JsonValue]]) -> None:
    if errors:
        code, field = str(errors[0]["code"]), str(errors[0]["pointer"]).removeprefix("/fields/")
        raise Trouble(code, *CATALOGUE[code][1:], field=field)


def _invalid(field: str) -> Trouble:
    return Trouble("invalid", *CATALOGUE["invalid"][1:], field=field)
