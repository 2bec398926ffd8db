"""A real server on loopback, in a thread, and terminal phones to use against it."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from typer.testing import CliRunner, Result

from app.cli import app
from app.opening import open_context
from app.operator import Item, create_all
from app.settings import Settings
from sync import seams
from tests.world import NEW_ID, PASSWORD, World, household, new_world

TEXTS = ("爱聊天。耳朵背。", "每周三去医院。门铃坏了。")


@contextmanager
def running_place(folder: Path) -> Iterator["Place"]:
    """The server, until the block ends."""
    place = Place(folder)
    thread = threading.Thread(target=place.run)
    thread.start()
    assert place.ready.wait(30)
    yield place
    assert place.serving
    place.serving.should_exit = True
    thread.join(30)


@dataclass
class Place:
    """A real server on loopback, in a thread, with a few doors in it."""

    folder: Path
    url: str = ""
    ready: threading.Event = field(default_factory=threading.Event)
    serving: uvicorn.Server | None = None

    def run(self) -> None:
        """The thread."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        context = await open_context(Settings(database_url=f"sqlite:///{self.folder / 'server.db'}"), seams.real())
        world = await new_world(context)
        for login in ("wang", "li"):
            await world.add_person(login)
        await create_all(context, _doors(world))
        with closing(socket.socket()) as listening:
            listening.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            config = uvicorn.Config(world.app, log_config=None, access_log=False)
            self.serving = uvicorn.Server(config)
            self.ready.set()
            await self.serving.serve(sockets=[listening])
        await world.http.aclose()
        await context.database.close()


def _doors(world: World) -> list[Item]:
    made = [household(world, door, note=TEXTS[door == "102"]) for door in ("1101", "102", "101")]
    home = str(world.home)
    return [Item(collection="households", record=str(NEW_ID()), home=home, fields=fields) for fields in made]


@dataclass
class Terminal:
    """One phone's file."""

    file: Path
    server: str

    def run(self, *command: str, password: str | None = None) -> Result:
        """One command, in words."""
        where = ["phone", "--file", str(self.file), "--server", self.server]
        return CliRunner().invoke(app, [*where, *command], input=password)

    def json(self, *command: str) -> Any:
        """One command that succeeds, as its document."""
        result = self.run("--json", *command)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def problem(self, *command: str) -> str:
        """The code of what stands in a command's way."""
        result = self.run("--json", *command)
        assert result.exit_code == 1, result.output
        return str(json.loads(result.stdout)["problem"]["code"])

    def login(self, login: str) -> None:
        result = self.run("login", login, password=f"{PASSWORD}\n")
        assert result.exit_code == 0, result.output

    def door(self, number: str) -> str:
        """A household's id."""
        listed = self.json("list")["records"]
        return next(str(one["id"]) for one in listed if one["fields"]["door"] == number)

    def record(self, id: str) -> Any:
        """Its fields as shown."""
        return self.json("show", id)["fields"]
