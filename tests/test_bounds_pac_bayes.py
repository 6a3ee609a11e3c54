"""PAC-Bayes formulas: golden values, limits by hand, and coverage where everything is known."""

import math

import numpy as np
import pytest
from scipy import stats

from simbias.bounds import pac_bayes as pb
from simbias.bounds.certificates import kl, kl_inverse

N, DELTA = 40_000, 0.05
GOLDEN = (  # error, divergence: Maurer-Seeger, uniform Catoni, McAllester
    (0.0, 1000, 0.02491, 0.02534, 0.11230),
    (0.05, 1000, 0.11428, 0.11495, 0.16230),
    (0.05, 5000, 0.23192, 0.23236, 0.30022),
    (0.0, 20_000, 0.39361, 0.39390, 0.50011),
)


@pytest.mark.parametrize("error, divergence, maurer, catoni, mcallester", GOLDEN)
def test_golden_values(error, divergence, maurer, catoni, mcallester):
    given = (error, divergence, N, DELTA)
    assert pb.maurer_seeger(*given) == pytest.approx(maurer, abs=5.1e-6)
    assert pb.catoni_uniform(*given) == pytest.approx(catoni, abs=5.1e-6)
    assert pb.mcallester(*given) == pytest.approx(mcallester, abs=5.1e-6)


def test_the_moment_behind_the_bound_is_at_most_two_roots_of_n():
    # E exp(n kl(k/n || p)) for k ~ Binomial(n, p): the same for all p, at most 2 sqrt(n)
    for n in (1, 2, 5, 8, 50, 500):
        k = np.arange(n + 1)
        for p in (0.1, 0.5):
            moment = np.sum(np.exp(stats.binom.logpmf(k, n, p) + n * kl(k / n, p)))
            assert moment <= 2 * math.sqrt(n) * (1 + 1e-12)


def test_order_of_the_bounds():
    for error, divergence in ((0, 10), (0.01, 300), (0.1, 2000), (0.3, 50)):
        given = (error, divergence, 10_000, DELTA)
        assert pb.maurer_seeger(*given) <= pb.mcallester(*given)
        # kl(q || p) >= (p - q)^2/2p: what the posterior is descended by is no smaller
        half = (divergence + math.log(2 * math.sqrt(10_000) / DELTA)) / 10_000 / 2
        quadratic = (math.sqrt(error + half) + math.sqrt(half)) ** 2
        assert error < pb.maurer_seeger(*given) <= quadratic


def test_gaussian_divergence_by_hand():
    assert pb.gaussian_kl([1.0, 2.0], 0.5, [1.0, 2.0], 0.5) == 0
    assert pb.gaussian_kl([3.0], 1.0, [1.0], 1.0) == pytest.approx(2)
    assert pb.gaussian_kl([0.0], 2.0, [0.0], 1.0) == pytest.approx((2 - 1 - math.log(2)) / 2)
    assert pb.gaussian_kl(np.zeros(7), 2.0, 0.0, 1.0) == pytest.approx(3.5 * (1 - math.log(2)))


def test_gaussian_divergence_agrees_with_a_sampled_one():
    random = np.random.default_rng(0)
    mean, s, centre, p = 0.3, 0.2, -0.1, 0.7
    x = mean + math.sqrt(s) * random.normal(size=400_000)
    ratio = stats.norm.logpdf(x, mean, math.sqrt(s)) - stats.norm.logpdf(x, centre, math.sqrt(p))
    assert pb.gaussian_kl([mean], s, centre, p) == pytest.approx(ratio.mean(), rel=0.01)
    # planted: deviations passed for variances
    assert pb.gaussian_kl([mean], math.sqrt(s), centre, math.sqrt(p)) != pytest.approx(
        ratio.mean(), rel=0.1
    )


