"""Which column says what: headings are matched with fields by their names, or by a mapping that comes with the file."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from app.collections import COLLECTIONS
from app.imports.cells import Line, cell_name
from app.problems import Problem

Kind = Literal["roster", "areas"]
Mapped = Mapping[str, str | None]
"""Heading → field; a heading that leads nowhere is left out."""

_LONGEST_HEADING = 200
PLACES = ("code", "estate", "grid", "building", "unit")
_PARTS = {"household": "households", "resident": "residents", "area": "areas"}
_DECIDED = {"area_id", "household_id", "parent_id", "feed_level", "home_level"}
"""Fields that a file doesn't say as such."""


def _fields_of(part: str) -> list[str]:
    return [f"{part}.{name}" for name in COLLECTIONS[_PARTS[part]].fields if name not in _DECIDED]


FIELDS: Mapping[Kind, Sequence[str]] = {
    "roster": [*(f"place.{name}" for name in PLACES), *_fields_of("household"), *_fields_of("resident")],
    "areas": ["area.parent", *_fields_of("area")],
}
"""What a column can be."""
_NEEDED: Mapping[Kind, Sequence[str]] = {"roster": ["household.door"], "areas": ["area.level", "area.name"]}
_ALSO: Mapping[str, str] = {
    "place.code": "区域编码 区域代码 area_code",
    "place.estate": "小区 小区名称 所属小区 estate",
    "place.grid": "网格 网格名称 所属网格 grid",
    "place.building": "楼栋 楼号 栋号 楼栋号 幢 building",
    "place.unit": "单元 单元号 unit",
    "household.door": "房号 房间号 室号 门号 户号 房屋号 room",
    "household.floor": "层 楼层号",
    "household.use": "用途 房屋用途 房屋性质 居住情况",
    "household.tags": "户标签 房屋标签 住户标签",
    "household.best_time": "上门时间",
    "household.external_id": "户编号 房屋编号 房屋编码 外部编号",
    "household.note": "户备注 房屋备注 备注",
    "resident.name": "姓名 居民姓名 人员姓名",
    "resident.birth_date": "出生年月日 生日 birthday",
    "resident.phone": "联系电话 手机 手机号 手机号码 电话号码 联系方式 mobile",
    "resident.id_number": "身份证号 身份证 公民身份号码 证件号码 证件号",
    "resident.relation": "与户主关系 关系 户主关系",
    "resident.registered_here": "是否户籍 户籍 户籍人口",
    "resident.emergency_contact": "紧急联系",
    "resident.tags": "人员标签 居民标签 重点人群 人员类别 标签",
    "resident.external_id": "人员编号 居民编号 人口编号 外部编号",
    "resident.note": "人员备注 居民备注 备注",
    "area.parent": "上级 上级区域 上级名称 上级编码 所属区域 parent",
    "area.name": "区域名称",
    "area.code": "区域编码 代码",
    "area.sort": "序号",
}
"""What offices call them beside the words of the declaration."""


class ToldColumn(NamedTuple):
    """A heading's cell, the field it says, or why it says none."""

    cell: str
    field: str | None
    code: str | None = None


@dataclass(frozen=True)
class Columns:
    """Where the headings stand, and which column each field has."""

    row: int
    of: Mapping[str, int]
    told: Sequence[ToldColumn]

    def cell(self, row: int, field: str) -> str | None:
        """Where a row says it."""
        return cell_name(row, self.of[field]) if field in self.of else None


def find_columns(kind: Kind, lines: Iterable[Line], mapped: Mapped) -> Columns:
    """The row of the first twenty in which most headings are known. Raises columns_missing."""
    found = max((_columns(kind, line, mapped) for line in _unmerged(lines)), key=lambda one: len(one.of), default=None)
    missing = [field for field in _needed(kind, found) if found is None or field not in found.of]
    if found is None or missing:
        raise Problem(
            "columns_missing", errors=[{"pointer": f"/columns/{field}", "code": "columns_missing"} for field in missing]
        )
    return found


