"""What becomes of one mutation: the held record, the mutation and the record's past in; a Decision out.

All branching of the write path is here and in conflict.py, without a database, a clock or randomness.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from pydantic import JsonValue

from sync.merge import CONTESTED, Contested, Fork, Policy, Refusal
from sync.wire import Fields

DELETED = "deleted"
"""The name under which a crossing delete is contested."""


@dataclass(frozen=True)
class Rules:
    """What a collection's declaration says of its fields."""

    policies: Mapping[str, Policy]
    faults: Callable[[Fields], list[dict[str, JsonValue]]]
    """What is wrong with a whole record; empty when nothing is."""


@dataclass(frozen=True)
class Held:
    """A record as the server holds it."""

    rev: int
    fields: Fields
    field_revs: Mapping[str, int]
    """The rev that last wrote each field; absent where that was the create, rev 1."""
    deleted: bool = False


@dataclass(frozen=True)
class Written:
    """One row of a record's history."""

    rev: int
    mutation: UUID
    fields: Fields
    was: Fields
    deleted: bool | None = None
    """True where this row deleted the record, False where it revived it, None otherwise."""
    person: UUID | None = None
    recovered: bool = False
    """Was it made by this again, after a restore?"""


@dataclass(frozen=True)
class Sent:
    """An earlier mutation of the same person on the record. `fields` is None where history has them."""

    after: UUID | None
    rev: int | None
    fields: Fields | None = None


@dataclass(frozen=True)
class Edit:
    """A mutation's content, as decide needs it."""

    mutation: UUID
    op: Literal["create", "update", "delete"]
    base: int | None
    """None: unknown, because it is of another epoch or above the record's rev."""
    fields: Fields
    after: UUID | None = None
    seen: Fields | None = None
    """With an unknown base: the record as the person saw it."""
    past_lost: bool = False
    """Did they see it in a past that this server may have lost, to a restore?"""


@dataclass(frozen=True)
class Contest:
    """A field that a person must decide."""

    base: JsonValue
    held: JsonValue
    arriving: JsonValue


@dataclass(frozen=True)
class Decision:
    """What to write, and what to say. `fields` holds only values that change."""

    outcome: Literal["applied", "merged", "conflicted", "refused"]
    fields: Fields = field(default_factory=dict)
    deleted: bool | None = None
    contested: dict[str, Contest] = field(default_factory=dict)
    problem: str | None = None
    errors: list[dict[str, JsonValue]] = field(default_factory=list)

    @property
    def writes(self) -> bool:
        """Does it give the record a new rev?"""
        return bool(self.fields) or self.deleted is not None


class Past:
    """A record's rows of history above some rev, and this person's own mutations of it."""

    def __init__(self, written: Iterable[Written] = (), sent: Mapping[UUID, Sent] | None = None) -> None:
        self.written = list(written)
        self.sent = dict(sent or {})

    def chain(self, after: UUID | None) -> list[UUID]:
        """The mutations that an edit lies on, newest first, as far as this person made them."""
        chain: list[UUID] = []
        while after is not None and after in self.sent and after not in chain:
            chain.append(after)
            after = self.sent[after].after
        return chain

    def outside(self, base: int, chain: Iterable[UUID]) -> list[Written]:
        """What others wrote since `base`."""
        own = set(chain)
        return [row for row in self.written if row.rev > base and row.mutation not in own]

    def value_at(self, name: str, rev: int, held: Held) -> JsonValue:
        """The field's value when the record had that rev."""
        for row in self.written:
            if row.rev > rev and name in row.fields:
                return row.was.get(name)
        return held.fields.get(name)

    def built_on(self, name: str, chain: list[UUID]) -> tuple[bool, JsonValue]:
        """What the chain last said of the field: (True, value), or (False, None) where it never spoke of it."""
        rows = {row.mutation: row.fields for row in self.written}
        for mutation in chain:
            kept = self.sent[mutation].fields
            fields = rows.get(mutation, {}) if kept is None else kept
            if name in fields:
                return True, fields[name]
        return False, None

    def readded(self, name: str, base: int, chain: Iterable[UUID]) -> set[str]:
        """Members of a set that others added since `base`."""
        return {
            str(item)
            for row in self.outside(base, chain)
            if name in row.fields
            for item in _members(row.fields[name]) - _members(row.was.get(name))
        }


def decide(rules: Rules, held: Held | None, edit: Edit, past: Past) -> Decision:
    """The one decision. Never raises for what a phone can send."""
    # 1. A record nobody has created yet.
    if held is None:
        return _decide_create(rules, edit)
    base = edit.base if edit.base is not None and edit.base <= held.rev else None
    edit = replace(edit, base=base)
    # 2. Deleting: an edit the person hasn't seen wins over the delete, and a person is asked.
    if edit.op == "delete":
        return _decide_delete(held, edit, past)
    # 3. Editing, field by field; then the record as a whole must still be valid.
    decision = _decide_fields(rules, held, edit, past)
    if decision.outcome != "refused":
        decision = _valid_as_a_whole(rules, held, edit, past, decision)
    # 4. An edit of a deleted record revives it and asks.
    if held.deleted and decision.outcome != "refused":
        contested = {**decision.contested, DELETED: Contest(base=False, held=False, arriving=True)}
        return replace(decision, outcome="conflicted", deleted=False, contested=contested)
    return decision


