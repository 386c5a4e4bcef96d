"""Rows as they are read to a grid: what is ragged, empty or too much is told apart here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loanapp.core.data.grid import (
    Cell,
    Grid,
    RawColumn,
    cell_text,
    check_columns,
    check_rows,
    is_blank,
    raw_column,
    text_column,
)
from loanapp.core.data.limits import Limits
from loanapp.core.data.report import Repair, refused
from loanapp.core.errors import LimitExceeded, Message, message

CHUNK_CELLS = 500_000
NOTHING, FAULTS = 100_000, 100_000


class GridBuilder:
    """Collects the rows of a file in bounded chunks.

    Parameters
    ----------
    names, header_line
        The header as it stands in the file.
    limits
        Rows, columns and cells beyond these end the reading.
    padded
        Whether rows have no length of their own, as in a workbook.
    loose_tail
        Whether rows may end with a delimiter that the header does not have.
    """

    def __init__(
        self,
        names: Sequence[str],
        header_line: int,
        limits: Limits,
        *,
        padded: bool = False,
        loose_tail: bool = True,
    ) -> None:
        check_columns(len(names), limits)
        self.names = _without_blank_tail(names)
        self.blank_lines = 0
        self._header_line, self._limits = header_line, limits
        self._padded, self._loose_tail = padded, loose_tail
        self._width, self._expected = len(self.names), len(names)
        self._chunk = max(CHUNK_CELLS // max(self._width, 1), 1)
        self._rows: list[Sequence[Cell]] = []
        self._lines: list[int] = []
        self._line_chunks: list[npt.NDArray[np.int64]] = []
        self._chunks: list[list[RawColumn]] = []
        self._taken = 0
        self._empty: list[int] = []
        self._faults: dict[int, Message] = {}
        self._surplus: dict[int, tuple[str, ...]] = {}
        self._tails: dict[int, list[int]] = {}

    def add(self, line: int, cells: Sequence[Cell]) -> None:
        """Add a row; a ragged one is kept with what is wrong with it."""
        if is_blank(cells[0]) and all(map(is_blank, cells)):
            self._empty.append(line)
            self._check_nothing(len(self._empty))
            return
        if self._empty:
            self._keep_empty()
        if len(cells) != self._width:
            cells = self._fit(cells)
        self._take(line, cells)

    def add_blank(self, line: int) -> None:
        """Pass a blank line by; where there is one column it may be a client's missing cell."""
        if self._width > 1:
            self.blank_lines += 1
            self._check_nothing(self.blank_lines)
        else:
            self._empty.append(line)
            self._check_nothing(len(self._empty))

    def refuse(self, line: int, what: Message) -> None:
        """Add a row that cannot be taken apart."""
        self._keep_empty()
        self._faults[self._taken] = what
        self._take(line, [""] * self._width)

    def finish(self) -> Grid:
        """All rows; those without a value at the end of the file are left out."""
        self._flush()
        repairs = [*self._settle_tails(), *self._skipped()]
        lines = np.concatenate([*self._line_chunks, np.empty(0, np.int64)])
        return Grid(
            names=tuple(self.names),
            header_line=self._header_line,
            columns=tuple(map(_joined, zip(*self._chunks, strict=True)))
            or tuple(raw_column([]) for _ in self.names),
            lines=lines,
            faults=self._faults,
            surplus=self._surplus,
            repairs=tuple(repairs),
        )

    def _check_nothing(self, lines: int) -> None:
        """Refuse a file that is mostly lines without anything."""
        if lines > NOTHING and lines > 2 * self._taken:
            raise LimitExceeded(
                message("The file has more than {limit} empty lines.", limit=NOTHING)
            )

    def _take(self, line: int, cells: Sequence[Cell]) -> None:
        self._rows.append(cells)
        self._lines.append(line)
        self._taken += 1
        if len(self._rows) >= self._chunk:
            self._flush()
            self._check_faults(line)

    def _check_faults(self, line: int) -> None:
        """Refuse a file of which most rows cannot be taken apart."""
        if len(self._faults) > FAULTS and len(self._faults) > self._taken / 2:
            raise refused(
                message(
                    "Most of the rows up to line {line} cannot be taken apart: "
                    "this is not a table, or its cells need quotes.",
                    line=line,
                ),
                line,
            )

    def _flush(self) -> None:
        check_rows(self._taken, self._width, self._limits)
        if self._rows:
            column: Callable[[Sequence[Any]], RawColumn]
            column = raw_column if self._padded else text_column
            self._chunks.append([column(cells) for cells in zip(*self._rows, strict=True)])
            self._line_chunks.append(np.array(self._lines, np.int64))
            self._rows, self._lines = [], []

    def _keep_empty(self) -> None:
        """Rows without a value between clients: nobody can say whether they are clients."""
        empty, self._empty = self._empty, []
        for line in empty:
            self._faults[self._taken] = message(
                "The row has no value at all. Delete the line, or fill it."
            )
            self._take(line, [""] * self._width)

    def _fit(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """A row of another length than the names: its cells, padded or cut."""
        width, found = self._width, len(cells)
        surplus = cells[width:]
        if found >= width and all(map(is_blank, surplus)):
            if not self._padded:
                self._tails.setdefault(found, []).append(self._taken)
        elif self._padded and found < width:
            pass
        else:
            check_columns(found, self._limits)
            self._faults[self._taken] = _ragged(found, self._expected)
            self._surplus[self._taken] = tuple(map(cell_text, surplus))
        return [*cells[:width], *[""] * (width - found)]

    def _settle_tails(self) -> list[Repair]:
        """Decide on the rows that end with delimiters: all rows have the same, or it is a fault."""
        plain = self._taken - len(self._faults) - sum(map(len, self._tails.values()))
        lengths = {*self._tails, *([self._width] if plain else [])}
        uniform = len(lengths) <= 1 and (self._loose_tail or self._expected > self._width)
        for found, positions in self._tails.items():
            if found != self._expected and not uniform:
                for position in positions:
                    self._faults[position] = _ragged(found, self._expected)
        if not self._tails or self._padded:
            return []
        return [Repair(None, message("delimiters at the end of the lines left out"), self._taken)]

    def _skipped(self) -> list[Repair]:
        repairs = []
        if self.blank_lines:
            repairs.append(Repair(None, message("blank lines skipped"), self.blank_lines))
        if self._empty:
            repairs.append(
                Repair(None, message("rows without a value at the end left out"), len(self._empty))
            )
        return repairs


def _ragged(found: int, expected: int) -> Message:
    if found == expected:
        return message(
            "The row has a cell behind the last column that has a name. "
            "Name its column in the header, or empty it."
        )
    return message(
        "The row has {found} cells, the header has {expected}. "
        "Put quotes around cells that hold a delimiter, or correct the row.",
        found=found,
        expected=expected,
    )


def _without_blank_tail(names: Sequence[str]) -> list[str]:
    """The names without the empty ones at the end, which trailing delimiters make."""
    last = max((i for i, name in enumerate(names) if not is_blank(name)), default=-1)
    return list(names[: last + 1])


def _joined(parts: Sequence[RawColumn]) -> RawColumn:
    """Chunks of one column as one column."""
    texts = pa.chunked_array([chunk for part in parts for chunk in part.texts.chunks])
    if all(part.numbers is None for part in parts):
        return RawColumn(texts)
    numbers = [np.full(len(p.texts), np.nan) if p.numbers is None else p.numbers for p in parts]
    return RawColumn(texts, np.concatenate(numbers))
