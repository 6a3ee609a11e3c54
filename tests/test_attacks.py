"""Attacks on inputs, against networks whose answer to them is known."""

import jax
import numpy as np
import pytest

import simbias
from simbias.networks import Ensemble
from simbias.quantities import Subject, declared
from simbias.training.stack import train
from simbias.validation.attacks import attacked_accuracy, universal_share

STOP = simbias.Stop(max_updates=200)
SGD = simbias.sgd(learning_rate=0.1, momentum=0.9)


@pytest.fixture(scope="module")
def pair():
    """Two networks of two members each, on four coordinates of which the first is linear."""
    task = simbias.tasks.get("noisy-lms-5", dim=4)
    net = Ensemble(simbias.MLP(8), members=2)
    return train(task, net, SGD, n_train=1000, stop=STOP, n_select=200, seeds=2)


@pytest.fixture(scope="module")
def linear():
    """Two networks that answer by the linear coordinate alone."""
    task = simbias.tasks.get("lms-5", dim=4)
    cell = simbias.training.Cell(task, simbias.MLP(8), SGD, n_train=1000, stop=STOP)
    return simbias.validation.control(cell, "simple", seeds=2)


@pytest.mark.thorough
def test_a_rule_of_the_linear_coordinate_is_attacked_there(linear):
    np.testing.assert_allclose(universal_share(linear, 1.0, points=200), 1, atol=1e-3)


@pytest.mark.parametrize("radius, accuracy", [(0.05, 1.0), (1.2, 0.0)])
def test_a_rule_errs_where_the_ball_reaches_over_its_threshold(linear, radius, accuracy):
    # linear coordinates lie between .1 and 1 from the threshold
    kept = attacked_accuracy(linear, radius, points=200)
    np.testing.assert_array_equal(kept.value, accuracy)


@pytest.mark.thorough
def test_an_attack_of_half_the_range_reaches_half_of_a_uniform_coordinate(linear):
    # |x| is uniform on [.1, 1]: (1 - .55)/.9 of the points are farther than .55
    kept = attacked_accuracy(linear, 0.55, points=2000)
    assert (kept.low < 0.5).all() and (kept.high > 0.5).all()


@pytest.mark.slow
def test_gain_is_the_accuracy_of_the_mean_less_the_mean_of_accuracies(pair, forward):
    subject = Subject(pair, n_certify=2000, confidence=0.95)
    gain = declared()["ensemble_gain"].compute(subject)
    x, y = pair.cell.block_task.sample(jax.random.key(3), 20_000)
    for i in range(2):
        turned = np.asarray(x) @ pair.rotation[i]
        logits = [
            forward(jax.tree.map(lambda leaf, i=i, m=m: leaf[i, m], pair.params), turned)
            for m in range(2)
        ]
        each = [np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in logits]
        right = [np.mean(p.argmax(axis=1) == np.asarray(y)) for p in (*each, each[0] + each[1])]
        assert gain.low[i] <= right[2] - (right[0] + right[1]) / 2 <= gain.high[i]


def test_gain_is_of_ensembles_only(linear):
    with pytest.raises(ValueError, match="an ensemble"):
        declared()["ensemble_gain"].suits(linear.cell)
