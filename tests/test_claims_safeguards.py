"""Safeguards of the tests of claims, each at the edge where it decides."""

import math

import numpy as np
import pytest
from scipy import stats

from simbias.claims import betting, exact, means, sequential
from simbias.claims.family import holm
from simbias.stats.bounded import log_capital
from simbias.stats.step_down import reaches


def rare(n, place=-1.5):
    """Units at -1 but for one."""
    return np.where(np.arange(n) == 3, place, -1.0)


def skewed(seed, n=24):
    """Units with a long tail on the side that is claimed, so that Student's is the larger p."""
    return 0.55 - np.random.default_rng(seed).exponential(size=n)


def joined(x):
    return np.append(x, x.max())


# resampled means


@pytest.mark.parametrize("n", (20, 40))
def test_a_resample_without_spread_counts_against_the_side_it_would_support(n):
    # the worst unit once more: n of n + 1 at -1, and a resample holds none of the other with
    # probability (n/(n + 1))^(n + 1), about 1/e
    flat = (n / (n + 1)) ** (n + 1)
    assert means.bootstrap(rare(n)) == pytest.approx(flat, abs=0.02)
    assert means.bootstrap(rare(n)[None])[0] == means.bootstrap(rare(n))
    assert means.bootstrap_limit(rare(n), 0.25) == np.inf
    assert means.bootstrap_limit(rare(n), 0.45) < np.inf


@pytest.mark.parametrize("seed", (0, 1, 2, 3))
def test_the_worst_unit_is_put_in_once_more_and_students_test_decides_where_it_is_larger(seed):
    x = skewed(seed)
    student = stats.ttest_1samp(joined(x), 0, alternative="less").pvalue
    assert means.bootstrap(x) == pytest.approx(student, rel=1e-9)
    assert student > 1.2 * stats.ttest_1samp(x, 0, alternative="less").pvalue
    one_more = joined(x).mean() + stats.sem(joined(x)) * stats.t.ppf(0.975, len(x))
    assert means.bootstrap_limit(x, 0.025) == pytest.approx(one_more, rel=1e-9)


@pytest.mark.parametrize("n", (20, 21, 50))
def test_a_p_value_of_few_units_is_at_least_a_fifth_of_one_in_all_of_them(n):
    clear = -10 - np.random.default_rng(0).random(n)
    assert means.bootstrap(clear) == 1 / (5 * n) == means.least_p(n)
    assert means.bootstrap_limit(clear, 0.999 / (5 * n)) == np.inf
    assert means.bootstrap_limit(clear, 1 / (5 * n)) < -10
    assert means.least_p(19) == means.bootstrap(clear[:19]) == 1
    assert means.bootstrap_limit(clear[:19], 0.4) == np.inf


@pytest.mark.parametrize("n, away", ((24, 9), (21, 8)))
def test_a_resample_as_extreme_as_the_units_counts_against_the_side(n, away):
    # two values 1 apart, of which the units and the worst once more hold ``away`` lower ones, so
    # placed that a resample with n - away lower ones has exactly their t
    high = 3 * away / n - 1
    x = np.repeat([high, high - 1], [n - away - 1, away])
    assert means.bootstrap(x) == pytest.approx(stats.binom.sf(n - away - 1, n, away / n), abs=0.003)


@pytest.mark.parametrize("value", (-1.0, -0.1))  # of which the second is not its own mean in floats
def test_units_without_spread_say_nothing_of_a_mean(value):
    same = np.full(40, value)
    assert means.bootstrap(same) == 1 and means.bootstrap_limit(same, 0.4) == np.inf


def test_a_bootstrap_never_gives_less_than_its_resamples_can_show():
    assert means.least_p(2000) == 1 / 10_000 == means.least_p(10**6)
    assert means.least_p(1999) == 1 / (5 * 1999)


def test_resamples_are_the_same_in_whatever_blocks_they_are_drawn(monkeypatch):
    x = np.random.default_rng(5).normal(-0.3, 1, 30)
    monkeypatch.setattr(means, "RESAMPLES", 99)
    whole = means._studentised(x)[2]
    for work in (31, 30, 1000):  # a block of two draws, of one, and of 33
        monkeypatch.setattr(means, "_WORK", work)
        np.testing.assert_allclose(means._studentised(x)[2], whole, rtol=1e-12)


