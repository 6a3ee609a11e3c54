"""From how many points on a bound certifies: known laws, what is measured, and what is false."""

import math
from dataclasses import replace

import displays
import numpy as np
import pytest
from scipy.stats import beta, linregress, t

import simbias
from simbias.bounds import Certifying, certifying
from simbias.stats.crossing import falling_crossing
from simbias.stats.held_out import held_out_to_certify
from simbias.tables.certify import order, points_words
from simbias.training import Cell

SIZES = (1000, 4000, 16_000)
CELL = Cell(simbias.tasks.get("lms-7"), simbias.MLP(50), simbias.sgd(), n_train=1000)
NOISY_XOR = replace(CELL, task=simbias.tasks.get("xor", noise=0.2))  # achievable risk .1


def evaluated(value, risk=0.001, cell=CELL, sizes=SIZES, seeds=2, name="occam", **options):
    """Cells of several sizes, with a bound whose value is a function of size and seed."""
    return [
        (
            replace(cell, n_train=size),
            [displays.evaluation(name, value(size, s), risk, s, **options) for s in range(seeds)],
        )
        for size in sizes
    ]


def only(entries):
    (entry,) = entries
    return entry


def test_a_power_law_is_followed_down_to_the_error():
    # 3/sqrt(n) is .01 at 90,000
    entry = only(certifying(evaluated(lambda n, _: 3 / math.sqrt(n))))
    assert math.isnan(entry.points) and entry.proportions == (0, 0, 0)
    assert entry.extrapolated == pytest.approx(90_000)
    # and .03 at 10,000: seen from the next size on
    entry = only(certifying(evaluated(lambda n, _: 3 / math.sqrt(n)), error=0.03))
    assert (entry.points, points_words(entry)) == (16_000, "16k")


def test_what_is_beyond_the_achievable_risk_is_what_is_certified():
    law = evaluated(lambda n, _: 0.1 + 3 / math.sqrt(n), risk=0.101, cell=NOISY_XOR)
    assert only(certifying(law)).extrapolated == pytest.approx(90_000)
    risks = evaluated(lambda n, _: 0.11, risk=0.101, cell=NOISY_XOR)
    assert only(certifying(risks)).points == 1000


def test_a_size_counts_only_where_every_network_and_every_larger_size_is_certified():
    def value(size, seed):
        return {1000: 0.009, 4000: 0.009 + 0.01 * seed, 16_000: 0.009}[size]

    entry = only(certifying(evaluated(value)))
    assert (entry.points, entry.proportions) == (16_000, (1, 0.5, 1))
    assert math.isnan(entry.extrapolated)  # there is no need
    assert only(certifying(evaluated(lambda size, _: 0.009))).points == 1000


def test_two_sizes_make_no_law_and_a_value_that_does_not_fall_has_no_crossing():
    two = only(certifying(evaluated(lambda n, _: 3 / math.sqrt(n), sizes=SIZES[:2])))
    assert math.isnan(two.extrapolated) and points_words(two) == "not measured"
    rising = only(certifying(evaluated(lambda n, seed: 0.1 + n / 1e6)))
    assert rising.extrapolated == math.inf and points_words(rising) == "none"
    noise = {size: (0.2, 0.9) for size in SIZES}
    assert only(certifying(evaluated(lambda n, s: noise[n][s]))).extrapolated == math.inf


def test_where_no_network_has_so_small_an_excess_risk_it_would_be_false():
    entry = only(certifying(evaluated(lambda n, _: 3 / math.sqrt(n), risk=0.05)))
    assert not entry.true and points_words(entry) == "none: false"
    assert entry.held_out == math.inf
    # an interval that reaches down to the error leaves it open
    assert only(certifying(evaluated(lambda n, _: 0.3, risk=0.011))).true


def test_measures_values_that_are_missing_and_other_cells_are_left_out():
    none = evaluated(lambda n, _: None)
    measure = evaluated(lambda n, _: 0.5, kind="measure")
    one_size = evaluated(lambda n, _: 0.5, sizes=SIZES[:1])
    wider = evaluated(lambda n, _: 0.5, cell=replace(CELL, network=simbias.MLP(60)), sizes=(4000,))
    assert certifying([*one_size, *wider]) == certifying(none) == certifying(measure) == []
    both = certifying([*evaluated(lambda n, _: 0.5), *wider])
    assert [entry.sizes for entry in both] == [SIZES]


@pytest.mark.parametrize("bad", [{"error": 0}, {"error": 1.0}, {"confidence": 1}])
def test_a_bad_argument_is_named(bad):
    with pytest.raises(ValueError, match=f"^{next(iter(bad))}: got"):
        certifying(evaluated(lambda n, _: 0.5), **bad)


@pytest.mark.parametrize(("risk", "most"), [(0.0, 0.01), (0.0, 0.3), (0.005, 0.01), (0.2, 0.27)])
def test_held_out_points_are_the_fewest_by_a_search_through_all(risk, most):
    for points in range(1, 2000):
        errors = math.ceil(points * risk - 1e-9)
        if errors < points and beta.ppf(0.95, errors + 1, points - errors) <= most:
            break
    assert held_out_to_certify(risk, most) == points


@pytest.mark.thorough
def test_no_held_out_points_certify_what_is_false_or_all_but():
    assert held_out_to_certify(0.05, 0.05) == held_out_to_certify(0.05, 0.01) == math.inf
    assert held_out_to_certify(0.01 - 1e-9, 0.01) == math.inf
    with pytest.raises(ValueError, match="^most: got 1"):
        held_out_to_certify(0.1, 1.0)


def test_limits_are_where_the_line_differs_from_the_height_by_students_t():
    x = np.array([1.0, 2, 2, 3, 5, 6])
    y = np.array([4.1, 3.2, 2.9, 2.2, -0.1, -0.8])
    place, low, high = falling_crossing(x, y, 0.5, 0.9)
    fit = linregress(x, y)
    assert place == pytest.approx((0.5 - fit.intercept) / fit.slope)
    residuals = y - fit.intercept - fit.slope * x
    error = np.sqrt(residuals @ residuals / 4)
    for end in (low, high):
        spread = np.sqrt(1 / 6 + (end - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
        distance = fit.intercept + fit.slope * end - 0.5
        assert abs(distance) == pytest.approx(t.ppf(0.95, 4) * error * spread)
    assert low < place < high


def test_the_limits_of_a_crossing_cover_it_as_often_as_they_say():
    generator, x = np.random.default_rng(0), np.repeat([0.0, 1, 2], 4)
    covered = 0
    for _ in range(1000):
        place, low, high = falling_crossing(x, 3 - x + generator.normal(0, 0.3, 12), 0.0, 0.9)
        covered += low <= 3 <= high
    assert 870 <= covered <= 930  # three standard deviations of a binomial


def test_measured_sizes_stand_before_extrapolated_ones_and_those_before_none():
    base = only(certifying(evaluated(lambda n, _: 3 / math.sqrt(n))))
    seen = replace(base, points=4000.0)
    never = replace(base, extrapolated=math.inf)
    assert sorted([never, base, seen], key=order) == [seen, base, never]
    assert isinstance(base, Certifying)
