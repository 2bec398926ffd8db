"""Makes valid records of any collection from its declaration alone; and the fixtures to do it as an administrator."""

import re
from typing import Any

import httpx
import pytest
from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.fields import FieldSpec
from app.operator import add_area
from sync.wire import Fields
from tests.raw_phone import Answer, RawPhone, phone_of
from tests.world import NEW_ID, World

WRITABLE = {name: c for name, c in COLLECTIONS.items() if name != "conflicts"}
"""Conflicts are made by the server and changed by resolutions: see test_conflicts_are_records.py."""

every = pytest.mark.parametrize("collection", WRITABLE.values(), ids=WRITABLE.keys())

SAMPLES: list[JsonValue] = [
    *("alpha", "beta", "13800000000", "13900000000", "11010519491231002X", "甲。乙。", "乙。丙。"),
    *("11420107MB1A2B3C47", "51420107MJX000001F", ["door"], ["phone"]),
    *(1, 2, 3, False, True, "1990-01-01", "1991-02-02", "2026-01-01T08:00:00.000000Z", "2026-01-02T08:00:00.000000Z"),
    *(str(NEW_ID()), str(NEW_ID()), ["alpha"], ["beta"], *([str(NEW_ID())] for _ in range(3)), None),
    *({}, {"1": '{"type":"object","properties":{"fever":{"type":"boolean"}}}'}, {"fever": True}),
]
"""Something for every kind of field; what a field doesn't allow isn't tried on it. Add here what is missing."""

INHERITED = {"feed_level", "home_level"}
"""An area has them from its tree, whatever its create says."""


def values_of(collection: Collection, spec: FieldSpec) -> list[JsonValue]:
    """Different values that the field allows, as they are stored."""
    enum = re.findall(r"'enum': \[(.*?)\]", str(spec.adapter.json_schema()))
    found: list[JsonValue] = []
    for sample in [*(word.strip(" '") for words in enum for word in words.split(",")), *SAMPLES]:
        value, errors = collection.clean_value(spec.name, sample)
        if not errors and value not in found:
            found.append(value)
    assert len(found) >= 2, f"add samples of {collection.name}.{spec.name} to SAMPLES"
    return found


TEAMS = ("team_1", "team_2")
PLACES = {"reference": ("building_1", "building_2"), "staff": ("unit_1", "unit_2"), "team": TEAMS}
"""Where records of each audience can be."""


def who_only_reads(collection: Collection) -> dict[str, str]:
    """The role of somebody who sees what a maker makes and writes none of it, and over what."""
    return {"role": "officer", "area": TEAMS[0]} if collection.audience == "team" else {"role": "reader"}


class Maker:
    """Makes valid records of any collection, through the ordinary routes, as the administrator.

    Of what only a team sees, as one of its own as well. Makers that are given the same `doors` refer to the same
    households and residents, which are made once.
    """

    def __init__(self, world: World, phone: RawPhone, doors: dict[str, str] | None = None) -> None:
        self.world, self.phone, self.doors = world, phone, doors
        self.joined = False

    async def join_teams(self) -> None:
        """Makes the teams where there are none, and joins them."""
        for name in TEAMS if not self.joined else ():
            if name not in self.world.areas:
                there = {"code": name, "name": name, "level": "team", "parent_code": "community"}
                self.world.areas[name] = await add_area(self.world.context, **there)
            await self.world.grant(self.phone.login, name, "mediator")
        self.joined = True

    async def fields(self, collection: Collection, *, whole: bool = False) -> Fields:
        """What a create must say; with `whole`, also all that fits together of what it may."""
        fields: Fields = {}
        for name, spec in collection.fields.items():
            if spec.required or name == collection.lists_in:
                fields[name] = await self.value(collection, spec)
        for name, spec in collection.fields.items() if whole else ():
            if name not in fields and not spec.refers_to and not spec.given and name not in INHERITED:
                more = {**fields, name: values_of(collection, spec)[0]}
                fields = fields if collection.rules.faults(more) else more
        return fields

    async def value(self, collection: Collection, spec: FieldSpec, unlike: JsonValue = None) -> JsonValue:
        """A value that the field allows, other than `unlike`."""
        if spec.refers_to == "areas":
            if collection.audience == "team":
                await self.join_teams()
            places = PLACES[collection.audience]
            return next(id for place in places if (id := str(self.world.areas[place])) != unlike)
        if spec.refers_to and self.doors is not None and spec.refers_to in ("households", "residents"):
            if self.doors.get(spec.refers_to, unlike) == unlike:
                self.doors[spec.refers_to] = str((await self.create(COLLECTIONS[spec.refers_to]))["id"])
            return self.doors[spec.refers_to]
        if spec.refers_to:
            return str((await self.create(COLLECTIONS[spec.refers_to]))["id"])
        return next(value for value in values_of(collection, spec) if value != unlike)

    async def create(self, collection: Collection, fields: Fields | None = None) -> Answer:
        body = await self.fields(collection) if fields is None else fields
        answer = await self.send("POST", collection, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def send(self, method: str, collection: Collection, path: str = "", **options: Any) -> httpx.Response:
        headers = {**self.phone.headers, **options.pop("headers", {})}
        return await self.world.http.request(method, f"/v1/{collection.name}{path}", headers=headers, **options)

    async def change(self, collection: Collection, held: Answer) -> Fields:
        """A change of one field that may be changed."""
        for name, spec in collection.fields.items():
            if spec.policy.name not in ("once", "steps") and not spec.refers_to:
                for value in values_of(collection, spec):
                    if value not in (held[name], None):
                        return {name: value}
        pytest.fail(f"nothing of {collection.name} can be changed")


def as_change(spec: FieldSpec, start: Any, value: Any) -> JsonValue:
    """How a phone says that it changed the field from one value to the other."""
    if spec.policy.name == "union":
        return {"add": [m for m in value if m not in start], "remove": [m for m in start if m not in value]}
    return {"increment": value - (start or 0)} if spec.policy.name == "total" else value


def merged(spec: FieldSpec, start: Any, ours: Any, theirs: Any) -> Any:
    if spec.policy.name == "union":
        return sorted({*ours, *theirs} - ({*start} - {*ours}) - ({*start} - {*theirs}))
    return max(ours, theirs) if spec.policy.name == "maximum" else ours + theirs - (start or 0)


@pytest.fixture
async def boss(world: World) -> RawPhone:
    return await phone_of(world, "boss", role="admin")


@pytest.fixture
def make(world: World, boss: RawPhone) -> Maker:
    return Maker(world, boss)
