"""The office page in a real browser that reaches this server alone: sign in, choose, look, print, download."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.demo.processes import serving
from app.office.routes import POLICY
from app.reports import page
from app.settings import Settings
from sync import seams
from tests.browser import CHROMIUM, REQUIRED, Browser, browsing
from tests.conftest import KEY, opened
from tests.raw_phone import phone_of
from tests.world import NEW_ID, PASSWORD, World, household, new_world

in_a_browser = pytest.mark.skipif(not CHROMIUM and not REQUIRED, reason="there is no chromium here")
ENTER = ("Enter", 13)
TOLD = "document.getElementById('told').textContent"
SHOWN = "!document.getElementById('shown').hidden"
CHOOSING = "!document.getElementById('choose').hidden"
PAGE = "document.getElementById('page').contentDocument.body.textContent"
LOADED = "document.getElementById('page').contentDocument?.querySelector('h1')?.textContent"


@pytest.fixture
async def office(database_url: str, store: str, tmp_path: Path) -> AsyncIterator[Browser]:
    """The page, from a server whose secretary signs in as `li`; 1号楼 has a door in orange."""
    settings = {"QIAOMEN_DATABASE_URL": database_url, "QIAOMEN_KEY": KEY}
    async with opened(Settings(database_url=database_url, key=KEY)) as context:
        await furnish(await new_world(context))
    async with (
        serving(None, settings, tmp_path / "server.log", seams.real()) as (_, port),
        browsing(tmp_path / "browser") as browser,
    ):
        await browser.open(f"http://127.0.0.1:{port}/office")
        yield browser
        hosts = {urlsplit(url).netloc for url in browser.requested if not url.startswith("data:")}
        assert hosts == {f"127.0.0.1:{port}"}


async def furnish(world: World) -> None:
    li = await phone_of(world, "li", role="secretary")
    await li.apply("households", NEW_ID(), fields=household(world, "301", floor=3, tags=["living_alone"]))
    boss = await phone_of(world, "boss", role="admin")
    for name, called in (("tag", "独居"), ("colour", "橙")):
        code = {"area_id": str(world.home), "list": name, "code": "living_alone", "name": called}
        assert (await world.http.post("/v1/codes", json=code, headers=boss.headers)).status_code == 201
    week = {"since": "2026-03-02", "until": "2026-03-04", "approval": "〔2026〕7号"}
    sweep = {"area_id": str(world.home), "name": "三天大排查", **week}
    assert (await world.http.post("/v1/campaigns", json=sweep, headers=boss.headers)).status_code == 201


async def sign_in(office: Browser, password: str = PASSWORD) -> None:
    await office.type("#login", "li")
    await office.type("#password", password)
    await office.press(*ENTER)


async def choose(office: Browser, report: str, area: str) -> None:
    """By what the fields say, and then the button; waits for an answer of either kind."""
    await office.run(
        f"""(() => {{
          const [report, area] = ["report", "area"].map((id) => document.getElementById(id));
          report.value = "{report}";
          report.dispatchEvent(new Event("change"));
          area.value = [...area.options].find((one) => one.text.endsWith("{area}")).value;
          document.getElementById("show").click();
        }})()"""
    )
    await office.until(f"{SHOWN} || {TOLD}")


@in_a_browser
async def test_an_office_signs_in_and_sees_the_board(office: Browser) -> None:
    await sign_in(office)
    await office.until(CHOOSING)
    # Along the tree; as far as there is one way down alone, without what lies above.
    ways = await office.run("[...document.getElementById('area').options].map((one) => one.text)")
    assert ways == ["district", "community", "grid", "building_1", "building_1 › unit_1", "building_2",
                    "building_2 › unit_2"]  # fmt: skip
    await choose(office, "board", "building_1")
    assert "七色信息牌" in await office.until(LOADED)
    board = "document.getElementById('page').contentDocument.querySelector('.board')"
    assert "301" in await office.run(f"{board}.textContent")
    # Its own style has been let in.
    assert await office.run(f"getComputedStyle({board}.querySelector('.orange')).borderTopWidth") == "3px"
    assert await office.run("document.activeElement.id") == "showing"
    assert not office.said


@in_a_browser
async def test_every_report_is_shown_and_comes_as_a_workbook(office: Browser) -> None:
    await sign_in(office)
    await office.until(CHOOSING)
    saved = "globalThis.saved = []; HTMLAnchorElement.prototype.click = function () { saved.push(this.download); }"
    await office.run(f"(() => {{ {saved} }})()")
    reports = await office.run("[...document.getElementById('report').options].map((one) => [one.value, one.text])")
    for value, title in reports:
        await choose(office, value, "building_1")
        zh = title.partition(" · ")[0]
        assert await office.run(TOLD) == ""
        await office.until(f"{LOADED}?.startsWith('{zh}')")
        await office.run("document.getElementById('download').click()")
        await office.until(f"saved.includes('{zh} building_1.xlsx')")
    assert len(reports) == 9
    assert not office.said


@in_a_browser
async def test_a_roster_is_chosen_of_several_areas_and_by_tag_and_follow_ups_by_campaign(office: Browser) -> None:
    await sign_in(office)
    await office.until(CHOOSING)
    await office.run(
        """(() => {
          globalThis.sent = [];
          const real = fetch;
          globalThis.fetch = (path, options) => (sent.push([path, options.body ?? null]), real(path, options));
          globalThis.choose = (id, ...texts) => {
            const field = document.getElementById(id);
            for (const one of field.options) one.selected = texts.some((text) => one.text.endsWith(text));
            field.dispatchEvent(new Event("change"));
          };
          choose("report", "Roster");
          choose("area", "building_1", "building_2");
          choose("tag", "独居");
          document.getElementById("show").click();
        })()"""
    )
    assert await office.until(LOADED) == "民情本 Roster"
    of = "document.getElementById('page').contentDocument.querySelector('header p').textContent"
    assert await office.run(of) == "building_1、building_2"
    assert await office.run("document.getElementById('showing').textContent") == "民情本 building_1 等 2 处"
    [_, body] = (await office.run("sent"))[-1]
    assert (len(json.loads(body)["area_id"]), json.loads(body)["tag"]) == (2, "living_alone")
    # Another report is of one area; follow-ups of one campaign, or of all.
    await office.run("choose('report', 'Follow-ups')")
    assert await office.run("document.getElementById('area').selectedOptions.length") == 1
    for campaign, named in (("Any", False), ("三天大排查", True)):
        await office.run(f"choose('campaign_id', '{campaign}'); document.getElementById('show').click()")
        await office.until(
            f"({LOADED})?.startsWith('跟进事项') && ({PAGE}.includes('三天大排查')) === {str(named).lower()}"
        )
        [path, _] = (await office.run("sent"))[-1]
        assert ("campaign_id" in path) is named
    await office.run("choose('report', 'Campaign')")
    assert await office.run("document.getElementById('campaign_id').selectedOptions[0].text") == "三天大排查"
    assert not office.said


@in_a_browser
async def test_the_report_alone_is_printed(office: Browser) -> None:
    await sign_in(office)
    await office.until(CHOOSING)
    await choose(office, "board", "building_1")
    await office.until(LOADED)
    noted = (
        "(one) => one.addEventListener('beforeprint', () => { globalThis.printed = document.getElementById('page') })"
    )
    await office.run(f"({noted})(document.getElementById('page').contentWindow)")
    await office.run("document.getElementById('print').click()")
    assert await office.until("globalThis.printed?.title") == "报表 · Report"
    assert not office.said


@in_a_browser
async def test_what_the_server_refuses_is_told_in_both_languages(office: Browser) -> None:
    await sign_in(office, "wrong")
    assert await office.until(TOLD) == "账号或密码不正确 · Login or password is wrong"
    assert await office.run("document.getElementById('password').value") == ""
    assert await office.run("document.getElementById('told').getAttribute('role')") == "alert"
    for _ in range(5):
        await office.run(f"{TOLD} = ''")
        await sign_in(office, "wrong")
        await office.until(TOLD)
    assert re.search(r"密码错误次数过多.* \d+ 秒后可再试 · Try again in \d+ s\.", await office.run(TOLD))


@in_a_browser
async def test_a_fault_says_in_which_field_it_lies(office: Browser) -> None:
    await sign_in(office)
    await office.until(CHOOSING)
    await choose(office, "roster", "district")
    assert await office.run(TOLD) == "字段内容不符合要求（区域 Area） · A field's value is not allowed"
    assert not await office.run(SHOWN)


@in_a_browser
async def test_an_expired_token_is_refreshed_unnoticed_and_signing_out_leaves_nothing(office: Browser) -> None:
    await sign_in(office)
    await office.until(CHOOSING)
    # A token that has run out, as the server would say it.
    await office.run(
        """(() => {
          const [real, expired] = [fetch, { code: "token_expired", titles: { zh: "过期", en: "expired" } }];
          globalThis.asked = [];
          globalThis.fetch = (path, options) => {
            asked.push(path.split("?")[0]);
            return asked.length === 1 ? Promise.resolve(Response.json(expired, { status: 401 })) : real(path, options);
          };
        })()"""
    )
    await choose(office, "totals", "grid")
    assert "人口" in await office.until(LOADED)
    assert await office.run("asked") == ["/v1/reports/totals", "/v1/auth/token", "/v1/reports/totals"]
    await office.run("document.getElementById('leave').click()")
    left = "[document.getElementById('area').options.length, document.getElementById('page').srcdoc, document.cookie]"
    assert await office.run(left) == [0, "", ""]
    assert await office.run("localStorage.length + sessionStorage.length") == 0
    assert (
        await office.run("document.getElementById('login').value + document.getElementById('name').textContent") == ""
    )
    assert not await office.run(f"{SHOWN} || {CHOOSING}")


async def test_the_page_is_one_document_whose_policy_lets_in_its_own_script_and_styles_alone(world: World) -> None:
    answer = await world.http.get("/office")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == POLICY
    parts = {
        "script": re.findall(r"<script[^>]*>(.*?)</script>", answer.text, re.DOTALL),
        "style": re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL),
    }
    parts["style"].append((Path(page.__file__).parent / "page.css").read_text("utf-8"))
    for kind, texts in parts.items():
        sources = [f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts]
        assert f"{kind}-src {' '.join(sources)};" in POLICY
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert not re.search(
        r"\son\w+=|\ssrc=|https?:|//[\w.]+/", re.sub(r"<script.*</script>", "", answer.text, flags=re.DOTALL)
    )
    assert "allow-scripts" not in answer.text


async def test_whoever_looks_at_the_page_needs_no_token_and_learns_nothing(world: World) -> None:
    await world.add_person("li")
    answer = await world.http.get("/office")
    assert answer.status_code == 200
    assert (await world.http.head("/office")).status_code == 200
    assert not [name for name in ("li'", "community", str(world.home)) if name in answer.text]
