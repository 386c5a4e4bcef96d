"""The network's forward pass on stored arrays. NumPy only: the serving process uses this module.

A fitted network is a dictionary of named arrays. With d features of which a are axes (more than two
values) cut in T pieces each, K members of two hidden layers with H units each, in this order:

==================  ==============  =======  ==================================================
name                shape           dtype    step
==================  ==============  =======  ==================================================
``feature_centre``  (d,)            float64  ``z = (x - feature_centre) / feature_scale``
``feature_scale``   (d,)            float64
``linear``          (d, 2)          float64  ``line = z @ linear + intercept``
``intercept``       (2,)            float64
``axes``            (a T,)          int64    ``pieces = clip((z[:, axes] - knots) * slopes, 0, 1)``
``knots``           (a T,)          float32
``slopes``          (a T,)          float32
``weight_1``        (d + a T, K H)  float32  ``h = silu([z, pieces] @ weight_1 + bias_1)``
``bias_1``          (K H,)          float32
``weight_2``        (K, H, H)       float32  ``h_k = silu(h_k @ weight_2[k] + bias_2[k])``
``bias_2``          (K, H)          float32
``weight_out``      (K H, 2)        float32  ``out = line + h @ weight_out``
``log_spread``      (2,)            float64  bounds of the second output
==================  ==============  =======  ==================================================

``h_k`` is the k-th block of H columns of ``h``; ``silu(x) = x / (1 + exp(-x))``; from ``pieces``
on, ``z`` is float32. The first output is the centre, the second the logarithm of the spread, both
in the target's transformed unit. The average over the members is folded into ``linear``,
``intercept`` and ``weight_out``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from loanapp.core.model.distribution import Floats

Arrays = Mapping[str, npt.NDArray[Any]]

BLOCK = 2048
"""Rows scored at a time: what fits the processor's cache."""


def forward(arrays: Arrays, X: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Run the network.

    Parameters
    ----------
    arrays
        The arrays of the table above.
    X
        (n, d) features.

    Returns
    -------
    centre, spread : ndarray
        (n,) each, in the target's transformed unit.
    """
    X = np.asarray(X, float)
    out = np.empty((len(X), 2))
    for start in range(0, len(X), BLOCK):
        out[start : start + BLOCK] = _forward_block(arrays, X[start : start + BLOCK])
    return out[:, 0], np.exp(np.clip(out[:, 1], *arrays["log_spread"]))


def encode(arrays: Arrays, z: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Put the pieces of the axes beside the standardised features: (n, d) to (n, d + a T)."""
    pieces = z[:, arrays["axes"]]
    pieces -= arrays["knots"]
    pieces *= arrays["slopes"]
    return np.hstack([z, np.clip(pieces, 0, 1, out=pieces)])


def _forward_block(arrays: Arrays, X: Floats) -> Floats:
    z = (X - arrays["feature_centre"]) / arrays["feature_scale"]
    h = _silu(encode(arrays, z.astype(np.float32)) @ arrays["weight_1"] + arrays["bias_1"])
    width = arrays["weight_2"].shape[-1]
    for k, (weight, bias) in enumerate(zip(arrays["weight_2"], arrays["bias_2"], strict=True)):
        block = h[:, k * width : (k + 1) * width]
        block[:] = _silu(block @ weight + bias)
    return np.asarray(z @ arrays["linear"] + arrays["intercept"] + h @ arrays["weight_out"])


def _silu(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    shrunk = np.exp(-np.maximum(x, np.float32(-80)))
    shrunk += 1
    x /= shrunk
    return x
