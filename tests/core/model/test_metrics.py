"""Errors of predictions and the paired comparison."""

import numpy as np
import pytest

from loanapp.core.model.metrics import Metrics, compare, evaluate


def test_errors_worked_out_by_hand() -> None:
    # errors 1, 0, -2, 1: absolute 4 / 4; squares 6 / 4; variance of 1, 2, 3, 4 is 1.25
    assert evaluate([1, 2, 3, 4], [0, 2, 5, 3]) == Metrics(1.0, 1.5, 1 - 1.5 / 1.25)


def test_predicting_the_mean_explains_nothing() -> None:
    assert evaluate([1, 2, 6], [3, 3, 3]).r2 == 0


def test_constant_amounts_have_an_r2_that_is_a_number() -> None:
    assert evaluate([5, 5], [5, 5]).r2 == 1
    assert evaluate([5, 5], [4, 6]).r2 == 0


@pytest.mark.parametrize(("actual", "predicted"), [([], []), ([1, 2], [1]), ([[1]], [[1]])])
def test_amounts_that_are_not_pairs_are_refused(
    actual: list[float], predicted: list[float]
) -> None:
    with pytest.raises(ValueError, match="pairs"):
        evaluate(actual, predicted)


def test_a_model_that_is_always_ten_better_is_ten_better_in_every_group() -> None:
    actual = np.linspace(0, 100, 60)
    comparison = compare(
        actual, actual + 30, actual - 20, groups={"side": ["a", "b", None] * 20, "one": [1] * 60}
    )
    assert (comparison.difference, comparison.lower, comparison.upper) == (-10, -10, -10)
    assert (comparison.champion.mae, comparison.challenger.mae) == (30, 20)
    assert [(g.column, g.value, g.rows) for g in comparison.groups] == [
        ("side", "a", 20),
        ("side", "b", 20),
        ("side", None, 20),
        ("one", "1", 60),
    ]
    assert all(g.upper == -10 for g in comparison.groups)


def test_a_group_where_the_challenger_is_worse_shows() -> None:
    actual = np.zeros(40)
    group = np.repeat(["men", "women"], 20)
    comparison = compare(
        actual, actual + 5, np.where(group == "men", 1.0, 7.0), groups={"sex": group}
    )
    men, women = comparison.groups
    assert comparison.difference < 0 < women.lower == women.difference == 2
    assert men.difference == -4


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(100):
        noise = rng.exponential(size=(2, 120))
        comparison = compare(np.zeros(120), 1 + noise[0], 1.2 + noise[1], seed=seed)
        hits += comparison.lower <= 0.2 <= comparison.upper
    assert 88 <= hits <= 100


def test_the_same_seed_gives_the_same_interval() -> None:
    rng = np.random.default_rng(1)
    args = rng.normal(size=(3, 50))
    assert compare(*args, seed=4) == compare(*args, seed=4)
    assert compare(*args, seed=4) != compare(*args, seed=5)


def test_one_row_can_be_compared() -> None:
    comparison = compare([1.0], [2.0], [4.0])
    assert (comparison.rows, comparison.lower, comparison.upper) == (1, 2, 2)
