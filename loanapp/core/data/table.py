"""The one door for client files: bytes become a valid table, or `InvalidTable` with every problem.

What has one meaning is repaired and reported; what has two is refused with its line and column.
Past this door nobody checks again. Nothing here opens a name: the caller gives a handle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from loanapp.core.data.delimited import read_grid
from loanapp.core.data.dialect import detect_dialect
from loanapp.core.data.grid import Grid, raw_column
from loanapp.core.data.header import match_header
from loanapp.core.data.limits import DEFAULT_LIMITS, Limits
from loanapp.core.data.report import Problem
from loanapp.core.data.schema import Schema
from loanapp.core.data.source import Content, open_content
from loanapp.core.data.validated import Rejected, Table
from loanapp.core.data.validation import validate
from loanapp.core.errors import message

__all__ = ["Limits", "Rejected", "Table", "read_blocks", "read_records", "read_table"]

BLOCK_ROWS = 65_536


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
    wanted = (*required, *optional)
    with open_content(source, limits) as content:
        grid = _take_apart(content, schema, limits)
    header = match_header(grid.names, schema, required, optional, grid.header_line)
    return validate(grid, header, schema, wanted, skip_invalid=skip_invalid)


def _take_apart(content: Content, schema: Schema, limits: Limits) -> Grid:
    dialect = detect_dialect(content, schema, limits)
    grid = read_grid(content, dialect, limits)
    return replace(grid, repairs=(*dialect.repairs, *grid.repairs))


def read_blocks(
    source: BinaryIO,
    schema: Schema,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    block_rows: int = BLOCK_ROWS,
) -> Iterator[Table]:
    """Read a client file in blocks of rows, in its order.

    The blocks together are what `read_table` gives. A problem is raised when it is found, which
    may be after the blocks before it were given.

    Parameters
    ----------
    source, schema, required, optional, limits
        As for `read_table`.
    block_rows
        Rows of a block, at most.

    Raises
    ------
    InvalidTable, LimitExceeded
        As `read_table`.
    """
    table = read_table(source, schema, required=required, optional=optional, limits=limits)
    for start in range(0, table.rows, block_rows):
        yield table.slice(start, block_rows)


def read_records(
    records: Sequence[Mapping[str, object]],
    schema: Schema,
    *,
    required: Sequence[str],
    optional: Sequence[str] = (),
) -> Table:
    """Read clients that come as records: JSON, a form. Numbers may be numbers or text.

    Parameters
    ----------
    records
        One mapping a client. A required name must be in each; its value may be None.
    schema, required, optional
        As for `read_table`.

    Raises
    ------
    InvalidTable
        The clients are refused; `Problem.row` is the client's position, from 1.
    """
    names = tuple(dict.fromkeys(str(name) for record in records for name in record))
    header = match_header(names, schema, required, optional)
    cells = [[record.get(name) for record in records] for name in names]
    problems = [
        Problem(row, names[position], None, _ABSENT)
        for row, record in enumerate(records, 1)
        for name, position in header.positions.items()
        if name in required and names[position] not in record
    ]
    grid = Grid(
        names=names,
        header_line=None,
        columns=tuple(map(raw_column, cells)),
        lines=np.arange(1, len(records) + 1),
        problems=tuple(problems),
    )
    return validate(grid, header, schema, (*required, *optional))


_ABSENT = message(
    "The client does not have this column. Give it, or give null for a missing value."
)
