"""`qiaomen import`: a roster of any size from the server's own command line, by the same rules as over HTTP."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from app.areas import find_area
from app.collecting import collect_seldom
from app.commands.session import refuse, with_context
from app.context import Context
from app.imports.cells import MOST_SHEETS_TOLD
from app.imports.columns import FIELDS, Kind, Mapped
from app.imports.fates import RowFate
from app.imports.importing import Import, Order
from app.imports.opening import open_table

BATCH = 500
_MAPPING = TypeAdapter(dict[str, str | None])
Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What `qiaomen import` was asked for, beside the file."""

    area_code: str
    kind: Kind = "roster"
    mapping: Path | None = None
    sheet: str | None = None
    from_row: int = 1
    write: bool = False


def bring(file: Path, asked: Asked, say: Say, progress: Say) -> Counter[str]:
    """How many rows came to what. `say` is told of every row that isn't plainly fine, `progress` up to which row all is
    done, so that whoever is cut off can go on from there.
    """
    mapped = _mapped(asked.kind, asked.mapping)

    async def work(context: Context) -> Counter[str]:
        async with context.database.snapshot("server") as snapshot:
            area = await find_area(snapshot, asked.area_code)
        if area is None:
            refuse(f"There is no area with code {asked.area_code}. See: qiaomen area list")
        order = Order(area.id, asked.kind, mapped, not asked.write, asked.from_row)
        with file.open("rb") as opened:
            return await _bring(context, order, opened, asked.sheet, say, progress)

    return with_context(work)


async def _bring(
    context: Context, order: Order, opened: BinaryIO, sheet: str | None, say: Say, progress: Say
) -> Counter[str]:
    collect_seldom()
    coming = Import(context, None, order, partial(open_table, opened, sheet))
    try:
        await coming.begin()
        if coming.other_sheets:
            say(f"{coming.sheet}\tread\t{' '.join(coming.other_sheets[:MOST_SHEETS_TOLD])}\tnot_read")
        for column in coming.columns.told:
            if column.code:
                say(f"{column.cell}\t{column.code}")
        while batch := await coming.next_batch(BATCH):
            for fate in batch:
                if fate.faults or fate.fate in ("refused", "to_decide"):
                    say(as_line(fate))
            progress(f"… {batch[-1].row}")
        return coming.counts
    finally:
        coming.close()


def as_line(fate: RowFate) -> str:
    """The row, its fate, and what is wrong in which cell: nothing of what the cells say."""
    return "\t".join([str(fate.row), fate.fate, " ".join(f"{fault.cell or '-'}:{fault.code}" for fault in fate.faults)])


def _mapped(kind: Kind, file: Path | None) -> Mapped:
    try:
        mapping = _MAPPING.validate_json(file.read_bytes()) if file else {}
    except (ValidationError, OSError):
        refuse("The mapping is no JSON object of headings and fields.")
    if unknown := {field for field in mapping.values() if field is not None and field not in FIELDS[kind]}:
        refuse(f"The mapping names fields that there are not: {', '.join(sorted(unknown))}.")
    return mapping
