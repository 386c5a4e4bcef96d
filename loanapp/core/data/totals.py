"""The line of totals that exports put under the clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loanapp.core.data.categories import MissingMarks, loose_key
from loanapp.core.data.grid import Grid, RawColumn
from loanapp.core.data.header import Header
from loanapp.core.data.report import Repair
from loanapp.core.data.schema import Schema
from loanapp.core.errors import message

_WORDS = ("total", "soustotal", "grandtotal", "somme", "sum", "moyenne", "average", "mean")


def leave_out_totals(grid: Grid, header: Header, schema: Schema) -> Grid:
    """Leave out a line of totals at the end of a file, and say so.

    A last line that says “total” and names no category is one. A last line that has numbers
    alone, where other lines have texts, may be one: it is marked as a row that cannot be read.
    """
    if not grid.rows:
        return grid
    cells = [_last(column) for column in grid.columns]
    missing = MissingMarks.of(schema.missing_values)
    told = [text for text in cells if text not in missing and not is_total(text)]
    named = {name for name, text in zip(header.names, cells, strict=True) if text in told}
    if named & {f.name for f in schema.fields if f.enum}:
        return grid
    if any(map(is_total, cells)):
        return _without_last(grid)
    sound = grid.rows - 1 not in grid.faults
    if sound and grid.rows > 1 and _lacks_texts(grid, header, schema, missing, cells):
        return replace(grid, faults={**grid.faults, grid.rows - 1: _NUMBERS_ALONE})
    return grid


def is_total(text: str) -> bool:
    """Whether a cell announces a line of totals.

    Examples
    --------
    >>> is_total(" TOTAL général :"), is_total("Totalement")
    (True, False)
    """
    words = text.casefold().replace("-", "").split()
    return bool(words) and loose_key(words[0].rstrip(":.")) in (*_WORDS, "totaux", "totals")


_NUMBERS_ALONE = message(
    "This last row has numbers alone: it can be a client or a line of totals. "
    "Delete the line, or fill its categories."
)


def _last(column: RawColumn) -> str:
    return str(column.texts[len(column.texts) - 1].as_py())


def _lacks_texts(
    grid: Grid, header: Header, schema: Schema, missing: MissingMarks, cells: Sequence[str]
) -> bool:
    """Whether the last row has no text at all where the row before it has some."""
    texts = [
        (cells[i], str(grid.columns[i].texts[grid.rows - 2].as_py()))
        for i, name in enumerate(header.names)
        if name in schema.by_name and not schema.by_name[name].is_numeric
    ]
    return all(last in missing for last, _ in texts) and any(
        before not in missing for _, before in texts
    )


def _without_last(grid: Grid) -> Grid:
    last = grid.rows - 1
    return replace(
        grid,
        columns=tuple(column.head(last) for column in grid.columns),
        lines=grid.lines[:last],
        faults={row: fault for row, fault in grid.faults.items() if row != last},
        surplus={row: cells for row, cells in grid.surplus.items() if row != last},
        repairs=(*grid.repairs, Repair(None, message("line of totals left out"), 1)),
    )
