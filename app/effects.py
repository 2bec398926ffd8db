"""What a decision does to the working set: the record's next rev, its history, its conflicts."""

from dataclasses import replace
from typing import Any, Literal
from uuid import UUID

from pydantic import JsonValue

from app.areas import placed
from app.bench import Bench, Refused
from app.fields import as_uuid
from app.rules import DayOf
from app.working import AREAS, CONFLICTS, PARENTS, Record
from sync import conflict as conflicts
from sync.decide import DELETED, Contest, Decision, Edit, Held, Sent, Written
from sync.merge import Refusal
from sync.wire import Fields, Mutation


def fill_in(bench: Bench, record: Record, decision: Decision, day_of: DayOf) -> None:
    """A new record gets what the server gives."""
    if record.held is None and decision.writes:
        decision.fields.update(record.collection.gives(decision.fields, day_of, bench.today))


def place_area(bench: Bench, record: Record, decision: Decision) -> None:
    """A new area takes its place in the tree, before anything can list in it; any other record is left alone."""
    if record.collection.name != AREAS or record.held is not None:
        return
    if record.id in bench.working.areas:
        raise Refused("id_taken")
    parent = as_uuid(decision.fields.get("parent_id"))
    area = placed(record.id, decision.fields, bench.working.areas.get(parent) if parent else None)
    if area.home != bench.working.home:
        raise Refused("wrong_home")
    bench.working.areas[record.id] = area
    record.own = area.columns()
    decision.fields.update(feed_level=area.feed_level, home_level=area.home_level)


def apply(
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
    deleter = next((row for row in reversed(record.past.written) if row.deleted), None) if revives else None
    if decision.writes:
        op: Literal["create", "update", "delete", "revive"] = "create" if record.held is None else "update"
        op = "delete" if decision.deleted else "revive" if revives else op
        write(bench, record, decision, mutation.id, op=op)
        bench.working.refused_creates.discard(record.key)
    plain = decision.outcome == "applied" and edit.fields.keys() <= decision.fields.keys()
    if plain:
        bench.plain.add(mutation.id)
    rev = record.held.rev if record.held else None
    record.past.sent[mutation.id] = Sent(edit.after, rev, None if plain else edit.fields)
    chain = record.past.chain(edit.after)
    follow_conflicts(bench, record, decision, mutation.id, but=resolves)
    joined = []
    for name, contest in decision.contested.items():
        by, source = bench.person, mutation.id
        if name == DELETED and deleter:
            by, source = deleter.person, deleter.mutation
        value = contest.arriving if name == DELETED else as_whole(record, name, contest.arriving)
        joined.append(ask_about(bench, record, name, replace(contest, arriving=value), by, source, chain, mutation.id))
    return joined


def write(bench: Bench, record: Record, decision: Decision, mutation: UUID, op: str) -> None:
    """The record's next rev, with its row of history."""
    held = record.held or Held(0, {}, {})
    rev = held.rev + 1
    was = {n: held.fields.get(n) for n in decision.fields} if record.held else {}
    revs = {**held.field_revs, **{n: rev for n in decision.fields if record.held}}
    deleted = held.deleted if decision.deleted is None else decision.deleted
    record.held = Held(rev, {**held.fields, **decision.fields}, revs, deleted)
    record.dirty = True
    record.place = None
    if record.collection.lists_in in decision.fields and (rev > 1 or record.collection.name in PARENTS):
        bench.working.moves += 1
    written = Written(rev, mutation, decision.fields, was, decision.deleted, bench.person, op == "recover")
    record.past.written.append(written)
    record.history.append(
        {"rev": rev, "mutation_id": mutation, "person_id": bench.person, "at": bench.now, "op": op}
        | {"fields": decision.fields, "was": was}
    )


def ask_about(
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
        write(bench, conflict, Decision("applied", fields=changed), mutation, op)
        bench.working.note_conflict(conflict)


def follow_conflicts(bench: Bench, record: Record, decision: Decision, mutation: UUID, but: Record | None) -> None:
    """While a conflict is open, its `held` follows the record."""
    if not bench.working.open_conflicts:
        return
    values = dict(decision.fields)
    if decision.deleted is not None:
        values[DELETED] = decision.deleted
    for name, value in values.items():
        conflict = bench.working.open_conflict(record, name)
        if conflict is not None and conflict is not but:
            change_conflict(bench, conflict, conflicts.following(conflict.fields, value), mutation)


def as_whole(record: Record, name: str, value: JsonValue) -> JsonValue:
    """A delta as the value it would give; anything else as it is."""
    policy = record.collection.rules.policies[name]
    if isinstance(value, dict) and policy.name in ("union", "total"):
        taken: Any = policy.take(record.fields.get(name), value)
        return taken  # type: ignore[no-any-return]
    return value


def as_candidates(record: Record, edit: Edit) -> Decision:
    """Under grace nothing is written: each differing value waits for whoever has the area now."""
    if edit.op == "delete":
        if record.held and record.held.deleted:
            return Decision("refused", problem="already_deleted")
        return Decision("conflicted", contested={DELETED: Contest(base=False, held=False, arriving=True)})
    contested: dict[str, Contest] = {}
    for name, arriving in edit.fields.items():
        held = record.fields.get(name)
        taken = record.collection.rules.policies[name].take(held, arriving)
        if isinstance(taken, Refusal):
            return Decision("refused", problem=taken.code, errors=[{"pointer": f"/fields/{name}"}])
        value = as_whole(record, name, arriving)
        if value != held:
            contested[name] = Contest(None, held, value)
    return Decision("conflicted" if contested else "applied", contested=contested)
