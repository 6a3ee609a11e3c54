"""P-values, intervals, numbers of units and families, by hand, by quadrature and by enumeration.

Longer than 400 lines because every test of claims is held against the same enumerations.
"""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from simbias.claims import betting, exact, means, sequential
from simbias.claims.criterion import QUANTIFIERS, Criterion
from simbias.claims.family import holm
from simbias.claims.inference import fewest, find, is_decided, more, p_values, p_values_along
from simbias.claims.procedures import Side, declared_tests
from simbias.registry import TESTS

PROPORTION = Criterion("<=", 0.01, 0.0, "probability", 0.95, "clopper-pearson", 0.05)
ANYTIME = replace(PROPORTION, test="beta-binomial")
MEDIAN = Criterion("<=", 0.0, 0.0, "median", None, "sign", 0.05)
MEAN = Criterion("<=", 0.0, 0.0, "mean", None, "permutation", 0.05)
RESAMPLED = replace(MEAN, test="bootstrap")
DIFFERENCE = replace(MEAN, test="mcnemar")
BET = Criterion("<=", 0.25, 0.0, "mean", None, "betting", 0.05, low=-1.0, high=1.0)
RULES = (PROPORTION, ANYTIME, MEDIAN, MEAN, RESAMPLED)


def units(holding, failing=0, ambiguous=0):
    """Intervals of units about the threshold .01."""
    low = np.repeat([0.0, 0.02, 0.0], [holding, failing, ambiguous])
    return low, np.repeat([0.005, 0.03, 0.02], [holding, failing, ambiguous])


# proportions, at a number of units fixed before


def test_59_clean_successes_support_95_percent_and_58_do_not():
    assert find(PROPORTION, *units(59)).p_supported == pytest.approx(0.95**59)
    assert is_decided(PROPORTION, find(PROPORTION, *units(59)))
    assert not is_decided(PROPORTION, find(PROPORTION, *units(58)))


def test_one_failure_of_one_refutes_95_percent_at_exactly_one_in_twenty():
    finding = find(PROPORTION, *units(0, 1))
    assert finding.p_refuted == pytest.approx(0.05) and finding.p_supported == 1
    assert is_decided(PROPORTION, finding)
    assert not is_decided(replace(PROPORTION, alpha=0.0499), finding)
    assert holm([(finding.p_supported, finding.p_refuted)], 0.05) == ["refuted"]


def test_the_exact_p_values_are_binomial_tails_of_the_pessimistic_counts():
    finding = find(PROPORTION, *units(50, 3, 4))
    assert (finding.holding, finding.failing, finding.ambiguous) == (50, 3, 4)
    assert finding.p_supported == pytest.approx(stats.binom.sf(49, 57, 0.95))
    assert finding.p_refuted == pytest.approx(stats.binom.cdf(57 - 3, 57, 0.95))


def test_the_interval_of_a_proportion_is_the_hull_of_both_readings():
    finding = find(PROPORTION, *units(50, 3, 4))
    pessimistic, optimistic = (stats.binomtest(k, 57).proportion_ci(0.95) for k in (50, 54))
    assert finding.low == pytest.approx(pessimistic.low)
    assert finding.high == pytest.approx(optimistic.high)
    assert finding.estimate == pytest.approx((50 / 57 + 54 / 57) / 2)
    assert (find(PROPORTION, *units(0, 5)).low, find(PROPORTION, *units(5)).high) == (0, 1)


@pytest.mark.parametrize("criterion", (PROPORTION, ANYTIME, MEDIAN, MEAN))
def test_an_ambiguous_unit_never_helps_either_verdict(criterion):
    x = np.random.default_rng(0).normal(criterion.value + 0.2, 1, 25)
    clear = find(criterion, x, x)
    blurred = find(
        criterion, np.where(np.arange(25) < 3, x - 1, x), np.where(np.arange(25) < 3, x + 1, x)
    )
    missing = find(
        criterion, np.where(np.arange(25) == 7, -np.inf, x), np.where(np.arange(25) == 7, np.inf, x)
    )
    for worse in (blurred, missing):
        assert worse.p_supported >= clear.p_supported and worse.p_refuted >= clear.p_refuted
        assert worse.low <= clear.low and worse.high >= clear.high


def test_margins_move_both_edges_away_from_the_value():
    criterion = replace(PROPORTION, value=1.0, margin=0.25)
    x = np.array([0.75, 0.8, 1.0, 1.2, 1.25])
    assert find(criterion, x, x) == replace(
        find(criterion, x, x), holding=1, failing=1, ambiguous=3
    )
    central = find(replace(criterion, margin=0.0), x, x)
    assert (central.holding, central.failing) == (3, 2)  # the value itself satisfies the predicate


