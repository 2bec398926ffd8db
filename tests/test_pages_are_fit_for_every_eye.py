"""Every report's page, and the office's, in a real browser: axe-core finds nothing, nothing hangs over the edge or is
cut in print, and nothing is called by its id or code.
"""

import base64
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.browser import CHROMIUM, REQUIRED, Browser, browsing
from tests.raw_phone import RawPhone, phone_of
from tests.sweeps import begin, doors, freeze, knock, meet, secretary, today
from tests.world import NEW_ID, World, household

__all__ = ["doors", "secretary"]  # the fixtures

AXE = Path(__file__).parent / "outsiders" / "looks" / "node_modules" / "axe-core" / "axe.min.js"
AXE_REQUIRED = os.environ.get("QIAOMEN_REQUIRE_AXE") == "1"
pytestmark = [
    pytest.mark.skipif(not CHROMIUM and not REQUIRED, reason="there is no chromium here"),
    # A page doesn't know which store it was made from.
    pytest.mark.parametrize("store", ["sqlite"], indirect=True),
]
needs_axe = pytest.mark.skipif(
    not AXE.exists() and not AXE_REQUIRED, reason="`python -m tests.outsiders looks` installs axe-core"
)
FOUND = "axe.run().then((found) => found.violations.map((one) => [one.id, one.nodes[0].html, one.nodes.length]))"
WIDTHS = (1280, 390)
HANGS_OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG = "沿江大道与和平路交叉口东北侧原第一棉纺织厂职工宿舍改造后归并登记之第二十四号院落"
RAW = re.compile(r"\b(?:None|null|nan|undefined)\b|[0-9a-f]{8}-[0-9a-f]{4}|living_alone|nobody_home|medicine_buyer")
OPEN_OFFICE = """((page) => {
  for (const one of document.querySelectorAll("[hidden]")) one.hidden = false;
  document.getElementById("told").textContent = "没有权限 · You may not do this here";
  document.getElementById("showing").textContent = "走访覆盖 青和居社区";
  document.getElementById("page").srcdoc = page;
  return new Promise((done) => document.getElementById("page").addEventListener("load", () => done(0)));
})"""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browsing(tmp_path / "browser") as browser:
        yield browser


@pytest.fixture
async def pages(world: World, secretary: RawPhone, doors: list[UUID]) -> dict[str, str]:
    """Name → page: each report as the secretary sees it, rich and empty, and as who looks from above does."""
    campaign = await furnish(world, secretary, doors)
    above = await phone_of(world, "above", role="admin", area="district")
    week = {"since": str(today(world, later=-6)), "until": str(today(world))}
    past = {"since": "2020-01-01", "until": "2020-12-30"}
    asked: list[tuple[str, RawPhone, str, dict[str, str]]] = [
        *[(name, phone, "community", week) for name in ("coverage", "activity") for phone in (secretary, above)],
        *[(name, phone, "community", {}) for name in ("totals", "follow_ups") for phone in (secretary, above)],
        *[("sweep", phone, "community", {"campaign_id": campaign}) for phone in (secretary, above)],
        ("sweep", secretary, "building_2", {"campaign_id": await begin(secretary, name="没有人敲过门的行动")}),
        *[("duties", secretary, area, {}) for area in ("grid", "unit_2")],
        *[("patrol", secretary, "grid", {"day": day}) for day in (str(today(world)), "2020-01-01")],
        *[(name, secretary, area, {}) for name in ("roster", "board") for area in ("building_1", "building_2")],
        *[(name, secretary, "unit_2", past) for name in ("coverage", "activity")],
        *[(name, secretary, "unit_2", {}) for name in ("totals", "follow_ups")],
        ("totals", secretary, "grid", {"tag": "living_alone"}),
    ]
    return {f"{n} {name}": await page(phone, name, area, said) for n, (name, phone, area, said) in enumerate(asked)}


async def page(phone: RawPhone, name: str, area: str, said: dict[str, str]) -> str:
    body = {"area_id": str(phone.world.areas[area]), "form": "page", **said}
    how: Any = {"method": "POST", "json": body} if name == "roster" else {"method": "GET", "params": body}
    answer = await phone.world.http.request(url=f"/v1/reports/{name}", headers=phone.headers, **how)
    assert answer.status_code == 200, (name, answer.text)
    return str(answer.text)


