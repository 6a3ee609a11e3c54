"""False verdicts stay under alpha on units of known truth; tests that are wrong are caught.

Longer than 400 lines because simulated, exact and planted rates share their laws and criteria.
"""

import itertools
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from laws import Certified, Discordant, Located, Measured, Misread, Proportions
from scipy import stats
from simulated import calibrate, calibrate_session, detectable
from wrong_tests import ambiguous_as_true, ambiguous_dropped, ambiguous_in_favour, uncorrected

from simbias.bounds import Evaluation
from simbias.bounds.quantities import validity
from simbias.bounds.record import Record
from simbias.claims import claim, declared_tests, sequential, verdict
from simbias.claims.criterion import Criterion
from simbias.claims.family import holm, spent
from simbias.claims.inference import find, p_values, p_values_along
from simbias.stats.binomial import clopper_pearson

NORMAL = Located("normal", lambda g, s: g.normal(size=s), 0.0, 0.0)
EXPONENTIAL = Located("exponential", lambda g, s: g.exponential(size=s), 1.0, np.log(2))
FAR = Located("far", lambda g, s: np.ones(s), 0.0, 0.0, scale=0.03)
CLOSE = replace(FAR, name="violations close to the threshold", nearer=0.02)
COIN = Located("coin", lambda g, s: 1.0 * (g.random(s) < 0.5), 0.5, 0.0)
UNDER = replace(FAR, name="clear below, just above", nearer=1 / 3000)
OVER = replace(FAR, name="just below, clear above", scale=1e-5, nearer=3000)
HALF = Located("half just below", lambda g, s: np.where(g.random(s) < 0.5, -1e-5, 0.03), 0.015, 0.0)
LIMITS = Certified("limits", held_out=10_000, errors=100, points=200_000, confidence=0.999)
PROPORTION = Criterion("<=", 0.05, 0.0, "probability", 0.95, "clopper-pearson", 0.05)
ANYTIME = replace(PROPORTION, test="beta-binomial")
MEDIAN = Criterion("<=", 0.0, 0.0, "median", None, "sign", 0.05)
FLIPS = replace(MEDIAN, quantifier="mean", test="permutation")
RESAMPLED = replace(FLIPS, test="bootstrap")
DIFFERENCE = replace(FLIPS, test="mcnemar")
BET = replace(FLIPS, test="betting", value=0.3, low=0.0, high=1.0)
COINS, NARROW = Proportions("coins"), Proportions("narrow", 1000.0)
SLOW = pytest.mark.slow
VALID = replace(PROPORTION, op=">=", value=1.0, miscoverage=0.001)


def noisy(law, confidence=0.999):
    return Measured(law, 20_000, confidence)