@pytest.mark.parametrize("criterion", RULES)
def test_at_least_mirrors_at_most(criterion):
    criterion = replace(criterion, margin=0.1)
    low = np.random.default_rng(1).normal(0.3, 1, 24)
    high = low + 0.05
    finding = find(criterion, low, high)
    other = find(replace(criterion, op=">=", value=-criterion.value), -high, -low)
    if criterion.quantifier != "probability":
        other = replace(other, low=-other.high, high=-other.low, estimate=-other.estimate)
    assert finding == other


# proportions, looked at after every unit


def e_value(k, n, proportion):
    """The mixture by quadrature, with q = sin^2(t), under which Beta(1/2, 1/2) is uniform."""
    start = math.asin(math.sqrt(proportion))

    def ratio(t):
        q = math.sin(t) ** 2
        return math.exp(
            k * math.log(q / proportion) + (n - k) * math.log((1 - q) / (1 - proportion))
        )

    mode = math.asin(math.sqrt(k / n))
    ends = [start, *([mode] if start < mode < math.pi / 2 else []), math.pi / 2]
    parts = [
        integrate.quad(ratio, a, b, epsrel=1e-10, limit=200)[0] for a, b in itertools.pairwise(ends)
    ]
    return sum(parts) / (math.pi / 2 - start)


@pytest.mark.parametrize(
    "k, n", ((1, 1), (0, 1), (59, 60), (60, 60), (190, 200), (3, 40), (199, 200))
)
@pytest.mark.parametrize("proportion", (0.05, 0.5, 0.95, 0.999))
def test_e_values_are_the_integrals_they_stand_for(k, n, proportion):
    assert sequential.log_e(k, n, proportion) == pytest.approx(
        math.log(e_value(k, n, proportion)), abs=1e-7
    )


def test_an_e_value_whose_mass_underflows_is_no_evidence_and_never_nan():
    assert sequential.log_e(0, 10_000, 0.95) == -np.inf
    k = np.arange(0, 100_001, 500)
    for proportion in (1e-6, 0.05, 0.5, 0.95, 1 - 1e-6):
        values = sequential.log_e(k, 100_000, proportion)
        assert not np.isnan(values).any()
        assert (values[k / 100_000 <= proportion] <= 1e-9).all()


@pytest.mark.parametrize("proportion", (0.05, 0.6, 0.95))
def test_e_values_keep_a_mean_of_one_on_the_edge_and_less_below(proportion):
    n = np.arange(1, 30)
    for truth, most in ((proportion, 1 + 1e-9), (0.9 * proportion, 1 - 1e-6)):
        total = [
            np.exp(sequential.log_e(np.arange(i + 1), i, proportion))
            @ stats.binom.pmf(np.arange(i + 1), i, truth)
            for i in n
        ]
        assert max(total) <= most
        if truth == proportion:
            np.testing.assert_allclose(total, 1)


def test_the_running_p_value_remembers_the_best_look():
    hits = np.array([True] * 5 + [False] * 5)
    p = sequential.running(hits, 0.5)
    by_hand = np.exp([-sequential.log_e(min(n, 5), n, 0.5) for n in range(1, 11)])
    np.testing.assert_allclose(p[:5], by_hand[:5])
    assert (p[5:] == p[4]).all() and (by_hand[5:] > p[4]).all()
    assert sequential.running(~hits, 0.5)[4] == 1


def test_sequential_p_values_of_a_claim_are_those_of_its_hits_and_of_its_failures():
    low, high = units(30, 2, 1)
    finding = find(ANYTIME, low, high)
    assert finding.p_supported == pytest.approx(sequential.running(high <= 0.01, 0.95)[-1])
    assert finding.p_refuted == pytest.approx(sequential.running(low > 0.01, 0.05)[-1])


def test_the_confidence_sequence_ends_where_an_e_value_reached_its_level():
    hits = np.random.default_rng(0).random(80) < 0.8
    low = sequential.anytime_limit(hits, 0.025)
    n, k = np.arange(1, 81), np.cumsum(hits)
    assert sequential.log_e(k, n, low).max() == pytest.approx(math.log(40), abs=1e-6)
    grid = np.linspace(0.001, 0.999, 999)  # what is excluded is an interval from 0
    excluded = np.array([sequential.log_e(k, n, p).max() >= math.log(40) for p in grid])
    np.testing.assert_array_equal(excluded, grid <= low)
    assert sequential.anytime_limit(np.zeros(5, bool), 0.025) == 0


# intervals that miss


