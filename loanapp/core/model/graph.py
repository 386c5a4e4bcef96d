"""A scorer as one ONNX graph, the preprocessing inside: for whoever scores outside of Loanapp.

It takes the columns of the contract by their names, each of shape (n_rows,): numbers as double,
NaN where they are missing; categories as string, empty where they are missing. It gives the
amount, the bounds of the 90 % interval and the expected amount as double, in the target's unit:
median, quantiles and mean of `Distribution`. The steps are those of the modules `encoder`,
`forward` and `distribution`, all in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from loanapp.core.model.distribution import (
    CDF,
    GRID,
    NODES,
    STEP,
    WIDEST,
    Floats,
    normal_density,
    normal_quantile,
)
from loanapp.core.model.encoder import CategoryCode, Encoder
from loanapp.core.model.evaluation import LOWER, UPPER
from loanapp.core.model.forward import Arrays
from loanapp.core.model.scorer import Scorer

OPSETS = {"": 17, "ai.onnx.ml": 3}
IR_VERSION = 8  # what runtimes of 2022 and later read
OUTPUTS = ("prediction", "prediction_lower", "prediction_upper", "prediction_expected")


def to_onnx(scorer: Scorer) -> bytes:
    """Write a scorer as an ONNX model."""
    graph = _Graph()
    features = _encode(graph, scorer.encoder)
    centre, spread = _forward(scorer.arrays, features)
    cut = _Cut(scorer, centre, spread)
    amounts = (cut.quantile(0.5), cut.quantile(LOWER), cut.quantile(UPPER), cut.mean())
    return graph.finish(dict(zip(OUTPUTS, amounts, strict=True)))


class _Graph:
    """An ONNX graph that is written as arithmetic."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []

    def input(self, name: str, kind: int) -> _Value:
        """A column."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, ["n_rows"]))
        return _Value(self, name)

    def constant(self, value: npt.ArrayLike) -> _Value:
        """Numbers; without a type of their own they are double or int64."""
        name = f"/c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return _Value(self, name)

    def apply(self, kind: str, *values: Operand, domain: str = "", **attributes: Any) -> _Value:
        """The result of an operator."""
        inputs = [v if isinstance(v, _Value) else self.constant(v) for v in values]
        name = f"/v{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(kind, [v.name for v in inputs], [name], domain=domain, **attributes)
        )
        return _Value(self, name)

    def finish(self, outputs: Mapping[str, _Value]) -> bytes:
        """The model that gives these values under these names."""
        for name, value in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value.name], [name]))
        infos = [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n_rows"]) for name in outputs
        ]
        graph = helper.make_graph(self._nodes, "loanapp", self._inputs, infos, self._constants)
        model = helper.make_model(
            graph,
            producer_name="loanapp",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid(*opset) for opset in OPSETS.items()],
        )
        return bytes(model.SerializeToString())


class _Value:
    """A value of a graph."""

    def __init__(self, graph: _Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def apply(self, kind: str, *others: Operand, **attributes: Any) -> _Value:
        """The result of an operator of which this is the first argument."""
        return self.graph.apply(kind, self, *others, **attributes)

    def __add__(self, other: Operand) -> _Value:
        return self.apply("Add", other)

    def __sub__(self, other: Operand) -> _Value:
        return self.apply("Sub", other)

    def __mul__(self, other: Operand) -> _Value:
        return self.apply("Mul", other)

    def __truediv__(self, other: Operand) -> _Value:
        return self.apply("Div", other)

    def __matmul__(self, other: Operand) -> _Value:
        return self.apply("MatMul", other)

    def __neg__(self) -> _Value:
        return self.apply("Neg")

    def clip(self, low: float, high: float) -> _Value:
        """The value within bounds, which may be infinite."""
        return self.apply("Max", low).apply("Min", high)

    def cast(self, kind: int) -> _Value:
        """The value in another type."""
        return self.apply("Cast", to=kind)

    def take(self, places: Operand, axis: int = 0) -> _Value:
        """Some of its rows or columns."""
        return self.apply("Gather", places, axis=axis)

    def column(self, place: int) -> _Value:
        """One of its columns, shape (n_rows,)."""
        return self.take(np.int64(place), axis=1)

    def as_column(self) -> _Value:
        """Shape (n_rows,) as (n_rows, 1)."""
        return self.apply("Unsqueeze", [1])


Operand = _Value | npt.ArrayLike


def _encode(graph: _Graph, encoder: Encoder) -> _Value:
    """The features; each column has places of its own among them, and adds zeros to the others."""
    touched = np.concatenate([places for places, _ in encoder.codes.values()])
    base = encoder.base.copy()
    base[touched] = 0
    features = graph.constant(base)
    for name, (places, code) in encoder.codes.items():
        if isinstance(code, CategoryCode):
            features += _category(graph.input(name, TensorProto.STRING), code, places, len(base))
            continue
        column = graph.input(name, TensorProto.DOUBLE).as_column()
        slope, offset, missing = _widened([code.slope, code.offset, code.missing], places, base)
        known = column * slope + offset
        features += column.apply("IsNaN").apply("Where", missing, known)
    return features


def _category(column: _Value, code: CategoryCode, places: Any, width: int) -> _Value:
    unknown = len(code.categories)
    rows = {"": unknown + 1, **{c: i for i, c in enumerate(code.categories)}}
    found = column.apply(
        "LabelEncoder",
        domain="ai.onnx.ml",
        keys_strings=list(rows),
        values_int64s=list(rows.values()),
        default_int64=unknown,
    )
    return column.graph.constant(_widened(code.table, places, np.empty(width))).take(found)


def _widened(codes: npt.ArrayLike, places: Any, features: Any) -> Any:
    """Codes of some features as codes of all of them: zeros in the others."""
    codes = np.asarray(codes, np.float64)
    wide = np.zeros((len(codes), len(features)))
    wide[:, places] = codes
    return wide


def _forward(arrays: Arrays, features: _Value) -> tuple[_Value, _Value]:
    """Centre and spread; the members' blocks stand on the diagonal of one matrix."""
    arrays = {n: a if n == "axes" else a.astype(np.float64) for n, a in arrays.items()}
    z = (features - arrays["feature_centre"]) / arrays["feature_scale"]
    h = z @ arrays["weight_1"] + arrays["bias_1"]
    weight_pieces = arrays["weight_pieces"]
    if weight_pieces.size:
        pieces = (z.take(arrays["axes"], axis=1) - arrays["knots"]) * arrays["slopes"]
        blind = arrays["weight_1"].shape[1] - weight_pieces.shape[1]
        h += pieces.clip(0.0, 1.0) @ np.pad(weight_pieces, [(0, 0), (blind, 0)])
    h = _silu(h) @ _diagonal(arrays["weight_2"]) + arrays["bias_2"].ravel()
    out = z @ arrays["linear"] + arrays["intercept"] + _silu(h) @ arrays["weight_out"]
    low, high = arrays["log_spread"]
    return out.column(0), out.column(1).clip(low, high).apply("Exp")


