"""Intervals of bounded means: exact coverage by enumeration, hand-computed ends, and capital."""

import itertools

import numpy as np
import pytest
from scipy import stats

from simbias.stats import bounded
from simbias.stats.binomial import clopper_pearson
from simbias.stats.bounded import betting_interval, log_capital, mean_interval
from simbias.validation.reliance import AucSum, auc, estimates

LEVEL = 0.025
PROPORTIONS = np.array([0.001, 0.02, 0.1, 0.3, 0.5, 0.77, 0.95, 0.999])


def missed(truth, ends, probability):
    """The probability that the truth lies below, and above, the ends of outcomes."""
    low, high = ends
    return np.sum(probability * (truth < low)), np.sum(probability * (truth > high))


@pytest.mark.parametrize("k", (1, 2, 7, 40, 200))
def test_a_mean_interval_of_binomial_proportions_misses_with_at_most_its_error_on_either_side(k):
    hits = np.arange(k + 1)
    ends = mean_interval(hits / k, np.full(k + 1, k), 1 - 2 * LEVEL)
    worst = [max(missed(p, ends, stats.binom.pmf(hits, k, p))) for p in np.linspace(0, 1, 201)]
    assert LEVEL / 3 < max(worst) <= LEVEL


def test_a_mean_interval_is_clopper_and_pearsons_at_the_ends_and_inside_chernoffs_elsewhere():
    k = np.array([1, 5, 100, 100_000])
    exact = clopper_pearson(k, k, 1 - 2 * LEVEL)
    ones = mean_interval(np.ones(4), k, 1 - 2 * LEVEL)
    np.testing.assert_allclose(ones, (exact.low, exact.high), atol=1e-12)
    zeros = mean_interval(np.zeros(4), k, 1 - 2 * LEVEL)
    np.testing.assert_allclose(zeros, (np.zeros(4), 1 - exact.low), atol=1e-12)
    low, high = mean_interval(np.full(2, 0.3), np.array([100, 10_000]), 1 - 2 * LEVEL)
    for n, down, up in zip((100, 10_000), low, high, strict=True):
        for p in (down, up):  # Chernoff's interval is where n kl(u, p) <= log(1/level)
            kl = 0.3 * np.log(0.3 / p) + 0.7 * np.log(0.7 / (1 - p))
            assert 0.6 < n * kl / np.log(1 / LEVEL) < 1
    assert np.isnan(mean_interval(np.array([np.nan]), np.array([0]), 0.95)).all()


@pytest.mark.parametrize("labels", ((3, 3), (1, 5), (2, 4)))
@pytest.mark.parametrize("better", (0.0, 0.5, 0.9))
def test_the_auc_of_few_points_with_ties_misses_with_at_most_its_error(labels, better):
    # three scores; every outcome with its probability
    zero, best = np.array([0.5, 0.4, 0.1]), np.array([0.5 - 0.5 * better, 0.3, 0.2 + 0.5 * better])
    truth = sum(
        a * b * (1.0 * (i > j) + 0.5 * (i == j))
        for (i, a), (j, b) in itertools.product(enumerate(best), enumerate(zero))
    )
    m, n = labels
    y = np.repeat([1, 0], labels)
    outcomes = np.array(list(itertools.product(range(3), repeat=m + n)))
    probability = np.prod([best[outcomes[:, :m]].prod(1), zero[outcomes[:, m:]].prod(1)], axis=0)
    values = np.array([auc(y, scores) for scores in outcomes])
    ends = mean_interval(values, np.full(len(values), min(m, n)), 0.6)
    assert probability.sum() == pytest.approx(1) and probability @ values == pytest.approx(truth)
    assert max(missed(truth, ends, probability)) <= 0.2


@pytest.mark.parametrize("rows", ((200,), (150, 50)))
@pytest.mark.thorough
def test_the_auc_near_1_is_covered_where_no_pair_is_out_of_order(rows):
    random, truth, covered, flat = np.random.default_rng(0), 0.9995, 0, 0
    shift = np.sqrt(2) * stats.norm.ppf(truth)
    for _ in range(200):
        total = AucSum()
        for count in rows:
            y = random.integers(0, 2, (1, count))
            total.add(y, random.normal(size=(1, count)) + shift * y)
        (interval,) = estimates([total], 0.95)
        covered += interval.low[0] <= truth <= interval.high[0]
        flat += interval.value[0] == 1
    assert flat > 30 and covered >= 190


