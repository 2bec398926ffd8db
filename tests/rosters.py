"""Rosters as offices keep them, brought in over HTTP by somebody who may; and the fixture to do it as a secretary."""

import io
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.raw_phone import RawPhone, phone_of
from tests.world import World

Answer = dict[str, Any]
HEADINGS = ["楼栋", "单元", "房号", "姓名", "性别", "出生日期", "身份证号", "联系电话", "与户主关系", "标签", "备注"]
ZHOU = [
    "building_1",
    "unit_1",
    "101",
    "周桂兰",
    "女",
    "1949/12/31",
    "11010519491231002X",
    "13800000000",
    "户主",
    "独居、党员",
    "耳背。",
]
LI = ["building_1", "unit_1", "101", "李建国", "男", "1950年1月2日", "", "", "配偶", "", ""]
CHEN = ["building_2", "unit_2", "201", "陈小红", "女", "", "", "", "户主", "", ""]
EMPTY = ["building_2", "unit_2", "202", "", "", "", "", "", "", "", ""]


def csv_of(*rows: Sequence[object], headings: Sequence[str] = HEADINGS) -> bytes:
    return "\r\n".join(",".join(str(cell) for cell in row) for row in (headings, *rows)).encode()


async def send(phone: RawPhone, file: bytes, area: str = "community", **said: Any) -> httpx.Response:
    data = {"area_id": str(phone.world.areas[area]), **{k: str(v) for k, v in said.items()}}
    files = {"file": ("roster.csv", io.BytesIO(file))}
    return await phone.world.http.post("/v1/imports", data=data, files=files, headers=phone.headers)


async def bring(phone: RawPhone, file: bytes, area: str = "community", **said: Any) -> Answer:
    answer = await send(phone, file, area, **{"dry_run": False, **said})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def fates(report: Answer) -> list[str]:
    return [row["fate"] for row in report["rows"]]


def counts(report: Answer) -> Answer:
    return {name: many for name, many in report["counts"].items() if many}


async def doors_of(phone: RawPhone, **filters: str) -> list[Answer]:
    answer = await phone.world.http.get("/v1/households", params=filters, headers=phone.headers)
    return list(answer.json()["items"])


async def people_of(phone: RawPhone) -> list[Answer]:
    answer = await phone.world.http.get("/v1/residents", headers=phone.headers)
    return sorted(answer.json()["items"], key=lambda one: str(one["name"]))


@pytest.fixture(name="li")
async def secretary(world: World, boss: RawPhone) -> RawPhone:
    """The secretary of a community whose lists name the codes."""
    named = [("tag", "living_alone", "独居"), ("tag", "party_member", "党员"), ("relation", "head", "户主")]
    for of_list, code, name in (*named, ("relation", "spouse", "配偶"), ("use", "rented", "出租")):
        fields = {"area_id": str(world.home), "list": of_list, "code": code, "name": name}
        assert (await world.http.post("/v1/codes", json=fields, headers=boss.headers)).status_code == 201
    return await phone_of(world, "li", role="secretary")
