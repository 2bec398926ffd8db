"""Resolving a conflict: the target is written in the same transaction, judged as an edit of that field."""

from typing import Literal
from uuid import UUID

from pydantic import JsonValue

from app.bench import Bench, Refused, verdict_on
from app.effects import apply, as_candidates, change_conflict
from app.recover import recover, seen_fields
from app.working import CONFLICTS, Record, as_uuid
from sync import conflict as conflicts
from sync.decide import DELETED, Decision, Edit, decide
from sync.wire import Fields, Mutation, Outcome


def resolve(bench: Bench, mutation: Mutation) -> Outcome:
    """A resolution writes the target in the same transaction, judged as an edit of that field would be."""
    conflict, target, name, edit = _resolution_of(bench, mutation)
    verdict = verdict_on(bench, target, target.collection.writers)
    if verdict == "no":
        raise Refused("not_found")
    if conflict and conflict.fields["state"] == "closed":
        raise Refused("already_resolved", resolved_by=conflict.fields["resolved_by"])
    if verdict == "grace":
        decision = as_candidates(target, edit)
    elif name == DELETED and edit.op == "update":
        decision = Decision("applied", deleted=False if target.held and target.held.deleted else None)
    else:
        decision = decide(target.collection.rules, target.held, edit, target.past)
    if decision.outcome == "refused":
        raise Refused(decision.problem or "invalid", decision.errors)
    joined = apply(bench, target, mutation, decision, edit, resolves=conflict)
    if conflict and name not in decision.contested:
        held: JsonValue = bool(target.held and target.held.deleted) if name == DELETED else target.fields.get(name)
        known = mutation.seen is None or mutation.epoch == bench.epoch
        by = bench.person or UUID(int=0)
        fields = conflicts.resolved(conflict.fields, held, by, mutation.base if known else 0)
        change_conflict(bench, conflict, fields, mutation.id)
    rev = conflict.held.rev if conflict and conflict.held else None
    return Outcome(id=str(mutation.id), outcome=decision.outcome, rev=rev, conflicts=joined)


def _resolution_of(bench: Bench, mutation: Mutation) -> tuple[Record | None, Record, str, Edit]:
    """The conflict (None where a restore lost it), the record it is of, the field, and the edit it amounts to."""
    conflict = bench.working.find(CONFLICTS, mutation.record)
    fields = conflict.fields if conflict else _seen_conflict(mutation)
    said = mutation.fields["resolution"]
    if fields is None:
        raise Refused("not_found")
    if not isinstance(said, dict) or "value" not in said or not isinstance(said.get("base"), int):
        raise Refused("mutation_invalid", [{"pointer": "/fields/resolution"}])
    recover(bench, mutation)
    target = bench.working.find(str(fields["of_collection"]), UUID(str(fields["of_record"])))
    if target is None:
        raise Refused("not_found")
    name, value = str(fields["field"]), said["value"]
    known = mutation.seen is None or mutation.epoch == bench.epoch
    base, after = int(str(said["base"])), as_uuid(said.get("after"))
    if name == DELETED:
        if not isinstance(value, bool):
            raise Refused("mutation_invalid", [{"pointer": "/fields/resolution/value"}])
        op: Literal["update", "delete"] = "delete" if value else "update"
        values: Fields = {}
    else:
        op, values = "update", {name: _chosen(target, name, value)}
    seen = None if known else seen_fields(mutation, target)
    return conflict, target, name, Edit(mutation.id, op, base if known else None, values, after, seen)


def _seen_conflict(mutation: Mutation) -> Fields | None:
    for seen in mutation.seen or ():
        named = {"of_collection", "of_record", "field"} <= seen.fields.keys()
        if (seen.collection, seen.record) == (CONFLICTS, mutation.record) and named:
            return seen.fields
    return None


def _chosen(target: Record, name: str, value: JsonValue) -> JsonValue:
    """The chosen value as an edit of the field says it: for a set, what to add and what to remove."""
    spec = target.collection.fields.get(name)
    if spec is None:
        raise Refused("unknown_field")
    clean, errors = target.collection.clean_value(name, value)
    if errors:
        raise Refused(str(errors[0]["code"]), errors)
    held = target.fields.get(name)
    if spec.policy.name == "union" and isinstance(clean, list):
        present = held if isinstance(held, list) else []
        return {
            "add": [m for m in clean if m not in present],
            "remove": [m for m in present if m not in clean],
        }
    return clean
