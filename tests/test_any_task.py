"""Exclusive or, three classes and points of one's own, from training to stored rows."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from own_tasks import Rings, train

import simbias
from simbias import bounds
from simbias.models import classifier
from simbias.tasks import BlockTask, blocks, oracle
from simbias.validation.exceptions import Answers, cross_entropy

pytestmark = pytest.mark.thorough

POINTS = 20_000  # a whole chunk: a part of one would be compiled apart


def test_exclusive_or_is_learned_and_what_has_no_meaning_there_is_empty(exclusive):
    report = simbias.validate(exclusive, n_certify=POINTS)
    assert report.faults == ("", "")
    assert (report.risk.high > 0.1).all() and (report.risk.value < 0.2).all()  # of .1 at least
    # the coins are wrong as often on either side of the rule: risk = .9 (1 - a) + .1 a
    implied = 0.9 - 0.8 * report.achievable_agreement.value
    np.testing.assert_allclose(report.risk.value, implied, atol=0.015)
    for estimate in (*report.reliance, report.simple_agreement, report.exceptions.fitted):
        assert np.isnan(estimate).all()
    assert report.unmeasured["s_auc"] == "the task has no independent coordinates"
    assert report.unmeasured["simple_agreement"] == "the task has no simple rule"
    assert "achievable_agreement" not in report.unmeasured


def test_a_rule_given_as_a_classifier_has_the_bayes_risk(exclusive):
    task, turn = exclusive.cell.task, exclusive.rotation[0]
    data = simbias.data(task, n_train=500, seed=0)
    rule = classifier(lambda x: task.achievable_rule(x @ data.rotation.T), label="rule")
    report = simbias.validate(rule, data, n_certify=POINTS)
    assert report.achievable_agreement.value[0] == 1
    assert abs(report.risk.value[0] - 0.1) <= 5 * np.sqrt(0.09 / POINTS)
    assert turn.shape == data.rotation.shape == (3, 3)


def test_three_classes_are_measured_and_agree_with_a_count_by_hand(rings):
    report = simbias.validate(rings, n_certify=POINTS)
    assert (report.train_accuracy == 1).all() and (report.risk.value < 0.05).all()
    assert report.unmeasured["achievable_agreement"] == "no achievable rule is known"
    member = simbias.models.member(rings, 0)
    generator = np.random.default_rng(1)
    y = generator.integers(0, 3, POINTS)
    angle = 2 * np.pi * generator.random(POINTS)
    x = (1 + y + 0.2 * generator.random(POINTS)) * np.stack([np.cos(angle), np.sin(angle)])
    wrong = np.mean(member.scores(x.T).argmax(axis=1) != y)
    assert abs(wrong - report.risk.value[0]) <= 5 * np.sqrt(0.05 / POINTS)
    assert report.train_loss[0] == pytest.approx(rings.traces[0][-1, 1], rel=1e-3)


def test_three_classes_are_trained_to_the_end(rings):
    assert [rings.outcome(i)[0] for i in (0, 1)] == ["done", "done"]
    assert rings.params["layers"][2]["bias"].shape == (2, 3)
    assert all(trace[-1, 3] > 0.95 for trace in rings.traces)  # of fresh points
    assert all(trace[0, 1] < 2 * np.log(3) for trace in rings.traces)


def test_points_of_ones_own_are_each_certified_by_once(pictures):
    task = pictures.cell.task
    report = simbias.validate(pictures)
    assert report.n_certify == task.most["certify"] == 120
    law = task.law(jnp.zeros(2, jnp.uint32))
    x, y = law.x[law.rows["certify"]], law.y[law.rows["certify"]]
    answered = np.asarray(pictures.cell.network.apply(simbias.models.member(pictures, 0).params, x))
    assert report.risk.value[0] == np.mean(answered.argmax(axis=1) != np.asarray(y))
    assert report.risk.value[0] < 0.05
    assert pictures.rotation.shape == (1, 0, 0)


def test_held_out_certificates_take_any_number_of_classes(rings, pictures):
    for stack, points in ((rings, 600), (pictures, 60)):
        (evaluation, *_) = bounds.evaluate(stack, bounds=["clopper-pearson"], n_certify=POINTS)
        assert evaluation.record.applicable, evaluation.record.assumptions
        # no errors on so many points
        assert evaluation.record.value == pytest.approx(1 - 0.05 ** (1 / points))
        assert evaluation.valid


THREE = BlockTask("three", {}, (blocks.linear(noise=0.4),) * 3, ())


def assert_no_rule_of_one(report):
    assert report.unmeasured["achievable_agreement"] == "no achievable rule is known"
    assert np.isnan(report.achievable_agreement.value).all()


def test_a_rule_of_three_coordinates_is_no_rule_of_one_and_the_rest_is_measured():
    first = oracle.rule_risk(THREE, oracle.bayes_rule(THREE, 0))
    assert THREE.truth.achievable_risk < first
    data = simbias.data(THREE, n_train=500, seed=0)
    report = simbias.validate(lambda x: (x @ data.rotation.T)[:, 0], data, n_certify=POINTS)
    assert_no_rule_of_one(report)
    assert abs(report.risk.value[0] - first) <= 5 * np.sqrt(0.25 / POINTS)
    with pytest.raises(ValueError, match="^simple_set: got .0, 1, 2.*, allowed: coordinates of"):
        train(replace(THREE, simple_set=(0, 1, 2)), 200)  # refused before it is trained


@pytest.mark.slow
def test_what_has_no_rule_of_one_coordinate_is_trained_and_measured():
    stack = train(THREE, 200, stop=simbias.Stop(max_updates=200))
    report = simbias.validate(stack, n_certify=2000)
    assert_no_rule_of_one(report)
    assert 0 < report.risk.value[0] < 0.5


def test_of_three_classes_it_is_not_known_what_the_simple_rule_says_of_an_exception():
    class Told(Rings):
        truth = simbias.tasks.Truth(0.5, 0.0)

    report = simbias.validate(lambda x: x[:, [0, 1, 0]], simbias.data(Told(), 20), n_certify=500)
    assert np.isnan(report.simple_agreement.value).all()
    assert "says of an exception is not known" in report.unmeasured["simple_agreement"]


def test_margins_and_losses_of_many_classes_by_hand():
    scores = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    given = Answers(scores, np.array([0, 1, 1]), np.zeros(3, bool))
    assert given.correct.tolist() == [True, False, False]  # of equal scores the first class is said
    assert given.margin.tolist() == [1, -1, 0]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    by_hand = -np.log([p[0, 0], p[1, 1], p[2, 1]]).mean()
    assert cross_entropy(given, "logits") == pytest.approx(by_hand)
    assert cross_entropy(given._replace(scores=p), "probabilities") == pytest.approx(by_hand)
    assert np.isnan(cross_entropy(given, "scores"))
    assert given._replace(scores=np.where(scores == 2, np.nan, scores)).finite.tolist() == [0, 1, 1]


def test_the_loss_of_two_classes_is_that_of_their_difference():
    scores = np.array([[0.2, 1.7], [3.0, -1.0]])
    two = Answers(scores, np.array([1, 1]), np.zeros(2, bool))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert cross_entropy(two, "logits") == pytest.approx(-np.log(p[:, 1]).mean())
    assert cross_entropy(two._replace(scores=p), "probabilities") == pytest.approx(
        -np.log(p[:, 1]).mean()
    )
