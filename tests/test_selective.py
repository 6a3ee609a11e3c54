"""Answering at a risk that held-out points certify: exact by enumeration, and over 1,000 draws."""

from functools import partial
from itertools import combinations_with_replacement
from math import factorial, prod

import numpy as np
import pytest
from scipy import stats

from simbias.stats.selective import certify_answers, least_points, thresholds_of

REPEATS, DELTA, RISK = 1000, 0.1, 0.1


def levels_of(probabilities, risks):
    """A law of leads K, ..., 1 and errors: the probability of each kind, R of each threshold."""
    p, r = np.array(probabilities), np.array(risks)
    kinds = np.concatenate([p * (1 - r), p * r])
    return kinds, np.cumsum(p * r) / np.cumsum(p)


def sample(counts):
    """Leads and errors of so many points of each kind."""
    levels = len(counts) // 2
    kinds = np.repeat(np.arange(2 * levels), counts)
    return (levels - kinds % levels).astype(np.float64), kinds >= levels


def fixed_sequence(leads, wrong, thresholds, risk, delta):
    return certify_answers(leads, wrong, thresholds, risk, delta).threshold


def limits(leads, wrong, thresholds, delta):
    answered = (leads[:, None] >= thresholds).sum(axis=0)
    errors = (leads[:, None] >= thresholds)[wrong].sum(axis=0)
    high = stats.beta.isf(delta, errors + 1, np.maximum(answered - errors, 1e-300))
    return np.where(errors == answered, 1, high)


def bisected(leads, wrong, thresholds, risk, delta):
    """Planted: each step of a bisection at the full delta."""
    high, best = limits(leads, wrong, thresholds, delta), np.inf
    low, top = 0, len(thresholds) - 1
    while low <= top:
        middle = (low + top) // 2
        if high[middle] <= risk:
            best, low = thresholds[middle], middle + 1
        else:
            top = middle - 1
    return best


def any_that_passes(leads, wrong, thresholds, risk, delta):
    """Planted: the threshold that answers most among those that pass."""
    passing = thresholds[limits(leads, wrong, thresholds, delta) <= risk]
    return passing.min() if len(passing) else np.inf


def chosen_on_held_out(leads, wrong, thresholds, risk, delta):
    """Planted: thresholds begin where the held-out points look best."""
    best = int(limits(leads, wrong, thresholds, delta).argmin())
    return fixed_sequence(leads, wrong, thresholds[best:], risk, delta)


def ignoring_delta(leads, wrong, thresholds, risk, delta):
    """Planted: the observed rate of errors in place of its limit."""
    return fixed_sequence(leads, wrong, thresholds, risk, 0.5)


UNEVEN = 2.0 ** np.array(
    [0, 0, 1, 2, 3, 4, 5]
)  # each threshold answers twice as many: tests hardly depend
HARD = {
    "exactly the allowed risk everywhere": (UNEVEN / UNEVEN.sum(), np.full(7, RISK)),
    "falls, then rises": (np.full(6, 1 / 6), [0.12, 0.02, 0.02, 0.15, 0.2, 0.3]),
    "all leads equal": ([1.0], [RISK]),
    "just beyond from the third on": (np.full(5, 0.2), [0.05, 0.1, 0.16, 0.11, 0.15]),
    "all errors": (np.full(4, 0.25), np.ones(4)),
    "no errors": (np.full(4, 0.25), np.zeros(4)),
}


def failures(law, procedure, points=2500):
    """How often of 1,000 samples a risk of at least the allowed one is certified."""
    kinds, risks = levels_of(*HARD[law])
    thresholds = np.arange(len(risks), 0, -1.0)
    counts = np.random.default_rng(7).multinomial(points, kinds, size=REPEATS)
    limits = [procedure(*sample(count), thresholds, RISK, DELTA) for count in counts]
    bad = set(thresholds[risks >= RISK - 1e-12])
    return sum(threshold in bad for threshold in limits)


