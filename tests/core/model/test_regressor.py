"""The censored regressor as a public estimator."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from loanapp.core.model.forward import forward
from loanapp.core.model.regressor import Epoch, TobitRegressor

FLOOR, CEILING = 500.0, 40_000.0


def quick(**changes: Any) -> TobitRegressor:
    return TobitRegressor(**{"epochs": 2, "members": 2, "width": 4, "random_state": 0} | changes)


def lenders_file(n: int, seed: int = 0, level: float = 8000) -> tuple[np.ndarray, np.ndarray]:
    """Features and amounts, a straight line and noise, cut off at a floor and a ceiling."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    y = level + 9000 * X[:, 0] - 4000 * X[:, 1] + 5000 * rng.normal(size=n)
    return X, np.clip(y, FLOOR, CEILING)


@pytest.fixture(scope="module")
def fitted() -> TobitRegressor:
    return quick(epochs=20, members=4, width=8).fit(*lenders_file(600, level=2500))


@parametrize_with_checks([quick()])
def test_it_keeps_the_rules_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def test_it_never_predicts_beyond_a_bound_and_its_means_add_up(fitted: TobitRegressor) -> None:
    X, y = lenders_file(4000, seed=1, level=2500)
    assert (y == FLOOR).mean() > 0.4
    assert fitted.bounds_ == (FLOOR, float("inf"))
    predicted = fitted.predict(X)
    assert predicted.min() >= FLOOR
    assert fitted.predict_distribution(X).mean().sum() == pytest.approx(y.sum(), rel=0.05)


def test_nine_of_ten_rows_are_within_their_interval(fitted: TobitRegressor) -> None:
    X, y = lenders_file(4000, seed=2, level=2500)
    low, high = fitted.predict_distribution(X).quantile([0.05, 0.95]).T
    assert 0.88 <= ((low <= y) & (y <= high)).mean() <= 0.96


def test_it_sees_behind_the_cut(fitted: TobitRegressor) -> None:
    X, y = lenders_file(4000, seed=3, level=2500)
    X_train, y_train = lenders_file(600, level=2500)
    line = np.linalg.lstsq(np.c_[X_train, np.ones(600)], y_train)[0]
    squared = np.clip(np.c_[X, np.ones(4000)] @ line, FLOOR, CEILING)
    assert np.abs(fitted.predict(X) - y).mean() < 0.95 * np.abs(squared - y).mean()


def test_it_learns_a_curve_and_a_step() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(1500, 2))
    y = 3 * np.sin(2 * X[:, 0]) + 2 * (X[:, 1] > 0.3) + 0.1 * rng.normal(size=1500)
    model = TobitRegressor(members=4, epochs=40, random_state=0).fit(X[:1000], y[:1000])
    assert model.score(X[1000:], y[1000:]) > 0.95


def test_a_step_stays_a_step() -> None:
    """A network alone draws a slope: rows beside the threshold get half of the jump."""
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(1600, 3))
    y = 10.0 * (X[:, 1] > 0.62) + X[:, 0] + 0.1 * rng.normal(size=1600)
    model = TobitRegressor(members=4, epochs=30, random_state=0).fit(X, y)
    beside = np.tile([0.5, 0.0, 0.5], (2, 1))
    beside[:, 1] = [0.61, 0.63]
    assert model.predict(beside) == pytest.approx([0.5, 10.5], abs=1.5)


