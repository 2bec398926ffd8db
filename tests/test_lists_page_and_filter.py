"""A list is read in pages that miss nothing, by the filters its collection declares, as far as one's grants show it."""

from datetime import date, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from pydantic import JsonValue

from app.collections import COLLECTIONS
from app.collections.base import Collection
from app.fields import FieldSpec
from sync.wire import Fields
from tests.contract import document
from tests.maker import Maker, boss, every, make, values_of
from tests.raw_phone import Answer, RawPhone, phone_of, second_community
from tests.two_people import contested
from tests.world import NEW_ID, World, household

__all__ = ["boss", "make"]

DOORS, VISITS, RESIDENTS, AREAS = (COLLECTIONS[name] for name in ("households", "visits", "residents", "areas"))
FILTERED = [(c, f) for c in COLLECTIONS.values() if c.name != "conflicts" for f in c.fields.values() if f.filter]


async def listed(make: Maker, collection: Collection, **query: Any) -> list[Answer]:
    answer = await make.send("GET", collection, params={"limit": 1000, **query})
    assert answer.status_code == 200, answer.text
    assert answer.json()["next"] is None
    return list(answer.json()["items"])


async def walked(make: Maker, address: str) -> list[list[Answer]]:
    """The pages, each found by the `Link` of the one before."""
    pages: list[list[Answer]] = []
    while address:
        answer = await make.world.http.get(address, headers=make.phone.headers)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        link, last = answer.headers.get("link", ""), answer.json()["next"]
        assert (last is None) == (link == "")
        assert last is None or (last == pages[-1][-1]["id"] and link.endswith('; rel="next"') and last in link)
        address = link.partition(">")[0].removeprefix("<")
    return pages


# Pages


@every
async def test_every_page_leads_to_the_next_and_none_misses_or_repeats(make: Maker, collection: Collection) -> None:
    fields = await make.fields(collection)
    for _ in range(5):
        await make.create(collection, fields)
    everything = await listed(make, collection)
    ids = [item["id"] for item in everything]
    assert ids == sorted(ids)
    for limit in (1, 2, 3, len(ids) - 1, len(ids), len(ids) + 1):
        pages = await walked(make, f"/v1/{collection.name}?limit={limit}")
        assert [item for page in pages for item in page] == everything
        assert {len(page) for page in pages[:-1]} <= {limit}
        assert 1 <= len(pages[-1]) <= limit


async def test_a_page_keeps_its_filters_on_the_way_to_the_next(make: Maker) -> None:
    for door in ("1", "2", "3"):
        await make.create(DOORS, household(make.world, door, tags=["alone"]))
        await make.create(DOORS, household(make.world, door))
    pages = await walked(make, "/v1/households?tags=alone&limit=1")
    assert [[item["door"] for item in page] for page in pages] == [["1"], ["2"], ["3"]]
    unit = make.world.areas["unit_2"]
    assert await walked(make, f"/v1/households?area_id={unit}&limit=1") == [[]]


async def test_what_is_written_between_two_pages_moves_nothing(make: Maker) -> None:
    doors = [await make.create(DOORS, household(make.world, str(n))) for n in range(4)]
    first = (await make.send("GET", DOORS, params={"limit": 2})).json()
    await make.send("DELETE", DOORS, f"/{doors[0]['id']}")
    await make.send("PATCH", DOORS, f"/{doors[1]['id']}", json={"door": "9"})
    await make.send("DELETE", DOORS, f"/{first['next']}")
    await make.create(DOORS, household(make.world, "0", id=str(UUID(int=1))))
    assert [d["door"] for d in await listed(make, DOORS, after=first["next"])] == ["2", "3"]


