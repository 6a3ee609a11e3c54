"""Errors under a law that is not drawn from: limits by hand, coverage, and what must be caught."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq
from scipy.special import logsumexp

from simbias.stats.bounded import BETS
from simbias.stats.weighted import capped_limit, choose_cap, left_out_limit

REPEATS, DELTA, POINTS = 120, 0.1, 200

# five kinds of points: their probabilities under P and Q, and whether they are errors
P = np.array([0.5, 0.3, 0.15, 0.05, 0.0])
Q = np.array([0.2, 0.1, 0.3, 0.38, 0.02])
WRONG = np.array([False, False, True, True, True])
WEIGHTS = np.array([0.4, 1 / 3, 2.0, 7.6, np.inf])
RISK = 0.7


def by_betting(values, delta):
    """The mean at which the mixture of bets on 1 - value comes to 1/delta, by root finding."""

    def excess(mean):
        factors = 1 - BETS[:, None] + BETS[:, None] * (1 - values) / (1 - mean)
        capital = logsumexp(np.log(factors).sum(axis=1)) - math.log(len(BETS))
        return capital - math.log(1 / delta)

    return brentq(excess, values.mean(), 1 - 1e-9)


def test_weights_of_the_example_are_ratios_of_probabilities():
    np.testing.assert_allclose(WEIGHTS[:4], Q[:4] / P[:4])
    assert (Q * WRONG).sum() == pytest.approx(RISK)


@pytest.mark.parametrize("cap", (2.0, 7.6))
def test_limits_by_hand(cap):
    kinds = np.repeat(np.arange(4), [25, 15, 8, 2])
    capped = np.minimum(WEIGHTS[kinds], cap) * WRONG[kinds]
    expected = cap * by_betting(capped / cap, DELTA)
    limit = capped_limit(WEIGHTS[kinds], WRONG[kinds], cap, DELTA)
    assert limit == pytest.approx(expected, rel=1e-6)
    simulated = np.repeat(np.arange(5), [10, 5, 15, 19, 1])
    beyond = np.array([0, 0, 0, max(0, 1 - cap / 7.6), 1])[simulated]
    assert left_out_limit(WEIGHTS[simulated], cap, DELTA) == pytest.approx(
        by_betting(beyond, DELTA), rel=1e-6
    )


def certified(source, cap, *, weights=WEIGHTS, left_out=True, scale=True):
    """The limit from one sample of each law, whole or with a part of it missing."""
    drawn, simulated = source.choice(5, POINTS, p=P), source.choice(5, POINTS, p=Q)
    limit = capped_limit(weights[drawn], WRONG[drawn], cap, 0.9 * DELTA)
    rest = left_out_limit(weights[simulated], cap, 0.1 * DELTA) if left_out else 0.0
    return (limit if scale else limit / cap) + rest


def failures(**planted):
    source = np.random.default_rng(4)
    return sum(certified(source, 2.0, **planted) < RISK for _ in range(REPEATS))


@pytest.mark.thorough
def test_limits_fail_at_most_as_often_as_delta():
    assert failures() <= stats.binom.ppf(0.999, REPEATS, DELTA)


@pytest.mark.parametrize(
    "planted",
    (
        dict(weights=np.ones(5)),  # the risk where the points come from
        dict(left_out=False),  # nothing paid for the cap
        dict(scale=False),  # the values' mean, not the weights'
        dict(weights=1 / np.maximum(WEIGHTS, 1e-3)),  # the ratio upside down
    ),
)
@pytest.mark.thorough
def test_what_leaves_out_a_part_is_caught(planted):
    assert failures(**planted) > stats.binom.ppf(0.999, REPEATS, DELTA)


def test_without_errors_the_limit_is_that_of_some_nats_a_point():
    none = capped_limit(np.ones(1000), np.zeros(1000, bool), 1.0, 0.05)
    assert -math.log(0.05) / 1000 < none < 9 / 1000


def test_the_cap_falls_with_fewer_points_and_stays_below_weights_that_few_points_have():
    weights = np.repeat([1.0, 1000.0], [9990, 10])
    caps = [choose_cap(weights, 1000.0, points, 0.05) for points in (100, 10_000, 10**9)]
    assert caps[0] == caps[1] == 1 and caps[2] == 1000
    assert choose_cap(np.full(10, np.inf), math.inf, 100, 0.05) == 1


@pytest.mark.parametrize(
    "call, message",
    (
        (lambda: capped_limit(np.ones(2), np.zeros(2, bool), 0.0, 0.1), "^cap: got 0.0, allowed"),
        (
            lambda: capped_limit(np.ones(0), np.zeros(0, bool), 1.0, 0.1),
            "^weights: got '0 numbers'",
        ),
        (lambda: capped_limit(np.ones(2), np.zeros(2, bool), 1.0, 1.0), "^delta: got 1.0, allowed"),
        (lambda: left_out_limit(np.full(3, np.nan), 1.0, 0.1), "^simulated: got '3 numbers'"),
        (lambda: left_out_limit(-np.ones(3), 1.0, 0.1), "^simulated: got '3 numbers'"),
    ),
)
def test_bad_arguments_are_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()
