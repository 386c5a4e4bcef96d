"""A prediction as one table, and as an Arrow stream that its receiver reads back.

The stream holds the file's own columns and, after them, those of ``PREDICTION_COLUMNS``. The
schema's metadata hold the model's version, the reader's report as JSON and, where rows were
refused, these rows as a stream of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
BLOCK_ROWS = 65_536

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
    prediction: Prediction, translate: Callable[[Message], str] | None = None
) -> Iterator[bytes]:
    """Write a prediction as an Arrow stream, in blocks of 65,536 rows.

    Parameters
    ----------
    prediction
        What to write; a NaN amount becomes a null.
    translate
        Writes the report's texts; None: so that they can be translated later.
    """
    table = _with(prediction.clients, prediction, ("amounts", *INTERVAL))
    context = {"translate": translate}
    report = _report.dump_json(prediction.report, context=context)
    metadata = {VERSION: prediction.model_version.encode(), REPORT: report}
    if prediction.rejected is not None:
        metadata[REJECTED] = _write_rejected(prediction.rejected, context)
    return _stream(table.replace_schema_metadata(metadata))


def from_arrow(source: pa.NativeFile | bytes) -> Prediction:
    """Read what `to_arrow` has written.

    Raises
    ------
    ValueError
        It is not such a stream.
    """
    table = _read(source)
    metadata = table.schema.metadata or {}
    if VERSION not in metadata or REPORT not in metadata:
        raise ValueError("the stream does not hold a prediction")
    n_clients = table.num_columns - len(PREDICTION_COLUMNS)
    amounts = {
        attribute: to_numbers(table.column(n_clients + i))
        for i, attribute in enumerate(("amounts", *INTERVAL))
    }
    rejected = metadata.get(REJECTED)
    return Prediction(
        **amounts,
        model_version=metadata[VERSION].decode(),
        clients=table.select(range(n_clients)).replace_schema_metadata(None),
        report=_report.validate_json(metadata[REPORT]),
        rejected=None if rejected is None else _read_rejected(rejected),
    )


def _write_rejected(rejected: Rejected, context: dict[str, Any]) -> bytes:
    reasons = _reasons.dump_json(rejected.reasons, context=context)
    places = np.stack([rejected.positions, rejected.lines]).astype("<i8")
    metadata = {REASONS: reasons, PLACES: places.tobytes()}
    return b"".join(_stream(rejected.cells.replace_schema_metadata(metadata)))


def _read_rejected(source: bytes) -> Rejected:
    cells = _read(source)
    positions, lines = np.frombuffer(cells.schema.metadata[PLACES], "<i8").reshape(2, -1)
    reasons = _reasons.validate_json(cells.schema.metadata[REASONS])
    return Rejected(positions, lines, cells.replace_schema_metadata(None), reasons)


def _read(source: pa.NativeFile | bytes) -> pa.Table:
    with pa.ipc.open_stream(source) as reader:
        return reader.read_all()


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


def _stream(table: pa.Table) -> Iterator[bytes]:
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), table.schema) as writer:
        for batch in table.to_batches(BLOCK_ROWS):
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()
