"""Clients that come as records (JSON, a form) to a valid table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa

from loanapp.core.data import arrays
from loanapp.core.data.grid import Grid, cell_text, raw_column, to_float
from loanapp.core.data.header import Header, match_header
from loanapp.core.data.numerals import admits
from loanapp.core.data.report import Problem, Report
from loanapp.core.data.schema import Field, Schema
from loanapp.core.data.validated import Table
from loanapp.core.data.validation import validate
from loanapp.core.errors import message

FEW = 64


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
    match = _match_again if schema.by_name.keys() >= set(names) else match_header
    header = match(names, schema, tuple(required), tuple(optional))
    wanted = {*required, *optional}
    if len(records) <= FEW and (table := _clean(records, header, schema, wanted)):
        return table
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
    return validate(grid, header, schema, tuple(wanted))


_ABSENT = message(
    "The client does not have this column. Give it, or give null for a missing value."
)


_match_again = lru_cache(maxsize=64)(match_header)
"""Clients come one by one with the contract's names; no name that somebody makes up is kept."""


def _clean(
    records: Sequence[Mapping[str, object]], header: Header, schema: Schema, wanted: set[str]
) -> Table | None:
    """Few records in which every value is as the contract writes it; None where one is not."""
    names = header.names
    if not records or header.problems or header.repairs:
        return None
    if any(record.keys() != set(names) for record in records):
        return None
    order = [f for f in schema.fields if f.name in wanted and f.name in header.positions]
    data = []
    for field in order:
        column = _clean_column([record[field.name] for record in records], field)
        if column is None:
            return None
        data.append(column)
    others = [name for name in names if name not in wanted or name not in header.positions]
    extra = [arrays.from_texts([cell_text(record[name]) for record in records]) for name in others]
    return Table(
        data=pa.Table.from_arrays(data, names=[f.name for f in order]),
        extra=pa.Table.from_arrays(extra, names=others),
        names=names,
        report=Report(rows=len(records), ignored_columns=header.ignored),
        positions=np.arange(len(records)),
    )


def _clean_column(cells: Sequence[object], field: Field) -> pa.Array | None:
    if field.required and None in cells:
        return None
    if field.is_numeric:
        numbers = [to_float(cell) for cell in cells]
        if all(c is None or admits(field, n) for c, n in zip(cells, numbers, strict=True)):
            return arrays.from_floats(np.array(numbers))
        return None
    if field.enum and all(c is None or c in field.enum for c in cells):
        codes = [-1 if c is None else field.enum.index(str(c)) for c in cells]
        return arrays.from_codes(np.array(codes, np.int32), field.enum)
    return None
