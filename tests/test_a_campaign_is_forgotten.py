"""When a campaign's retention has ended, nothing that was written for it is left; until then, all of it is."""

from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from app import erasure
from app.cli import app
from app.commands import session
from app.schema import begin_epoch
from app.settings import Settings
from tests.conftest import KEY
from tests.forgotten import KEPT_DAYS, SECRET, Told, codes_of, erase, late, li, rows_of, told, wang
from tests.raw_phone import RawPhone, phone_of
from tests.sweeps import begin, doors, knock, secretary, sweep, today
from tests.world import NEW_ID, World, mutation, nothing_drifted

__all__ = ["doors", "li", "secretary", "told", "wang"]  # the fixtures


async def test_no_word_of_it_is_left_in_any_table(world: World, told: Told, li: RawPhone) -> None:
    await li.pull()
    assert (await rows_of(world.context.database)).count(SECRET) > 20
    assert await erase(world) == 3
    rows = await rows_of(world.context.database)
    assert [row for row in rows.splitlines() if SECRET in row] == []
    # That there was something, and who wrote when, stays.
    assert all(str(id) in rows for _, id in told.records)
    await nothing_drifted(world.context)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_no_word_of_it_is_left_in_the_embedded_stores_files(world: World, told: Told, database_url: str) -> None:
    """PostgreSQL's are its own to vacuum."""
    file = Path(database_url.removeprefix("sqlite:///"))

    def words() -> int:
        return sum(one.read_bytes().count(SECRET.encode()) for one in file.parent.glob(f"{file.name}*"))

    assert words() > 20
    await erase(world)
    assert words() == 0


