"""The linear Tobit model: where amounts are cut off, on which scale they are normal, and the fit.

Censored normal regression after J. Tobin, Econometrica 26 (1958), fitted by the
expectation-maximisation of T. Amemiya, Journal of Econometrics 24 (1984).
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from loanapp.core.model.distribution import Floats, Transform

Cut = Literal["auto"] | tuple[float | None, float | None] | None
Sides = npt.NDArray[np.int8]

LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)

_FEWEST = 5
_SMALLEST_SHARE = 0.005
_TIMES_OTHERS = 5.0
_BENDS = (4.0, 1.0, 0.3, 0.1, 0.03)
_GAIN_OF_A_TRANSFORM = 0.01


class Line(NamedTuple):
    """A fitted linear Tobit model: (d,) coefficients, intercept, residual standard deviation."""

    coefficients: Floats
    intercept: float
    spread: float


def find_bounds(y: Floats, cut: Cut) -> tuple[float, float]:
    """Find the floor and the ceiling at which amounts are cut off; infinite where there is none.

    Parameters
    ----------
    y
        (n,) amounts.
    cut
        ``auto``: an extreme is a bound if at least 5 rows, 0.5 % of the rows and five times as
        many as on a usual value stand exactly on it. Otherwise (floor, ceiling), or None.
    """
    if cut is None:
        return -math.inf, math.inf
    if cut != "auto":
        floor, ceiling = cut
        return -math.inf if floor is None else floor, math.inf if ceiling is None else ceiling
    values, counts = np.unique(y, return_counts=True)
    if len(values) < 4:
        return -math.inf, math.inf
    needed = max(_FEWEST, _SMALLEST_SHARE * len(y), _TIMES_OTHERS * counts[1:-1].mean())
    floor = values[0] if counts[0] >= needed else -math.inf
    return float(floor), float(values[-1] if counts[-1] >= needed else math.inf)


def sides(y: Floats, floor: float, ceiling: float) -> Sides:
    """Tell for each amount whether it is at or below the floor (-1), within (0) or beyond (1)."""
    return np.subtract(y >= ceiling, y <= floor, dtype=np.int8)


def log_likelihood(z: Floats, side: Sides) -> Floats:
    """Log-density of standardised residuals within the bounds, log-probability on them."""
    inside = -0.5 * z * z - LOG_ROOT_2PI
    return np.where(side == 0, inside, log_ndtr(np.where(side > 0, -z, z)))


def fit_line(
    X: npt.NDArray[Any], y: Floats, side: Sides, *, penalty: float = 1.0, iterations: int = 60
) -> Line:
    """Fit the linear Tobit model by maximum likelihood, with a ridge penalty.

    Parameters
    ----------
    X
        (n, d) standardised features.
    y, side
        (n,) amounts and on which bound they stand.
    penalty
        Ridge penalty on the coefficients, in residual variances.
    iterations
        At most so many steps of expectation-maximisation; one is exact where nothing is cut.
    """
    design = np.column_stack([X, np.ones(len(y))]).astype(float)
    ridge = np.diag([penalty] * X.shape[1] + [1e-9])
    project = np.linalg.solve(design.T @ design + ridge, design.T)
    beta = project @ y
    fitted, smallest = design @ beta, 1e-6 * (1 + float(np.abs(y).max()))
    spread = max(float(np.std(y - fitted)), smallest)
    for _ in range(iterations if side.any() else 0):
        latent, excess = _expect(fitted, spread, y, side)
        previous, beta = beta, project @ latent
        fitted = design @ beta
        spread = max(math.sqrt(np.mean((latent - fitted) ** 2 + excess)), smallest)
        if np.abs(beta - previous).max() < 1e-6 * spread:
            break
    return Line(beta[:-1], float(beta[-1]), spread)


def _expect(fitted: Floats, spread: float, y: Floats, side: Sides) -> tuple[Floats, Floats]:
    """Mean and variance of the uncut amounts, given where the cut ones stand."""
    sign = np.where(side > 0, -1.0, 1.0)
    z = sign * (y - fitted) / spread
    hazard = np.exp(-0.5 * z * z - LOG_ROOT_2PI - log_ndtr(z))
    latent = np.where(side == 0, y, fitted - sign * spread * hazard)
    variance = np.clip(1 - z * hazard - hazard * hazard, 0, 1)
    return latent, np.where(side == 0, 0.0, spread * spread * variance)


def choose_transform(X: Floats, y: Floats, side: Sides) -> Transform:
    """Choose the scale on which the amounts are closest to a linear model with normal noise.

    G. Box and D. Cox, JRSS B 26 (1964): the profile likelihood, Jacobian included. The identity
    stays unless another scale gains 0.01 a row.
    """
    candidates = [Transform(), *_candidates(y, side)]
    gains = [_profile(X, y, side, t) - _GAIN_OF_A_TRANSFORM * (not t.is_identity)
             for t in candidates]  # fmt: skip
    return candidates[int(np.argmax(gains))]


def _candidates(y: Floats, side: Sides) -> list[Transform]:
    inside = y[side == 0] if (side == 0).any() else y
    return [
        Transform(float(origin), bend * reach, direction)
        for direction, origin in ((1, y.min()), (-1, y.max()))
        if (reach := float(np.median(np.abs(inside - origin)))) > 0
        for bend in _BENDS
    ]


def _profile(X: Floats, y: Floats, side: Sides, transform: Transform) -> float:
    z = transform.forward(y)
    unit = float(np.std(z)) or 1.0
    line = fit_line(X, z / unit, side, iterations=20)
    residual = (z / unit - X @ line.coefficients - line.intercept) / line.spread
    jacobian = np.log(line.spread * unit) + np.log(transform.slope(z))
    return float(np.mean(log_likelihood(residual, side) - np.where(side == 0, jacobian, 0.0)))
