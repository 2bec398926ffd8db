"""The shape of the code, held by a test; and planted violations, which prove that each rule bites."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from tests import mutants, tidy
from tests.tidy import Rule, Source

TOP = Path(__file__).parent.parent
LONGEST_FILE_LINES = 300
CODE = {".py", ".js", ".mjs", ".ts", ".vue", ".sh"}
TOP_LEVEL = {
    *("app", "migrations", "openapi", "sync", "tests"),
    *("alembic.ini", "pyproject.toml", "Dockerfile", "README.md", "LICENSE", "requirements.lock"),
}
DUMPING_GROUNDS = {"util", "helper", "common", "crud", "service", "manager", "misc"}

# For each rule, what is planted where.
PLANTED: dict[Rule, list[tuple[str, str]]] = {
    tidy.sync_stands_alone: [
        ("sync/merge.py", "from fastapi import Request"),
        ("sync/merge.py", "import httpx"),
        ("sync/store.py", "def keep():\n    from app import access"),
        ("sync/store.py", "import sqlalchemy.orm as orm"),
    ],
    tidy.arrows_point_one_way: [
        ("app/push.py", "from tests.postgres import start_server"),
        ("app/push.py", "from migrations import env"),
        ("sync/push.py", "import app.main"),
    ],
    tidy.collections_import_only_their_base: [
        ("app/collections/visit.py", "from app.collections.task import Task"),
        ("app/collections/visit.py", "from ..access import require_write"),
    ],
    tidy.routes_import_no_route: [
        ("app/push.py", "from app.pull import page\nrouter = 1"),
        ("app/identity/routes.py", "from .. import pull\nrouter: int = 1"),
    ],
    tidy.the_world_comes_through_seams: [
        ("app/push.py", "import datetime as d\nd.datetime.now(d.UTC)"),
        ("app/push.py", "from datetime import datetime as dt\ndt.utcnow()"),
        ("app/push.py", "import time\nfield(default_factory=time.monotonic)"),
        ("app/push.py", "from uuid import uuid4"),
        ("app/push.py", "from uuid_utils.compat import uuid7"),
        ("app/push.py", "import secrets"),
        ("app/push.py", "from httpx import AsyncClient"),
        ("sync/client.py", "from asyncio import sleep as nap"),
        ("sync/client.py", "import anyio\nanyio.sleep(1)"),
        ("sync/replica.py", "import os.path\nos.urandom(9)"),
        ("sync/replica.py", "import random as chance"),
    ],
    tidy.only_settings_read_the_environment: [
        ("app/main.py", "import os\nos.environ['HOME']"),
        ("app/main.py", "from os import getenv"),
        ("migrations/env.py", "import os\nos.getenv('HOME')"),
    ],
    tidy.only_access_reads_grants: [
        ("app/pull.py", "from app.tables import Grant as G"),
        ("app/pull.py", "from app import tables\nselect(tables.Grant)"),
        ("app/pull.py", "sql = 'SELECT role FROM \"grant\"'"),
        ("app/pull.py", "sql = f'select role from grant where home = {home}'"),
    ],
    tidy.no_record_field_reaches_a_log: [
        ("app/push.py", "log.info(f'{note}')"),
        ("app/push.py", "log.info('taken %s', note)"),
        ("app/push.py", "log.info('taken', note=n)"),
        ("app/push.py", "log.info('taken', **record)"),
        ("app/push.py", "self.log.info('taken', field_count=record.fields)"),
    ],
    tidy.no_function_is_too_long: [("app/push.py", "async def push():\n" + "    pass\n" * 60)],
    tidy.what_is_public_says_what_it_does: [
        ("app/push.py", "x = 1"),
        ("sync/merge.py", '"""M."""\ndef decide(): ...'),
        ("app/push.py", '"""M."""\n@router.get("/")\nasync def read(): ...'),
    ],
}


def name_of(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("rule", PLANTED, ids=name_of)
def test_the_code_keeps_to(rule: Rule) -> None:
    assert not list(rule(python_sources()))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [(rule, *plant) for rule, plants in PLANTED.items() for plant in plants],
    ids=name_of,
)
def test_a_planted_violation_is_seen_by(rule: Rule, path: str, text: str) -> None:
    route = Source("app/pull.py", '"""GET /v1/sync/pull."""\nrouter = 1')
    assert not list(rule([route]))
    assert list(rule([route, Source(path, text)]))


def test_no_file_is_too_long() -> None:
    code = [path for path in files() if path.suffix in CODE and "versions" not in path.parts]
    assert not [str(p) for p in code if len((TOP / p).read_text().splitlines()) > LONGEST_FILE_LINES]


def test_there_is_no_dumping_ground() -> None:
    names = {(path, part.split(".")[0].lower().removesuffix("s")) for path in files() for part in path.parts}
    assert not [str(path) for path, name in names if name in DUMPING_GROUNDS]


def test_the_top_level_holds_only_what_was_agreed() -> None:
    assert not {path.parts[0] for path in files() if not path.parts[0].startswith(".")} - TOP_LEVEL


def test_the_locks_agree_and_hold_no_url() -> None:
    runtime, everything = ((TOP / p).read_text() for p in ("requirements.lock", "tests/requirements.lock"))
    assert "://" not in runtime + everything
    others = [path for path in files() if path.name in ("package-lock.json", "requirements.lock")]
    assert len(others) >= 4
    assert not [str(path) for path in others if "://" in (TOP / path).read_text()]
    pinned, also_pinned = (set(re.findall(r"^\S+==\S+", lock, re.MULTILINE)) for lock in (runtime, everything))
    assert pinned
    assert pinned <= also_pinned


def test_every_change_judged_unnoticeable_is_of_a_line_that_is_still_there() -> None:
    for module, changes in mutants.judged().items():
        lines = {line.strip() for line in (TOP / "sync" / f"{module}.py").read_text().splitlines()}
        assert {change["was"] for change in changes} <= lines
        assert all(change["why"] for change in changes)


def test_the_rules_whose_changes_are_tried_are_those_that_were_judged() -> None:
    tried = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    assert tried == [f"sync/{module}.py" for module in mutants.judged()]


@cache
def files() -> list[PurePosixPath]:
    """What git keeps or would keep; without git, whatever lies here but caches, builds and data."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        left_out = re.compile(r"(^|/)(\.|__pycache__|build/|dist/|venv/|node_modules)|\.(egg-info|db|key)")
        found = [path.relative_to(TOP).as_posix() for path in TOP.rglob("*")]
        listed = "\0".join(path for path in found if not left_out.search(path))
    return [PurePosixPath(name) for name in listed.split("\0") if name and (TOP / name).is_file()]


@cache
def python_sources() -> list[Source]:
    return [Source(str(path), (TOP / path).read_text()) for path in files() if path.suffix == ".py"]
