"""Where amounts jump: the thresholds that boosted trees find in what a line leaves over.

A network draws a slope where the truth has a step. Given the thresholds it need not learn them
(after the target-aware encoding of Y. Gorishniy et al., NeurIPS 2022).
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import GradientBoostingRegressor

from loanapp.core.model.distribution import Floats
from loanapp.core.model.tobit import Sides, fit_line

Thresholds = list[tuple[int, float]]

MOST_STEPS = 64
ROWS_A_STEP = 40
MOST_ROWS = 10_000
MOST_AXES_A_TREE = 32
TREES = 60
APART = 0.005
"""Share of the rows that stands between two steps of a feature."""


def find_steps(
    z: Floats, y: Floats, side: Sides, axes: npt.NDArray[np.intp], rng: np.random.Generator
) -> Thresholds:
    """Find the thresholds worth most: features and where they are split.

    Parameters
    ----------
    z, y, side
        (n, d) standardised features, (n,) amounts and on which bound they stand.
    axes
        The features to split. One step for 40 rows, 64 at most.
    """
    rows = rng.permutation(len(y))[:MOST_ROWS]
    z, y, side = z[rows], y[rows], side[rows]
    most = min(MOST_STEPS, len(y) // ROWS_A_STEP)
    if not most or not len(axes):
        return []
    line = fit_line(z, y, side)
    trees = GradientBoostingRegressor(
        n_estimators=TREES,
        max_depth=2,
        learning_rate=0.3,
        subsample=0.7,
        min_samples_leaf=max(5, len(y) // 100),
        max_features=min(len(axes), MOST_AXES_A_TREE),
        random_state=int(rng.integers(2**31)),
    )
    trees.fit(z[:, axes], y - z @ line.coefficients - line.intercept)
    return _spread_out(_gains(trees, axes), np.sort(z, axis=0), most)


def _gains(
    trees: GradientBoostingRegressor, axes: npt.NDArray[np.intp]
) -> dict[tuple[int, float], float]:
    """How much squared error each threshold takes away, over all trees."""
    gains: defaultdict[tuple[int, float], float] = defaultdict(float)
    for grown in trees.estimators_.ravel():
        tree = grown.tree_
        left = tree.weighted_n_node_samples * tree.impurity
        for node in np.flatnonzero(tree.feature >= 0):
            threshold = int(axes[tree.feature[node]]), float(tree.threshold[node])
            below = left[tree.children_left[node]] + left[tree.children_right[node]]
            gains[threshold] += float(left[node] - below)
    return gains


def _spread_out(gains: dict[tuple[int, float], float], ordered: Floats, most: int) -> Thresholds:
    """The best thresholds, none beside a better one."""
    chosen: dict[tuple[int, float], float] = {}
    for axis, threshold in sorted(gains, key=lambda each: -gains[each]):
        place = np.searchsorted(ordered[:, axis], threshold) / len(ordered)
        beside = (abs(place - p) <= APART for (a, _), p in chosen.items() if a == axis)
        if not any(beside):
            chosen[axis, threshold] = float(place)
        if len(chosen) == most:
            break
    return list(chosen)
