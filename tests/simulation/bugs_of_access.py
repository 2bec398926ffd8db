"""Faults of who may read and write what."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from tests.simulation.planting import Bug, Patch, instead, wrapped


def ended_grants_still_read() -> list[Patch]:
    """Whoever had a role once goes on reading."""
    return [instead("app.pull._STANDING", _standing(lambda now: sa.true()))]


def _standing(in_force: Any) -> Any:
    """The statement that says what a person follows, in other words."""
    from app import pull  # noqa: PLC0415
    from app.access import with_followed  # noqa: PLC0415
    from app.identity.sign_ins import signed_in  # noqa: PLC0415

    phone = pull._REPLICA.c
    columns = (phone.seen_at, phone.holdings_sum, phone.received, pull._SERVER.c.epoch)
    with instead("app.access._in_force", in_force):
        return with_followed(signed_in(sa.bindparam("sign_in")).add_columns(*columns).join(pull._SERVER, sa.true()))


def grants_never_run_out() -> list[Patch]:
    """A role that was given for a while stays for ever."""

    def later(now: Any) -> Any:
        from app.access import _FOLLOW  # noqa: PLC0415

        long_ago = sa.or_(_FOLLOW.c.until.is_(None), _FOLLOW.c.until > _FOLLOW.c.since)
        return sa.and_(_FOLLOW.c.since <= now, long_ago)

    return [instead("app.pull._STANDING", _standing(later))]


def area_claimed_is_believed() -> list[Patch]:
    """Access follows the area that a phone claims, not the record that the server holds."""

    def believed(permitted: Any, bench: Any, record: Any, op: Any, fields: Any) -> Any:
        return "yes" if record.held is not None else permitted(bench, record, op, fields)

    return [wrapped("app.judge.permitted", believed)]


def home_is_not_looked_at() -> list[Patch]:
    """A mutation of another community than the push says is written all the same, by anybody."""

    def everybody(may_write: Any, access: Any, listed: Any, departed: Any, writers: Any) -> Any:
        return "yes"

    return [wrapped("app.access.Access.may_write", everybody)]


def grace_writes_at_once() -> list[Patch]:
    """What was written under an ended role replaces what whoever has the area now wrote."""

    def written(record: Any, edit: Any) -> Any:
        from sync.decide import Decision  # noqa: PLC0415

        if edit.op == "delete":
            return Decision("applied", deleted=True)
        return Decision("applied", fields={k: v for k, v in edit.fields.items() if not isinstance(v, dict)})

    return [instead("app.judge.as_candidates", written)]


def no_grace() -> list[Patch]:
    """What was written under a role that has ended is acknowledged, and dropped."""

    def dropped(record: Any, edit: Any) -> Any:
        from sync.decide import Decision  # noqa: PLC0415

        return Decision("applied")

    return [
        instead("app.judge.as_candidates", dropped),
        wrapped("app.effects.apply", lambda apply, *a, **o: apply(*a, **o)),
        wrapped("app.batch.Batch._row", lambda row, *a: {**row(*a), "payload": None}),
    ]


def grants_by_the_phones_clock() -> list[Patch]:
    """A role holds at the time that the phone claims to have written at."""

    async def claimed(access_of: Any, transaction: Any, person: UUID, clock: Any) -> Any:
        return await access_of(transaction, person, lambda: clock() - timedelta(days=3650))

    return [wrapped("app.receive.access_of", claimed)]


def grants_reach_one_building_too_far() -> list[Patch]:
    """A grant over a building follows the feeds of those beside it."""

    async def wider(follow_granted: Any, transaction: Any, grant: UUID, now: datetime) -> None:
        from app.follows import _FEED, _FOLLOW, _GRANT  # noqa: PLC0415

        await follow_granted(transaction, grant, now)
        found = await transaction.rows(
            sa.select(
                *(_GRANT.c.person_id, _FEED.c.home, _FEED.c.id.label("feed_id"), _GRANT.c.id.label("grant_id")),
                *(_GRANT.c.role, _GRANT.c.since, _GRANT.c.until),
            )
            .join(_FEED, _FEED.c.id <= 3)
            .where(_GRANT.c.id == grant)
        )
        await transaction.upsert(_FOLLOW, [dict(row._mapping) for row in found])

    return [wrapped("app.grants.follow_granted", wider)]


def handover_leaves_it_to_the_old() -> list[Patch]:
    """Whoever had a building before it was handed over goes on reading it."""

    async def kept(follow_moved: Any, transaction: Any, path: str, now: datetime) -> None:
        from app.follows import _FOLLOW  # noqa: PLC0415

        await follow_moved(transaction, path, now)
        await transaction.execute(sa.update(_FOLLOW).where(_FOLLOW.c.until == now).values(until=None))

    return [wrapped("app.handover.follow_moved", kept)]


def handover_reaches_nobody_new() -> list[Patch]:
    """Whoever gets a building isn't told of it."""

    async def alone(follow_moved: Any, transaction: Any, path: str, now: datetime) -> None:
        from app.follows import _FOLLOW  # noqa: PLC0415

        await follow_moved(transaction, path, now)
        await transaction.execute(sa.delete(_FOLLOW).where(_FOLLOW.c.since == now))

    return [wrapped("app.handover.follow_moved", alone)]


