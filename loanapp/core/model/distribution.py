"""What is predicted: a normal amount on a transformed scale, cut off at a floor and a ceiling.

NumPy only: the serving process uses this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEP = 1 / 64
GRID = np.arange(-9, 9 + STEP, STEP)
CDF = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in GRID])
SLOPE = np.exp(-0.5 * GRID**2) * (STEP / math.sqrt(2 * math.pi))
NODES, WIDEST = 32, 8.0


def normal_density(z: npt.ArrayLike) -> Floats:
    """Density of the standard normal."""
    return np.asarray(np.exp(-0.5 * np.square(np.asarray(z, float))) / math.sqrt(2 * math.pi))


def normal_cdf(z: npt.ArrayLike) -> Floats:
    """Distribution function of the standard normal; absolute error below 1e-9.

    NumPy has no vectorised error function: this is cubic Hermite interpolation of `math.erfc`.
    """
    z = np.clip(np.asarray(z, float), GRID[0], GRID[-1])
    i = np.minimum(((z - GRID[0]) / STEP).astype(np.intp), len(GRID) - 2)
    t = (z - GRID[i]) / STEP
    rise = t * t * (3 - 2 * t)
    bend = t * (1 - t) * ((1 - t) * SLOPE[i] - t * SLOPE[i + 1])
    return np.asarray(CDF[i] + rise * (CDF[i + 1] - CDF[i]) + bend)


def normal_quantile(q: npt.ArrayLike) -> Floats:
    """Quantiles of the standard normal; ``-inf`` at 0 and ``inf`` at 1."""
    q = np.asarray(q, float)
    if not np.all((q >= 0) & (q <= 1)):
        raise ValueError("A quantile's level must be between 0 and 1.")
    exact = NormalDist().inv_cdf
    flat = [-math.inf if p == 0 else math.inf if p == 1 else exact(p) for p in q.ravel().tolist()]
    return np.reshape(np.array(flat, float), q.shape)


@dataclass(frozen=True)
class Transform:
    """A shifted logarithm, ``direction * bend * log(1 + direction * (y - origin) / bend)``.

    Parameters
    ----------
    origin
        Where its slope is 1, in the target's unit.
    bend
        Distance from the origin over which it bends, in the target's unit; infinite: it is the
        identity.
    direction
        1 draws a long upper tail in, -1 a long lower one.
    """

    origin: float = 0.0
    bend: float = math.inf
    direction: int = 1

    @property
    def is_identity(self) -> bool:
        """Whether amounts are left as they are."""
        return math.isinf(self.bend)

    def forward(self, y: npt.ArrayLike) -> Floats:
        """Transform amounts; those beyond the range of the inverse are ``-direction * inf``."""
        y = np.asarray(y, float)
        if self.is_identity:
            return y
        ratio = np.maximum(self.direction * (y - self.origin) / self.bend, -1)
        with np.errstate(divide="ignore"):
            return np.asarray(self.direction * self.bend * np.log1p(ratio))

    def inverse(self, z: npt.ArrayLike) -> Floats:
        """Amounts whose transform is `z`."""
        z = np.asarray(z, float)
        if self.is_identity:
            return z
        with np.errstate(over="ignore"):
            grown = np.expm1(self.direction * z / self.bend)
        return np.asarray(self.origin + self.direction * self.bend * grown)

    def slope(self, z: npt.ArrayLike) -> Floats:
        """Slope of the inverse at `z`."""
        z = np.asarray(z, float)
        if self.is_identity:
            return np.ones_like(z)
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.direction * z / self.bend))


@dataclass(frozen=True, eq=False)
class Distribution:
    """Distribution of the amounts of n rows: a transformed normal one, cut off at the bounds.

    Parameters
    ----------
    centre, spread
        (n,) mean and standard deviation of the uncut amount's transform. Where the transform is
        the identity these are `location` and `scale`.
    floor, ceiling
        The bounds, in the target's unit; infinite where there is none.
    transform
        From an amount to the scale on which it is normal.
    """

    centre: Floats
    spread: Floats
    floor: float = -math.inf
    ceiling: float = math.inf
    transform: Transform = Transform()

    @property
    def location(self) -> Floats:
        """(n,) median of the uncut amount, in the target's unit."""
        return self.transform.inverse(self.centre)

    @property
    def scale(self) -> Floats:
        """(n,) standard deviation of the uncut amount, in the target's unit.

        First order where there is a transform.
        """
        return self.spread * self.transform.slope(self.centre)

    def median(self) -> Floats:
        """(n,) medians of the cut distribution, in the target's unit."""
        return self._cut(self.location)

    def quantile(self, q: npt.ArrayLike) -> Floats:
        """Quantiles of the cut distribution, in the target's unit.

        Parameters
        ----------
        q
            A level between 0 and 1, or (m,) of them.

        Returns
        -------
        ndarray
            (n,), or (n, m) for m levels.
        """
        z = normal_quantile(q)
        if z.ndim == 0:
            return self._cut(self.transform.inverse(self.centre + self.spread * z))
        return self._cut(self.transform.inverse(self.centre[:, None] + self.spread[:, None] * z))

    def mean(self) -> Floats:
        """(n,) expected amounts of the cut distribution, in the target's unit.

        They add up to a portfolio's total; medians do not.
        """
        low, high = self._standardised_bounds()
        if self.transform.is_identity:
            return self._cut(self.centre + self.spread * (_excess(low) - _excess(-high)))
        return self._cut(self._mean_by_quadrature(low, high))

    def _cut(self, amounts: Floats) -> Floats:
        return np.clip(amounts, self.floor, self.ceiling)

    def _standardised_bounds(self) -> tuple[Floats, Floats]:
        low, high = self.transform.forward([self.floor, self.ceiling])
        return (low - self.centre) / self.spread, (high - self.centre) / self.spread

    def _mean_by_quadrature(self, low: Floats, high: Floats) -> Floats:
        start, stop = np.clip(low, -WIDEST, WIDEST), np.clip(high, -WIDEST, WIDEST)
        x, weight = np.polynomial.legendre.leggauss(NODES)
        z = (start + stop)[:, None] / 2 + (stop - start)[:, None] / 2 * x
        inner = self._cut(self.transform.inverse(self.centre[:, None] + self.spread[:, None] * z))
        mean = (stop - start) / 2 * ((inner * normal_density(z)) @ weight)
        for bound, share in ((self.floor, normal_cdf(start)), (self.ceiling, normal_cdf(-stop))):
            if math.isfinite(bound):
                mean += bound * share
        return np.asarray(mean)


def _excess(z: Floats) -> Floats:
    """Expected excess of `z` over a standard normal variable; 0 at ``-inf``."""
    finite = np.maximum(z, -40)
    return np.asarray(np.maximum(finite * normal_cdf(finite) + normal_density(finite), 0))
