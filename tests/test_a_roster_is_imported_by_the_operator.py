"""`qiaomen import`: tried first, done with --write, gone on with after a cut; what it prints tells of nobody."""

from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from click.testing import Result
from typer.testing import CliRunner

from app.cli import app
from app.commands import session
from app.settings import Settings
from tests.rosters import csv_of

KEY = "00" * 32
HEADINGS = ["房号", "姓名", "出生日期"]
ROWS = [["101", "周桂兰", "1949-12-31"], ["101", "李建国", "1950-02-31"], ["102", "陈小红", ""]]


@pytest.fixture(name="file")
def roster(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A roster, beside a server that has a building and nobody to sign in."""
    monkeypatch.setattr(session, "settings", lambda: Settings(database_url=database_url, key=KEY))
    for code, level, above in (("420107", "district", ""), ("q", "community", "420107"), ("q-1", "building", "q")):
        assert run("area", "add", code, code, "--level", level, *(["--parent", above] if above else [])).exit_code == 0
    file = tmp_path / "roster.csv"
    file.write_bytes(csv_of(*ROWS, headings=HEADINGS))
    return file


def run(*command: str) -> Result:
    return CliRunner().invoke(app, [*command])


def bring(file: Path, *options: str) -> tuple[int, list[str]]:
    done = run("import", str(file), "--area", "q-1", *options)
    assert not any(row[1] in done.output for row in ROWS)
    return done.exit_code, done.stdout.splitlines()


def test_it_is_tried_first_then_done_and_changes_nothing_the_second_time(file: Path) -> None:
    told = ["3\trefused\tC3:date_unreadable", "created 2\trefused 1"]
    assert bring(file) == (1, told)
    assert bring(file, "--write") == (1, told)
    assert bring(file, "--write") == (1, [told[0], "refused 1\tunchanged 2"])
    assert bring(file, "--write", "--from-row", "4") == (0, ["unchanged 1"])


def test_of_a_workbook_it_says_which_sheets_it_did_not_read(file: Path) -> None:
    book = file.with_suffix(".xlsx")
    with xlsxwriter.Workbook(str(book)) as made:
        made.add_worksheet("花名册").write_row(0, 0, HEADINGS)
        made.add_worksheet("二号")
    assert bring(book) == (0, ["花名册\tread\t二号\tnot_read", ""])


def test_what_stands_in_its_way_is_said_in_a_sentence(file: Path, tmp_path: Path) -> None:
    assert run("import", str(file), "--area", "nowhere").output.startswith("There is no area with code nowhere.")
    mapping = tmp_path / "mapping.json"
    mapping.write_text('{"房号": "household.zebra"}')
    assert "household.zebra" in run("import", str(file), "--area", "q-1", "--mapping", str(mapping)).output
    file.write_bytes(csv_of(["101"], headings=["地点"]))
    assert "(columns_missing): /columns/household.door" in run("import", str(file), "--area", "q-1").output
    file.write_bytes(b"PK\x03\x04")
    assert "(sheet_unreadable)" in run("import", str(file), "--area", "q-1").output
