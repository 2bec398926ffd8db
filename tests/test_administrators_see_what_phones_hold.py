"""Whoever administers an area sees, phone by phone, what is still held of it, and whether a purge is confirmed."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.handover import MOST_TOUCHED
from app.tables import Holding, Replica
from app.touched import MOST_PHONES
from tests.grids import Place, place
from tests.raw_phone import Answer, RawPhone, phone_of
from tests.world import NEW_ID, bearer, household, mutation

__all__ = ["place"]

HOLDING: Any = Holding.__table__  # type: ignore[attr-defined]
REPLICA: Any = Replica.__table__  # type: ignore[attr-defined]


async def ask(place: Place, area: str = "building_1", who: RawPhone | None = None, **query: Any) -> httpx.Response:
    path = f"/v1/areas/{place.world.areas[area]}/phones"
    return await place.world.http.get(path, params=query, headers=(who or place.boss).headers)


async def phones(place: Place, area: str = "building_1") -> dict[str, Answer]:
    """Each person's one phone."""
    answer = await ask(place, area)
    assert answer.status_code == 200, answer.text
    names = {str(id): login for login, id in place.world.people.items()}
    found = {names[phone["person_id"]]: phone for phone in answer.json()["phones"]}
    assert len(found) == len(answer.json()["phones"])
    return found


async def standing(place: Place, login: str) -> tuple[int, int, str] | None:
    phone = (await phones(place)).get(login)
    assert not phone or (phone["dropped_at"] is not None or phone["purge"] != "confirmed")
    return (phone["holds"], phone["to_drop"], phone["purge"]) if phone else None


async def page(phone: RawPhone, limit: int = 1, *, heard: bool = True) -> bool:
    """One page; was it complete?"""
    body = {"cursor": phone.cursor, "limit": limit}
    answer = await phone.world.http.post("/v1/sync/pull", json=body, headers=phone.headers)
    assert answer.status_code == 200, answer.text
    return phone._store(answer.json()) if heard else False


async def busy(place: Place, doors: int = 3) -> None:
    """Others write in what Li keeps."""
    made = [household(place.world, str(n), "unit_2") for n in range(doors)]
    await place.boss.push(*(mutation(place.world, "households", NEW_ID(), fields=one) for one in made))


KEPT, HELD, WAITING, CONFIRMED = (1, 0, "not_needed"), (0, 0, "not_needed"), (1, 1, "waiting"), (0, 0, "confirmed")


async def test_a_purge_is_confirmed_by_the_pull_after_the_complete_one(place: Place) -> None:
    assert [await standing(place, who) for who in ("li", "wang")] == [KEPT, None]
    await place.hand_over()
    assert [await standing(place, who) for who in ("li", "wang")] == [WAITING, HELD]
    for phone in (place.li, place.wang):
        await phone.pull()
    assert [await standing(place, who) for who in ("li", "wang")] == [WAITING, KEPT]
    for phone in (place.li, place.wang):
        await phone.pull()
    assert [await standing(place, who) for who in ("li", "wang")] == [CONFIRMED, KEPT]


async def test_the_page_that_names_it_lost_confirms_nothing_before_the_complete_one(place: Place) -> None:
    await busy(place)
    await place.hand_over()
    pages = 0
    while not await page(place.li):
        assert await standing(place, "li") == WAITING
        assert place.li.lost
        pages += 1
    assert pages >= 2
    assert await standing(place, "li") == WAITING
    await page(place.li)
    assert await standing(place, "li") == CONFIRMED


async def test_a_phone_that_reads_anew_holds_what_it_held_until_it_is_through(place: Place) -> None:
    await place.hand_over()
    place.li.cursor = None
    while not await page(place.li):
        assert await standing(place, "li") == WAITING
    assert await standing(place, "li") == WAITING
    await page(place.li)
    assert await standing(place, "li") == CONFIRMED


async def test_what_was_given_in_an_answer_nobody_may_have_heard_counts_as_held(place: Place) -> None:
    await place.hand_over()
    await page(place.wang, 100, heard=False)
    await place.hand_over(to="grid")
    assert await standing(place, "wang") == WAITING
    await page(place.wang, 100)
    assert await standing(place, "wang") == CONFIRMED


async def test_a_phone_that_was_given_nothing_has_nothing_to_drop(place: Place) -> None:
    await place.hand_over()
    await place.hand_over(to="grid")
    await place.wang.pull()
    assert [await standing(place, who) for who in ("li", "wang")] == [KEPT, None]


async def test_half_read_pages_are_held_too(place: Place) -> None:
    await place.hand_over()
    assert not await page(place.wang)
    assert not await page(place.wang)
    await place.hand_over(to="grid")
    assert await standing(place, "wang") == WAITING
    while not await page(place.wang):
        assert await standing(place, "wang") == WAITING
    await page(place.wang)
    assert await standing(place, "wang") == CONFIRMED


async def test_handed_over_and_back_there_is_nothing_to_drop(place: Place) -> None:
    await place.hand_over()
    for _ in range(2):
        await place.li.pull()
    await place.hand_over(to="grid")
    assert await standing(place, "li") == HELD
    await place.li.pull()
    assert await standing(place, "li") == KEPT