@pytest.mark.parametrize(
    "criterion, p",
    (
        (PROPORTION, (stats.binom.sf(49, 57, 0.95 + 0.01), stats.binom.sf(2, 57, 0.05 + 0.01))),
        (
            ANYTIME,
            (math.exp(-max(sequential.log_e(np.arange(1, 51), np.arange(1, 51), 0.96))), 1.0),
        ),
        (
            replace(MEDIAN, value=0.01),
            (stats.binom.sf(49, 57, 0.5 + 0.01), stats.binom.sf(2, 57, 0.5 + 0.01)),
        ),
    ),
)
def test_misses_are_added_to_the_proportion_of_hits_on_either_side(criterion, p):
    finding = find(replace(criterion, miscoverage=0.01), *units(50, 3, 4))
    assert (finding.p_supported, finding.p_refuted) == pytest.approx(p)
    clear = find(criterion, *units(50, 3, 4))
    assert finding.p_supported > clear.p_supported


@pytest.mark.parametrize("criterion", (MEAN, RESAMPLED))
def test_misses_are_added_once_a_unit_to_the_p_value_of_a_mean(criterion):
    x = np.random.default_rng(0).normal(-0.1, 1, 30)
    clear, missed = (
        find(replace(criterion, miscoverage=miscoverage), x, x) for miscoverage in (0.0, 0.002)
    )
    assert missed.p_supported == pytest.approx(clear.p_supported + 30 * 0.002)
    assert missed.p_refuted == pytest.approx(min(clear.p_refuted + 30 * 0.002, 1))
    assert find(replace(criterion, miscoverage=0.1), x, x).p_supported == 1


def test_units_whose_intervals_may_miss_are_needed_in_greater_number():
    # .96^74 = .0488 and .96^73 = .0508; five units of a mean give 1/32, and 5 x .004 misses
    assert fewest(replace(PROPORTION, miscoverage=0.01)) == 74
    assert fewest(replace(MEAN, miscoverage=0.001)) == 5
    assert fewest(replace(MEAN, miscoverage=0.004)) == 6
    with pytest.raises(ValueError, match="^alpha: got 0.05"):
        fewest(replace(MEAN, miscoverage=0.01))


# medians


def test_the_sign_test_is_a_coin():
    x = np.array([-1.0, -2, -3, -4, -5, 1])
    finding = find(MEDIAN, x, x)
    assert finding.p_supported == pytest.approx(7 / 64) and finding.p_refuted == pytest.approx(
        63 / 64
    )
    assert find(MEDIAN, -np.ones(5), -np.ones(5)).p_supported == 1 / 32


def test_the_interval_of_a_median_inverts_the_sign_test():
    x = np.random.default_rng(0).normal(size=20)
    finding = find(MEDIAN, x, x)
    assert (finding.low, finding.high) == (
        np.sort(x)[5],
        np.sort(x)[14],
    )  # P(Bin(20, .5) <= 5) = .0207
    for end, inside, name in ((finding.high, -1, "p_supported"), (finding.low, 1, "p_refuted")):
        for step, excluded in ((1e-9, True), (-1e-9, False)):
            shifted = find(replace(MEDIAN, value=end - inside * step), x, x)
            assert (getattr(shifted, name) <= 0.025) == excluded
    assert find(MEDIAN, x[:4], x[:4]).high == np.inf
    assert finding.estimate == np.median(x)


# means


def test_sign_flips_are_enumerated():
    x = np.random.default_rng(0).normal(-0.4, 1, 9)
    signs = np.array(list(itertools.product((1, -1), repeat=9)))
    assert find(MEAN, x, x).p_supported == np.mean(signs @ x <= x.sum() + 1e-12)
    assert find(MEAN, x, x).p_refuted == np.mean(signs @ x >= x.sum() - 1e-12)
    assert find(MEAN, -np.ones(5), -np.ones(5)).p_supported == 1 / 32


def test_flips_of_more_units_form_a_group_and_agree_with_random_flips():
    sets = means._subset_sums(np.eye(20)).T.astype(int)  # membership, a row for each subset
    assert len(np.unique(sets, axis=0)) == 2**14 and not sets[0].any()
    both = sets[3001] ^ sets[12345]
    assert (sets == both).all(axis=1).any()
    x = np.random.default_rng(1).normal(-0.3, 1, 20)
    signs = np.random.default_rng(2).choice([-1, 1], (200_000, 20))
    assert find(MEAN, x, x).p_supported == pytest.approx(np.mean(signs @ x <= x.sum()), abs=0.01)


def test_blocks_of_units_add_up():
    x = np.random.default_rng(3).normal(size=1000)
    sums, sizes = means._subset_sums(x), means._subset_sums(np.ones(1000))
    assert sums[0] == 0 and sizes[0] == 0 and sizes.max() <= 1000
    np.testing.assert_allclose(sums.mean(), x.sum() / 2)  # a unit is in half of the subsets


