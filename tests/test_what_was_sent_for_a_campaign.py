"""What was sent for a campaign whose retention has ended, and became no record of it, isn't kept; anything else is."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import SQLModel

from app.schema import begin_epoch
from tests.forgotten import KEPT_DAYS, SECRET, Told, codes_of, erase, li, rows_of, told, wang
from tests.raw_phone import Answer, RawPhone
from tests.sweeps import begin, doors, secretary, today
from tests.world import NEW_ID, World, household, mutation

__all__ = ["doors", "li", "secretary", "told", "wang"]  # the fixtures


async def begin_over(secretary: RawPhone) -> str:
    """A campaign whose retention ended yesterday."""
    return await begin(secretary, first=-9, last=-5, keep_until=str(today(secretary.world, later=-1)))


def answers(door: UUID, campaign: str, note: str = SECRET) -> Answer:
    return {"household_id": str(door), "campaign_id": campaign, "note": note}


async def texts_of(phone: RawPhone) -> str:
    """What this person's refusals are kept with."""
    listed = await phone.world.http.get("/v1/mutations", headers=phone.headers)
    return str([one["payload"] for one in listed.json()["mutations"]])


async def test_what_follows_a_create_that_was_not_taken_is_not_kept(
    world: World, secretary: RawPhone, li: RawPhone, doors: list[UUID]
) -> None:
    id, campaign = NEW_ID(), await begin_over(secretary)
    edit = {"fields": {"note": SECRET}}
    outcomes = await li.push(
        mutation(world, "answers", id, fields=answers(doors[0], campaign)),
        mutation(world, "answers", id, "update", 1, **edit),
    )
    outcomes.append(await li.say("answers", id, "update", 1, **edit))
    assert codes_of(outcomes) == ["erased"] * 3
    assert SECRET not in await rows_of(world.context.database)
    # Its writer may still take it for another campaign, and what follows that is judged as ever.
    other = await begin(secretary)
    refused = await li.say("answers", id, fields=answers(NEW_ID(), other, "kept"))
    assert refused["outcome"] == "refused"
    assert (await li.say("answers", id, "update", 1, **edit))["problem"]["code"] == "depends_on_refused"
    await li.apply("answers", id, fields=answers(doors[0], other, "kept"))
    await li.apply("answers", id, "update", 1, fields={"note": "more"})


async def test_what_a_restore_lost_is_not_made_again_from_what_was_seen(
    world: World, secretary: RawPhone, li: RawPhone, doors: list[UUID]
) -> None:
    id, conflict, campaign = NEW_ID(), NEW_ID(), await begin_over(secretary)
    await begin_epoch(world.context.database, world.context.seams)
    about = {"of_collection": "answers", "of_record": str(id), "field": "note"}
    before = [
        ("conflicts", conflict, about),
        ("answers", id, answers(doors[0], campaign)),
        ("households", doors[0], household(world, "100")),
    ]
    home = str(world.home)
    seen = [{"collection": name, "record": str(one), "home": home, "rev": 1, "fields": f} for name, one, f in before]
    chosen = {"resolution": {"value": SECRET, "base": 1, "after": None}}
    outcomes = await li.push(
        mutation(world, "answers", id, "update", 1, fields={"note": SECRET}, epoch="another", seen=seen[1:]),
        mutation(world, "conflicts", conflict, "update", 1, fields=chosen, epoch="another", seen=seen),
    )
    assert codes_of(outcomes) == ["erased"] * 2
    assert SECRET not in await rows_of(world.context.database)


async def test_nothing_new_is_noted_about_what_was_erased(world: World, told: Told, li: RawPhone) -> None:
    await erase(world)
    pair = {"area_id": str(world.areas["unit_1"]), "of_collection": "answers", "note": SECRET}
    for one, other in ((told.answers, NEW_ID()), (NEW_ID(), told.answers)):
        hint = {**pair, "record": str(one), "other": str(other)}
        outcome = await li.say("duplicates", NEW_ID(), fields=hint)
        assert outcome["problem"]["code"] == "erased"
        answer = await world.http.post("/v1/duplicates", json=hint, headers=li.headers)
        assert (answer.status_code, answer.json()["code"]) == (410, "erased")
    assert SECRET not in await rows_of(world.context.database)


