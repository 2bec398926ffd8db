"""Two records turn out to be of one thing: one stays, the other becomes an alias that leads to it.

Nothing that either says is lost: see sync/join.py. What refers to the alias comes to refer to the one that stays, and
so does, from then on, whatever still arrives for it.
"""

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa
from pydantic import JsonValue

from app.bench import Bench, Refused, verdict_on
from app.collections.base import Collection
from app.database import Transaction
from app.effects import ask_about, change_conflict, follow_conflicts, write
from app.fields import MERGED_INTO, as_uuid
from app.problems import Problem
from app.working import Entry, Key, Record
from sync.conflict import candidates_of
from sync.decide import DELETED, Contest, Decision
from sync.join import decide_join
from sync.wire import Mutation, Outcome

MOST_REFERRING = 1000
"""Records that may refer to the one that is merged: each of them is written."""


async def referring(transaction: Transaction, home: UUID, collection: Collection, merged: Iterable[Key]) -> set[Key]:
    """What of a collection refers to records that are about to be merged: they are held, so that nothing more will.

    Raises merge_too_large.
    """
    found: set[Key] = set()
    for field, referred in collection.references.items():
        ids = [id for name, id in merged if name == referred]
        if ids:
            which = (collection.table.c.home == home, collection.table.c[field].in_(ids))
            rows = await transaction.rows(sa.select(collection.table.c.id).where(*which).limit(MOST_REFERRING + 1))
            found |= {(collection.name, row.id) for row in rows}
    if len(found) > MOST_REFERRING:
        raise Problem("merge_too_large", most_referring=MOST_REFERRING)
    return found


def join(bench: Bench, mutation: Mutation, into: UUID) -> Outcome:
    """The record becomes an alias of the one it is merged into. Raises Refused."""
    loser, survivor = (bench.working.record(mutation.collection, id) for id in (mutation.record, into))
    assert survivor.held is not None
    # Whoever joins two records answers for both, now: there is no grace for that.
    if any(verdict_on(bench, record, record.collection.writers) != "yes" for record in (loser, survivor)):
        raise Refused("not_permitted")
    decision = decide_join(loser.collection.rules, survivor.held, loser.fields)
    if decision.fields:
        write(bench, survivor, decision, mutation.id, op="update")
        follow_conflicts(bench, survivor, decision, mutation.id, but=None)
    asked = [
        ask_about(bench, survivor, name, contest, *_writer_of(loser, name, mutation), [], mutation.id)
        for name, contest in decision.contested.items()
    ]
    asked += _hand_on_conflicts(bench, loser, survivor, mutation)
    _lead(bench, loser, survivor, mutation)
    conflicts = list(dict.fromkeys(asked))
    outcome = "conflicted" if conflicts else "merged"
    return Outcome(id=str(mutation.id), outcome=outcome, rev=survivor.held.rev, conflicts=conflicts)


def _writer_of(record: Record, name: str, merge: Mutation) -> tuple[UUID | None, UUID]:
    """Who wrote what the field holds, and by which mutation; a field that is younger than the record has no writer."""
    rows = (row for row in reversed(record.past.written) if name in row.fields)
    return next(((row.person, row.mutation) for row in rows), (None, merge.id))


def _hand_on_conflicts(bench: Bench, loser: Record, survivor: Record, mutation: Mutation) -> list[UUID]:
    """What waited for a person waits on the record that stays; the conflicts of the other close."""
    asked: list[UUID] = []
    mine = [conflict for of, conflict in bench.working.open_conflicts.items() if of[:2] == loser.key]
    for conflict in mine:
        name, held = str(conflict.fields["field"]), survivor.fields.get(str(conflict.fields["field"]))
        for candidate in candidates_of(conflict.fields) if name != DELETED else ():
            if candidate["value"] != held:
                by, source = as_uuid(candidate["by"]), as_uuid(candidate["mutation"]) or mutation.id
                contest = Contest(None, held, candidate["value"])
                asked.append(ask_about(bench, survivor, name, contest, by, source, [], mutation.id))
        settled: JsonValue = True if name == DELETED else held
        closed = {"state": "closed", "held": settled, "resolution": settled, "resolved_by": str(bench.person)}
        change_conflict(bench, conflict, {**conflict.fields, **closed}, mutation.id)
    return asked


def _lead(bench: Bench, loser: Record, survivor: Record, mutation: Mutation) -> None:
    """From now on the one leads to the other: so does whatever refers to it."""
    into = str(survivor.id)
    write(bench, loser, Decision("applied", deleted=True), mutation.id, op="merge")
    loser.own = {**loser.own, MERGED_INTO: survivor.id}
    loser.history[-1]["fields"] = {MERGED_INTO: into}
    for record in [*bench.working.records.values()]:
        names = [n for n, referred in record.collection.references.items() if referred == loser.collection.name]
        led = Decision("applied", fields={n: into for n in names if as_uuid(record.fields.get(n)) == loser.id})
        if led.fields:
            write(bench, record, led, mutation.id, op="update")
            follow_conflicts(bench, record, led, mutation.id, but=None)
    # Who had the one in their feed, and not the other, keeps the grace: to them it is as if that had moved away.
    there = {*bench.working.feeds_of(survivor), *(entry.feed_id for entry in survivor.entries)}
    left = [Entry(entry.feed_id, 0, True) for entry in loser.entries if entry.feed_id not in there]
    survivor.entries += left
    survivor.moved = survivor.moved or bool(left)
