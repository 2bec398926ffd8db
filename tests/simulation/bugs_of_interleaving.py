"""Faults that only show when requests are at work at once: a lock left out, a moment taken for another.

Some locks could be left out and nobody would see it: a key catches what they keep from happening, and repeating the
transaction makes it good. There the key is left out too, or the fault is another that the same lock is there for.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from app import access, loading, postgres_transaction, receive
from app.database import Found
from tests.simulation.planting import Bug, Patch, instead, wrapped


def _unlocked(statement: Any) -> Any:
    bare = statement._clone()
    bare._for_update_arg = None
    return bare


def records_are_not_locked() -> list[Patch]:
    """What a push writes is read without FOR UPDATE."""
    original = loading._locking

    @cache
    def bare(name: str, *, shared: bool) -> Any:
        statement = original(name, shared=shared)
        return statement if shared else _unlocked(statement)

    return [instead("app.loading._locking", bare)]


def parents_are_not_held() -> list[Patch]:
    """The household that decides where a visit lists is read without FOR SHARE."""
    original = loading._locking

    @cache
    def bare(name: str, *, shared: bool) -> Any:
        statement = original(name, shared=shared)
        return _unlocked(statement) if shared else statement

    return [instead("app.loading._locking", bare)]


def dependants_are_not_locked() -> list[Patch]:
    """What moves along with its household is read without FOR UPDATE."""

    async def bare(move: Any, transaction: Any, working: Any) -> None:
        async def rows(statement: Any) -> Any:
            return await transaction.rows(_unlocked(statement))

        await move(SimpleNamespace(rows=rows, fetch=transaction.fetch), working)

    return [wrapped("app.receive.move_dependants", bare)]


def grants_are_not_held() -> list[Patch]:
    """Grants are read without FOR SHARE: one may end between the check and the commit."""
    return [instead("app.access._GRANTS", _unlocked(access._GRANTS))]


def replica_is_not_locked() -> list[Patch]:
    """Two overlapping pushes of one phone happen at once, and what both bring is written down by both.

    The lock alone may fall: the key of what was received sends the second one back to its beginning, where it
    finds the outcomes. So may the key alone.
    """
    return [instead("app.receive._ENTERING", _unlocked(receive._ENTERING)), _received_has_no_key()]


def _received_has_no_key() -> Patch:
    async def over(keep: Any, transaction: Any, batch: Any) -> None:
        await keep(SimpleNamespace(insert=transaction.upsert, fetch=transaction.fetch), batch)

    return wrapped("app.receive._keep", over)


def digests_are_read_beside_the_lock() -> list[Patch]:
    """A feed's digest is that of the moment when its lock was asked for, not of when it was given.

    Its head must be the lock's own: of a number that two pushes take, two keys speak up, and the second push goes
    back to its beginning. So heads that are read without FOR UPDATE cost time, and nothing else is ever seen of it.
    """
    words = postgres_transaction._LIST_ENTRIES.replace(
        "mod(locked.digest + ", "mod((SELECT f.digest FROM feed f WHERE f.home = $1 AND f.id = locked.id) + "
    )
    return [instead("app.postgres_transaction._LIST_ENTRIES", words)]


def numbers_are_taken_before() -> list[Patch]:
    """A feed's numbers are taken in a transaction of their own, as a sequence would give them; but for feeds that
    somebody holds already, who may be this very push.
    """
    insert = """
        INSERT INTO feed_entry (home, feed_id, seq, collection, record_id, rev, hash, live, body)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (home, collection, record_id, feed_id) DO UPDATE
        SET seq = excluded.seq, rev = excluded.rev, hash = excluded.hash, live = excluded.live, body = excluded.body
    """

    async def before(transaction: Any, home: Any, entries: Any, steps: Any, now: Any) -> Any:
        async with transaction.connection.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            other = postgres_transaction.PostgresTransaction(connection, driver)
            ids = [step.feed_id for step in steps]
            heads = "SELECT id, head FROM feed WHERE home = $1 AND id = ANY($2) ORDER BY id FOR UPDATE SKIP LOCKED"
            try:
                await other.say("BEGIN")
                found = {row.id: row.head for row in await other.drive(heads, home, ids)}
                if len(found) < len(ids):
                    await other.say("ROLLBACK")
                    return await original(transaction, home, entries, steps, now)
                await original(other, home, [], steps, now)
                await other.say("COMMIT")
            except BaseException:
                await connection.invalidate()
                raise
        for one in entries:
            await transaction.drive(insert, home, one.feed_id, found[one.feed_id] + one.step, *one[2:])

    original = postgres_transaction.PostgresTransaction.list_entries
    return [instead("app.postgres_transaction.PostgresTransaction.list_entries", before)]


def listed_after_the_commit() -> list[Patch]:
    """Records are committed, and then listed in another transaction."""

    async def apart(list_changes: Any, transaction: Any, listing: Any, now: Any) -> None:
        await transaction.say("COMMIT")
        await transaction.say("BEGIN")
        await list_changes(transaction, listing, now)

    return [wrapped("app.receive.list_changes", apart)]


def a_page_is_two_moments() -> list[Patch]:
    """Heads and entries are read in two statements, and nobody looks whether a feed moved between them."""

    async def unproven(reader: Any, feeds: Any, limit: int, most_bytes: int) -> Found:
        homes, ids, above, tags, horizons = zip(*feeds, strict=True)
        words = postgres_transaction._PAGE_ROWS
        rows = (await reader.drive(words, homes, ids, above, tags, horizons, limit, most_bytes))[1:]
        return Found(rows, len(rows) >= limit or sum(len(row[2]) for row in rows) >= most_bytes)

    return [instead("app.postgres_transaction.PostgresReader.page_rows", unproven)]


def history_is_read_before_the_lock() -> list[Patch]:
    """What changed since an edit's base is read before the record is locked: another edit comes in between."""

    async def early(load: Any, transaction: Any, home: Any, arrived: Any, person: Any) -> Any:
        ids = [one.mutation.record for one in arrived if one.mutation]
        table = loading._HISTORY
        past = sa.select(table).where(table.c.home == home, table.c.record_id.in_(ids)).order_by(table.c.rev)
        transaction.past = await transaction.rows(past)
        return await load(transaction, home, arrived, person)

    async def stale(transaction: Any, working: Any, floors: Any) -> None:
        for row in transaction.past:
            if row.rev > floors.get((row.collection, row.record_id), row.rev):
                deleted = {"delete": True, "revive": False}.get(row.op)
                written = loading.Written(row.rev, row.mutation_id, row.fields, row.was, deleted, row.person_id)
                working.record(row.collection, row.record_id).past.written.append(written)

    return [wrapped("app.receive.load", early), instead("app.past._load_history", stale)]


