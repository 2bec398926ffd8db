"""POST /v1/imports and /v1/exports: a roster comes in as an office keeps it, and goes out as another wants it."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from app.bounds import MOST_FILE_BYTES_AT
from app.context import ContextDep
from app.contract import PARSED_BODY, REFUSALS, SIGNED_IN, STORED, Codes, Responses, answers, codes_of, succeeds
from app.identity.caller import CallerDep
from app.imports.cells import MOST_COLUMNS, MOST_ROWS, MOST_SHEETS_TOLD
from app.imports.columns import FIELDS, Columns, Kind, Mapped
from app.imports.delimited import as_csv
from app.imports.exporting import DEFAULT_HEADINGS, roster_table
from app.imports.fates import RowFate
from app.imports.importing import BATCH, MOST_AREAS, Order, import_piece
from app.imports.planning import Fate
from app.imports.rows import AREAS, HOUSEHOLDS, RESIDENTS
from app.problems import CATALOGUE, wrong_field
from app.reports.forms import FORMS
from app.reports.spreadsheet import MEDIA, as_workbook

router = APIRouter(prefix="/v1", tags=["imports"])

MOST_ROWS_A_REQUEST = 2000
MOST_SECONDS = 10
"""After which a request answers with what it has done, and says where the next one begins."""
_LONGEST_SHEET = 31
"""Characters, as Excel has it."""
MOST_ANSWERED = max(MOST_ROWS_A_REQUEST + 2 * BATCH, MOST_AREAS)
OF_A_CELL: Codes = (
    *("heading_unknown", "heading_twice", "cell_merged", "date_unreadable", "became_date", "number_cut"),
    *("text_garbled", "formula_error", "code_unknown", "area_unknown", "area_ambiguous", "match_ambiguous"),
    *("row_twice", "value_kept", "no_legal_basis"),
)
CSV = "text/csv"
EXPORTED: Responses = {200: {**succeeds(200)[200], "content": {MEDIA: FORMS[MEDIA], CSV: FORMS["text/html"]}}}
_IN_BOTH = {field: field for of_kind in FIELDS.values() for field in of_kind}
SheetName = Annotated[str, StringConstraints(max_length=_LONGEST_SHEET)]
Heading = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Name = Annotated[str, Field(max_length=64, json_schema_extra={"enum": [*_IN_BOTH]})]
_MAPPING = TypeAdapter(dict[Heading, Name | None])


class CellProblem(BaseModel):
    """What is wrong with a cell, or worth knowing of it."""

    cell: str | None = Field(max_length=10, description="单元格 · As the spreadsheet names it; null where none says it")
    code: str = Field(max_length=64, description="代码 · Of the catalogue")
    title: str = Field(max_length=200, description="说明 · In Chinese and English")


class ImportedColumn(BaseModel):
    """A heading, and the field that its column says."""

    cell: str = Field(max_length=10, description="表头所在 · Where the heading stands")
    field: str | None = Field(max_length=64, description="字段 · What the column says; null where it is left out")
    problem: CellProblem | None = Field(description="问题 · Why it is left out")


class ImportedRow(BaseModel):
    """One row and what became of it."""

    row: int = Field(ge=1, le=MOST_ROWS, description="行号 · As the spreadsheet counts")
    fate: Fate = Field(
        description="结果：新建、补充、未变、待定、拒绝 · `to_decide`: the record says otherwise and keeps it,"
        " and a person is asked; `refused`: something is wrong with it, and its cells are left out. Only where"
        " of a door and its person one alone is refused by what is stored is the other written all the same"
    )
    problems: list[CellProblem] = Field(max_length=MOST_COLUMNS, description="问题 · Cell by cell")
    household: UUID | None = Field(description="户 · The household")
    resident: UUID | None = Field(description="居民 · The person behind it")
    area: UUID | None = Field(description="区域 · The area, in an import of areas")
    conflicts: list[UUID] = Field(max_length=MOST_COLUMNS, description="冲突 · What waits for a person")


class Counts(BaseModel):
    """How many rows came to what. `skipped` say nothing."""

    created: int = Field(0, ge=0, description="新建 · Rows that make a record")
    updated: int = Field(0, ge=0, description="补充 · Rows that fill what was empty, or add to a set")
    unchanged: int = Field(0, ge=0, description="未变 · Rows that say what is known")
    to_decide: int = Field(0, ge=0, description="待定 · Rows that a person must decide about")
    refused: int = Field(0, ge=0, description="拒绝 · Rows with something wrong in them")
    skipped: int = Field(0, ge=0, description="空行 · Rows with nothing in them")


class ImportReport(BaseModel):
    """What was done, or would be. Send the same again with `from_row` at `next_row` for the rest."""

    done: bool = Field(description="是否已执行 · Was it done, or only tried?")
    sheet: str | None = Field(
        max_length=_LONGEST_SHEET, description="工作表 · The sheet that was read; null for a CSV file"
    )
    other_sheets: list[SheetName] = Field(
        max_length=MOST_SHEETS_TOLD, description="未读的工作表 · The sheets that were not read, hidden ones too"
    )
    heading_row: int = Field(ge=1, le=MOST_ROWS, description="表头行 · Where the headings stand")
    columns: list[ImportedColumn] = Field(max_length=MOST_COLUMNS, description="列 · What each heading was taken for")
    counts: Counts = Field(description="合计 · Of the rows below, and the empty ones between")
    rows: list[ImportedRow] = Field(max_length=MOST_ANSWERED, description="各行 · Every row's fate")
    next_row: int | None = Field(description="下一行 · Where the next request begins; null at the end")


@router.post(
    "/imports",
    summary="导入名册 · Import a roster",
    responses=succeeds(200)
    | answers(
        *(SIGNED_IN, STORED, PARSED_BODY, "not_found", "not_permitted", "invalid", "unknown_field"),
        *("sheet_unreadable", "sheet_too_large", "sheet_not_found", "columns_missing"),
    ),
    openapi_extra={"x-codes-inside": codes_of(OF_A_CELL, REFUSALS)},
)
async def post_import(
    caller: CallerDep,
    context: ContextDep,
    file: Annotated[
        UploadFile,
        File(
            description="xlsx 或 CSV 文件（UTF-8、GBK、UTF-16） · An xlsx or CSV file",
            json_schema_extra={"format": "binary", "maxLength": MOST_FILE_BYTES_AT["/v1/imports"]},
        ),
    ],
    area_id: Annotated[
        UUID, Form(description="社区或其中一部分 · The community whose rows these are, or a part of it")
    ],
    kind: Annotated[Kind, Form(description="户与居民，或区域 · Doors and the people behind them, or areas")] = "roster",
    mapping: Annotated[
        str | None,
        Form(
            max_length=20_000,
            description="表头与字段的对应，JSON · Heading → field, as JSON, where names differ:"
            ' {"户主": "resident.name"}; null leaves a column out',
        ),
    ] = None,
    dry_run: Annotated[bool, Form(description="只试算，不执行 · Only say every row's fate; nothing is done")] = True,
    sheet: Annotated[
        str | None,
        Form(max_length=_LONGEST_SHEET, description="工作表名称 · Which sheet; without it the first not hidden"),
    ] = None,
    from_row: Annotated[
        int, Form(ge=1, le=MOST_ROWS, description="从第几行继续 · `next_row` of the answer before")
    ] = 1,
) -> ImportReport:
    """一行一户，或一户一人。先试算：逐行列出结果，问题指明单元格。已有的记录按外部编号、身份证号或门牌号找到；
    空的补上，标签合并，不同的值不覆盖，成为冲突由人决定。重复导入不会改变什么；中断后再发一次即可。
    试算以一百行为一批，相隔更远的行互不知晓：将由前面的行新建的，后面的行试算时也可能算作新建。

    One row a door, or one person behind it. A dry run first: every row's fate, each problem with its cell. Records are
    found by external id, ID number or door; what is empty is filled, tags are added, and a value that differs from
    what somebody wrote at the door never replaces it but waits, as a conflict, for a person. The same file again
    changes nothing; after a cut send it again. At most 2,000 rows or 10 seconds a request: see `next_row`. A dry
    run tries a hundred rows at a time, and rows further apart don't know of each other: what an earlier one would
    make may be told as made by a later one too.
    """
    order = Order(area_id, kind, _mapped(kind, mapping), dry_run, from_row)
    most = (MOST_ROWS_A_REQUEST, MOST_SECONDS)
    piece = await import_piece(context, caller.person_id, order, file.file, sheet, *most)
    return ImportReport(
        done=not dry_run,
        sheet=piece.sheet[:_LONGEST_SHEET] if piece.sheet is not None else None,
        other_sheets=[name[:_LONGEST_SHEET] for name in piece.other_sheets[:MOST_SHEETS_TOLD]],
        heading_row=piece.columns.row,
        columns=_columns(piece.columns),
        counts=Counts(**piece.counts),
        rows=[_row(fate) for fate in piece.rows],
        next_row=piece.next_row,
    )


def _mapped(kind: Kind, mapping: str | None) -> Mapped:
    try:
        said = _MAPPING.validate_json(mapping) if mapping else {}
    except ValidationError:
        raise wrong_field("bad_request", "mapping") from None
    _require_fields(said.values(), FIELDS[kind])
    return said


def _require_fields(named: Iterable[str | None], known: Sequence[str]) -> None:
    if any(field is not None and field not in known for field in named):
        raise wrong_field("unknown_field", "mapping")


def _columns(columns: Columns) -> list[ImportedColumn]:
    return [
        ImportedColumn(cell=one.cell, field=one.field, problem=_problem(one.cell, one.code) if one.code else None)
        for one in columns.told
    ]


def _row(fate: RowFate) -> ImportedRow:
    return ImportedRow(
        row=fate.row,
        fate=fate.fate,
        problems=[_problem(*fault) for fault in fate.faults[:MOST_COLUMNS]],
        household=fate.records.get(HOUSEHOLDS),
        resident=fate.records.get(RESIDENTS),
        area=fate.records.get(AREAS),
        conflicts=[*fate.conflicts[:MOST_COLUMNS]],
    )


def _problem(cell: str | None, code: str) -> CellProblem:
    return CellProblem(cell=cell, code=code, title=f"{CATALOGUE[code].zh} · {CATALOGUE[code].en}")


class Export(BaseModel):
    """Which roster, under which headings."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    area_id: UUID = Field(strict=False, description="区域 · The area whose doors are exported, within one community")
    form: Literal["csv", "xlsx"] = Field("xlsx", description="格式 · As an Excel workbook, or separated by commas")
    mapping: dict[Heading, Name] = Field(
        default_factory=lambda: dict(DEFAULT_HEADINGS),
        min_length=1,
        max_length=MOST_COLUMNS,
        description="表头与字段 · Heading → field, in the order of the columns. Telephones and ID numbers are only in a"
        " file whose mapping names them",
    )


@router.post(
    "/exports",
    summary="导出名册 · Export a roster",
    response_class=Response,
    responses=EXPORTED
    | answers(
        *(SIGNED_IN, STORED, PARSED_BODY, "bad_json"),
        *("not_found", "not_permitted", "invalid", "unknown_field", "sheet_too_large"),
    ),
)
async def post_export(body: Export, caller: CallerDep, context: ContextDep) -> Any:
    """按另一单位的表头导出户与居民，一人一行，供填报而不必重抄；公式一律写成文字。只含本人能看到全部内容的区域。

    Doors and people under the headings of another office's form, one row a person, so that nobody copies them by hand.
    No cell is a formula. Only what one sees whole; a POST, since names belong in no address.
    """
    _require_fields(body.mapping.values(), FIELDS["roster"])
    table = await roster_table(context, caller.person_id, body.area_id, body.mapping)
    said = {"Content-Disposition": f'attachment; filename="roster.{body.form}"'}
    # Thousands of rows take a second: others are answered meanwhile.
    if body.form == "csv":
        return Response(await run_in_threadpool(as_csv, [table.headings, *table.rows]), headers=said, media_type=CSV)
    return Response(await run_in_threadpool(as_workbook, [table]), headers=said, media_type=MEDIA)