async def test_between_two_batches_whoever_writes_comes_first(
    world: World, told: Told, li: RawPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BATCH", 1)
    seams = world.context.seams
    written: list[str] = []

    async def write(seconds: float) -> None:
        assert seconds > 0
        outcome = await li.say("households", told.door, "update", 1 + len(written), fields={"note": f"{len(written)}"})
        written.append(outcome["outcome"])

    later = replace(seams, now=lambda: seams.now() + timedelta(days=KEPT_DAYS + 1), sleep=write)
    assert await erasure.erase_ended(replace(world.context, seams=later)) == 3
    assert written == ["applied"] * 3


async def test_nothing_is_erased_a_day_before(world: World, told: Told, li: RawPhone) -> None:
    before = await rows_of(world.context.database)
    assert await erase(world, after=KEPT_DAYS) == 0
    assert await rows_of(world.context.database) == before
    assert (await li.get("answers", told.answers))["note"] == SECRET


async def test_erasing_twice_does_nothing_more(world: World, told: Told) -> None:
    await erase(world)
    once = await rows_of(world.context.database)
    assert await erase(world) == 0
    assert await rows_of(world.context.database) == once


async def test_what_was_written_for_anything_else_stays(
    world: World, told: Told, secretary: RawPhone, li: RawPhone
) -> None:
    going_on = await begin(secretary, keep_until=str(today(world, later=99)))
    for_ever = await begin(secretary)
    whose = {"household_id": str(told.door)}
    others = [(NEW_ID(), campaign) for campaign in (going_on, for_ever)]
    for id, campaign in others:
        await li.apply("answers", id, fields={**whose, "campaign_id": campaign, "note": "kept"})
    own = NEW_ID()
    await li.apply("follow_ups", own, fields={**whose, "kind": "medicine", "since": "2026-01-01", "note": "kept"})
    await li.say("answers", NEW_ID(), fields={"household_id": str(NEW_ID()), "campaign_id": going_on, "note": "kept"})
    await knock(li, told.door, told.campaign)
    before = (await rows_of(world.context.database)).count("kept")
    assert await erase(world) == 3
    assert (await rows_of(world.context.database)).count("kept") == before
    assert {(await li.get("answers", id))["note"] for id, _ in others} == {"kept"}
    assert (await sweep(secretary, told.campaign))["whole"]["visits"] == 1


async def test_phones_drop_it_at_their_next_pull(world: World, told: Told, li: RawPhone, wang: RawPhone) -> None:
    await li.pull()
    assert SECRET in str(li.feeds)
    await erase(world)
    fresh = RawPhone(world, await world.phone_token("wang"), "wang")
    for phone in (li, fresh):
        await phone.pull()
        phone.check_digests()
        assert SECRET not in str(phone.feeds)
        assert not any(phone.holds(*record) for record in told.records)
    assert li.holds("households", told.door)


async def test_what_still_arrives_is_refused_and_not_kept(world: World, told: Told, li: RawPhone) -> None:
    await erase(world)
    mutations = late(world, told)
    outcomes = await li.push(*mutations)
    assert codes_of(outcomes) == ["erased"] * len(mutations)
    assert SECRET not in await rows_of(world.context.database)
    again = await li.push(*mutations)
    assert codes_of(again) == ["erased"] * len(mutations)
    assert all(outcome["replayed"] for outcome in again)
    listed = await world.http.get("/v1/mutations", headers=li.headers)
    assert [one["payload"] for one in listed.json()["mutations"]] == [None] * len(mutations)
    await nothing_drifted(world.context)


async def test_what_was_applied_before_is_answered_as_it_was(world: World, told: Told, li: RawPhone) -> None:
    id, fields = NEW_ID(), {"household_id": str(told.door), "campaign_id": told.campaign, "note": SECRET}
    made = mutation(world, "answers", id, fields=fields)
    [applied] = await li.push(made)
    await erase(world)
    assert await li.push(made) == [{**applied, "replayed": True}]
    # Under its id something else is told nothing, and is forgotten by the next run.
    [reused] = await li.push({**made, "fields": {**fields, "version": 2}})
    assert reused["problem"]["code"] == "mutation_reused"
    await erase(world)
    assert SECRET not in await rows_of(world.context.database)


async def test_who_does_not_see_where_it_lay_is_told_of_no_such_record(world: World, told: Told) -> None:
    await erase(world)
    zhao = await phone_of(world, "zhao", area="building_2")
    mutations = late(world, told)
    outcomes = await zhao.push(*mutations)
    assert SECRET not in await rows_of(world.context.database)
    never = await zhao.push(*({**one, "id": str(NEW_ID()), "record": str(NEW_ID())} for one in mutations))
    assert codes_of(outcomes) == codes_of(never)
    assert "erased" not in codes_of(outcomes)
    for collection, id in told.records:
        for path in (f"/v1/{collection}/{id}", f"/v1/{collection}/{id}/history"):
            assert (await world.http.get(path, headers=zhao.headers)).json()["code"] == "not_found"


async def test_an_ordinary_request_is_told_that_it_was_erased(world: World, told: Told, li: RawPhone) -> None:
    await erase(world)

    async def code_of(method: str, path: str, **said: Any) -> str:
        answer = await world.http.request(method, f"/v1/{path}", headers=li.headers, **said)
        assert answer.status_code == 410, answer.text
        return str(answer.json()["code"])

    whole = {"household_id": str(told.door), "campaign_id": told.campaign, "note": SECRET}
    asked = [await code_of("GET", f"{name}/{id}{more}") for name, id in told.records for more in ("", "/history")]
    path = f"answers/{told.answers}"
    asked += [await code_of(method, path, json=whole) for method in ("PUT", "PATCH")]
    asked += [await code_of("DELETE", path), await code_of("POST", "answers", json={**whole, "id": str(told.answers)})]
    asked += [await code_of("POST", f"conflicts/{told.open}/resolution", json={"value": SECRET})]
    assert {*asked} == {"erased"}
    listed = await world.http.get("/v1/answers", params={"campaign_id": told.campaign}, headers=li.headers)
    assert listed.json()["items"] == []
    assert SECRET not in await rows_of(world.context.database)


async def test_nothing_new_is_taken_for_it(world: World, secretary: RawPhone, li: RawPhone, doors: list[UUID]) -> None:
    over, last = [await begin(secretary, first=-9, last=-5, keep_until=str(today(world, later=n))) for n in (-1, 0)]
    fields = {"household_id": str(doors[0]), "note": SECRET}
    for collection in ("answers", "follow_ups"):
        fields |= {"kind": "medicine", "since": "2026-01-01"} if collection == "follow_ups" else {}
        outcome = await li.say(collection, NEW_ID(), fields={**fields, "campaign_id": over})
        assert outcome["problem"]["code"] == "erased"
        answer = await world.http.post(f"/v1/{collection}", json={**fields, "campaign_id": over}, headers=li.headers)
        assert (answer.status_code, answer.json()["code"]) == (410, "erased")
        assert SECRET not in await rows_of(world.context.database)
    for campaign in (last, str(NEW_ID())):
        await li.apply("follow_ups", NEW_ID(), fields={**fields, "campaign_id": campaign})


async def test_a_late_edit_of_what_was_never_created_is_not_kept(world: World, told: Told, wang: RawPhone) -> None:
    edit = ("answers", told.refused, "update", 1)
    outcome = await wang.say(*edit, fields={"note": "kept"})
    assert outcome["problem"]["code"] == "depends_on_refused"
    await erase(world)
    outcome = await wang.say(*edit, fields={"note": SECRET})
    assert outcome["problem"]["code"] == "erased"
    assert SECRET not in await rows_of(world.context.database)


async def test_phones_that_send_their_logs_again_bring_nothing_back(world: World, told: Told, li: RawPhone) -> None:
    await erase(world)
    await begin_epoch(world.context.database, world.context.seams)
    outcomes = await li.push(*late(world, told))
    assert {*codes_of(outcomes)} == {"erased"}
    assert SECRET not in await rows_of(world.context.database)


async def test_it_is_forgotten_wherever_its_door_lies_by_now(world: World, told: Told, li: RawPhone) -> None:
    there = {"area_id": str(world.areas["unit_2"])}
    assert (await li.say("households", told.door, "update", 1, fields=there))["outcome"] == "applied"
    zhao = await phone_of(world, "zhao", area="building_2")
    await zhao.pull()
    assert zhao.holds("answers", told.answers)
    await erase(world)
    await zhao.pull()
    assert zhao.holds("answers", told.answers) is None
    [outcome] = await zhao.push(late(world, told)[0])
    assert outcome["problem"]["code"] == "erased"
    # A door that moves, or is joined with another one, leaves it where it is.
    assert (await li.say("households", told.door, "update", 2, fields={"area_id": str(world.areas["unit_1"])}))["rev"]
    await nothing_drifted(world.context)


async def test_many_records_cost_no_more_statements_than_one(
    world: World, told: Told, secretary: RawPhone, li: RawPhone
) -> None:
    other = await begin(secretary, keep_until=str(today(world, later=KEPT_DAYS - 1)))
    fields = {"household_id": str(told.door), "campaign_id": other, "note": SECRET}
    few = await statements(world, erase(world, after=1))
    await li.push(*(mutation(world, "answers", NEW_ID(), fields=fields) for _ in range(50)))
    some = await statements(world, erase(world, after=KEPT_DAYS))
    await li.push(*(mutation(world, "answers", NEW_ID(), fields=fields) for _ in range(100)))
    many = await statements(world, erase(world, after=KEPT_DAYS))
    assert 0 < few < some == many < 50


async def statements(world: World, work: Coroutine[Any, Any, int]) -> int:
    """How many it takes."""
    counted = []
    engines = [held.sync_engine for held in vars(world.context.database).values() if isinstance(held, AsyncEngine)]

    def count(*said: Any) -> None:
        counted.append(said)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", count)
    await work
    for engine in engines:
        event.remove(engine, "before_cursor_execute", count)
    return len(counted)


def test_the_command_says_of_how_many_records(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "settings", lambda: Settings(database_url=database_url, key=KEY))
    run = CliRunner().invoke(app, ["erase"])
    assert (run.exit_code, run.output) == (0, "0\n")
