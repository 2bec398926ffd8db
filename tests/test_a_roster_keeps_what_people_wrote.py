"""What people wrote, took away or deleted at a door stays so, however often an office's old list comes in again."""

from typing import Any
from uuid import UUID

import pytest

from app.imports import importing
from tests.maker import boss
from tests.raw_phone import RawPhone, phone_of
from tests.rosters import CHEN, ZHOU, bring, counts, csv_of, doors_of, fates, people_of, secretary, send
from tests.world import NEW_ID, household

__all__ = ["boss", "secretary"]  # the fixtures `boss` and `li`

Answer = dict[str, Any]


def codes(report: Answer) -> list[list[tuple[str | None, str]]]:
    return [[(one["cell"], one["code"]) for one in row["problems"]] for row in report["rows"]]


async def write(phone: RawPhone, collection: str, held: Answer, **fields: Any) -> None:
    await phone.apply(collection, UUID(held["id"]), "update", held["rev"], fields=fields)


async def test_a_note_that_somebody_emptied_stays_empty(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU))
    [zhou] = await people_of(li)
    await write(li, "residents", zhou, note="")
    report = await bring(li, csv_of(ZHOU))
    assert (fates(report), codes(report)) == (["unchanged"], [[("K2", "value_kept")]])
    assert (await li.get("residents", zhou["id"]))["note"] == ""


async def test_a_tag_that_somebody_took_away_stays_away_and_another_is_added(li: RawPhone) -> None:
    await bring(li, csv_of([*ZHOU[:9], "独居", ""]))
    [zhou] = await people_of(li)
    await write(li, "residents", zhou, tags={"remove": ["living_alone"]})
    assert codes(await bring(li, csv_of([*ZHOU[:9], "独居", ""]))) == [[("J2", "value_kept")]]
    report = await bring(li, csv_of(ZHOU))
    assert (fates(report), codes(report)) == (["updated"], [[("J2", "value_kept")]])
    held = await li.get("residents", zhou["id"])
    assert held["tags"] == ["party_member"]
    await write(li, "residents", held, tags={"add": ["living_alone"]})
    assert counts(await bring(li, csv_of([*ZHOU[:9], "独居", ""]))) == {"unchanged": 1}


async def test_a_row_that_does_not_say_where_its_door_is_finds_none(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU))
    report = await bring(li, csv_of(["101", "周桂兰"], headings=["房号", "姓名"]))
    assert (fates(report), codes(report)) == (["refused"], [[("A2", "area_unknown")]])
    assert fates(await bring(li, csv_of(["101", "周桂兰"], headings=["房号", "姓名"]), area="building_1")) == [
        "unchanged"
    ]


async def test_a_running_number_is_no_id(li: RawPhone) -> None:
    report = await bring(li, csv_of(["1", "unit_1", "101", "周桂兰"], headings=["编号", "单元", "房号", "姓名"]))
    assert report["columns"][0]["problem"]["code"] == "heading_unknown"


async def test_anothers_number_fills_nothing(li: RawPhone) -> None:
    headings = ["单元", "房号", "人员编号", "姓名", "联系电话"]
    await bring(li, csv_of(["unit_1", "101", "1", "周桂兰", ""], headings=headings))
    report = await bring(li, csv_of(["unit_1", "102", "1", "李建国", "13800000009"], headings=headings))
    assert codes(report) == [[("D2", "match_ambiguous")]]
    assert [one["phone"] for one in await people_of(li)] == [None]