@pytest.mark.parametrize("criterion", (MEAN, RESAMPLED))
@pytest.mark.parametrize("count", (24, 40))
def test_intervals_of_a_mean_invert_their_tests(criterion, count):
    x = np.random.default_rng(4).exponential(size=count)
    finding = find(criterion, x, x)
    assert finding.low < x.mean() < finding.high
    assert finding.estimate == pytest.approx(x.mean())
    for end, inside, name in ((finding.high, -1, "p_supported"), (finding.low, 1, "p_refuted")):
        for step, excluded in ((1e-6, True), (-1e-6, False)):
            shifted = find(replace(criterion, value=end - inside * step), x, x)
            assert (getattr(shifted, name) <= 0.025) == excluded


def test_the_bootstrap_is_never_bolder_than_student_on_the_units_and_their_worst():
    x = np.random.default_rng(5).exponential(size=30) - 1.5
    joined = np.append(x, x.max())
    student = stats.ttest_1samp(joined, 0, alternative="less").pvalue
    assert student <= find(RESAMPLED, x, x).p_supported < 1
    normal = np.random.default_rng(6).normal(-0.5, 1, 200)
    student = stats.ttest_1samp(np.append(normal, normal.max()), 0, alternative="less").pvalue
    assert find(RESAMPLED, normal, normal).p_supported == pytest.approx(student, rel=0.5, abs=2e-3)


def test_the_bootstrap_says_nothing_of_few_units_or_of_units_without_spread():
    x = -1 - np.random.default_rng(0).random(19)
    for silent in (x, -np.ones(40)):
        finding = find(RESAMPLED, silent, silent)
        assert (finding.p_supported, finding.p_refuted) == (1, 1)
        assert (finding.low, finding.high) == (-np.inf, np.inf)
    assert find(RESAMPLED, *[np.append(x, -2)] * 2).p_supported == 0.01


@pytest.mark.parametrize("criterion", (MEAN, RESAMPLED))
def test_a_missing_unit_without_range_leaves_a_mean_unknown_and_a_bounded_one_does_not(criterion):
    x = np.linspace(-0.9, -0.3, 40)
    lost = np.where(np.arange(40) == 11, np.inf, x)
    finding = find(criterion, np.where(np.arange(40) == 11, -np.inf, x), lost)
    assert (finding.p_supported, finding.p_refuted, finding.high) == (1, 1, np.inf)
    assert math.isnan(finding.estimate)
    bounded = find(
        criterion, np.where(np.arange(40) == 11, -1.0, x), np.where(np.arange(40) == 11, 1.0, x)
    )
    assert bounded.p_supported < 0.05


# means of what is bounded, by betting


def ever_small(edge, rate, most, level):
    """The probability that ones come at a rate in up to ``most`` units and p is ever small."""
    alive, crossed = np.ones(1), 0.0  # by the number of ones, of paths that have not crossed
    for n in range(1, most + 1):
        alive = np.append(alive * (1 - rate), 0) + np.append(0, alive * rate)
        p = [betting.running(np.arange(n)[::-1] < k, edge)[-1] for k in range(n + 1)]
        small = np.array(p) <= level  # ones last: capital is symmetric, and its last value is meant
        crossed += alive[small].sum()
        alive = np.where(small, 0, alive)
    return crossed


@pytest.mark.parametrize("edge", (0.02, 0.3, 0.9))
def test_a_bet_on_ones_and_zeros_ever_decides_falsely_with_at_most_its_level(edge):
    assert 0 < ever_small(edge, edge, 40, 0.05) <= 0.05
    assert ever_small(edge, min(2 * edge, 1), 40, 0.05) > ever_small(edge, edge, 40, 0.05)


def test_a_rare_law_of_twenty_units_deceives_sign_flips_and_no_bet():
    # of twenty units that are 1 with probability .05 and else 0, 36% show none
    rate, edge, zeros = 0.05, 0.04, np.zeros(20)
    below = replace(BET, value=edge, low=0.0, high=1.0)
    flipped = replace(below, test="permutation")
    wrong = {"betting": 0.0, "permutation": 0.0}
    for criterion in (below, flipped):
        for k in range(5):
            x = np.where(np.arange(20) < k, 1.0, zeros)
            if (
                is_decided(criterion, find(criterion, x, x))
                and find(criterion, x, x).p_supported <= 0.05
            ):
                wrong[criterion.test] += stats.binom.pmf(k, 20, rate)
    assert wrong["permutation"] == pytest.approx(0.95**20, abs=1e-3) and wrong["betting"] == 0


