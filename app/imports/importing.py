"""One file on its way in, some rows at a time: whoever goes on after a cut loses at most one transaction's."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import Any, BinaryIO
from uuid import UUID

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from app.collections import COLLECTIONS
from app.context import Context
from app.database import Transaction
from app.imports.batches import Job, import_rows
from app.imports.cells import FIRST_ROWS, Line, Table
from app.imports.columns import PLACES, Columns, Kind, Mapped, find_columns
from app.imports.fates import RowFate
from app.imports.opening import open_table
from app.imports.owners import Owners
from app.imports.places import Place, Places
from app.imports.rows import AREAS, Fault, Reader, Row
from app.imports.values import Names, word_alike
from app.problems import Problem, wrong_field
from app.reports.parts import codes_at, known_area, seen_whole
from app.touched import run_or_try

BATCH = 100
"""Rows of one transaction; a door with several people is never cut below twice as many."""
MOST_AREAS = 2000
"""Areas of one file, in one transaction: what lies in another of them must find it there."""
MOST_INFLATED_BYTES = 64 << 20
"""Of a workbook that comes over HTTP: a million cells, read in half a minute. The operator's own may be larger."""
_AREA = COLLECTIONS["areas"].table


@dataclass(frozen=True)
class Order:
    """What is to be imported where. A dry run does all of it and undoes it."""

    area_id: UUID
    kind: Kind = "roster"
    mapping: Mapped = field(default_factory=dict)
    dry_run: bool = True
    from_row: int = 1


@dataclass(frozen=True)
class _Ground:
    """What rows are read with."""

    job: Job
    names: Names


class Import:
    """A file being imported. Begin it, then ask for batches until there is none."""

    def __init__(self, context: Context, person: UUID | None, order: Order, opening: Callable[[], Table]) -> None:
        self.context, self.person, self.order, self._opening = context, person, order, opening
        self.counts: Counter[str] = Counter()
        self.columns: Columns
        self.sheet: str | None = None
        self.other_sheets: Sequence[str] = ()
        self._table: Table | None = None
        self._job: Job
        self._reader: Reader
        self._lines: Iterator[Line] = iter(())
        self._next: Line | None = None
        self._at = 0
        """The row up to which the file was looked at."""
        self._owners = Owners()

    @property
    def next_row(self) -> int | None:
        """The row after the last batch; None at the end."""
        return self._next.number if self._next else None

    async def begin(self) -> None:
        """Finds where it belongs, then opens it and finds what its columns say. Whoever may not has no file opened.

        Raises what seen_whole does, and of the file columns_missing and what open_table does.
        """
        ground = await _ground_of(self.context, self.person, self.order)
        self._job = ground.job
        await run_in_threadpool(self._open, ground)

    def _open(self, ground: _Ground) -> None:
        self._table = self._opening()
        self.sheet, self.other_sheets = self._table.sheet, self._table.others
        lines = self._table.lines()
        first = list(islice((line for line in lines if line.cells), FIRST_ROWS))
        self.columns = find_columns(self.order.kind, first, self.order.mapping)
        self._reader = Reader(self.order.kind, self.columns, ground.names, ground.job.places)
        after = (line for line in first if line.number > self.columns.row)
        self._lines, self._at = chain(after, lines), self.columns.row
        self._advance()
        while self._next is not None and self._next.number < self.order.from_row:
            self._pass_over(self._next)
            self._advance()
            # What was empty before it was counted where that ended.
            self.counts.clear()

    def close(self) -> None:
        """Whoever began it closes it."""
        self._owners.close()
        if self._table is not None:
            self._table.close()

    def _advance(self) -> None:
        """To the next row that says anything."""
        last = self._at
        for line in self._lines:
            last = line.number
            if any(column in line.cells for column in self.columns.of.values()):
                self.counts["skipped"] += last - self._at - 1
                self._next, self._at = line, last
                return
        self.counts["skipped"] += last - self._at
        self._next, self._at = None, last

    async def next_batch(self, size: int = BATCH) -> list[RowFate]:
        """What became of the next rows, in a transaction of their own; empty at the end."""
        size = MOST_AREAS if self.order.kind == "areas" else size
        rows = await run_in_threadpool(self._take, size)
        if not rows:
            return []
        work = partial(_work, job=self._job, rows=rows)
        fates = await run_or_try(self.context.database, work, dry_run=self.order.dry_run)
        self.counts.update(one.fate for one in fates)
        return fates

    def _take(self, size: int) -> list[Row]:
        rows: list[Row] = []
        last: Sequence[Any] = ()
        most = size if self.order.kind == "areas" else 2 * size
        while self._next is not None and len(rows) < most:
            door = self._door(self._next)
            if len(rows) >= size and door != last:
                break
            rows.append(self._read(self._next))
            last = door
            self._advance()
        if self.order.kind == "areas" and self._next is not None:
            raise Problem("sheet_too_large", most_rows=MOST_AREAS)
        return rows

    def _door(self, line: Line) -> list[Any]:
        """By what rows of one door are alike."""
        of = self.columns.of
        named = [of[field] for field in (*(f"place.{name}" for name in PLACES), "household.door") if field in of]
        return [line.cells.get(column) for column in named]

    def _pass_over(self, line: Line) -> None:
        """Of what was done before, only what later rows are held against: whether a row was refused is not found out
        again, since each request would read all that came before it.
        """
        if self.order.kind == "areas":
            self._read(line)
        else:
            self._owners.keep(self._reader.singles(line))

    def _read(self, line: Line) -> Row:
        row, singles = self._reader.read(line), [*self._reader.singles(line)]
        others = self._owners.of_others(singles)
        row.faults += [Fault(self.columns.cell(line.number, target), "row_twice") for target in others]
        if not row.faults:
            # What a row says that is left out is nobody's.
            self._owners.keep(singles)
            if self.order.kind == "areas":
                self._note_area(row)
        return row

    def _note_area(self, row: Row) -> None:
        """What comes later in the file may lie in it."""
        said, places = row.said[AREAS], self._job.places
        above = places.by_id[row.area or places.top]
        there = [one for one in places.by_id.values() if one.parent == above.id and one.name == said["name"]]
        id, code = self._job.area_id(row), str(said["code"]) if said.get("code") else None
        if there or id in places.by_id or any(code and one.code == code for one in places.by_id.values()):
            return
        path = f"{above.path}{id.hex}/"
        places.add(Place(id, above.id, str(said["level"]), str(said["name"]), code, path))


