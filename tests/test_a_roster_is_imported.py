"""An office's roster comes in as it is kept: tried first, told row by row, and again as often as anybody likes."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from app.bounds import MOST_BODY_BYTES
from app.imports import importing
from app.imports.batches import import_rows
from tests.maker import boss
from tests.raw_phone import RawPhone, phone_of
from tests.rosters import CHEN, EMPTY, LI, ZHOU, bring, counts, csv_of, doors_of, fates, people_of, secretary, send
from tests.world import NEW_ID, household

__all__ = ["boss", "secretary"]  # the fixtures `boss` and `li`


async def test_a_dry_run_tells_every_rows_fate_and_does_nothing(li: RawPhone) -> None:
    file = csv_of(ZHOU, LI, CHEN, EMPTY)
    answer = await send(li, file)
    report = answer.json()
    assert answer.status_code == 200, answer.text
    assert not report["done"]
    assert fates(report) == ["created"] * 4
    assert [row["row"] for row in report["rows"]] == [2, 3, 4, 5]
    assert report["next_row"] is None
    assert not await doors_of(li)
    assert fates(await bring(li, file)) == fates(report)


async def test_a_row_is_a_door_and_whoever_stands_in_it(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU, LI, CHEN, EMPTY))
    doors = {door["door"]: door for door in await doors_of(li)}
    units = {name: str(li.world.areas[name]) for name in ("unit_1", "unit_2")}
    assert {name: door["area_id"] for name, door in doors.items()} == {
        "101": units["unit_1"], "201": units["unit_2"], "202": units["unit_2"],
    }  # fmt: skip
    people = await people_of(li)
    assert [(one["name"], one["household_id"]) for one in people] == [
        ("周桂兰", doors["101"]["id"]), ("李建国", doors["101"]["id"]), ("陈小红", doors["201"]["id"]),
    ]  # fmt: skip
    zhou = people[0]
    assert (zhou["birth_date"], zhou["sex"], zhou["relation"]) == ("1949-12-31", "female", "head")
    assert (zhou["tags"], zhou["phone"], zhou["note"]) == (["living_alone", "party_member"], "13800000000", "耳背。")
    await li.pull()
    assert li.holds("residents", zhou["id"])
    li.check_digests()


async def test_whose_birth_date_no_column_says_is_as_old_as_the_id_number_says(li: RawPhone) -> None:
    headings = ["单元", "房号", "姓名", "身份证号"]
    file = csv_of(["unit_1", "101", "周桂兰", "11010519491231002x"], headings=headings)
    assert fates(await bring(li, file)) == ["created"]
    assert [one["birth_date"] for one in await people_of(li)] == ["1949-12-31"]
    totals = {"params": {"area_id": str(li.world.home)}, "headers": li.headers}
    assert (await li.world.http.get("/v1/reports/totals", **totals)).json()["whole"]["aged_60"] == 1
    assert counts(await bring(li, file)) == {"unchanged": 1}


async def test_a_sensitive_tag_that_nobody_gave_a_ground_for_is_named_and_taken(li: RawPhone) -> None:
    headings = ["单元", "房号", "户标签", "姓名", "人员标签"]
    rows = [["unit_1", "101", "low_income", "周桂兰", "独居、ill"], ["unit_1", "101", "low_income", "李建国", "ill"]]
    file = csv_of(*rows, headings=headings)
    report = await bring(li, file)
    named = [[(one["cell"], one["code"]) for one in row["problems"]] for row in report["rows"]]
    lacking = "no_legal_basis"
    assert (fates(report), named) == (
        ["created", "created"],
        [[("C2", lacking), ("E2", lacking)], [("C3", lacking), ("E3", lacking)]],
    )
    door, since = report["rows"][0]["household"], {"since": "2026-01-01", "basis": "consent"}
    whose = [{"tag": "low_income"}, {"tag": "ill", "resident_id": report["rows"][1]["resident"]}]
    for ground in (*whose, {"tag": "ill", "resident_id": report["rows"][0]["resident"], "until": "2026-01-02"}):
        await li.apply("tag_grounds", NEW_ID(), fields={"household_id": door, **since, **ground})
    again = await bring(li, file)
    assert counts(again) == {"unchanged": 2}
    # The first one's has run out.
    assert [[one["cell"] for one in row["problems"]] for row in again["rows"]] == [["E2"], []]


async def test_the_same_file_again_changes_nothing(li: RawPhone) -> None:
    file = csv_of(ZHOU, LI, CHEN, EMPTY)
    await bring(li, file)
    before = [one["rev"] for one in (*await doors_of(li), *await people_of(li))]
    assert counts(await bring(li, file)) == {"unchanged": 4}
    other = await phone_of(li.world, "wang", role="secretary")
    assert counts(await bring(other, file)) == {"unchanged": 4}
    assert [one["rev"] for one in (*await doors_of(li), *await people_of(li))] == before


async def test_what_is_empty_is_filled_and_sets_are_joined(li: RawPhone) -> None:
    world, door, person = li.world, NEW_ID(), NEW_ID()
    await li.apply("households", door, fields=household(world, "101", tags=["key_care"]))
    fields = {"household_id": str(door), "name": "周桂兰", "relation": "head", "tags": ["volunteer"]}
    await li.apply("residents", person, fields=fields)
    report = await bring(li, csv_of(ZHOU))
    assert fates(report) == ["updated"]
    assert (report["rows"][0]["household"], report["rows"][0]["resident"]) == (str(door), str(person))
    held = await li.get("residents", person)
    assert held["phone"] == "13800000000"
    assert held["tags"] == ["living_alone", "party_member", "volunteer"]
    assert (await li.get("households", door))["tags"] == ["key_care"]


async def test_what_somebody_wrote_at_a_door_stays_and_a_person_decides(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU))
    [zhou] = await people_of(li)
    await li.apply("residents", UUID(zhou["id"]), "update", zhou["rev"], fields={"phone": "13900000000"})
    report = await bring(li, csv_of(ZHOU))
    assert fates(report) == ["to_decide"]
    [conflict] = report["rows"][0]["conflicts"]
    asked = await li.get("conflicts", conflict)
    assert (asked["field"], asked["held"]) == ("phone", "13900000000")
    assert [one["value"] for one in asked["candidates"]] == ["13800000000"]
    assert (await li.get("residents", zhou["id"]))["phone"] == "13900000000"
    # Asked once: the same file waits for the same answer, and after it says nothing new.
    again = await bring(li, csv_of(ZHOU))
    assert (fates(again), again["rows"][0]["conflicts"]) == (["to_decide"], [conflict])
    assert len((await li.get("conflicts", conflict))["candidates"]) == 1
    said = {"json": {"value": "13900000000"}, "headers": li.headers}
    assert (await li.world.http.post(f"/v1/conflicts/{conflict}/resolution", **said)).status_code == 200
    assert counts(await bring(li, csv_of(ZHOU))) == {"unchanged": 1}


async def test_what_somebody_emptied_is_not_filled_again_unasked(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU))
    [zhou] = await people_of(li)
    await li.apply("residents", UUID(zhou["id"]), "update", zhou["rev"], fields={"phone": None})
    assert fates(await bring(li, csv_of(ZHOU))) == ["to_decide"]
    assert (await li.get("residents", zhou["id"]))["phone"] is None


async def test_a_note_that_says_it_already_is_left_and_a_hint_is_kept(li: RawPhone) -> None:
    door = NEW_ID()
    await li.apply("households", door, fields=household(li.world, "101", note="养狗。耳背。", best_time="晚上"))
    file = csv_of(["unit_1", "101", "耳背。", "早上"], headings=["单元", "门牌号", "备注", "上门时间"])
    [row] = (await bring(li, file))["rows"]
    assert (row["fate"], [(one["cell"], one["code"]) for one in row["problems"]]) == (
        "unchanged",
        [("D2", "value_kept")],
    )
    held = await li.get("households", door)
    assert (held["note"], held["best_time"]) == ("养狗。耳背。", "晚上")


async def test_a_record_is_found_by_its_external_id_before_its_door(li: RawPhone) -> None:
    headings = ["单元", "门牌号", "户编号", "人员编号", "姓名"]
    await bring(li, csv_of(["unit_1", "101", "H-1", "P-1", "周桂兰"], headings=headings))
    [door], [zhou] = await doors_of(li), await people_of(li)
    report = await bring(li, csv_of(["unit_1", "101A", "H-1", "P-1", "周桂蘭"], headings=headings))
    [row] = report["rows"]
    assert (row["fate"], row["household"], row["resident"]) == ("to_decide", door["id"], zhou["id"])
    assert len(row["conflicts"]) == 2
    assert [one["door"] for one in await doors_of(li)] == ["101"]


async def test_a_person_who_moved_is_found_by_their_number(li: RawPhone) -> None:
    await bring(li, csv_of(ZHOU))
    [zhou] = await people_of(li)
    [row] = (await bring(li, csv_of(["building_2", "unit_2", "201", *ZHOU[3:]])))["rows"]
    assert (row["fate"], row["resident"]) == ("to_decide", zhou["id"])
    fields = {(await li.get("conflicts", one))["field"] for one in row["conflicts"]}
    assert fields == {"household_id"}
    assert len(await people_of(li)) == 1


async def test_a_deleted_door_is_not_made_again(li: RawPhone) -> None:
    await bring(li, csv_of(EMPTY))
    [door] = await doors_of(li)
    await li.apply("households", UUID(door["id"]), "delete", door["rev"])
    [row] = (await bring(li, csv_of(EMPTY)))["rows"]
    assert (row["fate"], row["problems"][0]["code"]) == ("refused", "already_deleted")
    assert not await doors_of(li)


async def test_a_request_takes_so_many_rows_and_says_where_the_next_begins(
    li: RawPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.imports.routes.MOST_SECONDS", 0)
    file = csv_of(*(["building_1", "unit_1", n, "", *[""] * 7] for n in range(205)))
    made, row = 0, 1
    while row is not None:
        report = await bring(li, file, from_row=row)
        made, row = made + report["counts"]["created"], report["next_row"]
    assert made == 205
    assert len(await doors_of(li, limit="500")) == 205


async def test_a_cut_costs_at_most_one_batch_and_the_same_file_goes_on(
    li: RawPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = csv_of(*(["building_1", "unit_1", n, f"居民{n}", *[""] * 7] for n in range(250)))
    done = 0

    async def dies(*said: Any) -> Any:
        nonlocal done
        done += 1
        if done == 3:
            raise RuntimeError
        return await import_rows(*said)

    with monkeypatch.context() as patch:
        patch.setattr(importing, "import_rows", dies)
        assert (await send(li, file, dry_run=False)).json()["code"] == "internal"
    assert len(await doors_of(li, limit="500")) == 200
    assert counts(await bring(li, file)) == {"unchanged": 200, "created": 50}


async def test_the_same_file_twice_at_once_is_imported_once(li: RawPhone) -> None:
    file = csv_of(ZHOU, LI, CHEN, EMPTY)
    other = await phone_of(li.world, "wang", role="secretary")
    reports = await asyncio.gather(bring(li, file), bring(other, file))
    assert all("refused" not in fates(report) and "to_decide" not in fates(report) for report in reports)
    assert (len(await doors_of(li)), len(await people_of(li))) == (3, 3)


async def test_a_mapping_lets_another_offices_form_in(li: RawPhone) -> None:
    mapping = {"户主": "resident.name", "住址": "household.door", "单元": "place.unit", "密级": None}
    file = csv_of(["unit_1", "101", "周桂兰", "内部"], headings=["单元", "住址", "户主", "密级"])
    report = await bring(li, file, mapping=json.dumps(mapping))
    assert fates(report) == ["created"]
    assert [one["field"] for one in report["columns"]] == ["place.unit", "household.door", "resident.name", None]
    assert not any(one["problem"] for one in report["columns"])


@pytest.mark.parametrize(
    ("heading", "mapping"),
    [
        ("电话(手机)", {"电话(座机)": None, "电话(手机)": "resident.phone"}),
        ("电话（手机）", {"电话(座机)": None, "电话(手机)": "resident.phone"}),
        ("电话(手机)", {"电话(手机)": "resident.phone"}),
    ],
)
async def test_of_headings_that_differ_in_brackets_the_mapped_one_is_taken(
    li: RawPhone, heading: str, mapping: dict[str, str | None]
) -> None:
    headings = ["单元", "房号", "姓名", "电话(座机)", heading]
    file = csv_of(["unit_1", "101", "周桂兰", "02712345678", "13800000000"], headings=headings)
    await bring(li, file, mapping=json.dumps(mapping))
    assert [one["phone"] for one in await people_of(li)] == ["13800000000"]


async def test_whoever_may_not_write_there_imports_nothing(li: RawPhone) -> None:
    reader = await phone_of(li.world, "reader", role="reader")
    report = await bring(reader, csv_of(ZHOU))
    assert fates(report) == ["refused"]
    worker = await phone_of(li.world, "worker", area="building_1")
    report = await bring(worker, csv_of(ZHOU, CHEN))
    assert fates(report) == ["created", "refused"]
    assert {one["code"] for one in report["rows"][1]["problems"]} == {"reference_not_found"}
    helper = await phone_of(li.world, "helper", role="helper")
    assert (await send(helper, csv_of(ZHOU))).json()["code"] == "not_permitted"


async def test_areas_come_in_with_what_lies_in_them(li: RawPhone, boss: RawPhone) -> None:
    headings = ["上级", "层级", "名称", "编码"]
    rows = [["grid", "楼栋", "3号楼", "b-3"], ["b-3", "单元", "1单元", ""], ["3号楼", "单元", "2单元", ""]]
    report = await bring(boss, csv_of(*rows, headings=headings), kind="areas")
    assert fates(report) == ["created"] * 3
    assert counts(await bring(boss, csv_of(*rows, headings=headings), kind="areas")) == {"unchanged": 3}
    people = csv_of(["3栋", "2", "301", "周桂兰"], headings=["楼栋", "单元", "房号", "姓名"])
    assert fates(await bring(li, people)) == ["created"]
    assert set(fates(await bring(li, csv_of(["", "网格", "第9网格", ""], headings=headings), kind="areas"))) == {
        "refused"
    }


async def test_a_large_file_is_only_taken_from_who_is_signed_in(li: RawPhone) -> None:
    file = csv_of(ZHOU) + b"\r\n," * (MOST_BODY_BYTES // 3)
    assert (await send(li, file)).status_code == 200
    li.headers = {"Authorization": li.headers["Authorization"].replace("Bearer", "bearer")}
    assert (await send(li, file)).status_code == 200
    li.headers = {"Authorization": "Bearer x"}
    assert (await send(li, file)).json()["code"] == "body_too_large"
    assert (await send(li, csv_of(ZHOU))).json()["code"] == "token_foreign"


async def test_nobody_learns_from_an_import_who_lives_where_they_see_nothing(li: RawPhone) -> None:
    elsewhere = csv_of(["building_2", "unit_2", "201", *ZHOU[3:]])
    made = (await bring(li, elsewhere))["rows"][0]
    worker = await phone_of(li.world, "worker", area="building_1")
    [row] = (await bring(worker, csv_of(ZHOU)))["rows"]
    assert (row["fate"], row["conflicts"]) == ("created", [])
    assert row["resident"] != made["resident"]
    [hidden] = (await bring(worker, elsewhere))["rows"]
    unknown = (await bring(worker, csv_of(["building_2", "unit_2", "999", "无此人", *[""] * 7])))["rows"][0]
    assert [one["code"] for one in hidden["problems"]] == [one["code"] for one in unknown["problems"]]