def received_is_read_once() -> list[Patch]:
    """What was received before is looked up before the replica is locked, and nothing is found to be there twice."""

    async def before(enter: Any, transaction: Any, actor: Any, incoming: Any) -> Any:
        ids = [loading.as_uuid(one.sent_id) for one in incoming.arrived]
        table = receive._RECEIVED
        columns = (table.c.id, table.c.person_id, table.c.content, table.c.answer)
        rows = await transaction.rows(sa.select(*columns).where(table.c.id.in_([id for id in ids if id])))
        transaction.stored = {row.id: row for row in rows}
        return await enter(transaction, actor, incoming)

    async def as_then(batch: Any, transaction: Any, ids: Any) -> Any:
        return {id: transaction.stored[id] for id in ids if id in transaction.stored}

    found = [wrapped("app.receive._enter", before), instead("app.batch.Batch._stored", as_then)]
    return [*found, _received_has_no_key()]


def nothing_is_repeated() -> list[Patch]:
    """What collides is given up at once."""
    return [instead("app.database.MOST_TRIES", 1)]


def writes_see_one_moment() -> list[Patch]:
    """REPEATABLE READ to write: whoever comes second to a record is sent away."""

    def isolated(database: Any) -> Any:
        return database._begin("BEGIN ISOLATION LEVEL REPEATABLE READ")

    return [instead("app.postgres.Postgres.transaction", isolated)]


OF_INTERLEAVING: list[Bug] = [
    records_are_not_locked, parents_are_not_held, dependants_are_not_locked, grants_are_not_held,
    replica_is_not_locked, digests_are_read_beside_the_lock, numbers_are_taken_before, listed_after_the_commit,
    a_page_is_two_moments, history_is_read_before_the_lock, received_is_read_once, nothing_is_repeated,
    writes_see_one_moment,
]  # fmt: skip
INTERLEAVING: dict[str, Bug] = {bug.__name__: bug for bug in OF_INTERLEAVING}
