"""Excel workbooks (.xlsx) to cells; a row's line is its row number in the sheet."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import ParseError

from loanapp.core.data.builder import GridBuilder
from loanapp.core.data.dialect import is_comment
from loanapp.core.data.grid import (
    Cell,
    Grid,
    cell_text,
    check_columns,
    check_rows,
    is_blank,
)
from loanapp.core.data.header import matched_share
from loanapp.core.data.limits import Limits
from loanapp.core.data.report import refused
from loanapp.core.data.schema import Schema
from loanapp.core.data.source import Content
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
            return _sheet_grid(_choose(book.worksheets, schema, limits), limits)
    except (InvalidTable, LimitExceeded):
        raise
    except _DAMAGE as error:
        raise refused(
            message("The workbook is damaged. Open it in Excel and save it again.")
        ) from error


# openpyxl meets a damaged workbook with whatever its parts raise.
_DAMAGE = (
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError,
    ParseError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile,
)  # fmt: skip


def _choose(sheets: Sequence[Any], schema: Schema, limits: Limits) -> Any:
    """The one sheet that has a header of the contract; without one, the first that has cells."""
    headers = [(sheet, next(_rows(sheet, limits), None)) for sheet in sheets]
    filled = [(sheet, head) for sheet, head in headers if head is not None]
    if not filled:
        raise refused(message("The file is empty: it has no header and no rows."))
    shares = [matched_share([cell_text(c) for c in head[1]], schema) for _, head in filled]
    best = max(shares)
    if best and shares.count(best) > 1:
        names = ", ".join(s.title for (s, _), n in zip(filled, shares, strict=True) if n == best)
        raise refused(
            message("The sheets {names} could all be meant. Keep one of them.", names=names)
        )
    return filled[shares.index(best)][0]


def _sheet_grid(sheet: Any, limits: Limits) -> Grid:
    rows = _rows(sheet, limits)
    header_line, header = next(rows)
    builder = GridBuilder([cell_text(c) for c in header], header_line, limits, padded=True)
    for line, cells in rows:
        if all(map(is_blank, cells)):
            builder.add_blank(line)
        else:
            builder.add(line, cells)
    return builder.finish()


def _rows(sheet: Any, limits: Limits) -> Iterator[Row]:
    """Rows with their numbers, from the header on."""
    started, padded = False, 0
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
