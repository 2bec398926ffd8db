"""`qiaomen doctor`: silent about a healthy place, and each kind of drift by its name, on both stores."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app.cli import app
from app.collections import COLLECTIONS
from app.commands import checking, session
from app.commands.checking import as_line
from app.compact import compact
from app.context import Context
from app.demo.community import invent_community
from app.demo.stage import GRID, load, part_of
from app.doctor import MOST_NAMED, Finding, findings
from app.handover import hand_over
from app.settings import Settings
from app.tables import Feed, FeedEntry, FeedMark, Follow, Grant
from tests.conftest import KEY, opened
from tests.raw_phone import RawPhone, phone_of
from tests.world import NEW_ID, World, household, mutation, new_world

FEED, ENTRY, MARK = (table.__table__ for table in (Feed, FeedEntry, FeedMark))  # type: ignore[attr-defined]
FOLLOW, GRANT = (table.__table__ for table in (Follow, Grant))  # type: ignore[attr-defined]
AREA, HOUSEHOLD = COLLECTIONS["areas"].table, COLLECTIONS["households"].table


@dataclass
class Place:
    """Records were written, moved, deleted and contested; a grid was redrawn; roles have ended."""

    world: World
    boss: RawPhone

    @property
    def context(self) -> Context:
        return self.world.context

    async def drift(self) -> dict[str, int]:
        return {one.check: one.differing async for one in findings(self.context.database) if one.differing}

    async def plant(self, *statements: Any) -> dict[str, int]:
        async with self.context.database.transaction() as transaction:
            for statement in statements:
                assert await transaction.execute(statement)
        return await self.drift()


@pytest.fixture
async def place(context: Context) -> AsyncIterator[Place]:
    world = await new_world(context)
    boss = await phone_of(world, "boss", role="admin", area="district")
    await world.add_person("li", area="grid")
    await world.add_person("zhao", area="building_2")
    grid, doors = NEW_ID(), [NEW_ID() for _ in range(3)]
    made: dict[str, Any] = {"id": str(grid), "parent_id": str(world.home), "level": "grid", "name": "two"}
    assert (await world.http.post("/v1/areas", json=made, headers=boss.headers)).status_code == 201
    world.areas["grid_2"] = grid
    await boss.push(*(mutation(world, "households", id, fields=household(world, str(n))) for n, id in enumerate(doors)))
    visit = {"household_id": str(doors[0]), "outcome": "opened", "note": "在家。"}
    await boss.push(mutation(world, "visits", NEW_ID(), fields=visit))
    await boss.push(mutation(world, "households", doors[0], "update", 1, fields={"door": "x"}))
    other = await phone_of(world, "wang")
    await other.push(mutation(world, "households", doors[0], "update", 1, fields={"door": "y"}))
    there = {"area_id": str(world.areas["unit_2"])}
    await boss.push(mutation(world, "households", doors[0], "update", 2, fields=there))
    await boss.push(mutation(world, "households", doors[1], "delete", 1, fields={}))
    await world.end_grant("zhao", "building_2")
    await hand_over(context, world.people["boss"], world.areas["building_1"], grid, dry_run=False)
    await world.grant("zhao", "grid_2", until=context.seams.now() + timedelta(days=9))
    yield Place(world, boss)
    await world.http.aclose()


async def test_a_healthy_place_is_said_to_be_one(place: Place) -> None:
    assert await place.drift() == {}
    await hand_over(
        place.context, place.world.people["boss"], place.world.areas["building_1"], place.world.areas["grid"],
        dry_run=False,
    )  # fmt: skip
    assert await place.drift() == {}
    names = [one.check async for one in findings(place.context.database)]
    assert len(names) == len({*names}) >= 14 + 5 * len(COLLECTIONS)


async def test_a_place_with_helpers_is_healthy_too_until_a_mask_slips(place: Place) -> None:
    await place.world.add_person("lou", role="helper", area="community")
    fields = household(place.world, "late", unit="unit_2", note="住院了。")
    await place.boss.push(mutation(place.world, "households", NEW_ID(), fields=fields))
    assert await place.drift() == {}
    masked = sa.select(FEED.c.id).where(FEED.c.audience == "helper")
    unmasked = sa.update(ENTRY).where(ENTRY.c.feed_id.in_(masked), ENTRY.c.collection == "visits").values(body=b"1")
    assert await place.plant(unmasked) == {"entry_content.visits": 1}


async def test_so_is_the_demos_community(context: Context) -> None:
    await load(context, part_of(invent_community(1, date(2026, 11, 22)), GRID))
    assert [one async for one in findings(context.database) if one.differing] == []


async def test_an_alias_leads_at_once_to_a_record_that_stayed(place: Place) -> None:
    one, two, three = (NEW_ID() for _ in range(3))
    await place.boss.push(
        *(mutation(place.world, "households", id, fields=household(place.world)) for id in (one, two, three))
    )
    for loser, into in ((one, two), (two, three)):
        path, body = f"/v1/households/{loser}/merge", {"into": str(into)}
        assert (await place.world.http.post(path, json=body, headers=place.boss.headers)).status_code == 200
    assert await place.drift() == {}
    led = sa.update(HOUSEHOLD).where(HOUSEHOLD.c.id == one)
    assert await place.plant(led.values(merged_into=two)) == {"alias_astray.households": 1}
    assert await place.plant(led.values(merged_into=NEW_ID())) == {"alias_astray.households": 1}


async def test_compaction_leaves_nothing_to_report(place: Place) -> None:
    now = place.context.seams.now()
    later = replace(place.context.seams, now=lambda: now + timedelta(days=365))
    assert await compact(replace(place.context, seams=later)) > 0
    assert await place.drift() == {}


def of_li(place: Place) -> Any:
    return FOLLOW.c.person_id == place.world.people["li"]


async def test_a_row_that_nobody_wrote_down_is_missing(place: Place) -> None:
    assert await place.plant(sa.delete(FOLLOW).where(of_li(place))) == {"follow_missing": 3}


async def test_a_row_that_ended_too_soon_is_missing_too(place: Place) -> None:
    now = place.context.seams.now()
    assert await place.plant(sa.update(FOLLOW).where(of_li(place), FOLLOW.c.until.is_(None)).values(until=now)) == {
        "follow_missing": 3
    }


async def test_a_row_of_what_no_grant_reaches_is_too_many(place: Place) -> None:
    ended = sa.update(FOLLOW).where(of_li(place), FOLLOW.c.until.is_not(None)).values(until=None)
    assert await place.plant(ended) == {"follow_too_many": 1}


async def test_rows_of_a_grant_that_is_not_there_are_too_many(place: Place) -> None:
    gone = sa.delete(GRANT).where(GRANT.c.person_id == place.world.people["li"])
    assert await place.plant(gone) == {"follow_too_many": 4}


async def test_dates_that_are_not_the_grants_are_told(place: Place) -> None:
    early = place.context.seams.now() - timedelta(days=99)
    assert await place.plant(sa.update(FOLLOW).where(of_li(place)).values(since=early)) == {"follow_dates": 3}


async def test_a_grant_that_ended_while_its_rows_go_on_is_told(place: Place) -> None:
    now = place.context.seams.now()
    ended = sa.update(GRANT).where(GRANT.c.person_id == place.world.people["li"]).values(until=now)
    assert await place.plant(ended) == {"follow_dates": 3}


async def test_another_role_is_told(place: Place) -> None:
    assert await place.plant(sa.update(FOLLOW).where(of_li(place)).values(role="admin")) == {"follow_role": 3}


async def test_what_a_feed_says_of_itself_is_compared_with_what_it_lists(place: Place) -> None:
    staff = sa.update(FEED).where(FEED.c.owner_id == place.world.areas["building_1"])
    assert await place.plant(staff.values(digest=FEED.c.digest + 1)) == {"feed_digest": 1}
    assert await place.plant(staff.values(digest=FEED.c.digest - 1, head=FEED.c.head + 1)) == {
        "feed_head": 1,
        "feed_mark": 1,
    }
    assert await place.plant(staff.values(head=FEED.c.head - 1, tag=FEED.c.tag + 1)) == {"feed_mark": 1}
    assert await place.plant(staff.values(tag=FEED.c.tag - 1, horizon=2**40)) == {
        "feed_horizon": 1,
        "feed_not_compacted": 1,
    }


async def test_marks_that_are_gone_are_told(place: Place) -> None:
    feed = sa.select(FEED.c.id).where(FEED.c.owner_id == place.world.areas["building_1"]).scalar_subquery()
    assert await place.plant(sa.delete(MARK).where(MARK.c.feed_id == feed)) == {"feed_mark": 1}


async def test_an_area_that_is_not_where_its_parent_says_is_told(place: Place) -> None:
    unit = sa.update(AREA).where(AREA.c.id == place.world.areas["unit_2"])
    path = AREA.c.path
    assert await place.plant(unit.values(path=path + "x/")) == {"area_path": 1}
    wrong = place.world.areas["building_1"]
    found = await place.plant(unit.values(path=sa.func.substr(path, 1, sa.func.length(path) - 2), feed_area_id=wrong))
    assert found == {"area_feed": 1, "entry_astray.conflicts": 1, "entry_astray.households": 1,
                     "entry_astray.visits": 1, "record_unlisted.conflicts": 1, "record_unlisted.households": 1,
                     "record_unlisted.visits": 1}  # fmt: skip
    right = place.world.areas["building_2"]
    found = await place.plant(unit.values(feed_area_id=right, reference_area_id=place.world.areas["district"]))
    assert found == {"area_reference": 1, "entry_astray.areas": 1, "record_unlisted.areas": 1}


async def test_entries_are_compared_with_the_tables(place: Place) -> None:
    live = ENTRY.c.live & (ENTRY.c.collection == "households")
    assert await place.plant(sa.update(ENTRY).where(live).values(rev=ENTRY.c.rev + 1)) == {"entry_rev.households": 2}
    back = sa.update(ENTRY).where(live).values(rev=ENTRY.c.rev - 1)
    found = await place.plant(back, sa.update(HOUSEHOLD).where(HOUSEHOLD.c.door == "2").values(door="3"))
    assert found == {"entry_content.households": 1}
    found = await place.plant(
        sa.update(HOUSEHOLD).where(HOUSEHOLD.c.door == "3").values(door="2"),
        sa.update(ENTRY).where(live).values(hash=0),
    )
    assert (found["feed_digest"], found["entry_content.households"]) == (2, 2)


async def test_entries_and_records_without_each_other_are_told(place: Place) -> None:
    visits = ENTRY.c.collection == "visits"
    found = await place.plant(sa.delete(ENTRY).where(visits, ENTRY.c.live))
    assert found["record_unlisted.visits"] == 1
    found = await place.plant(sa.delete(HOUSEHOLD).where(HOUSEHOLD.c.deleted_at.is_not(None)))
    assert found["entry_without_record.households"] == 1
    found = await place.plant(sa.update(ENTRY).where(visits).values(collection="nothing", hash=7))
    assert (found["entry_of_no_collection"], found["entry_dead_with_hash"]) == (1, 1)
    assert (await place.plant(sa.delete(FEED).where(FEED.c.audience == "staff")))["entry_without_feed"] > 0


async def test_a_deleted_record_that_is_listed_is_told(place: Place) -> None:
    now = place.context.seams.now()
    gone = sa.update(HOUSEHOLD).where(HOUSEHOLD.c.door == "2").values(deleted_at=now)
    assert await place.plant(gone) == {"entry_astray.households": 1}


def test_a_line_names_a_check_counts_and_ids() -> None:
    assert as_line(Finding("feed_head", 0, [])) == "feed_head\t0"
    assert as_line(Finding("feed_head", 2, ["7", "8"])) == "feed_head\t2\t7 8"
    many = Finding("feed_head", 21, [str(n) for n in range(MOST_NAMED)])
    assert as_line(many).endswith("18 19 …")


async def test_no_more_than_twenty_are_named(place: Place) -> None:
    [row] = await _rows(place, sa.select(ENTRY).limit(1))
    more = [{**row, "record_id": NEW_ID(), "collection": "nothing", "seq": 10**6 + n} for n in range(MOST_NAMED + 1)]
    async with place.context.database.transaction() as transaction:
        await transaction.insert(ENTRY, more)
    [found] = [one async for one in findings(place.context.database) if one.check == "entry_of_no_collection"]
    assert (found.differing, len(found.ids)) == (MOST_NAMED + 1, MOST_NAMED)


async def _rows(place: Place, statement: sa.Select[Any]) -> list[dict[str, Any]]:
    async with place.context.database.snapshot("server") as snapshot:
        return [dict(row._mapping) for row in await snapshot.rows(statement)]


def test_the_command_ends_with_one_where_something_drifted(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (session, checking):  # read once a process: these are this test's
        monkeypatch.setattr(module, "settings", lambda: Settings(database_url=database_url, key=KEY))
    run = CliRunner()
    assert run.invoke(app, ["area", "add", "420107", "青山区", "--level", "district"]).exit_code == 0
    healthy = run.invoke(app, ["doctor"])
    assert (healthy.exit_code, {line.split("\t")[1] for line in healthy.output.splitlines()}) == (0, {"0"})
    asyncio.run(plant(database_url))
    drifted = run.invoke(app, ["doctor"])
    assert (drifted.exit_code, "feed_digest\t1\t1" in drifted.output.splitlines()) == (1, True)


async def plant(url: str) -> None:
    async with opened(Settings(database_url=url, key=KEY)) as context, context.database.transaction() as transaction:
        await transaction.execute(sa.update(FEED).where(FEED.c.id == 1).values(digest=FEED.c.digest + 1))
