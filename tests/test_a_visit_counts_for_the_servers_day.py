"""I9: for which day a visit counts is no phone's clock to say; the phone only says how long ago it was."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic.command import downgrade
from hypothesis import given
from hypothesis import strategies as st

from app.collections import COLLECTIONS
from app.context import Context
from app.main import create_app
from app.schema import alembic_config, move
from app.settings import Settings
from app.wall import lower_wall
from sync.days import CHINA, LONGEST_AGO, day_of, happened_at
from tests.raw_phone import Answer, Clock, RawPhone, phone_of
from tests.world import NEW_ID, World, client_of, household, mutation, new_world

NOON = datetime(2026, 11, 20, 12, tzinfo=CHINA)
"""The server's time: a Friday."""
TEN_YEARS = timedelta(days=3653)
wrong_clocks = pytest.mark.parametrize("wrong", [timedelta(0), TEN_YEARS, -TEN_YEARS], ids=["right", "ahead", "behind"])


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.time = NOON.astimezone(UTC)
    return clock


@pytest.fixture
async def world(context: Context, clock: Clock) -> AsyncIterator[World]:
    world = await new_world(replace(context, seams=replace(context.seams, now=clock.now)))
    yield world
    await world.http.aclose()


@pytest.fixture
async def li(world: World) -> RawPhone:
    return await phone_of(world, "li")


@pytest.fixture
async def door(world: World, li: RawPhone) -> UUID:
    id = NEW_ID()
    await li.apply("households", id, fields=household(world))
    return id


def visit(door: UUID, made_at: datetime, **fields: Any) -> Answer:
    """What a phone says of a visit, but for its record."""
    return {
        "made_at": made_at.isoformat(),
        "fields": {"household_id": str(door), "outcome": "opened", **fields},
    }


async def day(phone: RawPhone, said: Answer, sent_at: datetime | None) -> str:
    """For which day the server counts it."""
    id = NEW_ID()
    envelope = {"sent_at": sent_at.isoformat()} if sent_at else {}
    [outcome] = await phone.push(mutation(phone.world, "visits", id, **said), **envelope)
    assert outcome["outcome"] == "applied", outcome
    return str((await phone.get("visits", id))["day"])


@wrong_clocks
async def test_a_clock_wrong_by_ten_years_changes_no_day(li: RawPhone, door: UUID, wrong: timedelta) -> None:
    sent = NOON + wrong
    assert await day(li, visit(door, sent), sent) == "2026-11-20"
    # Written on Wednesday evening and sent on Friday; of a visit that was told of later, when it was decides.
    wednesday = sent - timedelta(days=1, hours=17)
    assert await day(li, visit(door, wednesday), sent) == "2026-11-18"
    assert await day(li, visit(door, sent, visited_at=wednesday.isoformat()), sent) == "2026-11-18"


async def test_a_clock_that_stepped_in_between_counts_for_no_day_to_come_and_for_none_long_ago(
    li: RawPhone, door: UUID
) -> None:
    assert await day(li, visit(door, NOON + TEN_YEARS), NOON) == "2026-11-20"
    assert await day(li, visit(door, NOON - TEN_YEARS), NOON) == str((NOON - LONGEST_AGO).date())


async def test_of_a_push_that_does_not_say_when_it_was_sent_everything_was_now(li: RawPhone, door: UUID) -> None:
    assert await day(li, visit(door, NOON - TEN_YEARS), None) == "2026-11-20"


async def test_what_is_written_after_midnight_counts_for_the_evening_before(
    world: World, clock: Clock, door: UUID
) -> None:
    clock.time = datetime(2026, 11, 21, 3, 59, 59, tzinfo=CHINA).astimezone(UTC)
    zhao = await phone_of(world, "zhao")
    assert await day(zhao, visit(door, clock.time), clock.time) == "2026-11-20"
    clock.forward(seconds=1)
    assert await day(zhao, visit(door, clock.time), clock.time) == "2026-11-21"
    # The operator's hour may be another.
    async with client_of(create_app(replace(world.context, day_begins=6), Settings())) as world.http:
        assert await day(zhao, visit(door, clock.time), clock.time) == "2026-11-20"


