"""The members of a committee: who sees what, where they start, and how they become one network.

Half of the members see the standardised features alone, which suits smooth functions; the other
half also sees the features cut in pieces at their quantiles (Y. Gorishniy et al., NeurIPS 2022),
which suits steps and thresholds. What each half is worth is judged on rows it has not seen.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from loanapp.core.model.distribution import Floats
from loanapp.core.model.forward import Arrays, forward
from loanapp.core.model.tobit import Sides, fit_line, log_likelihood

Rows = npt.NDArray[np.intp]
Weights = dict[str, npt.NDArray[np.float32]]

MOST_PIECES = 24
MOST_INPUTS = 384
MOST_VALIDATION = 16384
MOST_LINE_ROWS = 20000
SMALLEST_SHARE = 0.05
LOG_SPREAD = (-7.0, 5.0)

_HIDDEN_GAIN = 0.3


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
    return described | _knots((X - centre) / scale, np.flatnonzero(~two_valued))


def _knots(z: Floats, axes: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[Any]]:
    pieces = max(2, min(MOST_PIECES, MOST_INPUTS // max(1, len(axes))))
    knots = np.quantile(z[:, axes], np.linspace(0, 1, pieces + 1), axis=0).T
    widths = np.maximum(np.diff(knots, axis=1), 1e-3)
    return {
        "axes": np.repeat(axes, pieces),
        "knots": knots[:, :-1].ravel().astype(np.float32),
        "slopes": (1 / widths).ravel().astype(np.float32),
    }


def deal(n: int, members: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Deal n rows: (K, m) what each member learns from, (K, v) what it is judged on.

    Members 2j and 2j + 1, one of each kind, are judged on the same fold.
    """
    folds = members // 2
    fold = rng.permutation(n) % min(folds, n)
    train = [np.flatnonzero(fold != j % (fold.max() + 1)) for j in range(folds)]
    judged = [rng.permutation(np.flatnonzero(fold == j % (fold.max() + 1))) for j in range(folds)]
    most = min(max(map(len, judged)), MOST_VALIDATION // folds)
    longest = max(map(len, train))
    return (
        np.repeat([np.resize(rows, longest) for rows in train], 2, axis=0),
        np.repeat([np.resize(rows, most) for rows in judged], 2, axis=0),
    )


def start(
    z: npt.NDArray[np.float32], inputs: int, y: Floats, side: Sides, train: Rows, width: int,
    rng: np.random.Generator,
) -> tuple[Weights, npt.NDArray[np.float32]]:  # fmt: skip
    """Initial weights and input masks: each member starts as the linear Tobit fit of its rows.

    The hidden layers start random, their output at zero.
    """
    members, features = len(train), z.shape[1]
    mask = np.ones((members, inputs, 1), np.float32)
    mask[::2, features:] = 0
    gain = _HIDDEN_GAIN / np.sqrt(mask.sum(axis=1, keepdims=True))
    linear, intercept = np.zeros((members, features, 2)), np.zeros((members, 1, 2))
    for k in range(0, members, 2):
        rows = rng.permutation(train[k])[:MOST_LINE_ROWS]
        line = fit_line(z[rows], y[rows], side[rows])
        linear[k : k + 2, :, 0] = line.coefficients
        log_spread = np.clip(math.log(line.spread), *LOG_SPREAD)
        intercept[k : k + 2, 0] = line.intercept, log_spread
    weights = {
        "linear": linear,
        "intercept": intercept,
        "weight_1": rng.normal(size=(members, inputs, width)) * gain,
        "bias_1": rng.normal(size=(members, 1, width)) / 2,
        "weight_2": rng.normal(size=(members, width, width)) * math.sqrt(2 / width),
        "bias_2": np.zeros((members, 1, width)),
        "weight_out": np.zeros((members, width, 2)),
    }
    return {name: value.astype(np.float32) for name, value in weights.items()}, mask


def merge(
    features: Arrays, weights: Weights, mask: npt.NDArray[np.float32], shares: Floats
) -> dict[str, npt.NDArray[Any]]:
    """Make one network of the members that have a share: the arrays `forward` takes."""
    kept = np.flatnonzero(shares)
    share = shares[kept, None, None] / shares.sum()
    members = {name: value[kept] for name, value in weights.items()}
    first = members["weight_1"] * mask[kept]
    width = first.shape[-1]
    return dict(features) | {
        "linear": (members["linear"].astype(float) * share).sum(axis=0),
        "intercept": (members["intercept"].astype(float) * share).sum(axis=0)[0],
        "weight_1": np.ascontiguousarray(first.swapaxes(0, 1).reshape(first.shape[1], -1)),
        "bias_1": members["bias_1"].ravel(),
        "weight_2": members["weight_2"],
        "bias_2": members["bias_2"].reshape(-1, width),
        "weight_out": (members["weight_out"] * share.astype(np.float32)).reshape(-1, 2),
        "log_spread": np.array(LOG_SPREAD),
    }


def judge(
    features: Arrays, weights: Weights, mask: npt.NDArray[np.float32],
    X: Floats, y: Floats, side: Sides, judged: Rows,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Judge the members on rows they have not seen.

    Each kind's share falls with its mean loss, in standard errors of the paired difference.

    Returns
    -------
    shares
        (K,) what each member is worth.
    residuals
        (judged.size / 2,) standardised residuals of the merged folds, in the order of
        ``judged[::2]``.
    """
    outs = np.array([
        forward(merge(features, weights, mask, np.eye(len(judged))[k]), X[rows])
        for k, rows in enumerate(judged)
    ])  # fmt: skip
    rows = judged[::2].ravel()
    kinds = np.stack([outs[kind::2].swapaxes(1, 2).reshape(-1, 2).T for kind in (0, 1)])
    losses = [_losses(y[rows], side[rows], *kind) for kind in kinds]
    share = _share(losses[1] - losses[0])
    centre = (1 - share) * kinds[0, 0] + share * kinds[1, 0]
    spread = kinds[0, 1] ** (1 - share) * kinds[1, 1] ** share
    return np.resize([1 - share, share], len(judged)), (y[rows] - centre) / spread


def _losses(y: Floats, side: Sides, centre: Floats, spread: Floats) -> Floats:
    likelihood = log_likelihood((y - centre) / spread, side)
    return np.where(side == 0, np.log(spread), 0.0) - likelihood


def _share(worse_by: Floats) -> float:
    error = worse_by.std() / math.sqrt(len(worse_by)) + 1e-12
    share = 1 / (1 + math.exp(np.clip(worse_by.mean() / error, -50, 50)))
    return 0.0 if share < SMALLEST_SHARE else 1.0 if share > 1 - SMALLEST_SHARE else share
