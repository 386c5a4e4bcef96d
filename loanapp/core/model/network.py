"""The Keras network: a committee of censored regressors trained side by side in one graph.

Each of the K members is a small network beside a linear path. A member never sees its own fold of
the rows: there its loss decides which of its epochs is kept. Together the folds make an honest
judgement of every row, so that no row is lost to validation. Weights are stacked, (K, ...), so
that a step of all the members is a few batched products, and an epoch one compiled graph.

The only module that imports Keras.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from loanapp.core.model.committee import LOG_SPREAD, Weights

WARM_UP = 0.05
LEAST_COMPILED_STEPS = 24
BETAS = (0.9, 0.98)
NOT_DECAYED = ("linear", "intercept")


@dataclass(frozen=True, eq=False)
class Rows:
    """What is learned from, for n rows.

    Parameters
    ----------
    features, pieces
        (n, d) standardised features, (n, p) their pieces.
    amounts, sides
        (n,) standardised amounts; (n,) -1 on the floor, 0 within, 1 on the ceiling.
    """

    features: npt.NDArray[np.float32]
    pieces: npt.NDArray[np.float32]
    amounts: npt.NDArray[np.float32]
    sides: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Plan:
    """How it is learned.

    Parameters
    ----------
    train, validation
        (K, m) and (K, v) row numbers: what each member learns from, and what it is judged on.
    epochs, patience
        At most so many epochs; stop after so many in which no member got better.
    batch, steps
        Rows in a step; steps in an epoch.
    learning_rate, weight_decay
        Of AdamW: the peak of a cosine schedule with a linear warm-up; per step, times the rate.
    """

    train: npt.NDArray[np.intp]
    validation: npt.NDArray[np.intp]
    epochs: int
    patience: int
    batch: int
    steps: int
    learning_rate: float
    weight_decay: float


def log_cdf(z: Any) -> Any:
    """Logarithm of the standard normal distribution function, safe far in the lower tail.

    Below -5 by its asymptotic series; both branches are kept finite, so that the gradient is.
    """
    near, far = tf.maximum(z, -5.0), tf.minimum(z, -5.0)
    u = 1 / (far * far)
    series = tf.math.log1p(-u * (1 - u * (3 - 15 * u)))
    tail = -0.5 * far * far - tf.math.log(-far) - 0.5 * math.log(2 * math.pi) + series
    return tf.where(z > -5.0, tf.math.log(0.5 * tf.math.erfc(near * -math.sqrt(0.5))), tail)


def censored_loss(out: Any, amounts: Any, sides: Any) -> Any:
    """Negative log-likelihood of amounts that may stand on a bound, up to a constant.

    Parameters
    ----------
    out
        (..., 2) centre and logarithm of the spread.
    amounts, sides
        (...) amounts, and -1 on the floor, 0 within, 1 on the ceiling.
    """
    log_spread = tf.clip_by_value(out[..., 1], *LOG_SPREAD)
    z = (amounts - out[..., 0]) * tf.exp(-log_spread)
    on_bound = -log_cdf(tf.where(sides > 0, -z, z))
    return tf.where(sides == 0, 0.5 * z * z + log_spread, on_bound)


def _silu(x: Any) -> Any:
    """As keras.ops.silu, whose custom gradient keeps every graph it was traced in alive."""
    return x * tf.sigmoid(x)


class Committee(keras.Model):  # type: ignore[misc]
    """K networks with two hidden layers beside a linear path, as stacked weights.

    Parameters
    ----------
    weights
        Initial values: ``linear`` (K, d, 2), ``intercept`` (K, 1, 2); ``weight_1`` (K, d, H),
        ``weight_pieces`` (K / 2, p, H), ``bias_1`` (K, 1, H), ``weight_2`` (K, H, H), ``bias_2``
        (K, 1, H), ``weight_out`` (K, H, 2). The second half of the members sees the pieces.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        for name, value in weights.items():
            variable = self.add_weight(shape=value.shape, name=name, dtype="float32")
            variable.assign(value)
            setattr(self, name, variable)

    def call(self, features: Any, pieces: Any) -> Any:
        """(K, m, d) features and (K / 2, m, p) pieces to (K, m, 2) centres and log-spreads."""
        plain, pieced = tf.split(features @ self.weight_1, 2)
        h = tf.concat([plain, pieced + pieces @ self.weight_pieces], axis=0)
        h = _silu(h + self.bias_1)
        h = _silu(h @ self.weight_2 + self.bias_2)
        return features @ self.linear + self.intercept + h @ self.weight_out