def an_enclave_never_ends() -> list[Patch]:
    """Whoever saw it while it lasted goes on seeing it."""

    async def kept(follow_moved: Any, transaction: Any, path: str, now: datetime) -> None:
        from app.follows import _FOLLOW  # noqa: PLC0415

        await follow_moved(transaction, path, now)
        await transaction.execute(sa.update(_FOLLOW).where(_FOLLOW.c.until == now).values(until=None))

    return [wrapped("app.enclaves.follow_moved", kept)]


def an_enclave_outlives_its_day() -> list[Patch]:
    """What it shows has the grant's dates, and not its own."""

    async def endless(follow_moved: Any, transaction: Any, path: str, now: datetime) -> None:
        from app.follows import _FOLLOW  # noqa: PLC0415

        await follow_moved(transaction, path, now)
        await transaction.execute(sa.update(_FOLLOW).where(_FOLLOW.c.since == now).values(until=None))

    return [wrapped("app.enclaves.follow_moved", endless)]


def masks_are_forgotten() -> list[Patch]:
    """Helpers are sent what staff see."""
    return [instead("app.listing.seen_through", lambda view, fields: fields)]


def masks_are_forgotten_when_a_view_opens() -> list[Patch]:
    """What was there before the first helper came is sent as staff see it."""
    return [instead("app.feeds.seen_through", lambda view, fields: fields)]


def what_moves_stays_in_the_other_view() -> list[Patch]:
    """A record that moved to another building departs from its staff feed alone."""

    def of_its_own(entries_of: Any, working: Any, record: Any, feeds: Any, numbers: Any) -> Any:
        ours = {feed for feed, count in working.views.items() if count} | feeds.keys()
        for entry in record.entries:
            entry.live = entry.live and entry.feed_id in ours
        return entries_of(working, record, feeds, numbers)

    return [wrapped("app.listing._entries_of", of_its_own)]


def teams_are_read_from_above() -> list[Patch]:
    """Whoever works in the community receives what its teams have."""
    from app.follows import _FEED, _GRANT, _READS, READ_STAFF  # noqa: PLC0415

    theirs = sa.and_(_FEED.c.audience == "team", _GRANT.c.role.in_(READ_STAFF))
    return [instead("app.follows._READS", sa.or_(_READS, theirs))]


def who_left_a_team_goes_on_receiving() -> list[Patch]:
    """A mediator follows the cases for ever."""

    async def kept(end_grants: Any, transaction: Any, clock: Any, *which: Any) -> int:
        from app.follows import _FOLLOW  # noqa: PLC0415

        count: int = await end_grants(transaction, clock, *which)
        await transaction.execute(sa.update(_FOLLOW).where(_FOLLOW.c.role == "mediator").values(until=None))
        return count

    return [wrapped("app.grants.end_grants", kept)]


def a_conflict_of_a_team_is_nobodys() -> list[Patch]:
    """What two mediators disagree about lists where staff would look."""
    return [instead("app.working.audience_of", lambda record: record.collection.audience)]


OF_ACCESS: list[Bug] = [
    ended_grants_still_read, grants_never_run_out, area_claimed_is_believed, home_is_not_looked_at,
    grace_writes_at_once, no_grace, grants_by_the_phones_clock, grants_reach_one_building_too_far,
    handover_leaves_it_to_the_old, handover_reaches_nobody_new, an_enclave_never_ends, an_enclave_outlives_its_day,
    masks_are_forgotten,
    masks_are_forgotten_when_a_view_opens, what_moves_stays_in_the_other_view, teams_are_read_from_above,
    who_left_a_team_goes_on_receiving, a_conflict_of_a_team_is_nobodys,
]  # fmt: skip
