"""A release that shows other fields, or masks them otherwise, lists what differs anew: same rev, no reset."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import rebuild
from app.collections import COLLECTIONS
from app.context import Context
from app.doctor import findings
from app.listing import as_listed, beginning_of
from app.rebuild import rebuild_views
from app.tables import Feed, FeedEntry
from app.views import masked_phone
from sync.canonical import DIGEST_MODULUS, spelled
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household, new_world

FEED: Any = Feed.__table__  # type: ignore[attr-defined]
ENTRY: Any = FeedEntry.__table__  # type: ignore[attr-defined]
PEOPLE = 7
PINNED = (6, "5abf055fbd060652")


class Killed(Exception):
    """The process ends."""


@dataclass
class Place:
    """A door with people behind it, whom Li sees whole and Lou masked."""

    world: World
    li: RawPhone
    lou: RawPhone
    door: UUID
    people: list[UUID]

    async def heads(self) -> dict[int, int]:
        async with self.world.context.database.snapshot("server") as snapshot:
            return {row.id: row.head for row in await snapshot.rows(sa.select(FEED.c.id, FEED.c.head))}

    async def drift(self) -> list[str]:
        return [one.check async for one in findings(self.world.context.database) if one.differing]

    async def rebuild(self) -> int:
        async def at_once(seconds: float) -> None:
            assert seconds > 0

        seams = replace(self.world.context.seams, sleep=at_once)
        return await rebuild_views(replace(self.world.context, seams=seams))

    def names(self, phone: RawPhone) -> set[str]:
        shown = [phone.holds("residents", id) for id in self.people]
        return {str(one["fields"]["name"]) for one in shown if one}


@pytest.fixture
async def place(context: Context, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(rebuild, "BATCH", 2)
    world = await new_world(context)
    li, lou = await phone_of(world, "li"), await phone_of(world, "lou", role="helper")
    place = Place(world, li, lou, NEW_ID(), [NEW_ID() for _ in range(PEOPLE)])
    await li.apply("households", place.door, fields=household(world))
    for id in place.people:
        await li.apply("residents", id, fields={"household_id": str(place.door), "name": "欧阳小明"})
    await place.rebuild()
    for phone in (li, lou):
        await phone.pull()
    yield place
    await world.http.aclose()


def mask_names_more(monkeypatch: pytest.MonkeyPatch) -> None:
    residents = COLLECTIONS["residents"]
    monkeypatch.setitem(residents.__dict__, "helper_view", {**residents.helper_view, "name": masked_phone})


async def test_nothing_is_listed_anew_where_nothing_changed(place: Place) -> None:
    before = await place.heads()
    assert await place.rebuild() == 0
    assert await place.heads() == before


async def test_another_mask_reaches_helpers_with_their_next_pull_and_staff_not_at_all(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask_names_more(monkeypatch)
    assert await place.drift() == ["entry_content.residents"]
    before = await place.heads()
    assert await place.rebuild() == PEOPLE
    moved = {feed: head - before[feed] for feed, head in (await place.heads()).items() if head != before[feed]}
    assert moved == {place.lou.feed_of("residents", place.people[0]): PEOPLE}
    assert place.names(place.lou) == {"欧**明"}
    for phone in (place.li, place.lou):
        await phone.pull()
        phone.check_digests()
    assert (place.names(place.li), place.names(place.lou)) == ({"欧阳小明"}, {"****"})
    assert {place.lou.holds("residents", id)["rev"] for id in place.people} == {1}  # type: ignore[index]
    assert await place.drift() == []
    assert await place.rebuild() == 0


async def test_a_view_that_is_taken_away_leaves_the_phones(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLLECTIONS["residents"].__dict__, "helper_view", {})
    assert await place.rebuild() == PEOPLE
    await place.lou.pull()
    place.lou.check_digests()
    assert place.names(place.lou) == set()
    assert place.lou.holds("households", place.door)
    monkeypatch.undo()  # the release before it
    assert await place.rebuild() == PEOPLE
    await place.lou.pull()
    assert place.names(place.lou) == {"欧**明"}


async def test_a_field_that_an_older_release_did_not_know_comes_to_everybody(place: Place) -> None:
    await as_an_older_release_listed_it(place, "best_time")
    await place.li.pull()
    assert await place.rebuild() == 0  # nothing tells this release that another was here…
    async with place.world.context.database.transaction() as transaction:
        await transaction.execute(sa.delete(rebuild._REBUILD))
    assert await place.rebuild() == 1  # …but where none was noted, everything is looked at
    await place.li.pull()
    place.li.check_digests()
    change = place.li.holds("households", place.door)
    assert change
    assert "best_time" in change["fields"]
    assert change["rev"] == 1
    assert await place.drift() == []


async def as_an_older_release_listed_it(place: Place, unknown: str) -> None:
    read = await place.li.get("households", place.door)
    fields = {name: value for name, value in read.items() if name not in ("id", "home", "rev", unknown)}
    id, feed = str(place.door), place.li.feed_of("households", place.door)
    number, body = as_listed("households", id, 1, beginning_of("households", id, read["home"], 1), spelled(fields))
    async with place.world.context.database.transaction() as transaction:
        which = (ENTRY.c.record_id == place.door, ENTRY.c.feed_id == feed)
        held = await transaction.first(sa.select(ENTRY.c.hash).where(*which))
        assert held
        await transaction.execute(sa.update(ENTRY).where(*which).values(hash=number, body=body))
        digest = (FEED.c.digest + number - held.hash + DIGEST_MODULUS) % DIGEST_MODULUS
        await transaction.execute(sa.update(FEED).where(FEED.c.id == feed).values(digest=digest))


@pytest.mark.parametrize("batches", range(1, 5))
async def test_it_goes_on_where_it_was_stopped(place: Place, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    mask_names_more(monkeypatch)
    before, pauses = sum((await place.heads()).values()), 0

    async def until_killed(seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        if sum((await place.heads()).values()) - before >= 2 * batches - 1:
            raise Killed

    seams = replace(place.world.context.seams, sleep=until_killed)
    with pytest.raises(Killed):
        await rebuild_views(replace(place.world.context, seams=seams))
    done = sum((await place.heads()).values()) - before
    assert 0 < done <= PEOPLE
    assert done + await place.rebuild() == PEOPLE
    await place.lou.pull()
    place.lou.check_digests()
    assert await place.drift() == []


async def test_what_is_written_meanwhile_is_as_this_release_shows_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask_names_more(monkeypatch)
    written = []

    async def writing(seconds: float) -> None:
        if len(written) < PEOPLE:
            id = place.people[len(written)]
            written.append(await place.li.apply("residents", id, "update", 1, fields={"note": "晚上在家。"}))

    seams = replace(place.world.context.seams, sleep=writing)
    await rebuild_views(replace(place.world.context, seams=seams))
    await place.lou.pull()
    place.lou.check_digests()
    assert await place.drift() == []


async def test_an_older_release_leaves_alone_what_a_newer_one_has_listed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(rebuild, "RELEASE", rebuild.RELEASE + 1)
        mask_names_more(newer)
        assert await place.rebuild() == PEOPLE
    assert await place.rebuild() == 0
    await place.lou.pull()
    assert place.names(place.lou) == {"****"}


def test_whatever_changes_what_is_shown_raises_the_release() -> None:
    """Where this fails, raise RELEASE in app/rebuild.py and pin what it shows."""
    shown = "".join(rebuild.fingerprint_of(collection) for _, collection in sorted(COLLECTIONS.items()))
    assert (rebuild.RELEASE, hashlib.sha256(shown.encode()).hexdigest()[:16]) == PINNED


def test_every_mask_has_a_say_in_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rebuild.fingerprint_of(COLLECTIONS["residents"])
    mask_names_more(monkeypatch)
    assert rebuild.fingerprint_of(COLLECTIONS["residents"]) != before
