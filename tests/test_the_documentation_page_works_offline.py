"""Swagger UI in a real browser that reaches this server and nothing else: it draws every section, without an error."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from app.demo.processes import serving
from sync import seams
from tests.conftest import KEY
from tests.contract import document

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = os.environ.get("QIAOMEN_REQUIRE_CHROMIUM") == "1"
PATIENCE_SECONDS = 120
OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=20000"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


async def browse(url: str, folder: Path) -> tuple[str, list[str]]:
    """The page as it is in the end, and what its console said."""
    assert BROWSER, "install chromium"
    process = await asyncio.create_subprocess_exec(
        *(BROWSER, *OPTIONS, f"--user-data-dir={folder}", "--dump-dom", url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    page, log = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    return page.decode(), [line for line in log.decode().splitlines() if "CONSOLE" in line]


@pytest.mark.skipif(not BROWSER and not REQUIRED, reason="there is no chromium here")
async def test_the_page_draws_every_section_and_says_nothing_in_its_console(tmp_path: Path) -> None:
    settings = {"QIAOMEN_DATABASE_URL": f"sqlite:///{tmp_path}/test.db", "QIAOMEN_KEY": KEY}
    async with serving(None, settings, tmp_path / "server.log", seams.real()) as (_, port):
        page, said = await browse(f"http://127.0.0.1:{port}/docs#/sync/push", tmp_path / "browser")
    assert not said
    sections = re.findall(r'id="operations-tag-([\w-]+)"', page)
    assert sections == [tag["name"] for tag in document()["tags"]]
    assert 'id="operations-sync-push"' in page
    assert "Authorize" in page
    for code in document()["components"]["responses"]["push_409"]["x-codes"]:
        assert f"<code>{code}</code>" in page