async def test_an_ordinary_request_is_believed_when_it_says_when_it_was(world: World, li: RawPhone, door: UUID) -> None:
    body = {"household_id": str(door), "outcome": "opened", "visited_at": (NOON - timedelta(days=3)).isoformat()}
    answer = await world.http.post("/v1/visits", json=body, headers=li.headers)
    assert answer.json()["day"] == "2026-11-17"
    listed = await world.http.get("/v1/visits?day_from=2026-11-17&day_to=2026-11-17", headers=li.headers)
    assert [one["id"] for one in listed.json()["items"]] == [answer.json()["id"]]
    other = {"day": "2026-11-18"}
    changed = await world.http.patch(f"/v1/visits/{answer.json()['id']}", json=other, headers=li.headers)
    assert (changed.status_code, changed.json()["code"]) == (422, "once_changed")
    whole = await world.http.put(f"/v1/visits/{answer.json()['id']}", json=body, headers=li.headers)
    assert (whole.status_code, whole.json()["day"]) == (200, "2026-11-17")


def seen_before(world: World, door: UUID, visit: UUID, **fields: Any) -> Answer:
    """An edit of a server that was restored carries what its person had seen: the visit and its door."""
    seen = {"household_id": str(door), "outcome": "opened", "note": "一。", **fields}
    records = (("visits", visit, seen), ("households", door, household(world)))
    return {
        "epoch": "of before",
        "seen": [
            {"collection": name, "record": str(id), "home": str(world.home), "rev": 1, "fields": fields}
            for name, id, fields in records
        ],
    }


async def test_a_visit_that_a_restore_lost_is_made_again_with_its_day(world: World, li: RawPhone, door: UUID) -> None:
    # Somebody else had corrected its note, and comes first: what they saw of it tells the day.
    lost, zhao = NEW_ID(), await phone_of(world, "zhao")
    seen = seen_before(world, door, lost, day="2026-11-03")
    outcome = await zhao.say("visits", lost, "update", 1, fields={"note": "二。"}, **seen)
    assert outcome["outcome"] == "applied", outcome
    assert (await zhao.get("visits", lost))["day"] == "2026-11-03"
    # Its writer's own create meets it there, and where nobody had seen it says as well how long ago it was.
    said = visit(door, NOON - TEN_YEARS)
    sent = NOON - TEN_YEARS + timedelta(days=17)
    [met] = await li.push(mutation(world, "visits", lost, **said), sent_at=sent.isoformat())
    assert met["outcome"] != "refused"
    assert (await zhao.get("visits", lost))["day"] == "2026-11-03"
    assert await day(li, said, sent) == "2026-11-03"


async def test_what_a_restore_lost_is_its_writers_again_once_their_own_create_arrives(
    world: World, li: RawPhone, door: UUID
) -> None:
    lost, zhao, wang = NEW_ID(), await phone_of(world, "zhao"), await phone_of(world, "wang")

    async def visits() -> list[int]:
        asked = {"area_id": str(world.areas["grid"]), "day": "2026-11-20"}
        logs = [await world.http.get("/v1/reports/patrol", params=asked, headers=who.headers) for who in (li, zhao)]
        return [log.json()["visits"] for log in logs]

    await zhao.say("visits", lost, "update", 1, fields={"note": "一。"}, **seen_before(world, door, lost))
    assert await visits() == [0, 1]
    rev = (await zhao.get("visits", lost))["rev"]
    for _ in range(2):
        await li.push(mutation(world, "visits", lost, **visit(door, NOON, note="一。")), sent_at=NOON.isoformat())
        assert await visits() == [1, 0]
    assert (await zhao.get("visits", lost))["rev"] == rev
    # Nobody else created it.
    await wang.push(mutation(world, "visits", lost, **visit(door, NOON, note="一。")), sent_at=NOON.isoformat())
    assert await visits() == [1, 0]
    # What one recovered oneself, and what no restore lost, stays whose it is.
    mine = NEW_ID()
    await zhao.push(mutation(world, "visits", mine, **visit(door, NOON)), sent_at=NOON.isoformat())
    await li.push(mutation(world, "visits", mine, **visit(door, NOON)), sent_at=NOON.isoformat())
    assert await visits() == [1, 1]


