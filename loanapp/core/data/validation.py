"""A grid of cells to a valid table: every column read, every problem with its line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pyarrow as pa

from loanapp.core.data import arrays
from loanapp.core.data.categories import MissingMarks
from loanapp.core.data.faults import Fault, explain
from loanapp.core.data.grid import Grid
from loanapp.core.data.header import Header
from loanapp.core.data.reading import ReadColumn, read_column
from loanapp.core.data.report import PROBLEMS_KEPT, Problem, Report, shortened
from loanapp.core.data.schema import Schema
from loanapp.core.data.validated import NO_REJECTED, Rejected, Table
from loanapp.core.errors import InvalidTable, Message, message


def validate(
    grid: Grid, header: Header, schema: Schema, wanted: Sequence[str], *, skip_invalid: bool = False
) -> Table:
    """Read the columns that are wanted and check them.

    Raises
    ------
    InvalidTable
        With every problem; where `skip_invalid`, only for what is wrong with the whole file.
    """
    counted = np.ones(grid.rows, np.bool_)
    counted[list(grid.faults)] = False
    missing = MissingMarks.of(schema.missing_values)
    columns = [
        read_column(grid.columns[position], schema.by_name[name], missing, counted)
        for name, position in sorted(header.positions.items(), key=lambda item: item[1])
        if name in wanted
    ]
    findings = _Findings(grid, header, columns)
    if findings.whole_file or (findings.invalid.any() and not skip_invalid):
        raise findings.error()
    return _assemble(grid, header, schema, columns, findings)


class _Findings:
    """The problems of a file, in its order."""

    def __init__(self, grid: Grid, header: Header, columns: Sequence[ReadColumn]) -> None:
        self._grid, self._header, self._columns = grid, header, columns
        self.whole_file = [*header.problems, *grid.problems]
        if not grid.rows and not self.whole_file:
            self.whole_file = [Problem(None, None, None, _NO_ROWS)]
        self.invalid = np.zeros(grid.rows, np.bool_)
        self.invalid[list(grid.faults)] = True
        for column in columns:
            self.invalid |= column.faults != Fault.NONE

    def report(self) -> Report:
        """Everything there is to say."""
        cells = sum(int(np.count_nonzero(c.faults)) for c in self._columns)
        rows = (self.of_row(int(row)) for row in np.flatnonzero(self.invalid))
        problems = [*self.whole_file, *(p for row in islice(rows, PROBLEMS_KEPT) for p in row)]
        return Report(
            rows=self._grid.rows,
            problems=tuple(problems[:PROBLEMS_KEPT]),
            problem_count=len(self.whole_file) + len(self._grid.faults) + cells,
            invalid_rows=int(np.count_nonzero(self.invalid)),
            repairs=(
                *self._grid.repairs,
                *self._header.repairs,
                *(repair for column in self._columns for repair in column.repairs),
            ),
            ignored_columns=self._header.ignored,
        )

    def of_row(self, row: int) -> tuple[Problem, ...]:
        """What is wrong with one row."""
        line = int(self._grid.lines[row])
        if row in self._grid.faults:
            return (Problem(line, None, None, self._grid.faults[row]),)
        return tuple(
            self._of_cell(line, row, column) for column in self._columns if column.faults[row]
        )

    def _of_cell(self, line: int, row: int, column: ReadColumn) -> Problem:
        name = column.field.name
        text = self._grid.columns[self._header.positions[name]].texts[row].as_py()
        what = explain(Fault(column.faults[row]), column.field, text)
        return Problem(line, name, shortened(text), what)

    def error(self) -> InvalidTable:
        """The refusal of the file."""
        report = self.report()
        if report.problem_count == 1 and report.problems[0].row is None:
            return InvalidTable(report.problems[0].problem, report)
        return InvalidTable(_summary(report.problem_count), report)


_NO_ROWS = message("The file has a header and no rows. Add at least one client.")


def _summary(count: int) -> Message:
    if count == 1:
        return message("The file has a problem and was not used.")
    return message("The file has {count} problems and was not used.", count=count)


def _assemble(
    grid: Grid,
    header: Header,
    schema: Schema,
    columns: Sequence[ReadColumn],
    findings: _Findings,
) -> Table:
    by_name = {column.field.name: column.values for column in columns}
    order = [f.name for f in schema.fields if f.name in by_name]
    data = pa.Table.from_arrays([by_name[name] for name in order], names=order)
    others = [i for i, name in enumerate(header.names) if name not in by_name]
    extra = pa.Table.from_arrays(
        [grid.columns[i].texts for i in others], names=[header.names[i] for i in others]
    )
    positions, rejected = np.arange(grid.rows), NO_REJECTED
    if findings.invalid.any():
        valid = arrays.from_mask(~findings.invalid)
        data, extra = data.filter(valid), extra.filter(valid)
        positions, rejected = np.flatnonzero(~findings.invalid), _rejected(grid, findings)
    return Table(data, extra, header.names, findings.report(), positions, rejected)


def _rejected(grid: Grid, findings: _Findings) -> Rejected:
    positions = np.flatnonzero(findings.invalid)
    chosen = arrays.from_mask(findings.invalid)
    beyond = [grid.surplus.get(int(row), ()) for row in positions]
    width = max(map(len, beyond), default=0)
    surplus = [
        arrays.from_texts([cells[i] if i < len(cells) else "" for cells in beyond])
        for i in range(width)
    ]
    cells = pa.Table.from_arrays(
        [*(column.texts.filter(chosen) for column in grid.columns), *surplus],
        names=[*grid.names, *[""] * width],
    )
    reasons = tuple(findings.of_row(int(row)) for row in positions)
    return Rejected(positions, grid.lines[positions], cells, reasons)
