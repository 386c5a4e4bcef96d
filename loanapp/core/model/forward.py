"""The network's forward pass on stored arrays. NumPy only: the serving process uses this module.

A fitted network is a dictionary of named arrays. With d features, of which a are axes (more than
two values) cut in T pieces each, and K members of two hidden layers with H units each, of which
the last P also see the pieces, in this order:

==================  ==========  =======  ======================================================
name                shape       dtype    step
==================  ==========  =======  ======================================================
``feature_centre``  (d,)        float64  ``z = (x - feature_centre) / feature_scale``
``feature_scale``   (d,)        float64
``linear``          (d, 2)      float64  ``line = z @ linear + intercept``
``intercept``       (2,)        float64
``weight_1``        (d, K H)    float32  ``h = z @ weight_1 + bias_1``
``bias_1``          (K H,)      float32
``axes``            (a T,)      int64    ``pieces = clip((z[:, axes] - knots) * slopes, 0, 1)``
``knots``           (a T,)      float32
``slopes``          (a T,)      float32
``weight_pieces``   (a T, P H)  float32  ``h[:, -P H:] += pieces @ weight_pieces``; ``h = silu(h)``
``weight_2``        (K, H, H)   float32  ``h_k = silu(h_k @ weight_2[k] + bias_2[k])``
``bias_2``          (K, H)      float32
``weight_out``      (K H, 2)    float32  ``out = line + h @ weight_out``
``log_spread``      (2,)        float64  bounds of the second output
==================  ==========  =======  ======================================================

``h_k`` is the k-th block of H columns of ``h``; ``silu(x) = x / (1 + exp(-x))``; from ``weight_1``
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
Singles = npt.NDArray[np.float32]

BLOCK = 512
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


def standardise(arrays: Arrays, X: Floats) -> Floats:
    """Standardise features: (n, d) to (n, d)."""
    return np.asarray((X - arrays["feature_centre"]) / arrays["feature_scale"])


def cut_in_pieces(arrays: Arrays, z: Singles) -> Singles:
    """Cut the axes of standardised features in pieces: (n, d) to (n, a T)."""
    pieces = z[:, arrays["axes"]]
    pieces -= arrays["knots"]
    pieces *= arrays["slopes"]
    return np.clip(pieces, 0, 1, out=pieces)


def _forward_block(arrays: Arrays, X: Floats) -> Floats:
    z = standardise(arrays, X)
    single = z.astype(np.float32)
    h: Singles = single @ arrays["weight_1"]
    h += arrays["bias_1"]
    if seeing := arrays["weight_pieces"].shape[1]:
        h[:, -seeing:] += cut_in_pieces(arrays, single) @ arrays["weight_pieces"]
    h = _silu(h)
    width = arrays["weight_2"].shape[-1]
    for k, (weight, bias) in enumerate(zip(arrays["weight_2"], arrays["bias_2"], strict=True)):
        block = h[:, k * width : (k + 1) * width]
        block[:] = block @ weight + bias
    line = z @ arrays["linear"] + arrays["intercept"]
    return np.asarray(line + _silu(h) @ arrays["weight_out"])


def _silu(x: Singles) -> Singles:
    """``x / (1 + exp(-x))`` by the hyperbolic tangent, which is faster and cannot overflow."""
    x *= np.float32(0.5)
    x += x * np.tanh(x)
    return x
