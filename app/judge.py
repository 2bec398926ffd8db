"""Step 5 of the write path: each mutation is judged alone and in order, in memory.

`judge` asks the rules in sync/ what becomes of a mutation and changes the loaded records
accordingly. It reads no database; what it changes becomes dirty and is written afterwards.
"""

from app.bench import Bench, Refused, permitted, require_kept, require_retained
from app.collections import COLLECTIONS
from app.effects import apply, as_candidates, fill_in, place_area
from app.fields import fault
from app.incoming import Arrived
from app.join import join
from app.recover import edit_of, give_back, recover
from app.resolve import resolve
from app.working import CONFLICTS, Record
from sync.decide import Decision, decide
from sync.wire import Fields, Mutation, Outcome


def judge(bench: Bench, arrived: Arrived) -> Outcome:
    """The outcome of one mutation, its effect already in the working set."""
    try:
        # Before anything is looked at that it says: of that nothing is told either.
        if record := _named(bench, arrived.mutation):
            require_kept(bench, record)
        if arrived.mutation and arrived.into:
            return join(bench, arrived.mutation, arrived.into)
        mutation, fields = _well_formed(bench, arrived)
        if mutation.collection == CONFLICTS and mutation.op == "update":
            return resolve(bench, mutation)
        return _judge_record(bench, mutation, fields)
    except Refused as refused:
        if arrived.mutation and arrived.mutation.op == "create":
            _note_refused_create(bench, arrived.mutation, refused.problem.code)
        body = refused.problem.as_body()
        return Outcome(id=arrived.sent_id, outcome="refused", problem=body)


def _named(bench: Bench, mutation: Mutation | None) -> Record | None:
    """The record that it is of, where somebody has created that here."""
    if mutation is None or mutation.home not in (None, bench.working.home):
        return None
    return bench.working.find(mutation.collection, mutation.record)


def _note_refused_create(bench: Bench, mutation: Mutation, code: str) -> None:
    key, working = (mutation.collection, mutation.record), bench.working
    if code != "erased":
        working.forgotten_creates.discard(key)
    elif key not in working.refused_creates:
        working.forgotten_creates.add(key)
    working.refused_creates.add(key)


def _well_formed(bench: Bench, arrived: Arrived) -> tuple[Mutation, Fields]:
    """The mutation, and its fields as they will be stored. Raises Refused."""
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
        return mutation, mutation.fields
    if mutation.op == "delete":
        return mutation, {}
    fields, errors = collection.clean(mutation.op, mutation.fields, arrived.spelled_fields)
    if errors:
        raise Refused(str(errors[0]["code"]), errors)
    if mutation.op == "create" and (named := sorted(collection.given & mutation.fields.keys())):
        raise Refused("server_gives", [fault(name, "server_gives") for name in named])
    return mutation, bench.working.led(collection, fields)


def _judge_record(bench: Bench, mutation: Mutation, fields: Fields) -> Outcome:
    working = bench.working
    named = working.record(mutation.collection, mutation.record)
    recover(bench, mutation)
    # Who deletes what was merged away wanted one record less, and there is.
    record = named if mutation.op == "delete" else working.survivor(named)
    if mutation.op == "create" and record.held is not None:
        # It reaches a record that is there: what it never spoke of stays as it is.
        fields = {name: value for name, value in fields.items() if name in mutation.fields}
    verdict = permitted(bench, record, mutation.op, fields)
    require_retained(bench, record, fields)
    edit = edit_of(bench, mutation, fields, named)
    if verdict == "grace" and record.held is not None:
        decision = as_candidates(record, edit)
    else:
        decision = decide(bench.rules_of(record), record.held, edit, record.past)
    if decision.outcome == "refused":
        raise Refused(_told(decision), decision.errors)
    fill_in(bench, record, decision, lambda said: bench.days(said, mutation))
    place_area(bench, record, decision)
    joined = apply(bench, record, mutation, decision, edit)
    if mutation.op == "create" and verdict == "yes" and record is named:
        give_back(bench, record)
    return Outcome(
        id=str(mutation.id),
        outcome=decision.outcome,
        rev=record.held.rev if record.held else None,
        conflicts=joined,
    )


def _told(decision: Decision) -> str:
    """Of what a collection's own rule finds wrong, which rule it is."""
    code = decision.problem or "invalid"
    return str(decision.errors[0].get("code", code)) if code == "invalid" and decision.errors else code