def _silu(x: _Value) -> _Value:
    half = x * 0.5
    return half + half * half.apply("Tanh")


def _diagonal(blocks: Floats) -> Floats:
    members, width, _ = blocks.shape
    matrix = np.zeros((members, width, members, width))
    for k, block in enumerate(blocks):
        matrix[k, :, k] = block
    return matrix.reshape(members * width, members * width)


class _Cut:
    """`Distribution` as a part of a graph."""

    def __init__(self, scorer: Scorer, centre: _Value, spread: _Value) -> None:
        self._centre, self._spread = centre, spread
        self._bounds, self._transform = (scorer.floor, scorer.ceiling), scorer.transform

    def quantile(self, q: float) -> _Value:
        return self._amount(self._centre + self._spread * normal_quantile(q))

    def mean(self) -> _Value:
        low, high = (
            (-self._centre + bound) / self._spread
            for bound in self._transform.forward(self._bounds)
        )
        if self._transform.is_identity:
            excess = _excess(low) - _excess(-high)
            return (self._centre + self._spread * excess).clip(*self._bounds)
        return self._by_quadrature(low, high).clip(*self._bounds)

    def _amount(self, z: _Value) -> _Value:
        transform = self._transform
        if not transform.is_identity:
            reach = transform.direction * transform.bend
            z = ((z / reach).apply("Exp") - 1.0) * reach + transform.origin
        return z.clip(*self._bounds)

    def _by_quadrature(self, low: _Value, high: _Value) -> _Value:
        start, stop = low.clip(-WIDEST, WIDEST), high.clip(-WIDEST, WIDEST)
        x, weight = np.polynomial.legendre.leggauss(NODES)
        half = (stop - start) / 2.0
        z = (start + half).as_column() + half.as_column() * x
        inner = self._amount(self._centre.as_column() + self._spread.as_column() * z)
        mean = half * ((inner * _density(z)) @ weight)
        for bound, beyond in zip(self._bounds, (start, -stop), strict=True):
            if math.isfinite(bound):
                mean += _cdf(beyond) * bound
        return mean


def _excess(z: _Value) -> _Value:
    finite = z.apply("Max", -40.0)
    return (finite * _cdf(finite) + _density(finite)).apply("Max", 0.0)


def _density(z: _Value) -> _Value:
    return (z * z * -0.5).apply("Exp") / math.sqrt(2 * math.pi)


def _cdf(z: _Value) -> _Value:
    """`normal_cdf` from its own table: runtimes have no error function in double precision."""
    table = np.stack([CDF, STEP * normal_density(GRID), GRID], axis=1)
    z = z.clip(GRID[0], GRID[-1])
    i = ((z - GRID[0]) / STEP).cast(TensorProto.INT64).apply("Min", len(GRID) - 2)
    left, right = z.graph.constant(table[:-1]).take(i), z.graph.constant(table[1:]).take(i)
    t = (z - left.column(2)) / STEP
    u = -t + 1.0
    rise = t * t * (u + u + 1.0)
    bend = t * u * (u * left.column(1) - t * right.column(1))
    return left.column(0) + rise * (right.column(0) - left.column(0)) + bend
