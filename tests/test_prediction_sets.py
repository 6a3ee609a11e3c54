"""Prediction sets: how often they fail by enumeration, over 1,000 draws, and of classifiers."""

from itertools import combinations_with_replacement
from math import factorial, prod

import numpy as np
import pytest
from own_tasks import Rings
from scipy import stats

import simbias
from simbias import bounds, tasks
from simbias.bounds.fresh import fresh_scores
from simbias.bounds.prediction_sets import gaps_of, labels_within
from simbias.models import panel
from simbias.stats.prediction_sets import certify_reach

MISSING, DELTA, REPEATS = 0.1, 0.1, 1000
LAWS = {  # gaps of the right label and their probabilities
    "at the allowed probability": ([0, 1, 2], [0.6, 0.3, 0.1]),
    "beyond it by a little": ([0, 1, 2], [0.6, 0.299, 0.101]),
    "all equal": ([1], [1]),
    "never right at first": ([1, 2, 3, 4], [0.25, 0.25, 0.25, 0.25]),
    "continuous": (np.arange(1000), np.full(1000, 1e-3)),
}


def observed_rate(gaps, missing, delta):
    """Planted: the least reach at which the observed proportion outside is allowed."""
    return float(np.sort(gaps)[len(gaps) - 1 - int(missing * len(gaps))])


def certified(gaps, missing, delta):
    return certify_reach(gaps, missing, delta).reach


def failures(law, procedure, points=300):
    values, probabilities = (np.array(part, float) for part in LAWS[law])
    random = np.random.default_rng(4)
    count = 0
    for _ in range(REPEATS):
        reach = procedure(random.choice(values, points, p=probabilities), MISSING, DELTA)
        count += probabilities[values > reach].sum() > MISSING + 1e-9
    return count