@pytest.mark.parametrize(
    "criterion, law, units, truths",
    (
        (PROPORTION, EXPONENTIAL, 59, (0.9, 0.95, 0.99)),
        (replace(PROPORTION, op=">=", at_least=0.5), NORMAL, 60, (0.4, 0.5, 0.6)),
        (ANYTIME, EXPONENTIAL, 150, (0.9, 0.95, 0.99)),
        (replace(ANYTIME, at_least=0.5), EXPONENTIAL, 150, (0.4, 0.5, 0.6)),
        (MEDIAN, EXPONENTIAL, 25, (-0.3, 0.0, 0.3)),
        (replace(MEDIAN, op=">="), EXPONENTIAL, 25, (-0.3, 0.0, 0.3)),
        (FLIPS, NORMAL, 10, (-0.3, 0.0, 0.3)),
        (FLIPS, COIN, 10, (0.0,)),
        (RESAMPLED, EXPONENTIAL, 20, (-0.3, 0.0, 0.3)),
        (replace(RESAMPLED, op=">="), EXPONENTIAL, 20, (0.0,)),
        (RESAMPLED, NORMAL, 20, (0.0,)),
        (RESAMPLED, COIN, 20, (0.0,)),
        (DIFFERENCE, Discordant("4%", 0.04), 500, (-0.01, 0.0, 0.01)),
        (BET, COINS, 40, (0.15, 0.3, 0.5)),
        (replace(BET, op=">="), Proportions("skewed", 1 / 3), 40, (0.5, 0.3, 0.15)),
    ),
)
@pytest.mark.thorough
def test_false_verdicts_stay_under_alpha_below_at_and_above_the_threshold(
    criterion, law, units, truths
):
    for truth in truths:
        simulated = calibrate(criterion, law, units, truth=truth, repetitions=600)
        assert not simulated.exceeds
        rates = [float(rate.value) for rate in (simulated.supported, simulated.refuted)]
        if truth == truths[len(truths) // 2]:
            assert max(rates) > 0.005  # the worst truth is one that the test can meet
        else:
            assert np.isnan(rates).sum() == 1  # the other verdict would be right


def test_rates_are_those_of_the_binomial_law():
    rates = calibrate(PROPORTION, EXPONENTIAL, 59, truth=0.95, repetitions=4000)
    refuting = stats.binom.sf(6, 59, 0.05)  # seven failures: their tail is the first below .05
    assert stats.binom.sf(5, 59, 0.05) > 0.05 > refuting
    assert rates.supported.low < 0.95**59 < rates.supported.high
    assert rates.refuted.low < refuting < rates.refuted.high


@pytest.mark.parametrize("criterion, units", ((PROPORTION, 59), (ANYTIME, 150)))
def test_measured_risks_and_lost_units_make_no_false_verdicts(criterion, units):
    for law in (FAR, CLOSE):
        rates = calibrate(criterion, noisy(law), units, truth=0.95, repetitions=600)
        assert not rates.exceeds and rates.supported.value > 0.005
    lost = calibrate(criterion, FAR, units, truth=0.95, repetitions=600, missing=0.05)
    assert not lost.exceeds and lost.supported.value < rates.supported.value / 2


def test_the_sequential_test_stops_with_the_verdict_it_first_reaches():
    criterion = replace(ANYTIME, at_least=0.5, alpha=0.3)
    stopped = calibrate(criterion, FAR, 60, truth=0.5, repetitions=400)
    last = calibrate(criterion, FAR, 60, truth=0.5, repetitions=400, peek=False)
    # at the end it may have changed its mind, and then says nothing
    assert stopped.supported.value >= last.supported.value > 0
    assert not stopped.exceeds


@pytest.mark.parametrize(
    "criterion, law, units, margin",
    ((MEDIAN, EXPONENTIAL, 60, 0.3), (FLIPS, NORMAL, 30, 0.5), (RESAMPLED, EXPONENTIAL, 60, 0.5)),
)
@pytest.mark.thorough
def test_a_truth_on_the_edge_stays_inconclusive_with_a_margin(criterion, law, units, margin):
    criterion = replace(criterion, margin=margin)
    for truth in (-margin, 0.0, margin):
        rates = calibrate(criterion, law, units, truth=truth, repetitions=300)
        assert np.nanmax([rates.supported.value, rates.refuted.value]) <= 0.01
    tells = calibrate(criterion, law, units, truth=-4 * margin, repetitions=300)
    assert np.isnan(tells.supported.value) and tells.refuted.value == 0


def test_units_on_the_edge_itself_are_ambiguous_and_decide_nothing():
    criterion = replace(PROPORTION, margin=0.001)
    x = np.full(1000, 0.05)
    finding = find(criterion, x, x)
    assert finding.ambiguous == 1000 and finding.p_supported == finding.p_refuted == 1


@pytest.mark.parametrize(
    "criterion, law, units", ((PROPORTION, FAR, 150), (ANYTIME, FAR, 150), (FLIPS, NORMAL, 12))
)
def test_a_family_has_a_false_verdict_at_most_as_often_as_alpha_says(criterion, law, units):
    edge = criterion.value if criterion.at_least is None else criterion.at_least
    on_the_edge = calibrate(criterion, law, units, truth=[edge] * 4, repetitions=500)
    assert not on_the_edge.exceeds and on_the_edge.refuted.value > 0.005
    apart = [edge - 1e-9] * 2 + [edge + 1e-9] * 2  # some just false, some just true
    mixed, alone = (
        calibrate(criterion, law, units, truth=apart, repetitions=500, correct=correct)
        for correct in (holm, uncorrected)
    )
    assert not mixed.exceeds
    assert max(mixed.supported.value, mixed.refuted.value) <= mixed.either.value
    assert alone.either.low > criterion.alpha  # were it not corrected, it would be found out
    assert np.isnan(on_the_edge.either.value)


# intervals that miss


@pytest.mark.parametrize("confidence, least", ((0.999, 0.95), (0.9, 0.8)))
@pytest.mark.parametrize("criterion, units", ((PROPORTION, 150), (ANYTIME, 150)))
def test_intervals_that_miss_as_often_as_they_say_make_no_false_verdicts(
    criterion, units, confidence, least
):
    criterion = replace(criterion, at_least=least, miscoverage=1 - confidence)
    for law, truth in ((UNDER, least), (OVER, least), (OVER, 1.0)):
        assert not calibrate(
            criterion, noisy(law, confidence), units, truth=truth, repetitions=400
        ).exceeds


def test_intervals_that_miss_where_half_of_the_units_lie_spoil_no_median():
    criterion = replace(MEDIAN, value=0.05, miscoverage=0.1)
    assert not calibrate(criterion, noisy(HALF, 0.9), 200, truth=0.05, repetitions=600).exceeds
    criterion = replace(criterion, miscoverage=0.0)
    assert calibrate(criterion, noisy(HALF, 0.9), 200, truth=0.05, repetitions=600).exceeds


@pytest.mark.parametrize(
    "criterion, law, confidence, truth",
    (
        (ANYTIME, OVER, 0.5, 1.0),
        (replace(PROPORTION, at_least=0.8), OVER, 0.9, 0.8),
        (replace(PROPORTION, at_least=0.8), UNDER, 0.5, 0.8),
    ),
)
def test_intervals_that_are_said_never_to_miss_and_do_are_caught(criterion, law, confidence, truth):
    rates = calibrate(criterion, noisy(law, confidence), 300, truth=truth, repetitions=200)
    assert rates.exceeds


def test_a_claim_that_every_unit_satisfies_is_refuted_where_half_of_the_intervals_miss():
    # each risk is .00999: with confidence .5 an interval lies above .01 in a fifth of the units
    criterion, law = replace(ANYTIME, value=0.01), noisy(replace(OVER, name="all below"), 0.5)
    rates = calibrate(criterion, law, 300, truth=1.0, repetitions=100)
    assert rates.refuted.value > 0.9


# validity of bounds


def test_certificates_are_violated_as_often_as_the_truth_says():
    certificate, _ = LIMITS.draw(0.9499, np.random.default_rng(0), (400, 1000))
    risk = stats.beta.ppf(0.9499, 101, 9900)  # P(Bin(10000, risk) <= 100) = .0501
    assert stats.binom.cdf(100, 10_000, risk) == pytest.approx(0.0501)
    count = int(np.sum(certificate < risk))
    assert stats.binomtest(count, 400_000, 0.0501).pvalue > 0.001


def test_simulated_validity_is_told_as_that_of_measured_bounds():
    certificate, (low, high) = LIMITS.draw(0.9499, np.random.default_rng(0), (1, 300))
    expected, seeds = LIMITS.validity(certificate, (low, high)), range(300)
    record = Record("limit", "f", "this network", "certificate", "here", 0.05, 0.5, None, {}, ())

    def judged(i):
        risk = low[0, i], high[0, i]
        value = float(certificate[0, i])
        return Evaluation(replace(record, value=value), i, float(np.mean(risk)), *map(float, risk))

    by_verdict = validity([judged(i) for i in seeds])
    np.testing.assert_array_equal(
        [by_verdict.low, by_verdict.high], [expected[0][0], expected[1][0]]
    )
    kinds = {(a, b) for a, b in zip(by_verdict.low, by_verdict.high, strict=True)}
    assert kinds == {(0, 0), (0, 1), (1, 1)}


def test_bounds_violated_a_little_too_often_are_not_found_valid():
    sharp = replace(LIMITS, points=20_000_000)
    for law in (LIMITS, sharp):
        for truth in (0.9499, 0.9501):
            assert not calibrate(VALID, law, 120, truth=truth, repetitions=600).exceeds
    # no unit may fail, or one: the interval of the risk leaves few in doubt
    rates = calibrate(VALID, sharp, 120, truth=0.9499, repetitions=600)
    assert rates.supported.low < stats.binom.cdf(1, 120, 0.0501) < rates.supported.high


def test_bounds_that_are_counted_as_valid_where_that_is_not_told_are_caught():
    settings = {"truth": 0.9499, "repetitions": 200, "judge": ambiguous_as_true}
    assert calibrate(VALID, LIMITS, 120, **settings).supported.low > 0.1


# through the rounds of a session


@pytest.fixture
def quick(monkeypatch):
    """Leave out what would decide, on which no verdict rests and most of the time goes."""
    monkeypatch.setattr(verdict, "more", lambda *_, **__: None)


@pytest.mark.slow
def test_sessions_make_false_verdicts_as_rarely_as_the_inference(quick):
    criterion = replace(ANYTIME, at_least=0.5, alpha=0.2, miscoverage=0.001)
    settings = {"truth": 0.5, "repetitions": 40, "unmet": 0.02}
    rates = calibrate_session(criterion, noisy(FAR), 24, **settings)
    assert not rates.exceeds and rates.supported.value + rates.refuted.value > 0
    settings |= {"truth": [0.499, 0.501], "repetitions": 20}
    both = calibrate_session(criterion, noisy(FAR), 24, **settings)
    assert not both.exceeds and not np.isnan(both.either.value)


def test_sessions_without_misses_judge_as_the_inference_does(quick):
    # a fixed number of units, all of which are there: the same units, the same verdicts
    criterion = replace(PROPORTION, at_least=0.5, alpha=0.2)
    settings = {"truth": 0.5, "repetitions": 100}
    through, plain = (
        each(criterion, FAR, 20, **settings) for each in (calibrate_session, calibrate)
    )
    exact = stats.binom.sf(12, 20, 0.5)  # 13 of 20: .1316, and 12 would be .2517
    for rates in (through, plain):
        for rate in (rates.supported, rates.refuted):
            assert rate.low < exact < rate.high


def test_units_that_miss_the_premise_decide_nothing_in_a_session(quick):
    criterion = replace(PROPORTION, at_least=0.5)
    settings = {"truth": 1 / 3, "repetitions": 20}
    told = calibrate_session(replace(criterion, op=">="), FAR, 20, **settings, unmet=0.45)
    assert told.supported.value == 0
    nothing = calibrate_session(criterion, FAR, 20, truth=0.5, repetitions=20, unmet=1.0)
    assert (nothing.supported.value, nothing.refuted.value) == (0, 0)


VERSIONS = {"truth": [0.5, 0.5], "repetitions": 60, "versions": 3}


def test_a_family_that_is_said_again_and_again_spends_alpha_once(quick):
    criterion = replace(PROPORTION, at_least=0.5, alpha=0.2)
    rates = calibrate_session(criterion, FAR, 20, **VERSIONS)
    assert not rates.exceeds and rates.supported.value + rates.refuted.value > 0


def test_versions_that_spend_alpha_each_are_caught(quick, monkeypatch):
    monkeypatch.setattr(claim, "spent", lambda alpha, version: alpha)
    monkeypatch.setattr(verdict, "scaled", lambda p, version: p)
    criterion = replace(PROPORTION, at_least=0.5, alpha=0.2)
    assert calibrate_session(criterion, FAR, 20, **VERSIONS).exceeds


def test_rounds_that_peek_at_a_fixed_number_of_units_are_caught(quick, monkeypatch):
    criterion = replace(PROPORTION, at_least=0.5, alpha=0.2)
    fixed = declared_tests()["clopper-pearson"]
    monkeypatch.setitem(declared_tests(), "clopper-pearson", replace(fixed, sequential=True))
    assert calibrate_session(criterion, FAR, 60, truth=0.5, repetitions=60).exceeds


# exactly, without simulation


def hits(criterion, counts, units):
    """Units of which so many hold, a row for each count, and the others fail."""
    holding = np.arange(units) < np.asarray(counts)[:, None]
    return criterion.value + np.where(holding, -0.01, 0.01)


def verdicts(criterion, x):
    return np.array(
        [holm([pair], criterion.alpha)[0] for pair in zip(*p_values(criterion, x, x), strict=True)]
    )


def exact_rates(criterion, units, truth):
    """Probabilities of supporting and refuting where a unit holds with probability ``truth``."""
    counts = np.arange(units + 1)
    decided = verdicts(criterion, hits(criterion, counts, units))
    mass = stats.binom.pmf(counts, units, truth)
    return float(mass @ (decided == "supported")), float(mass @ (decided == "refuted"))


@lru_cache
def crossings(criterion, units):
    """For each number of units, which numbers of hits support and which refute."""
    level = np.log(1 / criterion.alpha) - 1e-9
    crossed = []
    for n in range(1, units + 1):
        k = np.arange(n + 1)
        sides = (k, criterion.at_least), (n - k, 1 - criterion.at_least)
        crossed.append(
            [
                sequential.log_e(j, n, proportion + criterion.miscoverage) >= level
                for j, proportion in sides
            ]
        )
    return crossed


def exact_sequential_rates(criterion, units, truth):
    """The same of stopping at the first look that decides: the mass of prefixes, by their hits."""
    alive, stopped = np.array([1.0]), np.zeros(2)
    for over in crossings(criterion, units):
        alive = np.append(alive * (1 - truth), 0) + np.append(0, alive * truth)
        stopped += [alive[over[0] & ~over[1]].sum(), alive[over[1] & ~over[0]].sum()]
        alive = np.where(over[0] | over[1], 0, alive)
    return tuple(stopped)


EDGES = ((5, 0.5), (40, 0.05), (59, 0.95), (93, 0.95), (120, 0.8), (300, 0.95))


@pytest.mark.parametrize("exactly, test", (
    (exact_rates, "clopper-pearson"), (exact_sequential_rates, "beta-binomial"),
))  # fmt: skip
@pytest.mark.parametrize("alpha", (0.01, 0.05, 0.2))
@pytest.mark.parametrize("miscoverage", (0.0, 0.02))
@pytest.mark.thorough
def test_exact_rates_of_false_verdicts_about_a_proportion_are_at_most_alpha(
    exactly, test, alpha, miscoverage
):
    rates = []
    for units, edge in EDGES:
        criterion = replace(
            PROPORTION, test=test, at_least=edge, alpha=alpha, miscoverage=miscoverage
        )
        for off in (0.0, 1e-6, 0.005, 0.02):
            # at worst, as many more units seem to be on the side that they are not on as may
            if edge - off > 0:
                rates.append(exactly(criterion, units, edge - off + miscoverage)[0])
            if edge + off < 1:
                rates.append(exactly(criterion, units, edge + off - miscoverage)[1])
    assert max(rates) <= alpha * (1 + 1e-9)
    assert max(rates) > alpha / 2  # a test that never answers would pass as well


@pytest.mark.parametrize("exactly, test", (
    (exact_rates, "clopper-pearson"), (exact_sequential_rates, "beta-binomial"),
))  # fmt: skip
@pytest.mark.parametrize("alpha", (0.05, *(pytest.param(a, marks=SLOW) for a in (0.01, 0.2))))
@pytest.mark.thorough
def test_exact_rates_of_all_versions_together_are_at_most_alpha(exactly, test, alpha):
    # judged on the edge whatever came out before, as often as anybody would
    def together(levels):
        criteria = [replace(PROPORTION, test=test, at_least=0.8, alpha=level) for level in levels]
        return np.sum([exactly(criterion, 120, 0.8) for criterion in criteria], axis=0)

    spending = together([spent(alpha, version) for version in range(1, 31)])
    assert alpha / 4 < spending.max() <= alpha * (1 + 1e-9)
    assert together([alpha] * 3).min() > alpha  # were each version to spend it


@pytest.mark.parametrize("exactly, test", (
    (exact_rates, "clopper-pearson"), (exact_sequential_rates, "beta-binomial"),
))  # fmt: skip
def test_exact_rates_tell_a_proportion_that_is_off_by_two_hundredths(exactly, test):
    criterion = replace(PROPORTION, test=test, at_least=0.48)  # of a truth at .5, read as false
    assert exactly(criterion, 300, 0.5)[0] > criterion.alpha
    assert exactly(replace(criterion, at_least=0.52), 300, 0.5)[1] > criterion.alpha


def test_prefixes_by_their_hits_are_all_the_paths_there_are():
    criterion = replace(ANYTIME, at_least=0.5, alpha=0.3)
    paths = np.array(list(itertools.product((-0.01, 0.01), repeat=12))) + criterion.value
    p = np.stack(p_values_along(criterion, paths, paths))
    look = np.argmax(np.append(p.min(0)[:, :-1] <= 0.3, np.ones((4096, 1), bool), axis=1), axis=1)
    reached = p[:, np.arange(4096), look] <= 0.3
    mass = np.prod(np.where(paths < criterion.value, 0.4, 0.6), axis=1)
    assert exact_sequential_rates(criterion, 12, 0.4) == pytest.approx(
        [mass[reached[0] & ~reached[1]].sum(), mass[reached[1] & ~reached[0]].sum()]
    )
    assert mass[reached[1]].sum() > 0.1


@pytest.mark.parametrize("exactly, criterion, units", (
    (exact_rates, PROPORTION, 59), (exact_sequential_rates, ANYTIME, 150),
    (exact_sequential_rates, replace(ANYTIME, at_least=0.5), 150),
))  # fmt: skip
def test_simulated_rates_are_the_exact_ones(exactly, criterion, units):
    simulated = calibrate(criterion, FAR, units, truth=criterion.at_least, repetitions=2000)
    rates = exactly(criterion, units, criterion.at_least)
    for rate, exact in zip((simulated.supported, simulated.refuted), rates,
                           strict=True):  # fmt: skip
        count = round(float(rate.value) * 2000)
        assert stats.binomtest(count, 2000, exact).pvalue > 0.001


@pytest.mark.parametrize("alpha", (0.01, 0.05, 0.2))
def test_exact_rates_of_the_sign_test_are_at_most_alpha(alpha):
    for units in (5, 9, 25, 100):
        for miscoverage in (0.0, 0.05):
            criterion = replace(MEDIAN, alpha=alpha, miscoverage=miscoverage)
            for off in (0.0, 0.001, 0.02):
                assert exact_rates(criterion, units, 0.5 - off + miscoverage)[0] <= alpha
                assert exact_rates(criterion, units, 0.5 + off - miscoverage)[1] <= alpha
    assert exact_rates(replace(MEDIAN, alpha=alpha), 100, 0.5)[0] > alpha / 2
    assert exact_rates(replace(MEDIAN, alpha=alpha), 100, 0.58)[0] > alpha


@pytest.mark.parametrize("alpha", (0.01, 0.05, 0.2))
def test_exact_rates_of_mcnemars_test_are_at_most_alpha(alpha):
    criterion, points = replace(DIFFERENCE, alpha=alpha), 40
    better, worse = (part[np.add(*np.indices((41, 41))) <= points] for part in np.indices((41, 41)))
    place = np.arange(points)
    x = np.where(place < better[:, None], -1.0, 0.0)
    x[place >= points - worse[:, None]] = 1.0
    decided = verdicts(criterion, x)

    def rates(discordant, mean):
        proportions = (discordant - mean) / 2, (discordant + mean) / 2, 1 - discordant
        counts = np.stack([better, worse, points - better - worse], axis=-1)
        mass = stats.multinomial.pmf(counts, points, proportions)
        return mass @ (decided == "supported"), mass @ (decided == "refuted")

    for discordant in (0.1, 0.5, 1.0):
        for off in (0.0, 0.001, 0.05):
            assert rates(discordant, off)[0] <= alpha and rates(discordant, -off)[1] <= alpha
    assert rates(0.5, 0.0)[0] > alpha / 4 and rates(0.5, -0.2)[0] > alpha


@pytest.mark.parametrize("repetitions", (60, 300, 4000))
def test_the_rate_that_a_simulation_tells_is_where_its_power_is(repetitions):
    rate = detectable(0.05, repetitions)
    counts = np.arange(repetitions + 1)
    low = clopper_pearson(counts, np.full_like(counts, repetitions), 0.95).low
    assert stats.binom.pmf(counts, repetitions, rate) @ (low > 0.05) == pytest.approx(0.9)
    assert detectable(0.05, repetitions, power=0.5) < rate
    assert detectable(0.9, 1) == 1  # no count of one repetition exceeds
    for power in (0, 1, 1.5):
        with pytest.raises(ValueError, match="^power: got "):
            detectable(0.05, repetitions, power=power)


# wrong on purpose


@pytest.mark.parametrize("judge", (ambiguous_in_favour, ambiguous_dropped))
def test_ambiguous_units_that_do_not_count_against_a_verdict_are_caught(judge):
    settings = {"truth": 0.93, "repetitions": 200}
    assert calibrate(PROPORTION, noisy(CLOSE), 75, **settings, judge=judge).exceeds
    assert not calibrate(PROPORTION, noisy(CLOSE), 75, **settings).exceeds


def test_peeking_at_a_test_of_a_fixed_number_of_units_is_caught():
    settings = {"truth": 0.95, "repetitions": 200, "peek": True}
    assert calibrate(PROPORTION, FAR, 150, **settings).exceeds
    assert not calibrate(ANYTIME, FAR, 150, **settings).exceeds


def test_a_family_without_correction_is_caught():
    settings = {"truth": [0.0] * 6, "repetitions": 200}
    assert calibrate(FLIPS, NORMAL, 10, **settings, correct=uncorrected).exceeds
    assert not calibrate(FLIPS, NORMAL, 10, **settings).exceeds


def test_sign_flips_of_a_skewed_law_are_caught():
    assert calibrate(FLIPS, EXPONENTIAL, 25, truth=0.0, repetitions=600).exceeds


def test_twenty_units_of_a_rare_law_deceive_sign_flips_and_no_bet():
    criterion = replace(BET, value=0.04)
    assert calibrate(criterion, COINS, 20, truth=0.05, repetitions=600).supported.value == 0
    flipped = calibrate(
        replace(criterion, test="permutation"), COINS, 20, truth=0.05, repetitions=600
    )
    assert flipped.supported.low < 0.95**20 < flipped.supported.high  # no unit is a 1


@pytest.mark.parametrize("read", (0.0, 1.0))
def test_units_that_are_misread_as_often_as_they_say_spoil_no_bet(read):
    law, settings = Misread(NARROW, 0.1, read), {"truth": 0.3, "repetitions": 300}
    assert not calibrate(replace(BET, miscoverage=0.1), law, 60, **settings).exceeds
    if read:  # a 1 where .3 is expected weighs more than a 0
        assert calibrate(BET, law, 60, **settings).exceeds


def test_a_premise_that_is_misread_is_paid_for_and_caught_where_it_is_not(quick):
    # two fifths of the units miss the premise; one in five of these seems to meet it, and violates
    settings = {"truth": 1.0, "repetitions": 60, "unmet": 0.4, "misread": 0.2}
    free = replace(PROPORTION, at_least=0.95)
    assert calibrate_session(free, FAR, 60, **settings).exceeds
    paid = replace(PROPORTION, at_least=0.75, miscoverage=0.2)
    assert not calibrate_session(paid, FAR, 60, **settings).exceeds


@pytest.mark.parametrize(
    "criterion", (replace(FLIPS, value=0.2), replace(FLIPS, value=0.2, op=">="))
)
def test_a_verdict_that_is_right_is_not_counted(criterion):
    true, false = (0.1, 0.3) if criterion.op == "<=" else (0.3, 0.1)
    rates = calibrate(criterion, NORMAL, 10, truth=true, repetitions=20)
    assert np.isnan(rates.supported.value) and not np.isnan(rates.refuted.value)
    rates = calibrate(criterion, NORMAL, 10, truth=false, repetitions=20)
    assert np.isnan(rates.refuted.value) and not np.isnan(rates.supported.value)


def test_laws_lie_where_they_are_put():
    random, shape = np.random.default_rng(0), (100, 1000)
    upward = replace(PROPORTION, op=">=")

    def placed(law, criterion, truth):
        low, high = law.place(criterion, truth, random, shape)
        np.testing.assert_array_equal(low, high)
        return low

    assert np.mean(placed(EXPONENTIAL, PROPORTION, 0.7) <= 0.05) == pytest.approx(0.7, abs=0.01)
    assert np.mean(placed(EXPONENTIAL, upward, 0.7) >= 0.05) == pytest.approx(0.7, abs=0.01)
    assert placed(EXPONENTIAL, FLIPS, 0.3).mean() == pytest.approx(0.3, abs=0.02)
    assert np.median(placed(EXPONENTIAL, MEDIAN, 0.3)) == pytest.approx(0.3, abs=0.02)
    assert placed(COINS, BET, 0.2).mean() == pytest.approx(0.2, abs=0.01)
    narrow = placed(NARROW, BET, 0.2)
    assert narrow.mean() == pytest.approx(0.2, abs=0.001)
    assert narrow.var() == pytest.approx(0.2 * 0.8 / 1001, rel=0.05)
    read = placed(Misread(NARROW, 0.1, 1.0), BET, 0.2)
    assert np.mean(read == 1) == pytest.approx(0.1, abs=0.005)
    points = placed(Discordant("10%", 0.1), DIFFERENCE, -0.04)
    assert points.mean() == pytest.approx(-0.04, abs=0.005)
    assert np.mean(points != 0) == pytest.approx(0.1, abs=0.005)


def test_the_same_seed_gives_the_same_rates():
    once, again = (calibrate(PROPORTION, FAR, 59, truth=0.95, repetitions=300) for _ in range(2))
    other = calibrate(PROPORTION, FAR, 59, truth=0.95, repetitions=300, seed=1)
    assert (once.supported, once.refuted) == (again.supported, again.refuted)
    assert once.supported != other.supported


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(units=0), "^units: got 0"),
        (dict(repetitions=0), "^repetitions: got 0"),
        (dict(missing=1.5), "^missing: got 1.5"),
        (dict(law=noisy(NORMAL)), "^law: got 'quantities outside"),
        (dict(criterion=FLIPS, truth=0.0, peek=True), "^test: got 'permutation', allowed: clopper"),
    ),
)
def test_simulations_that_make_no_sense_are_refused(change, message):
    settings = dict(criterion=PROPORTION, law=FAR, units=20, truth=0.95, repetitions=10) | change
    with pytest.raises(ValueError, match=message):
        calibrate(settings.pop("criterion"), settings.pop("law"), settings.pop("units"), **settings)
