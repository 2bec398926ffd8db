"""Resolving a conflict: the target is written in the same transaction, judged as an edit of that field."""

from typing import Literal

from pydantic import JsonValue

from app.access import Verdict
from app.batch import NOBODY
from app.bench import Bench, Refused, require_kept, require_references, require_seen, verdict_on
from app.effects import apply, as_whole, change_conflict
from app.fields import as_delta, as_uuid
from app.recover import base_is_known, recover, seen_fields
from app.working import CONFLICTS, Record, seen_conflict
from sync import conflict as conflicts
from sync.decide import DELETED, Contest, Decision, Edit, decide
from sync.wire import Fields, Mutation, Outcome


def resolve(bench: Bench, mutation: Mutation) -> Outcome:
    """A resolution writes the target in the same transaction, judged as an edit of that field would be."""
    conflict, target, name, edit = _resolution_of(bench, mutation)
    chosen = edit.op == "delete" if name == DELETED else as_whole(target, name, edit.fields[name])
    verdict = verdict_on(bench, target, target.collection.roles(edit.op))
    if conflict and conflict.fields["state"] == "closed":
        raise Refused("already_resolved", resolved_by=conflict.fields["resolved_by"])
    if verdict == "no":
        raise Refused("not_permitted")  # to delete it, which not all do who change it
    require_seen(bench, target, edit.op, edit.fields)
    onto = require_references(bench, target, edit.fields)
    decision = _decision_on(bench, target, name, edit, chosen, "grace" if onto == "grace" else verdict)
    if decision.outcome == "refused":
        raise Refused(decision.problem or "invalid", decision.errors)
    joined = apply(bench, target, mutation, decision, edit, resolves=conflict)
    if conflict and name not in decision.contested:
        held: JsonValue = bool(target.held and target.held.deleted) if name == DELETED else target.fields.get(name)
        by = bench.person or NOBODY
        seen_rev = mutation.base if base_is_known(bench, mutation) else 0
        fields = conflicts.resolved(conflict.fields, held, by, seen_rev)
        change_conflict(bench, conflict, fields, mutation.id)
    rev = conflict.held.rev if conflict and conflict.held else None
    return Outcome(id=str(mutation.id), outcome=decision.outcome, rev=rev, conflicts=joined)


def _decision_on(bench: Bench, target: Record, name: str, edit: Edit, chosen: JsonValue, verdict: Verdict) -> Decision:
    """As an edit of the field would be decided; under grace the choice waits as a candidate, whatever it is."""
    deleted = bool(target.held and target.held.deleted)
    if verdict == "grace":
        held = deleted if name == DELETED else target.fields.get(name)
        return Decision("conflicted", contested={name: Contest(None, held, chosen)})
    if name != DELETED or (edit.op == "delete" and not deleted):
        return decide(target.collection.rules, target.held, edit, target.past)
    if edit.op == "delete" or not deleted:
        return Decision("applied")
    # Keeping what somebody deleted meanwhile: whoever chose hadn't seen that.
    chain = target.past.chain(edit.after)
    if edit.base is None or any(row.deleted for row in target.past.outside(edit.base, chain)):
        return Decision("conflicted", contested={DELETED: Contest(base=False, held=True, arriving=False)})
    return Decision("applied", deleted=False)


def _resolution_of(bench: Bench, mutation: Mutation) -> tuple[Record | None, Record, str, Edit]:
    """The conflict (None where a restore lost it), the record it is of, the field, and the edit it amounts to."""
    conflict = bench.working.find(CONFLICTS, mutation.record)
    fields = conflict.fields if conflict else seen_conflict(mutation)
    said = mutation.fields["resolution"]
    if fields is None:
        raise Refused("not_found")
    base = said.get("base") if isinstance(said, dict) else None
    if conflict and _is_foreign(bench, conflict):
        raise Refused("not_found")
    if not isinstance(said, dict) or "value" not in said or not isinstance(base, int) or isinstance(base, bool):
        raise Refused("mutation_invalid", [{"pointer": "/fields/resolution"}])
    recover(bench, mutation)
    of = as_uuid(fields["of_record"])
    target = bench.working.find(str(fields["of_collection"]), of) if of else None
    if target is None:
        raise Refused("not_found")
    name, value = str(fields["field"]), said["value"]
    # Of what was merged nothing is open; only a restored server meets such a resolution, and its base means nothing.
    named, target = target, bench.working.survivor(target)
    if verdict_on(bench, target, target.collection.writers) == "no":
        # Before what was chosen is looked at: that tells whether there is such a record.
        raise Refused("not_found")
    require_kept(bench, target)
    known, after = base_is_known(bench, mutation) and named is target, as_uuid(said.get("after"))
    if name == DELETED:
        if not isinstance(value, bool):
            raise Refused("mutation_invalid", [{"pointer": "/fields/resolution/value"}])
        op: Literal["update", "delete"] = "delete" if value else "update"
        values: Fields = {}
    else:
        op, values = "update", bench.working.led(target.collection, {name: _chosen(target, name, value)})
    seen = None if known else seen_fields(mutation, named)
    lost = not base_is_known(bench, mutation)
    edit = Edit(mutation.id, op, base if known else None, values, after, seen, past_lost=lost)
    return conflict, target, name, edit


def _is_foreign(bench: Bench, conflict: Record) -> bool:
    """Looked at before what was chosen, which is told to be wrong only of what one may settle."""
    of = as_uuid(conflict.fields["of_record"])
    target = bench.working.find(str(conflict.fields["of_collection"]), of) if of else None
    return target is not None and verdict_on(bench, conflict, target.collection.writers) == "no"


def _chosen(target: Record, name: str, value: JsonValue) -> JsonValue:
    """The chosen value as an edit of the field says it: for a set, what to add and what to remove."""
    spec = target.collection.fields.get(name)
    if spec is None:
        raise Refused("unknown_field")
    clean, errors = target.collection.clean_value(name, value)
    if errors:
        raise Refused(str(errors[0]["code"]), errors)
    return as_delta(spec, target.fields.get(name), clean)