@dataclass(frozen=True)
class Piece:
    """As much of a file as one request takes."""

    sheet: str | None
    other_sheets: Sequence[str]
    columns: Columns
    counts: Mapping[str, int]
    rows: Sequence[RowFate]
    next_row: int | None


async def import_piece(
    context: Context, person: UUID, order: Order, file: BinaryIO, sheet: str | None, most_rows: int, most_seconds: float
) -> Piece:
    """Batch by batch, until there are so many rows or it has taken so long. Raises what `begin` does.

    Where a file can't be read further, what was done before is told; whoever goes on hears why, and nothing is done.
    """
    ends_at = context.seams.monotonic() + most_seconds
    coming = Import(context, person, order, partial(open_table, file, sheet, MOST_INFLATED_BYTES))
    try:
        await coming.begin()
        rows: list[RowFate] = []
        told = partial(Piece, coming.sheet, coming.other_sheets, coming.columns, coming.counts, rows)
        try:
            while batch := await coming.next_batch():
                rows += batch
                if len(rows) >= most_rows or context.seams.monotonic() >= ends_at:
                    break
        except Problem:
            if not rows:
                raise
            return told(rows[-1].row + 1)
        return told(coming.next_row)
    finally:
        coming.close()


async def _work(transaction: Transaction, *, job: Job, rows: Sequence[Row]) -> list[RowFate]:
    return await import_rows(transaction, job, rows)


async def _ground_of(context: Context, person: UUID | None, order: Order) -> _Ground:
    async with context.database.snapshot("server" if person is None else context.seen_by(person)) as snapshot:
        place = await _place(snapshot, context, person, order)
        codes = await codes_at(snapshot, place)
        living = sa.select(_AREA).where(_AREA.c.home == place.home, _AREA.c.deleted_at.is_(None))
        areas = await snapshot.rows(living.order_by(_AREA.c.path))
    names = names_of(codes)
    home_path = place.path[: place.path.index(place.home.hex) + len(place.home.hex) + 1]
    return _Ground(Job(context, person, place.home, home_path, Places(place.id, areas)), names)


def names_of(codes: Iterable[Any]) -> Names:
    """What each code may be called: by its names in both languages, and by itself."""
    words = ((code, word) for code in codes for word in (code.name_en, code.name, code.code))
    return {(code.list, word_alike(word)): code.code for code, word in words}


async def _place(snapshot: Transaction, context: Context, person: UUID | None, order: Order) -> Any:
    """The area's row. Raises not_found, not_permitted, and invalid where it lies above communities."""
    if person is not None and order.kind == "roster":
        return (await seen_whole(snapshot, context, person, order.area_id))[0]
    if person is not None:
        place = await known_area(snapshot, context, person, order.area_id)
    else:
        place = await snapshot.first(sa.select(_AREA).where(_AREA.c.id == order.area_id))
    if place is None:
        raise Problem("not_found")
    if place.home == place.id and place.level != place.home_level:
        raise wrong_field("invalid", "area_id")
    return place
