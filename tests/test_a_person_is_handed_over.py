"""换片: somebody goes to another grid with all their roles; nothing is lost, or shown without cause. Both stores."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.grants import add_grant
from tests.grids import DOORS, Place, held, place
from tests.raw_phone import Answer, phone_of, second_community
from tests.world import NEW_ID, bearer, mutation

__all__ = ["place"]


@dataclass
class Office:
    """Who hands people over, and the place where they work."""

    place: Place
    headers: dict[str, str]

    async def ask(
        self, who: str = "li", *, of: str = "grid", to: str = "grid_2", dry_run: bool = False
    ) -> httpx.Response:
        world = self.place.world
        body = {"area_id": str(world.areas[of]), "to": str(world.areas[to]), "dry_run": dry_run}
        path = f"/v1/people/{world.people[who]}/handover"
        return await world.http.post(path, json=body, headers=self.headers)

    async def grants(self, who: str) -> list[tuple[Any, ...]]:
        """Those in force: over what, which, until when and why."""
        asked = {"person_id": str(self.place.world.people[who])}
        answer = await self.place.world.http.get("/v1/grants", params=asked, headers=self.headers)
        now = self.place.world.context.seams.now().isoformat().replace("+00:00", "Z")
        lasting = [one for one in answer.json()["grants"] if one["until"] is None or one["until"] > now]
        return [(one["area_id"], one["role"], one["until"], one["reason"]) for one in lasting]


@pytest.fixture
async def office(place: Place) -> Office:
    await place.world.add_person("security", role="security")
    return Office(place, bearer(await place.world.token("security")))


async def test_the_phone_drops_the_one_grid_and_gets_the_other(office: Office) -> None:
    li, place = office.place.li, office.place
    zhao = await phone_of(place.world, "zhao", area="grid_2")
    done = (await office.ask()).json()
    assert (done["done"], done["roles"], done["person"]["phones_in_all"]) == (True, ["worker"], 1)
    for phone in (li, zhao):
        await phone.pull()
        phone.check_digests()
    assert (held(li, place), held(zhao, place)) == ((0, 0), (0, 0))
    await office.ask(of="grid_2", to="grid")
    await li.pull()
    assert held(li, place) == (DOORS, DOORS)


async def test_a_dry_run_tells_what_it_touches_and_changes_nothing(office: Office) -> None:
    place = office.place
    late = mutation(place.world, "households", place.doors[0], "update", 1, fields={"door": "x"})
    await place.boss.push(mutation(place.world, "households", place.doors[0], "update", 1, fields={"door": "y"}))
    await place.li.push(late, outbox={"depth": 8, "oldest_at": "2026-03-02T07:00:00Z"})
    before = await office.grants("li")
    tried = (await office.ask(dry_run=True)).json()
    assert (tried["done"], tried["losing"]["records"], tried["losing"]["open_conflicts"]) == (False, 2 * DOORS + 1, 1)
    assert tried["gaining"] == {"records": 0, "open_conflicts": 0}
    assert tried["feeds"] == 2  # areas and codes of the community and above it: the other grid has no building
    [phone] = tried["person"]["phones"]
    assert (phone["unsent"], phone["unsent_since"]) == (7, "2026-03-02T07:00:00Z")
    assert await office.grants("li") == before
    await place.li.pull()
    assert held(place.li, place) == (DOORS, DOORS)


async def test_what_was_written_before_and_arrives_later_is_all_accounted_for(office: Office) -> None:
    await office.ask()
    world, place = office.place.world, office.place
    knocks: list[Answer] = [
        mutation(world, "visits", NEW_ID(), fields={"household_id": str(door), "outcome": "opened", "note": "迟到的。"})
        for door in place.doors
    ]
    edits = [mutation(world, "visits", id, "update", 1, fields={"note": "改过。"}) for id in place.visits]
    outcomes = await place.li.push(*knocks, *edits)
    assert [one["outcome"] for one in outcomes] == ["applied"] * DOORS + ["conflicted"] * DOORS


async def test_every_role_goes_along_with_its_end_and_its_reason(office: Office) -> None:
    world, until = office.place.world, office.place.world.context.seams.now() + timedelta(days=30)
    await world.grant("li", "grid", "helper", until=until)
    before = await office.grants("li")
    tried, done = [(await office.ask(dry_run=dry)).json() for dry in (True, False)]
    # Whoever has both sees each record once, in the wider view.
    assert tried["losing"]["records"] == 2 * DOORS
    assert (done["roles"], done["losing"]) == (["helper", "worker"], None)
    there = str(world.areas["grid_2"])
    assert sorted(await office.grants("li"), key=repr) == sorted([(there, *one[1:]) for one in before], key=repr)


async def test_roles_over_other_areas_stay(office: Office) -> None:
    await office.place.world.grant("li", "building_1", "reader")
    tried = (await office.ask(dry_run=True)).json()
    assert (tried["roles"], tried["losing"]["records"]) == (["worker"], 0)
    await office.ask()
    await office.place.li.pull()
    assert held(office.place.li, office.place) == (DOORS, DOORS)


async def test_a_role_to_come_goes_along_and_leaves_no_grace_where_it_never_began(office: Office) -> None:
    world, place = office.place.world, office.place
    soon = world.context.seams.now() + timedelta(seconds=1)
    zhao = await phone_of(world, "zhao", role="reader", area="grid_2")
    async with world.context.database.transaction() as transaction:
        person, area = world.people["zhao"], world.areas["grid"]
        await add_grant(transaction, world.context, person_id=person, area_id=area, role="worker", since=soon)
    tried = (await office.ask("zhao", dry_run=True)).json()
    assert (tried["roles"], tried["losing"]["records"]) == (["worker"], 2 * DOORS)
    assert (await office.ask("zhao")).status_code == 200
    while world.context.seams.now() < soon:
        await asyncio.sleep(0.1)
    knock: Answer = {"household_id": str(place.doors[0]), "outcome": "opened"}
    [refused] = await zhao.push(mutation(world, "visits", NEW_ID(), fields=knock))
    assert refused["outcome"] == "refused", refused


async def test_what_had_gone_before_is_neither_dropped_nor_kept(office: Office) -> None:
    await office.place.hand_over()  # building 1, with its doors, to the other grid
    there = (await office.ask(dry_run=True)).json()
    assert (there["losing"]["records"], there["gaining"]["records"]) == (0, 2 * DOORS)


async def test_nobody_is_handed_over_to_where_one_does_not_give_roles(office: Office) -> None:
    world = office.place.world
    world.areas["elsewhere"] = await second_community(world)
    for asked in ({"to": "elsewhere"}, {"of": "elsewhere"}):
        before = await office.grants("li")
        refused = (await office.ask(**asked)).json()
        told = [error["pointer"] for error in refused["errors"]]
        assert (refused["code"], told) == ("reference_not_found", ["/to" if "to" in asked else "/area_id"])
        assert await office.grants("li") == before


async def test_what_can_not_be_done_is_told_and_nothing_is_half_done(office: Office) -> None:
    world = office.place.world
    await world.grant("wang", "grid", "worker")
    world.people["nobody"], world.areas["nowhere"] = NEW_ID(), NEW_ID()
    await world.add_person("idle", area="grid_2")
    before = await office.grants("li"), await office.grants("wang")
    for asked, code, pointer in [
        ({"to": "grid"}, "handover_to_itself", ["/to"]),
        ({"to": "nowhere"}, "reference_not_found", ["/to"]),
        ({"of": "nowhere"}, "reference_not_found", ["/area_id"]),
        ({"who": "nobody"}, "not_found", []),
        ({"who": "idle"}, "not_found", []),
        ({"who": "security", "of": "community"}, "not_permitted", []),
        ({"who": "wang", "of": "grid_2", "to": "grid"}, "grant_overlaps", ["/to"]),
    ]:
        refused = (await office.ask(**asked)).json()
        told = [error["pointer"] for error in refused.get("errors", [])]
        assert (refused["code"], told) == (code, pointer), asked
    assert (await office.grants("li"), await office.grants("wang")) == before


async def test_a_disabled_account_is_not_handed_over(office: Office) -> None:
    world = office.place.world
    await world.add_person("keeper", role="system")
    keeper = bearer(await world.token("keeper"))
    assert (await world.http.delete(f"/v1/people/{world.people['li']}", headers=keeper)).status_code == 204
    assert (await office.ask()).json()["code"] == "not_found"


async def test_only_security_administrators_may(office: Office) -> None:
    for who in (office.place.boss, office.place.li):
        asked = Office(office.place, who.headers)
        assert (await asked.ask("wang", of="grid_2", to="grid")).json()["code"] == "not_permitted"