async def test_pages_of_several_homes_are_one_list(world: World, make: Maker) -> None:
    await second_community(world)
    district = Maker(world, await phone_of(world, "district", role="admin", area="district"))
    qian = Maker(world, RawPhone(world, await world.phone_token("qian")))
    for n in range(4):
        await make.create(DOORS, household(world, str(n)))
        await qian.create(DOORS, household(world, str(n), unit="unit_b"))
    pages = await walked(district, "/v1/households?limit=3")
    assert [d["door"] for page in pages for d in page] == ["0", "0", "1", "1", "2", "2", "3", "3"]
    assert {d["home"] for page in pages for d in page} == {str(world.home), str(world.areas["community_b"])}
    there = await listed(district, DOORS, area_id=world.areas["unit_b"])
    assert [d["door"] for d in there] == ["0", "1", "2", "3"]
    assert await listed(qian, DOORS, area_id=world.areas["unit_1"]) == []


# Filters


def asked_for(spec: FieldSpec, value: Any) -> dict[str, str]:
    """The parameters that ask for exactly this value, or for this one member."""
    if spec.kind in (date, datetime):
        return {f"{spec.name}_from": value, f"{spec.name}_to": value}
    return {spec.name: value[0] if spec.kind is set else str(value).lower() if isinstance(value, bool) else value}


@pytest.mark.parametrize(("collection", "spec"), FILTERED, ids=[f"{c.name}.{f.name}" for c, f in FILTERED])
async def test_a_filter_shows_what_it_asks_for_and_nothing_else(
    make: Maker, collection: Collection, spec: FieldSpec
) -> None:
    needed, said = await make.fields(collection), list[Fields]([{}])
    if spec.refers_to:
        one = await make.value(collection, spec)
        said = [{spec.name: one}, {spec.name: await make.value(collection, spec, unlike=one)}]
    elif not spec.given:
        said = [{spec.name: v} for v in values_of(collection, spec) if v is not None][:2]
    made = [await make.create(collection, {**needed, **more}) for more in said]
    values = [record[spec.name] for record in made]
    for value, record in zip(values, made, strict=True):
        items = await listed(make, collection, **asked_for(spec, value))
        assert record in items
        assert all(holds(spec, item[spec.name], value) for item in items)
    everything = await listed(make, collection)
    missed = [item for item in everything if not any(holds(spec, item[spec.name], v) for v in values)]
    shown = [await listed(make, collection, **asked_for(spec, value)) for value in values]
    assert len({item["id"] for items in shown for item in items}) == len(everything) - len(missed)


def holds(spec: FieldSpec, held: Any, value: Any) -> bool:
    return value[0] in held if spec.kind is set else bool(held == value)


async def test_a_range_takes_both_its_ends(make: Maker) -> None:
    fields = await make.fields(RESIDENTS)
    for day in ("1940-01-01", "1950-06-01", "1960-12-31", None):
        await make.create(RESIDENTS, {**fields, "birth_date": day})
    for query, found in [
        ({"birth_date_from": "1950-06-01"}, ["1950-06-01", "1960-12-31"]),
        ({"birth_date_to": "1950-06-01"}, ["1940-01-01", "1950-06-01"]),
        ({"birth_date_from": "1940-01-02", "birth_date_to": "1960-12-30"}, ["1950-06-01"]),
        ({"birth_date_from": "1961-01-01", "birth_date_to": "1940-01-01"}, []),
    ]:
        assert [item["birth_date"] for item in await listed(make, RESIDENTS, **query)] == found
    fields = await make.fields(VISITS)
    for time in ("2026-01-01T00:00:00Z", "2026-01-01T08:00:00+08:00", "2026-01-02T00:00:00Z"):
        await make.create(VISITS, {**fields, "visited_at": time})
    for query, count in [
        ({"visited_at_from": "2026-01-01T08:00:00+08:00", "visited_at_to": "2026-01-01T00:00:00Z"}, 2),
        ({"visited_at_from": "2026-01-01T00:00:00.000001Z"}, 1),
    ]:
        assert len(await listed(make, VISITS, **query)) == count


