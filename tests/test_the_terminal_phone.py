"""`qiaomen phone` is a whole phone: it works without a server, and what it says of a sync is what happened."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.demo.processes import free_port
from tests.terminals import TEXTS, Place, Terminal, running_place
from tests.world import PASSWORD


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running_place(tmp_path_factory.mktemp("place")) as place:
        yield place


@pytest.fixture
def wang(place: Place, tmp_path: Path) -> Terminal:
    return signed_in(place, tmp_path, "wang")


@pytest.fixture
def li(place: Place, tmp_path: Path) -> Terminal:
    return signed_in(place, tmp_path, "li")


def signed_in(place: Place, folder: Path, login: str) -> Terminal:
    phone = Terminal(folder / f"{login}.db", place.url)
    phone.login(login)
    assert phone.json("sync")["status"]["unsent"] == 0
    return phone


def switch_off(phone: Terminal) -> None:
    """Nobody listens at its server's address any more."""
    phone.server = f"http://127.0.0.1:{free_port()}"


def test_doors_are_listed_as_one_walks_past_them(wang: Terminal) -> None:
    doors = [one["fields"]["door"] for one in wang.json("list")["records"]]
    assert doors == ["101", "102", "1101"]
    words = wang.run("list").stdout.splitlines()
    assert "building_1unit_1 101" in words[0]
    assert words[-1].endswith("3")


def test_a_note_written_with_the_server_off_reaches_the_other_phone(place: Place, wang: Terminal, li: Terminal) -> None:
    switch_off(wang)
    note = ("note", wang.door("101")[-8:], "老人说腿好多了。", "--outcome", "opened", "--need", "medicine")
    visit = wang.json(*note, "--method", "method_01")
    assert visit["unsent"]
    assert wang.record(visit["id"])["needs"] == ["medicine"]
    status = wang.json("status")
    assert (status["unsent"], status["oldest_at"] is not None) == (1, True)
    assert "未上传 unsent" in wang.run("show", visit["id"]).stdout
    assert wang.run("list", "visits").stdout.startswith("*")

    wang.server = place.url
    outcomes = wang.json("sync")["outcomes"]
    assert [one["outcome"] for one in outcomes] == ["applied"]
    li.json("sync")
    assert li.record(visit["id"])["note"] == "老人说腿好多了。"
    assert visit["id"] in [one["id"] for one in li.json("show", li.door("101"))["beside"]]


def test_a_sync_without_a_server_loses_nothing_and_says_so(wang: Terminal) -> None:
    switch_off(wang)
    wang.json("note", wang.door("101"), "还在本机。")
    result = wang.run("sync")
    assert result.exit_code == 1
    assert "offline" in result.output
    assert wang.json("status")["unsent"] == 1
    assert "Traceback" not in result.output


def test_tags_and_sentences_of_two_phones_are_merged_and_both_versions_shown(wang: Terminal, li: Terminal) -> None:
    door = wang.door("102")
    wang.json("edit", "households", door, f"note=换了门铃。{TEXTS[1]}", "--add", "tags=veteran")
    li.json(
        "edit", "households", door, f"note={TEXTS[1]}女儿在外地。", "--add", "tags=ill", "--remove", "tags=short_let"
    )
    wang.json("sync")
    result = li.run("sync")
    assert result.exit_code == 0
    assert "已合并 merged" in result.stdout
    assert f"{TEXTS[1]}女儿在外地。" in result.stdout
    assert f"换了门铃。{TEXTS[1]}女儿在外地。" in result.stdout
    assert li.record(door)["tags"] == ["ill", "veteran"]


def test_a_conflict_is_shown_side_by_side_and_settled_offline(place: Place, wang: Terminal, li: Terminal) -> None:
    door = wang.door("1101")
    wang.json("edit", "households", door, "use=rented")
    li.json("edit", "households", door, "use=vacant")
    wang.json("sync")
    [outcome] = li.json("sync")["outcomes"]
    assert outcome["outcome"] == "conflicted"
    assert (outcome["wrote"], outcome["now"]) == ({"use": "vacant"}, {"use": "rented"})

    [conflict] = li.json("conflicts")["conflicts"]
    versions = [conflict["base"], conflict["held"], *(one["value"] for one in conflict["candidates"])]
    assert versions == ["self_occupied", "rented", "vacant"]
    assert conflict["candidates"][0]["mine"]
    assert conflict["candidates"][0]["written_at"]
    words = li.run("show", door).stdout
    assert all(version in words for version in ("self_occupied", "rented", "vacant", "我 me"))

    switch_off(li)
    li.json("resolve", conflict["id"][-8:], "--take", "1")
    assert li.json("conflicts")["conflicts"] == []
    assert li.record(door)["use"] == "vacant"
    li.server = place.url
    li.json("sync")
    wang.json("sync")
    assert wang.record(door)["use"] == "vacant"
    assert wang.problem("resolve", conflict["id"], "--take", "held") == "not_open"


def test_a_third_value_settles_a_conflict_too(wang: Terminal, li: Terminal) -> None:
    door = wang.door("1101")
    wang.json("edit", "households", door, "floor=11")
    li.json("edit", "households", door, "floor=12")
    wang.json("sync")
    li.json("sync")
    [conflict] = li.json("conflicts")["conflicts"]
    assert li.problem("resolve", conflict["id"], "--take", "7") == "no_such_candidate"
    assert li.problem("resolve", conflict["id"]) == "choose_one"
    assert li.problem("resolve", conflict["id"], "--value", "high") == "invalid"
    li.json("resolve", conflict["id"], "--value", "10")
    li.json("sync")
    wang.json("sync")
    assert wang.record(door)["floor"] == 10


