"""How good predictions are, and the paired comparison of two models on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import AliasChoices, Field

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95
_BLOCK = 1 << 20


def _written_as(name: str, own: str) -> Any:
    """Name a measure as the field does where records are written by their aliases: over REST."""
    return Field(serialization_alias=name, validation_alias=AliasChoices(name, own))


@dataclass(frozen=True)
class Metrics:
    """Errors of predictions.

    Parameters
    ----------
    mae
        Mean absolute error, in the target's unit.
    mse
        Mean squared error, in the target's unit squared.
    r2
        Share of the variance that is explained; below 0 where the mean would be better. Where
        the actual amounts are all the same: 1 without an error, else 0.
    """

    mae: Annotated[float, _written_as("MAE", "mae")]
    mse: Annotated[float, _written_as("MSE", "mse")]
    r2: Annotated[float, _written_as("R2", "r2")]


@dataclass(frozen=True)
class GroupComparison:
    """The paired difference of two models in one group of rows.

    Parameters
    ----------
    column, value
        The group: rows with this value in this column; None: rows where it is missing.
    rows
        How many they are.
    difference, lower, upper
        Mean absolute error of the challenger less that of the champion, and its 95 % interval;
        in the target's unit. Negative: the challenger is better.
    """

    column: str
    value: str | None
    rows: int
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows.

    Parameters
    ----------
    champion, challenger
        Their errors.
    rows
        How many rows.
    difference, lower, upper
        Mean absolute error of the challenger less that of the champion, and its 95 % interval;
        in the target's unit. Negative: the challenger is better.
    groups
        The same for each group of rows.
    """

    champion: Metrics
    challenger: Metrics
    rows: int
    difference: float
    lower: float
    upper: float
    groups: tuple[GroupComparison, ...] = ()


def evaluate(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Metrics:
    """Compare predicted amounts with actual ones.

    Parameters
    ----------
    actual, predicted
        (n,) amounts, n at least 1.

    Examples
    --------
    >>> evaluate([1.0, 2.0, 3.0], [1.0, 2.0, 5.0])
    Metrics(mae=0.6666666666666666, mse=1.3333333333333333, r2=-1.0)
    """
    actual, predicted = _paired(actual, predicted)
    error = actual - predicted
    squared = float(np.mean(error**2))
    variance = float(np.var(actual))
    r2 = 1 - squared / variance if variance > 0 else float(squared == 0)
    return Metrics(float(np.mean(np.abs(error))), squared, r2)


def compare(
    actual: npt.ArrayLike,
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    *,
    groups: Mapping[str, npt.ArrayLike] | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare two models on rows that neither has seen, row by row.

    Parameters
    ----------
    actual, champion, challenger
        (n,) amounts: actual, and as each model predicts them.
    groups
        (n,) values of columns by which the rows are grouped, by name; missing ones are None or
        NaN.
    seed
        Of the bootstrap: the same rows and seed give the same interval.
    """
    worse_by = np.abs(np.subtract(challenger, actual)) - np.abs(np.subtract(champion, actual))
    rng = np.random.default_rng(seed)
    overall = _mean_and_interval(worse_by, rng)
    parts = tuple(
        GroupComparison(column, value, int(rows.sum()), *_mean_and_interval(worse_by[rows], rng))
        for column, values in (groups or {}).items()
        for value, rows in _split(values)
    )
    before, after = evaluate(actual, champion), evaluate(actual, challenger)
    return Comparison(before, after, len(worse_by), *overall, parts)


def _paired(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Floats, Floats]:
    actual, predicted = np.asarray(actual, float), np.asarray(predicted, float)
    if actual.ndim != 1 or actual.shape != predicted.shape or not len(actual):
        raise ValueError(f"Amounts must be pairs: {actual.shape} and {predicted.shape}.")
    return actual, predicted


def _split(values: npt.ArrayLike) -> list[tuple[str | None, npt.NDArray[np.bool_]]]:
    """Rows of each value, in the order of the values; the missing ones last."""
    texts = [None if v is None or v != v else str(v) for v in np.asarray(values, object).tolist()]
    column: npt.NDArray[Any] = np.array(texts, object)
    order = sorted(set(texts), key=lambda text: (text is None, text or ""))
    return [(value, np.array([text == value for text in column], bool)) for value in order]


def _mean_and_interval(values: Floats, rng: np.random.Generator) -> tuple[float, float, float]:
    """Mean with its bootstrap percentile interval (B. Efron, Annals of Statistics 7, 1979)."""
    n = len(values)
    block = max(1, _BLOCK // n)
    means = np.concatenate([
        values[rng.integers(n, size=(min(block, RESAMPLES - done), n))].mean(axis=1)
        for done in range(0, RESAMPLES, block)
    ])  # fmt: skip
    lower, upper = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(values.mean()), float(lower), float(upper)
