"""A file taken apart into cells, before anything is read into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loanapp.core.data import arrays
from loanapp.core.data.limits import Limits
from loanapp.core.data.numerals import BLANKS, number_text
from loanapp.core.data.report import Problem, Repair, refused
from loanapp.core.errors import LimitExceeded, Message, message

CHUNK_CELLS = 500_000
NOTHING, FAULTS = 100_000, 100_000
Cell = object
"""Text; or int, float, bool, None where the file has types."""


@dataclass(frozen=True)
class RawColumn:
    """The cells of one column.

    Parameters
    ----------
    texts
        Every cell as text; empty where there is none.
    numbers
        The cells that the file itself holds as numbers, NaN elsewhere; None: all are text.
    only_numbers
        Whether every cell is a number or missing.
    """

    texts: pa.ChunkedArray
    numbers: arrays.Floats | None = None
    only_numbers: bool = False

    def head(self, rows: int) -> RawColumn:
        """The first rows."""
        return RawColumn(
            self.texts.slice(0, rows),
            None if self.numbers is None else self.numbers[:rows],
            self.only_numbers,
        )


@dataclass(frozen=True)
class Grid:
    """Rows and columns of a file.

    Parameters
    ----------
    names
        The header as it stands in the file.
    header_line
        Its line number.
    columns
        One a name.
    lines
        Line number of each row, as an editor or a spreadsheet counts.
    faults
        What is wrong with a whole row, by its position; its cells are not to be read.
    surplus
        Cells beyond the header's, by position.
    repairs, problems
        What was repaired and what is wrong beyond single cells.
    """

    names: tuple[str, ...]
    header_line: int | None
    columns: tuple[RawColumn, ...]
    lines: npt.NDArray[np.int64]
    faults: Mapping[int, Message] = field(default_factory=dict)
    surplus: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of data."""
        return len(self.lines)


def cell_text(cell: Cell) -> str:
    """A cell as text, as it would stand in a CSV.

    Examples
    --------
    >>> cell_text(57.0), cell_text(True), cell_text(None)
    ('57', 'true', '')
    """
    if isinstance(cell, str):
        return cell
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return number_text(cell) if abs(cell) != float("inf") else repr(cell)
    return str(cell)


def is_number(cell: Cell) -> bool:
    """Whether a cell is a number by its type."""
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def to_float(cell: Cell) -> float:
    """The number in a typed cell, NaN elsewhere; an integer too large becomes infinite."""
    if not is_number(cell):
        return np.nan
    try:
        return float(cell)  # type: ignore[arg-type]
    except OverflowError:
        return np.inf


def raw_column(cells: Sequence[Cell]) -> RawColumn:
    """A column of Python objects."""
    texts = pa.chunked_array([arrays.from_texts([cell_text(c) for c in cells])])
    if not any(map(is_number, cells)):
        return RawColumn(texts)
    return RawColumn(texts, np.fromiter(map(to_float, cells), np.float64, len(cells)))


def text_column(texts: Sequence[str]) -> RawColumn:
    """A column of texts."""
    return RawColumn(pa.chunked_array([arrays.from_filled(texts)]))


def is_blank(cell: Cell) -> bool:
    """Whether there is nothing in a cell but blanks."""
    return cell is None or (isinstance(cell, str) and not cell.strip(BLANKS + "\r\n"))


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


def check_columns(columns: int, limits: Limits) -> None:
    """Raise `LimitExceeded` for more columns than a file may have."""
    if columns > limits.columns:
        raise LimitExceeded(
            message(
                "The file has more than {limit} columns. Keep those that are needed.",
                limit=limits.columns,
            )
        )


def check_rows(rows: int, columns: int, limits: Limits) -> None:
    """Raise `LimitExceeded` for more rows or cells than a file may have."""
    if rows > limits.rows:
        raise LimitExceeded(
            message("The file has more than {limit} rows. Split it.", limit=limits.rows)
        )
    if rows * columns > limits.cells:
        raise LimitExceeded(
            message("The file has more than {limit} cells. Split it.", limit=limits.cells)
        )


def _ragged(found: int, expected: int) -> Message:
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
