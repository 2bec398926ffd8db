"""A page that is full where a feed ends, of feeds that move while they are read, and of too many feeds."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from app.context import Context
from app.database import Viewer
from app.operator import Item, create_all
from app.postgres import Postgres
from sync.canonical import digest
from sync.wire import MOST_FEEDS, MOST_PAGE
from tests.raw_phone import phone_of
from tests.test_reading_pages import LONG_NOTE, Phone, same_as_fresh, world
from tests.world import NEW_ID, World, household, new_world

__all__ = ["world"]

DOORS = 100
"""More than a page of them, each with a long note."""


async def add_doors(world: World, unit: str, count: int) -> None:
    doors = [household(world, NEW_ID().hex, unit, note=LONG_NOTE) for _ in range(count)]
    await add(world, *(("households", fields) for fields in doors))


async def add(world: World, *records: tuple[str, dict[str, Any]]) -> None:
    home = str(world.home)
    items: list[Item] = [
        {"collection": collection, "record": str(NEW_ID()), "home": home, "fields": fields}
        for collection, fields in records
    ]
    await create_all(world.context, items)


async def test_a_page_that_is_full_where_a_feed_ends_is_followed_by_the_next_feed(world: World) -> None:
    phone = await Phone.new(world)
    feeds = {gained["owner"]: gained["feed"] for gained in (await phone.pull())["gained"]}
    of_building = {number: feeds[str(world.areas[f"building_{number}"])] for number in (1, 2)}
    first, second = sorted(of_building, key=lambda number: of_building[number])
    await add_doors(world, f"unit_{first}", DOORS)
    most = len((await phone.pull(limit=MOST_PAGE))["changes"])
    assert most < DOORS
    await add_doors(world, f"unit_{first}", 2 * most - DOORS)
    await add_doors(world, f"unit_{second}", 1)
    page = await phone.pull(limit=MOST_PAGE)
    assert [change["feed"] for change in page["changes"]] == [of_building[first]] * most
    assert page["digests"].keys() == {str(of_building[first])}
    assert not page["complete"]
    rest = await phone.pull(limit=MOST_PAGE)
    assert [change["feed"] for change in rest["changes"]] == [of_building[second]]
    assert rest["complete"]
    assert await same_as_fresh(phone)


class Restless:
    """A store in which something is written between the heads that a pull reads and the entries."""

    def __init__(self, database: Any) -> None:
        self.database, self.reads = database, Counter[str]()
        self.write: Callable[[], Awaitable[None]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)

    @asynccontextmanager
    async def glance(self, viewer: Viewer) -> AsyncIterator[Any]:
        async with self.database.glance(viewer) as store:
            yield Between(store, self, "glance")

    @asynccontextmanager
    async def snapshot(self, viewer: Viewer) -> AsyncIterator[Any]:
        async with self.database.snapshot(viewer) as store:
            yield Between(store, self, "snapshot")


class Between:
    """A reader that is held up before it reads the entries."""

    def __init__(self, store: Any, restless: Restless, kind: str) -> None:
        self.store, self.restless, self.kind = store, restless, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def page_rows(self, *arguments: Any) -> Any:
        self.restless.reads[self.kind] += 1
        if self.restless.write:
            await self.restless.write()
        return await self.store.page_rows(*arguments)


async def test_a_page_is_of_one_moment_however_often_its_feeds_move_while_it_is_read(context: Context) -> None:
    store = Restless(context.database)
    world = await new_world(replace(context, database=store))  # type: ignore[arg-type]
    await world.add_person("worker")
    phone, writer = await Phone.new(world), await phone_of(world, "writer")
    await phone.finish()

    async def write() -> None:
        await writer.apply("households", NEW_ID(), fields=household(world, NEW_ID().hex))

    await write()
    store.reads.clear()
    store.write = write
    page = await phone.pull()
    # PostgreSQL tries twice without a transaction; SQLite reads one moment anyway.
    assert store.reads == ({"glance": 2, "snapshot": 1} if isinstance(context.database, Postgres) else {"glance": 1})
    [feed] = {change["feed"] for change in page["changes"]}
    assert page["digests"][str(feed)] == digest(change["hash"] for change in page["changes"])
    assert page["complete"]
    store.write = None
    await phone.finish()
    assert len(phone.copies) == len(world.areas) + 1 + store.reads.total() - 1
    await world.http.aclose()


async def test_whoever_follows_too_many_feeds_is_told_so_and_may_still_push(world: World) -> None:
    building = {"parent_id": str(world.home), "level": "building", "name": "a building"}
    await add(world, *(("areas", {**building, "code": f"b{number}"}) for number in range(MOST_FEEDS)))
    writer = await phone_of(world, "writer")
    for method, asked in ("POST", {"json": {}}), ("GET", {}):
        answer = await world.http.request(method, "/v1/sync/pull", headers=writer.headers, **asked)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "too_many_feeds")
        assert problem["details"]["most_feeds"] == MOST_FEEDS < problem["details"]["feeds"]
    await writer.apply("households", NEW_ID(), fields=household(world))
    # One building of them all can be followed.
    helper = await phone_of(world, "helper", area="building_1")
    await helper.pull()
