"""The linear Tobit model, the bounds and the scale."""

import math

import numpy as np
import pytest

from loanapp.core.model.tobit import choose_transform, find_bounds, fit_line, sides

NOWHERE = (-math.inf, math.inf)


def heap(share: float, n: int = 1000) -> np.ndarray:
    y = np.random.default_rng(0).normal(size=n) ** 2 + 1
    y[: round(share * n)] = 0.5
    return y


def test_bounds_are_where_many_rows_stand_on_an_extreme() -> None:
    y = heap(0.2)
    y[-40:] = 99
    assert find_bounds(y, "auto") == (0.5, 99)


@pytest.mark.parametrize(
    "y",
    [heap(0.002), np.arange(1000.0), np.full(50, 3.0), np.array([0.0, 1.0] * 40),
     np.random.default_rng(0).integers(0, 30, 900).astype(float)],
    ids=["two rows", "all different", "constant", "two values", "whole numbers"],
)  # fmt: skip
def test_amounts_that_are_not_cut_have_no_bounds(y: np.ndarray) -> None:
    assert find_bounds(y, "auto") == NOWHERE


def test_given_bounds_are_taken_as_they_are() -> None:
    assert find_bounds(heap(0.2), None) == NOWHERE
    assert find_bounds(heap(0.2), (None, 40.0)) == (-math.inf, 40)


def test_the_line_is_found_behind_the_cut() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 2))
    y = np.clip(1 + 2 * X[:, 0] - X[:, 1] + rng.normal(size=5000), 0, 3)
    line = fit_line(X, y, sides(y, 0, 3))
    np.testing.assert_allclose([*line.coefficients, line.intercept, line.spread], [2, -1, 1, 1],
                               atol=0.08)  # fmt: skip


def test_without_a_cut_it_is_ridge_regression() -> None:
    X, y = np.array([[-1.0], [1.0]]), np.array([0.0, 4.0])
    line = fit_line(X, y, np.zeros(2, np.int8), penalty=2.0)
    assert line.coefficients == pytest.approx([1])  # (X'X + 2) b = X'y: 4 b = 4
    assert line.intercept == pytest.approx(2)


def test_all_rows_on_the_floor_give_a_finite_line() -> None:
    X = np.random.default_rng(0).normal(size=(30, 3))
    line = fit_line(X, np.zeros(30), np.full(30, -1, np.int8))
    assert np.isfinite([*line.coefficients, line.intercept, line.spread]).all()


def test_a_skewed_target_gets_a_logarithm_and_a_straight_one_does_not() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 3))
    straight = X[:, 0] + rng.normal(size=800)
    inside = np.zeros(800, np.int8)
    assert choose_transform(X, straight, inside).is_identity
    assert choose_transform(X, np.exp(straight), inside).direction == 1
    assert not choose_transform(X, np.exp(straight), inside).is_identity
    assert choose_transform(X, -np.exp(straight), inside).direction == -1
