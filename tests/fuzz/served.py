"""The server as schemathesis meets it: a small community, an administrator with a phone, and an open conflict.

Everything that lives on an event loop is opened on the one that will serve, since it belongs there.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from schemathesis.python.asgi import get_client
from starlette.types import Receive, Scope, Send

from app.settings import Settings
from tests.conftest import KEY, opened
from tests.world import NEW_ID, PASSWORD, World, bearer, household, mutation, new_world

LOGIN = "admin"


@dataclass
class Served:
    """An ASGI application that opens its store when its lifespan begins, and closes it at the end."""

    database_url: str
    world: World = field(init=False)
    doors: list[UUID] = field(default_factory=lambda: [NEW_ID() for _ in range(2)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.world.app(scope, receive, send)
            return
        await receive()
        async with opened(Settings(database_url=self.database_url, key=KEY)) as context:
            self.world = await new_world(context)
            await self._settle_in()
            # Nobody waits for news here: a made-up `wait` would take its seconds for real.
            self.world.app.state.waiting.stop()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.world.http.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _settle_in(self) -> None:
        """Two people at one door, who call it differently."""
        world = self.world
        await world.add_person(LOGIN, role="admin")
        made = [mutation(world, "households", door, fields=household(world)) for door in self.doors]
        edits = [mutation(world, "households", self.doors[0], "update", 1, fields={"door": d}) for d in ("1", "2")]
        for sent, outcome in ((made, "applied"), (edits[:1], "applied"), (edits[1:], "conflicted")):
            signed = bearer(await world.phone_token(LOGIN))
            answer = await world.http.post("/v1/sync/push", json={"mutations": sent}, headers=signed)
            assert {o["outcome"] for o in answer.json()["outcomes"]} == {outcome}, answer.text

    def phone_token(self) -> str:
        """Signs in and registers a phone, as anybody outside does it; from another thread than the server's."""
        with get_client(self) as client:
            form = {"grant_type": "password", "username": LOGIN, "password": PASSWORD}
            signed = bearer(client.post("/v1/auth/token", data=form).json()["access_token"])
            about = {"name": "a phone", "platform": "test", "app_version": "1"}
            return str(client.post("/v1/replicas", json=about, headers=signed).json()["access_token"])

    def known(self, name: str, other: str) -> str:
        """What a reference of this name can lead to; any other as it was made up."""
        places = {"area_id": self.world.areas["unit_1"], "parent_id": self.world.areas["grid"]}
        places |= {"household_id": self.doors[1], "home": self.world.home}
        return str(places.get(name, other))


def led_somewhere(served: Served, value: Any) -> Any:
    """Half of the made-up references in a body lead to a record that is there: else everything is refused early."""
    if isinstance(value, list):
        return [led_somewhere(served, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: served.known(key, item)
        if isinstance(item, str) and item[:1] in "01234567" and len(item) == 36
        else led_somewhere(served, item)
        for key, item in value.items()
    }