async def test_a_phone_put_back_from_an_older_copy_waits_again(place: Place) -> None:
    older = place.li.cursor
    await place.hand_over()
    for _ in range(2):
        await place.li.pull()
    place.li.cursor = older
    await page(place.li)
    assert await standing(place, "li") == WAITING
    await page(place.li)
    assert await standing(place, "li") == CONFIRMED


async def test_a_role_that_ends_is_a_purge_like_any_other(place: Place) -> None:
    await place.world.end_grant("li", "grid")
    assert await standing(place, "li") == WAITING
    for _ in range(2):
        await place.li.pull()
    assert await standing(place, "li") == CONFIRMED


async def test_a_revoked_phone_can_show_nothing_any_more(place: Place) -> None:
    mine = bearer(await place.world.token("li"))
    [phone] = (await place.world.http.get("/v1/replicas", headers=mine)).json()["replicas"]
    await place.world.http.delete(f"/v1/replicas/{phone['id']}", headers=mine)
    await place.hand_over()
    assert await standing(place, "li") == WAITING
    assert (await phones(place))["li"]["revoked_at"]


async def test_what_was_dropped_long_ago_is_told_no_more(place: Place) -> None:
    await place.hand_over()
    for _ in range(2):
        await place.li.pull()
    assert await standing(place, "li") == CONFIRMED
    async with place.world.context.database.transaction() as transaction:
        long_ago = place.world.context.seams.now() - timedelta(days=31)
        dropped = sa.update(HOLDING).where(HOLDING.c.dropped_at.is_not(None))
        await transaction.execute(dropped.values(dropped_at=long_ago))
    assert await standing(place, "li") is None


async def test_an_ordinary_pull_writes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await page(place.li, 100)

    def never(*arguments: Any) -> Any:
        raise AssertionError("a write")

    with monkeypatch.context() as patch:
        for way in ("run", "transaction"):
            patch.setattr(place.world.context.database, way, never)
        assert await page(place.li, 100)
    await busy(place)
    with monkeypatch.context() as patch:
        for way in ("run", "transaction"):
            patch.setattr(place.world.context.database, way, never)
        while not await page(place.li):
            assert place.li.cursor
        assert await page(place.li)


async def test_what_is_unsent_is_told_beside_it(place: Place) -> None:
    edit = mutation(place.world, "visits", place.visits[0], "update", 1, fields={"note": "晚些时候。"})
    await place.li.push(edit, outbox={"depth": 8, "oldest_at": "2026-03-02T07:00:00Z"})
    li = (await phones(place))["li"]
    assert (li["unsent"], li["unsent_since"], li["name"]) == (7, "2026-03-02T07:00:00Z", "a phone")
    assert li["seen_at"]


async def test_an_area_tells_of_all_that_lies_in_it_and_a_unit_owns_nothing(place: Place) -> None:
    found = {area: await phones(place, area) for area in ("unit_1", "grid", "grid_2", "community")}
    assert [{who: one["holds"] for who, one in found[area].items()} for area in found] == [
        {},
        {"li": 2, "boss": 0},
        {},
        {"li": 3, "wang": 1, "boss": 0},
    ]


async def test_the_newest_phones_come_first_and_the_others_on_the_next_page(place: Place) -> None:
    for number in range(3):
        await phone_of(place.world, f"worker_{number}", area="building_1")
    everything = (await ask(place)).json()
    assert [one["id"] for one in everything["phones"]] == sorted((p["id"] for p in everything["phones"]), reverse=True)
    read: list[str] = []
    before: Answer = {}
    while True:
        answer = await ask(place, limit=2, **before)
        read += [phone["id"] for phone in answer.json()["phones"]]
        if not (following := answer.json()["next"]):
            break
        assert f"before={following}" in answer.headers["link"]
        before = {"before": following}
    assert read == [one["id"] for one in everything["phones"]]
    assert len(read) == len({"li", "boss"}) + 3


async def test_only_who_administers_the_area_sees_them(place: Place) -> None:
    assert (await ask(place, who=place.li)).json()["code"] == "not_permitted"
    assert (await ask(place, "district")).json()["code"] == "not_found"
    place.world.areas["nowhere"] = NEW_ID()
    assert (await ask(place, "nowhere")).json()["code"] == "not_found"


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 201}, {"before": "x"}, {"order": "name"}])
async def test_what_can_not_be_asked_is_told(place: Place, query: Answer) -> None:
    assert (await ask(place, **query)).json()["code"] == "bad_request"


async def test_a_report_counts_those_whom_it_does_not_name(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        await phone_of(place.world, f"worker_{number}", area="grid")
    for _ in range(2):
        await place.world.phone_token("wang")
    monkeypatch.setattr("app.handover.MOST_TOUCHED", 2)
    monkeypatch.setattr("app.touched.MOST_PHONES", 2)
    report = await place.hand_over(dry_run=True)
    assert (report["people_losing"], len(report["losing"])) == (3, 2)
    assert (report["people_gaining"], len(report["gaining"])) == (1, 1)
    [wang] = report["gaining"]
    assert (wang["phones_in_all"], len(wang["phones"])) == (3, 2)
    assert {one["phones_in_all"] for one in report["losing"]} == {1}
    assert MOST_TOUCHED * MOST_PHONES <= 10_000
