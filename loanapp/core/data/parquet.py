"""Parquet files to cells; a row's line is its position, from 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loanapp.core.data import arrays
from loanapp.core.data.grid import Cell, Grid, RawColumn, check_columns, check_rows, raw_column
from loanapp.core.data.limits import MB, Limits
from loanapp.core.data.report import refused
from loanapp.core.data.source import Content
from loanapp.core.errors import LimitExceeded, message

BATCH_ROWS = 16_384
METADATA_ITEMS = 1_000_000
TEXT_BYTES = 400 * MB
CELLS, CELLS_A_BYTE = 50_000_000, 10


def read_grid(content: Content, limits: Limits) -> Grid:
    """Take a Parquet file apart.

    Raises
    ------
    InvalidTable
        It is damaged.
    LimitExceeded
        It is larger than a limit.
    """
    try:
        table = _read(content, limits)
        _check_texts(table, limits)
        columns = tuple(_raw(column) for column in table.itercolumns())
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise refused(
            message("The Parquet file is damaged or uses a feature that is not read. "
                    "Save it again, or as CSV.")
        ) from error  # fmt: skip
    return Grid(
        names=tuple(table.column_names),
        header_line=None,
        columns=columns,
        lines=np.arange(1, table.num_rows + 1),
    )


def _read(content: Content, limits: Limits) -> pa.Table:
    """Read in batches, texts as dictionaries, so that what grows is noticed while it does."""
    import pyarrow.parquet as pq

    source = pa.BufferReader(pa.py_buffer(content.data))
    schema = pq.read_schema(source, memory_map=False)
    texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_binary(f.type)]
    file = pq.ParquetFile(
        source,
        read_dictionary=texts,
        thrift_container_size_limit=METADATA_ITEMS,
        thrift_string_size_limit=limits.line_bytes * 10,
    )
    check_columns(file.metadata.num_columns, limits)
    limits = replace(limits, cells=min(limits.cells, CELLS + CELLS_A_BYTE * len(content.data)))
    check_rows(file.metadata.num_rows, file.metadata.num_columns, limits)
    batches = list(_bounded(file.iter_batches(BATCH_ROWS), limits))
    return pa.Table.from_batches(batches, file.schema_arrow if not batches else batches[0].schema)


def _bounded(batches: Iterator[pa.RecordBatch], limits: Limits) -> Iterator[pa.RecordBatch]:
    size = 0
    for batch in batches:
        size += batch.nbytes
        if size > limits.decompressed_bytes:
            raise LimitExceeded(
                message(
                    "The Parquet file unpacks to more than {limit} MB. Split it.",
                    limit=limits.decompressed_bytes / MB,
                )
            )
        yield batch


def _check_texts(table: pa.Table, limits: Limits) -> None:
    """Raise `LimitExceeded` where few texts stand for many bytes."""
    most, size = min(limits.decompressed_bytes, TEXT_BYTES), 0
    for column in table.itercolumns():
        for chunk in column.chunks if pa.types.is_dictionary(column.type) else ():
            lengths = [len(str(value)) for value in chunk.dictionary.to_pylist()]
            known = np.array([*lengths, 0], np.int64)
            size += int(known[arrays.to_codes(chunk)].sum())
    if size > most:
        raise LimitExceeded(
            message("The texts of the Parquet file unpack to more than {limit} MB. Split it.",
                    limit=most / MB)
        )  # fmt: skip


def _raw(column: pa.ChunkedArray) -> RawColumn:
    """A column as cells: numbers stay numbers, everything else becomes text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind):
        numbers = arrays.to_numbers(column.cast(pa.float64(), safe=False))
        return RawColumn(_texts(column), numbers, only_numbers=True)
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind) or pa.types.is_float32(kind):
        # As they print: 161.7 of single precision is 161.7, not 161.69999694824219.
        column = column.cast(pa.string()).cast(pa.float64())
    if pa.types.is_floating(column.type):
        column = arrays.without_nan(column)
        return RawColumn(_texts(column), arrays.to_numbers(column), only_numbers=True)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return RawColumn(_texts(column))
    return raw_column([_plain(cell) for cell in column.to_pylist()])


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.coalesce(column.cast(pa.string()), arrays.from_texts([""])[0])


def _plain(cell: object) -> Cell:
    """A value as text or boolean: bytes as UTF-8, dates and nested values as they print."""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return cell if isinstance(cell, str | bool | None) else str(cell)
