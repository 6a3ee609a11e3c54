"""The classifier two-sample test: its size, its power, and the points that it needs."""

import numpy as np
import pytest
from scipy import stats

import simbias
from simbias import tasks
from simbias.tasks.detection import detect
from simbias.validation import Estimate, measure_visibility
from simbias.validation.two_sample import SourceTask, classifier_test_power, rejects
from simbias.validation.visibility import NeededPoints, needed_points

TASK = tasks.get("noisy-lms-5", dim=4)
M, FEW = 200, dict(points=200, updates=100)


@pytest.mark.parametrize(("points", "level"), [(20, 0.05), (200, 0.05), (7, 0.2), (3, 0.01)])
def test_the_test_rejects_at_the_least_number_whose_tail_is_at_most_its_level(points, level):
    right = np.arange(points + 1)
    expected = stats.binom.sf(right - 1, points, 0.5) <= level
    np.testing.assert_array_equal(rejects(right, points, level), expected)


@pytest.mark.thorough
def test_sources_are_told_by_fair_coins_and_have_the_laws_of_both_tasks():
    sources = SourceTask(TASK, "margin", labelled=True)
    data = simbias.data(sources, n_train=4000)
    x, other = np.asarray(data.x), np.asarray(data.y) == 1
    assert x.shape == (4000, 5) and set(x[:, 4]) == {-1, 1}
    assert stats.binomtest(int(other.sum()), 4000).pvalue > 1e-4
    assert (np.abs(x[other, 0]) <= 0.1 + 1e-6).all()
    inside = (np.abs(x[~other, 0]) < 0.1).mean()
    assert abs(inside - 0.1) < 5 * np.sqrt(0.1 * 0.9 / (~other).sum())
    assert SourceTask(TASK, "margin").shape == (4,)
    assert np.asarray(simbias.data(SourceTask(TASK, "tilt=20"), n_train=50).x).shape == (50, 4)


@pytest.mark.slow
def test_without_a_shift_it_rejects_at_most_as_often_as_its_level():
    size = classifier_test_power(TASK, "none", repetitions=12, **FEW)
    rejected = round(size.value.item() * 12)
    assert stats.binomtest(rejected, 12, 0.05, alternative="greater").pvalue > 0.001


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "labelled"), [("none", False), ("conflict=0", True)])
def test_its_size_over_many_repetitions_is_that_of_a_fair_coin(shift, labelled):
    """The least number that rejects at .05 in 200 has the tail .0384: neither more nor less."""
    exact = stats.binom.sf(stats.binom.isf(0.05, M, 0.5), M, 0.5)
    size = classifier_test_power(
        TASK, shift, labelled=labelled, repetitions=400, confidence=0.9999, **FEW
    )
    print(f"{shift}, labelled {labelled}: size {size.value.item():.4f}, exact {exact:.4f}")
    assert exact <= 0.05 and size.low <= exact <= size.high


@pytest.mark.thorough
def test_a_large_shift_is_detected_and_a_detector_is_below_the_likelihood_ratio():
    seen = classifier_test_power(TASK, "move=1", repetitions=8, **FEW)
    assert seen.value == 1
    hidden = classifier_test_power(TASK, "conflict=0.1", repetitions=8, **FEW)
    ideal = detect(TASK, "conflict=0.1", points=M, repetitions=99).power
    assert hidden.low <= ideal.high and hidden.value < ideal.value == 1


def test_bad_arguments_are_refused_in_one_line():
    for change, message in (
        ({"points": 0}, "^points: got 0"),
        ({"level": 1}, "^level: got 1"),
        ({"repetitions": 0}, "^repetitions: got 0"),
        ({"updates": 0}, "^updates: got 0"),
        ({"shift": "mve=1"}, "nearest: move"),
    ):
        with pytest.raises(ValueError, match=message):
            classifier_test_power(**{"task": TASK, "shift": "move=1", "points": 10} | change)


def powers(*table):
    values = dict(zip((1, 2, 3, 4), table, strict=True))
    asked = []

    def power_at(points):
        asked.append(points)
        return Estimate(*(np.array([part]) for part in values[points]))

    return power_at, asked


def test_needed_points_are_those_of_the_power_and_of_its_limits():
    power_at, asked = powers((0.1, 0, 0.7), (0.7, 0.5, 0.9), (0.85, 0.6, 0.95), (1, 0.9, 1))
    assert needed_points(power_at, 0.8, (1, 2, 3, 4)) == (3, 2, 4, 4) and asked == [1, 2, 3, 4]
    power_at, asked = powers((0.9, 0.85, 1), *[(1, 1, 1)] * 3)
    assert needed_points(power_at, 0.8, (1, 2, 3, 4)) == (1, 1, 1, 4) and asked == [1]
    power_at, _ = powers(*[(0.1, 0, 0.85)] * 4)
    assert needed_points(power_at, 0.8, (1, 2, 3, 4)) == (np.inf, 1, np.inf, 4)


@pytest.mark.thorough
def test_what_a_shift_costs_stands_beside_what_reveals_it():
    data = simbias.data(TASK, n_train=50)

    def simple(x):
        return x @ data.rotation[0]

    few = dict(sizes=[1, M], repetitions=4, n_certify=4000, confidence=0.999)
    move, none = measure_visibility(simple, data, shifts=["move=1", "none"], **few)
    # moved by 1 of the length .9, all negative points lie beyond the cut: (1 - .1) / 2 are lost
    assert move.lost.low <= 0.45 <= move.lost.high and move.likelihood_ratio.value == 1
    assert move.trained == NeededPoints(M, M, np.inf, M)  # of 4 repetitions
    assert none.lost.low <= 0 <= none.lost.high and none.trained.value == np.inf


def test_shifts_that_a_task_has_not_are_refused_before_anything_is_measured():
    data = simbias.data(tasks.get("ms-7", dim=4), n_train=50)
    with pytest.raises(ValueError, match="a task with a simple set"):
        measure_visibility(lambda x: x[:, 0], data, shifts=["even-slabs", "margin"])
