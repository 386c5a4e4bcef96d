"""The fast lane: clean UTF-8 files straight to columns, in parallel or in blocks.

Only what the careful lane would read without a remark on any cell is read here. Whatever looks
unusual (a stray quote, a blank beside a delimiter, an unknown category, a number out of range)
raises `Unusual`, and the file is taken apart cell by cell, with line numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from loanapp.core.data import arrays
from loanapp.core.data.categories import MissingMarks
from loanapp.core.data.dialect import Dialect
from loanapp.core.data.grid import Grid, RawColumn, check_columns, check_rows, is_blank, raw_column
from loanapp.core.data.header import Header
from loanapp.core.data.limits import Limits
from loanapp.core.data.numerals import Role, parse_numeral
from loanapp.core.data.reading import check_numbers, read_column
from loanapp.core.data.report import Report
from loanapp.core.data.scan import scan
from loanapp.core.data.schema import Field, Schema
from loanapp.core.data.source import Content
from loanapp.core.data.totals import leave_out_totals
from loanapp.core.data.validated import Table

BLOCK = 4 << 20
SMALL_BYTES = 32 << 20
"""A file up to this is parsed at once, by all cores; a longer one as it is read, by one."""


class Unusual(Exception):
    """The file has something that the fast lane leaves to the careful one."""


@dataclass(frozen=True)
class CleanFile:
    """A text file in which nothing unusual was seen before parsing it.

    Parameters
    ----------
    content, dialect, header
        The file, how it is written, and which column is which field.
    schema
        The contract.
    wanted
        The fields to read; the other columns stay text.
    rows
        How many rows it has.
    """

    content: Content
    dialect: Dialect
    header: Header
    schema: Schema
    wanted: frozenset[str]
    rows: int

    def read(self) -> Table:
        """The whole file.

        Raises
        ------
        Unusual
            A cell is not what it should be.
        """
        try:
            table = pa_csv.read_csv(self._input(), *self._options())
        except pa.ArrowInvalid as error:
            raise Unusual from error
        return self._checked(table, 0)

    def blocks(self, rows: int) -> Iterator[Table]:
        """The file in blocks of at most so many rows, in bounded memory.

        Raises
        ------
        Unusual
            A cell is not what it should be; the blocks before it stand.
        """
        start = 0
        for table in _regrouped(self._batches(), rows):
            yield self._checked(table, start)
            start += table.num_rows
            self.content.forget()

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            if len(self.content.data) <= SMALL_BYTES:
                yield from pa_csv.read_csv(self._input(), *self._options()).to_batches()
                return
            with pa_csv.open_csv(self._input(), *self._options()) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            raise Unusual from error

    def _input(self) -> pa.BufferReader:
        return pa.BufferReader(pa.py_buffer(self.content.data).slice(self.dialect.data_offset))

    def _options(self) -> tuple[Any, Any, Any]:
        names = list(map(str, range(len(self.header.names))))
        kinds = [self._kind(self._field(position)) for position in range(len(names))]
        return (
            pa_csv.ReadOptions(column_names=names, block_size=BLOCK),
            pa_csv.ParseOptions(delimiter=self.dialect.delimiter),
            pa_csv.ConvertOptions(
                column_types=dict(zip(names, kinds, strict=True)),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )

    def _field(self, position: int) -> Field | None:
        """The field that a column is read as; None: it stays text."""
        name = self.header.names[position]
        return self.schema.by_name[name] if name in self.wanted else None

    @staticmethod
    def _kind(field: Field | None) -> pa.DataType:
        if field is not None and field.is_numeric:
            return pa.float64()
        if field is not None and field.enum:
            return pa.dictionary(pa.int32(), pa.string())
        return pa.string()

    def _checked(self, table: pa.Table, start: int) -> Table:
        """Parsed columns as a valid table."""
        if _names_no_category(table):
            raise Unusual
        data: dict[str, pa.Array] = {}
        others: dict[int, pa.ChunkedArray] = {}
        for position, column in enumerate(table.itercolumns()):
            field = self._field(position)
            if field is None:
                others[position] = _filled(column)
            elif field.is_numeric:
                data[field.name] = _numbers(column, field)
            elif field.enum:
                data[field.name] = _categories(column, field)
            else:
                data[field.name] = _texts(column, field, self.schema)
        order = [f.name for f in self.schema.fields if f.name in data]
        return Table(
            data=pa.Table.from_arrays([data[name] for name in order], names=order),
            extra=pa.Table.from_arrays(
                list(others.values()), names=[self.header.names[i] for i in others]
            ),
            names=self.header.names,
            report=Report(
                rows=table.num_rows,
                repairs=(*self.dialect.repairs, *self.header.repairs),
                ignored_columns=self.header.ignored,
            ),
            positions=np.arange(start, start + table.num_rows),
            first=start,
            file_rows=self.rows,
        )


def recognise(
    content: Content,
    dialect: Dialect,
    header: Header,
    schema: Schema,
    wanted: Sequence[str],
    limits: Limits,
) -> CleanFile | None:
    """Look at every byte of a file; None where anything is unusual.

    Raises
    ------
    LimitExceeded
        There are too many rows, columns or cells.
    """
    check_columns(len(dialect.header), limits)
    if dialect.data_offset is None or header.problems or is_blank(dialect.header[-1]):
        return None
    if (
        len(content.data) <= dialect.data_offset
        or MissingMarks.of(schema.missing_values).holds_numbers
    ):
        return None
    found = scan(content, dialect.data_offset, dialect.delimiter, limits)
    if found is None:
        return None
    check_rows(found.lines, len(dialect.header), limits)
    file = CleanFile(content, dialect, header, schema, frozenset(wanted), found.lines)
    numeric = (p for p in found.doubtful if p >= len(header.names) or file._field(p) is not None)
    if not all(_point_is_decimal(dialect, p) for p in numeric) or _ends_in_doubt(file):
        return None
    return file


def _regrouped(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Batches of any size as tables of so many rows; the last may have fewer."""
    held: pa.Table | None = None
    for batch in batches:
        table = pa.Table.from_batches([batch])
        held = table if held is None else pa.concat_tables([held, table])
        while held.num_rows >= rows:
            yield held.slice(0, rows)
            held = held.slice(rows)
    if held is not None and held.num_rows:
        yield held