def test_uniform_catoni_is_the_least_of_its_formula():
    def formula(lam, error, divergence, n):
        union = 2 * math.log(2 + math.log(lam) / math.log(1 + 1e-4))
        x = error + (1 + 1e-4) / lam * (divergence + math.log(20) + union)
        return math.expm1(-lam / n * x) / math.expm1(-lam / n)

    for error, divergence, n in ((0, 5, 100), (0.2, 100, 5000), (0.01, 3000, 40_000)):
        every = [formula(lam, error, divergence, n) for lam in np.geomspace(1, 1000 * n, 20_000)]
        limit = pb.catoni_uniform(error, divergence, n, 0.05)
        assert min(every) * (1 - 1e-5) <= limit <= min(every) * (1 + 1e-9)


def test_uniform_catoni_pays_for_its_search():
    lam = np.geomspace(1, 1e7, 2000)
    x = 0.05 + (1000 + math.log(1 / DELTA)) / lam
    # Catoni's bound with lambda fixed beforehand; its least is none: lambda chosen after the fact
    fixed = np.min((1 - np.exp(-lam / N * x)) / (1 - np.exp(-lam / N)))
    assert fixed < pb.catoni_uniform(0.05, 1000, N, DELTA) < fixed + 0.001


def test_weights_of_the_grid_of_lambda_add_up_to_at_most_one():
    assert sum(1 / ((k + 1) * (k + 2)) for k in range(100_000)) <= 1
    # each point of the grid pays at least for its weight, and every lambda for the point below it
    for lam in (1.0, 1.00005, 2.0, 1e4):
        place = math.log(lam) / math.log1p(pb.ALPHA)
        k = math.floor(place)
        assert 2 * math.log(2 + place) >= math.log((k + 1) * (k + 2))
        assert 1 / (1 + pb.ALPHA) ** k <= (1 + pb.ALPHA) / lam


def simulate(bound, runs=400, n=60, many=50):
    """How often a bound on a Gibbs posterior over ``many`` coins of known risks fails."""
    random = np.random.default_rng(0)
    risks = np.linspace(0.4, 0.6, many)
    failed = 0
    for _ in range(runs):
        errors = random.binomial(n, risks) / n
        weights = np.exp(-60 * (errors - errors.min()))
        weights /= weights.sum()
        divergence = float(np.sum(weights * np.log(np.maximum(weights * many, 1e-300))))
        failed += bound(float(weights @ errors), max(divergence, 0.0), n, DELTA) < weights @ risks
    return failed / runs


@pytest.mark.parametrize("bound", (pb.maurer_seeger, pb.mcallester, pb.catoni_uniform))
def test_bounds_hold_for_a_posterior_learned_from_the_sample(bound):
    assert simulate(bound) <= DELTA


def test_a_bound_without_its_divergence_is_caught():
    assert simulate(lambda error, _, n, delta: float(kl_inverse(error, math.log(20) / n))) > DELTA


def test_monte_carlo_step_by_hand_and_in_simulation():
    assert pb.monte_carlo(0, 1000, 0.01) == pytest.approx(1 - (0.01 / 2) ** (1 / 1000))
    random = np.random.default_rng(0)
    means = random.binomial(500, 0.1, 1000) / 500
    limits = np.array([pb.monte_carlo(float(mean), 500, 0.05) for mean in np.unique(means)])
    assert np.mean(limits[np.searchsorted(np.unique(means), means)] < 0.1) <= 0.05
    assert np.mean(means < 0.1) > 0.3  # planted: the mean itself


def test_union_over_prior_variances_costs_at_most_one():
    assert sum(math.exp(-pb.prior_cost(j)) for j in range(1, 100_000)) <= 1
    assert pb.prior_variance(100) == pytest.approx(0.1 / math.e)
    for j in (1, 7, 250):
        assert pb.nearest_prior(pb.prior_variance(j)) == j
    assert pb.nearest_prior(5.0) == 1


