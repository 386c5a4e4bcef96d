"""The members of a committee: who sees what, where they start, and how they become one network.

Half of the members see the standardised features alone, which suits smooth functions; the other
half also sees the features cut in pieces at their quantiles (Y. Gorishniy et al., NeurIPS 2022)
and on which side of a step they are, which suits bends and thresholds. What each half is worth is
judged on rows it has not seen.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from loanapp.core.model.distribution import Floats
from loanapp.core.model.forward import Arrays, Singles, forward, standardise
from loanapp.core.model.steps import Thresholds
from loanapp.core.model.tobit import Sides, fit_line, log_likelihood

Rows = npt.NDArray[np.intp]
Weights = dict[str, npt.NDArray[np.float32]]

MOST_PIECES = 24
MOST_INPUTS = 384
MOST_VALIDATION = 16384
MOST_LINE_ROWS = 20000
FEWEST_PARTS = 4
SMALLEST_SHARE = 0.05
LOG_SPREAD = (-7.0, 5.0)

HIDDEN_GAIN = 0.3
STEP_WIDTH = 0.01
"""Of the ramp that stands for a step, in standard deviations of its feature."""


def describe_features(X: Floats) -> dict[str, npt.NDArray[Any]]:
    """Learn centre and scale of each feature, and the knots of those with more than two values.

    A column of two values is scaled by half their distance, so that a rare category does not
    weigh more than a common one.
    """
    low, high = X.min(axis=0), X.max(axis=0)
    centre, spread = X.mean(axis=0), X.std(axis=0)
    two_valued = np.all(np.minimum(X - low, high - X) == 0, axis=0)
    scale = np.where(two_valued, (high - low) / 2, spread)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(low), np.abs(high)), scale, 1.0)
    described = {"feature_centre": centre, "feature_scale": scale}
    return described | _knots(standardise(described, X), np.flatnonzero(~two_valued))


def _knots(z: Floats, axes: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[Any]]:
    pieces = max(2, min(MOST_PIECES, MOST_INPUTS // max(1, len(axes))))
    knots = np.quantile(z[:, axes], np.linspace(0, 1, pieces + 1), axis=0).T
    widths = np.maximum(np.diff(knots, axis=1), 1e-3)
    return {
        "axes": np.repeat(axes, pieces),
        "knots": knots[:, :-1].ravel().astype(np.float32),
        "slopes": (1 / widths).ravel().astype(np.float32),
    }


def add_steps(
    features: dict[str, npt.NDArray[Any]], thresholds: Thresholds
) -> dict[str, npt.NDArray[Any]]:
    """Add steps to the pieces: ramps so short that few values lie on them."""
    axes = np.array([axis for axis, _ in thresholds], np.intp)
    knots = np.array([at - STEP_WIDTH / 2 for _, at in thresholds], np.float32)
    slopes = np.full(len(thresholds), 1 / STEP_WIDTH, np.float32)
    steps = {"axes": axes, "knots": knots, "slopes": slopes}
    return features | {name: np.concatenate([features[name], more]) for name, more in steps.items()}


def deal(n: int, members: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Deal n rows: (K, m) what each member learns from, (K, v) what it is judged on.

    Members k and k + K / 2, one of each kind, are judged on the same fold.
    """
    folds = members // 2
    parts = min(max(folds, FEWEST_PARTS), n)
    fold = rng.permutation(n) % parts
    own = np.arange(folds) % parts
    train = [np.flatnonzero(fold != k) for k in own]
    judged = [rng.permutation(np.flatnonzero(fold == k)) for k in own]
    learnt = max(map(len, train))
    most = min(max(map(len, judged)), MOST_VALIDATION // folds)
    return (
        np.tile([np.resize(rows, learnt) for rows in train], (2, 1)),
        np.tile([np.resize(rows, most) for rows in judged], (2, 1)),
    )


def start(
    z: Floats, pieces: int, steps: int, y: Floats, side: Sides, train: Rows, width: int,
    rng: np.random.Generator,
) -> Weights:  # fmt: skip
    """Initial weights: each member starts as the linear Tobit fit of the rows it learns from.

    The hidden layers start random, their output and what they make of the last `steps` of the
    pieces at zero.
    """
    members, features = len(train), z.shape[1]
    folds = members // 2
    lines = [
        fit_line(z[rows], y[rows], side[rows])
        for rows in (rng.permutation(fold)[:MOST_LINE_ROWS] for fold in train[:folds])
    ] * 2
    linear = np.zeros((members, features, 2))
    linear[..., 0] = [line.coefficients for line in lines]
    log_spread = [np.clip(math.log(line.spread), *LOG_SPREAD) for line in lines]
    intercept = np.column_stack([[line.intercept for line in lines], log_spread])
    inputs = np.repeat([features, features + pieces], folds)[:, None, None]
    weights = {
        "linear": linear,
        "intercept": intercept[:, None],
        "weight_1": rng.normal(size=(members, features, width)) * HIDDEN_GAIN / np.sqrt(inputs),
        "bias_1": rng.normal(size=(members, 1, width)) / 2,
        "weight_pieces": rng.normal(size=(folds, pieces, width))
        * HIDDEN_GAIN
        / np.sqrt(inputs[folds:]),
        "weight_2": rng.normal(size=(members, width, width)) * math.sqrt(2 / width),
        "bias_2": np.zeros((members, 1, width)),
        "weight_out": np.zeros((members, width, 2)),
    }
    weights["weight_pieces"][:, pieces - steps :] = 0
    return {name: value.astype(np.float32) for name, value in weights.items()}


def merge(features: Arrays, weights: Weights, shares: Floats) -> dict[str, npt.NDArray[Any]]:
    """Make one network of the members that have a share: the arrays `forward` takes."""
    kept = np.flatnonzero(shares)
    share = shares[kept, None, None] / shares.sum()
    folds = len(shares) // 2
    pieces = weights["weight_pieces"][kept[kept >= folds] - folds]
    members = {name: weights[name][kept] for name in weights if name != "weight_pieces"}
    width = members["weight_2"].shape[-1]
    return dict(features) | {
        "linear": (members["linear"].astype(float) * share).sum(axis=0),
        "intercept": (members["intercept"].astype(float) * share).sum(axis=0)[0],
        "weight_1": _side_by_side(members["weight_1"]),
        "bias_1": members["bias_1"].ravel(),
        "weight_pieces": _side_by_side(pieces),
        "weight_2": members["weight_2"],
        "bias_2": members["bias_2"].reshape(-1, width),
        "weight_out": (members["weight_out"] * share.astype(np.float32)).reshape(-1, 2),
        "log_spread": np.array(LOG_SPREAD),
    }


def _side_by_side(weights: npt.NDArray[np.float32]) -> Singles:
    """(K, p, H) to (p, K H)."""
    members, inputs, width = weights.shape
    return np.ascontiguousarray(weights.swapaxes(0, 1).reshape(inputs, members * width))


def judge(
    features: Arrays, weights: Weights, X: Floats, y: Floats, side: Sides, judged: Rows
) -> tuple[Floats, Floats]:
    """Judge the members on rows they have not seen.

    Each kind's share falls with its mean loss, in standard errors of the paired difference.

    Returns
    -------
    shares
        (K,) what each member is worth.
    residuals
        (K v / 2,) standardised residuals of the two kinds' merged predictions, in the order of
        the first K / 2 rows of `judged`.
    """
    members = np.eye(len(judged))
    outs = [
        forward(merge(features, weights, member), X[rows])
        for member, rows in zip(members, judged, strict=True)
    ]
    folds = len(judged) // 2
    rows = judged[:folds].ravel()
    plain, pieced = np.concatenate(outs[:folds], axis=1), np.concatenate(outs[folds:], axis=1)
    share = _share(_losses(y[rows], side[rows], *pieced) - _losses(y[rows], side[rows], *plain))
    centre = (1 - share) * plain[0] + share * pieced[0]
    spread = plain[1] ** (1 - share) * pieced[1] ** share
    return np.repeat([1 - share, share], folds), (y[rows] - centre) / spread


def _losses(y: Floats, side: Sides, centre: Floats, spread: Floats) -> Floats:
    likelihood = log_likelihood((y - centre) / spread, side)
    return np.where(side == 0, np.log(spread), 0.0) - likelihood


def _share(worse_by: Floats) -> float:
    error = worse_by.std() / math.sqrt(len(worse_by)) + 1e-12
    share = 1 / (1 + math.exp(np.clip(worse_by.mean() / error, -50, 50)))
    return 0.0 if share < SMALLEST_SHARE else 1.0 if share > 1 - SMALLEST_SHARE else share