async def test_filters_are_joined_and_the_deleted_is_never_found(make: Maker) -> None:
    whole = {**await make.fields(VISITS), "outcome": "refused"}
    needy = await make.create(VISITS, {**whole, "needs": ["medicine", "rice"]})
    gone = await make.create(VISITS, {**whole, "needs": ["medicine"]})
    await make.create(VISITS, {**whole, "outcome": "opened", "needs": ["medicine"]})
    await make.create(VISITS, {**whole, "needs": ["medicine_chest"]})
    assert (await make.send("DELETE", VISITS, f"/{gone['id']}")).status_code == 204
    assert await listed(make, VISITS, outcome="refused", needs="medicine") == [needy]
    assert await listed(make, VISITS, outcome="refused", needs="medicine", channel="window") == []


async def test_a_filter_follows_the_record(make: Maker) -> None:
    door = await make.create(DOORS, household(make.world, tags=["a"]))
    await make.send("PATCH", DOORS, f"/{door['id']}", json={"tags": ["b"], "area_id": str(make.world.areas["unit_2"])})
    assert await listed(make, DOORS, tags="a") == []
    assert [d["id"] for d in await listed(make, DOORS, tags="b", area_id=make.world.areas["unit_2"])] == [door["id"]]


async def test_areas_above_communities_are_found_too(world: World, make: Maker) -> None:
    assert [a["name"] for a in await listed(make, AREAS, level="district")] == ["district"]
    assert [a["name"] for a in await listed(make, AREAS, parent_id=world.areas["district"])] == ["community"]
    assert [a["name"] for a in await listed(make, AREAS, code="unit_1")] == ["unit_1"]


async def test_no_filter_shows_what_ones_grants_do_not(world: World, make: Maker) -> None:
    near = await make.create(DOORS, household(world, external_id="7"))
    far = await make.create(DOORS, household(world, unit="unit_2", external_id="7"))
    li = Maker(world, await phone_of(world, "li", area="building_1"))
    assert await listed(li, DOORS, external_id="7") == [near]
    assert await listed(li, DOORS, area_id=world.areas["unit_2"]) == []
    # Moved out of sight: its departure isn't found, neither by what it was nor by what it is.
    await make.send("PATCH", DOORS, f"/{near['id']}", json={"area_id": str(world.areas["unit_2"])})
    assert await listed(li, DOORS, external_id="7") == []
    assert [d["id"] for d in await listed(make, DOORS, external_id="7")] == sorted([near["id"], far["id"]])
    await world.end_grant("li", "building_1")
    assert await listed(li, DOORS) == []


async def test_a_record_of_another_home_with_the_same_id_matches_no_filter(world: World, make: Maker) -> None:
    """Ids are unique within a home only: who chooses the id of a foreign record learns nothing of it."""
    await second_community(world)
    qian = Maker(world, RawPhone(world, await world.phone_token("qian")))
    secret = await make.create(DOORS, household(world, tags=["secret"]))
    await qian.create(DOORS, household(world, unit="unit_b", tags=["plain"], id=secret["id"]))
    assert await listed(qian, DOORS, tags="secret") == []
    assert [d["tags"] for d in await listed(qian, DOORS, tags="plain")] == [["plain"]]


async def test_conflicts_are_found_by_what_they_are_of(world: World, make: Maker) -> None:
    conflicts = COLLECTIONS["conflicts"]
    li, wang = await phone_of(world, "li"), await phone_of(world, "wang")
    door, other = [UUID((await make.create(DOORS))["id"]) for _ in range(2)]
    asked, closed = await contested(li, wang, door), await contested(li, wang, other)
    answer = await make.send("POST", conflicts, f"/{closed}/resolution", json={"value": "103"})
    assert answer.status_code == 200
    for query, found in [
        ({"state": "open"}, [asked]),
        ({"state": "closed", "of_collection": "households"}, [closed]),
        ({"of_record": door}, [asked]),
        ({"field": "door", "resolved_by": world.people["boss"]}, [closed]),
        ({"field": "note"}, []),
    ]:
        assert [item["id"] for item in await listed(make, conflicts, **query)] == found


# What can't be asked


