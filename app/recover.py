"""After a restore: what the server lost is made again from what people saw before their edits."""

from app.bench import Bench, Refused, permitted, require_retained
from app.collections import COLLECTIONS
from app.effects import fill_in, place_area, write
from app.working import CONFLICTS, Record
from sync.decide import Decision, Edit, looked_at
from sync.wire import Fields, Mutation


def recover(bench: Bench, mutation: Mutation) -> None:
    """After a restore: what is missing is made from what the person saw, under the same access checks.

    Raises Refused: erased, of what would have to be made for a campaign whose retention has ended.
    """
    waiting = [s for s in mutation.seen or () if s.collection in COLLECTIONS and s.collection != CONFLICTS]
    for _ in range(2):  # a record and what decides its listing: parents may come second
        for seen in waiting:
            record = bench.working.record(seen.collection, seen.record)
            if record.held is None and seen.home == bench.working.home:
                _recover_one(bench, mutation, record, seen.fields)


def _recover_one(bench: Bench, mutation: Mutation, record: Record, seen: Fields) -> None:
    fields, errors = record.collection.clean("create", seen)
    fields = bench.working.led(record.collection, fields)
    try:
        if errors or record.collection.rules.faults(fields):
            return
        permitted(bench, record, "create", fields)
        require_retained(bench, record, fields)
    except Refused as refused:
        if refused.problem.code == "erased" and COLLECTIONS[mutation.collection].erased_with:
            raise
        return
    decision = Decision("applied", fields=fields)
    # When it was, its writer's own clock would tell; this one only tells when it was seen.
    fill_in(bench, record, decision, lambda said: bench.days(None, mutation))
    place_area(bench, record, decision)
    write(bench, record, decision, mutation.id, op="recover")
    bench.working.refused_creates.discard(record.key)


def give_back(bench: Bench, record: Record) -> None:
    """Their create arrived: what was made again from another's words is its writer's, and counts in their log.

    Only the first who says so after that is believed: nobody else ever created it.
    """
    made = next((row for row in record.past.written if row.recovered), None)
    if made and record.stamps.get("created_by") == made.person != bench.person:
        record.stamps["created_by"] = bench.person
        record.given_back = True


def base_is_known(bench: Bench, mutation: Mutation) -> bool:
    """Does the base count in this server's epoch? `seen` without an epoch says that nobody knows."""
    return mutation.epoch == bench.epoch or (mutation.epoch is None and mutation.seen is None)


def edit_of(bench: Bench, mutation: Mutation, fields: Fields, record: Record) -> Edit:
    """The mutation as decide sees it; `seen` stands in where its base means nothing here."""
    known = base_is_known(bench, mutation)
    if record.key in bench.working.aliases and mutation.op != "delete":
        return _led(bench, mutation, fields, record)
    return Edit(
        mutation.id,
        mutation.op,
        mutation.base if known else None,
        fields,
        mutation.after,
        None if known else seen_fields(mutation, record),
        past_lost=not known,
    )


def _led(bench: Bench, mutation: Mutation, fields: Fields, alias: Record) -> Edit:
    """The edit of a record that was merged, as one of the record that stayed: judged by what its person had seen.

    Of a create, which meets it only after a restore, what the record held before it was merged is no news.
    """
    assert alias.held is not None
    seen: Fields | None = {}
    lost = mutation.op != "create" and not base_is_known(bench, mutation)
    if mutation.op == "create":
        rows = alias.past.written
        fields = {n: v for n, v in fields.items() if not any(v in (r.fields.get(n), r.was.get(n)) for r in rows)}
    elif not lost:
        seen = looked_at(alias.held, Edit(mutation.id, "update", mutation.base, {}, mutation.after), alias.past)
    else:
        seen = seen_fields(mutation, alias)
    return Edit(mutation.id, "update", None, fields, mutation.after, seen, past_lost=lost)


def seen_fields(mutation: Mutation, record: Record) -> Fields | None:
    """The record as its person saw it before the edit; None where they didn't say.

    Of what the server gives they had seen nothing if they don't tell: it was their own, unsent.
    """
    for seen in mutation.seen or ():
        if (seen.collection, seen.record) == record.key:
            untold = record.collection.given - seen.fields.keys()
            clean, _ = record.collection.clean("create", seen.fields)
            return {name: value for name, value in clean.items() if name not in untold}
    return None
