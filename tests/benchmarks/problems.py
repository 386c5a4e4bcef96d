"""Regressions of different kinds, generated or bundled with scikit-learn."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn import datasets

Problem = tuple[pd.DataFrame, np.ndarray]


def _frame(X: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])


def friedman_1() -> Problem:
    X, y = datasets.make_friedman1(1000, noise=1.0, random_state=0)
    return _frame(X), y


def friedman_2() -> Problem:
    X, y = datasets.make_friedman2(2000, noise=100.0, random_state=0)
    return _frame(X), y


def friedman_3() -> Problem:
    X, y = datasets.make_friedman3(2000, noise=0.1, random_state=0)
    return _frame(X), y


def missing_values() -> Problem:
    X, y = datasets.make_friedman1(3000, noise=1.0, random_state=1)
    X[np.random.default_rng(7).random(X.shape) < 0.15] = np.nan
    return _frame(X), y


def diabetes() -> Problem:
    X, y = datasets.load_diabetes(return_X_y=True)
    return _frame(X), y


def breast_cancer() -> Problem:
    data = datasets.load_breast_cancer().data
    return _frame(data[:, [0, 1, 4, 5, 8, 10, 14, 21, 24]]), data[:, 26]


def digits() -> Problem:
    X, y = datasets.load_digits(return_X_y=True)
    return _frame(X), y.astype(float)


def heavy_tails() -> Problem:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3000, 8))
    y = 3 * X[:, 0] + 4 * np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3] + rng.standard_t(2, 3000)
    return _frame(X), 100 * y


def heteroscedastic() -> Problem:
    rng = np.random.default_rng(2)
    X = rng.uniform(-2, 2, size=(4000, 6))
    noise = np.exp(X[:, 2]) * rng.normal(size=4000)
    return _frame(X), 5 * np.sin(X[:, 0] * 2) + X[:, 1] ** 2 + noise


def many_categories() -> Problem:
    rng = np.random.default_rng(3)
    n = 10_000
    town, effect = rng.zipf(1.3, n) % 400, 3 * rng.normal(size=400)
    kind, X = rng.integers(0, 6, n), rng.normal(size=(n, 4))
    frame = _frame(X)
    frame["town"], frame["kind"] = [f"t{i}" for i in town], [f"k{i}" for i in kind]
    y = 50 + effect[town] + X[:, 0] * kind + 2 * np.maximum(X[:, 1], 0) + rng.normal(size=n)
    return frame, y


def skewed_target() -> Problem:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(3000, 7))
    log = 8 + 0.6 * X[:, 0] + 0.5 * np.sin(3 * X[:, 1]) + 0.3 * X[:, 2] * X[:, 3]
    return _frame(X), np.exp(log + 0.5 * rng.normal(size=3000))


def steps() -> Problem:
    rng = np.random.default_rng(5)
    X = rng.uniform(size=(5000, 8))
    both = (X[:, 1] > 0.3) & (X[:, 2] < 0.6)
    y = 4 * (X[:, 0] > 0.5) + 3 * both + 2 * np.floor(4 * X[:, 3])
    return _frame(X), y + rng.normal(size=5000)


def mixed_50000() -> Problem:
    rng = np.random.default_rng(6)
    n = 50_000
    X = rng.normal(size=(n, 12))
    X[:, :3] = np.exp(X[:, :3])
    y = 3 * np.log1p(X[:, 0]) + np.abs(X[:, 3]) * X[:, 4] + 2 * (X[:, 5] > 1) + np.sin(3 * X[:, 6])
    frame = _frame(X)
    frame["group"] = [f"g{i}" for i in rng.integers(0, 20, n)]
    return frame, 1000 * (y + 0.7 * rng.normal(size=n))


def many_features() -> Problem:
    X, y = datasets.make_regression(500, 60, n_informative=12, noise=20, random_state=0)
    return _frame(X), y


def cut_curve() -> Problem:
    rng = np.random.default_rng(8)
    X = rng.uniform(-2, 2, size=(3000, 8))
    y = 4 * np.sin(X[:, 0] * 2) + X[:, 1] ** 2 * X[:, 2] + 1.5 * rng.normal(size=3000)
    return _frame(X), np.clip(y, -1, 5)


def skewed_features() -> Problem:
    rng = np.random.default_rng(9)
    X = np.exp(1.5 * rng.normal(size=(6000, 6)))
    y = np.log(X[:, 0] * X[:, 1]) + 5 * X[:, 2] / (X[:, 2] + X[:, 3])
    return _frame(X), y + 0.5 * rng.normal(size=6000)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    made.__name__: made
    for made in (
        friedman_1, friedman_2, friedman_3, missing_values, diabetes, breast_cancer, digits,
        heavy_tails, heteroscedastic, many_categories, skewed_target, steps, mixed_50000,
        many_features, cut_curve, skewed_features,
    )
}  # fmt: skip
