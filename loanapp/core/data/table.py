"""The one door for client files: bytes become a valid table, or `InvalidTable` with every problem.

What has one meaning is repaired and reported; what has two is refused with its line and column.
Past this door nobody checks again. Nothing here opens a name: the caller gives a handle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from loanapp.core.data import delimited, parquet, workbook
from loanapp.core.data.clean import CleanFile, Unusual, recognise
from loanapp.core.data.dialect import Dialect, detect_dialect
from loanapp.core.data.grid import Grid
from loanapp.core.data.header import Header, match_header
from loanapp.core.data.limits import DEFAULT_LIMITS, MB, Limits
from loanapp.core.data.records import read_records
from loanapp.core.data.schema import Schema
from loanapp.core.data.source import Content, open_content
from loanapp.core.data.totals import leave_out_totals
from loanapp.core.data.validated import Rejected, Table
from loanapp.core.data.validation import validate

__all__ = ["Limits", "Rejected", "Table", "read_blocks", "read_records", "read_table"]

BLOCK_ROWS = 65_536
NAMES_FIRST = 20 * MB


def read_table(
    source: BinaryIO,
    schema: Schema,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    skip_invalid: bool = False,
) -> Table:
    """Read a client file: delimited text, Excel or Parquet, as it is or compressed.

    Parameters
    ----------
    source
        A binary handle; it is read to its end and not closed.
    schema
        The contract.
    required
        Names that must be columns of the file. Their cells may be missing unless the contract
        requires them.
    optional
        Names that are read and checked if they are there.
    limits
        The largest file that is read.
    skip_invalid
        Leave out the rows with a problem, and give them in `Table.rejected`, instead of
        refusing the file.

    Raises
    ------
    InvalidTable
        The file is refused; the report holds every problem.
    LimitExceeded
        The file is larger than a limit.
    """
    with open_content(source, limits) as content:
        file = _File(content, schema, tuple(required), tuple(optional), limits)
        if clean := file.clean():
            with suppress(Unusual):
                return clean.read()
        return file.read_carefully(skip_invalid=skip_invalid)


def read_blocks(
    source: BinaryIO,
    schema: Schema,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    skip_invalid: bool = False,
    block_rows: int = BLOCK_ROWS,
) -> Iterator[Table]:
    """Read a client file in blocks of rows, in its order; a clean text in bounded memory.

    The blocks together are what `read_table` gives; the report of each counts its own rows and
    is otherwise that of the whole file, as far as it is known: the last one knows everything, and
    has the refused rows. A problem is raised when it is found, which may be after the blocks
    before it were given.

    Parameters
    ----------
    source, schema, required, optional, limits, skip_invalid
        As for `read_table`.
    block_rows
        Rows of a block, at most.

    Raises
    ------
    InvalidTable, LimitExceeded
        As `read_table`.
    """
    with open_content(source, limits) as content:
        file = _File(content, schema, tuple(required), tuple(optional), limits)
        done = 0
        if clean := file.clean():
            with suppress(Unusual):
                for block in clean.blocks(block_rows):
                    yield block
                    done += block.rows
                return
        table = file.read_carefully(skip_invalid=skip_invalid)
    for start in range(done, table.report.rows, block_rows):
        yield table.block(start, block_rows)


@dataclass(frozen=True)
class _File:
    """A file that is about to be read, by either lane."""

    content: Content
    schema: Schema
    required: tuple[str, ...]
    optional: tuple[str, ...]
    limits: Limits

    def clean(self) -> CleanFile | None:
        """The file for the fast lane; None where anything in it is unusual."""
        if self.content.kind != "text":
            return None
        dialect = detect_dialect(self.content, self.schema, self.limits, head_only=True)
        header = self._header(dialect.header, None)
        wanted = (*self.required, *self.optional)
        return recognise(self.content, dialect, header, self.schema, wanted, self.limits)

    def read_carefully(self, *, skip_invalid: bool = False) -> Table:
        """Cell by cell."""
        grid = self._grid()
        header = self._header(grid.names, grid.header_line)
        grid = leave_out_totals(grid, header, self.schema)
        wanted = (*self.required, *self.optional)
        return validate(grid, header, self.schema, wanted, skip_invalid=skip_invalid)

    def _header(self, names: Sequence[str], line: int | None) -> Header:
        return match_header(names, self.schema, self.required, self.optional, line)

    def _grid(self) -> Grid:
        if self.content.kind == "workbook":
            return workbook.read_grid(self.content, self.schema, self.limits)
        if self.content.kind == "parquet":
            return parquet.read_grid(self.content, self.limits)
        dialect = detect_dialect(self.content, self.schema, self.limits)
        if len(self.content.data) > NAMES_FIRST:
            self._check_names(dialect)
        grid = delimited.read_grid(self.content, dialect, self.limits)
        return replace(grid, repairs=(*dialect.repairs, *grid.repairs))

    def _check_names(self, dialect: Dialect) -> None:
        """Refuse a file for its names alone: taking a large one apart takes a minute."""
        header = self._header(dialect.header, dialect.preamble + 1)
        if header.problems:
            grid = Grid(dialect.header, dialect.preamble + 1, (), np.empty(0, np.int64))
            validate(grid, header, self.schema, ())