def test_gains_are_measured_from_the_end_of_the_range_that_speaks_most_against_a_side():
    # mean <= .25 of [-1, 1]: for it the gain is (1 - x)/2 against .375, against it (x + 1)/2
    # against .625
    x = np.array([-1.0, 0.0, -0.5])
    finding = find(BET, x, x)
    assert finding.p_supported == pytest.approx(betting.running((1 - x) / 2, 0.375)[-1])
    assert finding.p_refuted == pytest.approx(betting.running((x + 1) / 2, 0.625)[-1])
    assert finding.estimate == -0.5
    limits = [betting.anytime_limit(part, 0.025) for part in ((x + 1) / 2, (1 - x) / 2)]
    assert (finding.low, finding.high) == pytest.approx((2 * limits[0] - 1, 1 - 2 * limits[1]))
    mirrored = find(replace(BET, op=">=", value=-0.25), -x, -x)
    assert (mirrored.low, mirrored.high) == pytest.approx((-finding.high, -finding.low))
    assert mirrored.p_supported == pytest.approx(finding.p_supported)
    wide = replace(BET, margin=0.1)
    assert find(wide, x, x).p_supported == pytest.approx(betting.running((1 - x) / 2, 0.425)[-1])


def test_a_running_bet_remembers_its_best_look_and_inverts_to_its_interval():
    x = np.r_[np.full(12, -0.8), np.full(12, 0.9)]
    finding, path = find(BET, x, x), p_values_along(BET, x, x)[0]
    assert np.all(np.diff(path) <= 0) and path[-1] == path[11]
    for end, step, name in ((finding.high, 1e-6, "p_supported"), (finding.low, -1e-6, "p_refuted")):
        for sign, excluded in ((1, True), (-1, False)):
            shifted = find(replace(BET, value=end + sign * step), x, x)
            assert (getattr(shifted, name) <= 0.025) == excluded


def test_missing_units_are_the_end_of_the_range_that_is_worst_for_either_verdict():
    x = np.full(30, -0.5)
    low, high = np.where(np.arange(30) < 3, -1.0, x), np.where(np.arange(30) < 3, 1.0, x)
    finding, clear = find(BET, low, high), find(BET, x, x)
    assert clear.p_supported < finding.p_supported < 0.05 and finding.p_refuted == 1
    assert finding.low < clear.low and finding.high > clear.high


def test_misses_raise_the_mean_gain_that_the_other_side_could_have():
    x, criterion = np.full(9, -0.5), replace(BET, miscoverage=0.02)
    finding = find(criterion, x, x)
    assert finding.p_supported == pytest.approx(betting.running((1 - x) / 2, 0.395)[-1])
    assert finding.p_refuted == pytest.approx(betting.running((x + 1) / 2, 0.645)[-1])
    clear = find(BET, x, x)
    assert finding.high == pytest.approx(clear.high + 2 * 0.02)
    assert finding.low == max(clear.low - 2 * 0.02, -1)


def test_a_bet_needs_a_range_and_units_within_it():
    for ends in ((-math.inf, 1.0), (0.0, math.inf), (1.0, 1.0), (1.0, 0.0)):
        with pytest.raises(ValueError, match="^low, high: got .*allowed: a finite range with 'bet"):
            replace(BET, low=ends[0], high=ends[1])
    for x in (-1.1, 1.1):
        with pytest.raises(ValueError, match=r"^low, high: got .*allowed: within \[-1, 1\]$"):
            find(BET, [x], [x])


# intervals whose units may miss


def test_the_interval_of_a_proportion_leaves_room_for_the_misses_of_its_units():
    clear, missed = (
        find(replace(PROPORTION, miscoverage=miscoverage), *units(50, 3, 4))
        for miscoverage in (0.0, 0.01)
    )
    assert missed.low == pytest.approx(clear.low - 0.01)
    assert missed.high == pytest.approx(clear.high + 0.01)
    assert find(replace(PROPORTION, miscoverage=0.01), *units(0, 5)).low == 0


def test_the_interval_of_a_median_leaves_room_for_the_misses_of_its_units():
    x = np.arange(1.0, 26.0)
    finding = find(replace(MEDIAN, miscoverage=0.05), x, x)
    # of 25 units whose readings fall below with probability .55, the least k with a tail <= .025
    k = next(k for k in range(26) if stats.binom.sf(k - 1, 25, 0.55) <= 0.025)
    assert (finding.low, finding.high) == (26 - k, k) and k > 18


@pytest.mark.parametrize("criterion", (MEAN, RESAMPLED))
def test_the_interval_of_a_mean_takes_the_misses_of_its_units_from_its_error(criterion):
    x = np.random.default_rng(4).exponential(size=40)
    clear, missed = (
        find(criterion, x, x),
        find(replace(criterion, alpha=0.05 + 2 * 40 * 0.0002, miscoverage=0.0002), x, x),
    )
    assert (missed.low, missed.high) == pytest.approx((clear.low, clear.high), abs=1e-9)
    hopeless = find(replace(criterion, miscoverage=0.001), x, x)
    assert (hopeless.low, hopeless.high) == (-np.inf, np.inf)


