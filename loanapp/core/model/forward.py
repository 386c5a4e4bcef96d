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
on, ``z`` is float32, and ``h @ weight_out`` is added to ``line`` in float64. The first output is
the centre, the second the logarithm of the spread, both in the target's transformed unit. The
average over the members is folded into ``linear``, ``intercept`` and ``weight_out``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loanapp.core.model.distribution import Floats

Arrays = Mapping[str, npt.NDArray[Any]]
Singles = npt.NDArray[np.float32]

BLOCK = 2000
"""Rows scored at a time: what nearly fits the processor's cache. No power of two: with 1024 or
2048, the rows of a product fall on the same few lines of it, and it takes a tenth longer."""
HALF = np.float32(0.5)


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
    network = _Network.of(arrays)
    out = np.empty((2, columns.shape[1]))
    for start in range(0, columns.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        out[:, block] = network.score(columns[:, block])
    return out[0], np.exp(np.clip(out[1], *arrays["log_spread"]))


def standardise(arrays: Arrays, X: Floats) -> Floats:
    """Standardise features: (n, d) to (n, d)."""
    return np.asarray((X - arrays["feature_centre"]) / arrays["feature_scale"])


def cut_in_pieces(arrays: Arrays, z: Singles) -> Singles:
    """Cut the axes of standardised features in pieces: (n, d) to (n, T)."""
    return _clipped(z.T[arrays["axes"]], arrays["knots"][:, None], arrays["slopes"][:, None]).T


def _clipped(axes: Singles, knots: Singles, slopes: Singles) -> Singles:
    """``clip((axes - knots) * slopes, 0, 1)``, in place."""
    axes -= knots
    axes *= slopes
    return np.clip(axes, 0, 1, out=axes)


@dataclass(frozen=True, slots=True)
class _Network:
    """The arrays as the processor is quickest with them: a row a unit, all its clients in it.

    What is multiplied first stands together, ``z``, a row of ones for the bias, and the pieces, so
    that each half of the members is one product; and whatever goes into `_silu` is halved.
    """

    arrays: Arrays
    weight_plain: Singles
    weight_pieced: Singles
    weight_2: Singles
    bias_2: Singles
    weight_out: Singles

    @classmethod
    def of(cls, arrays: Arrays) -> _Network:
        first = np.concatenate([arrays["weight_1"], arrays["bias_1"][None]]) * HALF
        plain = first.shape[1] - arrays["weight_pieces"].shape[1]
        pieced = np.concatenate([first[:, plain:], arrays["weight_pieces"] * HALF])
        return cls(
            arrays,
            first[:, :plain].T,
            pieced.T,
            arrays["weight_2"].transpose(0, 2, 1) * HALF,
            arrays["bias_2"][:, :, None] * HALF,
            arrays["weight_out"].T,
        )

    def score(self, columns: Floats) -> Floats:
        """(d, n) features to (2, n) outputs."""
        arrays, (d, n) = self.arrays, columns.shape
        z = np.subtract(columns, arrays["feature_centre"][:, None], order="C")
        z /= arrays["feature_scale"][:, None]
        inputs = np.empty((self.weight_pieced.shape[1], n), np.float32)
        inputs[:d], inputs[d] = z, 1
        pieces = np.take(inputs[:d], arrays["axes"], axis=0, out=inputs[d + 1 :], mode="clip")
        _clipped(pieces, arrays["knots"][:, None], arrays["slopes"][:, None])
        h = np.empty((len(self.weight_out.T), n), np.float32)
        plain = len(self.weight_plain)
        np.matmul(self.weight_plain, inputs[: d + 1], out=h[:plain])
        np.matmul(self.weight_pieced, inputs, out=h[plain:])
        h = np.matmul(self.weight_2, _silu(h).reshape(*self.bias_2.shape[:2], n))
        h += self.bias_2
        out = self.weight_out @ _silu(h).reshape(-1, n)
        return np.asarray(out + arrays["linear"].T @ z + arrays["intercept"][:, None])


def _silu(half: Singles) -> Singles:
    """``x / (1 + exp(-x))`` from x / 2, in place: the same as ``x / 2 * (1 + tanh(x / 2))``."""
    grown = np.tanh(half)
    grown += np.float32(1)
    half *= grown
    return half
