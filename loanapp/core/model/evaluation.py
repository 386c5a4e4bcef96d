"""What was learned, in numbers that pictures are drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loanapp.core.model.distribution import Distribution
from loanapp.core.model.metrics import Metrics, evaluate

POINTS_KEPT = 2_000
COVERAGE = 0.90
LOWER, UPPER = (1 - COVERAGE) / 2, (1 + COVERAGE) / 2


@dataclass(frozen=True)
class Evaluation:
    """What was learned. Amounts are in the target's unit; no row is identified.

    Parameters
    ----------
    metrics
        Of the held-out rows.
    baseline
        Of predicting the training rows' mean for every held-out row.
    epochs, losses, val_losses
        The training curve: numbers of the epochs, mean losses on training and validation rows.
    actual, predicted
        Held-out rows, evenly thinned to at most 2,000.
    floor, ceiling
        Where the amounts are cut off; None: nowhere.
    coverage
        Share of the held-out rows inside the 90 % interval.
    median_error
        Half of the held-out predictions are within this of the amount.
    holdout_rows
        How many rows were held out.
    """

    metrics: Metrics
    baseline: Metrics
    epochs: tuple[int, ...]
    losses: tuple[float, ...]
    val_losses: tuple[float, ...]
    actual: tuple[float, ...]
    predicted: tuple[float, ...]
    floor: float | None
    ceiling: float | None
    coverage: float
    median_error: float
    holdout_rows: int


def evaluate_model(
    distribution: Distribution,
    actual: npt.NDArray[np.float64],
    training_mean: float,
    losses: Sequence[float],
    val_losses: Sequence[float],
) -> Evaluation:
    """Compare predicted distributions with the amounts of held-out rows.

    Parameters
    ----------
    distribution
        Of the held-out rows, shape (n,).
    actual
        Their amounts, shape (n,), in the target's unit.
    training_mean
        Mean amount of the training rows.
    losses, val_losses
        Of each epoch of the fit.
    """
    predicted = distribution.median()
    inside = (distribution.quantile(LOWER) <= actual) & (actual <= distribution.quantile(UPPER))
    kept = np.unique(np.linspace(0, len(actual) - 1, min(len(actual), POINTS_KEPT)).astype(int))
    return Evaluation(
        metrics=evaluate(actual, predicted),
        baseline=evaluate(actual, np.full_like(actual, training_mean)),
        epochs=tuple(range(1, len(losses) + 1)),
        losses=tuple(map(float, losses)),
        val_losses=tuple(map(float, val_losses)),
        actual=tuple(actual[kept].tolist()),
        predicted=tuple(predicted[kept].tolist()),
        floor=distribution.floor if math.isfinite(distribution.floor) else None,
        ceiling=distribution.ceiling if math.isfinite(distribution.ceiling) else None,
        coverage=float(inside.mean()),
        median_error=float(np.median(np.abs(actual - predicted))),
        holdout_rows=len(actual),
    )
