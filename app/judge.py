"""Step 5 of the write path: each mutation is judged alone and in order, in memory.

`judge` asks the rules in sync/ what becomes of a mutation and changes the loaded records
accordingly. It reads no database; what it changes becomes dirty and is written afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import JsonValue

from app.access import Access, Verdict
from app.areas import placed
from app.collections import COLLECTIONS
from app.incoming import Arrived
from app.problems import Problem
from app.working import CONFLICTS, Record, Working, as_uuid
from sync import conflict as conflicts
from sync.decide import DELETED, Contest, Decision, Edit, Held, Sent, Written, decide
from sync.wire import Fields, Mutation, Outcome


@dataclass(frozen=True)
class Bench:
    """What a judge has at hand: the working set, the person's access, the epoch and the time."""

    working: Working
    access: Access
    person: UUID | None
    epoch: str
    now: datetime
    plain: set[UUID]
    """Collects the mutations of which the history has every word."""


class Refused(Exception):
    """This one mutation is refused; the others go on."""

    def __init__(self, code: str, errors: Sequence[Fields] = (), **details: JsonValue) -> None:
        super().__init__(code)
        self.problem = Problem(code, errors=errors, **details)


def judge(bench: Bench, arrived: Arrived) -> Outcome:
    """The outcome of one mutation, its effect already in the working set."""
    try:
        mutation = _well_formed(bench, arrived)
        if mutation.collection == CONFLICTS and mutation.op == "update":
            return _resolve(bench, mutation)
        return _judge_record(bench, mutation)
    except Refused as refused:
        if arrived.mutation and arrived.mutation.op == "create":
            bench.working.refused_creates.add((arrived.mutation.collection, arrived.mutation.record))
        body = refused.problem.as_body()
        return Outcome(id=arrived.sent_id, outcome="refused", problem=body)


def _well_formed(bench: Bench, arrived: Arrived) -> Mutation:
    """The mutation with its fields as they will be stored. Raises Refused."""
    if arrived.flaw or arrived.mutation is None:
        raise Refused(arrived.flaw or "mutation_invalid", arrived.errors)
    mutation = arrived.mutation
    if mutation.home not in (None, bench.working.home):
        raise Refused("wrong_home")
    collection = COLLECTIONS.get(mutation.collection)
    if collection is None:
        raise Refused("unknown_collection")
    if mutation.collection == CONFLICTS:
        if mutation.op != "update" or mutation.fields.keys() != {"resolution"}:
            raise Refused("mutation_invalid")
        return mutation
    if mutation.op == "delete":
        return mutation.model_copy(update={"fields": {}})
    fields, errors = collection.clean(mutation.op, mutation.fields)
    if errors:
        raise Refused(str(errors[0]["code"]), errors)
    return mutation.model_copy(update={"fields": fields})


def _judge_record(bench: Bench, mutation: Mutation) -> Outcome:
    working = bench.working
    record = working.record(mutation.collection, mutation.record)
    _recover(bench, mutation)
    verdict = _permitted(bench, record, mutation)
    edit = _edit_of(bench, mutation, record)
    if verdict == "grace" and record.held is not None:
        decision = _as_candidates(record, edit)
    else:
        decision = decide(record.collection.rules, record.held, edit, record.past)
    if decision.outcome == "refused":
        raise Refused(decision.problem or "invalid", decision.errors)
    _place(bench, record, mutation, decision)
    joined = _apply(bench, record, mutation, decision, edit)
    return Outcome(
        id=str(mutation.id),
        outcome=decision.outcome,
        rev=record.held.rev if record.held else None,
        conflicts=joined,
    )


def _permitted(bench: Bench, record: Record, mutation: Mutation) -> Verdict:
    """May this person write it? What one may not see does not exist. Raises Refused."""
    _require_references(bench, record, mutation)
    writers = record.collection.writers
    if record.held is not None:
        verdict = _verdict(bench, record, writers)
        if verdict == "no":
            raise Refused("id_taken" if mutation.op == "create" else "not_found")
        return verdict
    if mutation.op != "create":
        raise Refused("depends_on_refused" if record.key in bench.working.refused_creates else "not_found")
    verdict = bench.access.may_write(_feeds_above(bench, record, mutation), (), writers)
    if verdict == "no":
        raise Refused("reference_not_found")
    return verdict


def _verdict(bench: Bench, record: Record, writers: frozenset[str]) -> Verdict:
    """Access follows the feeds of the record the server holds, never what a phone claims."""
    feed = bench.working.feed_of(record)
    listed = {feed} if feed else set(record.live_feeds)
    departed = {entry.feed_id for entry in record.entries} - listed
    return bench.access.may_write(listed, departed, writers)


def _feeds_above(bench: Bench, record: Record, mutation: Mutation) -> list[int]:
    """The feed a new record would be listed in; for a new area, its parent's."""
    working, collection = bench.working, record.collection
    parent = working.parent_named(collection, mutation.fields)
    area_id = as_uuid(mutation.fields.get(collection.lists_in))
    area = working.area_of(parent) if parent else working.areas.get(area_id) if area_id else None
    owner = area.owner(collection.audience) if area else None
    feed = working.feeds.get((owner[1], collection.audience)) if owner else None
    if area is not None and feed is None and collection.audience == "staff":
        raise Refused("area_without_feed")
    return [feed] if feed else []