def test_a_delete_that_crosses_an_edit_asks(wang: Terminal, li: Terminal) -> None:
    visit = wang.json("note", wang.door("101"), "写错了。")["id"]
    wang.json("sync")
    li.json("sync")
    wang.json("edit", "visits", visit, "note=改好了。")
    li.json("delete", "visits", visit)
    assert li.problem("show", visit) == "not_found"
    wang.json("sync")
    assert [one["outcome"] for one in li.json("sync")["outcomes"]] == ["conflicted"]
    [conflict] = li.json("conflicts")["conflicts"]
    assert "删除 delete it" in li.run("conflicts").stdout
    li.json("resolve", conflict["id"], "--take", "1")
    li.json("sync")
    wang.json("sync")
    assert wang.problem("show", visit) == "not_found"


def test_two_doors_that_look_like_one_are_listed_and_said_to_be_two(wang: Terminal, li: Terminal) -> None:
    wang.json("edit", "households", wang.door("102"), "door=101")
    wang.json("sync")
    li.json("sync")
    [hint] = li.json("list", "duplicates")["records"]
    assert li.run("list", "duplicates").stdout.count("unit_1 101") == 2
    li.json("edit", "duplicates", hint["id"], "state=dismissed", "note=前后门。")
    li.json("sync")
    wang.json("sync")
    assert wang.record(hint["id"])["state"] == "dismissed"


def test_what_was_refused_says_why_and_stays_readable(wang: Terminal) -> None:
    visit = wang.json("note", wang.door("101"), "电话里说的。")["id"]
    wang.json("sync")
    wang.json("edit", "visits", visit, "channel=phone")
    [outcome] = wang.json("sync")["outcomes"]
    assert (outcome["outcome"], outcome["problem"]["code"]) == ("refused", "once_changed")
    status = wang.json("status")
    assert status["refused"] == 1
    assert status["refusals"][0]["wrote"] == {"channel": "phone"}
    assert "once_changed" in wang.run("status").stdout
    assert wang.record(visit)["channel"] == "door"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("show", "ffffffffffffffff"), "not_found"),
        (("show", "zz"), "not_found"),
        (("list", "dragons"), "unknown_collection"),
        (("edit", "households", "DOOR", "colour=red"), "unknown_field"),
        (("edit", "households", "DOOR", "floor=high"), "invalid"),
        (("edit", "households", "DOOR", "floor=999"), "invalid"),
        (("edit", "households", "DOOR", "floor"), "field_without_value"),
        (("edit", "households", "DOOR"), "nothing_to_change"),
        (("edit", "households", "DOOR", "--add", "door=7"), "not_a_set"),
        (("edit", "areas", "AREA", "name=x"), "pull_only"),
        (("note", "DOOR", "字" * 4001), "text_too_long"),
        (("note", "DOOR", "x", "--need", "NOT A CODE"), "invalid"),
        (("show", ""), "not_found"),
    ],
)
def test_a_slip_is_a_problem_and_changes_nothing(wang: Terminal, command: tuple[str, ...], code: str) -> None:
    area = wang.json("list", "areas")["records"][0]["id"]
    named = {"DOOR": wang.door("101"), "AREA": area}
    assert wang.problem(*(named.get(word, word) for word in command)) == code
    assert wang.json("status")["unsent"] == 0


def test_the_common_end_of_two_ids_is_not_enough(wang: Terminal) -> None:
    ids = [one["id"] for one in wang.json("list")["records"]]
    shared = ids[0][:6]  # version 7: made together, they begin alike
    assert all(id.startswith(shared) for id in ids)
    assert wang.problem("show", shared) == "id_ambiguous"


def test_somebody_else_may_not_sign_in_over_unsent_notes(wang: Terminal) -> None:
    wang.json("note", wang.door("101"), "只在本机。")
    result = wang.run("login", "li", password=f"{PASSWORD}\n")
    assert result.exit_code == 1
    assert "other_persons_outbox" in result.output
    assert wang.json("status")["unsent"] == 1


def test_a_wrong_password_and_a_wrong_address_are_problems(place: Place, tmp_path: Path) -> None:
    phone = Terminal(tmp_path / "new.db", place.url)
    assert phone.problem("status") == "no_phone"
    assert not phone.file.exists()
    assert phone.problem("login", "wang") == "password_missing"
    guess = phone.run("--json", "login", "wang", password="a guess, no more\n")
    assert (guess.exit_code, json.loads(guess.stdout)["problem"]["code"]) == (1, "wrong_credentials")
    assert phone.problem("sync") == "not_signed_in"
    phone.server = "nowhere"
    assert (
        json.loads(phone.run("--json", "login", "wang", password="x\n").stdout)["problem"]["code"] == "server_invalid"
    )


def test_the_file_is_its_owners_alone_and_another_file_is_no_phone(wang: Terminal, tmp_path: Path) -> None:
    assert stat.S_IMODE(wang.file.stat().st_mode) == 0o600
    other = Terminal(tmp_path / "other.db", wang.server)
    other.file.write_text("this is a letter, not a database " * 99)
    assert other.problem("status") == "file_unusable"
    nowhere = Terminal(tmp_path / "missing" / "phone.db", wang.server)
    assert nowhere.problem("login", "wang") == "file_unusable"
