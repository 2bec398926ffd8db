"""I1, I3 and I5 while eight phones write, some pushes are undone and some are killed."""

from typing import Any
from uuid import UUID

from app.context import Context
from tests.agreement import faults_of
from tests.concurrency import run
from tests.world import NEW_ID, bearer, household, mutation, new_world

CHANGES = 10_000


async def test_a_tailing_reader_misses_nothing_and_every_acknowledged_edit_is_kept(context: Context) -> None:
    report = await run(context, CHANGES, seed=1)
    assert report.faults == []
    assert (report.changes, report.lost, report.repeated) == (CHANGES, 0, 0)
    # What should have happened did: else this proves nothing.
    happened = ("applied", "merged", "conflicted", "refused", "rolled back", "killed", "answer lost")
    assert all(report.events.get(name, 0) > 0 for name in happened), report.events
    # Locks make writers wait, not begin again; only one record made on two phones at once is a duplicate key.
    assert [name for name in report.events if name[0].isdigit()] in ([], ["23505 households"]), report.events
    assert report.events["unavailable"] <= report.events["connections ended"], report.events


async def test_a_record_that_moves_takes_along_what_the_same_push_has_looked_at(context: Context) -> None:
    world = await new_world(context)
    await world.add_person("worker")
    headers, door, visit = bearer(await world.phone_token("worker")), NEW_ID(), NEW_ID()

    async def push(*mutations: dict[str, Any]) -> list[str]:
        answer = await world.http.post("/v1/sync/push", json={"mutations": mutations}, headers=headers)
        return [outcome["outcome"] for outcome in answer.json()["outcomes"]]

    def edit(collection: str, record: UUID, **fields: Any) -> dict[str, Any]:
        return mutation(world, collection, record, "update", 1, fields=fields)

    note = {"household_id": str(door), "outcome": "opened", "note": "一。"}
    await push(mutation(world, "households", door, fields=household(world)))
    assert await push(edit("households", door, door="102"), edit("households", door, door="103"))
    assert await push(mutation(world, "visits", visit, fields=note)) == ["applied"]
    await world.add_person("other")
    other = bearer(await world.phone_token("other"))
    edited = [edit("households", door, door="104")]
    answer = await world.http.post("/v1/sync/push", json={"mutations": edited}, headers=other)
    assert answer.json()["outcomes"][0]["outcome"] == "conflicted"
    # The conflict, and the visit whose text stays as it is, are loaded by this push but not changed by it.
    to = str(world.areas["unit_2"])
    assert await push(edit("households", door, area_id=to), edit("visits", visit, note="一。")) == ["applied"] * 2
    _, faults = await faults_of(context, {}, {}, {})
    assert [fault for fault in faults if "no longer lies" in fault] == []
