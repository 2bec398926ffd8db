"""A report as an Excel workbook: a sheet for each table, ready to be printed. No cell is ever a formula."""

from collections.abc import Sequence
from io import BytesIO

import xlsxwriter  # type: ignore[import-untyped]

from app.reports.sheets import Cell, Sheet

MEDIA = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# What somebody wrote at a door may begin with "=", and may be a link: it stays text.
_AS_TEXT = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))
LONGEST_NAME = 31
WIDEST = 40
NO_WIDTH = "\u200b"


def as_workbook(sheets: Sequence[Sheet]) -> bytes:
    """The file."""
    file = BytesIO()
    with xlsxwriter.Workbook(file, _AS_TEXT) as book:
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        whole = book.add_format({"bold": True, "top": 6})
        for number, sheet in enumerate(sheets, start=1):
            page = book.add_worksheet(_name_of(sheet, number))
            page.write_row(0, 0, [_text(heading) for heading in sheet.headings], head)
            for n, row in enumerate(sheet.rows, start=1):
                page.write_row(
                    n, 0, [_text(cell) for cell in row], whole if n > len(sheet.rows) - sheet.wholes else None
                )
            for column in range(len(sheet.headings)):
                page.set_column(column, column, _width(sheet, column))
            page.freeze_panes(1, 0)
            page.repeat_rows(0)
            page.set_landscape()
            page.set_paper(9)  # A4
            page.fit_to_pages(1, 0)
    return file.getvalue()


def _text(cell: Cell) -> Cell:
    """What looks like Excel's own markup of a text would be written as such, and change the texts of other cells."""
    return cell + NO_WIDTH if isinstance(cell, str) and cell.endswith("</r>") else cell


def _name_of(sheet: Sheet, number: int) -> str:
    """No two alike, and nothing in it that Excel refuses."""
    return f"{number} {sheet.title.partition(' · ')[0].translate(_NOT_IN_NAMES)}"[:LONGEST_NAME]


def _width(sheet: Sheet, column: int) -> int:
    """A Chinese character is as wide as two letters."""
    cells = [str(row[column] or "") for row in sheet.rows[:100]]
    headings = max(sheet.headings[column].split(" · "), key=len)
    return min(WIDEST, 2 + max(sum(2 if ord(c) > 0x2E7F else 1 for c in cell) for cell in (headings, *cells)))
