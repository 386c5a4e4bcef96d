"""The network's forward pass on stored arrays. NumPy only: the serving process uses this module.

A fitted network is a dictionary of named arrays. With d features, those of more than two values
cut in T pieces in all, short ones for steps among them, and K members of two hidden layers with H
units each, of which the last P also see the pieces, in this order:

==================  ==========  =======  ======================================================
name                shape       dtype    step
==================  ==========  =======  ======================================================
``feature_centre``  (d,)        float64  ``z = (x - feature_centre) / feature_scale``
``feature_scale``   (d,)        float64
``linear``          (d, 2)      float64  ``line = z @ linear + intercept``
``intercept``       (2,)        float64
``weight_1``        (d, K H)    float32  ``h = z @ weight_1 + bias_1``
``bias_1``          (K H,)      float32
``axes``            (T,)        int64    ``pieces = clip((z[:, axes] - knots) * slopes, 0, 1)``
``knots``           (T,)        float32
``slopes``          (T,)        float32
``weight_pieces``   (T, P H)    float32  ``h[:, -P H:] += pieces @ weight_pieces``; ``h = silu(h)``
``weight_2``        (K, H, H)   float32  ``h_k = silu(h_k @ weight_2[k] + bias_2[k])``
``bias_2``          (K, H)      float32
``weight_out``      (K H, 2)    float32  ``out = line + h @ weight_out``
``log_spread``      (2,)        float64  bounds of the second output
==================  ==========  =======  ======================================================

``h_k`` is the k-th block of H columns of ``h``; ``silu(x) = x / (1 + exp(-x))``; from ``weight_1``
on, ``z`` is float32, and the members' shares of ``out`` are added up in float64. The first output
is the centre, the second the logarithm of the spread, both in the target's transformed unit. The
average over the members is folded into ``linear``, ``intercept`` and ``weight_out``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from loanapp.core.model.distribution import Floats

Arrays = Mapping[str, npt.NDArray[Any]]
Singles = npt.NDArray[np.float32]

BLOCK = 1024
"""Rows scored at a time: what fits the processor's cache."""


def forward(arrays: Arrays, X: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Run the network.

    Parameters
    ----------
    arrays
        The arrays of the table above.
    X
        (n, d) features; fastest where each feature's values stand together in memory.

    Returns
    -------
    centre, spread : ndarray
        (n,) each, in the target's transformed unit.
    """
    columns = np.asarray(X, float).T
    out = np.empty((2, columns.shape[1]))
    for start in range(0, columns.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        out[:, block] = _forward_block(arrays, columns[:, block])
    return out[0], np.exp(np.clip(out[1], *arrays["log_spread"]))


def standardise(arrays: Arrays, X: Floats) -> Floats:
    """Standardise features: (n, d) to (n, d)."""
    return np.asarray((X - arrays["feature_centre"]) / arrays["feature_scale"])


def cut_in_pieces(arrays: Arrays, z: Singles) -> Singles:
    """Cut the axes of standardised features in pieces: (n, d) to (n, T)."""
    return _pieces(arrays, z.T).T


def _pieces(arrays: Arrays, columns: Singles) -> Singles:
    pieces = columns[arrays["axes"]]
    pieces -= arrays["knots"][:, None]
    pieces *= arrays["slopes"][:, None]
    return np.clip(pieces, 0, 1, out=pieces)


def _forward_block(arrays: Arrays, columns: Floats) -> Floats:
    """(d, n) features to (2, n) outputs: long rows are what the processor is quick at."""
    z = np.subtract(columns, arrays["feature_centre"][:, None], order="C")
    z /= arrays["feature_scale"][:, None]
    single = z.astype(np.float32)
    h: Singles = arrays["weight_1"].T @ single
    h += arrays["bias_1"][:, None]
    if seeing := arrays["weight_pieces"].shape[1]:
        h[-seeing:] += arrays["weight_pieces"].T @ _pieces(arrays, single)
    _silu(h)
    members, width = arrays["bias_2"].shape
    h = np.matmul(arrays["weight_2"].transpose(0, 2, 1), h.reshape(members, width, -1))
    h += arrays["bias_2"][:, :, None]
    weight_out = arrays["weight_out"].reshape(members, width, 2).transpose(0, 2, 1)
    sums = np.matmul(weight_out, _silu(h)).sum(axis=0, dtype=np.float64)
    return np.asarray(sums + arrays["linear"].T @ z + arrays["intercept"][:, None])


def _silu(x: Singles) -> Singles:
    """``x / (1 + exp(-x))``, in place; where the exponential is infinite it gives zero."""
    falling = np.negative(x)
    with np.errstate(over="ignore"):
        np.exp(falling, out=falling)
    falling += np.float32(1)
    x /= falling
    return x
