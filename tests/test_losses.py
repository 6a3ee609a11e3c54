"""Losses against their formulas in NumPy, for two classes and more, hard labels and soft."""

import jax.numpy as jnp
import numpy as np
import pytest

from simbias import losses
from simbias.losses import Loss
from simbias.registry import LOSSES

NAMES = tuple(LOSSES.names())
GENERATOR = np.random.default_rng(0)
CASES = {
    classes: (GENERATOR.normal(size=(9, classes)) * 3, GENERATOR.integers(0, classes, 9))
    for classes in (2, 3, 10)
}
# each number of classes compiles programs of its own
SOME = [2, 3, pytest.param(10, marks=pytest.mark.slow)]


def one_hot(y, classes):
    return np.eye(classes)[y]


def log_sigmoid(z):
    return -np.logaddexp(0, -z)


def cross_entropy(z, t):
    return np.sum(t * (np.logaddexp.reduce(z, axis=1, keepdims=True) - z), axis=1)


def hinge(z, t):
    others = np.array([[np.delete(row, k).max() for k in range(len(row))] for row in z])
    return np.sum(t * np.maximum(0, 1 + others - z), axis=1)


def square(z, t):
    return ((z - t) ** 2).sum(axis=1) / 2


def logistic(z, t):
    return -(t * log_sigmoid(z) + (1 - t) * log_sigmoid(-z)).sum(axis=1)


FORMULAS = {"cross-entropy": cross_entropy, "hinge": hinge, "square": square, "logistic": logistic}


def of(loss, z, y):
    return np.asarray(loss.points(jnp.asarray(z, jnp.float32), y))


def test_every_loss_of_this_package_has_a_formula():
    assert set(FORMULAS) == set(filter(LOSSES.owns, NAMES))


@pytest.mark.parametrize("classes", SOME)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.thorough
def test_a_label_costs_what_a_distribution_on_it_does_and_no_less_than_nothing(name, classes):
    z, y = CASES[classes]
    loss = losses.get(name)
    hard = of(loss, z, jnp.asarray(y, jnp.int32))
    soft = of(loss, z, jnp.asarray(one_hot(y, classes), jnp.float32))
    assert hard.shape == (len(y),) and (hard >= 0).all()
    assert soft == pytest.approx(hard, rel=1e-5, abs=1e-6)
    assert 0 < loss.of_equal_logits(classes) < np.inf


@pytest.mark.parametrize("classes", SOME)
@pytest.mark.parametrize("name", FORMULAS)
def test_a_loss_is_its_formula_on_hard_and_on_soft_labels(name, classes):
    z, y = CASES[classes]
    loss, hard = losses.get(name), one_hot(y, classes)
    assert of(loss, z, jnp.asarray(y, jnp.int32)) == pytest.approx(
        FORMULAS[name](z, hard), rel=1e-5
    )
    soft = 0.7 * hard + 0.3 / classes
    assert of(loss, z, jnp.asarray(soft, jnp.float32)) == pytest.approx(
        FORMULAS[name](z, soft), rel=1e-5
    )


def test_smoothed_labels_are_spread_over_all_classes():
    z, y = CASES[3]
    smooth = 0.8 * one_hot(y, 3) + 0.2 / 3
    values = of(losses.logistic(smoothing=0.2), z, jnp.asarray(y, jnp.int32))
    assert values == pytest.approx(logistic(z, smooth), rel=1e-5)


def test_of_two_classes_the_hinge_is_that_of_the_difference():
    z, y = CASES[2]
    signed = (z[:, 1] - z[:, 0]) * (2 * y - 1)
    values = of(losses.hinge(), z, jnp.asarray(y, jnp.int32))
    assert values == pytest.approx(np.maximum(0, 1 - signed), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("classes", SOME)
def test_equal_logits_cost_what_a_guess_does(classes):
    wanted = {
        "cross-entropy": np.log(classes),
        "hinge": 1,
        "square": 1 / 2,
        "logistic": classes * np.log(2),
    }
    for name in FORMULAS:
        assert losses.get(name).of_equal_logits(classes) == pytest.approx(wanted[name], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_losses_of_one_name_settings_and_code_are_one(name):
    assert losses.get(name) == losses.get(name)
    assert hash(losses.get(name)) == hash(losses.get(name))
    assert Loss(name, {}, lambda logits, labels: logits[:, 0]) != losses.get(name)
    assert len({losses.get(name), losses.logistic(smoothing=0.5)}) == 2


@pytest.mark.parametrize("value", (-0.1, 1, float("nan"), "some", None))
def test_smoothing_outside_its_range_is_refused(value):
    with pytest.raises(ValueError, match=r"^smoothing: got .*allowed: a number in \[0, 1\)$"):
        losses.logistic(smoothing=value)


def test_an_unknown_loss_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="^loss: unknown name 'hing', nearest: hinge"):
        losses.get("hing")
