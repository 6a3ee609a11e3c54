"""Where the simple coordinate misleads: slopes and groups of rules whose accuracies are known."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.stats import beta

import simbias
from simbias import tasks, validate
from simbias.tasks.oracle import achievable_rule, simple_rule
from simbias.tasks.shifts import oracle_accuracy
from simbias.validation import control, measure_conflicts
from simbias.validation.conflicts import GROUPS

N, CONFIDENCE = 20_000, 0.999


def data_of(noise=0.1, name="noisy-lms-7"):
    return simbias.data(tasks.get(name, dim=4, noise=noise), n_train=50)


def rules(data):
    """The simple rule, the achievable one, and one that follows each on half of the points."""
    simple, best = simple_rule(data.task), achievable_rule(data.task, 1)

    def unrotated(x):
        return np.asarray(x) @ data.rotation.T

    def mixed(x):
        x = unrotated(x)
        return np.where(x[:, 2] > 0, best(x), simple(x)) - 0.5  # that sign has no label

    return {
        "simple": lambda x: simple(unrotated(x)) - 0.5,
        "achievable": lambda x: best(unrotated(x)) - 0.5,
        "mixed": mixed,
    }


@pytest.mark.parametrize(("name", "noise"), [("noisy-lms-7", 0.0), ("noisy-ms-5-7", 0.4)])
@pytest.mark.thorough
def test_the_slope_is_what_a_rule_owes_to_the_simple_coordinate(name, noise):
    data = data_of(noise, name)
    ends = [oracle_accuracy(data.task, f"conflict={p}").simple for p in (0, 1)]
    assert ends[0] - ends[1] == pytest.approx(1 - noise)
    for rule, share in (("simple", 1.0), ("mixed", 0.5), ("achievable", 0.0)):
        value, low, high = measure_conflicts(
            rules(data)[rule], data, n_certify=N, confidence=CONFIDENCE
        ).slope
        assert low <= share * (1 - noise) <= high and low <= value <= high
        assert high - low < 0.07


@pytest.mark.parametrize(("rule", "worst"), [("simple", 0.0), ("mixed", 0.5), ("achievable", 1.0)])
def test_the_worst_group_is_that_of_conflicts(rule, worst):
    data = data_of()
    report = measure_conflicts(rules(data)[rule], data, n_certify=N, confidence=CONFIDENCE)
    assert tuple(report.groups) == GROUPS
    for (_, agrees), accuracy in report.groups.items():
        assert accuracy.low <= (1 if agrees else worst) <= accuracy.high
    assert report.worst.low <= worst <= report.worst.high
    assert report.worst.value == min(group.value for group in report.groups.values())


def test_four_groups_share_the_error_that_is_allowed():
    """Without an error in m points the lower limit is (error / 8) ** (1 / m)."""
    data = data_of()
    report = measure_conflicts(rules(data)["achievable"], data, n_certify=400, confidence=0.9)
    for _, low, high in report.groups.values():
        m = np.log(0.1 / 8) / np.log(low)
        assert high == 1 and m == pytest.approx(np.rint(m), abs=1e-6) and 60 < m < 140
    lows = [group.low for group in report.groups.values()]
    assert report.worst.low == min(lows) and report.worst.high == 1


def test_the_intervals_of_four_groups_hold_together_as_often_as_they_say():
    """Groups of 80 to 120 points with accuracies .6 to .95: the binomial law of what is counted."""
    g, error, repetitions = np.random.default_rng(0), 0.1, 4000
    accuracies = np.array([0.6, 0.7, 0.9, 0.95])
    m = g.integers(80, 121, size=(repetitions, 4))
    k = g.binomial(m, accuracies)
    low = np.where(k == 0, 0, beta.ppf(error / 8, k, m - k + 1))
    high = np.where(k == m, 1, beta.ppf(1 - error / 8, k + 1, m - k))
    together = ((low <= accuracies) & (accuracies <= high)).all(axis=1)
    least = (low.min(axis=1) <= 0.6) & (high.min(axis=1) >= 0.6)
    assert together.mean() >= 1 - error and (least | ~together).all()


@pytest.mark.thorough
def test_a_network_is_measured_as_its_validation_says(trained):
    report = measure_conflicts(trained, n_certify=2000)
    plain, flipped = (
        validate(trained, shift=shift, n_certify=2000).risk for shift in ("none", "conflict=1")
    )
    np.testing.assert_allclose(report.slope.value, flipped.value - plain.value)
    assert (report.slope.low <= report.slope.value).all()
    assert report.seeds == trained.seeds


@pytest.mark.parametrize(
    ("rule", "slope", "worst"), [("simple", 0.9, 0.0), ("achievable", 0.0, 1.0)]
)
@pytest.mark.thorough
def test_the_explicit_networks_depend_on_it_wholly_and_not_at_all(cell, rule, slope, worst):
    explicit = control(cell, rule, seeds=2)
    report = measure_conflicts(explicit, n_certify=2000, confidence=CONFIDENCE)
    assert (report.slope.low <= slope).all() and (slope <= report.slope.high).all()
    assert (report.worst.value == worst).all()


@pytest.mark.slow
def test_a_network_that_diverged_has_no_slope(trained):
    params = jax.tree.map(np.array, trained.params)
    for leaf in jax.tree.leaves(params):
        leaf[0] = np.nan
    report = measure_conflicts(replace(trained, params=params), n_certify=500)
    for estimate in (report.slope, report.worst, *report.groups.values()):
        for part in estimate:
            assert np.isnan(part[0]) and not np.isnan(part[1:]).any()


@pytest.mark.parametrize("name", ["ms-7", "xor"])
def test_without_one_simple_coordinate_there_is_nothing_to_flip(name):
    data = simbias.data(tasks.get(name, dim=4), n_train=50)
    with pytest.raises(ValueError, match="^task: got"):
        measure_conflicts(lambda x: np.asarray(x)[:, 0], data)