async def test_who_deletes_what_a_restore_lost_had_seen_it_though_its_day_was_not_given_yet(
    world: World, li: RawPhone, door: UUID
) -> None:
    lost, zhao = NEW_ID(), await phone_of(world, "zhao")
    note = seen_before(world, door, lost, day="2026-11-03")
    await zhao.say("visits", lost, "update", 1, fields={"note": "一。"}, **note)
    outcome = await li.say("visits", lost, "delete", 1, fields={}, **seen_before(world, door, lost))
    assert outcome["outcome"] == "applied", outcome


@pytest.mark.parametrize(
    ("seen", "day"),
    [({"day": "2099-01-01"}, "2026-11-20"), ({"visited_at": "2026-11-01T08:00:00Z"}, "2026-11-18")],
    ids=["of a day to come", "without a day"],
)
async def test_no_phone_gives_a_visit_its_day_by_what_it_says_to_have_seen(
    world: World, li: RawPhone, door: UUID, seen: Answer, day: str
) -> None:
    invented = NEW_ID()
    edit = mutation(world, "visits", invented, "update", 1, fields={"note": "二。"})
    edit |= seen_before(world, door, invented, **seen) | {"made_at": (NOON - timedelta(days=2)).isoformat()}
    await li.push(edit, sent_at=NOON.isoformat())
    assert (await li.get("visits", invented))["day"] == day


async def test_an_ordinary_request_may_tell_of_last_year(world: World, li: RawPhone, door: UUID) -> None:
    for said, day in (
        ("2025-11-20T08:00:00Z", "2025-11-20"),
        ("0001-01-01T00:00:00Z", "0001-01-01"),
        ("9999-12-31T00:00:00Z", "2026-11-20"),
    ):
        body = {"household_id": str(door), "outcome": "opened", "visited_at": said}
        answer = await world.http.post("/v1/visits", json=body, headers=li.headers)
        assert (answer.status_code, answer.json()["day"]) == (201, day)


@given(st.timedeltas(max_value=timedelta(days=400), min_value=-timedelta(days=400)), st.timedeltas())
def test_only_the_time_between_two_readings_of_one_clock_counts(ago: timedelta, wrong: timedelta) -> None:
    try:
        sent = NOON + wrong
        said = sent - ago
    except OverflowError:
        return
    assert happened_at(said, sent, NOON) == NOON - min(max(ago, timedelta(0)), LONGEST_AGO)


@pytest.mark.parametrize("begins", range(13))
def test_a_day_begins_at_the_operators_hour_in_china(begins: int) -> None:
    begun = datetime(2028, 2, 29, begins, tzinfo=CHINA)
    for moment in (begun, begun.astimezone(UTC)):
        assert day_of(moment, begins) == date(2028, 2, 29)
        assert day_of(moment - timedelta(microseconds=1), begins) == date(2028, 2, 28)
        assert day_of(moment + timedelta(days=1), begins) == date(2028, 3, 1)


def back_to_0010_and_up_again(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        lower_wall(connection)
    downgrade(alembic_config(connection), "0010")
    assert "day" not in {column["name"] for column in sa.inspect(connection).get_columns("visits")}
    move(connection, "head")


@pytest.mark.usefixtures("database_url")  # whose schema is another for a while
async def test_visits_of_an_older_release_get_the_days_they_would_have_now(
    world: World, li: RawPhone, door: UUID
) -> None:
    for ago, wrong in product((0, 0.6, 3, 200, -5), (timedelta(0), TEN_YEARS)):
        sent = NOON + wrong
        await day(li, visit(door, sent - timedelta(days=ago)), sent)
        await day(li, visit(door, sent, visited_at=(sent - timedelta(days=ago)).isoformat()), sent)
        await day(li, visit(door, sent - timedelta(days=ago)), None)
        body = {"household_id": str(door), "outcome": "opened", "visited_at": (NOON - timedelta(days=ago)).isoformat()}
        assert (await world.http.post("/v1/visits", json=body, headers=li.headers)).status_code == 201
    assert (
        await world.http.post("/v1/visits", json=body | {"visited_at": None}, headers=li.headers)
    ).status_code == 201
    visits = COLLECTIONS["visits"].table
    days = sa.select(visits.c.id, visits.c.day).order_by(visits.c.id)
    async with world.context.database.transaction() as transaction:
        before = await transaction.rows(days)
        await transaction.connection.run_sync(back_to_0010_and_up_again)
        assert await transaction.rows(days) == before
        assert len({row.day for row in before}) == 5
