"""Statistics that rooms share: exact coverage by enumeration, and what scipy says of the same."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import comb

from simbias.stats.beta_mixture import log_mixture, log_mixture_above
from simbias.stats.binomial import above_median, clopper_pearson, lower_limit, tail, upper_limit
from simbias.stats.bisection import bracket
from simbias.stats.student import half_width, half_width_of_mean, lower_tail, quantile

# the binomial law


@pytest.mark.parametrize("n", (1, 2, 5, 6, 59))
def test_tails_are_those_of_the_binomial_at_every_count(n):
    k = np.arange(-1, n + 1)
    for proportion in (0.05, 0.5, 0.95):
        tails = tail(k, n, proportion)
        np.testing.assert_allclose(tails, stats.binom.sf(k - 1, n, proportion), atol=1e-12)


def test_clopper_pearson_golden_values():
    interval = clopper_pearson(np.array([500, 0]), np.array([10_000, 10_000]), 0.9)
    assert interval.high == pytest.approx([0.05373, 0.00030], abs=5e-6)
    assert interval.high[1] == pytest.approx(1 - 0.05 ** (1 / 10_000))
    assert interval.value == pytest.approx([0.05, 0])
    assert interval.low[1] == 0


def test_clopper_pearson_equals_the_tails_it_inverts():
    k, n, confidence = np.arange(1, 20), np.full(19, 20), 0.95
    tails = clopper_pearson(k, n, confidence)
    np.testing.assert_allclose(stats.binom.sf(k - 1, n, tails.low), 0.025, rtol=1e-8)
    np.testing.assert_allclose(stats.binom.cdf(k, n, tails.high), 0.025, rtol=1e-8)


def coverage(interval, n, p):
    """The exact probability that the interval covers p."""
    k = np.arange(n + 1)
    low, high = interval(k, np.full(n + 1, n))
    return np.sum(stats.binom.pmf(k, n, p)[(low <= p) & (p <= high)])


@pytest.mark.parametrize("n", (1, 5, 30, 200))
def test_clopper_pearson_covers_at_least_as_often_as_it_says(n):
    def exact(k, trials):
        return clopper_pearson(k, trials, 0.95)[1:]

    def wald(k, trials):
        half = 1.96 * np.sqrt(k / trials * (1 - k / trials) / trials)
        return k / trials - half, k / trials + half

    places = np.linspace(0.005, 0.995, 67)
    assert min(coverage(exact, n, p) for p in places) >= 0.95
    assert min(coverage(wald, n, p) for p in places) < 0.9  # planted: an interval that does not


def test_all_or_none_reach_the_ends_and_no_trials_give_nan():
    interval = clopper_pearson(np.array([0, 7, 0]), np.array([7, 7, 0]), 0.95)
    assert (interval.low[0], interval.high[1]) == (0, 1)
    assert interval.low[1] == pytest.approx(0.025 ** (1 / 7))
    assert np.isnan([part[2] for part in interval]).all()


@pytest.mark.parametrize("k, n", ((1, 1), (1, 2), (7, 20), (20, 20)))
def test_limits_are_where_tails_have_their_level_and_mirror_one_another(k, n):
    low = lower_limit(k, n, 0.025)
    assert stats.binom.sf(k - 1, n, low) == pytest.approx(0.025)
    assert upper_limit(n - k, n, 0.025) == pytest.approx(1 - low)
    assert lower_limit(0, n, 0.025) == 0 and upper_limit(n, n, 0.025) == 1


@pytest.mark.parametrize("n, proportion", ((1, 0.5), (5, 0.5), (6, 0.5), (20, 0.5), (20, 0.6)))
def test_the_order_statistic_above_a_median_is_the_first_that_is_sure_enough(n, proportion):
    below = stats.binom.sf(np.arange(n), n, proportion)  # of each order statistic, to be below it
    place = above_median(n, 0.025, proportion)
    if place is None:
        assert below[-1] > 0.025
    else:
        assert below[place] <= 0.025 < below[place - 1]


# Student's t


def test_the_interval_of_a_mean_is_students():
    x = np.random.default_rng(0).normal(size=12)
    low, high = stats.t.interval(0.9, 11, x.mean(), stats.sem(x))
    assert half_width_of_mean(x, 0.9) == pytest.approx((high - low) / 2)
    assert half_width(stats.sem(x), 11, 0.9) == half_width_of_mean(x, 0.9)


def test_students_quantile_is_where_the_tail_has_its_level():
    for freedom in (1, 5, 40):
        assert lower_tail(quantile(0.95, freedom), freedom) == pytest.approx(0.95)
        assert quantile(0.95, freedom) == pytest.approx(stats.t.ppf(0.95, freedom))
    assert np.isnan(lower_tail(np.nan, 5))


@pytest.mark.parametrize("values", ([1.0], [0.1, 0.1, 0.1], [1.0, 2.0, np.inf]))
def test_values_that_show_no_finite_spread_have_no_interval(values):
    assert np.isnan(half_width_of_mean(np.array(values), 0.95))
    assert np.isnan(half_width(0.0, 3, 0.95))


# mixtures, brackets


@pytest.mark.parametrize("n", (0, 1, 2, 30))
def test_the_mixtures_probabilities_of_all_orders_sum_to_one(n):
    k = np.arange(n + 1)
    assert np.sum(comb(n, k) * np.exp(log_mixture(k, n))) == pytest.approx(1)


def test_a_mixture_of_coins_with_a_fair_law_shows_a_first_success_half_of_the_time():
    assert np.exp(log_mixture(1, 1)) == pytest.approx(1 / 2)
    assert np.exp(log_mixture(2, 2)) == pytest.approx(3 / 8)  # E q^2 of the arcsine law


@pytest.mark.parametrize("k, n, proportion", ((0, 0, 0.3), (3, 10, 0.3), (9, 10, 0.05)))
def test_a_mixture_above_a_proportion_is_the_mixtures_part_over_the_laws_part(k, n, proportion):
    law = stats.beta(0.5, 0.5)
    part = law.expect(lambda q: q**k * (1 - q) ** (n - k), lb=proportion)
    assert np.exp(log_mixture_above(k, n, proportion)) == pytest.approx(part / law.sf(proportion))


def test_a_bracket_ends_around_where_its_condition_turns_true():
    roots = np.array([0.3, 0.75, 2.0])
    low, high = bracket(lambda x: x >= roots, np.zeros(3), np.ones(3), 20)
    assert (high - low == 2.0**-20).all()
    assert ((low < roots) & (roots <= high))[:2].all() and high[2] == 1