# two networks on the same points


def test_mcnemar_is_a_coin_on_the_discordant_points():
    x = np.repeat([-1.0, 0.0, 1.0], [12, 500, 3])
    finding = find(DIFFERENCE, x, x)
    assert finding.p_supported == pytest.approx(
        stats.binomtest(12, 15, alternative="greater").pvalue
    )
    assert finding.p_refuted == pytest.approx(stats.binomtest(3, 15, alternative="greater").pvalue)
    assert finding.estimate == pytest.approx(-9 / 515)
    assert finding.low < -9 / 515 < finding.high
    above, below = (stats.binomtest(k, 515).proportion_ci(0.975) for k in (3, 12))
    assert finding.high == pytest.approx(above.high - below.low)
    assert finding.low == pytest.approx(above.low - below.high)
    agreed = find(DIFFERENCE, np.zeros(9), np.zeros(9))
    assert (agreed.p_supported, agreed.p_refuted) == (1, 1)


# how many units


@pytest.mark.parametrize(
    "criterion, family, count",
    (
        (PROPORTION, 1, 59),
        (replace(PROPORTION, alpha=0.01), 1, 90),
        (replace(PROPORTION, at_least=0.99), 1, 299),
        (replace(PROPORTION, at_least=0.05), 1, 59),
        (PROPORTION, 2, 72),
        (MEDIAN, 1, 5),
        (MEDIAN, 20, 9),
        (MEAN, 1, 5),
        (RESAMPLED, 1, 20),
        (RESAMPLED, 10, 40),  # p-values of n units are at least 1/(5 n)
        (DIFFERENCE, 1, 5),
        (replace(BET, value=0.0), 1, 6),
    ),
)
def test_the_fewest_units(criterion, family, count):
    assert fewest(criterion, tests_in_family=family) == count


@pytest.mark.parametrize(
    "criterion", (PROPORTION, ANYTIME, MEDIAN, MEAN, replace(ANYTIME, at_least=0.5))
)
@pytest.mark.parametrize("family", (1, 4))
def test_the_fewest_clear_units_decide_and_one_less_leaves_a_verdict_out(criterion, family):
    count = fewest(criterion, tests_in_family=family)

    def both(n):
        good, bad = (np.full(n, criterion.value + shift) for shift in (-1.0, 1.0))
        return all(is_decided(criterion, find(criterion, x, x), family) for x in (good, bad))

    assert both(count) and not both(count - 1)


def test_levels_that_no_number_of_units_reaches_are_refused():
    for criterion in (MEAN, RESAMPLED):
        with pytest.raises(ValueError, match="^alpha: got 0.05, allowed: more than '(perm|boot)"):
            fewest(criterion, tests_in_family=1000)


@pytest.mark.parametrize("criterion", (PROPORTION, ANYTIME, MEDIAN, DIFFERENCE, BET))
@pytest.mark.thorough
def test_more_units_of_the_same_kind_decide_and_one_less_does_not(criterion):
    x = np.array([-1.0, -1, -1, 1, -1] if criterion.at_least is None else [-1.0] * 4)
    for family in (1, 3):
        count = more(criterion, x, x, tests_in_family=family)
        for extra, verdict in ((count, True), (count - 1, False)):
            longer = np.resize(x, len(x) + extra)
            assert is_decided(criterion, find(criterion, longer, longer), family) == verdict


def test_more_units_of_a_mean_are_about_as_many_as_it_takes():
    x = np.random.default_rng(2).normal(-0.1, 1, 40)
    count = more(MEAN, x, x)
    assert count > 100
    for factor, verdict in ((1.5, True), (0.5, False)):
        longer = np.resize(x, 40 + int(factor * count))
        assert is_decided(MEAN, find(MEAN, longer, longer)) == verdict
    assert more(MEAN, x[:3] - 5, x[:3] - 5) == 2  # three clear units of five


def test_no_number_of_ambiguous_units_decides_and_decided_ones_need_none():
    for criterion in (PROPORTION, ANYTIME, MEDIAN):
        assert (
            more(
                criterion,
                np.full(9, criterion.value - 1),
                np.full(9, criterion.value + 1),
                most=2000,
            )
            is None
        )
    for criterion in (MEAN, RESAMPLED):
        assert more(criterion, np.full(30, -1.0), np.full(30, 1.0)) is None
    assert more(RESAMPLED, np.full(9, -1.0), np.full(9, -1.0)) is None  # never a spread
    assert more(PROPORTION, *units(59)) == 0
    assert (
        more(PROPORTION, *units(40), most=18) is None
        and more(PROPORTION, *units(40), most=19) == 19
    )


