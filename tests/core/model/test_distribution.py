"""The distribution of an amount that is cut off at a floor and a ceiling."""

import math

import numpy as np
import pytest
from scipy import stats

from loanapp.core.model.distribution import Distribution, Transform, normal_cdf, normal_quantile

LOG = Transform(origin=500, bend=300)
MIRRORED = Transform(origin=500, bend=300, direction=-1)


def draw(d: Distribution, n: int = 400_000) -> np.ndarray:
    z = stats.norm.ppf((np.arange(n) + 0.5) / n)
    amounts = d.transform.inverse(d.centre[:, None] + d.spread[:, None] * z)
    return np.clip(amounts, d.floor, d.ceiling)


def test_the_normal_distribution_function_is_exact_to_a_billionth() -> None:
    z = np.linspace(-12, 12, 9973)
    assert np.abs(normal_cdf(z) - stats.norm.cdf(z)).max() < 1e-9


def test_quantiles_of_the_standard_normal() -> None:
    q = np.array([0, 1e-12, 0.05, 0.5, 0.975, 1])
    np.testing.assert_allclose(normal_quantile(q), stats.norm.ppf(q), rtol=1e-9)
    with pytest.raises(ValueError, match="between 0 and 1"):
        normal_quantile(1.2)


def test_uncut_it_is_the_normal_distribution() -> None:
    d = Distribution(np.array([10.0, -3.0]), np.array([2.0, 1.0]))
    np.testing.assert_array_equal(d.mean(), d.location)
    np.testing.assert_array_equal(d.median(), [10, -3])
    np.testing.assert_allclose(d.quantile(0.975), [10 + 2 * 1.959964, -3 + 1.959964], rtol=1e-6)


def test_many_levels_give_a_column_each() -> None:
    d = Distribution(np.arange(5.0), np.ones(5), floor=1.0)
    bands = d.quantile([0.05, 0.5, 0.95])
    assert bands.shape == (5, 3)
    assert (np.diff(bands, axis=1) >= 0).all()
    np.testing.assert_array_equal(bands[:, 1], d.median())


@pytest.mark.parametrize("transform", [Transform(), LOG, MIRRORED])
def test_the_expected_amount_is_the_mean_of_draws(transform: Transform) -> None:
    centre = transform.forward(np.array([400.0, 500.0, 650.0, 700.0]))
    d = Distribution(centre, np.array([30.0, 200.0, 90.0, 5.0]), 500.0, 690.0, transform)
    np.testing.assert_allclose(d.mean(), draw(d).mean(axis=1), rtol=1e-4)


@pytest.mark.parametrize("bounds", [(-math.inf, 690.0), (500.0, math.inf)])
def test_the_expected_amount_with_one_bound(bounds: tuple[float, float]) -> None:
    d = Distribution(np.array([480.0, 600.0, 700.0]), np.full(3, 80.0), *bounds)
    np.testing.assert_allclose(d.mean(), draw(d).mean(axis=1), rtol=1e-4)


def test_nothing_is_beyond_a_bound_however_far_the_centre_is() -> None:
    d = Distribution(np.array([-1e9, 1e9]), np.array([1.0, 1.0]), 500.0, 40000.0)
    for amounts in (d.median(), d.mean(), d.quantile(0.05), d.quantile(0.95)):
        np.testing.assert_allclose(amounts, [500, 40000], rtol=1e-9)


@pytest.mark.parametrize("transform", [LOG, MIRRORED, Transform()])
def test_a_transform_and_its_inverse_cancel(transform: Transform) -> None:
    y = np.array([250.0, 480.0, 500.0, 510.0, 700.0])
    np.testing.assert_allclose(transform.inverse(transform.forward(y)), y)


def test_the_scale_is_in_the_target_unit() -> None:
    d = Distribution(LOG.forward([800.0]), np.array([1e-3]), transform=LOG)
    step = np.diff(d.quantile(normal_cdf([0.0, 1.0])))
    np.testing.assert_allclose(d.scale, step[:, 0], rtol=1e-4)
