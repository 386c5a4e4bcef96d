"""What comes out of the door: a valid table, and the rows that were refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loanapp.core.data import arrays
from loanapp.core.data.report import Problem, Report

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Rejected:
    """The rows that were refused where the others were kept.

    Parameters
    ----------
    positions
        Position in the file's rows of data, from 0, shape (n,).
    lines
        Line numbers in the file, shape (n,).
    cells
        The rows as they stand in the file: every column as text, in the order of the file;
        what a row has beyond the header stands in unnamed columns at the end.
    reasons
        What is wrong with each row.
    """

    positions: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    cells: pa.Table
    reasons: tuple[tuple[Problem, ...], ...]

    @property
    def rows(self) -> int:
        """How many rows were refused."""
        return len(self.positions)


NO_REJECTED = Rejected(np.empty(0, np.int64), np.empty(0, np.int64), pa.table({}), ())


@dataclass(frozen=True)
class Table:
    """A table in which every cell is what the contract allows.

    Parameters
    ----------
    data
        The columns that were asked for, in the order of the contract. Numbers: float64 in the
        contract's unit. Categories: dictionary<int32, string> over exactly the contract's
        categories, in its order. Open text: string. Null: missing.
    extra
        The other columns of the file (identifiers among them) as text, untouched.
    names
        The columns in the order of the file; those of the contract by its names.
    report
        What was read, repaired and left aside.
    positions
        Position of each row in the file's rows of data, from 0, shape (rows,).
    rejected
        The refused rows, where the others were asked for.
    first, file_rows
        Where a block of a file begins, and how many rows of data the file has.
    """

    data: pa.Table
    extra: pa.Table
    names: tuple[str, ...]
    report: Report
    positions: npt.NDArray[np.int64]
    rejected: Rejected = NO_REJECTED
    first: int = 0
    file_rows: int = 0

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.positions)

    @property
    def share(self) -> float:
        """How much of its file lies before the end of this block, 0 to 1."""
        return (self.first + self.report.rows) / self.file_rows if self.file_rows else 1.0

    def numbers(self, name: str) -> arrays.Floats:
        """A numeric column of `data`, shape (rows,); NaN: missing. Does not import pandas."""
        return arrays.to_numbers(self.data[name])

    def codes(self, name: str) -> npt.NDArray[np.int32]:
        """Positions in the contract's categories, shape (rows,); -1: missing."""
        return arrays.to_codes(self.data[name])

    def in_file_order(self) -> pa.Table:
        """All columns in the order of the file, those of the contract as they were read."""
        read = dict(zip(self.data.column_names, self.data.itercolumns(), strict=True))
        others = iter(self.extra.itercolumns())
        columns = [read[name] if name in read else next(others) for name in self.names]
        return pa.Table.from_arrays(columns, list(self.names))

    def block(self, start: int, rows: int) -> Table:
        """The rows at some consecutive places of the file.

        The report counts its rows and is otherwise that of the whole file; the refused rows come
        with the last block.
        """
        in_file = self.report.rows
        rows = min(rows, in_file - start)
        low, high = np.searchsorted(self.positions, [start, start + rows]).tolist()
        return replace(
            self,
            report=replace(self.report, rows=rows),
            data=self.data.slice(low, high - low),
            extra=self.extra.slice(low, high - low),
            positions=self.positions[low:high],
            rejected=self.rejected if start + rows == in_file else NO_REJECTED,
            first=start,
            file_rows=in_file,
        )

    def to_pandas(self) -> pd.DataFrame:
        """The columns of `data`: numbers as float64, the others as text; NaN: missing."""
        columns = [
            c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c
            for c in self.data.itercolumns()
        ]
        frame: pd.DataFrame = pa.Table.from_arrays(columns, self.data.column_names).to_pandas()
        return frame
