"""`qiaomen demo` does what it prints: a whole community, three phones through every trouble, four equal in the end.

And where something is wrong with one of them, it says so and fails.
"""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.postgres import Server

TOP = Path(__file__).parent.parent
LONGEST_SECONDS = 240
COUNTS = {
    "sqlite": "15 grids, 19 buildings, 5,235 households, 8,234 residents",
    # One grid's doors: the whole community takes as long again, and proves the same of the store.
    "postgres": "15 grids, 19 buildings, 312 households, 554 residents",
}
OF_A_GRID = (
    "112 项计划",
    "once in 7 days each: 22–23",
    "one couple on 75 days; 600 calls in one day",
    "1 visit, derived, and one's own note",
    "3 from 05:10 to 00:40, all of",
    "residents 554, living_alone 48, empty_nest 64, ill 31, disabled 9",
    "board of 2 buildings: 312 doors in 7 colours, long_term_let 青, short_let 蓝, empty_nest 黄, disabled 紫",
)
OF_A_COMMUNITY = (
    "places: 15 grids, 19 buildings",
    "households 5,235, residents 8,234, aged_60 2,024, living_alone 669, empty_nest 612, disabled or mentally ill 212, "
    "low_income 823",
    "120 members in 15 grids",
    "ways to knock: 18, of which 4 are named: 真情感化、见缝插针、巧借机遇、以帮促进",
    "medicine_buyer 2,560, escorted 76, returner_abroad 35, returner 158, four_kinds 104",
    "sponsorships: 184",
    "sweep of 3 days",
    "7,826 households and 11,234 persons reached, 8,536 registered; 8,126 knocks from two phones",
)
"""What was reported, in the server's own words."""
SUMS = {"sqlite": "16,770 residents, 欧景苑 8,536", "postgres": "704 residents, 欧景苑 150"}


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", "demo", *options]


def environment() -> dict[str, str]:
    """The code under test, from whatever folder it is run."""
    return {**os.environ, "PYTHONPATH": str(TOP), "PYTHONUTF8": "1"}


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    whole = command(*options)
    return subprocess.run(
        whole,
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=LONGEST_SECONDS,
        check=False,
    )


def test_four_phones_are_equal_at_the_end_of_the_day(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    options = ["--once", "--directory", str(tmp_path / "demo")]
    if store == "postgres":
        server: Server = request.getfixturevalue("postgres")
        server.create_database("demo")
        options += ["--small", "--database", server.url("demo")]
    told = run(tmp_path, *options)
    assert (told.returncode, told.stderr) == (0, "")
    assert COUNTS[store] in told.stdout
    for promised in ("applied 6", "merged 1", "conflicted 2", "refused 1", "5 条在途 in flight"):
        assert promised in told.stdout
    equal = re.findall(r"(\d\S*) 条 records, .* copies, (\S+) 字节 bytes, sha256 ([0-9a-f]{32})", told.stdout)
    assert len(equal) == 4
    assert len(set(equal)) == 1
    assert "10 条记录都在" in told.stdout
    assert SUMS[store] in told.stdout
    for figure in (*OF_A_GRID, *(OF_A_COMMUNITY if store == "sqlite" else ())):
        assert figure in told.stdout
    # Alone somebody has room for ten of 112 doors; eight have for eighty.
    assert re.findall(r" (\d) 人 people: (\d+) 户.*; (\d+) 户排不下", told.stdout) == [
        ("1", "10", "102"),
        ("8", "80", "32"),
    ]
    # Everything lies in the folder it was given.
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert (tmp_path / "demo" / "qiaomen.db").exists() == (store == "sqlite")
    again = run(tmp_path, *options)
    assert again.returncode == 1
    assert "of its own" in again.stderr
    assert "Traceback" not in again.stderr


def test_it_serves_until_ctrl_c_and_its_accounts_are_usable(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    file.touch(mode=0o644)
    options = command("--small", "--accounts", str(file))
    with subprocess.Popen(
        options, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout
            told = "".join(iter_until(process, "Ctrl-C"))
            accounts = json.loads(file.read_text())
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert f"{accounts['base_url']}/docs" in told
            with httpx.Client(base_url=accounts["base_url"]) as http:
                assert http.get("/docs").status_code == 200
                for person in accounts["people"]:
                    assert person["password"] in told
                    form = {"username": person["login"], "password": person["password"], "grant_type": "password"}
                    assert http.post("/v1/auth/token", data=form).status_code == 200
            assert [(one["login"], one["role"]) for one in accounts["people"]] == [
                *[("secretary", "admin"), ("wang", "worker"), ("li", "worker"), ("zhao", "worker")],
                *[("zhou", "worker"), ("chen", "worker"), ("guo", "secretary"), ("city", "admin")],
            ]
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.terminate()  # a no-op once it has ended; it ends its server itself
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{accounts['base_url']}/livez")


def iter_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """Its lines up to the one with the word."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.mark.parametrize(
    ("plant", "reason"),
    [("corrupt", "copies differ from the fresh phone's"), ("lose", "notes: 1 lost")],
)
def test_a_planted_fault_is_seen(plant: str, reason: str, tmp_path: Path) -> None:
    told = run(tmp_path, "--once", "--small", "--plant", plant)
    assert told.returncode == 1
    assert reason in told.stderr
    assert "Traceback" not in told.stderr
    assert "四部手机完全一致" not in told.stdout