def _unmerged(lines: Iterable[Line]) -> Iterator[Line]:
    """Headings of two rows: what is merged with the cell above it says the same."""
    above: Line | None = None
    for line in lines:
        held = above.cells if above is not None and above.number == line.number - 1 else {}
        told = {column: cell for column, cell in held.items() if column not in line.cells and line.is_merged(column)}
        above = line._replace(cells={**line.cells, **told})
        yield above


def _needed(kind: Kind, found: Columns | None) -> Sequence[str]:
    """Of people their names, where the file tells of people."""
    about_people = found is not None and any(field.startswith("resident.") for field in found.of)
    return [*_NEEDED[kind], "resident.name"] if about_people else _NEEDED[kind]


def _columns(kind: Kind, line: Line, mapped: Mapped) -> Columns:
    headings = {column: plain(cell.text) for column, cell in line.cells.items()}
    known, chosen = _KNOWN[kind], _chosen(line, mapped)
    # What both a door and a person have, such as a note, is the person's where there are people.
    people = any("resident.name" in known.get(heading, ()) for heading in headings.values())
    people = people or "resident.name" in chosen.values()
    of: dict[str, int] = {}
    told = {}
    # What the mapping names comes before what is only known.
    for column in sorted(headings, key=lambda column: (column not in chosen, column)):
        fields = [chosen[column]] if column in chosen else _in_order(known.get(headings[column], ()), people)
        field, code = next(((f, None) for f in fields if f not in of), (None, "heading_unknown"))
        if field is None and fields == [None]:
            code = None
        elif field is None and fields:
            code = "heading_twice"
        if field is not None:
            of[field] = column
        told[column] = ToldColumn(cell_name(line.number, column), field, code)
    return Columns(line.number, of, [told[column] for column in sorted(told)])


def _chosen(line: Line, mapped: Mapped) -> dict[int, str | None]:
    """Column → field, by the very heading; else by what it comes to, where of the other mapped ones one alone does."""
    exact = {column: cell.text for column, cell in line.cells.items() if cell.text in mapped}
    alike: dict[str, list[str | None]] = defaultdict(list)
    for heading in mapped.keys() - exact.values():
        alike[plain(heading)].append(mapped[heading])
    found = ((column, alike.get(plain(cell.text), ())) for column, cell in line.cells.items() if column not in exact)
    return {column: mapped[heading] for column, heading in exact.items()} | {
        column: fields[0] for column, fields in found if len(fields) == 1
    }


def _in_order(fields: Iterable[str], people: bool) -> list[str]:
    first, other = ("resident.", "household.") if people else ("household.", "resident.")
    mine = [field for field in fields if not field.startswith(other)]
    return mine or [field for field in fields if not field.startswith(first)]


def plain(heading: str) -> str:
    """Without spaces, brackets and marks, and with no difference between wide and narrow, large and small letters."""
    text = re.sub(r"[(][^()]*[)]", "", unicodedata.normalize("NFKC", heading[:_LONGEST_HEADING]))
    return re.sub(r"[\s:*_]", "", text).casefold()


def _names_of(field: str) -> Iterator[str]:
    """Its own name, the first words of its description in both languages, and what offices call it."""
    part, _, name = field.partition(".")
    yield field
    yield from _ALSO.get(field, "").split()
    if part in _PARTS and name in COLLECTIONS[_PARTS[part]].fields:
        zh, _, en = str(COLLECTIONS[_PARTS[part]].read.model_fields[name].description).partition(" · ")
        yield from (name, re.split("[，；：（]", zh)[0], re.split("[;:(,]", en)[0])


def _known(kind: Kind) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for field in FIELDS[kind]:
        for name in _names_of(field):
            fields = found.setdefault(plain(name), [])
            if field not in fields:
                fields.append(field)
    return found


_KNOWN: Mapping[Kind, Mapping[str, Sequence[str]]] = {"roster": _known("roster"), "areas": _known("areas")}
