"""The censored likelihood in Keras."""

import numpy as np
import pytest
from scipy import stats

from loanapp.core.model import network


def test_log_probabilities_are_right_far_in_the_tails() -> None:
    z = np.array([-1e4, -100, -30, -8, -5.001, -4.999, -1, 0, 3, 40], np.float32)
    np.testing.assert_allclose(
        network.log_cdf(network.tf.constant(z)), stats.norm.logcdf(z), rtol=2e-4, atol=1e-6
    )


def test_gradients_stay_finite_far_in_the_tails() -> None:
    z = network.tf.constant([-1e4, -50.0, -5.0, 0.0, 9.0, 1e4])
    with network.tf.GradientTape() as tape:
        tape.watch(z)
        total = network.tf.reduce_sum(network.log_cdf(z))
    slope = tape.gradient(total, z).numpy()
    assert np.isfinite(slope).all()
    assert (slope >= 0).all()
    assert slope[1] == pytest.approx(50, rel=1e-2)


def test_the_loss_is_the_censored_likelihood() -> None:
    out = np.array([[1.0, np.log(2.0)]] * 3, np.float32)
    loss = network.censored_loss(
        network.tf.constant(out), np.array([0, 2, 4], np.float32), np.array([-1, 0, 1], np.int8)
    )
    expected = [
        -stats.norm.logcdf(-0.5),
        -stats.norm.logpdf(2, 1, 2) - np.log(2 * np.pi) / 2,
        -stats.norm.logsf(1.5),
    ]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
