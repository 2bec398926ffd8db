"""Which kind of file it is, by how it begins and never by its name."""

from typing import BinaryIO

from app.imports.cells import Table
from app.imports.delimited import Delimited
from app.imports.parts import MOST_INFLATED_BYTES
from app.imports.workbook import Workbook
from app.problems import wrong_field

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0"
"""Excel's old binary files, and those with a password."""


def open_table(file: BinaryIO, sheet: str | None = None, most_bytes: int = MOST_INFLATED_BYTES) -> Table:
    """The first sheet that isn't hidden, or the one with this name, to be closed; of a workbook that unpacks to so many
    bytes at most.

    Raises sheet_unreadable, sheet_too_large and sheet_not_found.
    """
    file.seek(0)
    begins = file.read(4)
    if begins in _ZIP:
        return Workbook(file, sheet, most_bytes)
    if begins == _OLE or not begins:
        raise wrong_field("sheet_unreadable", "file")
    if sheet is not None:
        raise wrong_field("sheet_not_found", "sheet")
    return Delimited(file)
