"""Orthant probabilities of Gaussian vectors, where they are known in closed form."""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from simbias.stats.orthant import log_orthant


def of_three(a, b, c):
    """Sheppard (1900), for three coordinates of unit variance."""
    return 1 / 8 + (math.asin(a) + math.asin(b) + math.asin(c)) / (4 * math.pi)


def correlated(a, b, c):
    return np.array([[1, a, b], [a, 1, c], [b, c, 1]])


def test_independent_coordinates_are_positive_together_with_two_to_the_minus_n():
    orthant = log_orthant(np.diag(np.arange(1.0, 301)))
    assert orthant.value == pytest.approx(-300 * math.log(2), rel=1e-9)


@pytest.mark.parametrize(
    "correlations, error",
    (((0.5, 0.5, 0.5), 0.01), ((-0.4, -0.3, 0.1), 0.01), ((0.9, 0.1, 0.2), 0.04)),
)
def test_of_three_coordinates_it_is_a_sum_of_arcsines(correlations, error):
    orthant = log_orthant(correlated(*correlations))
    assert math.exp(orthant.value) == pytest.approx(of_three(*correlations), rel=error)


@pytest.mark.parametrize("n", (2, 20, 300))
def test_with_all_correlations_a_half_it_is_one_over_n_plus_one(n):
    assert log_orthant(3 * (np.eye(n) + 1)).value == pytest.approx(-math.log(n + 1), rel=0.01)


def test_of_a_moving_least_noise_it_is_that_of_orders():
    # x_0 < x_1 < ... < x_n of independent equal noises: one order of (n + 1)!
    n = 30
    steps = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    assert log_orthant(steps).value == pytest.approx(-math.lgamma(n + 2), rel=0.01)


def test_it_agrees_with_importance_sampling_on_a_random_covariance():
    # coordinates drawn in turn where they have to be: the mean weight is the probability
    source = np.random.default_rng(0)
    basis = source.normal(size=(12, 20))
    covariance = basis @ basis.T
    factor, particles = np.linalg.cholesky(covariance), 200_000
    z, weight = np.zeros((12, particles)), np.ones(particles)
    for i in range(12):
        below = ndtr(-factor[i, :i] @ z[:i] / factor[i, i])
        weight *= 1 - below
        z[i] = ndtri(np.clip(below + (1 - below) * source.random(particles), 1e-15, 1 - 1e-15))
    assert weight.std() / math.sqrt(particles) < 0.02 * weight.mean()
    assert log_orthant(covariance).value == pytest.approx(math.log(weight.mean()), abs=0.15)


def test_scale_and_order_of_coordinates_do_not_matter():
    source = np.random.default_rng(1)
    basis = source.normal(size=(40, 5))
    covariance = basis @ basis.T + 0.01 * np.eye(40)
    order, scale = source.permutation(40), np.exp(source.normal(size=40))
    expected = log_orthant(covariance).value
    other = (covariance * np.outer(scale, scale))[np.ix_(order, order)]
    assert log_orthant(other).value == pytest.approx(expected, rel=1e-4)


def test_equal_coordinates_count_again_so_that_the_probability_is_too_small():
    volumes = [math.exp(log_orthant(np.ones((n, n))).value) for n in (1, 2, 6)]
    assert volumes == pytest.approx([0.5, 0.442, 0.375], abs=0.002)


@pytest.mark.parametrize(
    "covariance, message",
    (
        (np.diag([1.0, 0.0]), r"^covariance: got 'shape \(2, 2\)', allowed: .* variances > 0$"),
        (
            np.array([[1.0, 3.0], [3.0, 1.0]]),
            "^covariance: got 'a negative direction', allowed: a positive semidefinite matrix$",
        ),
    ),
)
def test_what_is_no_covariance_is_refused_in_one_line(covariance, message):
    with pytest.raises(ValueError, match=message):
        log_orthant(covariance)
