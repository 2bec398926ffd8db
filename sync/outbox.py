"""What its person writes on a phone: edits become mutations, unsent edits of one record become one.

Id, base, after and seen are fixed together, when the oldest of the squashed edits is made. A base set
at send time would overwrite values nobody saw; a base kept without `after` would make a phone conflict
with itself after a lost answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from pydantic import JsonValue

from sync.canonical import require_canonical
from sync.entries import Entry, Key, Resolves, SeenHere
from sync.overlay import changed, squashed
from sync.phone import Phone
from sync.shown import Shown, find_shown
from sync.wire import Fields, Op

CONFLICTS = "conflicts"
_REFERENCE_DATA = {"areas", "codes"}
_MOST_SEEN = 16


class NotShown(LookupError):
    """There is no such record on this phone, or its person deleted it."""


class AlreadyShown(ValueError):
    """A record of that key is on this phone already."""


class NotOpen(ValueError):
    """The conflict is closed, as far as this phone knows; edit the record itself."""


@dataclass(frozen=True)
class Footing:
    """What an edit stands on."""

    base: int
    epoch: str | None
    after: UUID | None


def create(phone: Phone, collection: str, home: UUID, fields: Fields, record: UUID | None) -> Key:
    """A new record. Raises AlreadyShown, NotCanonical."""
    require_canonical(fields)
    key = Key(collection, home, record or phone.seams.new_id())
    if phone.copies.find(key) or phone.entries.over(key):
        raise AlreadyShown(key.path)
    whole = {name: changed(None, value) for name, value in fields.items()}
    _add(phone, key, "create", whole, seen=seen_beside(phone, key, whole))
    phone.copies.know(collection)
    return key


def edit(phone: Phone, key: Key, fields: Fields) -> None:
    """Changes some fields; what already has the value is left out. Raises NotShown, NotCanonical."""
    require_canonical(fields)
    shown = require_shown(phone, key)
    changes = {name: value for name, value in fields.items() if _would_change(shown, name, value)}
    if not changes:
        return
    if joins := _find_waiting(phone, key):
        phone.entries.put(_joined(phone, joins, changes))
    else:
        seen = [_as_seen(shown), *seen_beside(phone, key, {**shown.fields, **changes})]
        _add(phone, key, "update", changes, seen=seen)


def delete(phone: Phone, key: Key) -> None:
    """Deletes; a record the server has never heard of vanishes without a word, unless something unsent
    refers to it: then it is created, and deleted, so that what refers to it has something to refer to.

    Raises NotShown.
    """
    shown = require_shown(phone, key)
    joins = _find_waiting(phone, key)
    if joins and joins.op == "create" and joins.after is None:
        if _is_referred_to(phone, joins):
            _add(phone, key, "delete", {}, seen=[])
        else:
            phone.entries.remove(joins)
    elif joins:
        phone.entries.put(joins.model_copy(update={"op": "delete", "fields": {}}))
    else:
        seen = [_as_seen(shown), *seen_beside(phone, key, shown.fields)]
        _add(phone, key, "delete", {}, seen=seen)


def _is_referred_to(phone: Phone, created: Entry) -> bool:
    """Does an unsent mutation of another record name this one?"""
    record = str(created.key.record)
    others = (entry for entry in phone.entries.marked("unsent") if entry.key != created.key)
    return any(record in str(value) for entry in others for value in entry.fields.values())


def resolve(phone: Phone, key: Key, value: JsonValue) -> None:
    """Settles a conflict with one value; until it is sent, the value may be changed again.

    Raises NotShown, NotOpen, NotCanonical.
    """
    require_canonical(value)
    conflict = require_shown(phone, key)
    if joins := _find_waiting_resolution(phone, key):
        resolves = joins.resolves.model_copy(update={"value": value}) if joins.resolves else None
        phone.entries.put(joins.model_copy(update={"resolves": resolves}))
        return
    if conflict.fields.get("state") != "open":
        raise NotOpen(key.path)
    target = Key(str(conflict.fields["of_collection"]), key.home, UUID(str(conflict.fields["of_record"])))
    of_target, own = footing_of(phone, target), footing_of(phone, key)
    resolves = Resolves(
        target=target,
        field=str(conflict.fields["field"]),
        value=value,
        base=of_target.base,
        after=of_target.after,
    )
    # One mutation names one epoch; where its two bases are of different ones, both count as unknown.
    own = replace(own, epoch=own.epoch if own.epoch == of_target.epoch else None)
    seen = [_as_seen(conflict), *seen_beside(phone, key, conflict.fields)]
    _add(phone, key, "update", {}, seen=seen, footing=own, resolves=resolves)


def require_shown(phone: Phone, key: Key) -> Shown:
    """The record as its person sees it. Raises NotShown."""
    shown = find_shown(phone, key)
    if shown is None:
        raise NotShown(key.path)
    return shown


def footing_of(phone: Phone, key: Key) -> Footing:
    """What an edit made now stands on: the newest mutation on top of the record, else the shown copy."""
    over = phone.entries.over(key)
    if not over:
        copy = phone.copies.find(key)
        # Of a masked copy the rev says what the record was, not what its person saw: that is sent along.
        epoch = None if copy and phone.copies.is_masked(copy) else phone.meta.copies_epoch
        return Footing(copy.rev if copy else 0, epoch, None)
    top = over[-1]
    by_resolution = top.resolves if top.key != key else None
    return Footing(by_resolution.base if by_resolution else top.base, top.base_epoch, top.id)


def seen_beside(phone: Phone, key: Key, fields: Fields) -> list[SeenHere]:
    """The records these fields refer to, and what those refer to: a restored server needs them all."""
    collections = [name for name in phone.copies.collections() if name not in _REFERENCE_DATA]
    found: dict[Key, SeenHere] = {}
    to_read = list(references_in(fields))
    for id in to_read:
        for other in (Key(collection, key.home, id) for collection in collections):
            if other == key or other in found or len(found) == _MOST_SEEN:
                continue
            if shown := find_shown(phone, other):
                found[other] = _as_seen(shown)
                to_read += references_in(shown.fields)
    return list(found.values())


def references_in(value: JsonValue) -> Iterator[UUID]:
    """Every id that a field's value spells."""
    if isinstance(value, str) and len(value) == 36:
        try:
            yield UUID(value)
        except ValueError:
            return
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from references_in(part)


