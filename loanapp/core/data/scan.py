"""What the bytes of a text file show, before it is parsed: whether anything in it is unusual."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from loanapp.core.data import arrays
from loanapp.core.data.limits import Limits
from loanapp.core.data.numerals import TWO_READINGS
from loanapp.core.data.source import Content
from loanapp.core.pipeline import in_order

SCAN, TAIL = 1 << 20, 1 << 14
DOUBTS = 1_000
_LF, _CR, _QUOTE, _BLANK, _TAB, _POINT, _ZERO, _NINE = b'\n\r" \t.09'


@dataclass(frozen=True, slots=True)
class Scan:
    """What the bytes of a file show.

    Parameters
    ----------
    lines
        How many lines there are; each is a row.
    doubtful
        Positions of the columns in which a number can be decimal or thousands, as 1.234.
    """

    lines: int
    doubtful: frozenset[int]


Bytes = npt.NDArray[np.uint8]


def scan(content: Content, start: int, delimiter: str, limits: Limits) -> Scan | None:
    """Look at every byte for what the careful lane would remark on.

    Parameters
    ----------
    content
        The file.
    start
        Where the first row begins, after the line break of the header.
    delimiter
        What stands between two cells.
    limits
        The longest line.

    Returns
    -------
    Scan or None
        None: something is unusual.
    """
    border = np.zeros(256, np.bool_)
    border[[_LF, _CR, _QUOTE, ord(delimiter)]] = True
    lines, doubtful = 0, set[int]()
    look = partial(_scan_block, border=border, delimiter=delimiter, limits=limits)
    for found in in_order(look, _framed_blocks(np.frombuffer(content.data, np.uint8), start)):
        content.forget()
        if found is None:
            return None
        lines, doubtful = lines + found.lines, doubtful | found.doubtful
    return Scan(lines, frozenset(doubtful))


def _framed_blocks(data: Bytes, start: int) -> Iterator[Bytes]:
    """Blocks of whole lines, each with the line break before it."""
    size = len(data)
    while start < size:
        stop = min(start + SCAN, size)
        tail = np.flatnonzero(data[max(stop - TAIL, start) : stop] == _LF)
        if stop == size and data[-1] != _LF:
            end = [_CR, _LF] if start > 1 and data[start - 2] == _CR else [_LF]
            yield np.concatenate([data[start - 1 :], np.array(end, np.uint8)])
            return
        if stop < size and len(tail):
            stop = max(stop - TAIL, start) + int(tail[-1]) + 1
        yield data[start - 1 : stop]
        start = stop


def _scan_block(framed: Bytes, border: arrays.Mask, delimiter: str, limits: Limits) -> Scan | None:
    if framed[0] != _LF or framed[-1] != _LF:
        return None
    ends = np.flatnonzero(framed == _LF)
    returns = np.flatnonzero(framed == _CR)
    lengths = np.diff(ends)
    if len(returns) not in (0, len(lengths)) or (framed[returns + 1] != _LF).any():
        return None
    if lengths.min() <= (2 if len(returns) else 1) or lengths.max() > limits.line_bytes:
        return None
    if not _tidy_quotes(framed, ends, border) or _loose_blanks(framed, border, delimiter):
        return None
    doubtful = _doubtful_columns(framed, ends, border, delimiter)
    return None if doubtful is None else Scan(len(lengths), doubtful)


def _tidy_quotes(framed: Bytes, ends: npt.NDArray[np.intp], border: arrays.Mask) -> bool:
    """Whether quotes stand only around whole cells of one line, and never within."""
    quotes = np.flatnonzero(framed == _QUOTE)
    if not len(quotes):
        return True
    opening, closing = framed[quotes[::2] - 1], framed[quotes[1::2] + 1]
    if len(quotes) % 2 or (opening == _QUOTE).any() or (closing == _QUOTE).any():
        return False
    within = np.searchsorted(quotes, ends) % 2
    return bool(border[opening].all() and border[closing].all() and not within.any())


def _loose_blanks(framed: Bytes, border: arrays.Mask, delimiter: str) -> bool:
    """Whether a blank or a tab stands at the edge of a cell."""
    blanks = np.flatnonzero(framed == _BLANK)
    if (border[framed[blanks - 1]] | border[framed[blanks + 1]]).any():
        return True
    return delimiter != "\t" and bool((framed == _TAB).any())


def _doubtful_columns(
    framed: Bytes,
    ends: npt.NDArray[np.intp],
    border: arrays.Mask,
    delimiter: str,
) -> frozenset[int] | None:
    """Columns with a number such as 1.234, which can be thousands; None: not to be told here."""
    points = np.flatnonzero(framed[:-4] == _POINT)
    for step in (2, 3, 1):
        digits = framed[points + step]
        points = points[(digits >= _ZERO) & (digits <= _NINE)]
    points = points[border[framed[points + 4]]]
    if len(points) > DOUBTS:
        return None
    columns = set[int]()
    for line in np.unique(np.searchsorted(ends, points)):
        text = framed[ends[line - 1] + 1 : ends[line]].tobytes().decode("utf-8", "replace")
        cells = next(csv.reader([text.rstrip("\r")], delimiter=delimiter))
        found = {i for i, cell in enumerate(cells) if TWO_READINGS.fullmatch(cell)}
        if any(cells[i].endswith("0") for i in found):
            return None
        columns |= found
    return frozenset(columns)
