"""The censored (Tobit) neural regressor: fitted with Keras, predicts without it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from loanapp.core.model import committee
from loanapp.core.model.distribution import (
    Distribution,
    Floats,
    Transform,
    normal_cdf,
    normal_quantile,
)
from loanapp.core.model.forward import cut_in_pieces, forward, standardise
from loanapp.core.model.steps import find_steps
from loanapp.core.model.tobit import Cut, Sides, choose_transform, find_bounds, sides

MOST_STEPS = 100
MOST_TRANSFORM_ROWS = 3000


@dataclass(frozen=True, slots=True)
class Epoch:
    """Progress of a fit: epoch of at most `epochs`, mean losses of train and held-out rows."""

    epoch: int
    epochs: int
    loss: float
    val_loss: float


class TobitRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regressor for amounts that are cut off at a floor, a ceiling, both or neither.

    A committee of small networks, each beside a linear path, gives the location and the scale
    of the uncut amount; rows on a bound enter the likelihood by their probability of being at or
    beyond it. It predicts the median of the cut distribution, so never beyond a bound.

    Parameters
    ----------
    cut
        ``auto``: find the bounds in the training amounts. Or (floor, ceiling), each a number in
        the target's unit or None; None: no bounds.
    scale
        ``auto``: choose the scale on which the noise is closest to normal, on training rows.
        None: leave the amounts as they are.
    members
        Networks in the committee; an even number.
    width
        Units in each of a member's two hidden layers.
    epochs, patience
        At most so many epochs; stop after so many in which no member got better.
    batch_size
        Rows in a step; ``auto``: from 32 to 1024, by the number of rows.
    learning_rate, weight_decay
        Of AdamW.
    random_state
        Seed, generator or None. An integer makes fits repeatable bit for bit.

    Attributes
    ----------
    bounds_ : tuple of float
        Floor and ceiling; infinite where there is none.
    transform_ : Transform
        The scale on which the amounts are normal.
    arrays_ : dict of str to ndarray
        The network, as `loanapp.core.model.forward` describes it.
    history_ : dict of str to list of float
        ``loss`` and ``val_loss`` of every epoch.
    n_features_in_ : int
    feature_names_in_ : ndarray
        Where X had names.
    """

    def __init__(
        self,
        *,
        cut: Cut = "auto",
        scale: Literal["auto"] | None = "auto",
        members: int = 8,
        width: int = 16,
        epochs: int = 60,
        patience: int = 16,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float = 0.01,
        weight_decay: float = 0.01,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.cut = cut
        self.scale = scale
        self.members = members
        self.width = width
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        progress: Callable[[Epoch], None] | None = None,
    ) -> Self:
        """Fit the committee.

        Parameters
        ----------
        X
            (n, d) numbers; none missing.
        y
            (n,) amounts. With bounds given by `cut`, amounts beyond one count as standing on it.
        progress
            Called after each epoch. What it raises ends the fit and leaves it.

        Raises
        ------
        ValueError
            X or y is not numeric, not finite, or has fewer than two rows.
        """
        checked = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        rows, amounts = checked[0], np.asarray(checked[1], float)
        if self.members < 2 or self.members % 2:
            raise ValueError(f"members must be a positive even number, not {self.members}.")
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        # One thread: sums in another order would make another model of the same file and seed.
        with threadpool_limits(1, user_api="blas"):
            return self._fit(rows, amounts, rng, progress)

    def _fit(
        self, rows: Floats, amounts: Floats, rng: np.random.Generator,
        progress: Callable[[Epoch], None] | None,
    ) -> Self:  # fmt: skip
        self.bounds_ = find_bounds(amounts, self.cut)
        side = sides(amounts, *self.bounds_)
        amounts = np.clip(amounts, *self.bounds_)
        features = committee.describe_features(rows)
        z = standardise(features, rows)
        self.transform_ = self._choose_transform(z, amounts, side, rng)
        latent = self.transform_.forward(amounts)
        centre, unit = float(latent.mean()), float(latent.std()) or 1.0
        arrays = self._train(features, rows, z, (latent - centre) / unit, side, rng, progress)
        self.arrays_ = _rescale(arrays, centre, unit)
        return self

    def predict_distribution(self, X: npt.ArrayLike) -> Distribution:
        """Distribution of the amount of each row, in the target's unit."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return Distribution(*forward(self.arrays_, X), *self.bounds_, self.transform_)

    def predict(self, X: npt.ArrayLike) -> Floats:
        """(n,) medians of the cut distribution, in the target's unit."""
        return self.predict_distribution(X).median()

    def _choose_transform(
        self, z: Floats, y: Floats, side: Sides, rng: np.random.Generator
    ) -> Transform:
        if self.scale is None:
            return Transform()
        rows = rng.permutation(len(y))[:MOST_TRANSFORM_ROWS]
        return choose_transform(z[rows], y[rows], side[rows])

    def _train(
        self, features: dict[str, npt.NDArray[Any]], X: Floats, z: Floats, y: Floats, side: Sides,
        rng: np.random.Generator, progress: Callable[[Epoch], None] | None,
    ) -> dict[str, npt.NDArray[Any]]:  # fmt: skip
        from loanapp.core.model import network

        steps = find_steps(z, y, side, np.unique(features["axes"]), rng)
        features = committee.add_steps(features, steps)
        single = z.astype(np.float32)
        pieces = cut_in_pieces(features, single)
        train, judged = committee.deal(len(y), self.members, rng)
        first = committee.start(z, pieces.shape[1], len(steps), y, side, train, self.width, rng)
        self.history_: dict[str, list[float]] = {"loss": [], "val_loss": []}

        def report(epoch: int, loss: float, val_loss: float) -> None:
            self.history_["loss"].append(loss)
            self.history_["val_loss"].append(val_loss)
            if progress is not None:
                progress(Epoch(epoch, self.epochs, loss, val_loss))

        rows = network.Rows(single, pieces, y.astype(np.float32), side)
        weights = network.train(first, rows, self._plan(train, judged), rng, report)
        shares, residuals = committee.judge(features, weights, X, y, side, judged)
        arrays = committee.merge(features, weights, shares)
        widening = _widening(residuals, side[judged[: len(judged) // 2].ravel()], rng)
        arrays["intercept"] += [0, math.log(widening)]
        return arrays

    def _plan(self, train: committee.Rows, judged: committee.Rows) -> Any:
        from loanapp.core.model import network

        rows = train.shape[1]
        batch = self.batch_size
        if batch == "auto":
            batch = int(np.clip(2 ** round(math.log2(rows / 50)), 32, 1024))
        return network.Plan(
            train, judged, self.epochs, self.patience, batch,
            min(MOST_STEPS, math.ceil(rows / batch)), self.learning_rate, self.weight_decay,
        )  # fmt: skip


def _rescale(
    arrays: dict[str, npt.NDArray[Any]], centre: float, unit: float
) -> dict[str, npt.NDArray[Any]]:
    """From standardised amounts to the target's transformed unit."""
    factor, log_unit = np.array([unit, 1.0]), math.log(unit)
    return arrays | {
        "linear": arrays["linear"] * factor,
        "intercept": arrays["intercept"] * factor + [centre, log_unit],
        "weight_out": (arrays["weight_out"] * factor).astype(np.float32),
        "log_spread": arrays["log_spread"] + log_unit,
    }


def _widening(residuals: Floats, side: Sides, rng: np.random.Generator) -> float:
    """Factor on the spread with which 90 % of unseen rows fall in their 90 % interval.

    A row on a bound counts as two: for a quarter as an amount drawn from beyond the bound, which
    judges the spread; for the rest as what it is, inside if the interval reaches the bound.
    """
    sign = np.where(side > 0, -1.0, 1.0)
    drawn = normal_quantile(normal_cdf(sign * residuals) * rng.uniform(size=len(residuals)))
    beyond = np.where(side == 0, np.abs(residuals), np.minimum(np.abs(drawn), 9))
    shown = np.where(side == 0, np.abs(residuals), np.maximum(-sign * residuals, 0))
    widening = np.quantile(np.concatenate([beyond, *[shown] * 3]), 0.9) / normal_quantile(0.95)
    return float(np.clip(widening, 0.5, 2.0))