def _point_is_decimal(dialect: Dialect, position: int) -> bool:
    """Whether the first rows show that the point is decimal in a column."""
    cells = (row[position] for row in dialect.sample if position < len(row))
    shown = (role for n in map(parse_numeral, cells) if n for mark, role in n.roles if mark == ".")
    return any(role & Role.DECIMAL for role in shown)


def _ends_in_doubt(file: CleanFile) -> bool:
    """Whether the last line may be a line of totals."""
    data, end = file.content.data, len(file.content.data)
    stop = max(end - 1, 0)
    for _ in range(min(file.rows, 2)):
        stop = data.rfind(b"\n", 0, stop)
    lines = data[stop + 1 : end].decode("utf-8", "replace").splitlines()
    rows = list(csv.reader(lines, delimiter=file.dialect.delimiter))
    if any(len(row) != len(file.header.names) for row in rows):
        return True
    columns = tuple(raw_column(cells) for cells in zip(*rows, strict=True))
    grid = Grid(file.dialect.header, 1, columns, np.arange(len(rows)))
    checked = leave_out_totals(grid, file.header, file.schema)
    return checked.rows != grid.rows or bool(checked.faults)


def _names_no_category(table: pa.Table) -> bool:
    """Whether a row has no category, or no value at all: it may be no client."""
    told = [c for c in table.itercolumns() if pa.types.is_dictionary(c.type)]
    columns = told or table.columns
    if not all(column.null_count for column in columns):
        return False
    blank = np.ones(table.num_rows, np.bool_)
    for column in columns:
        blank &= np.concatenate([arrays.to_mask(c.is_null()) for c in column.chunks])
    return bool(blank.any())


def _filled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.coalesce(column, arrays.from_texts([""])[0]) if column.null_count else column


def _numbers(column: pa.ChunkedArray, field: Field) -> pa.Array:
    values = arrays.to_numbers(column)
    faults = np.zeros(len(values), np.uint8)
    check_numbers(values, faults, field)
    if faults.any() or np.count_nonzero(np.isnan(values)) != column.null_count:
        raise Unusual
    return arrays.from_floats(values)


def _categories(column: pa.ChunkedArray, field: Field) -> pa.Array:
    if field.required and column.null_count:
        raise Unusual
    order = {category: code for code, category in enumerate(field.enum)}
    parts = [np.empty(0, np.int32)]
    for chunk in column.chunks:
        known = np.array([order.get(c, -2) for c in chunk.dictionary.to_pylist()] + [-1], np.int32)
        parts.append(known[arrays.to_codes(chunk)])
    codes = np.concatenate(parts)
    if (codes == -2).any():
        raise Unusual
    return arrays.from_codes(codes, field.enum)


def _texts(column: pa.ChunkedArray, field: Field, schema: Schema) -> pa.Array:
    marks, rows = MissingMarks.of(schema.missing_values), np.ones(len(column), np.bool_)
    read = read_column(RawColumn(_filled(column)), field, marks, rows)
    if read.faults.any() or read.repairs:
        raise Unusual
    return read.values