def _decide_create(rules: Rules, edit: Edit) -> Decision:
    if edit.op != "create":
        return Decision("refused", problem="not_found")
    if errors := rules.faults(edit.fields):
        return Decision("refused", problem="invalid", errors=errors)
    return Decision("applied", fields=edit.fields)


def _decide_delete(held: Held, edit: Edit, past: Past) -> Decision:
    if held.deleted:
        return Decision("refused", problem="already_deleted")
    if crosses(held, edit, past):
        return Decision("conflicted", contested={DELETED: Contest(base=False, held=False, arriving=True)})
    return Decision("applied", deleted=True)


def crosses(held: Held, edit: Edit, past: Past) -> bool:
    """Has anybody else written the record since this person looked at it?"""
    if edit.base is None:
        return edit.seen is None or any(held.fields.get(k) != v for k, v in edit.seen.items())
    return bool(past.outside(edit.base, past.chain(edit.after)))


def _decide_fields(rules: Rules, held: Held, edit: Edit, past: Past) -> Decision:
    values: Fields = {}
    contested: dict[str, Contest] = {}
    settled_by_rule = False
    for name, arriving in edit.fields.items():
        policy, value = rules.policies[name], held.fields.get(name)
        if value == arriving:
            continue
        fork = _fork_of(name, held, edit, past)
        if fork and _superseded(name, edit, past):
            continue
        result = policy.settle(fork) if fork else policy.take(value, arriving)
        settled_by_rule = settled_by_rule or fork is not None
        if isinstance(result, Refusal):
            return Decision("refused", problem=result.code, errors=[{"pointer": f"/fields/{name}"}])
        if result is CONTESTED:
            contested[name] = Contest(fork.base if fork else None, value, arriving)
        elif result != value:
            values[name] = result  # type: ignore[assignment]
    if contested:
        return Decision("conflicted", fields=values, contested=contested)
    return Decision("merged" if settled_by_rule else "applied", fields=values)


def _fork_of(name: str, held: Held, edit: Edit, past: Past) -> Fork | None:
    """The fork of a contested field; None when nobody else changed it since the person looked."""
    value, arriving = held.fields.get(name), edit.fields[name]
    chain = past.chain(edit.after)
    built, base = past.built_on(name, chain)
    if edit.base is None:
        # Without a base, values decide: contested when the held one is neither the seen nor the arriving one.
        lost = not built and edit.past_lost
        if not built and edit.seen is not None:
            built, base = True, edit.seen.get(name)
        return None if built and base == value else Fork(value, arriving, base, base_known=built, past_lost=lost)
    if held.field_revs.get(name, 1) <= edit.base:
        return None
    if not any(name in row.fields for row in past.outside(edit.base, chain)):
        return None
    base = base if built else past.value_at(name, edit.base, held)
    return Fork(value, arriving, base, readded=past.readded(name, edit.base, chain))


def _superseded(name: str, edit: Edit, past: Past) -> bool:
    """A create reaching a record that was made from what others had seen of it (after a restore): whoever
    changed the field since had seen this very value, so there is nothing to ask."""
    return edit.op == "create" and any(
        edit.fields[name] == row.was.get(name) for row in past.written if name in row.fields and row.rev > 1
    )


def _valid_as_a_whole(rules: Rules, held: Held, edit: Edit, past: Past, decision: Decision) -> Decision:
    """A merge whose result is no valid record becomes a conflict; an edit that is wrong by itself is refused."""
    errors = rules.faults({**held.fields, **decision.fields})
    if not errors:
        return decision
    before = looked_at(held, edit, past)
    meant = {name: rules.policies[name].take(before.get(name), value) for name, value in edit.fields.items()}
    alone: Fields = {**before, **{n: v for n, v in meant.items() if not isinstance(v, Refusal | Contested)}}
    if not crosses(held, edit, past) or rules.faults(alone):
        return Decision("refused", problem="invalid", errors=errors)
    contested = {
        name: Contest(before.get(name), held.fields.get(name), arriving)
        for name, arriving in edit.fields.items()
        if held.fields.get(name) != arriving
    }
    return Decision("conflicted", contested=contested)


def looked_at(held: Held, edit: Edit, past: Past) -> Fields:
    """The record as the person had it before them."""
    chain = past.chain(edit.after)
    return {name: _looked_at(name, held, edit, past, chain) for name in held.fields}


def _looked_at(name: str, held: Held, edit: Edit, past: Past, chain: list[UUID]) -> JsonValue:
    """The field as the person had it before them."""
    built, value = past.built_on(name, chain)
    if built:
        return value
    if edit.base is None:
        return (edit.seen or held.fields).get(name)
    return past.value_at(name, edit.base, held)


def _members(value: JsonValue) -> set[JsonValue]:
    return set(value) if isinstance(value, list) else set()
