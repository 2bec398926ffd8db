"""The guide for outsiders: its commands are run as they stand, and its tables say what the server says."""

import asyncio
import os
from pathlib import Path

from app.demo.processes import serving
from app.settings import Settings
from sync import seams
from tests.conftest import KEY, opened
from tests.examples import PASSWORD, inhabited
from tests.guide import GUIDE, command_after, with_tables

PATIENCE_SECONDS = 60


def test_the_tables_of_codes_and_limits_are_the_servers() -> None:
    assert with_tables(GUIDE.read_text("utf-8")) == GUIDE.read_text("utf-8"), "run: python -m tests.guide"


async def test_ten_calls_are_a_whole_sync(database_url: str, tmp_path: Path) -> None:
    settings = {"QIAOMEN_DATABASE_URL": database_url, "QIAOMEN_KEY": KEY}
    async with opened(Settings(database_url=database_url, key=KEY)) as context:
        await inhabited(context)
    async with serving(None, settings, tmp_path / "server.log", seams.real()) as (_, port):
        shell = {"SERVER": f"http://127.0.0.1:{port}", "PASSWORD": PASSWORD, "no_proxy": "*"}
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", command_after("ten calls")),
            env=os.environ | shell,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode == 0, said.decode()
    told = said.decode().splitlines()
    assert len(told) == 6, told
