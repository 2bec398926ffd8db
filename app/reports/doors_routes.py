"""/v1/reports/roster and /v1/reports/board: what staff see door by door, of one community."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from app.collections.base import Code
from app.context import ContextDep
from app.contract import PARSED_BODY, SIGNED_IN, STORED, answers
from app.identity.caller import CallerDep
from app.paging import each_once
from app.reports.board import board_of
from app.reports.forms import SHOWN, Asked, as_form
from app.reports.roster import Sought, roster_of
from app.reports.several import MOST_AREAS, MOST_NAMED
from app.reports.sheets import OfList

router = APIRouter(prefix="/v1/reports", tags=["reports"])

MOST_DOORS = 500
MOST_PRINTED = 10_000
"""Doors in a workbook or on a page: twice as many as the largest community that is known to have them has."""
MOST_PEOPLE = 100_000
Tags = Annotated[list[Code], Field(max_length=10_000), OfList(("tag",))]
Way = Annotated[str, Field(max_length=2000, description="位置 · Place: the areas on the way to it, by name")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\u0000-\u001f\u007f]+$")]
Place = Annotated[UUID, Field(description="区域 · The area it lies in")]
Floor = Annotated[int | None, Field(description="楼层 · Floor; null where it isn't known")]


_ONE = TypeAdapter(UUID)
_ID = {"type": "string", "format": "uuid"}


def _one_or_several(said: Any, several: ValidatorFunctionWrapHandler) -> Any:
    """One is a list of one; what is wrong with it is wrong with the field, and not with a place in a list."""
    return several(said) if isinstance(said, list) else [_ONE.validate_python(said)]


Areas = Annotated[
    list[Annotated[UUID, Field(strict=False)]],
    Field(min_length=1, max_length=MOST_AREAS),
    WrapValidator(_one_or_several),
    WithJsonSchema({"anyOf": [_ID, {"type": "array", "items": _ID, "minItems": 1, "maxItems": MOST_AREAS}]}),
]


class RosterAsked(Asked):
    """Which doors, and how many at a time."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    area_id: Areas = Field(
        description="区域，可为同一社区的多个 · The area whose doors are listed, a grid or a building; or several of "
        "one community, of which one inside another counts once"
    )
    tag: Annotated[Code | None, OfList(("tag",))] = Field(
        None, description="标签 · Tag: only doors with it, the household's or somebody's in it"
    )
    text: Text | None = Field(
        None,
        description="查找，姓名、拼音首字母或门牌号的一部分 · Looked for: part of a name, its first letters in "
        "pinyin, or of a door",
    )
    after: UUID | None = Field(None, strict=False, description="上一页的 `next` · `next` of the page before")
    limit: int = Field(
        100, ge=1, le=MOST_DOORS, description="每页户数 · How many doors a page, in JSON; other forms list them all"
    )


class PersonBehind(BaseModel):
    """Somebody in a household."""

    id: UUID = Field(description="居民 · The resident")
    name: str = Field(max_length=60, description="姓名 · Name")
    sex: Annotated[str | None, OfList(("sex",))] = Field(max_length=10, description="性别 · Sex")
    birth_date: date | None = Field(description="出生日期 · Birth date")
    relation: Annotated[Code, OfList(("relation",))] = Field(description="与户主关系 · Relation to the head")
    tags: Tags = Field(description="标签 · Tags: their own")


class ListedDoor(BaseModel):
    """One household, without telephone or ID numbers: rosters are printed and carried about."""

    id: UUID = Field(description="哪一户 · The household")
    area_id: Place
    place: Way
    door: str = Field(max_length=40, description="门牌号 · Door")
    floor: Floor
    use: Annotated[Code, OfList(("use",))] = Field(description="房屋用途 · Use")
    tags: Tags = Field(description="户标签 · Household's tags")
    residents: list[PersonBehind] = Field(max_length=MOST_PEOPLE, description="居民 · Residents: the eldest first")


class RosterArea(BaseModel):
    """How many fit in one of the areas that were asked for."""

    area_id: UUID = Field(description="区域 · The area")
    name: str = Field(max_length=100, description="名称 · Name")
    households: int = Field(ge=0, description="户数 · Doors")
    residents: int = Field(ge=0, description="居民 · Residents: behind these")


Tagged = Annotated[dict[str, Annotated[int, Field(ge=0)]], Field(max_length=10_000), OfList(("tag",))]