def test_capital_is_1_on_average_where_the_mean_is_the_edge_and_more_where_it_is_above():
    values, units = np.array([0.0, 0.3, 1.0]), 4
    outcomes = np.array(list(itertools.product(range(3), repeat=units)))
    for law in ([0.2, 0.5, 0.3], [0.9, 0.0, 0.1]):
        law = np.array(law)
        probability, mean = law[outcomes].prod(axis=1), law @ values
        for units_seen in (0, 3):
            capital = np.exp(log_capital(values[outcomes], mean)[:, units_seen])
            assert probability @ capital == pytest.approx(1)
            capital = np.exp(log_capital(values[outcomes], 0.7 * mean)[:, units_seen])
            assert probability @ capital > 1.05
    total = log_capital(values[outcomes], mean, total=True)
    np.testing.assert_allclose(total[:, 0], log_capital(values[outcomes], mean)[:, -1])


def test_capital_after_ones_is_the_mean_power_of_the_bets():
    # f of the arcsine law on [0, 1]: E f = 1/2, E f^2 = 3/8, E f^3 = 5/16; 1 - f + f/p at p = 1/2
    capital = np.exp(log_capital(np.ones(3), 0.5))
    np.testing.assert_allclose(capital, [1.5, 1 + 1 + 3 / 8, 1 + 3 / 2 + 9 / 8 + 5 / 16], rtol=1e-6)
    capital = np.exp(log_capital(np.array([1.0, 0.0]), 0.5))
    np.testing.assert_allclose(capital, [1.5, 1 - 3 / 8], rtol=1e-6)


def test_capital_never_rises_with_the_edge():
    values = np.random.default_rng(0).random(30)
    capital = log_capital(np.broadcast_to(values, (99, 30)), np.arange(1, 100)[:, None] / 100)
    assert np.all(np.diff(capital, axis=0) <= 1e-12)


@pytest.mark.parametrize("n", (1, 3, 20, 60))
def test_a_betting_interval_of_proportions_misses_with_at_most_its_error_on_either_side(n):
    hits = np.arange(n + 1)
    ends = betting_interval(np.float64(hits[:, None] > np.arange(n)), 1 - 2 * LEVEL)
    for p in PROPORTIONS:
        assert max(missed(p, ends, stats.binom.pmf(hits, n, p))) <= LEVEL


def test_a_betting_interval_covers_the_mean_of_a_finite_population_without_replacement():
    population = np.array([0.0, 0.0, 0.1, 0.2, 0.9, 1.0, 1.0])
    for size in (1, 3, 5, 7):
        chosen = np.array(list(itertools.combinations(population, size)))
        low, high = betting_interval(chosen, 0.6)
        assert np.mean(population.mean() < low) <= 0.2 and np.mean(population.mean() > high) <= 0.2


def test_a_betting_interval_narrows_with_the_spread_and_is_the_mirror_image_of_its_mirror():
    random = np.random.default_rng(1)
    tight, wide = 0.3 + 0.02 * random.standard_normal(64), 1.0 * (random.random(64) < 0.3)
    ends = np.array(betting_interval(np.stack([tight, wide]), 0.95))
    assert np.all(np.diff(ends, axis=0)[0] * [4, 1] < [0.4, 0.4])
    mirrored = np.array(betting_interval(1 - np.stack([tight, wide]), 0.95))
    np.testing.assert_allclose(mirrored, 1 - ends[::-1], atol=1e-9)
    alike = np.array(betting_interval(np.full((2, 50), [[0.0], [1.0]]), 0.95))
    assert alike[0, 0] == 0 and alike[1, 1] == 1 and 0.05 < alike[1, 0] < 0.12
    assert np.isnan(betting_interval(np.array([0.1, np.nan]), 0.95)).all()


@pytest.mark.parametrize("seed", range(4))
def test_what_lies_beyond_a_limit_is_excluded_and_the_limit_itself_too(seed):
    values = np.random.default_rng(seed).random(30)
    enough = np.log(2 / 0.05)
    low, high = betting_interval(values, 0.95)
    assert log_capital(values, low, total=True) >= enough
    assert log_capital(1 - values, 1 - high, total=True) >= enough
    mean, terms = np.array(values.mean()), np.array(30)
    low, high = mean_interval(mean, terms, 0.95)
    for u, limit in ((mean, low), (1 - mean, 1 - high)):
        assert bounded._tails(u, terms, limit, bounded._LEVELS).min() <= 0.025
        beyond = min(limit + 1e-9, 1.0)
        assert bounded._tails(u, terms, beyond, bounded._LEVELS).min() > 0.025
