"""The model in memory: loads what the pointer names, scores tables, follows the champion."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loanapp.core.answers import Prediction
from loanapp.core.data.arrays import from_integers
from loanapp.core.data.report import Report
from loanapp.core.data.table import Rejected, Table
from loanapp.core.errors import InvalidBundle, Message, NoModel, message
from loanapp.core.home import Home
from loanapp.core.model.bundle import Bundle
from loanapp.core.model.distribution import Floats
from loanapp.core.model.evaluation import LOWER, UPPER
from loanapp.core.store.pointer import ModelUri, Pointer

RETRY_S = 5.0

logger = logging.getLogger(__name__)

NOT_ASKED: Floats = np.empty(0)


@dataclass(frozen=True, slots=True)
class Served:
    """A model in memory and what it is called: they are swapped together."""

    uri: ModelUri
    bundle: Bundle

    @property
    def version(self) -> str:
        """The registered version."""
        return self.uri.version


class Predictor:
    """Holds the model that serves, and swaps it when the pointer moves.

    Whatever goes wrong with a new model, the old one goes on serving, `error` says why, and the
    new one is tried again: what was broken may have been mended.

    Parameters
    ----------
    home
        The installation.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._pointer = Pointer(home.pointer)
        self._stamp: tuple[int, int, int] | None = None
        self._retry_at = math.inf
        self._served: Served | None = None
        self._swap = Lock()
        self.error: Message | None = None
        self.failures = 0

    def current(self) -> Served:
        """Give the model that serves, looking at the pointer first.

        Raises
        ------
        NoModel
            Nothing serves yet.
        """
        served = self.peek()
        if served is None:
            raise NoModel(
                self.error or message("There is no model yet: train one on a file first.")
            )
        return served

    def peek(self) -> Served | None:
        """Give the model that serves, or None."""
        stamp = self._pointer.stamp()
        if self._is_due(stamp) and self._swap.acquire(blocking=self._served is None):
            try:
                if self._is_due(stamp):
                    self._load()
                    self._stamp = stamp
            finally:
                self._swap.release()
        return self._served

    @property
    def settled(self) -> bool:
        """Whether what serves is what the pointer names."""
        return not self._is_due(self._pointer.stamp())

    def _is_due(self, stamp: tuple[int, int, int] | None) -> bool:
        return stamp != self._stamp or time.monotonic() >= self._retry_at

    def _load(self) -> None:
        """Load beside the old model what the pointer names, check it, and swap."""
        self._retry_at = math.inf
        uri = self._pointer.read()
        if uri is None:
            if self._served:
                file = self._home.pointer.name
                self._fail(message("The pointer {file} names no version.", file=file))
            return
        if self._served and self._served.uri == uri:
            self.error = None
            return
        try:
            self._served = Served(uri, Bundle.load(self._home.bundle(uri.version)))
        except InvalidBundle as error:
            self._fail(error.message)
            return
        self.error = None
        logger.info("model loaded", extra={"version": uri.version})

    def _fail(self, why: Message) -> None:
        self._retry_at = time.monotonic() + RETRY_S
        if why == self.error:
            return
        self.failures += 1
        self.error = why
        logger.error("model not loaded, the old one serves", extra={"why": str(why)})


def predict(served: Served, table: Table, *, interval: bool = True) -> Prediction:
    """Score a table, or a block of one.

    Parameters
    ----------
    served
        The model.
    table
        The clients.
    interval
        Whether to give the bounds of the interval and the expected amounts, too.

    Returns
    -------
    Prediction
        Its arrays have one entry a data row of the file, NaN where the row was refused.
    """
    distribution = served.bundle.score(table.data)
    rows = max(table.report.rows, table.rows)
    place = None if table.rows == rows else table.positions - table.first

    def spread(values: Floats) -> Floats:
        if place is None:
            return values
        whole = np.full(rows, np.nan)
        whole[place] = values
        return whole

    return Prediction(
        amounts=spread(distribution.median()),
        lower=spread(distribution.quantile(LOWER)) if interval else NOT_ASKED,
        upper=spread(distribution.quantile(UPPER)) if interval else NOT_ASKED,
        expected=spread(distribution.mean()) if interval else NOT_ASKED,
        model_version=served.version,
        clients=_clients(table, rows, place),
        report=table.report,
        rejected=table.rejected if table.rejected.rows else None,
        share=table.share,
    )


class Passing:
    """The blocks of a prediction as they pass, and what is known of the file at the end.

    Parameters
    ----------
    blocks
        The blocks.
    progress
        Told after each block how much of the file is done, 0 to 1.

    Attributes
    ----------
    rows
        Data rows that have passed.
    version
        The version that made them.
    report
        What the reader said of the file.
    rejected
        Its refused rows.
    """

    def __init__(
        self, blocks: Iterable[Prediction], progress: Callable[[float], None] = lambda _: None
    ) -> None:
        self._blocks, self._progress = blocks, progress
        self.rows, self.version = 0, ""
        self.report = Report()
        self.rejected: Rejected | None = None

    def __iter__(self) -> Iterator[Prediction]:
        for block in self._blocks:
            self.rows += len(block.amounts)
            self.version, self.rejected = block.model_version, block.rejected
            self.report = replace(block.report, rows=self.rows)
            yield block
            self._progress(block.share)


def together(blocks: Iterable[Prediction], *, clients: bool = True) -> Prediction:
    """Put the blocks of a file together.

    Parameters
    ----------
    blocks
        At least one; they are taken as they come.
    clients
        Whether to keep the file's columns, which need most of the memory.
    """
    kept = [b if clients else replace(b, clients=_no_rows(b.clients)) for b in blocks]
    amounts, lower, upper, expected = (
        np.concatenate([getattr(block, name) for block in kept])
        for name in ("amounts", "lower", "upper", "expected")
    )
    last = kept[-1]
    return replace(
        last,
        amounts=amounts,
        lower=lower,
        upper=upper,
        expected=expected,
        clients=pa.concat_tables([block.clients for block in kept]),
        report=replace(last.report, rows=len(amounts)),
    )


def _clients(table: Table, rows: int, place: npt.NDArray[np.int64] | None) -> pa.Table:
    """Put a table's columns together in the file's order; a refused row is empty."""
    whole = table.in_file_order()
    if place is None:
        return whole
    where = np.full(rows, -1)
    where[place] = np.arange(table.rows)
    return whole.take(from_integers(where, where < 0))


def _no_rows(table: pa.Table) -> pa.Table:
    """Keep a table's columns alone; `Schema.empty_table` would import pandas, which takes 2 s."""
    return pa.Table.from_batches([], schema=table.schema)
