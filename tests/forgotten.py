"""What was recorded for a campaign at one door, and what a phone may still send of it when it is erased."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

from app.database import Database
from app.erasure import erase_ended
from tests.raw_phone import Answer, RawPhone, phone_of
from tests.sweeps import begin, today
from tests.world import NEW_ID, World, mutation

SECRET = "fever since the ninth"
KEPT_DAYS = 5


@dataclass
class Told:
    """What was recorded for a campaign, each with what nobody may read any more."""

    campaign: str
    door: UUID
    answers: UUID
    follow_up: UUID
    deleted: UUID
    refused: UUID
    hint: UUID
    open: str
    closed: str

    @property
    def records(self) -> list[tuple[str, object]]:
        """By collection."""
        about: list[tuple[str, object]] = [("conflicts", self.open), ("conflicts", self.closed)]
        there: list[tuple[str, object]] = [("answers", self.answers), ("follow_ups", self.follow_up)]
        return [*there, ("answers", self.deleted), *about, ("duplicates", self.hint)]


@pytest.fixture
async def li(world: World) -> RawPhone:
    return await phone_of(world, "li")


@pytest.fixture
async def wang(world: World) -> RawPhone:
    return await phone_of(world, "wang")


@pytest.fixture
async def told(secretary: RawPhone, li: RawPhone, wang: RawPhone, doors: list[UUID]) -> Told:
    return await tell(secretary, li, wang, doors[0])


async def tell(secretary: RawPhone, li: RawPhone, wang: RawPhone, door: UUID) -> Told:
    """Made, edited, edited by two at once, refused, deleted."""
    world = secretary.world
    campaign = await begin(secretary, keep_until=str(today(world, later=KEPT_DAYS)))
    answers, follow_up, deleted, refused, hint = (NEW_ID() for _ in range(5))
    whose = {"household_id": str(door), "campaign_id": campaign}
    said = {**whose, "said": {"fever": SECRET}, "note": SECRET}
    matter = {**whose, "kind": "medicine", "since": str(today(world)), "note": SECRET}
    for id in (answers, deleted):
        await li.apply("answers", id, fields=said)
    await li.apply("follow_ups", follow_up, fields=matter)
    await li.apply("answers", answers, "update", 1, fields={"said": {"fever": f"{SECRET}, and more"}})
    [open] = (await wang.say("answers", answers, "update", 1, fields={"said": {"fever": f"no {SECRET}"}}))["conflicts"]
    await li.apply("follow_ups", follow_up, "update", 1, fields={"note": f"li: {SECRET}"})
    theirs = {"note": f"wang: {SECRET}"}
    [closed] = (await wang.say("follow_ups", follow_up, "update", 1, fields=theirs))["conflicts"]
    await li.resolve(closed, f"both: {SECRET}", base=2, seen=1)
    await li.apply("answers", deleted, "delete", 1)
    pair = {"area_id": str(world.areas["unit_1"]), "of_collection": "answers", "note": SECRET}
    await li.apply("duplicates", hint, fields={**pair, "record": str(answers), "other": str(deleted)})
    elsewhere = {**said, "household_id": str(NEW_ID())}
    note, no_area = {"note": SECRET}, {"area_id": str(NEW_ID())}
    flawed = [
        mutation(world, "answers", refused, fields=said),
        mutation(world, "answers", answers, "update", fields=note),
    ]
    outcomes = await wang.push(
        mutation(world, "answers", answers, "update", 1, fields={"household_id": str(NEW_ID()), **note}),
        mutation(world, "answers", refused, fields=elsewhere),
        mutation(world, "answers", refused, "update", 1, fields=note),
        mutation(
            world, "duplicates", NEW_ID(), fields={**pair, **no_area, "record": str(answers), "other": str(refused)}
        ),
        *({**one, "id": "no id"} for one in flawed),
    )
    assert {outcome["outcome"] for outcome in outcomes} == {"refused"}
    return Told(campaign, door, answers, follow_up, deleted, refused, hint, open, closed)


async def erase(world: World, *, after: int = KEPT_DAYS + 1) -> int:
    """As the operator's command does it, so many days from now."""
    seams = world.context.seams
    later = replace(seams, now=lambda: seams.now() + timedelta(days=after))
    return await erase_ended(replace(world.context, seams=later))


async def rows_of(database: Database) -> str:
    """Every row of every table, as text."""
    async with database.snapshot("server") as snapshot:
        tables = SQLModel.metadata.sorted_tables
        rows = [(table.name, row) for table in tables for row in await snapshot.rows(sa.select(table))]
    return "\n".join(f"{name} {tuple(row)!r}" for name, row in rows)


def late(world: World, told: Told) -> list[Answer]:
    """Whatever a phone may still send of it."""
    note = {"note": SECRET}
    whole = {"household_id": str(told.door), "campaign_id": told.campaign, **note}
    chosen = {"resolution": {"value": SECRET, "base": 1, "after": None}}
    before = {"collection": "answers", "record": str(told.answers), "home": str(world.home), "rev": 1, "fields": whole}
    return [
        mutation(world, "answers", told.answers, "update", 1, fields=note),
        mutation(world, "answers", told.answers, "update", 1, fields=note, epoch="another", seen=[before]),
        mutation(world, "answers", told.answers, "update", 1, fields={"note": 7, "said": {"fever": SECRET}}),
        mutation(world, "answers", told.answers, "update", 1, fields={"unheard_of": SECRET}),
        mutation(world, "follow_ups", told.follow_up, "update", 2, fields=note),
        mutation(world, "answers", told.deleted, fields=whole),
        mutation(world, "answers", told.answers, "delete", 2),
        mutation(world, "duplicates", told.hint, "update", 1, fields=note),
        mutation(world, "conflicts", UUID(told.open), "update", 1, fields=chosen),
        mutation(world, "conflicts", UUID(told.closed), "update", 1, fields=chosen),
    ]


def codes_of(outcomes: list[Answer]) -> list[str]:
    return [outcome["problem"]["code"] for outcome in outcomes]