async def test_what_settled_a_conflict_that_a_restore_had_lost_goes(
    world: World, secretary: RawPhone, li: RawPhone, wang: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin(secretary, keep_until=str(today(world, later=KEPT_DAYS)))
    id, conflict, was = NEW_ID(), NEW_ID(), {"said": {"fever": SECRET}}
    await li.apply("answers", id, fields=answers(doors[0], campaign) | was)
    await li.apply("answers", id, "update", 1, fields={"said": {"fever": "no"}})
    await begin_epoch(world.context.database, world.context.seams)
    about = {"of_collection": "answers", "of_record": str(id), "field": "said"}
    before = [("conflicts", conflict, about), ("answers", id, answers(doors[0], campaign) | was)]
    home = str(world.home)
    seen = [{"collection": name, "record": str(one), "home": home, "rev": 1, "fields": f} for name, one, f in before]
    chosen = {"resolution": {"value": {"fever": f"still {SECRET}"}, "base": 1, "after": None}}
    settled = {"fields": chosen, "epoch": "another", "seen": seen}
    assert (await wang.say("conflicts", conflict, "update", 1, **settled))["outcome"] == "conflicted"
    await erase(world)
    assert SECRET not in await rows_of(world.context.database)


async def test_what_was_sent_of_a_kind_nobody_knows_goes_with_its_campaign(
    world: World, secretary: RawPhone, li: RawPhone
) -> None:
    campaign = await begin_over(secretary)
    outcome = await li.say("swabs", NEW_ID(), fields={"campaign_id": campaign, "note": SECRET})
    assert outcome["problem"]["code"] == "unknown_collection"
    await erase(world, after=0)
    assert SECRET not in await rows_of(world.context.database)


async def test_a_push_too_flawed_to_say_where_it_belongs_is_forgotten(world: World, told: Told, li: RawPhone) -> None:
    edit = mutation(world, "answers", told.answers, "update", 1, fields={"note": SECRET})
    [outcome] = await li.push({**edit, "id": "no id"}, home=None)
    assert outcome["problem"]["code"] == "id_invalid"
    await erase(world)
    assert SECRET not in await rows_of(world.context.database)


async def test_a_flawed_visit_stays_as_visits_do(
    world: World, secretary: RawPhone, li: RawPhone, doors: list[UUID]
) -> None:
    campaign = await begin_over(secretary)
    knocked = {"household_id": str(doors[0]), "outcome": "opened", "campaign_id": campaign, "note": "kept"}
    [outcome] = await li.push({**mutation(world, "visits", NEW_ID(), fields=knocked), "id": "no id"})
    assert outcome["problem"]["code"] == "id_invalid"
    await erase(world, after=0)
    assert "kept" in await texts_of(li)


async def test_what_others_are_to_correct_stays_whatever_id_was_erased(
    world: World, secretary: RawPhone, li: RawPhone, wang: RawPhone, doors: list[UUID]
) -> None:
    over, ending = await begin_over(secretary), await begin(secretary, keep_until=str(today(world, later=KEPT_DAYS)))
    matter = {"kind": "medicine", "since": "2026-01-01", "resident_id": str(NEW_ID()), "note": "kept"}
    for door in doors[:2]:
        assert (await wang.say("follow_ups", NEW_ID(), fields={**matter, "household_id": str(door)}))["problem"]
    # Answers under the ids of doors: the ones are never created, the others erased.
    assert codes_of([await li.say("answers", doors[0], fields=answers(doors[0], over))]) == ["erased"]
    await li.apply("answers", doors[1], fields=answers(doors[1], ending))
    await erase(world)
    assert (await texts_of(wang)).count("kept") == 2


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_what_is_written_meanwhile_never_waits_for_a_whole_table(world: World, told: Told) -> None:
    """PostgreSQL locks rows."""
    engine: AsyncEngine = vars(world.context.database)["writing"]
    written: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        written.extend([(statement, parameters)] if statement.startswith(("UPDATE", "SELECT")) else [])

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    await erase(world)
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert any(statement.startswith("UPDATE received_mutation") for statement, _ in written)
    async with world.context.database.transaction() as transaction:
        for statement, parameters in written:
            plan = await transaction.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert [row[-1] for row in plan if row[-1].removeprefix("SCAN ") in SQLModel.metadata.tables] == []


async def test_what_belongs_to_another_community_is_told_so_whatever_was_erased_here(
    world: World, told: Told, li: RawPhone
) -> None:
    await erase(world)
    edit = mutation(world, "answers", told.answers, "update", 1, fields={"note": "kept"})
    assert codes_of(await li.push({**edit, "home": str(NEW_ID())})) == ["wrong_home"]
    assert "kept" in await texts_of(li)