# several claims


def test_holm_by_hand():
    # m = 3, six hypotheses: levels .05/3, /3, /3, /3, /2, /1
    p = [(0.01, 0.99), (0.9, 0.0166), (0.02, 0.98)]
    assert holm(p, 0.05) == ["supported", "refuted", "inconclusive"]
    assert holm(p[2:], 0.05) == ["supported"]  # alone at plain alpha
    assert holm(p[:2], 0.05, claims=3) == ["supported", "refuted"]
    assert holm(p[:2], 0.05, claims=6) == ["inconclusive", "inconclusive"]
    assert holm([], 0.05) == []


def test_later_hypotheses_meet_milder_levels_only_where_few_can_be_true():
    # m = 2, four hypotheses: levels .05/2, /2, /2, /1: two rejections leave two that may be true
    assert holm([(0.025, 1), (0.026, 1)], 0.05) == ["supported", "inconclusive"]
    assert holm([(0.025, 1), (0.025, 1)], 0.05) == ["supported", "supported"]


def test_the_first_failure_stops_whatever_comes_after():
    assert holm([(0.04, 1), (0.04, 1), (0.04, 1)], 0.05) == ["inconclusive"] * 3


def test_a_claim_never_comes_out_both():
    assert holm([(0.001, 0.001), (0.001, 1)], 0.05) == ["inconclusive", "supported"]
    # a sequential test that changes its mind
    x = np.r_[np.ones(6), -np.ones(60)]
    finding = find(replace(ANYTIME, at_least=0.5, alpha=0.2), x, x)
    assert max(finding.p_supported, finding.p_refuted) <= 0.2
    assert holm([(finding.p_supported, finding.p_refuted)], 0.2) == ["inconclusive"]


# what is accepted


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(op="<"), "^op: unknown name '<'"),
        (dict(value=math.nan), "^value: got nan"),
        (dict(margin=-0.1), "^margin: got -0.1"),
        (dict(quantifier="worst"), "^quantifier: unknown name 'worst'"),
        (dict(at_least=1.0), r"^at_least: got 1.0, allowed: a number in \(0, 1\)$"),
        (dict(at_least=None), "^at_least: got None"),
        (dict(quantifier="mean"), "^at_least: got 0.95, allowed: None with the quantifier 'mean'$"),
        (dict(test="clopper-person"), "^test: unknown name .*nearest: clopper-pearson"),
        (dict(test="sign"), "^quantifier: got 'probability', allowed: median with 'sign'$"),
        (dict(alpha=0.0), r"^alpha: got 0.0, allowed: a number in \(0, 1\)$"),
        (dict(alpha=1), "^alpha: got 1"),
        (dict(miscoverage=-0.1), "^miscoverage: got -0.1"),
        (dict(miscoverage=0.06), "^miscoverage: got 0.06"),  # so many would fail were 95% to hold
    ),
)
def test_rules_that_cannot_be_followed_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PROPORTION, **change)


def test_mcnemar_compares_with_zero_only():
    for change in (dict(value=0.1), dict(margin=0.1)):
        with pytest.raises(ValueError, match="^value, margin: got .*allowed: 0, 0 with 'mcnemar'$"):
            replace(DIFFERENCE, **change)
    with pytest.raises(ValueError, match="^low, high: got .*allowed: -1, 0 and 1 with 'mcnemar'$"):
        find(DIFFERENCE, [0.5], [0.5])


def test_what_a_test_asks_of_its_units_is_declared_and_holds_under_any_name(monkeypatch):
    tests = declared_tests()
    monkeypatch.setitem(tests, "mine", replace(tests["permutation"], paired=True))
    with pytest.raises(ValueError, match="^value, margin: got .*allowed: 0, 0 with 'mine'$"):
        replace(MEAN, test="mine", value=0.1)
    with pytest.raises(ValueError, match="^low, high: got .*allowed: -1, 0 and 1 with 'mine'$"):
        find(replace(MEAN, test="mine"), [0.5], [0.5])
    alike = -np.ones(3)  # five units of one sign give 1/32, the first of these below .05
    monkeypatch.setitem(tests, "mine", tests["permutation"])
    assert more(replace(MEAN, test="mine"), alike, alike) == 2
    monkeypatch.setitem(tests, "mine", replace(tests["permutation"], needs_spread=True))
    assert more(replace(MEAN, test="mine"), alike, alike) is None