async def refused(make: Maker, query: str, path: str = "/v1/visits") -> httpx.Response:
    answer = await make.world.http.get(f"{path}?{query}", headers=make.phone.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), (query, answer.text)
    return answer


async def test_a_misspelt_filter_is_told_and_never_lists_everything(make: Maker) -> None:
    for path in (*(f"/v1/{name}" for name in COLLECTIONS), "/v1/mutations", "/v1/replicas"):
        for name in ("housold_id", "need", "visited_at", "note", "limits", "page"):
            answer = await refused(make, f"{name}=x", path)
            assert [e["pointer"] for e in answer.json()["errors"]] == [f"/{name}"]
        odd = quote("张三 13800000000")
        assert (await refused(make, f"{odd}=x", path)).json()["errors"] == [{"pointer": "", "code": "extra_forbidden"}]
        twice = await refused(make, "limit=1&limit=2", path)
        assert twice.json()["errors"] == [{"pointer": "/limit", "code": "repeated"}]


@pytest.mark.parametrize(
    "query",
    [
        *("household_id=7", "household_id=", "outcome=", "outcome=Refused", "needs=No Code", "needs=", "needs=a%00"),
        *("visited_at_from=1700000000", "visited_at_from=2026-01-01", "visited_at_to=2026-01-01T00:00:00"),
        *("visited_at_from=0001-01-01T00:00:00%2B23:59", "persons_met=me", "method=%F0%9F%9A%AA", "method=%00"),
        *("limit=0", "limit=1001", "limit=x", "after=x", "after=", "household_id_from=x", "channel=door,street"),
    ],
)
async def test_a_filter_that_can_match_nothing_is_told_so(make: Maker, query: str) -> None:
    [error] = (await refused(make, query)).json()["errors"]
    assert error["pointer"] == "/" + query.partition("=")[0]


@pytest.mark.parametrize("query", ["retired=1", "retired=on", "retired=True", "retired=", "version=1"])
async def test_a_choice_is_spelled_as_it_travels(make: Maker, query: str) -> None:
    await refused(make, query, "/v1/codes")


@pytest.mark.parametrize("value", ["%", "_", "' OR 1=1 --", "a%00b", "\ud800", "𠮷", '"', "\\"])
async def test_no_text_breaks_a_filter(make: Maker, value: str) -> None:
    await make.create(DOORS, household(make.world, external_id="plain"))
    text = quote(value, errors="surrogatepass", safe="%" if "%00" in value else "")
    answer = await make.world.http.get(f"/v1/households?external_id={text}", headers=make.phone.headers)
    assert answer.status_code in (200, 400)
    assert answer.json().get("items", []) == []


# One's own phones and mutations


async def test_ones_phones_and_mutations_are_read_in_pages_too(world: World, make: Maker) -> None:
    for n in range(4):
        await world.phone_token("boss")
        await make.phone.say("households", NEW_ID(), fields=household(world, str(n)))
    for path, name, query in [("/v1/replicas", "replicas", ""), ("/v1/mutations", "mutations", "outcome=applied&")]:
        whole = (await world.http.get(f"{path}?{query}limit=200", headers=make.phone.headers)).json()
        assert (whole["next"], len(whole[name])) == (None, 5 if name == "replicas" else 4)
        address, found = f"{path}?{query}limit=2", []
        while address:
            answer = await world.http.get(address, headers=make.phone.headers)
            found += answer.json()[name]
            address = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
        assert found == whole[name]


def test_what_a_list_can_be_asked_is_documented() -> None:
    paths = document()["paths"]
    for collection in COLLECTIONS.values():
        parameters = paths[f"/v1/{collection.name}"]["get"]["parameters"]
        described: dict[str, JsonValue] = {p["name"]: p.get("description") for p in parameters if p["in"] == "query"}
        names: Fields = {"after": None, "limit": None}
        for spec in collection.fields.values():
            for end in (("_from", "_to") if spec.kind in (date, datetime) else ("",)) if spec.filter else ():
                names[spec.name + end] = None
                assert described[spec.name + end]
        assert described.keys() == names.keys()
