"""The thresholds at which amounts jump."""

import numpy as np

from loanapp.core.model.steps import MOST_STEPS, ROWS_A_STEP, find_steps


def stairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two features with steps and one without."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 3))
    y = 3.0 * (z[:, 0] > 0.4) - 2.0 * (z[:, 2] > -1) + 0.5 * z[:, 1] + 0.2 * rng.normal(size=n)
    return z, y


def steps_of(z: np.ndarray, y: np.ndarray, axes: list[int]) -> list[tuple[int, float]]:
    inside = np.zeros(len(y), np.int8)
    return find_steps(z, y, inside, np.array(axes), np.random.default_rng(0))


def test_the_best_thresholds_are_where_the_amounts_jump() -> None:
    found = steps_of(*stairs(2000), [0, 1, 2])
    assert len(found) == 2000 // ROWS_A_STEP
    best = dict(reversed(found))
    assert found[0][0] == 0
    assert abs(best[0] - 0.4) < 0.02
    assert abs(best[2] + 1) < 0.02


def test_thresholds_are_few_and_apart_and_of_the_features_asked_for() -> None:
    z, y = stairs(4000)
    found = steps_of(z, y, [1, 2])
    assert len(found) <= MOST_STEPS
    assert {axis for axis, _ in found} <= {1, 2}
    places = sorted(np.searchsorted(np.sort(z[:, 2]), at) for axis, at in found if axis == 2)
    assert min(np.diff(places)) > 0.005 * len(z)


def test_a_file_with_few_rows_or_without_numbers_has_no_steps() -> None:
    assert steps_of(*stairs(ROWS_A_STEP - 1), [0, 1, 2]) == []
    assert steps_of(*stairs(500), []) == []
