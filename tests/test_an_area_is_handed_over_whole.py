"""交接: a building goes to another grid; nothing is lost, shown to both without cause, or rewritten. Both stores."""

import asyncio
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.tables import FeedEntry, Follow, History
from tests.grids import DOORS, Place, held, place
from tests.raw_phone import Answer, phone_of
from tests.world import NEW_ID, bearer, mutation

__all__ = ["place"]


async def test_the_old_phone_drops_it_and_the_new_one_gets_it_whole_with_its_history(place: Place) -> None:
    assert (held(place.li, place), held(place.wang, place)) == ((DOORS, DOORS), (0, 0))
    report = await place.hand_over()
    assert (report["done"], report["areas"]) == (True, 2)
    for phone in (place.li, place.wang):
        await phone.pull()
        phone.check_digests()
    assert (held(place.li, place), held(place.wang, place)) == ((0, 0), (DOORS, DOORS))
    history = f"/v1/visits/{place.visits[0]}/history"
    seen = await place.world.http.get(history, headers=place.wang.headers)
    assert [row["op"] for row in seen.json()["history"]] == ["create"]
    assert (await place.world.http.get(history, headers=place.li.headers)).json()["code"] == "not_found"


async def test_no_record_is_rewritten(place: Place) -> None:
    entries, history = await place.rows(FeedEntry.__table__), await place.rows(History.__table__)  # type: ignore[attr-defined]
    await place.hand_over()
    now = await place.rows(FeedEntry.__table__), await place.rows(History.__table__)  # type: ignore[attr-defined]
    both = zip(now, (entries, history), strict=True)
    written = [{row[1:3] for row in after if row not in before} for after, before in both]
    assert written == [{("areas", place.world.areas["building_1"])}] * 2


async def test_a_dry_run_tells_whom_it_touches_and_changes_nothing(place: Place) -> None:
    late = mutation(place.world, "households", place.doors[0], "update", 1, fields={"door": "x"})
    await place.boss.push(mutation(place.world, "households", place.doors[0], "update", 1, fields={"door": "y"}))
    await place.li.push(late, outbox={"depth": 8, "oldest_at": "2026-03-02T07:00:00Z"})
    before = [await place.rows(table.__table__) for table in (FeedEntry, Follow, History)]  # type: ignore[attr-defined]
    report = await place.hand_over(dry_run=True)
    assert not report["done"]
    assert (report["records"], report["open_conflicts"]) == (2 * DOORS + 1, 1)
    people = place.world.people
    assert [one["person_id"] for one in report["losing"]] == [str(people["li"])]
    assert [one["person_id"] for one in report["gaining"]] == [str(people["wang"])]
    [phone] = report["losing"][0]["phones"]
    assert (phone["unsent"], phone["unsent_since"]) == (7, "2026-03-02T07:00:00Z")
    assert [await place.rows(table.__table__) for table in (FeedEntry, Follow, History)] == before  # type: ignore[attr-defined]
    await place.li.pull()
    assert held(place.li, place) == (DOORS, DOORS)


async def test_what_was_written_before_and_arrives_later_is_all_accounted_for(place: Place) -> None:
    await place.hand_over()
    world, doors = place.world, place.doors
    fresh = [NEW_ID() for _ in range(DOORS)]
    knocks: list[Answer] = [
        mutation(world, "visits", id, fields={"household_id": str(door), "outcome": "opened", "note": "迟到的。"})
        for id, door in zip(fresh, doors, strict=True)
    ]
    edits = [mutation(world, "visits", id, "update", 1, fields={"note": "改过。"}) for id in place.visits]
    outcomes = await place.li.push(*knocks, *edits)
    assert [one["outcome"] for one in outcomes] == ["applied"] * DOORS + ["conflicted"] * DOORS
    for phone in (place.li, place.wang):
        await phone.pull()
    assert held(place.li, place) == (0, 0)
    assert all(place.wang.holds("visits", id) for id in fresh)
    assert len([1 for feed in place.wang.feeds.values() for name, _ in feed if name == "conflicts"]) == DOORS


async def test_interrupted_at_every_page_it_ends_the_same(place: Place) -> None:
    await place.hand_over()
    for phone in (place.li, place.wang):
        while True:
            answer = await place.world.http.post(
                "/v1/sync/pull", json={"cursor": phone.cursor, "limit": 1}, headers=phone.headers
            )
            again = await place.world.http.post(
                "/v1/sync/pull", json={"cursor": phone.cursor, "limit": 1}, headers=phone.headers
            )
            page = answer.json()
            assert again.json()["changes"] == page["changes"]
            if phone._store(page):
                break
    assert (held(place.li, place), held(place.wang, place)) == ((0, 0), (DOORS, DOORS))