def consistent(count):
    return stats.binomtest(count, REPEATS, DELTA, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize("law", HARD)
def test_a_risk_beyond_the_allowed_one_is_certified_at_most_as_often_as_delta(law):
    assert consistent(failures(law, fixed_sequence))


@pytest.mark.parametrize(
    "procedure", (bisected, any_that_passes, chosen_on_held_out, ignoring_delta)
)
def test_procedures_that_pay_for_too_few_tests_are_caught(procedure):
    assert not consistent(failures("exactly the allowed risk everywhere", procedure))


def test_without_errors_everything_is_answered_and_with_errors_only_nothing():
    thresholds, leads = np.arange(4, 0, -1.0), np.repeat(np.arange(1, 5.0), 100)
    limits = [
        certify_answers(leads, np.full(400, w), thresholds, RISK, DELTA) for w in (0 > 1, 1 > 0)
    ]
    assert [(limit.threshold, limit.proportion) for limit in limits] == [(1.0, 1.0), (np.inf, 0.0)]


def compositions(total, parts):
    """All counts of so many parts that add up to a total."""
    for bars in combinations_with_replacement(range(total + 1), parts - 1):
        yield np.diff([0, *bars, total])


def chance_of_failure(procedure, law, points, risk, delta):
    """The exact probability, over all samples, that a threshold beyond the risk is certified."""
    kinds, risks = levels_of(*law)
    thresholds = np.arange(len(risks), 0, -1.0)
    bad, total = set(thresholds[risks > risk]), 0.0
    for count in compositions(points, len(kinds)):
        if procedure(*sample(count), thresholds, risk, delta) in bad:
            ways = factorial(points) / prod(factorial(int(c)) for c in count)
            total += ways * np.prod(kinds**count)
    return total


@pytest.mark.parametrize("points", (1, 3, 7))
@pytest.mark.parametrize("rest", (0.41, 0.7, 1.0))
def test_over_all_small_samples_a_failure_has_at_most_probability_delta(points, rest):
    law = ([0.3, 0.3, 0.4], [0.2, rest, rest])
    chance = partial(chance_of_failure, law=law, points=points, risk=0.4, delta=0.3)
    assert chance(fixed_sequence) <= 0.3


def test_enumeration_catches_a_planted_mistake():
    law = ([0.3, 0.3, 0.4], [0.41, 0.41, 0.41])
    chances = [chance_of_failure(f, law, 5, 0.4, 0.37) for f in (fixed_sequence, any_that_passes)]
    assert chances[0] <= 0.37 < chances[1]


def test_by_hand_of_five_points():
    # limits at delta 1/4: of 0 in 2, 1 - sqrt(1/4) = 1/2; of 0 in 1, 3/4; of 1 in 3, .673
    leads = np.array([3.0, 3.0, 2.0, 1.0, 1.0])
    wrong = np.array([False, False, True, False, False])
    limit = certify_answers(leads, wrong, np.array([3.0, 2.0, 1.0]), 0.5, 0.25)
    assert limit[:4] == (3.0, 2, 0, 0.4)
    # 0.674: 3 points with an error pass too, and 5 points with one
    limit = certify_answers(leads, wrong, np.array([3.0, 2.0, 1.0]), 0.674, 0.25)
    assert limit[:4] == (1.0, 5, 1, 1.0) and limit.high == 1
    assert limit.low == pytest.approx((0.25 / 6) ** (1 / 5))
    # testing ends at the first that fails, whatever comes after
    limit = certify_answers(leads, wrong, np.array([4.0, 3.0, 2.0, 1.0]), 0.674, 0.25)
    assert limit == (np.inf, 0, 0, 0.0, 0.0, 0.0)


def test_a_lead_that_equals_the_threshold_is_answered_and_one_that_is_missing_never():
    leads = np.array([1.0, 1.0, np.nan, np.nan])
    limit = certify_answers(leads, np.isnan(leads), np.array([1.0]), 0.51, 0.25)
    assert (limit.points, limit.errors, limit.proportion) == (2, 0, 0.5)


@pytest.mark.parametrize("points", (298, 299))
def test_without_an_error_as_many_points_certify_as_must(points):
    assert least_points(0.01, 0.05) == 299
    limit = certify_answers(np.ones(points), np.zeros(points, bool), np.ones(1), 0.01, 0.05)
    assert (limit.points == points) == (points == 299)


def test_the_proportion_of_answered_points_is_covered_whichever_threshold_is_certified():
    kinds, risks = levels_of(*HARD["falls, then rises"])
    thresholds = np.arange(6, 0, -1.0)
    exact = dict(zip(thresholds, np.arange(1, 7) / 6, strict=True)) | {np.inf: 0}
    missed = 0
    for count in np.random.default_rng(3).multinomial(400, kinds, size=REPEATS):
        limit = certify_answers(*sample(count), thresholds, 0.2, DELTA)
        missed += not limit.low - 1e-12 <= exact[limit.threshold] <= limit.high + 1e-12
    assert consistent(missed)


def test_thresholds_answer_evenly_spaced_proportions_and_ties_are_one():
    leads = np.arange(1, 101.0)
    np.testing.assert_array_equal(thresholds_of(leads, 0.2, 5), [81, 61, 41, 21, 1])
    np.testing.assert_array_equal(thresholds_of(np.ones(50), 0.2, 5), [1])
    half = np.where(leads > 50, leads, np.nan)
    np.testing.assert_array_equal(thresholds_of(half, 0.2, 5), [81, 61, 51])
    assert len(thresholds_of(np.full(3, np.nan), 0.5, 4)) == 0


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(thresholds=np.array([1.0, 1.0])), "^thresholds: got .*strictly decreasing"),
        (dict(thresholds=np.array([np.nan])), "^thresholds: got "),
        (dict(leads=np.zeros(0), wrong=np.zeros(0, bool)), "^leads: got 'no points'"),
        (dict(allowed_risk=0), "^allowed_risk: got 0"),
        (dict(delta=1), "^delta: got 1"),
    ),
)
def test_bad_arguments_are_refused_in_one_line(change, message):
    right = dict(leads=np.ones(2), wrong=np.zeros(2, bool), thresholds=np.ones(1))
    with pytest.raises(ValueError, match=message):
        certify_answers(**(right | dict(allowed_risk=0.1, delta=0.1) | change))
