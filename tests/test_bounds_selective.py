"""Selective certificates of classifiers: from points of their own, and held against exact risks."""

import tarfile
from pathlib import Path
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
from simbias.results import Store, load_stack
from simbias.stats.reveal import observed_rates
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


@pytest.mark.thorough
def test_no_two_points_of_the_splits_are_the_same(data):
    seen = []

    def recorded(x):
        seen.append(x)
        return x[:, 0]

    bounds.selective(recorded, 0.3, data=data, **FEW)
    joined = np.concatenate([data.x, *seen])
    assert [len(x) for x in seen] == [200, 300, 400]
    assert len(np.unique(joined, axis=0)) == 1400


@pytest.mark.thorough
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


def law_of(trained, threshold_count=50):
    """The certify points of a network as a law: leads, errors, thresholds and their exact risks."""
    own = panel(trained)
    scores, y = fresh_scores(own, 0, "selective", "certify", 4000)
    lead, wrong = leads(scores), predicted(scores) != y
    seen = leads(fresh_scores(own, 0, "selective", "select", 2000).scores)
    thresholds = thresholds_of(seen, 0.1, threshold_count)
    reached = lead[:, None] >= thresholds
    return lead, wrong, thresholds, reached[wrong].sum(axis=0) / reached.sum(axis=0)


def test_along_networks_certificates_fail_at_most_as_often_as_delta(trained):
    """The law is a network's certify points, drawn with replacement: every risk of it is exact."""
    lead, wrong, thresholds, exact = law_of(trained)
    risks = dict(zip(thresholds, exact, strict=True))
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


@pytest.mark.parametrize("uniform", (False, True))
def test_labels_as_noisy_as_they_may_be_certify_no_more_often_than_delta(trained, uniform):
    """The noise hides errors, or is the same for all points; taken as true, labels certify more."""
    lead, wrong, thresholds, risks = law_of(trained)
    allowed, noise = float(risks[risks >= 0.5 * risks[-1]][0]) * (1 - 1e-9), 0.3
    shown = observed_rates(allowed, noise, uniform=uniform)[0]
    random, failed, taken_as_true = np.random.default_rng(6), 0, 0
    exact = dict(zip(thresholds, risks, strict=True)) | {np.inf: 0.0}
    for _ in range(1000):
        rows = random.integers(len(lead), size=1000)
        other = random.random(1000) < noise
        observed = wrong[rows] ^ (other if uniform else other & wrong[rows])
        failed, taken_as_true = (
            count
            + (exact[certify_answers(lead[rows], observed, thresholds, rate, 0.1)[0]] > allowed)
            for count, rate in ((failed, shown), (taken_as_true, allowed))
        )
    assert stats.binomtest(failed, 1000, 0.1, alternative="greater").pvalue > 0.001
    if not uniform:  # the planted mistake
        assert stats.binomtest(taken_as_true, 1000, 0.1, alternative="greater").pvalue < 1e-6


def test_noise_is_paid_for_by_answers_and_risks_are_of_true_labels(data):
    """The simple rule, whose errors are half of the tenth of points with the least leads."""

    def simple(x):
        return x @ data.rotation[0]

    many = dict(data=data, held_out=4000, n_select=2000, n_certify=4000)
    plain, bounded, flipped, uniform = (
        bounds.selective(simple, 0.04, **many, **noise)
        for noise in (
            {},
            {"noise": 0.4},
            {"noise": 0.4, "flipped": 0.01},
            {"noise": 0.4, "uniform": True},
        )
    )
    answered = [
        selected.fresh_answered.value.item() for selected in (plain, bounded, flipped, uniform)
    ]
    assert answered[0] == answered[3] > answered[1] > answered[2] > 0.3
    assert flipped.errors.item() > 0.005 * flipped.points.item()  # of the labels that were replaced
    assert all((selected.fresh_risk.low <= 0.04).all() for selected in (plain, bounded, flipped))
    assert (flipped.noise, flipped.flipped) == (0.4, 0.01)


@pytest.mark.parametrize(
    "change, message",
    (
        ({"noise": 1}, "^noise: got 1"),
        ({"noise": 0.1, "flipped": 0.2}, "^flipped: got 0.2"),
        ({"noise": 0.5, "uniform": True}, "^noise: got 0.5"),
        ({"allowed_risk": 0.0}, "^allowed_risk: got 0.0"),
        ({"delta": 1.0}, "^delta: got 1.0"),
    ),
)
def test_noise_beyond_its_bound_is_refused_in_one_line(data, change, message):
    with pytest.raises(ValueError, match=message):
        bounds.selective(lambda x: x[:, 0], data=data, **FEW | {"allowed_risk": 0.3} | change)


def test_uniform_noise_is_of_two_classes():
    x, y = np.zeros((30, 3)), np.arange(30) % 3
    own = simbias.data(tasks.ArrayTask("own", x, y), n_train=10)
    with pytest.raises(ValueError, match="^uniform: got True, allowed: False with more than two"):
        bounds.selective(lambda x: x, 0.1, data=own, noise=0.1, uniform=True)


RECORDED = Path(__file__).parent.parent / "figures" / "recorded" / "pitfalls.tar.xz"


@pytest.mark.slow
@pytest.mark.parametrize("noise", (0.0, 0.1))
def test_on_recorded_networks_certificates_fail_at_most_as_often_as_delta(noise, tmp_path):
    """1,000 sets of held-out points of each of three networks; risks by a million others.

    The allowed risk is that of a threshold, so that failing is as easy as it can be.
    """
    with tarfile.open(RECORDED) as archive:
        archive.extractall(tmp_path, filter="data")
    stack = load_stack(Store(tmp_path))
    own, sets, m, delta = panel(stack), 1000, 1000, 0.05
    for i in range(len(own)):
        scores, y = fresh_scores(own, i, "selective", "certify", sets * m)
        lead, wrong = leads(scores), predicted(scores) != y
        seen = leads(fresh_scores(own, i, "selective", "select", 10_000).scores)
        thresholds = thresholds_of(seen, 0.3, 100)
        scores, y = fresh_scores(own, i, "selective", "holdout", sets * m)
        other, bad = leads(scores), predicted(scores) != y
        reached = [other >= threshold for threshold in thresholds]
        risks = np.array([bad[rows].mean() for rows in reached])
        allowed = float(risks[np.searchsorted(risks, 0.01)]) * (1 - 1e-9)
        random = np.random.default_rng(i)
        observed = wrong & (random.random(len(wrong)) >= noise)  # as many errors as can be hidden
        exact = dict(zip(thresholds, risks, strict=True)) | {np.inf: 0.0}
        certified = [
            certify_answers(
                lead[start : start + m],
                observed[start : start + m],
                thresholds,
                allowed * (1 - noise),
                delta,
            )
            for start in range(0, sets * m, m)
        ]
        failed = sum(exact[answering.threshold] > allowed for answering in certified)
        answering = sum(answers.points > 0 for answers in certified)
        print(f"network {i}: allowed {allowed:.4f}, {answering} certified, {failed} fail of {sets}")
        assert stats.binomtest(failed, sets, delta, alternative="greater").pvalue > 0.001


@pytest.mark.thorough
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
