"""Tables on their way out: CSV, Parquet and Excel files that a spreadsheet can open safely.

A text that a spreadsheet would run as a formula gets an apostrophe before it
(`CSV injection <https://owasp.org/www-community/attacks/CSV_Injection>`_); numbers stay numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loanapp.core.data import arrays
from loanapp.core.data.validated import Rejected
from loanapp.core.errors import LimitExceeded, Message, message
from loanapp.core.pipeline import in_order

Kind = Literal["csv", "parquet", "xlsx"]
BLOCK_ROWS = 65_536
SHEET_ROWS = 1_048_575
CELL_CHARACTERS = 32_767

_FORMULA = r"^[\s\x{a0}\x{feff}]*[=+\-@＝＋－＠]|^[\t\r\n]"
_NUMBER = r"^[+-]?[0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?$"


def write_table(table: pa.Table, sink: BinaryIO, kind: str, *, excel: bool = False) -> None:
    """Write a table; as `write_blocks`."""
    write_blocks(split(table), sink, kind, excel=excel)


def write_blocks(
    blocks: Iterable[pa.Table], sink: BinaryIO, kind: str, *, excel: bool = False
) -> None:
    """Write a table that comes in blocks.

    Parameters
    ----------
    blocks
        Numbers, texts and dictionaries of texts; a null or a NaN is an empty cell. At least one
        block, which may be empty.
    sink
        A binary handle; it is not closed.
    kind
        ``csv``, ``parquet`` or ``xlsx``.
    excel
        Write a CSV for French Excel: UTF-8 with a byte order mark, ``;``, decimal commas.

    Raises
    ------
    LimitExceeded
        A sheet cannot hold so many rows.
    """
    if kind == "csv":
        sink.writelines(csv_blocks(blocks, excel=excel))
    elif kind == "parquet":
        _write_parquet(blocks, sink)
    elif kind == "xlsx":
        _write_workbook(blocks, sink)
    else:
        raise ValueError(kind)


def csv_blocks(blocks: Iterable[pa.Table], *, excel: bool = False) -> Iterator[bytes]:
    """Write a table that comes in blocks as CSV, the header in the first block of bytes.

    Parameters
    ----------
    blocks, excel
        As for `write_blocks`.
    """
    delimiter = ";" if excel else ","
    head: bytes | None = None
    for names, lines in in_order(partial(_rows, delimiter=delimiter, excel=excel), blocks):
        if head is None:
            head = delimiter.join(_cells(names, delimiter)).encode() + b"\n"
            yield ("\ufeff".encode() if excel else b"") + head
        yield lines


def split(table: pa.Table) -> Iterator[pa.Table]:
    """A table in blocks; one without rows is one."""
    for start in range(0, max(table.num_rows, 1), BLOCK_ROWS):
        yield table.slice(start, BLOCK_ROWS)


def _rows(table: pa.Table, delimiter: str, excel: bool) -> tuple[list[str], bytes]:
    """The names of a table's columns, and its rows as lines."""
    written = [_written(c, delimiter, excel=excel) for c in table.combine_chunks().itercolumns()]
    return table.column_names, _lines(written, delimiter) if table.num_rows else b""


def _cells(texts: Sequence[str], delimiter: str) -> list[str]:
    cells: list[str] = _safe(arrays.from_texts(texts), delimiter).to_pylist()
    return cells


def _lines(columns: list[pa.ChunkedArray], delimiter: str) -> bytes:
    """Cells joined to lines, all at once."""
    *others, last = columns
    last = pc.binary_join_element_wise(last, _EMPTY, _scalar("\n"))
    lines = pc.binary_join_element_wise(*others, last, _scalar(delimiter))
    return b"".join(_bytes(chunk) for chunk in lines.chunks)