def test_the_same_seed_gives_the_same_amounts_bit_for_bit() -> None:
    X, y = lenders_file(200)
    first, second = (quick(epochs=4).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (quick(epochs=4, random_state=1).fit(X, y).predict(X) != first).any()


@pytest.mark.slow
@pytest.mark.soak
def test_another_process_with_other_threads_learns_the_same_bits() -> None:
    code = f"""
import hashlib, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_regressor import lenders_file, quick
arrays = quick(epochs=3).fit(*lenders_file(1500)).arrays_
print(hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest())
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True,
            env=os.environ | {"OMP_NUM_THREADS": threads, "TF_NUM_INTRAOP_THREADS": threads},
        ).stdout
        for threads in ("1", "3")
    }  # fmt: skip
    assert len(found) == 1


def test_pickle_skops_and_the_forward_pass_give_the_same_amounts(fitted: TobitRegressor) -> None:
    X, _ = lenders_file(300, seed=4)
    expected = fitted.predict(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), expected)
    dumped = skops.io.dumps(fitted)
    trusted = skops.io.get_untrusted_types(data=dumped)
    assert all(name.startswith("loanapp.core.model.") for name in trusted)
    np.testing.assert_array_equal(skops.io.loads(dumped, trusted=trusted).predict(X), expected)
    centre, _ = forward(fitted.arrays_, X)
    np.testing.assert_array_equal(np.clip(centre, *fitted.bounds_), expected)


def test_a_clone_has_the_parameters_and_nothing_learned(fitted: TobitRegressor) -> None:
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "arrays_")


def test_each_epoch_is_reported() -> None:
    seen: list[Epoch] = []
    model = quick(epochs=3).fit(*lenders_file(100), progress=seen.append)
    assert [(e.epoch, e.epochs) for e in seen] == [(1, 3), (2, 3), (3, 3)]
    assert [e.loss for e in seen] == model.history_["loss"]
    assert [e.val_loss for e in seen] == model.history_["val_loss"]


def test_what_the_report_raises_ends_the_fit() -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    model = quick(epochs=50, patience=50)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*lenders_file(100), progress=stop)
    assert len(model.history_["loss"]) == 2


@pytest.mark.parametrize(
    ("X", "y", "cut"),
    [
        (np.arange(12.0)[:, None], np.full(12, 7.0), "auto"),
        (np.ones((12, 2)), np.arange(12.0), "auto"),
        (np.arange(12.0)[:, None], np.full(12, 500.0), (500.0, None)),
        (np.arange(12.0)[:, None], np.full(12, 500.0), (None, 500.0)),
        (np.arange(12.0)[:, None] * 1e12, np.arange(12.0) * 1e15, "auto"),
        (np.arange(12.0)[:, None] * 1e-9, np.arange(12.0) * 1e-12, None),
        (np.array([[0.0], [1.0]]), np.array([1.0, 2.0]), "auto"),
    ],
    ids=["constant amounts", "constant features", "all on the floor", "all on the ceiling",
         "huge", "tiny", "two rows"],
)  # fmt: skip
def test_odd_files_give_sane_amounts(X: np.ndarray, y: np.ndarray, cut: Any) -> None:
    model = quick(cut=cut).fit(X, y)
    spread = float(np.ptp(y)) or 1e-6
    predicted = model.predict(X)
    assert predicted.shape == (len(X),)
    assert (predicted >= y.min() - spread).all()
    assert (predicted <= y.max() + spread).all()
    assert np.isfinite(model.predict_distribution(X).mean()).all()


def test_amounts_beyond_given_bounds_count_as_standing_on_them() -> None:
    X, y = lenders_file(300)
    model = quick(cut=(2000.0, 20_000.0)).fit(X, y)
    np.testing.assert_array_equal(
        model.predict(X), quick(cut=(2000.0, 20_000.0)).fit(X, np.clip(y, 2000, 20_000)).predict(X)
    )
    assert (model.predict(X).min(), model.predict(X).max()) == (2000, 20_000)


def test_missing_amounts_are_refused() -> None:
    X, y = lenders_file(50)
    y[3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        quick().fit(X, y)


def test_a_skewed_target_is_learned_on_a_logarithm() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = np.exp(8 + X[:, 0] + 0.3 * rng.normal(size=600))
    model = quick(epochs=5).fit(X, y)
    assert not model.transform_.is_identity
    assert np.median(np.abs(np.log(model.predict(X)) - np.log(y))) < 0.35
    assert quick(scale=None).fit(X, y).transform_.is_identity


def test_members_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="even"):
        quick(members=3).fit(*lenders_file(50))
