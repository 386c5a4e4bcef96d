"""How a text file is written: its encoding, its delimiter, and where its header stands."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from loanapp.core.data.header import find_header, matched_share
from loanapp.core.data.limits import Limits
from loanapp.core.data.report import Repair, refused
from loanapp.core.data.schema import Schema
from loanapp.core.data.source import Content
from loanapp.core.errors import LimitExceeded, message

DELIMITERS = (",", ";", "\t", "|")
HEAD_LINES = 1_000
TITLE_LINES = 20
SAMPLE_RECORDS = 100
BLOCK = 1 << 20

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?[\s,;|]*', re.IGNORECASE)
_NOT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_UTF8_LETTER = re.compile(rb"\xc3[\x80-\xbf]|\xc5[\x92\x93]|\xe2\x80[\x99\xaf]|\xe2\x82\xac")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file is written.

    Parameters
    ----------
    encoding
        Name of the codec, which also takes a byte order mark away.
    delimiter
        What stands between two cells.
    preamble
        Lines before the header.
    header
        The names of the columns as they stand in the file.
    data_offset
        Where the first row begins, in bytes; None where the encoding is not UTF-8.
    sample
        Cells of the first rows.
    repairs
        What was passed over.
    """

    encoding: str
    delimiter: str
    preamble: int
    header: tuple[str, ...]
    data_offset: int | None
    sample: tuple[tuple[str, ...], ...]
    repairs: tuple[Repair, ...]


def detect_dialect(
    content: Content, schema: Schema, limits: Limits, *, head_only: bool = False
) -> Dialect:
    """Find out how a text file is written.

    With `head_only` the encoding is made sure of for the first megabyte, and whoever parses the
    file makes sure of the rest.

    The delimiter is the one under which the first line that is neither blank nor a comment
    holds the most names of the contract, then the one under which rows are as long as it.

    Raises
    ------
    InvalidTable
        The file is empty or is not text.
    LimitExceeded
        A line is too long.
    """
    csv.field_size_limit(max(csv.field_size_limit(), limits.line_bytes))
    encoding, repairs = detect_encoding(content, BLOCK if head_only else len(content.data))
    head = _head_lines(content, encoding, limits)
    preamble, separator = _preamble(head)
    if preamble == len(head):
        raise refused(message("The file is empty: it has no header and no rows."))
    preamble += _titles(head[preamble:], schema)
    lines = head[preamble:]
    records = {d: _records(lines, d) for d in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda d: (*_fit(records[d], schema), d == separator))
    header, consumed = _first_record(lines, delimiter)
    offset = None
    if encoding in ("utf-8", "utf-8-sig"):
        bom = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0
        offset = bom + len("".join(head[: preamble + consumed]).encode())
    if preamble:
        repairs.append(Repair(None, message("lines before the header skipped"), preamble))
    sample = tuple(map(tuple, records[delimiter][1:]))
    return Dialect(encoding, delimiter, preamble, header, offset, sample, tuple(repairs))


def detect_encoding(content: Content, size: int) -> tuple[str, list[Repair]]:
    """Name of the codec that reads so many bytes of the file, and what to say of it.

    Raises
    ------
    InvalidTable
        No codec reads it, or two would be needed.
    """
    start = bytes(content.data[:4])
    encoding = next((name for bom, name in _BOMS if start.startswith(bom)), "utf-8")
    if encoding in ("utf-8", "utf-8-sig"):
        _refuse_binary(content)
    bad = _first_undecodable(content, encoding, size)
    if bad is None:
        return encoding, []
    line = content.line_at(bad)
    if encoding != "utf-8":
        raise refused(
            message("The text cannot be read as {encoding} from line {line} on: the file is cut "
                    "off or damaged. Export it again.", encoding=encoding.upper(), line=line),
            line)  # fmt: skip
    if _UTF8_LETTER.search(content.data) or _NOT_CP1252.search(content.data):
        raise refused(
            message("Line {line} is written neither in UTF-8 nor in Windows-1252, or the file "
                    "mixes both. Export it again as UTF-8.", line=line),
            line)  # fmt: skip
    return "cp1252", [Repair(None, message("text read as Windows-1252, not UTF-8"), 1)]


