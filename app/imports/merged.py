"""Cells that were made one, told in the rows and columns they cover."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from app.imports.cells import MOST_COLUMNS


class Merged:
    """Which columns of a row are part of merged cells: kept as the rows from which on that differs."""

    def __init__(self, found: Iterable[tuple[int, int, int, int]]) -> None:
        """Of (top, bottom, left, right), all of them within."""
        turns: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for top, bottom, left, right in found:
            turns[top].append((left, right, 1))
            turns[bottom + 1].append((left, right, -1))
        many, bits = [0] * (MOST_COLUMNS + 1), 0
        self._rows, self._bits = sorted(turns), [0]
        for row in self._rows:
            for left, right, more in turns[row]:
                for column in range(left, right + 1):
                    many[column] += more
                    bits = bits | 1 << column if many[column] else bits & ~(1 << column)
            self._bits.append(bits)

    def in_row(self, row: int) -> int:
        """A bit for each column."""
        return self._bits[bisect_right(self._rows, row)]