@pytest.mark.parametrize(
    "low, high, message",
    (
        ([], [], "not none"),
        (np.zeros((3, 0)), np.zeros((3, 0)), "not none"),
        ([0.0], [0.0, 1.0], "one entry for each unit"),
        ([math.nan], [1.0], "got 'NaN'"),
        ([0.0], [math.nan], "got 'NaN'"),
        ([0.0, 1.0], [0.0, 0.5], r"got \(1.0, 0.5\), allowed: low <= high$"),
        ([[0.0]], [[0.0]], r"allowed: shape \(units,\)$"),
    ),
)
def test_units_that_cannot_be_read_are_refused(low, high, message):
    for each in (find, more):
        with pytest.raises(ValueError, match=message):
            each(PROPORTION, low, high)


def test_numbers_of_claims_and_levels_are_checked():
    for call in (
        lambda: holm([(0.1, 1)], 1.0),
        lambda: holm([(0.1, 1), (0.1, 1)], 0.05, claims=1),
        lambda: holm([(0.1, 1.5)], 0.05),
        lambda: holm([(0.1, 1, 1)], 0.05),
        lambda: fewest(PROPORTION, tests_in_family=0),
        lambda: more(PROPORTION, *units(3), most=0),
        lambda: p_values_along(MEAN, [0.0], [0.0]),
    ):
        with pytest.raises(ValueError, match="^[a-z_]+: got .*allowed: "):
            call()


# the same numbers, many at a time


@pytest.mark.parametrize("criterion", RULES)
def test_many_draws_at_once_are_judged_as_each_alone(criterion):
    x = np.random.default_rng(0).normal(criterion.value, 1, (5, 30))
    low, high = x - 0.1, x + 0.1
    singly = [(f.p_supported, f.p_refuted) for f in map(find, [criterion] * 5, low, high)]
    np.testing.assert_allclose(np.stack(p_values(criterion, low, high), -1), singly, rtol=1e-12)
    if declared_tests()[criterion.test].along is not None:
        paths = np.stack(p_values_along(criterion, low, high), -1)
        np.testing.assert_allclose(paths[:, -1], singly)
        first = [
            (f.p_supported, f.p_refuted)
            for f in map(find, [criterion] * 5, low[:, :12], high[:, :12])
        ]
        np.testing.assert_allclose(paths[:, 11], first)


def test_only_sequential_tests_are_meant_to_be_looked_at_on_the_way():
    own = [name for name in TESTS.names() if TESTS.owns(name)]
    sequential_ones = [name for name in own if declared_tests()[name].sequential]
    assert sequential_ones == ["beta-binomial", "betting"]
    assert exact.tail(0, 0, 0.3) == 1


# what every registered test promises


def side(holding):
    """What speaks for a side of proportion one half, of units that hold or fail by one."""
    holding = np.asarray(holding, bool)
    return Side(np.where(holding, -1.0, 1.0), holding, holding.astype(float), 0.5)


@pytest.mark.parametrize("name", declared_tests())
def test_more_units_that_speak_for_a_side_never_raise_its_p_value(name):
    test = declared_tests()[name]
    assert test.summary and test.source and set(test.quantifiers) <= set(QUANTIFIERS)
    some = np.array([[2], [20], [30], [34]])
    p = test.p_value(side(np.arange(40) * some % 40 < some))  # spread evenly
    assert p.shape == (4,) and (np.diff(p) <= 0).all() and 0.4 < p[0] <= 1 and 0 < p[-1] < 0.05
    assert test.smallest(40, 0.5) <= p[-1] and test.smallest(40, 0.5) <= test.smallest(20, 0.5)
    if test.along is not None:
        along_it = test.along(side(np.arange(40) % 10 > 0))
        assert along_it.shape == (40,) and along_it[-1] == test.p_value(
            side(np.arange(40) % 10 > 0)
        )


@pytest.mark.parametrize("name", declared_tests())
def test_a_test_is_wrong_no_more_often_than_it_says(name):
    fair = side(np.random.default_rng(0).random((1000, 30)) < 0.5)
    wrong = (declared_tests()[name].p_value(fair) <= 0.1).sum()
    assert wrong <= stats.binom.ppf(1 - 1e-6, 1000, 0.1)


@pytest.mark.parametrize("name", declared_tests())
def test_a_limit_lies_beyond_the_units_and_further_where_intervals_may_miss(name):
    test, units = declared_tests()[name], side(np.arange(40) % 10 > 0)
    if test.ranged or "probability" in test.quantifiers:
        clear, missed = (test.limit(units.gains, 0.05, miscoverage) for miscoverage in (0, 1e-3))
        assert 0 <= missed < clear < units.gains.mean()
    else:
        clear, missed = (test.limit(units.excess, 0.05, miscoverage) for miscoverage in (0, 1e-3))
        assert np.median(units.excess) <= clear <= missed
