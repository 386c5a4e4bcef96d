"""A prediction as it is sent: JSON, CSV or Arrow, in blocks, so that nothing is held twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from loanapp.api.answering import Answering
from loanapp.core import transfer
from loanapp.core.answers import Prediction
from loanapp.core.data.report import Report

JSON, CSV, ARROW = "application/json", "text/csv", transfer.MEDIA_TYPE
OFFERED = (JSON, CSV, ARROW)
BLOCK_ROWS = 65_536
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
    yield from _records(prediction.rejected)
    yield b"]}"


def arrow_blocks(prediction: Prediction, answering: Answering) -> Iterator[bytes]:
    """Write a prediction as an Arrow stream."""
    return transfer.to_arrow(prediction, answering.translate)


def _numbers(values: Any) -> Iterator[bytes]:
    yield b"["
    for start in range(0, len(values), BLOCK_ROWS):
        block = orjson.dumps(values[start : start + BLOCK_ROWS], option=orjson.OPT_SERIALIZE_NUMPY)[
            1:-1
        ]
        yield b"," + block if start else block
    yield b"]"


def _records(table: pa.Table | None) -> Iterator[bytes]:
    first = True
    for batch in table.to_batches(BLOCK_ROWS) if table is not None else ():
        if batch.num_rows:
            block = orjson.dumps(batch.to_pylist(), default=str)[1:-1]
            yield block if first else b"," + block
            first = False


def _report_facts(report: Report, answering: Answering) -> dict[str, Any]:
    document = answering.document(Report, report)
    return {name: document[name] for name in REPORT_FACTS}
