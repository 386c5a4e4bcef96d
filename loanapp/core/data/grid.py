"""A file taken apart into cells, before anything is read into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loanapp.core.data import arrays
from loanapp.core.data.limits import Limits
from loanapp.core.data.numerals import BLANKS, number_text
from loanapp.core.data.report import Problem, Repair
from loanapp.core.errors import LimitExceeded, Message, message

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
