"""200 households change hands while 30 visits lie unsent, and either phone is cut off and killed at every page in turn.

Both phones are the real replica, over HTTP. After each thing that happens to one it shows what it showed before the
handover or what it shows after, and nothing between. Both stores.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.context import Context
from app.operator import Item, create_all
from sync import seams
from sync.entries import Key
from sync.exchange import Request
from sync.replica import Replica
from sync.store import Snapshot
from tests.phones import key_of
from tests.raw_phone import RawPhone, phone_of
from tests.test_replica_killed_anywhere import Killed, MortalStore
from tests.world import NEW_ID, World, bearer, household, mutation, new_world

HOUSEHOLDS, UNSENT, CHANGED_AGAIN, ELSEWHERE = 200, 30, 10, 60
NEW_PHONES_PAGE, OLD_PHONES_PAGE = 40, 5
KILLED_AT = (0, 2, 700)
"""Writes after which the phone dies while it takes an answer; those that no answer needs kill nobody."""
View = dict[str, Any]
Meanwhile = Callable[[], Awaitable[Any]]


@dataclass
class Phone:
    """A replica on a mortal disk, looked at after each thing that happens to it."""

    world: World
    login: str
    token: str
    page_limit: int
    store: MortalStore = field(default_factory=MortalStore)
    given: set[tuple[str, str]] = field(default_factory=set)
    """What pages have brought."""
    taken_back: set[tuple[str, str]] = field(default_factory=set)
    """What pages have deleted or let depart."""
    kills: int = 0
    _shown: tuple[Snapshot, View] = field(default_factory=lambda: ({}, {}))

    @property
    def replica(self) -> Replica:
        """A new process each time: it knows what is on the disk."""
        return Replica(self.store, seams.real(), self.page_limit)

    async def sync(self, interrupted_at: int | None = None, meanwhile: Meanwhile | None = None) -> int:
        """To its end; how many pages that took. Shown meanwhile is what was shown first, or what is shown at last."""
        views = [self.view()]
        self.replica.want_sync()
        pages = 0
        while request := self.replica.next_request():
            if pages == interrupted_at:
                await self._be_interrupted(request, views)
                if meanwhile:
                    await meanwhile()
                request = self.replica.next_request()
            if request:
                await self._take_answer(request)
                views.append(self.view())
            pages += 1
        assert all(view in (views[0], views[-1]) for view in views), [len(view) for view in views]
        return pages

    async def _be_interrupted(self, request: Request, views: list[View]) -> None:
        """The answer is lost; then the phone dies while it takes it, at once, later and in the middle of it all."""
        await self._send(request)
        for writes in KILLED_AT:
            if again := self.replica.next_request():
                self.store.writes_left = writes
                with suppress(Killed):
                    await self._take_answer(again)
                self.kills += self.store.writes_left is None
                self.store.writes_left = None
                views.append(self.view())

    async def _take_answer(self, request: Request) -> None:
        answer = await self._send(request)
        page = answer.json().get("page", answer.json())
        assert not page.get("reset")
        for change in page.get("changes", []):
            gone = change.get("deleted") or change.get("departed")
            (self.taken_back if gone else self.given).add((change["collection"], change["record"]))
        self.replica.answer(request, answer.status_code, answer.headers["content-type"], answer.content)

    async def _send(self, request: Request) -> httpx.Response:
        headers = {**bearer(self.token), "Content-Type": "application/json"}
        answer = await self.world.http.request(request.method, request.path, content=request.body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer

    def view(self) -> View:
        """All that it shows, which follows from all but what is only staged."""
        held = {table: rows for table, rows in self.store.snapshot().items() if table not in ("staged", "meta")}
        if held != self._shown[0]:
            names = [*self.replica.copies().collections()]
            self._shown = held, {one.key.path: one.fields for name in names for one in self.replica.shown_all(name)}
        return self._shown[1]

    def holds(self, records: set[UUID]) -> int:
        """Of how many of these records there are copies on its disk, shown or not."""
        return sum(UUID(path.split("/")[2]) in records for path in self.store.snapshot().get("copies", {}))


@dataclass
class Village:
    """One building full of doors between two grids, and another one beside it."""

    world: World
    boss: RawPhone
    li: Phone
    wang: Phone
    doors: list[UUID]
    children: set[UUID]

    async def hand_over(self) -> None:
        path = f"/v1/areas/{self.world.areas['building_1']}/handover"
        body = {"to": str(self.world.areas["grid_2"]), "dry_run": False}
        answer = await self.world.http.post(path, json=body, headers=self.boss.headers)
        assert answer.status_code == 200, answer.text

    async def standing(self, login: str) -> tuple[int, str]:
        """What the administrator sees of somebody's phone: feeds that it holds, and whether it has purged."""
        path = f"/v1/areas/{self.world.areas['building_1']}/phones"
        phones = (await self.world.http.get(path, headers=self.boss.headers)).json()["phones"]
        [phone] = [one for one in phones if one["person_id"] == str(self.world.people[login])]
        return phone["holds"], phone["purge"]