@pytest.mark.parametrize("bad", (np.inf, -np.inf))
def test_one_unit_without_an_end_leaves_nothing_to_be_said(bad):
    x = -1 - np.random.default_rng(0).random(30)
    x[7] = bad
    assert means.bootstrap(x) == means.flips(x) == 1
    assert means.bootstrap_limit(x, 0.4) == means.flips_limit(x, 0.4) == np.inf
    # and takes nothing from the others
    both = np.stack([x, -1 - np.random.default_rng(1).random(30)])
    assert (means.flips(both) == [1, means.flips(both[1])]).all()
    assert (means.bootstrap(both) == [1, means.bootstrap(both[1])]).all()


# sign flips


def test_ties_of_flipped_sums_count_against_the_side():
    # .1 + .2 - .3 is not 0 in floats: as many subsets as in tenths, whichever way they are added
    tenths = np.array([1, 2, -3, 4, -4, -6])
    at_least = np.mean([tenths[subset].sum() >= 0 for subset in subsets(6)])
    for order in (np.arange(6), np.arange(6)[::-1]):
        assert means.flips(tenths[order] / 10) == at_least
    assert means.flips(np.zeros(6)) == 1


def subsets(n):
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(bool)


@pytest.mark.parametrize("level", (1 / 32, 2 / 32, 3 / 32, 0.5))
def test_the_limit_of_sign_flips_leaves_the_empty_subset_its_part_of_the_level(level):
    x = np.array([0.3, -1.2, 2.5, 0.9, -0.1])
    limit = means.flips_limit(x, level)
    ordered = sorted((x[subset].mean() for subset in subsets(5)[1:]), reverse=True)
    allowed = round(level * 32) - 1  # the empty subset is one of those that reach the sum
    assert limit == (pytest.approx(ordered[allowed]) if allowed < 31 else -np.inf)
    assert means.flips(x - limit - 1e-9) <= level < means.flips(x - limit + 1e-9)


def test_a_level_that_no_flips_can_reach_has_no_limit():
    assert means.flips_limit(np.arange(5.0), 0.999 / 32) == np.inf
    assert means.flips_limit(np.arange(5.0), 1 / 32) == 4


# counts


@pytest.mark.parametrize("n", (5, 6, 9))
def test_the_limit_of_a_median_is_the_first_order_statistic_that_the_level_allows(n):
    x = np.random.default_rng(n).permutation(np.arange(n, dtype=float))
    for above in range(n // 2):
        level = stats.binom.sf(n - above - 1, n, 0.5)  # P(Bin >= n - above)
        assert exact.median_limit(x, level * (1 + 1e-12)) == n - above - 1
        assert exact.median_limit(x, level * (1 - 1e-9)) == (n - above if above else np.inf)


def test_each_limit_of_a_difference_has_half_of_the_error():
    x = np.repeat([-1.0, 0.0, 1.0], (12, 25, 3))
    lower = [
        stats.binomtest(k, 40, alternative="greater").proportion_ci(1 - 0.05 / 2).low
        for k in (37, 12)
    ]
    assert exact.difference_limit(x, 0.05) == pytest.approx(1 - sum(lower))


@pytest.mark.parametrize("level", (0.05, 0.025, 0.01 / 3))
def test_a_p_value_that_equals_its_level_reaches_it_and_a_larger_one_does_not(level):
    assert reaches(level * (1 + 1e-12), level) and not reaches(level * (1 + 1e-8), level)
    assert holm([(level, 1.0)], level) == ["supported"]
    assert holm([(level * (1 + 1e-8), 1.0)], level) == ["inconclusive"]


@pytest.mark.parametrize("seed", range(4))
def test_a_limit_found_by_halving_is_the_excluded_side_of_the_last_bracket(seed):
    hits = np.random.default_rng(seed).random(60) < 0.7
    level, n, k = 0.025, np.arange(1, 61), np.cumsum(hits)
    for limit, evidence in (
        (sequential.anytime_limit(hits, level), lambda p: sequential.log_e(k, n, p)),
        (betting.anytime_limit(1.0 * hits, level), lambda p: log_capital(1.0 * hits, p)),
    ):
        assert evidence(limit).max() >= math.log(1 / level)
        assert 0.3 < limit < hits.mean()
