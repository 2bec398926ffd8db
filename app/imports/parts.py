"""The parts of a workbook: weighed before anything is unpacked, and read as they come out of the archive."""

import errno
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile
from zlib import error as BadDeflate

from app.problems import Problem, wrong_field

MOST_PARTS = 1000
MOST_INFLATED_BYTES = 512 << 20
MOST_RATIO = 100
"""How much larger than its file a workbook may be inside. Rosters are five to twenty times as large."""
FREE_OF_RATIO_BYTES = 4 << 20
MOST_SMALL_BYTES = 16 << 20
"""Of a part that is no table: which sheets there are, and how they look."""
MOST_DEPTH = 64
"""Elements within each other. A sheet has eight or so."""
MOST_TOKEN_BYTES = 1 << 20
"""Of one tag with all it says: until it ends it is kept, and looked at again and again."""
_CHUNK = 1 << 16
_ENTRY = b"PK\x01\x02"

Event = tuple[str, dict[str, str] | str | None]
"""(name, attributes) where an element begins, (name, None) where it ends, ("", text) between."""


@contextmanager
def told() -> Iterator[None]:
    """Whatever is wrong with a file, it is a file that can't be read."""
    try:
        yield
    except (
        *(BadZipFile, BadDeflate, struct.error, expat.ExpatError, EOFError, NotImplementedError, RuntimeError),
        *(LookupError, ValueError, OverflowError),
    ):
        raise wrong_field("sheet_unreadable", "file") from None
    except OSError as error:
        # A part that is said to begin before the file does; whatever else a disk says is no fault of the file's.
        if error.errno != errno.EINVAL:
            raise
        raise wrong_field("sheet_unreadable", "file") from None


def length_of(file: BinaryIO) -> int:
    """In bytes."""
    return file.seek(0, 2)


def count_parts(file: BinaryIO) -> None:
    """Before the archive's directory is read, all of which is kept in memory: its entries begin so, however few
    it says there are. Raises sheet_too_large.
    """
    file.seek(0)
    many, before = 0, b""
    while chunk := file.read(_CHUNK):
        whole = before + chunk
        many += whole.count(_ENTRY)
        before = whole[1 - len(_ENTRY) :]
    if many > MOST_PARTS:
        raise Problem("sheet_too_large", most_parts=MOST_PARTS)


def weigh(archive: ZipFile, packed_bytes: int, most_bytes: int) -> None:
    """Before anything is unpacked. No part gives more than it says here: what reads it stops there.

    Raises sheet_too_large, and ValueError for a packing that Excel doesn't use: some give anything out of nothing.
    """
    parts = archive.infolist()
    inflated = sum(part.file_size for part in parts)
    allowed = min(most_bytes, max(FREE_OF_RATIO_BYTES, MOST_RATIO * packed_bytes))
    if inflated > allowed:
        raise Problem("sheet_too_large", most_bytes=allowed)
    if any(part.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for part in parts):
        raise ValueError


def events_of(archive: ZipFile, part: str) -> Iterator[Event]:
    """Of a part of any size."""
    with archive.open(part) as source:
        yield from _parsed(source)


def events_of_small(archive: ZipFile, part: str) -> Iterator[Event]:
    """Of a part that is kept in memory. Raises sheet_too_large."""
    if archive.getinfo(part).file_size > MOST_SMALL_BYTES:
        raise Problem("sheet_too_large", most_bytes=MOST_SMALL_BYTES)
    return events_of(archive, part)


def _parsed(source: IO[bytes]) -> Iterator[Event]:
    events: list[Event] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def begins(name: str, said: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_DEPTH:
            raise ValueError
        events.append((name.rpartition(":")[2], said))

    def ends(name: str) -> None:
        nonlocal depth
        depth -= 1
        events.append((name.rpartition(":")[2], None))

    parser.StartElementHandler, parser.EndElementHandler = begins, ends
    parser.CharacterDataHandler = lambda text: events.append(("", text))
    parser.StartDoctypeDeclHandler = _refuse_doctype
    fed = 0
    while chunk := source.read(_CHUNK):
        fed += len(chunk)
        parser.Parse(chunk)
        if fed - parser.CurrentByteIndex > MOST_TOKEN_BYTES:
            raise ValueError
        yield from events
        events.clear()
    parser.Parse(b"", True)
    yield from events


def _refuse_doctype(*said: Any) -> None:
    """Where entities would be declared. No spreadsheet has one."""
    raise ValueError
