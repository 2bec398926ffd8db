"""The forms a report comes in: JSON for programs, a workbook for offices, a page for eyes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from app.answers import as_answer
from app.context import Context
from app.contract import Responses, succeeds
from app.problems import CATALOGUE
from app.reports.page import POLICY, as_page
from app.reports.parts import codes_at
from app.reports.several import known_together, name_of
from app.reports.sheets import Line, Told, asked_lines, hidden_as, sheets_of
from app.reports.spreadsheet import MEDIA, as_workbook
from sync.wire import Fields

LONGEST = 64 << 20
"""Characters, or bytes of a workbook: far more than the reports of any community come to."""
TEXT: dict[str, Any] = {"type": "string", "maxLength": LONGEST}
FORMS: dict[str, Any] = {MEDIA: {"schema": TEXT | {"format": "binary"}}, "text/html": {"schema": TEXT}}
SHOWN: Responses = {200: {**succeeds(200)[200], "content": FORMS}}
"""The answer of success of a route with a Form."""

Form = Annotated[
    Literal["json", "xlsx", "page"],
    Field(description="形式：JSON、Excel 表格或可打印的网页 · As JSON, as an Excel workbook, or as a page to print"),
]
_WORDS = {
    "level": {
        **{"city": "市", "district": "区", "street": "街道", "community": "社区", "estate": "小区", "grid": "网格"},
        **{"building": "楼栋", "unit": "单元", "team": "团队"},
    },
    "sex": {"male": "男", "female": "女"},
    "channel": {"door": "上门", "phone": "电话", "street": "路遇", "window": "隔窗"},
    "outcome": {
        **{"opened": "开门", "nobody_home": "无人", "refused": "拒访"},
        **{"moved_away": "已搬走", "not_found": "找不到"},
    },
    "problem": {code: entry.zh for code, entry in CATALOGUE.items()},
}
WORDS = {(name, word): zh for name, words in _WORDS.items() for word, zh in words.items()}
"""What stands in no list of codes, since nobody adds to it."""


class Asked(BaseModel):
    """What a report is asked by, whatever else that says."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    area_id: UUID | list[UUID]
    form: Form = "json"

    @property
    def areas(self) -> list[UUID]:
        """Of which area it is, or of which several."""
        return self.area_id if isinstance(self.area_id, list) else [self.area_id]


async def as_form(
    context: Context,
    person: UUID,
    asked: Asked,
    report: type[BaseModel],
    said: Fields,
    title: str,
    also: Sequence[Line] = (),
) -> Response:
    """The report in the form that was asked for. In tables codes have the names that the area's lists give them;
    `also` says of what else it is, where that was asked for by an id.
    """
    if asked.form == "json":
        return as_answer(said, {})
    area, names = await _names(context, person, asked.areas)
    told = Told({**WORDS, **names}, hidden_as(said))
    # At the head of a page that is told already.
    about: list[Line] = [] if asked.form == "page" else [("报表 · Report", title), ("区域 · Area", area)]
    sheets = sheets_of(report, said, told, [*about, *also, *asked_lines(asked, report, told)])
    # Thousands of doors take a second: others are answered meanwhile.
    if asked.form == "xlsx":
        name = {"Content-Disposition": _as_file(f"{title.partition(' · ')[0]} {area}.xlsx")}
        return Response(await run_in_threadpool(as_workbook, sheets), headers=name, media_type=MEDIA)
    page = await run_in_threadpool(as_page, title, area, sheets, said)
    return Response(page, headers={"Content-Security-Policy": POLICY}, media_type="text/html")


def _as_file(name: str) -> str:
    """To be kept under that name, or under a plain one by who can't read it: RFC 6266."""
    return f"attachment; filename=\"report.xlsx\"; filename*=UTF-8''{quote(name, safe='')}"


async def _names(context: Context, person: UUID, areas: Sequence[UUID]) -> tuple[str, Mapping[tuple[str, str], str]]:
    """What the areas are called, and the codes of the lists that hold there: as the nearest area that all of them lie
    in calls them.
    """
    async with context.database.snapshot(context.seen_by(person)) as snapshot:
        ground = await known_together(snapshot, context, person, areas)
        codes = await codes_at(snapshot, ground)
    return name_of(ground.places), {(code.list, code.code): code.name for code in codes}
