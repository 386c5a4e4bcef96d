"""A prediction as one table, and as an Arrow stream that its receiver reads back.

The stream holds the file's own columns and, after them, those of ``PREDICTION_COLUMNS``. Its last
batch has no rows: its metadata hold what is known once every row was read, the model's version,
the reader's report as JSON and, where rows were refused, these rows as a stream of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from loanapp.core.answers import PREDICTION_COLUMNS, Prediction
from loanapp.core.data.arrays import from_floats, to_numbers
from loanapp.core.data.report import Problem, Report
from loanapp.core.data.validated import Rejected
from loanapp.core.errors import Message

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
VERSION, REPORT, REJECTED = b"loanapp.model_version", b"loanapp.report", b"loanapp.rejected"
REASONS, PLACES = b"loanapp.reasons", b"loanapp.places"
INTERVAL = ("lower", "upper", "expected")

_report = TypeAdapter(Report)
_reasons = TypeAdapter(tuple[tuple[Problem, ...], ...])


def with_amounts(prediction: Prediction, *, interval: bool = False) -> pa.Table:
    """Give the file's own columns and the amounts after them.

    Parameters
    ----------
    prediction
        A NaN amount becomes a null.
    interval
        Whether to add the bounds of the 90 % interval and the expected amount.

    Returns
    -------
    pyarrow.Table
        One row a data row of the file; the added columns are named by ``PREDICTION_COLUMNS``
        and take the place of columns of these names in the file.
    """
    names = prediction.clients.column_names
    ours = set(PREDICTION_COLUMNS.values())
    kept = prediction.clients.select([i for i, name in enumerate(names) if name not in ours])
    return _with(kept, prediction, ("amounts", *(INTERVAL if interval else ())))


def _with(table: pa.Table, prediction: Prediction, attributes: tuple[str, ...]) -> pa.Table:
    for attribute in attributes:
        values = from_floats(getattr(prediction, attribute))
        table = table.append_column(PREDICTION_COLUMNS[attribute], values)
    return table


def to_arrow(
    blocks: Iterable[Prediction], translate: Callable[[Message], str] | None = None
) -> Iterator[bytes]:
    """Write the blocks of a prediction as an Arrow stream.

    Parameters
    ----------
    blocks
        What to write, at least one; a NaN amount becomes a null.
    translate
        Writes the report's texts; None: so that they can be translated later.
    """
    sink, rows = _Sink(), 0
    with contextlib.ExitStack() as stack:
        writer = None
        for block in blocks:
            table = _with(block.clients, block, ("amounts", *INTERVAL))
            if writer is None:
                stream = pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema)
                writer = stack.enter_context(stream)
            *_, last = table.combine_chunks().to_batches()
            writer.write_batch(last)
            rows += len(block.amounts)
            yield sink.take()
        if writer is not None:
            whole = replace(block, report=replace(block.report, rows=rows))
            writer.write_batch(last.slice(0, 0), _told(whole, {"translate": translate}))
    yield sink.take()


def _told(prediction: Prediction, context: dict[str, Any]) -> dict[bytes, bytes]:
    report = _report.dump_json(prediction.report, context=context)
    metadata = {VERSION: prediction.model_version.encode(), REPORT: report}
    if prediction.rejected is not None:
        metadata[REJECTED] = _write_rejected(prediction.rejected, context)
    return metadata


def from_arrow(source: pa.NativeFile | bytes) -> Prediction:
    """Read what `to_arrow` has written.

    Raises
    ------
    ValueError
        It is not such a stream.
    """
    batches: list[pa.RecordBatch] = []
    metadata: Mapping[bytes, bytes] = {}
    with pa.ipc.open_stream(source) as reader:
        for batch, told in reader.iter_batches_with_custom_metadata():
            batches.append(batch)
            metadata = told or {}
    if VERSION not in metadata or REPORT not in metadata:
        raise ValueError("the stream does not hold a prediction")
    table = pa.Table.from_batches(batches)
    n_clients = table.num_columns - len(PREDICTION_COLUMNS)
    amounts, lower, upper, expected = map(to_numbers, table.columns[n_clients:])
    return Prediction(
        amounts=amounts,
        lower=lower,
        upper=upper,
        expected=expected,
        model_version=metadata[VERSION].decode(),
        clients=table.select(range(n_clients)),
        report=_report.validate_json(metadata[REPORT]),
        rejected=_read_rejected(metadata[REJECTED]) if REJECTED in metadata else None,
    )


def _write_rejected(rejected: Rejected, context: dict[str, Any]) -> bytes:
    reasons = _reasons.dump_json(rejected.reasons, context=context)
    places = np.stack([rejected.positions, rejected.lines]).astype("<i8")
    cells = rejected.cells.replace_schema_metadata({REASONS: reasons, PLACES: places.tobytes()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, cells.schema) as writer:
        writer.write_table(cells)
    return bytes(sink.getvalue().to_pybytes())


def _read_rejected(source: bytes) -> Rejected:
    with pa.ipc.open_stream(source) as reader:
        cells = reader.read_all()
    positions, lines = np.frombuffer(cells.schema.metadata[PLACES], "<i8").reshape(2, -1)
    reasons = _reasons.validate_json(cells.schema.metadata[REASONS])
    return Rejected(positions, lines, cells.replace_schema_metadata(None), reasons)


class _Sink:
    """Collects what Arrow writes until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep a part."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def take(self) -> bytes:
        """Give what has come since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
