"""What a mutation does to a record as its person sees it, and how two unsent edits become one. Pure."""

from typing import cast

from pydantic import JsonValue

from sync.decide import DELETED
from sync.entries import Entry, Key
from sync.merge import total, union
from sync.wire import Fields


def laid_over(fields: Fields | None, entry: Entry, key: Key) -> Fields | None:
    """The record's fields with `entry` on top; None where there is no record to show."""
    if entry.resolves and entry.resolves.target == key:
        return _with_resolution(fields, entry.resolves.field, entry.resolves.value)
    if entry.op == "delete":
        return None
    if entry.op == "create":
        return {**(fields or {}), **entry.fields}
    if fields is None:
        return None
    if entry.resolves:
        return {**fields, "state": "closed", "resolution": entry.resolves.value}
    return with_changes(fields, entry.fields)


def _with_resolution(fields: Fields | None, field: str, value: JsonValue) -> Fields | None:
    if fields is None or field == DELETED:
        return None if value else fields
    return {**fields, field: value}


def with_changes(fields: Fields, changes: Fields) -> Fields:
    """A record's fields after an update."""
    return {**fields, **{name: changed(fields.get(name), change) for name, change in changes.items()}}


def changed(value: JsonValue, change: JsonValue) -> JsonValue:
    """A value after a change of it: `{add, remove}`, `{increment}`, or simply the new value."""
    if is_delta(change):
        return cast(JsonValue, union.take(value, change))
    if is_increment(change):
        return cast(JsonValue, total.take(value, change))
    return change


def squashed(earlier: Fields, later: Fields) -> Fields:
    """Two unsent updates as one."""
    both = {name: composed(earlier[name], later[name]) for name in earlier.keys() & later.keys()}
    return {**earlier, **later, **both}


def composed(earlier: JsonValue, later: JsonValue) -> JsonValue:
    """One change that does what `earlier` and then `later` did."""
    if is_delta(later) and isinstance(earlier, list):
        earlier = {"add": earlier}
    if is_delta(earlier) and isinstance(later, list):
        later = {"add": later}
    if is_delta(earlier) and is_delta(later):
        (added, removed), (adds, removes) = _delta(earlier), _delta(later)
        return {"add": [*sorted((added - removes) | adds)], "remove": [*sorted((removed | removes) - adds)]}
    if is_increment(later) and is_increment(earlier):
        return {"increment": changed(_increment(earlier), later)}
    if is_increment(later):
        return changed(earlier, later)
    return later


def is_delta(change: JsonValue) -> bool:
    """Is it how a `union` field is changed?"""
    return isinstance(change, dict) and bool(change) and change.keys() <= {"add", "remove"}


def is_increment(change: JsonValue) -> bool:
    """Is it how a `total` field is changed?"""
    return isinstance(change, dict) and change.keys() == {"increment"}


def _delta(change: JsonValue) -> tuple[set[str], set[str]]:
    """What it adds and removes; of the same value, an add beats a remove."""
    parts = change if isinstance(change, dict) else {}
    add, remove = (
        {str(item) for item in part} if isinstance(part := parts.get(name), list) else set()
        for name in ("add", "remove")
    )
    return add, remove - add


def _increment(change: JsonValue) -> JsonValue:
    return change.get("increment", 0) if isinstance(change, dict) else 0