def _refuse_binary(content: Content) -> None:
    at = content.find(b"\0")
    if at >= 0:
        line = content.line_at(at)
        raise refused(
            message(
                "This is not a table of clients: the file holds binary data at line {line}. "
                "Save it as CSV, Excel (.xlsx) or Parquet.",
                line=line,
            ),
            line,
        )


def _first_undecodable(content: Content, encoding: str, checked: int) -> int | None:
    """Offset of the first byte (to a block) that the codec does not read."""
    decoder = codecs.getincrementaldecoder(encoding)()
    size = len(content.data)
    for offset in range(0, min(checked, size), BLOCK):
        try:
            decoder.decode(content.data[offset : offset + BLOCK], offset + BLOCK >= size)
        except UnicodeDecodeError as error:
            return min(offset + error.start, size - 1)
    return None


def _head_lines(content: Content, encoding: str, limits: Limits) -> list[str]:
    """The first lines of the file, as it ends them."""
    with io.TextIOWrapper(content.open(), encoding, newline="") as stream:
        head: list[str] = []
        for _ in range(HEAD_LINES):
            line = stream.readline(limits.line_bytes + 1)
            check_line(len(line), len(head) + 1, limits)
            if not line:
                break
            head.append(line)
    return head


def check_line(length: int, number: int, limits: Limits) -> None:
    """Raise `LimitExceeded` for a row that is too long."""
    if length > limits.line_bytes:
        raise LimitExceeded(
            message(
                "The row at line {line} is longer than {limit} characters: "
                "a quote is not closed, or this is not a table.",
                line=number,
                limit=limits.line_bytes,
            )
        )


def _preamble(head: Sequence[str]) -> tuple[int, str | None]:
    """How many lines stand before the header, and the delimiter that one of them names."""
    separator = None
    for number, line in enumerate(head):
        text = line.strip()
        if named := _SEPARATOR_LINE.fullmatch(line.lstrip("\ufeff")):
            separator = named[1]
        elif text.strip('\ufeff;,|\t" ') and not is_comment(text):
            return number, separator
    return len(head), separator


def _titles(lines: Sequence[str], schema: Schema) -> int:
    """How many lines of titles stand above the names."""
    most, above = 0, 0
    for delimiter in DELIMITERS:
        starts, records = _first_records(lines, delimiter)
        found = find_header(records, schema)
        share = matched_share(records[found], schema)
        if share > most:
            most, above = share, starts[found]
    return above


def _first_records(lines: Sequence[str], delimiter: str) -> tuple[list[int], list[list[str]]]:
    """The first records under a delimiter, and how many lines stand above each."""
    reader = csv.reader(iter(lines), delimiter=delimiter)
    starts, records = [0], [[lines[0]]]
    with suppress(csv.Error, StopIteration):
        records = [next(reader)]
        while len(records) < TITLE_LINES:
            start, record = reader.line_num, next(reader)
            starts.append(start)
            records.append([] if is_comment("".join(record[:1])) else record)
    return starts, records


def is_comment(text: str) -> bool:
    """Whether a line before the header is a remark."""
    return text.lstrip('\ufeff" ').startswith(("#", "//"))


def _records(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The first records under a delimiter, without blank ones."""
    reader = csv.reader(iter(lines), delimiter=delimiter)
    try:
        return [row for row in islice(reader, SAMPLE_RECORDS) if any(c.strip() for c in row)]
    except csv.Error:
        return [[lines[0]]]


def _first_record(lines: Sequence[str], delimiter: str) -> tuple[tuple[str, ...], int]:
    """The first record, and how many lines it takes."""
    reader = csv.reader(iter(lines), delimiter=delimiter)
    try:
        return tuple(next(reader)), reader.line_num
    except csv.Error:
        return (lines[0],), 1


def _fit(records: Sequence[Sequence[str]], schema: Schema) -> tuple[int, float]:
    """How well a delimiter explains the first lines."""
    header, rows = records[0], records[1:]
    alike = sum(len(row) == len(header) for row in rows) / max(len(rows), 1)
    return matched_share(header, schema), alike if len(header) > 1 else 0.0
