"""I10: the server came back from an older copy; once the phones have synced, nothing acknowledged is missing."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.context import Context
from app.opening import open_context
from app.schema import begin_epoch
from app.settings import Settings
from app.tables import History
from sync import seams
from tests.conftest import KEY
from tests.phones import Phone, key_of, new_phone
from tests.postgres import Server
from tests.world import World, household, new_world

DOOR, LATER = UUID(int=1, version=4), UUID(int=2, version=4)
_HISTORY: sa.Table = History.__table__  # type: ignore[attr-defined]
Copying = Callable[[str], str]


@pytest.fixture
def copy_of(store: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Copying]:
    """Copies a closed store; the copy's URL."""
    if store == "sqlite":
        yield lambda url: _copied_file(url, tmp_path / f"{seams.real().new_id().hex}.db")
        return
    server: Server = request.getfixturevalue("postgres")
    made: list[str] = []

    def copied(url: str) -> str:
        made.append(f"copy_{seams.real().new_id().hex}")
        server.create_database(made[-1], str(sa.make_url(url).database))
        return server.url(made[-1])

    yield copied
    for name in made:
        server.drop_database(name)


def _copied_file(url: str, file: Path) -> str:
    shutil.copy(url.removeprefix("sqlite:///"), file)
    return f"sqlite:///{file}"


async def _opened(world: World, url: str) -> None:
    context: Context = await open_context(Settings(database_url=url, key=KEY), seams.real())
    world.context = world.app.state.context = context


async def _edit_a_day(li: Phone, wang: Phone, world: World) -> None:
    """What both phones do after the backup was made; all of it is acknowledged and pulled."""
    li.replica.create("households", world.home, household(world, "202", note="新搬来。"), LATER)
    await li.sync()
    await wang.sync()
    wang.replica.edit(key_of(world, "households", LATER), {"note": "新搬来。一家三口。"})
    wang.replica.edit(key_of(world, "households", DOOR), {"door": "101甲"})
    visit = {"household_id": str(LATER), "outcome": "opened", "note": "送药上门。"}
    wang.replica.create("visits", world.home, visit)
    await wang.sync()
    await li.sync()


@pytest.mark.parametrize("told", [True, False], ids=["with the command", "and nobody told it"])
async def test_nothing_acknowledged_is_missing(
    context: Context, database_url: str, copy_of: Copying, told: bool
) -> None:
    world = await new_world(context)
    for login in ("li", "wang"):
        await world.add_person(login)
    li, wang = [await new_phone(world, login, seams.real()) for login in ("li", "wang")]
    li.replica.create("households", world.home, household(world, "101", note="老人独居。"), DOOR)
    for phone in (li, wang):
        await phone.sync()
    await context.database.close()
    backup = copy_of(database_url)
    await _opened(world, database_url)
    await _edit_a_day(li, wang, world)
    before = li.held()
    await world.context.database.close()

    await _opened(world, backup)
    if told:
        await begin_epoch(world.context.database, world.context.seams)
    # Somebody whose phone knows nothing of the lost day writes first.
    wang.replica.edit(key_of(world, "households", DOOR), {"best_time": "晚上"})
    for _ in range(3):
        for phone in (wang, li):
            await phone.sync()

    async with world.context.database.snapshot("server") as snapshot:
        history = json.dumps([row.fields for row in await snapshot.rows(sa.select(_HISTORY))], ensure_ascii=False)
    for words in ("新搬来。一家三口。", "101甲", "送药上门。", "晚上"):
        assert words in history
    fresh = await new_phone(world, "li", seams.real())
    await fresh.sync()
    assert li.held() == wang.held() == fresh.held()
    assert before.keys() == fresh.held().keys()  # every record is back, and no conflict was made up
    assert li.replica.status().unsent == wang.replica.status().unsent == 0
    await world.context.database.close()


async def test_a_phone_put_back_from_an_older_copy_loses_and_doubles_nothing(context: Context) -> None:
    world = await new_world(context)
    await world.add_person("li")
    li = await new_phone(world, "li", seams.real())
    li.replica.create("households", world.home, household(world, "101"), DOOR)
    await li.sync()
    visit = {"household_id": str(DOOR), "outcome": "opened", "note": "第一次。"}
    li.replica.create("visits", world.home, visit)
    older = li.store.snapshot()
    await li.sync()
    li.store.restore(older)
    li.replica.create("visits", world.home, {**visit, "note": "第二次。"})
    await li.sync()
    fresh = await new_phone(world, "li", seams.real())
    await fresh.sync()
    assert li.held() == fresh.held()
    notes = sorted(str(shown.fields["note"]) for shown in fresh.replica.shown_all("visits"))
    assert notes == ["第一次。", "第二次。"]