def _bytes(texts: pa.Array) -> bytes:
    """All the texts of an array, one after another."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(data.slice(int(ends[0]), int(ends[-1] - ends[0])).to_pybytes())


def _scalar(text: str) -> pa.StringScalar:
    return arrays.from_texts([text])[0]


def rejected_table(
    rejected: Rejected,
    say: Callable[[Message], str] = str,
    titles: tuple[str, str] = ("line", "problem"),
) -> pa.Table:
    """The refused rows as they stand in their file, with their line and what is wrong.

    Parameters
    ----------
    rejected
        The refused rows.
    say
        Puts a message in the reader's language.
    titles
        Names of the column before, with the line number, and of the one behind, with the reasons.
    """
    reasons = [
        " ".join(f"{p.column}: {say(p.problem)}" if p.column else say(p.problem) for p in problems)
        for problems in rejected.reasons
    ]
    lines = pa.Array.from_buffers(pa.int64(), rejected.rows, [None, pa.py_buffer(rejected.lines)])
    table = rejected.cells.add_column(0, titles[0], lines)
    return table.append_column(titles[1], arrays.from_texts(reasons))


def _written(column: pa.ChunkedArray, delimiter: str, *, excel: bool) -> pa.ChunkedArray:
    """A column as the texts that stand in the file, without nulls."""
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.coalesce(_safe_column(column, delimiter), _EMPTY)
    if not pa.types.is_floating(kind):
        return pc.coalesce(column.cast(pa.string()), _EMPTY)
    texts = pc.coalesce(arrays.without_nan(column).cast(pa.string()), _EMPTY)
    return pc.replace_substring(texts, ".", ",") if excel else texts


def _safe_column(column: pa.ChunkedArray, delimiter: str) -> pa.ChunkedArray:
    """Texts made safe, each different one once."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    safe = [
        pa.DictionaryArray.from_arrays(
            chunk.indices, _safe(chunk.dictionary.cast(pa.string()), delimiter)
        ).cast(pa.string())
        for chunk in column.chunks
    ]
    return pa.chunked_array(safe, pa.string())


def _safe(texts: pa.Array, delimiter: str) -> pa.Array:
    """Texts that are no formulas, in quotes where they need them."""
    formula = pc.and_(
        pc.match_substring_regex(texts, _FORMULA),
        pc.invert(pc.match_substring_regex(texts, _NUMBER)),
    )
    texts = pc.if_else(formula, pc.binary_join_element_wise(_scalar("'"), texts, _EMPTY), texts)
    special = pc.match_substring_regex(texts, f'[{delimiter}"\r\n]')
    doubled = pc.replace_substring(texts, '"', '""')
    quoted = pc.binary_join_element_wise(_scalar('"'), doubled, _scalar('"'), _EMPTY)
    return pc.if_else(special, quoted, texts)


_EMPTY = _scalar("")


def _write_parquet(blocks: Iterable[pa.Table], sink: BinaryIO) -> None:
    import pyarrow.parquet as pq

    first, rest = _parted(blocks)
    with pq.ParquetWriter(sink, first.schema) as writer:
        for block in chain([first], rest):
            writer.write_table(block)


def _write_workbook(blocks: Iterable[pa.Table], sink: BinaryIO) -> None:
    """Write a workbook of one sheet, in which every text is a text and never a formula."""
    from openpyxl import Workbook

    first, rest = _parted(blocks)
    book, rows = Workbook(write_only=True), 0
    sheet = book.create_sheet()
    sheet.append([_cell(sheet, name) for name in first.column_names])
    for block in chain([first], rest):
        rows += block.num_rows
        if rows > SHEET_ROWS:
            raise LimitExceeded(
                message(
                    "A sheet holds at most {limit} rows. Choose CSV or Parquet.", limit=SHEET_ROWS
                )
            )
        for row in zip(*(column.to_pylist() for column in block.columns), strict=True):
            sheet.append([_cell(sheet, value) for value in row])
    book.save(sink)


def _parted(blocks: Iterable[pa.Table]) -> tuple[pa.Table, Iterator[pa.Table]]:
    coming = iter(blocks)
    return next(coming), coming


def _cell(sheet: Any, value: object) -> Any:
    """A cell of a sheet: texts marked as texts, characters that XML forbids left out."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if not isinstance(value, str):
        return None if value != value else value
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value)[:CELL_CHARACTERS])
    cell.data_type = "s"
    return cell
