"""Faults of the phone's half."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sync.entries import Key
from tests.simulation.planting import Bug, Patch, instead, wrapped


def nobody_counts() -> list[Patch]:
    """Neither a push nor a pull is asked whether it has heard of more than the server has."""

    async def uncounted(enter: Any, transaction: Any, actor: Any, incoming: Any) -> Any:
        return await enter(transaction, actor, replace(incoming, received=0))

    return [wrapped("app.receive._enter", uncounted), *pull_tells_no_count()]


def base_set_at_send_time() -> list[Patch]:
    """An edit claims to have seen whatever has come down since it was made."""

    def latest(batch: Any, phone: Any) -> Any:
        for entry in batch(phone):
            copy = phone.copies.find(entry.key)
            first = entry.state == "waiting" and copy is not None and entry.op != "create"
            yield entry.model_copy(update={"base": copy.rev}) if first else entry

    return [wrapped("sync.sending._next_batch", latest)]


def no_after_chain() -> list[Patch]:
    """An edit on top of an unanswered one claims to stand on the newest copy: what that hides is replaced."""

    def alone(footing_of: Any, phone: Any, key: Key) -> Any:
        copy, footing = phone.copies.find(key), footing_of(phone, key)
        return replace(footing, base=max(footing.base, copy.rev if copy else 0), after=None)

    return [wrapped("sync.outbox.footing_of", alone)]


def squash_forgets_the_first() -> list[Patch]:
    """Of two unsent edits of one record only the second is kept."""

    def last(_: Any, phone: Any, entry: Any, changes: Any) -> Any:
        return entry.model_copy(update={"fields": dict(changes)})

    return [wrapped("sync.outbox._joined", last)]


def lost_feed_drops_the_outbox() -> list[Patch]:
    """Whoever loses an area loses what they hadn't sent of it."""

    def leave(leave_feed: Any, copies: Any, feed: int) -> None:
        from sync.entries import Entries  # noqa: PLC0415

        entries = Entries(copies._store)
        keys = {path.partition("/")[2] for path, _ in copies._store.scan("copies_by_feed", f"{feed:016d}/")}
        for entry in [*entries.all()]:
            if entry.unsent and entry.key.path in keys:
                entries.remove(entry)
        leave_feed(copies, feed)

    return [wrapped("sync.copies.Copies.leave", leave)]


def lost_feed_keeps_its_copies() -> list[Patch]:
    """A phone goes on showing an area that was taken from it."""
    return [instead("sync.copies.Copies.leave", lambda copies, feed: None)]


def lost_feed_stays_in_seen() -> list[Patch]:
    """What only a lost feed showed stays beside the phone's own edits."""
    return [instead("sync.staging._strip_seen", lambda phone: None)]


def revoked_phone_keeps_its_copies() -> list[Patch]:
    """A revoked phone forgets its token and nothing else."""

    def only_the_token(phone: Any) -> None:
        phone.meta.revoked = True

    return [instead("sync.exchange._wipe_revoked", only_the_token)]


def pages_take_effect_one_by_one() -> list[Patch]:
    """Half a reading is shown."""

    def at_once(stage: Any, phone: Any, page: Any, cursor: Any) -> None:
        stage(phone, page, cursor)
        for gained in page.gained:
            phone.copies.follow(gained)
        phone.copies.apply(page.changes)

    return [wrapped("sync.staging._stage", at_once)]


def any_page_is_taken() -> list[Patch]:
    """The answer to an earlier question is taken for the answer to this one."""

    def taken(take_page: Any, phone: Any, page: Any, cursor: Any, serial: int) -> Any:
        return take_page(phone, page, phone.meta.reading_from, serial)

    return [wrapped("sync.exchange.take_page", taken)]


def reset_keeps_old_copies() -> list[Patch]:
    """A feed that is read anew keeps what has gone meanwhile."""

    def without(apply: Any, phone: Any, page: Any, digests: Any) -> None:
        apply(phone, page.model_copy(update={"reset": [], "lost": page.lost}), digests)

    return [wrapped("sync.staging._apply", without)]


def departure_takes_every_copy() -> list[Patch]:
    """A record that left one feed is taken out of those that list it now."""

    def everywhere(apply_one: Any, copies: Any, change: Any) -> int:
        step = apply_one(copies, change)
        if change.departed:
            path = Key(change.collection, change.home, change.record).path
            for row, _ in [*copies._store.scan("copies", f"{path}/")]:
                copies._store.delete("copies", row)
        return int(step)

    return [wrapped("sync.copies.Copies._apply_one", everywhere)]


def deletes_are_not_applied() -> list[Patch]:
    """Tombstones come down and change nothing."""

    def kept(apply: Any, copies: Any, changes: Any) -> None:
        apply(copies, [change for change in changes if not change.deleted])

    return [wrapped("sync.copies.Copies.apply", kept)]


def acknowledged_edits_are_lifted_at_once() -> list[Patch]:
    """What was acknowledged vanishes from the screen until a page brings it."""

    def lifted(settle: Any, phone: Any, entry: Any, outcome: Any, answer: Any, serial: int) -> None:
        settle(phone, entry, outcome, answer, serial)
        if (now := phone.entries.find(entry.id)) and now.state == "done":
            phone.entries.put(now.model_copy(update={"on_top": False}))

    return [wrapped("sync.outcomes._settle", lifted)]


def half_a_reading_lifts_acknowledged_edits() -> list[Patch]:
    """A page counts as holding what was acknowledged, though the reading it belongs to has no effect yet."""

    def lifted(stage: Any, phone: Any, page: Any, cursor: Any) -> None:
        stage(phone, page, cursor)
        for entry in phone.entries.marked("settled"):
            phone.entries.put(entry.model_copy(update={"on_top": False}))

    return [wrapped("sync.staging._stage", lifted)]