async def test_handed_over_and_back_it_is_as_it_was(place: Place) -> None:
    await place.hand_over()
    await place.hand_over(to="grid")
    for phone in (place.li, place.wang):
        await phone.pull()
    assert (held(place.li, place), held(place.wang, place)) == ((DOORS, DOORS), (0, 0))
    area = (await place.boss.get("areas", place.world.areas["building_1"]))["parent_id"]
    assert area == str(place.world.areas["grid"])


async def test_a_role_that_has_ended_gets_no_grace_over_what_comes_later(place: Place) -> None:
    await place.world.end_grant("wang", "grid_2")
    await place.hand_over()
    edit = mutation(place.world, "visits", place.visits[0], "update", 1, fields={"note": "没有权限。"})
    [refused] = await place.wang.push(edit)
    assert refused["problem"]["code"] == "not_found"


async def test_whoever_works_in_what_moves_keeps_it(place: Place) -> None:
    zhao = await phone_of(place.world, "zhao", area="building_1")
    await zhao.pull()
    await place.hand_over()
    await zhao.pull()
    assert held(zhao, place) == (DOORS, DOORS)
    assert not zhao.lost


async def test_a_new_role_over_the_new_grid_reaches_it(place: Place) -> None:
    await place.hand_over()
    qian = await phone_of(place.world, "qian", area="grid_2")
    await qian.pull()
    assert held(qian, place) == (DOORS, DOORS)


@pytest.mark.parametrize(
    ("area", "to", "code"),
    [
        ("building_1", "grid", "handover_to_itself"),
        ("grid", "grid", "handover_cycle"),
        ("grid", "building_1", "handover_cycle"),
        ("building_1", "building_2", "handover_too_deep"),
        ("unit_1", "building_2", "handover_too_deep"),
        ("unit_1", "grid_2", "handover_too_deep"),
        ("building_1", "nowhere", "reference_not_found"),
        ("building_1", "district", "reference_not_found"),
        ("nowhere", "grid_2", "not_found"),
        ("district", "grid_2", "not_found"),
    ],
)
async def test_what_can_not_be_handed_over_is_told(place: Place, area: str, to: str, code: str) -> None:
    place.world.areas["nowhere"] = NEW_ID()
    refused = await place.ask(area, to=str(place.world.areas[to]), dry_run=False)
    assert refused.json()["code"] == code, refused.text


async def test_only_who_administers_both_may_hand_over(place: Place) -> None:
    body: Answer = {"to": str(place.world.areas["grid_2"]), "dry_run": False}
    assert (await place.ask("building_1", place.li, **body)).json()["code"] == "not_permitted"
    await place.world.add_person("security", role="security")
    headers = bearer(await place.world.token("security"))
    path = f"/v1/areas/{place.world.areas['building_1']}/handover"
    assert (await place.world.http.post(path, json=body, headers=headers)).json()["code"] == "not_permitted"


async def test_of_two_handovers_at_once_one_follows_the_other(place: Place) -> None:
    body = [{"to": str(place.world.areas[to]), "dry_run": False} for to in ("grid_2", "community") * 3]
    answers = await asyncio.gather(*(place.ask("building_1", **one) for one in body))
    assert {answer.status_code for answer in answers} <= {200, 409}
    [area] = {str((await place.boss.get("areas", place.world.areas["building_1"]))["parent_id"])}
    for phone in (place.li, place.wang):
        await phone.pull()
    reached = (DOORS, DOORS) if UUID(area) == place.world.areas["grid_2"] else (0, 0)
    assert (held(place.li, place), held(place.wang, place)) == ((0, 0), reached)


async def test_a_unit_made_while_its_building_moves_lies_where_the_building_is(place: Place) -> None:
    world = place.world
    unit: Answer = {"parent_id": str(world.areas["building_1"]), "level": "unit", "name": "new"}
    made, moved = await asyncio.gather(
        world.http.post("/v1/areas", json=unit, headers=place.boss.headers),
        place.ask("building_1", to=str(world.areas["grid_2"]), dry_run=False),
    )
    assert (made.status_code, moved.status_code) == (201, 200), (made.text, moved.text)
    async with world.context.database.snapshot("server") as snapshot:
        rows = await snapshot.rows(sa.text("SELECT path FROM areas WHERE name IN ('building_1', 'new') ORDER BY path"))
    assert rows[1].path.startswith(rows[0].path)
    assert f"/{world.areas['grid_2'].hex}/" in rows[0].path
