"""Swagger UI in a real browser that reaches this server and nothing else: it draws every section without an error, and
whoever signs in on it asks, writes and takes a workbook home from there.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.demo.processes import serving
from sync import seams
from tests.browser import CHROMIUM, REQUIRED, Browser, browsing
from tests.contract import document
from tests.outsiders.place import PASSWORD, prepared

pytestmark = pytest.mark.skipif(not CHROMIUM and not REQUIRED, reason="there is no chromium here")
SECTIONS = "[...document.querySelectorAll('.opblock-tag')].map((one) => one.dataset.tag)"
CREATING = document()["paths"]["/v1/households"]["post"]["requestBody"]["content"]["application/json"]
EXAMPLE = CREATING["examples"]["example_1"]["value"]
ANSWERED = "document.querySelector('#{id} .live-responses-table tbody .response-col_status')?.textContent.trim()"
SHOWN = "document.querySelector('#{id} .highlight-code .microlight, #{id} a[download]')?.textContent"
SET = """((field, value) => {
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set.call(field, value);
  field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
  field.dispatchEvent(new FocusEvent("focusout", { bubbles: true }));
})"""


@pytest.fixture
async def docs(tmp_path: Path) -> AsyncIterator[Browser]:
    """The page, of a server with one community."""
    settings = await prepared(tmp_path / "server.db")
    async with (
        serving(None, settings, tmp_path / "server.log", seams.real()) as (_, port),
        browsing(tmp_path / "browser") as browser,
    ):
        await browser.open(f"http://127.0.0.1:{port}/docs#/sync/push")
        await browser.until(f"{SECTIONS}.length && document.querySelector('#operations-sync-push .opblock-body') && 1")
        yield browser
        hosts = {urlsplit(url).netloc for url in browser.requested if not url.startswith(("data:", "blob:"))}
        assert hosts == {f"127.0.0.1:{port}"}


async def sign_in(docs: Browser) -> None:
    """By the button, as somebody who reads the page would."""
    await docs.run("document.querySelector('.scheme-container .authorize').click()")
    await docs.until("Boolean(document.getElementById('oauth_username'))")
    await docs.type("#oauth_username", "secretary")
    await docs.type("#oauth_password", PASSWORD)
    await docs.run("document.querySelector('.auth-btn-wrapper .authorize').click()")
    await docs.until("document.querySelector('.dialog-ux')?.textContent.includes('Authorized')")
    await docs.run("document.querySelector('.auth-btn-wrapper .btn-done').click()")


async def tried(docs: Browser, tag: str, operation: str, **parameters: str) -> tuple[str, Any]:
    """Try it out: the status, and what is shown of the answer. `body` is what is written over the example's."""
    id = f"operations-{tag}-{operation}"
    if not await docs.run(f"Boolean(document.getElementById('{id}'))"):
        await docs.run(f"document.getElementById('operations-tag-{tag}').click()")
    await docs.until(f"Boolean(document.getElementById('{id}'))")
    for wanted, button in ((".try-out__btn", ".opblock-summary-control"), (".execute", ".try-out__btn")):
        if not await docs.run(f"Boolean(document.querySelector('#{id} {wanted}'))"):
            await docs.run(f"document.querySelector('#{id} {button}').click()")
        await docs.until(f"Boolean(document.querySelector('#{id} {wanted}'))")
    for name, value in parameters.items():
        row = "textarea.body-param__text" if name == "body" else f"tr[data-param-name={name}] :is(input, select)"
        await docs.run(f"{SET}(document.querySelector('#{id} {row}'), {json.dumps(value)})")
    await docs.run(f"document.querySelector('#{id} .btn-clear')?.click()")
    await docs.run(f"document.querySelector('#{id} .execute').click()")
    status = await docs.until(ANSWERED.format(id=id))
    return status, await docs.until(SHOWN.format(id=id))


async def test_the_page_draws_every_section_and_says_nothing_in_its_console(docs: Browser) -> None:
    assert await docs.run(SECTIONS) == [tag["name"] for tag in document()["tags"]]
    page = await docs.run("document.body.innerHTML")
    assert "Authorize" in page
    for code in document()["components"]["responses"]["push_409"]["x-codes"]:
        assert f"<code>{code}</code>" in page
    assert not docs.said


async def test_whoever_signs_in_on_the_page_reads_writes_and_takes_a_workbook_home(docs: Browser) -> None:
    await sign_in(docs)
    status, areas = await tried(docs, "areas", "areas_list_all", level="unit")
    assert status == "200", areas
    [unit, *_] = json.loads(areas)["items"]
    # As the example has it, but for where: of a second door nothing is left over from the first.
    for door in ("302", "303"):
        body = json.dumps({**EXAMPLE, "area_id": unit["id"], "door": door})
        status, made = await tried(docs, "households", "households_create", body=body)
        assert status == "201", made
        assert json.loads(made)["door"] == door
    status, told = await tried(docs, "reports", "get_totals", area_id=unit["id"], form="xlsx")
    assert (status, told) == ("200", "Download file")
    assert not [url for url in docs.requested if PASSWORD in url]
