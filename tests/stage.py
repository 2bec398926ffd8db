"""A place to try an operation in, with a record it can be about and a good request, to be spoilt."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.operator import add_area
from tests.contract import Answer
from tests.maker import Maker
from tests.raw_phone import RawPhone, phone_of
from tests.two_people import contested
from tests.world import NEW_ID, PASSWORD, World

ROSTER = "单元,房号,姓名\nunit_1,101,周桂兰\n".encode()
OVERRIDE = "X-HTTP-Method-Override"
JSON = "application/json"


@dataclass
class Stage:
    """An operation, a place to try it in, and what a good request of it says."""

    world: World
    patch: pytest.MonkeyPatch
    name: str
    method: str
    path: str
    make: Maker
    collection: Collection | None
    id: UUID
    login: str
    good: Answer
    """Of the request: what goes to httpx."""

    async def another(self, **where: str) -> RawPhone:
        """Somebody else with a phone."""
        return await phone_of(self.world, f"another_{NEW_ID()}", **where)

    async def ask(self, http: httpx.AsyncClient | None = None, **changes: Any) -> httpx.Response:
        """The good request, but for the changes; a header that is None is left out."""
        said = {**self.good, **changes}
        headers = {**self.make.phone.headers, **self.good.get("headers", {}), **changes.get("headers", {})}
        said["headers"] = {name: value for name, value in headers.items() if value is not None}
        if "content" in changes:
            said = {name: part for name, part in said.items() if name not in ("json", "data", "files")}
            said["headers"].setdefault("Content-Type", JSON)
        address = re.sub(r"\{\w+\}", str(self.id), self.path)
        return await (http or self.world.http).request(self.method, said.pop("path", address), **said)

    async def ask_with(self, **fields: Any) -> httpx.Response:
        """The good body, form or query, with other fields."""
        said = next((said for said in ("params", "data") if said in self.good), "json")
        return await self.ask(**{said: {**self.good[said], **fields}})

    @property
    def is_form(self) -> bool:
        return self.name == "post_token"

    @property
    def is_of_an_area(self) -> bool:
        """Does it say in its body, or query, about which area it is?"""
        return "/reports/" in self.path or self.name in ("post_import", "post_export", "freeze_campaign")


async def stage_of(
    world: World, patch: pytest.MonkeyPatch, name: str, method: str, path: str, doors: dict[str, str] | None = None
) -> Stage:
    """With a record, or a conflict, that the operation can be about; behind `doors` that other stages had."""
    login = f"secretary_{NEW_ID()}"
    make = Maker(world, await phone_of(world, login, role=ROLES.get(name, "admin")), doors)
    collection = COLLECTIONS.get(path.split("/")[2]) if path.startswith("/v1/") else None
    stage = Stage(world, patch, name, method.upper(), path, make, collection, NEW_ID(), login, {})
    if collection is None:
        form = {"data": {"grant_type": "password", "username": login, "password": PASSWORD}}
        stage.good = form if stage.is_form else OTHERS.get(name, {})
        if name in ROLES:
            await _with_somebody(stage)
        if path.startswith("/v1/reports"):
            days = {"since": "2026-03-02", "until": "2026-03-06"} if name in ("get_coverage", "get_activity") else {}
            area = {"area_id": str(world.areas["building_1" if name == "get_board" else "grid"]), **days}
            if name == "get_sweep":
                area["campaign_id"] = (await make.create(COLLECTIONS["campaigns"]))["id"]
            stage.good = {"json": area} if method == "post" else {"params": area}
        if name in ("post_import", "post_export"):
            area = {"area_id": str(world.areas["grid"])}
            stage.good = {"data": area, "files": {"file": ("roster.csv", ROSTER)}} if name == "post_import" else {}
            stage.good = stage.good or {"json": area}
        if path.startswith("/v1/enclaves"):
            await _with_another_community(stage)
    elif collection.name == "conflicts":
        door = UUID((await make.create(COLLECTIONS["households"]))["id"])
        stage.id = UUID(await contested(make.phone, await stage.another(), door))
        stage.good = {"json": {"value": "103"}} if method == "post" else {}
    else:
        record = await make.create(collection)
        stage.id = UUID(record["id"])
        stage.good = await _good(stage, collection, name.removeprefix(f"{collection.name}_"), record)
    return stage


OTHERS: dict[str, Answer] = {
    "post_replica": {"json": {"name": "a phone", "platform": "test", "app_version": "1"}},
    "push": {"json": {"protocol": 1, "mutations": []}},
    "pull": {"json": {"protocol": 1}},
    "synchronise": {"json": {"protocol": 1}},
}


ROLES = {
    **dict.fromkeys(("list_grants", "post_grant", "delete_grant", "hand_over_person"), "security"),
    **dict.fromkeys(("list_people", "post_person", "delete_person"), "system"),
}
"""Who does what isn't an admin's to do."""


async def _with_somebody(stage: Stage) -> None:
    """Another account, whom a grant can be given and whose own can be ended."""
    world, login = stage.world, f"somebody_{NEW_ID()}"
    person = stage.id = await world.add_person(login, area="building_1")
    if stage.name == "post_grant":
        stage.good = {"json": {"person_id": str(person), "area_id": str(world.areas["building_2"]), "role": "worker"}}
    elif stage.name == "delete_grant":
        asked = {"person_id": str(person)}
        held = await world.http.get("/v1/grants", params=asked, headers=stage.make.phone.headers)
        stage.id = UUID(held.json()["grants"][0]["id"])
    elif stage.name == "hand_over_person":
        there = {"area_id": str(world.areas["building_1"]), "to": str(world.areas["building_2"])}
        stage.good = {"json": {**there, "dry_run": False}}
    elif stage.name == "post_person":
        stage.good = {"json": {"login": f"new_{NEW_ID()}", "password": PASSWORD}}


async def _with_another_community(stage: Stage) -> None:
    """In which a building administratively lies, or can."""
    world, code = stage.world, NEW_ID().hex
    there = await add_area(world.context, code=code, name="other", level="community", parent_code="district")
    house = await add_area(world.context, code=None, name="house", level="building", parent_code="grid")
    world.areas[code] = there
    await world.grant(stage.login, code, "admin")
    stage.good = {"json": {"area_id": str(house), "administrative_id": str(there)}}
    if stage.name == "delete_enclave":
        made = await world.http.post("/v1/enclaves", **stage.good, headers=stage.make.phone.headers)
        stage.id, stage.good = UUID(made.json()["id"]), {}


async def _good(stage: Stage, collection: Collection, route: str, record: Answer) -> Answer:
    if stage.name == "hand_area_over":
        grid = await stage.make.create(collection, {"parent_id": str(stage.world.home), "level": "grid", "name": "two"})
        stage.id = stage.world.areas["building_1"]
        return {"json": {"to": grid["id"], "dry_run": False}}
    if stage.name == "freeze_campaign":
        return {"json": {}}
    if route == "merge":
        return {"json": {"into": (await stage.make.create(collection))["id"]}}
    if route in ("create", "put"):
        return {"json": await stage.make.fields(collection)}
    if route in ("patch", "override"):
        headers = {OVERRIDE: "PATCH"} if route == "override" else {}
        return {"json": await stage.make.change(collection, record), "headers": headers}
    return {}
