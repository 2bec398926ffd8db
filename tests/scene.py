"""A scene for tests of bad input, one a module: two communities, two people with a phone each, some records."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from app.context import Context
from app.operator import Item, create_all
from app.settings import Settings
from tests.conftest import KEY, opened
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

Answer = dict[str, Any]


@dataclass
class Scene:
    """Li works in building 1, Wang in the whole community, nobody in the other one."""

    world: World
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[str, UUID] = field(default_factory=dict)
    cursor: str | None = None
    """How far Wang's phone has read."""

    async def push(self, *mutations: bytes, who: str = "li") -> Answer:
        body = b'{"protocol":1,"home":"%s","mutations":[' % str(self.world.home).encode() + b",".join(mutations) + b"]}"
        headers = {**bearer(self.tokens[who]), "Content-Type": "application/json"}
        answer = await self.world.http.post("/v1/sync/push", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def payloads(self, who: str) -> list[bytes]:
        """Of the newest things refused to this person."""
        query = {"outcome": "refused", "limit": "5"}
        listed = await self.world.http.get("/v1/mutations", params=query, headers=bearer(self.tokens[who]))
        return [base64.b64decode(m["payload_base64"] or "") for m in listed.json()["mutations"]]

    async def news(self, cursor: str | None = None) -> Answer:
        """What Wang's phone, which sees all of it, hears above a cursor: every change in one page, or `unchanged`."""
        changes: list[Answer] = []
        page: Answer = {"complete": False, "cursor": cursor}
        while not page["complete"]:
            body = {"cursor": page["cursor"], "limit": 2000}
            page = (await self.world.http.post("/v1/sync/pull", json=body, headers=bearer(self.tokens["wang"]))).json()
            if page.get("unchanged"):
                return page
            changes += page["changes"]
        return {**page, "changes": changes}

    def door(self, **fields: Any) -> Answer:
        return mutation(self.world, "households", NEW_ID(), fields=household(self.world, **fields))

    def change(self, collection: str, name: str, op: str = "update", **options: Any) -> Answer:
        return mutation(self.world, collection, self.ids[name], op, 1, **options)


@pytest.fixture(scope="module", params=["sqlite", "postgres"], name="url")
def url_for_a_module(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store for a whole module, which the template was copied into."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('store') / 'test.db'}"
        return
    server, name = request.getfixturevalue("postgres"), f"test_{NEW_ID().hex}"
    server.create_database(name, request.getfixturevalue("template"))
    yield str(server.url(name))
    server.drop_database(name)


@pytest.fixture(scope="module", name="scene")
async def scene_for_a_module(url: str) -> AsyncIterator[Scene]:
    """One world for a whole module: every case works on records of its own."""
    async with opened(Settings(database_url=url, key=KEY)) as context:
        scene = await new_scene(context)
        yield scene
        await scene.world.http.aclose()


async def new_scene(context: Context) -> Scene:
    """Two communities, two people with a phone each, and records in every place."""
    world = await new_world(context)
    await world.add_person("li", area="building_1")
    await world.add_person("wang")
    scene = Scene(world, {who: await world.phone_token(who) for who in ("li", "wang")})
    scene.ids = {name: NEW_ID() for name in ("mine", "next_door", "gone", "visit", "tower", "far_door", "community_2")}
    await scene.push(*(as_bytes(m) for m in _records(scene)), who="wang")
    areas = [("community_2", "community", world.areas["district"]), ("tower", "building", scene.ids["community_2"])]
    items = [
        Item(
            collection="areas",
            record=str(scene.ids[name]),
            home=None,
            fields={"parent_id": str(parent), "level": level, "name": name, "code": name},
        )
        for name, level, parent in areas
    ]
    door = {"area_id": str(scene.ids["tower"]), "door": "1"}
    far = Item(
        collection="households", record=str(scene.ids["far_door"]), home=str(scene.ids["community_2"]), fields=door
    )
    await create_all(context, [*items, far])
    return scene


def _records(scene: Scene) -> list[Answer]:
    world, ids = scene.world, scene.ids
    visit = {"household_id": str(ids["mine"]), "outcome": "opened", "note": "开门。"}
    return [
        mutation(world, "households", ids["mine"], fields=household(world)),
        mutation(world, "households", ids["next_door"], fields=household(world, unit="unit_2")),
        mutation(world, "households", ids["gone"], fields=household(world, "102")),
        mutation(world, "households", ids["gone"], "delete", 1),
        mutation(world, "visits", ids["visit"], fields=visit),
    ]


def as_bytes(value: Answer) -> bytes:
    return json.dumps(value).encode()


def spliced(value: Answer, **raw: str | bytes) -> bytes:
    """The value with some of its words, marked `@name`, replaced by raw JSON."""
    text = json.dumps(value).encode()
    for name, part in raw.items():
        text = text.replace(b'"@%s"' % name.encode(), part if isinstance(part, bytes) else part.encode())
    return text