def _add(
    phone: Phone,
    key: Key,
    op: Op,
    fields: Fields,
    *,
    seen: list[SeenHere],
    footing: Footing | None = None,
    resolves: Resolves | None = None,
) -> None:
    footing = footing or footing_of(phone, key)
    entry = Entry(
        place=phone.entries.next_place(),
        id=phone.seams.new_id(),
        key=key,
        op=op,
        base=footing.base,
        base_epoch=footing.epoch,
        after=footing.after,
        fields=fields,
        resolves=resolves,
        made_at=phone.seams.now(),
        seen=seen,
    )
    phone.entries.put(entry)


def _joined(phone: Phone, entry: Entry, changes: Fields) -> Entry:
    """A waiting entry with a later edit in it. What it saw stays; what it refers to anew was seen now."""
    merged = squashed(entry.fields, changes)
    if entry.op == "create":
        whole = {name: changed(entry.fields.get(name), change) for name, change in changes.items()}
        merged = {**entry.fields, **whole}
    known = {(one.collection, one.record) for one in entry.seen}
    beside = [one for one in seen_beside(phone, entry.key, changes) if (one.collection, one.record) not in known]
    return entry.model_copy(update={"fields": merged, "seen": [*entry.seen, *beside]})


def _find_waiting(phone: Phone, key: Key) -> Entry | None:
    """The entry that a new edit of the record joins: the newest on top of it, if it hasn't been sent."""
    newest = next(reversed(phone.entries.over(key)), None)
    joins = newest and newest.state == "waiting" and newest.key == key and newest.resolves is None
    return newest if joins else None


def _find_waiting_resolution(phone: Phone, key: Key) -> Entry | None:
    newest = next(reversed(phone.entries.over(key)), None)
    if newest is None or newest.resolves is None or newest.state != "waiting":
        return None
    # What was written over the target since must stay on top of it.
    return newest if phone.entries.over(newest.resolves.target)[-1].id == newest.id else None


def _would_change(shown: Shown, name: str, value: JsonValue) -> bool:
    return name not in shown.fields or changed(shown.fields[name], value) != shown.fields[name]


def _as_seen(shown: Shown) -> SeenHere:
    collection, home, record = shown.key
    return SeenHere(
        collection=collection, record=record, home=home, rev=shown.rev, fields=shown.fields, feed=shown.feed
    )