@pytest.mark.parametrize("many", [3, 4, 5])
async def test_too_many_areas_are_refused_before_any_is_made(
    boss: RawPhone, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(importing, "MOST_AREAS", 3)
    rows = [["grid", "楼栋", f"{n}号楼", f"b-{n}"] for n in range(50, 50 + many)]
    file = csv_of(*rows, headings=["上级", "层级", "名称", "编码"])
    answer = await send(boss, file, kind="areas", dry_run=False)
    assert answer.status_code == (200 if many == 3 else 413), answer.text
    again = csv_of(rows[0], headings=["上级", "层级", "名称", "编码"])
    assert fates(await bring(boss, again, kind="areas")) == ["unchanged" if many == 3 else "created"]


async def test_a_mapping_names_fields_of_the_kind_that_is_imported(li: RawPhone) -> None:
    answer = await send(li, csv_of(ZHOU), mapping='{"备注": "area.name"}')
    assert answer.json()["code"] == "unknown_field"


async def test_a_hint_is_not_filled_under_whoever_writes_it(li: RawPhone) -> None:
    await li.apply("households", NEW_ID(), fields=household(li.world, "101"))
    report = await bring(li, csv_of(["unit_1", "101", "早上"], headings=["单元", "门牌号", "上门时间"]))
    assert (fates(report), codes(report)) == (["unchanged"], [[("C2", "value_kept")]])


@pytest.mark.parametrize(
    ("held", "said"), [("101室", "101"), ("101", "101室"), ("１０１", "101"), ("a1", "A1户"), ("101号", "101室")]
)
async def test_a_door_is_found_however_it_is_written(li: RawPhone, held: str, said: str) -> None:
    door = NEW_ID()
    await li.apply("households", door, fields=household(li.world, held))
    report = await bring(li, csv_of(["unit_1", said, "周桂兰"], headings=["单元", "门牌号", "姓名"]))
    assert (fates(report), report["rows"][0]["household"]) == (["created"], str(door))
    assert [one["door"] for one in await doors_of(li)] == [held]


async def test_of_two_doors_that_are_alike_the_one_is_meant_that_is_written_so(li: RawPhone) -> None:
    for door in ("101", "101室"):
        await li.apply("households", NEW_ID(), fields=household(li.world, door))
    file = csv_of(*(["unit_1", door] for door in ("101", "101室", "101号")), headings=["单元", "门牌号"])
    report = await bring(li, file)
    assert (fates(report), codes(report)[2]) == (["unchanged", "unchanged", "refused"], [("B4", "match_ambiguous")])


async def test_a_name_is_one_with_and_without_a_space_in_it(li: RawPhone) -> None:
    headings = ["单元", "门牌号", "姓名"]
    await bring(li, csv_of(["unit_1", "101", "周  平"], headings=headings))
    assert [one["name"] for one in await people_of(li)] == ["周平"]
    for name in ("周平", "周\u3000平"):
        assert fates(await bring(li, csv_of(["unit_1", "101", name], headings=headings))) == ["unchanged"]


async def test_a_person_who_was_deleted_does_not_come_back_behind_another_door(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU))
    [zhou] = await people_of(li)
    await li.apply("residents", UUID(zhou["id"]), "delete", zhou["rev"])
    for row in (ZHOU, [*CHEN[:3], *ZHOU[3:]]):
        report = await bring(li, csv_of(row))
        assert (fates(report), codes(report)) == (["refused"], [[(None, "already_deleted")]])
    assert not await people_of(li)


async def remove(phone: RawPhone, collection: str, held: Answer) -> None:
    await phone.apply(collection, UUID(held["id"]), "delete", held["rev"])


@pytest.mark.parametrize("again", [["1949-12-31"], [""]])
async def test_whom_somebody_deleted_at_a_door_does_not_come_back_by_their_name(li: RawPhone, again: list[str]) -> None:
    door, headings = NEW_ID(), ["单元", "门牌号", "姓名", "出生日期"]
    await li.apply("households", door, fields=household(li.world, "101"))
    zhou = {"household_id": str(door), "name": "周桂兰", "birth_date": "1949-12-31"}
    await li.apply("residents", (id := NEW_ID()), fields=zhou)
    await remove(li, "residents", await li.get("residents", id))
    others = [["unit_1", "101", "周桂芝", ""], ["unit_1", "101", "周桂兰", "1975-01-01"]]
    report = await bring(li, csv_of(["unit_1", "101", "周桂兰", *again], *others, headings=headings))
    assert (fates(report), codes(report)[0]) == (["refused", "created", "created"], [(None, "already_deleted")])
    assert [one["name"] for one in await people_of(li)] == ["周桂兰", "周桂芝"]


