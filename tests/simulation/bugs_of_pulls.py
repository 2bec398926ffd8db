"""Faults of the way down, of compaction and of what a restore leaves."""

from typing import Any

from app.pull import Position
from tests.simulation.bugs_of_phones import nobody_counts
from tests.simulation.planting import Bug, Patch, instead, wrapped


def page_end_jumps_to_the_head() -> list[Patch]:
    """A page that was cut says that its feed was read to the end."""

    async def jumped(cut_at: Any, store: Any, before: Any, feed: Any, seq: int) -> Position:
        return Position(feed.head, 0, feed.tag)

    return [wrapped("app.pull._cut_at", jumped)]


def page_end_skips_one() -> list[Patch]:
    """A page that was cut goes on behind the entry after its last."""

    async def skipped(cut_at: Any, store: Any, before: Any, feed: Any, seq: int) -> Position:
        return await cut_at(store, before, feed, min(seq + 1, feed.head))  # type: ignore[no-any-return]

    return [wrapped("app.pull._cut_at", skipped)]


def new_feed_begins_at_its_head() -> list[Patch]:
    """Whoever gains an area sees only what changes there from now on."""

    async def at_the_head(compare: Any, store: Any, read: Any, followed: Any, reread: Any, epoch: str) -> Any:
        reading = await compare(store, read, followed, reread, epoch)
        for feed in reading.gained:
            if read:
                reading.positions[feed] = Position(reading.feeds[feed].head, 0, reading.feeds[feed].tag)
        return reading

    return [wrapped("app.pull._compare", at_the_head)]


def lost_feeds_are_not_named() -> list[Patch]:
    """A phone isn't told that an area was taken from it."""

    async def silent(compare: Any, *arguments: Any) -> Any:
        reading = await compare(*arguments)
        reading.lost.clear()
        return reading

    return [wrapped("app.pull._compare", silent)]


def mark_is_not_checked() -> list[Patch]:
    """A position of a past that never was counts as one of this."""

    def unchecked(reason: Any, feed: Any, position: Any, tags: Any, reread: Any) -> Any:
        found = reason(feed, position, tags, reread)
        return None if found == "mark" else found

    return [wrapped("app.pull._reset_reason", unchecked)]


def horizon_is_not_checked() -> list[Patch]:
    """A phone that was away for longer than tombstones are kept reads on as if nothing were missing."""

    def unchecked(reason: Any, feed: Any, position: Any, tags: Any, reread: Any) -> Any:
        found = reason(feed, position, tags, reread)
        return None if found in ("horizon", "mark") else found

    return [wrapped("app.pull._reset_reason", unchecked)]


def floor_is_forgotten() -> list[Patch]:
    """While a feed is read from its beginning, compaction may pass its cursor, and it begins again and again."""

    async def bare(cut_at: Any, store: Any, before: Any, feed: Any, seq: int) -> Position:
        return Position(seq, 0, 0)

    return [wrapped("app.pull._cut_at", bare)]


def unchanged_is_said_too_early() -> list[Patch]:
    """A feed in which one thing changed counts as one in which nothing did."""

    def lazy(reading: Any) -> Any:
        return [feed for feed in reading.feeds.values() if feed.head > reading.positions[feed.id].seq + 1]

    return [instead("app.pull.Reading.moved", property(lazy))]


def tombstones_are_not_listed() -> list[Patch]:
    """A delete is applied and told to nobody."""

    def but_deleted(entries_of: Any, working: Any, record: Any, feeds: Any, numbers: Any) -> Any:
        if record.held and record.held.deleted and record.entries:
            return iter(())
        return entries_of(working, record, feeds, numbers)

    return [wrapped("app.listing._entries_of", but_deleted)]


def departures_are_not_listed() -> list[Patch]:
    """A record that moved away stays on the phones of where it was."""

    def but_departed(entries_of: Any, working: Any, record: Any, feeds: Any, numbers: Any) -> Any:
        for entry in record.entries:
            entry.live = entry.live and entry.feed_id in feeds
        return entries_of(working, record, feeds, numbers)

    return [wrapped("app.listing._entries_of", but_departed)]


def digest_ignores_a_field() -> list[Patch]:
    """The server's digest leaves the note out."""

    def noteless(number: Any, name: str, id: str, rev: int, fields: bytes) -> int:
        return int(number(name, id, rev, b"{}"))

    return [wrapped("app.listing.spelled_record_hash", noteless)]


def digest_only_grows() -> list[Patch]:
    """What leaves a feed stays in its digest."""

    def grown(steps: Any, seams: Any, working: Any, changed: Any) -> Any:
        listed = [*changed]
        for record, _ in listed:
            for entry in record.entries:
                entry.hash = 0
        return steps(seams, working, listed)

    return [wrapped("app.listing._steps", grown)]


def compaction_takes_what_lives() -> list[Patch]:
    """Old entries go, whether or not their records do."""

    async def everything(context: Any, home: Any, feed: int, days: int) -> int:
        import sqlalchemy as sa  # noqa: PLC0415

        from app.compact import _ENTRY  # noqa: PLC0415

        gone = sa.delete(_ENTRY).where(_ENTRY.c.home == home, _ENTRY.c.feed_id == feed, _ENTRY.c.seq <= 1)
        return await context.database.run(lambda t: t.execute(gone))  # type: ignore[no-any-return]

    return [instead("app.compact.compact_feed", everything)]


def compaction_takes_every_tombstone() -> list[Patch]:
    """Tombstones go before the phones that are behind have seen them."""

    async def every(context: Any, home: Any, feed: int, days: int) -> int:
        import sqlalchemy as sa  # noqa: PLC0415

        from app.compact import _ENTRY  # noqa: PLC0415

        gone = sa.delete(_ENTRY).where(_ENTRY.c.home == home, _ENTRY.c.feed_id == feed, ~_ENTRY.c.live)
        return await context.database.run(lambda t: t.execute(gone))  # type: ignore[no-any-return]

    return [instead("app.compact.compact_feed", every)]


def restore_begins_no_epoch() -> list[Patch]:
    """The command changes nothing, and neither marks nor counts are looked at."""

    async def nothing(database: Any, seams: Any) -> None:
        return None

    return [instead("tests.simulation.server.begin_epoch", nothing), *mark_is_not_checked(), *nobody_counts()]


OF_PULLS: list[Bug] = [
    page_end_jumps_to_the_head, page_end_skips_one, new_feed_begins_at_its_head, lost_feeds_are_not_named,
    mark_is_not_checked, horizon_is_not_checked, floor_is_forgotten, unchanged_is_said_too_early,
    tombstones_are_not_listed, departures_are_not_listed, digest_ignores_a_field, digest_only_grows,
    compaction_takes_what_lives, compaction_takes_every_tombstone, restore_begins_no_epoch,
]  # fmt: skip
