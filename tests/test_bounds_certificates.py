"""Held-out certificates: golden values, exact coverage, and broken ones that must be caught."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from simbias.bounds import HeldOut, Observed, Record, violated
from simbias.bounds import certificates as c
from simbias.bounds.capacity import occam
from simbias.stats.binomial import clopper_pearson
from simbias.tasks.oracle import Layer

LIMITS = {
    "hoeffding": (c.hoeffding_limit, 0.06224, 0.01224),
    "empirical-bernstein": (c.empirical_bernstein_limit, 0.05678, 0.00086),
    "chernoff-kl": (c.chernoff_kl_limit, 0.05552, 0.00030),
    "clopper-pearson": (c.clopper_pearson_limit, 0.05373, 0.00030),
    "beta-binomial": (c.beta_binomial_limit, 0.05910, 0.00082),
}
DELTA = 0.05


@pytest.mark.parametrize("name", LIMITS)
def test_golden_values(name):
    limit, at_500, at_0 = LIMITS[name]
    assert limit(500, 10_000, DELTA) == pytest.approx(at_500, abs=5e-6)
    assert limit(0, 10_000, DELTA) == pytest.approx(at_0, abs=5e-6)


def test_every_error_wrong_gives_a_limit_of_one_where_limits_are_proportions():
    for name in ("chernoff-kl", "clopper-pearson", "beta-binomial"):
        assert LIMITS[name][0](30, 30, DELTA) == 1


def miss_rate(limit, n):
    """The exact probability that the limit lies below p, at the worst p of a grid."""
    k = np.arange(n + 1)
    limits = np.array([limit(int(errors), n, DELTA) for errors in k])
    places = np.linspace(0.005, 0.995, 199)
    return max(stats.binom.pmf(k, n, p)[limits < p].sum() for p in places)


@pytest.mark.parametrize("name", LIMITS)
def test_limits_fail_at_most_as_often_as_they_say(name):
    limit = LIMITS[name][0]
    assert max(miss_rate(limit, n) for n in (2, 7, 50, 200)) <= DELTA


BROKEN = {  # planted: a constant halved, the variance of the wrong thing, a term dropped
    "hoeffding": lambda k, n, d: k / n + math.sqrt(math.log(1 / d) / (2 * n)) / 2,
    "empirical-bernstein": lambda k, n, d: k / n + math.sqrt(2 * k * math.log(1 / d)) / n,
    "chernoff-kl": lambda k, n, d: c.chernoff_kl_limit(k, n, d**0.5),
    "clopper-pearson": lambda k, n, d: c.clopper_pearson_limit(k, n, 2 * d),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_limits_fail_too_often(name):
    assert max(miss_rate(BROKEN[name], n) for n in (50, 200)) > DELTA


@pytest.mark.thorough
def test_anytime_limit_survives_peeking_and_the_exact_one_does_not():
    random, p, looks = np.random.default_rng(0), 0.3, np.geomspace(5, 500, 20).astype(int)
    runs = np.cumsum(random.random((100, 500)) < p, axis=1)
    for limit, most, least in ((c.beta_binomial_limit, 0.05, 0), (c.clopper_pearson_limit, 1, 0.1)):
        caught = [any(limit(int(run[n - 1]), int(n), DELTA) < p for n in looks) for run in runs]
        assert least <= np.mean(caught) <= most


def test_binary_relative_entropy_by_hand():
    assert c.kl(0.5, 0.25) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    np.testing.assert_allclose(
        c.kl([0, 1, 0.3], [0.25, 0.25, 0.3]), [-math.log(0.75), math.log(4), 0]
    )
    assert c.kl(0.5, 0.0) == np.inf


def test_inverse_is_bracketed_from_above():
    q, cost = np.meshgrid([0, 1e-4, 0.05, 0.5, 0.99, 1], [0, 1e-8, 1e-3, 0.1, 2, 30])
    p = c.kl_inverse(q, cost)
    inside = p < 1
    assert np.all(c.kl(q, p)[inside] >= cost[inside] * (1 - 1e-9))
    assert np.all(c.kl(q, np.maximum(q, p - 1e-12))[inside] <= cost[inside] + 1e-6)
    assert np.all(p >= q) and c.kl_inverse(0.2, np.inf) == 1
    np.testing.assert_allclose(c.kl_inverse(0, 0.1), 1 - math.exp(-0.1))


@pytest.mark.parametrize("q, cost, name", ((1.1, 1, "q"), (np.nan, 1, "q"), (0, -1, "c")))
def test_inverse_refuses_what_is_no_proportion_or_no_cost(q, cost, name):
    with pytest.raises(ValueError, match=f"^{name}: got .*allowed: numbers"):
        c.kl_inverse(q, cost)


# what catches a broken bound: the risk is surely above it


def observed(errors, points, train_wrong=0, n=200):
    """A threshold on one coordinate that labels ``train_wrong`` of n training points wrongly."""
    x = np.where(np.arange(n) % 2, 1.0, -1.0)[:, None]
    y = (x[:, 0] > 0).astype(int)
    y[:train_wrong] = 1 - y[:train_wrong]
    layers = (Layer(np.array([[0.0, 1.0]]), np.zeros(2)),)
    return Observed(layers=layers, x=x, y=y, held_out=HeldOut(errors, points))


def violation_rate(bound, risk, draws, change=lambda record: record):
    """How often simulated networks of known risk refute a bound on held-out points."""
    random, low = (
        np.random.default_rng(1),
        clopper_pearson(np.array(round(risk * 10**7)), np.array(10**7), 0.9999).low,
    )
    hits = [
        violated(change(bound(observed(int(random.binomial(200, risk)), 200))), float(low))
        for _ in range(draws)
    ]
    return np.mean(hits)


@pytest.mark.thorough
def test_validity_check_passes_the_right_certificate_and_catches_a_halved_constant():
    def halved(record: Record) -> Record:
        error, deviation = record.terms["held-out error"], record.terms["deviation"]
        return replace(record, value=error + deviation / 2)

    for bound in (c.hoeffding, c.clopper_pearson, c.chernoff_kl, c.empirical_bernstein):
        assert violation_rate(bound, 0.3, 400) <= DELTA
    assert violation_rate(c.hoeffding, 0.5, 400, halved) > 1.5 * DELTA
    assert violation_rate(c.clopper_pearson, 0.3, 400, halved) > 2 * DELTA


def test_validity_check_catches_test_points_used_for_training():
    # the best of 1000 coin-flipping hypotheses on the points that then certify it
    random = np.random.default_rng(2)
    hits = []
    for _ in range(50):
        errors = random.binomial(200, 0.5, 1000)
        hits.append(violated(c.clopper_pearson(observed(int(errors.min()), 200)), 0.499))
    assert np.mean(hits) > 0.9


def test_validity_check_catches_a_union_that_is_dropped():
    # the same selection with the bits of the hypothesis paid for, and without
    random = np.random.default_rng(3)
    paid, dropped = [], []
    for _ in range(100):
        errors = int(random.binomial(200, 0.5, 1000).min())
        for bits, hits in ((math.log2(1000), paid), (0.0, dropped)):
            rate = (bits * math.log(2) + math.log(1 / DELTA)) / 200
            record = replace(
                occam(observed(0, 1, errors)), value=float(c.kl_inverse(errors / 200, rate))
            )
            hits.append(violated(record, 0.499))
    assert np.mean(paid) <= DELTA < 0.9 < np.mean(dropped)


def test_a_bound_is_violated_only_where_the_risk_is_surely_above_it():
    record = c.hoeffding(observed(0, 200))
    assert violated(record, record.value) is False
    assert violated(record, record.value + 1e-9) is True
    assert violated(c.hoeffding(replace(observed(0, 1), held_out=None)), 1.0) is None
    with pytest.raises(ValueError, match=r"^risk_low: got 1.5, allowed: a number in \[0, 1\]$"):
        violated(record, 1.5)


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(kind="theorem"), "^kind: unknown name 'theorem'"),
        (dict(certifies="everything"), "^certifies: unknown name"),
        (dict(constants=""), "^constants: got '', allowed: a source for a bound"),
        (dict(kind="measure"), "^constants: got 'Hoeffding 1963', allowed"),
        (dict(value=None), "^value: got None, allowed: a number, or None and a reason"),
        (dict(value=math.nan), "^value: got nan, allowed: a number"),
    ),
)
def test_records_that_contradict_themselves_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(c.hoeffding(observed(0, 200)), **change)
