"""Selective certificates of classifiers: from points of their own, and held against exact risks."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
from scipy import stats

import simbias
from simbias import bounds, tasks
from simbias.bounds.fresh import fresh_scores, leads
from simbias.models import panel
from simbias.models.classifier import predicted
from simbias.stats.selective import certify_answers, thresholds_of

TASK = tasks.get("noisy-lms-7", dim=4)
FEW = dict(held_out=300, n_select=200, n_certify=400)  # one size of draws for all


@pytest.fixture(scope="module")
def data():
    return simbias.data(TASK, n_train=500)


def test_leads_are_margins_of_two_classes_and_of_more_those_over_the_second():
    np.testing.assert_array_equal(leads(np.array([[1.0, 3.0], [2.0, -1.0], [5.0, 5.0]])), [2, 3, 0])
    np.testing.assert_array_equal(leads(np.array([[1.0, 3.0, 2.5], [0.0, 7.0, 7.0]])), [0.5, 0])
    assert np.isnan(leads(np.array([[np.nan, np.nan]]))).all()


def test_no_two_points_of_the_splits_are_the_same(data):
    seen = []

    def recorded(x):
        seen.append(x)
        return x[:, 0]

    bounds.selective(recorded, 0.3, data=data, **FEW)
    joined = np.concatenate([data.x, *seen])
    assert [len(x) for x in seen] == [200, 300, 400]
    assert len(np.unique(joined, axis=0)) == 1400


def test_nothing_is_certified_below_what_noise_allows(data):
    selective = bounds.selective(
        lambda x: x[:, 0], 0.001, data=data, **FEW | dict(held_out=[10, 300])
    )
    assert np.isinf(selective.threshold).all() and not selective.points.any()
    assert not np.array(selective.answered).any() and not selective.fresh_answered.value.any()
    assert np.isnan(selective.fresh_risk.value).all()


def test_smaller_numbers_of_held_out_points_are_the_first_of_larger_ones(data):
    own = panel(lambda x: x[:, 0], data)
    selective = bounds.selective(
        lambda x: x[:, 0], 0.4, data=data, **FEW | dict(held_out=[300, 100])
    )
    assert selective.held_out == (100, 300)
    scores, y = fresh_scores(own, 0, "selective", "holdout", 300)
    seen = leads(fresh_scores(own, 0, "selective", "select", 200).scores)
    by_hand = certify_answers(
        leads(scores)[:100],
        (predicted(scores) != y)[:100],
        thresholds_of(seen, 12 / 100, 100),  # .6^6 <= .05
        0.4,
        0.05,
    )
    assert selective.threshold[0, 0] == by_hand.threshold < np.inf
    assert selective.errors[0, 0] == by_hand.errors


def test_points_without_finite_scores_are_never_answered(data):
    def half(x):
        return np.where(x[:, 0] > 0, x[:, 0], np.nan)

    selective = bounds.selective(half, 0.6, data=data, **FEW)
    assert 0.3 < selective.fresh_answered.value.item() < 0.6
    nothing = bounds.selective(lambda x: np.full(len(x), np.nan), 0.6, data=data, **FEW)
    assert np.isinf(nothing.threshold).all()


def test_of_points_of_ones_own_there_are_no_more_than_the_task_has():
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 1000)
    x = random.normal(size=(1000, 3)) + 4 * np.eye(3)[y]
    own = simbias.data(tasks.ArrayTask("own", x, y), n_train=100)
    selective = bounds.selective(lambda x: x, 0.1, data=own, held_out=[50, 10**6])
    assert selective.held_out == (50, 100) and selective.n_certify == 200
    assert selective.fresh_answered.value[0, 1] > 0.9


def test_stochastic_classifiers_draw_anew_in_each_split(data):
    keys = []

    def scores(x, key):
        keys.append(tuple(np.asarray(jax.random.key_data(key))))
        return x[:, :2]

    drawing = SimpleNamespace(label="d", kind="logits", stochastic=True, scores=scores)
    bounds.selective(drawing, 0.3, data=data, **FEW)
    assert len(set(keys)) == 3


def test_along_networks_certificates_fail_at_most_as_often_as_delta(trained):
    """The law is a network's certify points, drawn with replacement: every risk of it is exact."""
    own = panel(trained)
    scores, y = fresh_scores(own, 0, "selective", "certify", 4000)
    lead, wrong = leads(scores), predicted(scores) != y
    thresholds = thresholds_of(
        leads(fresh_scores(own, 0, "selective", "select", 2000).scores), 0.1, 50
    )
    reached = lead[:, None] >= thresholds
    risks = dict(zip(thresholds, reached[wrong].sum(axis=0) / reached.sum(axis=0), strict=True))
    # the first that fails does so by nothing, where half of the errors are answered
    hard = next(risk for risk in risks.values() if risk >= 0.5 * list(risks.values())[-1])
    allowed = float(hard) * (1 - 1e-9)
    random, failed, certified = np.random.default_rng(5), 0, 0
    for _ in range(1000):
        rows = random.integers(len(lead), size=1000)
        certificate = certify_answers(lead[rows], wrong[rows], thresholds, allowed, 0.1)
        certified += certificate.points > 0
        failed += certificate.points > 0 and risks[certificate.threshold] > allowed
    assert certified > 300
    assert stats.binomtest(failed, 1000, 0.1, alternative="greater").pvalue > 0.001


def test_fresh_risks_of_networks_are_those_of_what_they_answer(trained):
    selective = bounds.selective(trained, 0.2, held_out=[500, 4000], n_select=2000, n_certify=4000)
    assert selective.threshold.shape == (4, 2) and selective.seeds == trained.seeds
    assert (selective.threshold[:, 1] < np.inf).all()
    assert (selective.fresh_risk.low[:, 1] <= 0.2).all()
    assert (selective.answered.low <= selective.fresh_answered.high)[:, 1].all()
    scores, y = fresh_scores(panel(trained), 2, "selective", "certify", 4000)
    taken = leads(scores) >= selective.threshold[2, 1]
    assert selective.fresh_answered.value[2, 1] == taken.mean()
    assert selective.fresh_risk.value[2, 1] == (predicted(scores) != y)[taken].mean()
