"""A prediction as it is sent: JSON, CSV or Arrow, written in blocks.

Nothing is sent before the whole file was read, since a problem in its last row refuses it. Until
then JSON waits as arrays, the others as they are written, in a file of their own where they are
long.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from loanapp.api.answering import Answering
from loanapp.core import transfer
from loanapp.core.answers import Prediction
from loanapp.core.data import export
from loanapp.core.data.report import Problem, Report
from loanapp.core.data.validated import Rejected
from loanapp.core.errors import Message

JSON, CSV, ARROW = "application/json", "text/csv", transfer.MEDIA_TYPE
OFFERED = (JSON, CSV, ARROW)
BLOCK_ROWS, REFUSALS_AT_ONCE = 65_536, 1_000
HELD_BYTES, SENT_BYTES = 16 << 20, 1 << 18
REPORT_FACTS = ("repairs", "ignored_columns", "problem_count", "invalid_rows", "problems")


def negotiate(accept: str) -> str:
    """Choose the form of the answer; JSON where none that there is is asked for.

    Examples
    --------
    >>> negotiate("text/csv")
    'text/csv'
    >>> negotiate("text/html, */*;q=0.8")
    'application/json'
    """
    best, chosen = 0.0, JSON
    for part in accept.split(","):
        kind, _, parameters = part.partition(";")
        quality = _quality(parameters)
        if kind.strip().lower() in OFFERED and quality > best:
            best, chosen = quality, kind.strip().lower()
    return chosen


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def json_blocks(prediction: Prediction, answering: Answering, *, interval: bool) -> Iterator[bytes]:
    """Write a prediction as one JSON object; a NaN becomes null."""
    yield b'{"predictions":'
    yield from _numbers(prediction.amounts)
    for name in transfer.INTERVAL if interval else ():
        yield b',"%s":' % name.encode()
        yield from _numbers(getattr(prediction, name))
    facts = {"model_version": prediction.model_version, "n_rows": len(prediction.amounts)}
    yield b"," + orjson.dumps({**facts, **_report_facts(prediction.report, answering)})[1:-1]
    yield b',"rejected":['
    yield from _refusals(prediction.rejected, answering)
    yield b"]}"


def arrow_blocks(blocks: Iterable[Prediction], answering: Answering) -> Iterator[bytes]:
    """Write a prediction as an Arrow stream."""
    return transfer.to_arrow(blocks, answering.translate)


def csv_blocks(blocks: Iterable[Prediction], *, interval: bool, excel: bool) -> Iterator[bytes]:
    """Write a prediction as its file with the amounts added, safe for a spreadsheet."""
    tables = (transfer.with_amounts(block, interval=interval) for block in blocks)
    return export.csv_blocks(tables, excel=excel)


def held_back(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Take all blocks in before the first is given: in memory, or in a file where they are long."""
    with tempfile.SpooledTemporaryFile(HELD_BYTES) as spool:
        spool.writelines(blocks)
        spool.seek(0)
        yield b""
        while block := spool.read(SENT_BYTES):
            yield block


def _numbers(values: Any) -> Iterator[bytes]:
    yield b"["
    for start in range(0, len(values), BLOCK_ROWS):
        block = orjson.dumps(values[start : start + BLOCK_ROWS], option=orjson.OPT_SERIALIZE_NUMPY)[
            1:-1
        ]
        yield b"," + block if start else block
    yield b"]"


def _refusals(rejected: Rejected | None, answering: Answering) -> Iterator[bytes]:
    """Write the refused rows: where they stand, what they hold, what is wrong with them."""
    say = answering.translate or str
    for start in range(0, rejected.rows if rejected else 0, REFUSALS_AT_ONCE):
        assert rejected is not None  # noqa: S101 - it has rows
        cells = rejected.cells.slice(start, REFUSALS_AT_ONCE).to_pylist()
        block = [
            {
                "row": int(rejected.lines[start + i]),
                "position": int(rejected.positions[start + i]),
                "cells": client,
                "reason": " ".join(_reason(p, say) for p in rejected.reasons[start + i]),
            }
            for i, client in enumerate(cells)
        ]
        yield (b"," if start else b"") + orjson.dumps(block)[1:-1]


def _reason(problem: Problem, say: Callable[[Message], str]) -> str:
    return f"{problem.column}: {say(problem.problem)}" if problem.column else say(problem.problem)


def _report_facts(report: Report, answering: Answering) -> dict[str, Any]:
    document = answering.document(Report, report)
    return {name: document[name] for name in REPORT_FACTS}