def in_flight_is_forgotten() -> list[Patch]:
    """What was sent and not answered is never sent again."""
    return [instead("sync.sending._sent_before", lambda phone: iter(()))]


def sent_is_taken_for_received() -> list[Patch]:
    """What was handed out is dropped from the outbox before any answer."""

    def dropped(next_push: Any, phone: Any) -> Any:
        push = next_push(phone)
        for mutation in push.mutations:
            entry = phone.entries.find(mutation.id)
            if entry is not None and entry.unsent:
                phone.entries.put(entry.model_copy(update={"state": "done", "on_top": True}))
        return push

    return [wrapped("sync.exchange.next_push", dropped)]


def refusals_are_dropped() -> list[Patch]:
    """What the server didn't take is gone from the phone."""
    return [instead("sync.outcomes._put_refused", lambda phone, entry, outcome: phone.entries.remove(entry))]


def any_200_is_an_answer() -> list[Patch]:
    """A portal's page empties the outbox."""

    def taken(take: Any, phone: Any, request: Any, status: int, media: str, body: bytes) -> Any:
        if status == 200 and "html" in media:
            for id in request.mutations:
                if entry := phone.entries.find(id):
                    phone.entries.remove(entry)
        return take(phone, request, status, media, body)

    return [wrapped("sync.exchange.take_any_answer", taken)]


def epoch_is_not_looked_at() -> list[Patch]:
    """A restored server's pages are taken for those of the old one, and nobody counts."""

    def same(take_page: Any, phone: Any, page: Any, cursor: Any, serial: int) -> Any:
        phone.meta.epoch = page.epoch
        return take_page(phone, page, cursor, serial)

    return [wrapped("sync.exchange.take_page", same), *nobody_counts()]


def log_is_not_sent_again() -> list[Patch]:
    """After a restore only the outbox is sent."""

    def nothing(phone: Any) -> None:
        phone.meta.recovering = True

    return [instead("sync.outcomes.send_log_again", nothing), instead("sync.staging.send_log_again", nothing)]


def log_of_another_replica_stays() -> list[Patch]:
    """Found by seed 230: a phone that signs in anew counts from zero, and no count betrays a restore."""
    return [instead("sync.replica.send_the_log_of_another_replica", lambda phone: None)]


def bases_of_a_lost_past_count() -> list[Patch]:
    """Found by seed 700024: of a phone that signs in anew after a silent restore, as of one that noticed it."""
    return [instead("sync.phone.Phone.forget_bases", lambda phone, epoch=None: None)]


def masks_are_seen_through() -> list[Patch]:
    """Found by seed 700856: who edits a masked field, and sees it whole when the edit arrives, had never seen it."""
    return [instead("sync.copies.Copies.is_masked", lambda copies, copy: False)]


def acknowledged_edits_leave_the_log() -> list[Patch]:
    """What was acknowledged is forgotten the next moment."""
    return [instead("sync.outcomes.LOG_KEPT", timedelta(seconds=1))]


def pull_tells_no_count() -> list[Patch]:
    """Found by seed 41: a phone with nothing to send and no feed left never learns of a restore."""

    async def unread(read: Any, context: Any, store: Any, claims: Any, body: Any, positions: Any) -> Any:
        return await read(context, store, claims, body.model_copy(update={"received": 0}), positions)

    return [wrapped("app.pull._read", unread)]


def queued_again_on_top_of_the_old_id() -> list[Patch]:
    """Found by seed 43: an older copy's edit replaces what this phone had sent since and no longer shows."""

    def upon(queue_again: Any, phone: Any, entry: Any, after: Any) -> Any:
        return queue_again(phone, entry, entry.id)

    return [wrapped("sync.outcomes.corrections.queue_again", upon)]


def half_a_transaction() -> list[Patch]:
    """A phone that dies while it writes keeps what it had written so far."""

    class Kept:
        def __init__(self, store: Any) -> None:
            self.database = store._database

        def __enter__(self) -> None:
            self.database.execute("BEGIN IMMEDIATE")

        def __exit__(self, *error: object) -> None:
            self.database.execute("COMMIT")

    return [instead("sync.store.SqliteStore.transaction", lambda store: Kept(store))]  # noqa: PLW0108 - a class binds no self


def a_delete_hides_what_was_written_after_it() -> list[Patch]:
    """An edit made over a refused delete isn't shown any more once that delete was taken after all."""
    return [instead("sync.shown._below", lambda entry, fields, last: fields)]


OF_PHONES: list[Bug] = [
    base_set_at_send_time, no_after_chain, squash_forgets_the_first, lost_feed_drops_the_outbox,
    lost_feed_keeps_its_copies, lost_feed_stays_in_seen, revoked_phone_keeps_its_copies,
    pages_take_effect_one_by_one, any_page_is_taken, reset_keeps_old_copies, departure_takes_every_copy,
    deletes_are_not_applied, acknowledged_edits_are_lifted_at_once, half_a_reading_lifts_acknowledged_edits,
    in_flight_is_forgotten, sent_is_taken_for_received, refusals_are_dropped, any_200_is_an_answer,
    epoch_is_not_looked_at, log_is_not_sent_again, log_of_another_replica_stays,
    bases_of_a_lost_past_count, acknowledged_edits_leave_the_log, pull_tells_no_count,
    queued_again_on_top_of_the_old_id, half_a_transaction, masks_are_seen_through,
    a_delete_hides_what_was_written_after_it,
]  # fmt: skip