def _require_references(bench: Bench, record: Record, mutation: Mutation) -> None:
    """Everything the fields refer to exists in this home and may be written to by this person."""
    working = bench.working
    for name, referred in record.collection.references.items():
        id = as_uuid(mutation.fields.get(name))
        if id is None:
            continue
        if referred == "areas":
            _require_area(bench, record, id)
            continue
        parent = working.find(referred, id)
        if parent is None:
            missing = (referred, id) in working.refused_creates
            raise Refused(
                "depends_on_refused" if missing else "reference_not_found", [{"pointer": f"/fields/{name}"}]
            )
        if _verdict(bench, parent, record.collection.writers) == "no":
            raise Refused("reference_not_found", [{"pointer": f"/fields/{name}"}])


def _require_area(bench: Bench, record: Record, id: UUID) -> None:
    area = bench.working.areas.get(id)
    is_tree = record.collection.name == "areas"
    if area is None or not (
        is_tree or area.home == bench.working.home or record.collection.audience == "reference"
    ):
        raise Refused("reference_not_found")
    owner = area.owner(record.collection.audience)
    if owner is None:
        raise Refused("area_without_feed")
    feed = bench.working.feeds.get((owner[1], record.collection.audience))
    if bench.access.may_write([feed] if feed else [], (), record.collection.writers) == "no":
        raise Refused("reference_not_found")


def _edit_of(bench: Bench, mutation: Mutation, record: Record) -> Edit:
    known = mutation.seen is None or mutation.epoch == bench.epoch
    return Edit(
        mutation.id,
        mutation.op,
        mutation.base if known else None,
        mutation.fields,
        mutation.after,
        None if known else _seen_fields(mutation, record),
    )


def _seen_fields(mutation: Mutation, record: Record) -> Fields | None:
    for seen in mutation.seen or ():
        if (seen.collection, seen.record) == record.key:
            return record.collection.clean("create", seen.fields)[0]
    return None


def _recover(bench: Bench, mutation: Mutation) -> None:
    """After a restore: what is missing is made from what the person saw, under the same access checks."""
    waiting = [s for s in mutation.seen or () if s.collection in COLLECTIONS and s.collection != CONFLICTS]
    for _ in range(2):  # a record and what decides its listing: parents may come second
        for seen in waiting:
            record = bench.working.record(seen.collection, seen.record)
            if record.held is None and seen.home == bench.working.home:
                _recover_one(bench, mutation, record, seen.fields)


def _recover_one(bench: Bench, mutation: Mutation, record: Record, seen: Fields) -> None:
    fields, errors = record.collection.clean("create", seen)
    pretended = mutation.model_copy(update={"op": "create", "fields": fields})
    try:
        if errors or record.collection.rules.faults(fields):
            return
        _permitted(bench, record, pretended)
    except Refused:
        return
    decision = Decision("applied", fields=fields)
    _place(bench, record, pretended, decision)
    _write(bench, record, decision, mutation.id, op="recover")
    bench.working.refused_creates.discard(record.key)


def _as_candidates(record: Record, edit: Edit) -> Decision:
    """Under grace nothing is written: each differing value waits for whoever has the area now."""
    held = record.fields
    if edit.op == "delete":
        contested = {DELETED: Contest(base=False, held=False, arriving=True)}
    else:
        arriving = {n: as_whole(record, n, v) for n, v in edit.fields.items()}
        contested = {n: Contest(None, held.get(n), v) for n, v in arriving.items() if held.get(n) != v}
    return Decision("conflicted" if contested else "applied", contested=contested)


def as_whole(record: Record, name: str, value: JsonValue) -> JsonValue:
    """A delta as the value it would give; anything else as it is."""
    policy = record.collection.rules.policies[name]
    if isinstance(value, dict) and policy.name in ("union", "total"):
        taken: Any = policy.take(record.fields.get(name), value)
        return taken  # type: ignore[no-any-return]
    return value


def _place(bench: Bench, record: Record, mutation: Mutation, decision: Decision) -> None:
    """A new area takes its place in the tree, before anything can list in it."""
    if record.collection.name != "areas" or record.held is not None:
        return
    parent = as_uuid(mutation.fields.get("parent_id"))
    area = placed(record.id, mutation.fields, bench.working.areas.get(parent) if parent else None)
    if area.home != bench.working.home:
        raise Refused("wrong_home")
    bench.working.areas[record.id] = area
    record.own = area.columns()
    decision.fields.update(feed_level=area.feed_level, home_level=area.home_level)