class Roster(BaseModel):
    """民情本 · The doors along the walk. `next` is the `after` of the page after it."""

    area_id: UUID | None = Field(description="区域，多个时为 null · The area; null: of several")
    name: str = Field(max_length=100 * MOST_NAMED + 20, description="名称 · Name: of several, the first of their names")
    households: int = Field(ge=0, description="户数，符合所找的 · Doors: all that fit, on all pages together")
    residents: int = Field(ge=0, description="居民 · Residents: behind these")
    household_tags: Tagged = Field(description="各标签户数 · Households with each tag: of all that fit")
    resident_tags: Tagged = Field(description="各标签人数 · Residents with each tag: of all behind these doors")
    doors: list[ListedDoor] = Field(max_length=MOST_DOORS, description="各户 · Doors: of this page")
    next: UUID | None = Field(description="下一页 · `after` of the page after this one; null at the end")
    areas: list[RosterArea] = Field(
        max_length=MOST_AREAS, description="各区域 · Areas: those asked for, along the walk, none inside another"
    )


class BoardAsked(Asked):
    """Of which building."""

    area_id: UUID = Field(description="楼栋或单元 · The building, or part of one")


class Colour(BaseModel):
    """What one colour says."""

    tag: Annotated[Code, OfList(("tag", "use"))] = Field(description="标签或用途 · Tag or use: that it stands for")
    colour: str = Field(max_length=100, description="颜色 · Colour: its Chinese name")
    colour_en: str = Field(max_length=100, description="颜色英文名 · Colour in English")


class ColouredDoor(BaseModel):
    """One door of the board."""

    household: UUID = Field(description="哪一户 · The household")
    area_id: Place
    place: Way
    door: str = Field(max_length=40, description="门牌号 · Door")
    tags: Annotated[list[Code], Field(max_length=10_000), OfList(("tag", "use"))] = Field(
        description="有颜色的标签 · Its tags that have a colour: in the order of the list"
    )


class BoardFloor(BaseModel):
    """One floor of the board."""

    floor: Floor
    doors: list[ColouredDoor] = Field(max_length=MOST_PEOPLE, description="各户 · Its doors, along the walk")


class Board(BaseModel):
    """七色信息牌 · The floors of a building, the highest first."""

    area_id: UUID = Field(description="楼栋 · The building")
    name: str = Field(max_length=100, description="名称 · Name")
    colours: list[Colour] = Field(max_length=1000, description="颜色表 · Colours: which tag has which")
    floors: list[BoardFloor] = Field(max_length=1000, description="各层 · Floors")


@router.post(
    "/roster",
    summary="民情本 · Roster of one or several areas",
    response_model=Roster,
    responses=SHOWN
    | answers(
        SIGNED_IN, STORED, PARSED_BODY, "bad_json", "not_found", "not_permitted", "invalid", "reference_not_found"
    ),
)
async def post_roster(body: RosterAsked, caller: CallerDep, context: ContextDep) -> Any:
    """一个网格或楼栋、或同一社区几栋楼的各户各人，按走访路线排列，并合计户数、人数和各标签；可按标签、姓名、
    拼音首字母（zgl 找到周桂兰）或门牌号查找。姓名不进网址，故用 POST。

    The doors and people of an area within a community, or of several, along the walk, and how many there are in all and
    with each tag; by tag, or by part of a name, its first letters in pinyin, or of a door number. It is a POST because
    a name belongs in no address.
    """
    limit = body.limit if body.form == "json" else MOST_PRINTED
    sought = Sought(body.area_id, body.tag, body.text, body.after, limit)
    said = await roster_of(context, caller.person_id, sought)
    return await as_form(context, caller.person_id, body, Roster, said, "民情本 · Roster")


@router.get(
    "/board",
    summary="七色信息牌 · Board of a building",
    response_model=Board,
    responses=SHOWN | answers(SIGNED_IN, STORED, "bad_request", "not_found", "not_permitted", "invalid"),
    dependencies=[Depends(each_once)],
)
async def get_board(caller: CallerDep, context: ContextDep, asked: Annotated[BoardAsked, Query()]) -> Any:
    """一栋楼每层每户的颜色，颜色由代码表 `colour` 规定；只给在本社区工作的人看，从不按户公开。

    Each door of a building in the colours that the code list `colour` gives its use and tags. Only for those who work
    in the community, by a role there: it tells where somebody lives alone, and is never published.
    """
    said = await board_of(context, caller.person_id, asked.area_id)
    return await as_form(context, caller.person_id, asked, Board, said, "七色信息牌 · Board")