@pytest.fixture
async def village(context: Context) -> AsyncIterator[Village]:
    world = await new_world(context)
    id = world.areas["grid_2"] = NEW_ID()
    grid = {"parent_id": str(world.home), "level": "grid", "name": "grid_2", "code": "grid_2"}
    doors, children = [NEW_ID() for _ in range(HOUSEHOLDS)], [NEW_ID() for _ in range(HOUSEHOLDS)]
    made = [("areas", id, grid)]
    made += [("households", door, household(world, str(number))) for number, door in enumerate(doors)]
    made += [
        ("residents", child, {"household_id": str(door), "name": f"王{n}"})
        for n, (child, door) in enumerate(zip(children, doors, strict=True))
    ]
    home = str(world.home)
    await create_all(context, [Item(collection=c, record=str(r), home=home, fields=f) for c, r, f in made])
    boss = await phone_of(world, "boss", role="admin")
    for part in (doors[:100], doors[100:]):
        for outcome in await boss.push(
            *(mutation(world, "households", door, "update", 1, fields={"note": "有电梯。"}) for door in part)
        ):
            assert outcome["outcome"] == "applied"
    phones = []
    for login, area, limit in (("li", "grid", OLD_PHONES_PAGE), ("wang", "grid_2", NEW_PHONES_PAGE)):
        await world.add_person(login, area=area)
        phone = Phone(world, login, await world.phone_token(login), 500)
        phone.replica.sign_in(world.people[login], NEW_ID())
        await phone.sync()
        phone.page_limit = limit
        phones.append(phone)
    yield Village(world, boss, *phones, doors, {*children})
    await world.http.aclose()


def knock(village: Village) -> dict[Key, str]:
    """Li records 30 visits; the first push of them never arrives, and ten are changed after it left."""
    li, said = village.li, {}
    for number in range(UNSENT):
        key = key_of(village.world, "visits", NEW_ID())
        said[key] = f"第{number}次敲门，在家。"
        fields = {"household_id": str(village.doors[number]), "outcome": "opened", "note": said[key]}
        li.replica.create("visits", village.world.home, fields, key.record)
    li.replica.want_sync()
    assert li.replica.next_request()
    for key in list(said)[:CHANGED_AGAIN]:
        li.replica.edit(key, {"note": f"{said[key]}改：女儿在家。"})
    assert li.replica.status().unsent == UNSENT + CHANGED_AGAIN
    return said


async def others_write(village: Village) -> None:
    """In the building that Li keeps, so that Li's reading has many pages."""
    doors = [household(village.world, f"other {n}", "unit_2") for n in range(ELSEWHERE)]
    await village.boss.push(*(mutation(village.world, "households", NEW_ID(), fields=one) for one in doors))


async def interrupted_at_every_page(phone: Phone) -> int:
    """From the disk as it is now, once for each page of an undisturbed run; how many there are."""
    disk = phone.store.snapshot()
    pages = await phone.sync()
    undisturbed = phone.view()
    for page in range(pages):
        phone.store.restore(disk)
        kills = phone.kills
        await phone.sync(interrupted_at=page)
        assert phone.kills > kills
        assert phone.view() == undisturbed
    return pages


async def test_nothing_is_lost_or_shown_by_halves(village: Village) -> None:
    world, li, wang = village.world, village.li, village.wang
    there = {*village.doors, *village.children}
    said = knock(village)
    await others_write(village)
    disks = {phone.login: phone.store.snapshot() for phone in (li, wang)}
    await village.hand_over()

    # The new phone, before the old one has come back: all doors with the people behind them, and their history.
    pages = await interrupted_at_every_page(wang)
    assert pages >= 2 * HOUSEHOLDS // NEW_PHONES_PAGE
    assert wang.holds(there) == 2 * HOUSEHOLDS
    for door in village.doors:
        answer = await world.http.get(f"/v1/households/{door}/history", headers=bearer(wang.token))
        assert [row["op"] for row in answer.json()["history"]] == ["update", "create"]

    # Once more, and in the middle of it the old phone comes back, with what it wrote before.
    assert li.holds(there) == 2 * HOUSEHOLDS
    wang.store.restore(disks["wang"])
    await wang.sync(interrupted_at=pages // 2, meanwhile=lambda: li.sync(interrupted_at=0))
    li.store.restore(disks["li"])
    assert await interrupted_at_every_page(li) >= ELSEWHERE // OLD_PHONES_PAGE
    status = li.replica.status()
    assert (status.unsent, status.refused, status.differing, status.up_to_date) == (0, 0, 0, True)
    assert li.holds(there | {key.record for key in said}) == 0
    assert not [path for path in li.view() if UUID(path.split("/")[2]) in there]

    # All 30 have reached the new phone, and nothing that it was ever given was taken back.
    await wang.sync()
    accounted_for(wang, said)
    assert not wang.taken_back & wang.given
    await li.sync()
    assert await village.standing("li") == (0, "confirmed")
    assert await village.standing("wang") == (1, "not_needed")


def accounted_for(wang: Phone, said: dict[Key, str]) -> None:
    """Each visit is there as it was first written, and each later word waits as a candidate for who has it now."""
    replica = wang.replica
    shown = {key: replica.shown(key) for key in said}
    assert sum(one is not None and one.fields["note"] == said[key] for key, one in shown.items()) == UNSENT
    waiting = {one.fields["of_record"]: str(one.fields["candidates"]) for one in replica.conflicts()}
    later = {str(key.record): f"{said[key]}改：女儿在家。" for key in list(said)[:CHANGED_AGAIN]}
    assert {record for record, note in later.items() if note in waiting.get(record, "")} == later.keys()
