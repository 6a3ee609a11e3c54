"""How many held-out points reveal a failure: against the binomial law, number by number."""

import numpy as np
import pytest
from scipy import stats

from simbias.bounds import points_to_reveal
from simbias.stats.reveal import observed_rates, power_of, rejection

CASES = [
    (0.01, 0.05, 0.05, 0.95),
    (0.05, 0.1, 0.01, 0.8),
    (0.3, 0.5, 0.1, 0.9),
    (0.5, 0.99, 0.3, 0.3),
]


def by_hand(points, allowed, risk, alpha):
    """Power as scipy has it, with the errors that reject found one by one."""
    errors = next(c for c in range(points + 2) if stats.binom.sf(c - 1, points, allowed) <= alpha)
    return stats.binom.sf(errors - 1, points, risk)


@pytest.mark.parametrize("allowed, risk, alpha, power", CASES)
@pytest.mark.thorough
def test_powers_and_sizes_are_those_of_the_binomial_law(allowed, risk, alpha, power):
    needed = points_to_reveal(allowed, risk, alpha=alpha, power=power)
    points = np.arange(1, 2 * needed.always + 50)
    powers = np.array([by_hand(int(m), allowed, risk, alpha) for m in points])
    np.testing.assert_allclose(power_of(points, allowed, risk, alpha), powers, atol=1e-10)
    holds = powers >= power
    assert needed.first == points[holds.argmax()]
    assert needed.always == points[np.flatnonzero(~holds)[-1]] + 1 if not holds.all() else 1
    size = power_of(points, allowed, allowed, alpha)
    assert (size <= alpha).all()


def test_power_is_a_saw_whose_teeth_a_bisection_would_miss():
    needed = points_to_reveal(0.01, 0.05)
    between = power_of(np.arange(needed.first, needed.always), 0.01, 0.05, 0.05)
    assert (between >= 0.95).any() and (between < 0.95).any()
    assert needed == (181, 208)


def test_by_hand_where_one_error_rejects():
    # (1 - .01)^5 > .95 > (1 - .01)^6: up to 5 points one error rejects; 1 - .5^5 = .969
    assert rejection(np.array([5, 6]), 0.01, 0.05).tolist() == [1, 2]
    assert points_to_reveal(0.01, 0.5).first == 5
    # no number of errors in one point has a probability of 1/100 at 1/2
    assert rejection(np.array([1]), 0.5, 0.01).tolist() == [2]
    assert power_of(np.array([1]), 0.5, 0.9, 0.01).tolist() == [0]


@pytest.mark.parametrize("allowed, alpha", [(0.01, 0.05), (0.5, 1e-3), (0.9, 0.4), (1e-4, 1e-9)])
def test_a_test_rejects_above_the_quantile_of_its_errors(allowed, alpha):
    points = np.unique(np.geomspace(1, 10**6, 200).astype(int))
    expected = 1 + stats.binom.isf(alpha, points, allowed).astype(int)
    np.testing.assert_array_equal(rejection(points, allowed, alpha), expected)


@pytest.mark.parametrize("risk", (0.05, 0.4))
@pytest.mark.parametrize("noise", (0.0, 0.1, 0.3))
@pytest.mark.parametrize("uniform", (False, True))
def test_no_noise_within_its_bound_shows_another_rate_and_its_ends_are_reached(
    risk, noise, uniform
):
    low, high = observed_rates(risk, noise, uniform=uniform)
    steps = np.linspace(0, noise, 5)
    # the probability of another label where the classifier errs, and where it does not
    rates = np.array(
        [risk * (1 - a) + (1 - risk) * b for a in steps for b in steps if a == b or not uniform]
    )
    assert rates.min() == pytest.approx(low) and rates.max() == pytest.approx(high)


@pytest.mark.parametrize("uniform", (False, True))
def test_with_noisy_labels_the_test_keeps_its_level_and_its_power(uniform):
    allowed, risk, noise = 0.02, 0.15, 0.05
    needed = points_to_reveal(allowed, risk, noise=noise, uniform=uniform)
    points = np.array([needed.first, needed.always])
    shown = observed_rates(allowed, noise, uniform=uniform)[1]
    errors = rejection(points, shown, 0.05)
    for q in np.linspace(0, noise, 6):  # on all points alike
        size = stats.binom.sf(errors - 1, points, allowed + q * (1 - 2 * allowed))
        power = stats.binom.sf(errors - 1, points, risk + q * (1 - 2 * risk))
        assert (size <= 0.05).all() and (power >= 0.95).all()
    # planted: labels are taken as true
    clean = rejection(points, allowed, 0.05)
    assert (stats.binom.sf(clean - 1, points, shown) > 0.05).all()


def test_noise_asks_for_more_points_and_the_more_the_less_is_known_of_it():
    plain, uniform, noisy = (
        points_to_reveal(0.01, 0.05, **noise)
        for noise in ({}, {"noise": 0.01, "uniform": True}, {"noise": 0.01})
    )
    assert plain.first < uniform.first < noisy.first


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(risk=0.1), "^risk: got 0.1"),
        (dict(risk=0.1 + 1e-6), "^risk: got .*at most 1000000 points"),
        (dict(noise=0.2), "^noise: got 0.2, allowed: less, as the allowed risk may show 0.28"),
        (dict(noise=0.5, uniform=True), "^noise: got 0.5"),
        (dict(risk=0.6, uniform=True), "^risk: got 0.6, allowed: at most 1/2"),
    ),
)
def test_what_no_number_of_points_reveals_is_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message):
        points_to_reveal(**(dict(allowed_risk=0.1, risk=0.3) | change))