class _Trainer:
    """One epoch of a committee as one graph, and the best weights so far."""

    def __init__(self, model: Committee, rows: Rows, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self.features, self.pieces = tf.constant(rows.features), tf.constant(rows.pieces)
        self.amounts, self.sides = tf.constant(rows.amounts), tf.constant(rows.sides)
        self.validation = tf.constant(plan.validation)
        self.variables = [v.value for v in model.trainable_variables]
        self.decayed = [v.value for v in model.trainable_variables if v.name not in NOT_DECAYED]
        self.adam = _Adam(self.variables)
        self.best = [tf.Variable(v) for v in self.variables]
        self.best_loss = tf.Variable(self._losses(self.validation))
        worth_compiling = plan.epochs * plan.steps >= LEAST_COMPILED_STEPS
        self.epoch = tf.function(self._epoch) if worth_compiling else self._epoch

    def _losses(self, rows: Any) -> Any:
        """(K,) mean losses of the members, each on its row of row numbers."""
        pieced = rows[rows.shape[0] // 2 :]
        out = self.model.call(tf.gather(self.features, rows), tf.gather(self.pieces, pieced))
        amounts, sides = tf.gather(self.amounts, rows), tf.gather(self.sides, rows)
        return tf.reduce_mean(censored_loss(out, amounts, sides), axis=1)

    def _epoch(self, batches: Any, learning_rate: Any) -> tuple[Any, Any]:
        """Take the steps of (steps, K, batch) row numbers; mean train and validation losses."""
        total = 0.0
        for batch in batches:
            with tf.GradientTape() as tape:
                losses = self._losses(batch)
                loss = tf.reduce_sum(losses)
            for variable in self.decayed:
                variable.assign(variable * (1 - learning_rate * self.plan.weight_decay))
            self.adam.step(tape.gradient(loss, self.variables), learning_rate)
            total += tf.reduce_mean(losses)
        losses = self._losses(self.validation)
        self._keep(losses)
        return total / tf.cast(tf.shape(batches)[0], tf.float32), tf.reduce_mean(losses)

    def _keep(self, losses: Any) -> None:
        better = losses < self.best_loss
        for best, value in zip(self.best, self.variables, strict=True):
            mine = tf.reshape(better[-value.shape[0] :], [-1, 1, 1])
            best.assign(tf.where(mine, value, best))
        self.best_loss.assign(tf.where(better, losses, self.best_loss))


class _Adam:
    """Adam (D. Kingma and J. Ba, ICLR 2015) on TensorFlow's fused kernel.

    Keras's own optimizer keeps every graph it was traced in alive and doubles the tracing time.
    """

    def __init__(self, variables: list[Any]) -> None:
        self.variables = variables
        self.mean = [tf.Variable(tf.zeros_like(v)) for v in variables]
        self.square = [tf.Variable(tf.zeros_like(v)) for v in variables]
        self.powers = [tf.Variable(1.0), tf.Variable(1.0)]

    def step(self, gradients: list[Any], learning_rate: Any) -> None:
        """Move the variables against their gradients."""
        powers = [p.assign(p * beta) for p, beta in zip(self.powers, BETAS, strict=True)]
        state = zip(self.variables, self.mean, self.square, gradients, strict=True)
        for variable, mean, square, gradient in state:
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=mean.handle, v=square.handle, grad=gradient,
                beta1_power=powers[0], beta2_power=powers[1], lr=learning_rate,
                beta1=BETAS[0], beta2=BETAS[1], epsilon=1e-7,
            )  # fmt: skip


def _learning_rate(plan: Plan, number: int) -> float:
    """Rate of an epoch, numbered from 1: a linear warm-up, then half a cosine to zero."""
    done = (number - 1) / plan.epochs
    warm = min(1.0, number / (1 + WARM_UP * plan.epochs))
    return plan.learning_rate * warm * (1 + math.cos(math.pi * done)) / 2


def train(
    weights: Weights,
    rows: Rows,
    plan: Plan,
    rng: np.random.Generator,
    progress: Callable[[int, float, float], None],
) -> Weights:
    """Train a committee.

    Parameters
    ----------
    weights
        Initial values, as `Committee` takes them.
    rows, plan
        What is learned from, and how.
    rng
        Shuffles the rows.
    progress
        Called after each epoch with its number (from 1) and its training and validation loss.
        What it raises ends the training.

    Returns
    -------
    dict
        Weights named and shaped as the initial ones: each member's of its best epoch.
    """
    model = Committee(weights)
    trainer = _Trainer(model, rows, plan)
    best, waited = math.inf, 0
    try:
        for number in range(1, plan.epochs + 1):
            rate = tf.constant(_learning_rate(plan, number), tf.float32)
            loss, val_loss = trainer.epoch(tf.constant(_batches(plan, rng)), rate)
            progress(number, float(loss), float(val_loss))
            now = float(tf.reduce_mean(trainer.best_loss))
            waited = 0 if now < best - 1e-4 else waited + 1
            best = min(best, now)
            if waited >= plan.patience:
                break
        return _values(model, trainer.best)
    finally:
        del trainer, model
        gc.collect()


def _batches(plan: Plan, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """(steps, K, batch) row numbers: each member's rows in an order of its own."""
    members = len(plan.train)
    rows = np.resize(rng.permuted(plan.train, axis=1).T, (plan.steps * plan.batch, members))
    return np.ascontiguousarray(rows.reshape(plan.steps, plan.batch, members).swapaxes(1, 2))


def _values(model: Committee, best: list[Any]) -> Weights:
    names = [v.name for v in model.trainable_variables]
    return {name: value.numpy() for name, value in zip(names, best, strict=True)}
