"""插花地: served by one community, on paper in another's district; one record, seen by both. Both stores."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.context import Context
from app.doctor import findings
from app.operator import Item, create_all
from tests.raw_phone import Clock, RawPhone, phone_of
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

Answer = dict[str, Any]
PAPER = {
    "district_b": (None, "district"), "community_b": ("district_b", "community"), "grid_b": ("community_b", "grid"),
    "grid_c": ("community_b", "grid"), "estate_b": ("community_b", "estate"),
}  # fmt: skip


@dataclass
class Land:
    """Building 1 is served from `community`; `community_b` is a tree of its own. The boss administers both."""

    world: World
    clock: Clock
    boss: RawPhone
    li: RawPhone
    """Works in the serving grid."""
    qian: RawPhone
    """Works in the other community."""
    door: UUID

    async def add_grid(self) -> UUID:
        id = self.world.areas["grid_2"] = NEW_ID()
        fields: Answer = {"parent_id": str(self.world.home), "level": "grid", "name": "grid_2"}
        item = Item(collection="areas", record=str(id), home=str(self.world.home), fields=fields)
        await create_all(self.world.context, [item])
        return id

    async def ask(self, method: str, path: str, who: RawPhone | None = None, **options: Any) -> httpx.Response:
        return await self.world.http.request(method, f"/v1/{path}", headers=(who or self.boss).headers, **options)

    async def make(self, area: str = "building_1", to: str = "community_b", **more: Any) -> httpx.Response:
        body = {"area_id": str(self.world.areas[area]), "administrative_id": str(self.world.areas[to]), **more}
        return await self.ask("POST", "enclaves", json=body)

    async def made(self, *areas: str, **more: Any) -> str:
        self.clock.forward(minutes=1)
        answer = await self.make(*areas, **more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def end(self, id: str, who: RawPhone | None = None) -> int:
        self.clock.forward(minutes=1)
        return (await self.ask("DELETE", f"enclaves/{id}", who)).status_code

    async def hand_over(self, area: str, to: str) -> Answer:
        self.clock.forward(minutes=1)
        body = {"to": str(self.world.areas[to]), "dry_run": False}
        answer = await self.ask("POST", f"areas/{self.world.areas[area]}/handover", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def drift(self) -> list[str]:
        return [one.check async for one in findings(self.world.context.database) if one.differing]

    async def knows(self, phone: RawPhone) -> bool:
        """Does it hold the door after its next complete pull?"""
        await phone.pull()
        phone.check_digests()
        return phone.holds("households", self.door) is not None


@pytest.fixture
async def land(context: Context) -> AsyncIterator[Land]:
    clock = Clock()
    context.database.seams = replace(context.seams, now=clock.now)
    world = await new_world(replace(context, seams=context.database.seams))
    for name, (parent, level) in PAPER.items():
        id = world.areas[name] = NEW_ID()
        fields: Answer = {"parent_id": str(world.areas[parent]) if parent else None, "level": level, "name": name}
        home = str(world.areas["community_b"]) if level in ("grid", "estate") else None
        await create_all(world.context, [Item(collection="areas", record=str(id), home=home, fields=fields)])
    boss = await phone_of(world, "boss", role="admin", area="district")
    await world.grant("boss", "district_b", "admin")
    li = await phone_of(world, "li", area="grid")
    qian = await phone_of(world, "qian", area="community_b")
    door = NEW_ID()
    await boss.apply("households", door, fields=household(world))
    yield Land(world, clock, boss, li, qian, door)
    assert await Land(world, clock, boss, li, qian, door).drift() == []
    await world.http.aclose()


async def test_people_of_both_communities_see_the_building_under_their_own_grants(land: Land) -> None:
    assert (await land.knows(land.li), await land.knows(land.qian)) == (True, False)
    await land.made()
    assert (await land.knows(land.li), await land.knows(land.qian)) == (True, True)
    # With the areas and the codes that say where that is.
    assert land.qian.holds("areas", land.world.areas["unit_1"])
    assert not land.qian.holds("households", NEW_ID())


async def test_what_either_side_writes_is_one_record_that_keeps_its_home(land: Land) -> None:
    await land.made()
    await land.qian.pull()
    visit, born = NEW_ID(), NEW_ID()
    await land.qian.apply("visits", visit, fields={"household_id": str(land.door), "outcome": "opened"})
    await land.qian.apply("residents", born, fields={"household_id": str(land.door), "name": "欧阳小明"})
    await land.li.pull()
    assert land.li.holds("visits", visit)
    read = await land.boss.get("residents", born)
    assert read["home"] == str(land.world.home)
    # A sum over both districts meets them once.
    for collection, id in (("visits", visit), ("residents", born), ("households", land.door)):
        listed = await land.ask("GET", collection)
        assert [one["id"] for one in listed.json()["items"]] == [str(id)]
    # Both changed it: a conflict for both, in one place.
    await land.li.apply("residents", born, "update", 1, fields={"name": "王小四"})
    [outcome] = await land.qian.push(mutation(land.world, "residents", born, "update", 1, fields={"name": "王小五"}))
    assert outcome["outcome"] == "conflicted"
    for phone in (land.li, land.qian):
        await phone.pull()
        assert phone.holds("conflicts", outcome["conflicts"][0])


async def test_only_whoever_has_the_place_on_paper_sees_it(land: Land) -> None:
    other = await phone_of(land.world, "zhao", area="grid_c")
    beside = await phone_of(land.world, "sun", area="building_2")
    here = await phone_of(land.world, "zhou", area="grid_b")
    await land.made(to="grid_b")
    assert [await land.knows(one) for one in (here, land.qian, other, beside)] == [True, True, False, False]


async def test_it_begins_and_ends_by_its_dates(land: Land) -> None:
    now = land.clock.time
    dates = {"since": now + timedelta(days=1), "until": now + timedelta(days=3)}
    await land.made(**{name: date.isoformat() for name, date in dates.items()})
    assert not await land.knows(land.qian)
    land.clock.forward(days=2)
    land.qian.headers = bearer(await land.world.phone_token("qian"))  # the old token has run out
    assert await land.knows(land.qian)
    land.clock.forward(days=2)
    land.qian.headers = bearer(await land.world.phone_token("qian"))
    assert not await land.knows(land.qian)


async def test_once_it_ends_the_other_side_drops_it_and_what_was_written_before_still_counts(land: Land) -> None:
    id = await land.made()
    assert await land.knows(land.qian)
    assert await land.end(id) == 204
    visit = NEW_ID()
    fields: Answer = {"household_id": str(land.door), "outcome": "opened", "note": "在家。"}
    await land.qian.apply("visits", visit, fields=fields)
    [late] = await land.qian.push(
        mutation(land.world, "households", land.door, "update", 1, fields={"best_time": "晚上"})
    )
    assert late["outcome"] == "conflicted"  # a candidate for whoever has it now
    assert (await land.knows(land.li), await land.knows(land.qian)) == (True, False)
    assert land.li.holds("visits", visit)
    assert not land.qian.holds("areas", land.world.areas["unit_1"])
    assert await land.end(id) == 204  # ending what has ended changes nothing
    # It may begin anew, at once; later only when nobody's grace is cut short by it.
    later = {"since": (land.clock.time + timedelta(days=2)).isoformat()}
    assert (await land.make(**later)).json()["code"] == "enclave_overlaps"
    await land.made()
    assert await land.knows(land.qian)


async def test_one_of_two_that_ends_leaves_the_other(land: Land) -> None:
    one, _ = await land.made(), await land.made("building_2")
    second = NEW_ID()
    await land.boss.apply("households", second, fields=household(land.world, unit="unit_2"))
    await land.end(one)
    assert not await land.knows(land.qian)
    assert land.qian.holds("households", second)
    assert land.qian.holds("areas", land.world.areas["unit_2"])


async def test_roles_and_buildings_that_come_later_reach_it_too(land: Land) -> None:
    await land.made("grid")
    late = await phone_of(land.world, "zhou", area="community_b")
    assert await land.knows(late)
    building, unit, door = (NEW_ID() for _ in range(3))
    tree = [(building, land.world.areas["grid"], "building"), (unit, building, "unit")]
    for id, parent, level in tree:
        fields: Answer = {"parent_id": str(parent), "level": level, "name": level}
        item = Item(collection="areas", record=str(id), home=str(land.world.home), fields=fields)
        await create_all(land.world.context, [item])
    await land.li.apply("households", door, fields={"area_id": str(unit), "door": "9"})
    for phone in (late, land.qian):
        await phone.pull()
        assert phone.holds("households", door)


async def test_helpers_of_the_other_side_see_what_helpers_see(land: Land) -> None:
    resident = NEW_ID()
    await land.boss.apply("residents", resident, fields={"household_id": str(land.door), "name": "欧阳小明"})
    lou = await phone_of(land.world, "lou", role="helper", area="community_b")
    await land.made()
    await lou.pull()
    change = lou.holds("residents", resident)
    assert change
    assert change["fields"]["name"] == "欧**明"


async def test_helpers_who_come_later_see_it_too(land: Land) -> None:
    resident = NEW_ID()
    await land.boss.apply("residents", resident, fields={"household_id": str(land.door), "name": "欧阳小明"})
    await land.made(to="grid_b")
    lou = await phone_of(land.world, "lou", role="helper", area="community_b")
    mei = await phone_of(land.world, "mei", role="helper", area="estate_b")
    report = await land.hand_over("grid_b", "estate_b")
    assert str(land.world.people["mei"]) in {one["person_id"] for one in report["gaining"]}
    for phone in (lou, mei):
        await phone.pull()
        change = phone.holds("residents", resident)
        assert change
        assert change["fields"]["name"] == "欧**明"


async def test_what_is_handed_over_takes_its_enclave_along_and_leaves_those_it_leaves(land: Land) -> None:
    await land.add_grid()
    await land.made("grid", "grid_b")
    assert await land.knows(land.qian)
    # The building leaves the enclave.
    await land.hand_over("building_1", "grid_2")
    assert not await land.knows(land.qian)
    # The place on paper moves to an estate: whoever has the estate has the enclave.
    zhou = await phone_of(land.world, "zhou", area="estate_b")
    second = NEW_ID()
    await land.boss.apply("households", second, fields=household(land.world, unit="unit_2"))
    await land.qian.pull()
    await zhou.pull()
    assert (bool(land.qian.holds("households", second)), bool(zhou.holds("households", second))) == (True, False)
    await land.hand_over("grid_b", "estate_b")
    await zhou.pull()
    assert zhou.holds("households", second)


async def test_whoever_administers_either_place_sees_it_and_may_end_it(land: Land) -> None:
    id = await land.made()
    for login, area, role in (("a", "community", "admin"), ("b", "community_b", "secretary")):
        phone = await phone_of(land.world, login, role=role, area=area)
        listed = await land.ask("GET", "enclaves", phone)
        assert [one["id"] for one in listed.json()["enclaves"]] == [id]
    assert (await land.ask("GET", "enclaves", land.li)).json()["enclaves"] == []
    assert await land.end(id, land.li) == 404
    theirs = await phone_of(land.world, "c", role="admin", area="district_b")
    assert await land.end(id, theirs) == 204


async def test_each_mistake_has_its_code(land: Land) -> None:
    past, later = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
    told = {
        "enclave_unfit": [("community", "community_b"), ("unit_1", "community_b"), ("building_1", "district_b"),
                          ("building_1", "community"), ("building_1", "unit_2"), ("building_1", "building_2")],
    }  # fmt: skip
    for code, pairs in told.items():
        for area, to in pairs:
            assert (await land.make(area, to)).json()["code"] == code, (area, to)
    backward = [{"until": past}, {"since": later, "until": later}, {"since": later, "until": "2998-01-01T00:00:00Z"}]
    for dates in backward:
        assert (await land.make(**dates)).json()["code"] == "dates_backward"
    await land.made("grid")
    for area in ("grid", "building_1"):
        assert (await land.make(area)).json()["code"] == "enclave_overlaps"
    grid = await land.add_grid()
    await land.made("grid_2")
    moved = await land.ask("POST", f"areas/{grid}/handover", json={"to": str(land.world.areas["grid"])})
    assert moved.json()["code"] == "enclave_overlaps"
    body = {"area_id": str(NEW_ID()), "administrative_id": str(land.world.areas["community_b"])}
    assert (await land.ask("POST", "enclaves", json=body)).json()["code"] == "reference_not_found"
    half = await phone_of(land.world, "half", role="admin", area="district")
    body["area_id"] = str(land.world.areas["building_1"])
    assert (await land.ask("POST", "enclaves", half, json=body)).json()["code"] == "reference_not_found"
    assert (await land.ask("POST", "enclaves", land.li, json=body)).json()["code"] == "not_permitted"


async def test_of_a_role_and_an_enclave_given_at_once_neither_misses_the_other(land: Land) -> None:
    for turn in range(6):
        login = f"new{turn}"
        land.world.people[login] = await land.world.add_person(login, area="grid_c")
        [made, _] = await asyncio.gather(land.made(), land.world.grant(login, "community_b"))
        assert await land.drift() == []
        await asyncio.gather(land.end(made), land.world.end_grant(login, "community_b"))
        assert await land.drift() == []