@pytest.mark.parametrize(
    "call, message",
    (
        (lambda: pb.maurer_seeger(1.2, 1, 10, 0.05), r"^error: got 1.2, allowed: a number in \[0"),
        (lambda: pb.maurer_seeger(0.1, -1, 10, 0.05), "^divergence: got -1"),
        (lambda: pb.mcallester(0.1, 1, 0, 0.05), "^n: got 0, allowed: an integer >= 1"),
        (lambda: pb.mcallester(0.1, 1, 10, 1), r"^delta: got 1, allowed: a number in \(0, 1\)"),
        (lambda: pb.catoni_uniform(0.1, 1, 10, 0.05, alpha=0), "^alpha: got 0"),
        (lambda: pb.gaussian_kl([0.0], 0.0, 0.0, 1.0), "^variance: got 0.0, allowed: numbers > 0"),
        (lambda: pb.gaussian_kl([0.0], 1.0, 0.0, -1.0), "^prior_variance: got -1.0"),
        (lambda: pb.monte_carlo(0.1, 0, 0.05), "^draws: got 0"),
        (lambda: pb.prior_variance(0), "^j: got 0"),
        (lambda: pb.nearest_prior(0), "^variance: got 0"),
    ),
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("error", (-0.1, 1.1))
@pytest.mark.parametrize("bound", (pb.maurer_seeger, pb.mcallester, pb.catoni_uniform))
def test_an_error_that_is_no_proportion_is_refused_by_every_bound(bound, error):
    with pytest.raises(ValueError, match=rf"^error: got {error}, allowed: a number in \[0, 1\]$"):
        bound(error, 1, 10, 0.05)


def test_log_density_ratio_by_hand():
    assert pb.gaussian_log_ratio([1.0, 2.0], 0.5, 2.0, 0.5, 2.0) == 0
    # at the mean of a unit normal, two deviations from the centre of the prior
    assert pb.gaussian_log_ratio([3.0], [3.0], 1.0, [1.0], 1.0) == pytest.approx(2)
    # both at 0: only the heights of the densities differ, by the ratio of deviations
    assert pb.gaussian_log_ratio([0.0], 0.0, 0.25, 0.0, 1.0) == pytest.approx(math.log(2))
    h, m, s, c, p = 0.4, 0.3, 0.2, -0.1, 0.7
    expected = stats.norm.logpdf(h, m, math.sqrt(s)) - stats.norm.logpdf(h, c, math.sqrt(p))
    assert pb.gaussian_log_ratio([h], m, s, c, p) == pytest.approx(expected)
    with pytest.raises(ValueError, match="^variance: got 0.0, allowed: numbers > 0$"):
        pb.gaussian_log_ratio([0.0], 0.0, 0.0, 0.0, 1.0)


def test_log_density_ratio_is_the_divergence_on_average():
    source = np.random.default_rng(0)
    m, s, c, p = 0.3, 0.2, -0.1, 0.7
    draws = m + math.sqrt(s) * source.normal(size=200_000)
    mean = pb.gaussian_log_ratio(draws, m, s, c, p) / len(draws)
    assert mean == pytest.approx(pb.gaussian_kl([m], s, c, p), rel=0.01)


@pytest.mark.thorough
def test_failures_on_coin_flips_are_as_rare_as_delta_only_if_the_density_is_paid_for():
    source = np.random.default_rng(2)
    n, dim, sets, prior = 40, 50, 400, 0.1
    paid = unpaid = 0
    for _ in range(sets):
        x, y = source.normal(size=(n, dim)), source.choice([-1, 1], n)
        mean, variance = np.linalg.lstsq(x, 0.5 * y, rcond=None)[0], 1e-4
        drawn = mean + math.sqrt(variance) * source.normal(size=dim)
        error = float(np.mean(x @ drawn * y <= 0))
        ratio = pb.gaussian_log_ratio(drawn, mean, variance, 0.0, prior)
        paid += pb.maurer_seeger(error, max(ratio, 0), n, DELTA) < 0.5
        unpaid += pb.maurer_seeger(error, 0, n, DELTA) < 0.5
    assert paid <= stats.binom.ppf(0.999, sets, DELTA)
    assert unpaid > 0.9 * sets