async def test_a_household_that_somebody_deleted_does_not_come_back_by_its_door(li: RawPhone) -> None:
    doors, headings = [NEW_ID(), NEW_ID()], ["单元", "门牌号"]
    for id, door in zip(doors, ("101", "102室"), strict=True):
        await li.apply("households", id, fields=household(li.world, door))
        await remove(li, "households", await li.get("households", id))
    # Whoever wrote this one anew had a reason.
    await li.apply("households", NEW_ID(), fields=household(li.world, "102"))
    report = await bring(li, csv_of(*(["unit_1", door] for door in ("101室", "102", "103")), headings=headings))
    assert fates(report) == ["refused", "unchanged", "created"]
    assert codes(report)[0] == [(None, "already_deleted")]
    assert sorted(one["door"] for one in await doors_of(li)) == ["102", "103"]


@pytest.mark.parametrize("row", [["grid", "楼栋", "3号楼", ""], ["grid", "楼栋", "别名", "b-3"]])
async def test_an_area_that_somebody_deleted_does_not_come_back(boss: RawPhone, row: list[str]) -> None:
    fields = {"level": "building", "name": "3号楼", "code": "b-3", "parent_id": str(boss.world.areas["grid"])}
    made = await boss.world.http.post("/v1/areas", json=fields, headers=boss.headers)
    assert made.status_code == 201, made.text
    headers = {**boss.headers, "If-Match": made.headers["etag"]}
    assert (await boss.world.http.delete(f"/v1/areas/{made.json()['id']}", headers=headers)).status_code == 204
    file = csv_of(row, ["grid", "楼栋", "4号楼", "b-4"], headings=["上级", "层级", "名称", "编码"])
    report = await bring(boss, file, kind="areas")
    assert (fates(report), codes(report)[0]) == (["refused", "created"], [(None, "already_deleted")])


async def test_what_a_record_was_made_with_for_want_of_a_word_is_filled(li: RawPhone) -> None:
    headings = ["单元", "门牌号", "姓名", "房屋用途", "与户主关系", "户籍"]
    await bring(li, csv_of(["unit_1", "101", "周桂兰"], headings=headings[:3]))
    whole = csv_of(["unit_1", "101", "周桂兰", "出租", "配偶", "否"], headings=headings)
    assert fates(await bring(li, whole)) == ["updated"]
    [door], [zhou] = await doors_of(li), await people_of(li)
    assert (door["use"], zhou["relation"], zhou["registered_here"]) == ("rented", "spouse", False)
    # Whoever wrote it again at the door wrote it.
    await write(li, "households", door, use="self_occupied")
    assert fates(await bring(li, whole)) == ["to_decide"]
    assert fates(await bring(li, csv_of(["unit_1", "101", "周桂兰", "vacant", "", ""], headings=headings))) == [
        "to_decide"
    ]


async def test_what_somebody_else_made_so_may_be_what_they_chose_and_is_asked_about(li: RawPhone) -> None:
    zhao = await phone_of(li.world, "zhao")
    await zhao.apply("households", NEW_ID(), fields=household(li.world, "101"))
    file = csv_of(["unit_1", "101", "出租"], headings=["单元", "门牌号", "房屋用途"])
    assert fates(await bring(li, file)) == ["to_decide"]


async def test_who_was_merged_is_found_where_they_stayed(li: RawPhone) -> None:
    headings = ["单元", "门牌号", "人员编号", "姓名"]
    for row in (["unit_1", "101", "P-1", "周桂兰"], ["unit_1", "101", "P-2", "周桂芝"]):
        await bring(li, csv_of(row, headings=headings))
    one, other = sorted(await people_of(li), key=lambda person: str(person["external_id"]))
    said = {"json": {"into": other["id"]}, "headers": li.headers}
    answer = await li.world.http.post(f"/v1/residents/{one['id']}/merge", **said)
    assert answer.status_code == 200, answer.text
    [row] = (await bring(li, csv_of(["unit_1", "101", "P-1", "周桂兰"], headings=headings)))["rows"]
    assert row["resident"] == other["id"]
    assert len(await people_of(li)) == 1
