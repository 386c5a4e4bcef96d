"""Text files to cells, with the line that each row begins on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TextIO

from loanapp.core.data.builder import GridBuilder
from loanapp.core.data.dialect import Dialect, check_line
from loanapp.core.data.grid import Grid, is_blank
from loanapp.core.data.limits import Limits
from loanapp.core.data.source import Content
from loanapp.core.errors import LoanappError, message


class _UnclosedQuote(LoanappError):
    """A quote swallows more than a row may hold."""


class _Lines(Iterator[str]):
    """The physical lines of a file, counted, none longer than the limit.

    Attributes
    ----------
    number
        Lines given so far.
    taken
        Characters given since the last record began.
    """

    def __init__(self, stream: TextIO, limits: Limits) -> None:
        self._stream, self._limits = stream, limits
        self.number = self.taken = 0

    def __next__(self) -> str:
        line = self._stream.readline(self._limits.line_bytes + 1)
        if not line:
            raise StopIteration
        self.number += 1
        check_line(len(line), self.number, self._limits)
        self.taken += len(line)
        if self.taken > self._limits.line_bytes:
            raise _UnclosedQuote("")
        return line


def read_grid(content: Content, dialect: Dialect, limits: Limits) -> Grid:
    """Take a text file apart.

    Raises
    ------
    LimitExceeded
        It is larger than a limit.
    """
    with io.TextIOWrapper(content.open(), dialect.encoding, newline="") as stream:
        lines = _Lines(stream, limits)
        for _ in range(dialect.preamble):
            next(lines)
        header_line = lines.number + 1
        reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
        try:
            header = next(reader)
        except csv.Error:
            header = list(dialect.header)
        builder = GridBuilder(header, header_line, limits, loose_tail=dialect.delimiter != ",")
        _read_rows(reader, lines, builder, dialect.delimiter)
    return builder.finish()


def _read_rows(
    reader: Iterator[list[str]], lines: _Lines, builder: GridBuilder, delimiter: str
) -> None:
    while True:
        start, lines.taken = lines.number + 1, 0
        try:
            row = next(reader)
        except StopIteration:
            return
        except _UnclosedQuote:
            builder.refuse(start, _UNCLOSED)
            return
        except csv.Error as error:
            at_end = "unexpected end" in str(error)
            builder.refuse(start, _UNCLOSED if at_end else _STRAY_QUOTE)
            continue
        if lines.number > start and _swallows_rows(row, builder, delimiter):
            builder.refuse(start, _UNCLOSED)
        elif row and (len(row) > 1 or not is_blank(row[0])):
            builder.add(start, row)
        else:
            builder.add_blank(start)


def _swallows_rows(row: list[str], builder: GridBuilder, delimiter: str) -> bool:
    """Whether a cell that runs over lines holds a whole row, or the rest of one and a beginning."""
    enough = max(len(builder.names) - 1, 1)
    for position, cell in enumerate(row):
        lines = [line.count(delimiter) for line in cell.replace("\r", "\n").split("\n")]
        if len(lines) > 1:
            first, *whole, last = lines
            if max(whole, default=0) >= enough:
                return True
            if first >= enough - position and last >= min(position, enough):
                return True
    return False


_UNCLOSED = message("A quote is opened in this row and never closed. Close it, or remove it.")
_STRAY_QUOTE = message(
    "Text follows a closing quote. Write a quote inside a quoted cell twice, or remove it."
)
