"""Tables on their way out: CSV, Parquet and Excel files that a spreadsheet can open safely.

A text that a spreadsheet would run as a formula gets an apostrophe before it
(`CSV injection <https://owasp.org/www-community/attacks/CSV_Injection>`_); numbers stay numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loanapp.core.data import arrays
from loanapp.core.data.validated import Rejected
from loanapp.core.errors import LimitExceeded, Message, message

Kind = Literal["csv", "parquet", "xlsx"]
BLOCK_ROWS = 65_536
SHEET_ROWS = 1_048_575
CELL_CHARACTERS = 32_767

_FORMULA = r"^[\s\x{a0}\x{feff}]*[=+\-@＝＋－＠]|^[\t\r\n]"
_NUMBER = r"^[+-]?[0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?$"


def write_table(table: pa.Table, sink: BinaryIO, kind: str, *, excel: bool = False) -> None:
    """Write a table.

    Parameters
    ----------
    table
        Numbers, texts and dictionaries of texts; a null or a NaN is an empty cell.
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
        for block in csv_blocks(table, excel=excel):
            sink.write(block)
    elif kind == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, sink)
    elif kind == "xlsx":
        _write_workbook(table, sink)
    else:
        raise ValueError(kind)


def csv_blocks(table: pa.Table, *, excel: bool = False, rows: int = BLOCK_ROWS) -> Iterator[bytes]:
    """Write a table as CSV in blocks of so many rows, the header in the first.

    Parameters
    ----------
    table, excel
        As for `write_table`.
    rows
        Rows of a block.
    """
    delimiter = ";" if excel else ","
    names = _safe(pa.chunked_array([arrays.from_texts(table.column_names)]), delimiter)
    head = delimiter.join(names.to_pylist()) + "\n"
    yield ("\ufeff" if excel else "").encode() + head.encode()
    for start in range(0, table.num_rows, rows):
        block = table.slice(start, rows).combine_chunks()
        yield _lines([_written(c, delimiter, excel=excel) for c in block.itercolumns()], delimiter)


def _lines(columns: list[pa.ChunkedArray], delimiter: str) -> bytes:
    """Cells joined to lines, all at once."""
    lines = pc.binary_join_element_wise(*columns, _scalar(delimiter))
    ended = pc.binary_join_element_wise(lines, _scalar(""), _scalar("\n"))
    return b"".join(_bytes(chunk) for chunk in ended.chunks)


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
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        column = arrays.without_nan(column)
    texts = pc.coalesce(column.cast(pa.string()), _scalar(""))
    if excel and pa.types.is_floating(kind):
        return pc.replace_substring(texts, ".", ",")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _safe(texts, delimiter)
    return texts


def _safe(texts: pa.ChunkedArray, delimiter: str) -> pa.ChunkedArray:
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


def _write_workbook(table: pa.Table, sink: BinaryIO) -> None:
    """Write a workbook of one sheet, in which every text is a text and never a formula."""
    from openpyxl import Workbook

    if table.num_rows > SHEET_ROWS:
        raise LimitExceeded(
            message("A sheet holds at most {limit} rows. Choose CSV or Parquet.", limit=SHEET_ROWS)
        )
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append([_cell(sheet, name) for name in table.column_names])
    for batch in table.to_batches(BLOCK_ROWS):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            sheet.append([_cell(sheet, value) for value in row])
    book.save(sink)


def _cell(sheet: Any, value: object) -> Any:
    """A cell of a sheet: texts marked as texts, characters that XML forbids left out."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if not isinstance(value, str):
        return None if value != value else value
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value)[:CELL_CHARACTERS])
    cell.data_type = "s"
    return cell
