"""Excel workbooks (.xlsx) to cells; a row's line is its row number in the sheet."""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import dropwhile, islice
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import numpy.typing as npt

from loanapp.core.data.builder import GridBuilder
from loanapp.core.data.dialect import TITLE_LINES, is_comment
from loanapp.core.data.grid import (
    Cell,
    Grid,
    cell_text,
    check_columns,
    check_rows,
    is_blank,
)
from loanapp.core.data.header import find_header, matched_share
from loanapp.core.data.limits import Limits
from loanapp.core.data.report import refused
from loanapp.core.data.schema import Schema
from loanapp.core.data.source import BLOCK, Content
from loanapp.core.errors import InvalidTable, LimitExceeded, message

SHEET_ROWS = 1_048_576
HEAD_ROWS = 1_000
CELLS = 1_000_000
Row = tuple[int, Sequence[Cell]]


def read_grid(content: Content, schema: Schema, limits: Limits) -> Grid:
    """Take the sheet that holds the clients apart.

    Raises
    ------
    InvalidTable
        The workbook is damaged or empty, or two of its sheets could be meant.
    LimitExceeded
        It is larger than a limit.
    """
    from openpyxl import load_workbook

    try:
        with closing(load_workbook(content.open(), read_only=True, data_only=True)) as book:
            limits = replace(limits, cells=min(limits.cells, CELLS + 2 * len(content.data)))
            return _sheet_grid(*_choose(book.worksheets, schema, limits), limits)
    except (InvalidTable, LimitExceeded):
        raise
    except _DAMAGE as error:
        raise refused(
            message("The workbook is damaged. Open it in Excel and save it again.")
        ) from error


# openpyxl meets a damaged workbook with whatever its parts raise.
_DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, OSError, ParseError, RuntimeError,
    TypeError, ValueError, zipfile.BadZipFile,
)  # fmt: skip


def _choose(sheets: Sequence[Any], schema: Schema, limits: Limits) -> tuple[Any, int, list[str]]:
    """The one sheet that has a header of the contract; without one, the first that has cells.

    With it the row and the names of its header.
    """
    headers = [(sheet, _header(sheet, schema, limits)) for sheet in sheets]
    filled = [(sheet, *head) for sheet, head in headers if head is not None]
    if not filled:
        raise refused(message("The file is empty: it has no header and no rows."))
    shares = [matched_share(names, schema) for _, _, names in filled]
    best = max(shares)
    if best and shares.count(best) > 1:
        names = ", ".join(s.title for (s, *_), n in zip(filled, shares, strict=True) if n == best)
        raise refused(
            message("The sheets {names} could all be meant. Keep one of them.", names=names)
        )
    return filled[shares.index(best)]


def _header(sheet: Any, schema: Schema, limits: Limits) -> tuple[int, list[str]] | None:
    """The names of a sheet's columns and the row that they stand in; None: it is empty."""
    lines, heads = [], []
    for line, cells in islice(_rows(sheet, limits), TITLE_LINES):
        lines.append(line)
        heads.append([cell_text(cell) for cell in cells])
    found = find_header(heads, schema) if heads else 0
    return (lines[found], heads[found]) if heads else None


def _sheet_grid(sheet: Any, header_line: int, names: Sequence[str], limits: Limits) -> Grid:
    merged = _merged_ranges(sheet)
    rows = dropwhile(lambda row: row[0] <= header_line, _rows(sheet, limits))
    builder = GridBuilder(names, header_line, limits, padded=True)
    for line, cells in rows:
        if all(map(is_blank, cells)):
            builder.add_blank(line)
        else:
            builder.add(line, cells)
    return _without_merged(builder.finish(), merged)


def _merged_ranges(sheet: Any) -> npt.NDArray[np.int64]:
    """First and last rows of the ranges of merged cells, shape (ranges, 2)."""
    found, end = [], b""
    # openpyxl gives no merged cells where it reads row by row: they stand behind the rows.
    with sheet._get_source() as source:
        while block := source.read(BLOCK):
            found += _MERGED.findall(end + block)
            end = block[-200:]
    return np.array(found or np.empty((0, 2)), np.int64)


def _without_merged(grid: Grid, merged: npt.NDArray[np.int64]) -> Grid:
    """Refuse the rows of merged cells: only the first of them holds what stands in all."""
    changes = np.zeros(grid.rows + 1, np.int64)
    np.add.at(changes, np.searchsorted(grid.lines, merged[:, 0]), 1)
    np.add.at(changes, np.searchsorted(grid.lines, merged[:, 1], "right"), -1)
    faults = {int(row): _UNMERGE for row in np.flatnonzero(np.cumsum(changes)[:-1])}
    return replace(grid, faults={**faults, **grid.faults})


_MERGED = re.compile(rb'mergeCell [^>]*?ref="[A-Z]+([0-9]{1,9}):[A-Z]+([0-9]{1,9})"')
_UNMERGE = message("Cells of this row are merged. Unmerge them, and fill each.")


def _rows(sheet: Any, limits: Limits) -> Iterator[Row]:
    """Rows with their numbers, from the header on."""
    started, padded = False, 0
    sheet.reset_dimensions()  # what a workbook says of its size is not always so
    for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        padded += len(cells)
        check_rows(1, padded, limits)
        if line > SHEET_ROWS or (not started and line > HEAD_ROWS):
            return
        check_columns(len(cells), limits)
        started = started or not (all(map(is_blank, cells)) or is_comment(cell_text(cells[0])))
        if started:
            yield line, tuple(map(_plain, cells))


def _plain(cell: Any) -> Cell:
    """A cell as text or number; dates as ISO text."""
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    return cell if isinstance(cell, str | int | float | bool | None) else str(cell)
