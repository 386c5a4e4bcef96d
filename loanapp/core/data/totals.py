"""The lines of totals that exports put under the clients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from loanapp.core.data import arrays
from loanapp.core.data.categories import MissingMarks, loose_key
from loanapp.core.data.grid import Grid
from loanapp.core.data.header import Header
from loanapp.core.data.numerals import parse_numeral
from loanapp.core.data.report import Repair
from loanapp.core.data.schema import Field, Schema
from loanapp.core.errors import message

_WORDS = frozenset(
    {"total", "totals", "totaux", "soustotal", "subtotal", "grandtotal", "somme", "sum",
     "moyenne", "average", "mean"}
)  # fmt: skip


def leave_out_totals(grid: Grid, header: Header, schema: Schema) -> Grid:
    """Leave out the lines of totals at the end of a file, and say so.

    A line that says “total” and names no category is one; between clients it is refused. Last
    lines that have numbers alone, where those before name categories, may be some: they are
    refused. A number in a column of categories names none there: it can be a yes, or a count.
    """
    fields = {i: schema.by_name[n] for i, n in enumerate(header.names) if n in schema.by_name}
    missing = MissingMarks.of(schema.missing_values)
    numeric = _without_category(grid, fields, missing, numbers=True)
    if not numeric.any():
        return grid
    empty = _without_category(grid, fields, missing, numbers=False)
    labelled = np.zeros(grid.rows, np.bool_)
    labelled[np.flatnonzero(numeric)] = _labelled(grid, fields, numeric)
    end = grid.rows
    while end and labelled[end - 1] and empty[end - 1]:
        end -= 1
    faults = {int(row): _BETWEEN for row in np.flatnonzero(labelled[:end])}
    named = np.flatnonzero(~numeric[:end])
    if len(named):
        faults |= dict.fromkeys(range(int(named[-1]) + 1, end), _NUMBERS_ALONE)
    return _cut(replace(grid, faults={**faults, **grid.faults}), end)


def is_total(text: str) -> bool:
    """Whether a cell announces a line of totals.

    Examples
    --------
    >>> is_total(" TOTAL général :"), is_total("Totalement")
    (True, False)
    """
    words = text.replace("-", "").split(maxsplit=1)
    return bool(words) and loose_key(words[0].rstrip(":.")) in _WORDS


_BETWEEN = message("This is a line of totals between clients. Delete the line.")
_NUMBERS_ALONE = message(
    "This row at the end has numbers alone: it can be a client or a line of totals. "
    "Delete the line, or fill its categories."
)


def _without_category(
    grid: Grid, fields: dict[int, Field], missing: MissingMarks, *, numbers: bool
) -> arrays.Mask:
    """Rows that name no category; without categories in the file, the last rows.

    With `numbers`, a number that the contract does not list as a category is none either.
    """
    rows = np.ones(grid.rows, np.bool_)
    categories = {i: frozenset(field.enum) for i, field in fields.items() if field.enum}
    for i, listed in categories.items():
        rows &= _where(grid.columns[i].texts, partial(_names_none, listed, missing, numbers))
    if not categories:
        rows[: max(grid.rows - 2, 0)] = False
    return rows


def _names_none(listed: frozenset[str], missing: MissingMarks, numbers: bool, text: str) -> bool:
    if text in listed:
        return False
    return text in missing or is_total(text) or (numbers and parse_numeral(text) is not None)


def _labelled(grid: Grid, fields: dict[int, Field], candidates: arrays.Mask) -> arrays.Mask:
    """Which of the candidates say “total”.

    Where no column has categories, a text may be a name: only a numeric column tells.
    """
    chosen, told = arrays.from_mask(candidates), np.zeros(int(candidates.sum()), np.bool_)
    names_tell = any(field.enum for field in fields.values())
    for i, column in enumerate(grid.columns):
        if names_tell or (i in fields and fields[i].is_numeric):
            told |= _where(column.texts.filter(chosen), is_total)
    return told


def _where(texts: pa.ChunkedArray, test: Callable[[str], bool]) -> arrays.Mask:
    """Which texts pass a test, made once for each different text."""
    encoded = texts.dictionary_encode().unify_dictionaries()
    if not len(encoded):
        return np.zeros(0, np.bool_)
    passed = np.array([test(text) for text in encoded.chunk(0).dictionary.to_pylist()], np.bool_)
    return passed[arrays.to_codes(encoded)]


def _cut(grid: Grid, end: int) -> Grid:
    """The rows before the totals."""
    if end == grid.rows:
        return grid
    count = grid.rows - end
    return replace(
        grid,
        columns=tuple(column.head(end) for column in grid.columns),
        lines=grid.lines[:end],
        faults={row: fault for row, fault in grid.faults.items() if row < end},
        surplus={row: cells for row, cells in grid.surplus.items() if row < end},
        repairs=(*grid.repairs, Repair(None, message("lines of totals left out"), count)),
    )