def consistent(count):
    return stats.binomtest(count, REPEATS, DELTA, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize("law", LAWS)
def test_sets_miss_more_than_allowed_at_most_as_often_as_delta(law):
    assert consistent(failures(law, certified))


def test_sets_by_the_observed_rate_are_caught():
    assert not consistent(failures("continuous", observed_rate))


def compositions(total, parts):
    for bars in combinations_with_replacement(range(total + 1), parts - 1):
        yield np.diff([0, *bars, total])


@pytest.mark.parametrize("points", (1, 4, 9))
@pytest.mark.parametrize("last", (0.3, 0.31, 0.6))
def test_over_all_small_samples_a_failure_has_at_most_probability_delta(points, last):
    law, total = np.array([0.1, 0.9 - last, last]), {certified: 0.0, observed_rate: 0.0}
    for count in compositions(points, 3):
        ways = factorial(points) / prod(factorial(int(c)) for c in count)
        for procedure in total:
            reach = procedure(np.repeat([0.0, 1.0, 2.0], count), 0.3, 0.2)
            fails = law[np.arange(3) > reach].sum() > 0.3 + 1e-12
            total[procedure] += fails * ways * np.prod(law**count)
    assert total[certified] <= 0.2
    assert total[observed_rate] > 0.2 or (points, last) != (9, 0.31)


def test_by_hand_of_ten_gaps():
    gaps = np.arange(10.0)
    # P(B <= 1), B binomial (10, .4), is .0464, and P(B <= 2) .167
    assert certify_reach(gaps, 0.4, 0.05) == (8, 1)
    assert certify_reach(gaps, 0.4, 0.17) == (7, 2)
    assert certify_reach(gaps, 0.25, 0.06) == (9, 0)  # .75^10 = .0563
    assert certify_reach(gaps, 0.25, 0.05) == (np.inf, 0)
    # of ties, all stand within
    assert certify_reach(np.array([0.0] * 5 + [3.0] * 5), 0.4, 0.17) == (3, 0)


def test_the_predicted_label_stands_in_each_set_and_all_do_where_there_are_no_scores():
    scores = np.array([[1.0, 3.0, 2.5], [np.nan, np.nan, np.nan], [2.0, 2.0, 0.0]])
    gaps = gaps_of(scores)
    np.testing.assert_array_equal(gaps, [[2, 0, 0.5], [0, 0, 0], [0, 0, 2]])
    np.testing.assert_array_equal(labels_within(gaps, 0.0).sum(axis=1), [1, 3, 2])
    np.testing.assert_array_equal(labels_within(gaps, 0.5).sum(axis=1), [2, 3, 2])
    assert labels_within(gaps, np.inf).all()


@pytest.mark.thorough
def test_sets_of_three_classes_are_measured_on_fresh_points():
    data = simbias.data(Rings(), n_train=200)

    def scores(x):  # three classes by the distance from the centre, without knowing where
        return -np.abs(np.linalg.norm(x, axis=1)[:, None] - np.array([0.5, 1.5, 2.5]))

    sets = bounds.prediction_sets(scores, 0.05, data=data, held_out=[20, 300], n_certify=400)
    assert sets.held_out == (20, 300) and np.isinf(sets.reach[0, 0])
    assert sets.fresh_size[0, 0] == 3 and sets.fresh_missing.value[0, 0] == 0
    own = panel(scores, data)
    answered, y = fresh_scores(own, 0, "sets", "holdout", 300)
    right = (answered.max(axis=1, keepdims=True) - answered)[np.arange(300), y]
    assert sets.reach[0, 1] == certify_reach(right, 0.05, 0.05).reach
    answered, y = fresh_scores(own, 0, "sets", "certify", 400)
    within = answered >= answered.max(axis=1, keepdims=True) - sets.reach[0, 1]
    assert sets.fresh_size[0, 1] == pytest.approx(within.sum(axis=1).mean(), abs=0.01)
    assert sets.fresh_several.value[0, 1] == pytest.approx(
        (within.sum(axis=1) > 1).mean(), abs=0.01
    )
    assert sets.fresh_missing.low[0, 1] <= 0.05


@pytest.mark.parametrize("noise", (0.0, 0.5))
@pytest.mark.thorough
def test_sets_of_networks_miss_true_labels_at_most_as_often_as_delta(trained, noise):
    """A network's certify points, drawn with replacement; the noise hides what the sets miss."""
    scores, y = fresh_scores(panel(trained), 0, "sets", "certify", 4000)
    gaps = gaps_of(scores)
    right, another = gaps[np.arange(4000), y], gaps[np.arange(4000), 1 - y]
    allowed = float((right > np.sort(right)[3900]).mean()) * (1 - 1e-9)  # a reach just misses it
    random, failed, taken_as_true = np.random.default_rng(8), 0, 0
    for _ in range(REPEATS):
        rows = random.integers(4000, size=1000)
        hidden = (right[rows] > another[rows]) & (random.random(1000) < noise)
        observed = np.where(hidden, another[rows], right[rows])
        failed, taken_as_true = (
            count + ((right > certify_reach(observed, rate, DELTA).reach).mean() > allowed)
            for count, rate in ((failed, allowed * (1 - noise)), (taken_as_true, allowed))
        )
    assert consistent(failed)
    assert noise == 0 or not consistent(taken_as_true)


@pytest.mark.thorough
def test_sets_grow_with_the_noise_of_held_out_labels(trained):
    few = dict(held_out=2000, n_certify=4000)
    plain, noisy, flipped = (
        bounds.prediction_sets(trained, 0.05, **few, **noise)
        for noise in ({}, {"noise": 0.5}, {"noise": 0.5, "flipped": 0.01})
    )
    assert (plain.reach < noisy.reach).all() and (noisy.reach < flipped.reach).all()
    assert (plain.fresh_size < flipped.fresh_size).all() and flipped.flipped == 0.01
    with pytest.raises(ValueError, match="^flipped: got 0.1, allowed: a number in"):
        bounds.prediction_sets(trained, 0.2, flipped=0.1, **few)


def test_points_of_sets_are_not_those_of_selective_certificates():
    data = simbias.data(tasks.get("noisy-lms-7", dim=4), n_train=500)
    seen = []

    def recorded(x):
        seen.append(x)
        return x[:, 0]

    few = dict(data=data, held_out=300, n_certify=400)
    bounds.prediction_sets(recorded, 0.3, **few)
    bounds.selective(recorded, 0.3, n_select=200, **few)
    assert [len(x) for x in seen] == [300, 400, 200, 300, 400]
    assert len(np.unique(np.concatenate([data.x, *seen]), axis=0)) == 2100
