"""False verdicts stay under alpha on units of known truth; tests that are wrong are caught."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from simbias.claims.calibration import Discordant, Located, Noise, calibrate
from simbias.claims.controls import ambiguous_dropped, ambiguous_in_favour, uncorrected
from simbias.claims.inference import Rule, find

NORMAL = Located("normal", lambda g, s: g.normal(size=s), 0.0, 0.0)
EXPONENTIAL = Located("exponential", lambda g, s: g.exponential(size=s), 1.0, np.log(2))
FAR = Located("far", lambda g, s: np.ones(s), 0.0, 0.0, scale=0.03)
CLOSE = replace(FAR, name="violations close to the threshold", nearer=0.02)
COIN = Located("coin", lambda g, s: 1.0 * (g.random(s) < 0.5), 0.5, 0.0)
NOISE = Noise(points=20_000, confidence=0.999)
SHARE = Rule("<=", 0.05, 0.0, "probability", 0.95, "clopper-pearson", 0.05)
ANYTIME = replace(SHARE, test="beta-binomial")
MEDIAN = Rule("<=", 0.0, 0.0, "median", None, "sign", 0.05)
FLIPS = replace(MEDIAN, quantifier="mean", test="permutation")
RESAMPLED = replace(FLIPS, test="bootstrap")
DIFFERENCE = replace(FLIPS, test="mcnemar")


@pytest.mark.parametrize(
    "rule, law, units, truths",
    (
        (SHARE, EXPONENTIAL, 59, (0.9, 0.95, 0.99)),
        (replace(SHARE, op=">=", at_least=0.5), NORMAL, 60, (0.4, 0.5, 0.6)),
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
    ),
)
def test_false_verdicts_stay_under_alpha_below_at_and_above_the_threshold(rule, law, units, truths):
    for truth in truths:
        found = calibrate(rule, law, units, truth=truth, repetitions=600)
        assert not found.exceeds
        rates = [float(rate.value) for rate in (found.supported, found.refuted)]
        if truth == truths[len(truths) // 2]:
            assert max(rates) > 0.005  # the worst truth is one that the test can meet
        else:
            assert np.isnan(rates).sum() == 1  # the other verdict would be right


def test_rates_are_those_of_the_binomial_law():
    found = calibrate(SHARE, EXPONENTIAL, 59, truth=0.95, repetitions=4000)
    refuting = stats.binom.sf(6, 59, 0.05)  # seven failures: their tail is the first below .05
    assert stats.binom.sf(5, 59, 0.05) > 0.05 > refuting
    assert found.supported.low < 0.95**59 < found.supported.high
    assert found.refuted.low < refuting < found.refuted.high


@pytest.mark.parametrize("rule, units", ((SHARE, 59), (ANYTIME, 150)))
def test_measured_risks_and_lost_units_make_no_false_verdicts(rule, units):
    for law in (FAR, CLOSE):
        found = calibrate(rule, law, units, truth=0.95, repetitions=600, noise=NOISE)
        assert not found.exceeds and found.supported.value > 0.005
    lost = calibrate(rule, FAR, units, truth=0.95, repetitions=600, missing=0.05)
    assert not lost.exceeds and lost.supported.value < found.supported.value / 2


def test_the_sequential_test_stops_with_the_verdict_it_first_reaches():
    rule = replace(ANYTIME, at_least=0.5, alpha=0.3)
    stopped = calibrate(rule, FAR, 60, truth=0.5, repetitions=400)
    last = calibrate(rule, FAR, 60, truth=0.5, repetitions=400, peek=False)
    # at the end it may have changed its mind, and then says nothing
    assert stopped.supported.value >= last.supported.value > 0
    assert not stopped.exceeds


@pytest.mark.parametrize(
    "rule, law, units, margin",
    ((MEDIAN, EXPONENTIAL, 60, 0.3), (FLIPS, NORMAL, 30, 0.5), (RESAMPLED, EXPONENTIAL, 60, 0.5)),
)
def test_a_truth_on_the_edge_stays_inconclusive_with_a_margin(rule, law, units, margin):
    rule = replace(rule, margin=margin)
    for truth in (-margin, 0.0, margin):
        found = calibrate(rule, law, units, truth=truth, repetitions=300)
        assert np.nanmax([found.supported.value, found.refuted.value]) <= 0.01
    tells = calibrate(rule, law, units, truth=-4 * margin, repetitions=300)
    assert np.isnan(tells.supported.value) and tells.refuted.value == 0


def test_units_on_the_edge_itself_are_ambiguous_and_decide_nothing():
    rule = replace(SHARE, margin=0.001)
    x = np.full(1000, 0.05)
    finding = find(rule, x, x)
    assert finding.ambiguous == 1000 and finding.p_supported == finding.p_refuted == 1


@pytest.mark.parametrize(
    "rule, law, units", ((SHARE, FAR, 150), (ANYTIME, FAR, 150), (FLIPS, NORMAL, 12))
)
def test_a_family_has_a_false_verdict_at_most_as_often_as_alpha_says(rule, law, units):
    edge = rule.value if rule.at_least is None else rule.at_least
    on_the_edge = calibrate(rule, law, units, truth=[edge] * 4, repetitions=500)
    assert not on_the_edge.exceeds and on_the_edge.refuted.value > 0.005
    apart = [edge - 1e-9] * 2 + [edge + 1e-9] * 2  # some just false, some just true
    mixed = calibrate(rule, law, units, truth=apart, repetitions=500)
    assert mixed.supported.low + mixed.refuted.low <= rule.alpha


# wrong on purpose


@pytest.mark.parametrize("judge", (ambiguous_in_favour, ambiguous_dropped))
def test_ambiguous_units_that_do_not_count_against_a_verdict_are_caught(judge):
    settings = {"truth": 0.93, "repetitions": 200, "noise": NOISE}
    assert calibrate(SHARE, CLOSE, 75, **settings, judge=judge).exceeds
    assert not calibrate(SHARE, CLOSE, 75, **settings).exceeds


def test_peeking_at_a_test_of_a_fixed_number_of_units_is_caught():
    settings = {"truth": 0.95, "repetitions": 200, "peek": True}
    assert calibrate(SHARE, FAR, 150, **settings).exceeds
    assert not calibrate(ANYTIME, FAR, 150, **settings).exceeds


def test_a_family_without_correction_is_caught():
    settings = {"truth": [0.0] * 6, "repetitions": 200}
    assert calibrate(FLIPS, NORMAL, 10, **settings, correct=uncorrected).exceeds
    assert not calibrate(FLIPS, NORMAL, 10, **settings).exceeds


def test_sign_flips_of_a_skewed_law_are_caught():
    assert calibrate(FLIPS, EXPONENTIAL, 25, truth=0.0, repetitions=600).exceeds


@pytest.mark.parametrize("rule", (replace(FLIPS, value=0.2), replace(FLIPS, value=0.2, op=">=")))
def test_a_verdict_that_is_right_is_not_counted(rule):
    true, false = (0.1, 0.3) if rule.op == "<=" else (0.3, 0.1)
    found = calibrate(rule, NORMAL, 10, truth=true, repetitions=20)
    assert np.isnan(found.supported.value) and not np.isnan(found.refuted.value)
    found = calibrate(rule, NORMAL, 10, truth=false, repetitions=20)
    assert np.isnan(found.refuted.value) and not np.isnan(found.supported.value)


def test_laws_lie_where_they_are_put():
    made, shape = np.random.default_rng(0), (100, 1000)
    upward = replace(SHARE, op=">=")
    assert np.mean(EXPONENTIAL.place(SHARE, 0.7, made, shape) <= 0.05) == pytest.approx(
        0.7, abs=0.01
    )
    assert np.mean(EXPONENTIAL.place(upward, 0.7, made, shape) >= 0.05) == pytest.approx(
        0.7, abs=0.01
    )
    assert EXPONENTIAL.place(FLIPS, 0.3, made, shape).mean() == pytest.approx(0.3, abs=0.02)
    assert np.median(EXPONENTIAL.place(MEDIAN, 0.3, made, shape)) == pytest.approx(0.3, abs=0.02)
    points = Discordant("10%", 0.1).place(DIFFERENCE, -0.04, made, shape)
    assert points.mean() == pytest.approx(-0.04, abs=0.005)
    assert np.mean(points != 0) == pytest.approx(0.1, abs=0.005)


def test_the_same_seed_gives_the_same_rates():
    once, again = (calibrate(SHARE, FAR, 59, truth=0.95, repetitions=300) for _ in range(2))
    other = calibrate(SHARE, FAR, 59, truth=0.95, repetitions=300, seed=1)
    assert once == again and once != other


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(units=0), "^units: got 0"),
        (dict(repetitions=0), "^repetitions: got 0"),
        (dict(missing=1.5), "^missing: got 1.5"),
        (dict(law=NORMAL, noise=NOISE), "^law: got 'quantities outside"),
        (dict(rule=FLIPS, truth=0.0, peek=True), "^test: got 'permutation', allowed: clopper"),
    ),
)
def test_simulations_that_make_no_sense_are_refused(change, message):
    settings = dict(rule=SHARE, law=FAR, units=20, truth=0.95, repetitions=10) | change
    with pytest.raises(ValueError, match=message):
        calibrate(settings.pop("rule"), settings.pop("law"), settings.pop("units"), **settings)