async def furnish(world: World, secretary: RawPhone, doors: list[UUID]) -> str:
    """Something for every table and picture; long names where people write them. Gives the frozen campaign."""
    boss = await phone_of(world, "boss", role="admin")
    lists = {"tag": "独居", "colour": "橙", "outcome": "无人", "follow_up": "购药人员", "method": "隔门喊话"}
    codes = {"follow_up": "medicine_buyer", "method": "called", "outcome": "nobody_home"}
    for name, called in lists.items():
        code = {"area_id": str(world.home), "list": name, "code": codes.get(name, "living_alone"), "name": called}
        assert (await world.http.post("/v1/codes", json=code, headers=boss.headers)).status_code == 201
    for n in range(30):
        old = {"floor": n // 10 + 1, "tags": ["living_alone"], "note": LONG * 4}
        door = household(world, f"{n // 10 + 1}{n % 10:02}室{'东侧' * (n % 9)}", **old)
        await secretary.apply("households", id := NEW_ID(), fields=door)
        doors.append(id)
    campaign = await begin(secretary, name=LONG)
    await freeze(secretary, campaign)
    me = str(world.people["secretary"])
    member = {"area_id": str(world.areas["grid"]), "person_id": me, "name": LONG, "since": "2020-01-01"}
    assert (await world.http.post("/v1/members", json=member, headers=secretary.headers)).status_code == 201
    for n, door in enumerate(doors[4:24]):
        met = await meet(secretary, door, name=LONG, birth_date="1931-05-06", tags=["living_alone"])
        plan = {"household_id": str(door), "responsible": [me], "since": str(today(world, later=-9))}
        await secretary.apply("care_plans", NEW_ID(), fields={**plan, "channels": ["door"], "every_days": 3})
        said = {"persons_met": [met], "method": "called"} if n % 2 else {"outcome": "nobody_home"}
        await knock(secretary, door, campaign, **{"note": LONG * 9, **said})
        waits = {"household_id": str(door), "kind": "medicine_buyer", "since": str(today(world, later=-4))}
        await secretary.apply("follow_ups", NEW_ID(), fields={**waits, "due": str(today(world, later=-1))})
    return campaign


async def opened(browser: Browser, folder: Path, text: str) -> None:
    file = folder / "page.html"
    file.write_text(text, "utf-8")
    await browser.open(file.as_uri())


async def resized(browser: Browser, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    await browser.do("Emulation.setDeviceMetricsOverride", **size)


@needs_axe
async def test_an_auditor_finds_nothing_on_any_page(
    world: World, browser: Browser, pages: dict[str, str], tmp_path: Path
) -> None:
    found = {}
    for name, text in pages.items():
        await opened(browser, tmp_path, text)
        await browser.run(f"{AXE.read_text('utf-8')}; 0")
        found[name] = await browser.run(FOUND)
    office = (await world.http.get("/office")).text
    await opened(browser, tmp_path, office)
    await browser.run(f"{AXE.read_text('utf-8')}; 0")
    found["signing in"] = await browser.run(FOUND)
    await browser.run(f"{OPEN_OFFICE}({pages['0 coverage']!r})")
    found["office"] = await browser.run(FOUND)
    assert {name: what for name, what in found.items() if what} == {}


async def test_nothing_hangs_over_the_edge_and_nothing_is_called_by_its_code(
    browser: Browser, pages: dict[str, str], tmp_path: Path
) -> None:
    over, raw = {}, {}
    for name, text in pages.items():
        for width in WIDTHS:
            await resized(browser, width)
            await opened(browser, tmp_path, text)
            over[name, width] = await browser.run(HANGS_OVER)
        raw[name] = RAW.findall(await browser.run("document.body.innerText"))
    assert {where: pixels for where, pixels in over.items() if pixels > 0} == {}
    assert {name: words for name, words in raw.items() if words} == {}


async def test_a_picture_of_many_areas_is_printed_without_an_empty_sheet_before_it(
    world: World, browser: Browser, secretary: RawPhone, tmp_path: Path
) -> None:
    boss = await phone_of(world, "boss", role="admin")
    for n in range(50):
        building = {"parent_id": str(world.areas["grid"]), "level": "building", "name": f"{n}栋", "sort": n}
        answer = await world.http.post("/v1/areas", json=building, headers=boss.headers)
        assert answer.status_code == 201, answer.text
        door = {"area_id": answer.json()["id"], "door": "101"}
        assert (await world.http.post("/v1/households", json=door, headers=boss.headers)).status_code == 201
    await opened(browser, tmp_path, await page(boss, "totals", "grid", {}))
    printed = base64.b64decode((await browser.do("Page.printToPDF", preferCSSPageSize=True))["data"])
    # Four or five of bars, and two of the table.
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8