def _apply(
    bench: Bench,
    record: Record,
    mutation: Mutation,
    decision: Decision,
    edit: Edit,
    *,
    resolves: Record | None = None,
) -> list[UUID]:
    """Writes the decision into the record, its past and its conflicts; the conflicts opened or joined."""
    revives = decision.deleted is False and record.held is not None and record.held.deleted
    deleter = next((row for row in reversed(record.past.written) if row.deleted), None)
    if decision.writes:
        op: Literal["create", "update", "delete", "revive"] = "create" if record.held is None else "update"
        op = "delete" if decision.deleted else "revive" if revives else op
        _write(bench, record, decision, mutation.id, op=op)
        bench.working.refused_creates.discard(record.key)
    plain = decision.outcome == "applied" and edit.fields.keys() <= decision.fields.keys()
    if plain:
        bench.plain.add(mutation.id)
    rev = record.held.rev if record.held else None
    record.past.sent[mutation.id] = Sent(edit.after, rev, None if plain else edit.fields)
    chain = record.past.chain(edit.after)
    _follow_conflicts(bench, record, decision, mutation.id, but=resolves)
    joined = []
    for name, contest in decision.contested.items():
        by, source = bench.person, mutation.id
        if name == DELETED and revives and deleter:
            by, source = deleter.person, deleter.mutation
        value = contest.arriving if name == DELETED else as_whole(record, name, contest.arriving)
        joined.append(
            _contest(bench, record, name, replace(contest, arriving=value), by, source, chain, mutation.id)
        )
    return joined


def _write(bench: Bench, record: Record, decision: Decision, mutation: UUID, op: str) -> None:
    """The record's next rev, with its row of history."""
    held = record.held or Held(0, {}, {})
    rev = held.rev + 1
    was = {n: held.fields.get(n) for n in decision.fields} if record.held else {}
    revs = {**held.field_revs, **{n: rev for n in decision.fields if record.held}}
    deleted = held.deleted if decision.deleted is None else decision.deleted
    record.held = Held(rev, {**held.fields, **decision.fields}, revs, deleted)
    record.dirty = True
    record.past.written.append(Written(rev, mutation, decision.fields, was, decision.deleted, bench.person))
    record.history.append(
        {"rev": rev, "mutation_id": mutation, "person_id": bench.person, "at": bench.now, "op": op}
        | {"fields": decision.fields, "was": was}
    )


def _contest(
    bench: Bench,
    record: Record,
    name: str,
    contest: Contest,
    by: UUID | None,
    source: UUID,
    chain: list[UUID],
    mutation: UUID,
) -> UUID:
    """Opens or joins the conflict of one field."""
    conflict = bench.working.open_conflict(record, name)
    if conflict is None:
        conflict = bench.working.record(CONFLICTS, conflicts.conflict_id(mutation, name))
        fields = conflicts.opened(record.collection.name, record.id, name, contest)
    else:
        fields = conflict.fields
    rev = conflict.held.rev + 1 if conflict.held else 1
    fields = conflicts.joined(fields, contest.arriving, by=by, mutation=source, rev=rev, chain=chain)
    change_conflict(bench, conflict, fields, mutation)
    return conflict.id


def change_conflict(bench: Bench, conflict: Record, fields: Fields, mutation: UUID) -> None:
    """A conflict's next rev, where anything differs."""
    changed = {n: v for n, v in fields.items() if conflict.held is None or conflict.fields.get(n) != v}
    if changed:
        op = "create" if conflict.held is None else "update"
        _write(bench, conflict, Decision("applied", fields=changed), mutation, op)


def _follow_conflicts(
    bench: Bench, record: Record, decision: Decision, mutation: UUID, but: Record | None
) -> None:
    """While a conflict is open, its `held` follows the record."""
    values = dict(decision.fields)
    if decision.deleted is not None:
        values[DELETED] = decision.deleted
    for name, value in values.items():
        conflict = bench.working.open_conflict(record, name)
        if conflict is not None and conflict is not but:
            change_conflict(bench, conflict, conflicts.following(conflict.fields, value), mutation)


def _resolve(bench: Bench, mutation: Mutation) -> Outcome:
    """A resolution writes the target in the same transaction, judged as an edit of that field would be."""
    conflict, target, name, edit = _resolution_of(bench, mutation)
    verdict = _verdict(bench, target, target.collection.writers)
    if verdict == "no":
        raise Refused("not_found")
    if conflict and conflict.fields["state"] == "closed":
        raise Refused("already_resolved", resolved_by=conflict.fields["resolved_by"])
    if verdict == "grace":
        decision = _as_candidates(target, edit)
    elif name == DELETED and edit.op == "update":
        decision = Decision("applied", deleted=False if target.held and target.held.deleted else None)
    else:
        decision = decide(target.collection.rules, target.held, edit, target.past)
    if decision.outcome == "refused":
        raise Refused(decision.problem or "invalid", decision.errors)
    joined = _apply(bench, target, mutation, decision, edit, resolves=conflict)
    if conflict and name not in decision.contested:
        held: JsonValue = (
            bool(target.held and target.held.deleted) if name == DELETED else target.fields.get(name)
        )
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
    _recover(bench, mutation)
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
    seen = None if known else _seen_fields(mutation, target)
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
