"""A report as a page to be looked at, read aloud and printed, in black and white too. It loads and runs nothing."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.reports.charts import charts_of
from app.reports.sheets import Cell, Sheet, hidden_as
from sync.wire import Fields

_FOLDER = Path(__file__).parent
_TEMPLATES = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
# Ours, and to the letter what its hash is of.
_STYLE = Markup((_FOLDER / "page.css").read_text("utf-8"))
_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
STYLE_SOURCE = f"'sha256-{_HASH}'"
"""The style of these pages, as a policy lets it in."""
POLICY = f"default-src 'none'; style-src {STYLE_SOURCE}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PICTURED = {"parts"}
"""Tables whose rows are counted side by side: areas. Of people none is: nobody is measured against others."""
TALLIED = {
    "due": "应访户数 · Doors due",
    "overdue": "逾期户数 · Doors overdue",
    "undone": "无人可做 · Nobody has room",
    "done": "当日完成的计划 · Plans kept",
}
"""What is drawn of a day's care, of all together."""
MOST_BARS = 60
"""Rows in a picture: of more, nobody would see anything."""
SIDE_BY_SIDE = 3
WIDTH = 480
SHADES = {"红": "red", "橙": "orange", "黄": "yellow", "绿": "green", "青": "cyan", "蓝": "blue", "紫": "purple"}
"""A colour with another name is shown by its name alone: nothing is told by a colour only."""


def as_page(title: str, of: str, sheets: Sequence[Sheet], said: Fields) -> bytes:
    """The whole document. Pictures show what the tables below them say."""
    board, hidden = _board(said), hidden_as(said)
    shown = [
        {
            **asdict(sheet),
            "head": _head(sheet),
            "bars": _tally(said) if sheet.name == "about" else _bars(sheet),
            "charts": charts_of(sheet),
            "board": board if sheet.name == "floors" else None,
        }
        for sheet in sheets
    ]
    page = _TEMPLATES.get_template("page.html").render(title=title, of=of, sheets=shown, hidden=hidden, style=_STYLE)
    return page.encode()


def _head(sheet: Sheet) -> list[dict[str, Any]]:
    """Columns that have something in common, under what that is; each other one by itself."""
    groups = sheet.groups or [""] * len(sheet.headings)
    runs = groupby(range(len(groups)), key=lambda n: groups[n] or n)
    spans = [[*columns] for _, columns in runs]
    return [{"group": groups[span[0]], "headings": [sheet.own_heading(n) for n in span]} for span in spans]


def _bars(sheet: Sheet) -> dict[str, Any] | None:
    """A row of bars for each of them, for the first columns of counts."""
    parts = sheet.rows[: len(sheet.rows) - sheet.wholes]
    if sheet.name not in PICTURED or sheet.label is None or not 0 < len(parts) <= MOST_BARS:
        return None
    numbers = [n for n, _ in enumerate(sheet.headings) if any(isinstance(row[n], int) for row in parts)]
    columns = numbers[:SIDE_BY_SIDE]
    most = max((_count(row[n]) for row in parts for n in columns), default=0)
    if not most:
        return None
    rows = [
        {"label": row[sheet.label], "bars": [_bar(row[c], most, n, n) for n, c in enumerate(columns)]} for row in parts
    ]
    names = [sheet.headings[column] for column in columns]
    return {"rows": rows, "height": 12 * len(columns), "names": names, "title": None}


def _tally(said: Fields) -> dict[str, Any] | None:
    """A bar for each count of a duty list; none where there is nothing to do and nothing was done."""
    if not TALLIED.keys() <= said.keys():
        return None
    # What nobody has room for is a list.
    counts = [(name, len(_list(said[name])) or _count(said[name])) for name in TALLIED]
    most = max(many for _, many in counts)
    if not most:
        return None
    rows = [{"label": TALLIED[name], "bars": [_bar(many, most, 0, n)]} for n, (name, many) in enumerate(counts)]
    return {"rows": rows, "height": 12, "names": [], "title": "当日关爱走访 · Care of the day"}


def _bar(count: Cell, most: int, at: int, of: int) -> dict[str, Any]:
    """The `at`th in its row, in the shade `of`."""
    return {"y": 1 + 12 * at, "width": round(WIDTH * _count(count) / most), "count": count, "of": of}


def _count(cell: Any) -> int:
    return cell if isinstance(cell, int) else 0


def _board(said: Fields) -> list[dict[str, Any]]:
    colours: dict[str, Any] = {one["tag"]: one for one in _list(said.get("colours"))}
    return [
        {
            "name": "—" if floor["floor"] is None else f"{floor['floor']} 层",
            "doors": [
                {"door": f"{door['place']} {door['door']}".strip(), "colours": _colours(door, colours)}
                for door in floor["doors"]
            ],
        }
        for floor in _list(said.get("floors"))
    ]


def _colours(door: Any, colours: dict[str, Any]) -> list[dict[str, str]]:
    named = [str(colours[tag]["colour"]) for tag in door["tags"]]
    return [{"name": name, "shade": SHADES.get(name, "")} for name in named]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
