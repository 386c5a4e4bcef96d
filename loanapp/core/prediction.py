"""The model in memory: loads what the pointer names, scores tables, follows the champion."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from loanapp.core.answers import Prediction
from loanapp.core.data.arrays import from_integers
from loanapp.core.data.table import Table
from loanapp.core.errors import InvalidBundle, Message, NoModel, message
from loanapp.core.home import Home
from loanapp.core.model.bundle import Bundle
from loanapp.core.model.evaluation import LOWER, UPPER
from loanapp.core.store.pointer import ModelUri, Pointer

RETRY_S = 5.0

logger = logging.getLogger(__name__)


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


def predict(served: Served, table: Table) -> Prediction:
    """Score a table.

    Returns
    -------
    Prediction
        Its arrays have one entry a data row of the file, NaN where the row was refused.
    """
    distribution = served.bundle.score(table.data)
    rows = max(table.report.rows, table.rows)
    place = None if table.rows == rows else table.positions

    def spread(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if place is None:
            return values
        whole = np.full(rows, np.nan)
        whole[place] = values
        return whole

    return Prediction(
        amounts=spread(distribution.median()),
        lower=spread(distribution.quantile(LOWER)),
        upper=spread(distribution.quantile(UPPER)),
        expected=spread(distribution.mean()),
        model_version=served.version,
        clients=clients_of(table, rows),
        report=table.report,
        rejected=table.rejected if table.rejected.rows else None,
    )


def clients_of(table: Table, rows: int) -> pa.Table:
    """Put a table's columns together in the file's order; a refused row is empty."""
    together = table.in_file_order()
    if table.rows == rows:
        return together
    where = np.full(rows, -1)
    where[table.positions] = np.arange(table.rows)
    return together.take(from_integers(where, where < 0))
