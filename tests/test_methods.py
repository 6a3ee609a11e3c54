"""What every registered method promises, and each one's recursion against NumPy."""

import json
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simbias import MLP, losses, sgd
from simbias.registry import METHODS
from simbias.training.method import Batch

NAMES = tuple(METHODS.names())
UPDATES = 200
TARGET = np.array([1.0, -2.0, 0.5])
SCALE = np.array([1.0, 3.0, 0.2])


def torch_sgd(weights, gradient, steps, *, learning_rate, momentum, weight_decay):
    """torch.optim.SGD as its documentation states it (dampening 0, no Nesterov)."""
    velocity = None
    for step in range(steps):
        g = gradient(weights, step) + weight_decay * weights
        velocity = g if velocity is None else momentum * velocity + g
        weights = weights - learning_rate * velocity
    return weights


REFERENCES = {
    "sgd": (
        torch_sgd,
        [
            {"learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0},
            {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.0},
            {"learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.05},
            {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 5e-4},
            {"learning_rate": 0.02, "momentum": 0.9, "weight_decay": 0.5},
        ],
    )
}
CASES = [(name, settings) for name in REFERENCES for settings in REFERENCES[name][1]]
BATCH = Batch(  # two classes of points, about (1, 0) and about (-1, 0)
    x=jnp.asarray(np.random.default_rng(0).normal(np.tile([[1, 0], [-1, 0]], (20, 1)), 0.1), "f4"),
    y=jnp.tile(jnp.array([1, 0], jnp.int32), 20),
    rows=jnp.arange(40, dtype=jnp.int32),
    group=None,
    key=jax.random.key(0),
    update=jnp.int32(0),
    budget=jnp.int32(UPDATES),
    network=MLP(4, 1),
    objective=losses.cross_entropy(),
)


class Quadratic(NamedTuple):
    """A batch whose loss is a quadratic; its minimum moves with the batch."""

    shift: jax.Array
    scale: jax.Array

    def loss(self, params):
        return 0.5 * jnp.sum(self.scale * (params["w"] - self.shift) ** 2)


def quadratic(step):
    return Quadratic(*(jnp.asarray(part, jnp.float32) for part in batch_of(step)))


def batch_of(step):
    return TARGET + 0.1 * step, SCALE


def gradient(weights, step):
    shift, scale = batch_of(step)
    return scale * (weights - shift)


def run(method, steps, hyper=None):
    return np.asarray(_unrolled(method, traced(method) if hyper is None else hyper, steps))


def traced(method):
    return {key: jnp.float32(value) for key, value in method.traced.items()}


@pytest.mark.parametrize("name, settings", CASES)
@pytest.mark.parametrize("steps", (1, 2, 7))
def test_steps_follow_the_published_recursion(name, settings, steps):
    reference = REFERENCES[name][0](np.zeros(3), gradient, steps, **settings)
    np.testing.assert_allclose(run(METHODS.make(name, settings), steps), reference, rtol=2e-5)


def test_two_heavy_ball_steps_by_hand():
    # w0 = 0, one coordinate of curvature 1 and minimum 1: g = -1; v = -1; w = .1
    # then g = -.9 + .5(.1) = ... with decay .5: g0 = -1, w1 = .1; g1 = -(1.1 - .1) + .05 = -.95
    # v = .9(-1) - .95 = -1.85; w2 = .1 + .185
    reached = run(sgd(learning_rate=0.1, momentum=0.9, weight_decay=0.5), 2)
    assert reached[0] == pytest.approx(0.285, rel=1e-5)


def test_nesterov_or_damped_momentum_would_be_caught():
    reached = run(sgd(learning_rate=0.1, momentum=0.9), 3)
    right = torch_sgd(np.zeros(3), gradient, 3, learning_rate=0.1, momentum=0.9, weight_decay=0)
    damped = torch_sgd(np.zeros(3), gradient, 3, learning_rate=0.01, momentum=0.9, weight_decay=0)
    np.testing.assert_allclose(reached, right, rtol=2e-5)
    assert np.abs(reached - damped).max() > 0.1


def test_every_method_of_this_package_has_a_reference():
    assert set(REFERENCES) == set(filter(METHODS.owns, NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_plain_data_that_make_the_method_again(name):
    method = METHODS.make(name, {})
    assert method.name == name
    again = METHODS.make(name, json.loads(json.dumps(dict(method.settings))))
    assert again == method and hash(again) == hash(method)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_lessens_the_loss_of_a_network(name):
    trained = learned(METHODS.make(name, {}))
    start = BATCH.network.init(jax.random.key(1), (2,), 2)
    assert float(BATCH.loss(trained)) < 0.5 * float(BATCH.loss(start))


@pytest.mark.parametrize("name", NAMES)
def test_numbers_among_the_settings_are_traced_so_that_one_program_serves_all(name):
    remade = METHODS.make(name, {})
    changed = {key: type(value)(value / 2) for key, value in remade.traced.items()}
    other = METHODS.make(name, {**remade.settings, **changed})
    assert remade != other or not any(changed.values())
    assert remade.compiled_in == other.compiled_in
    compiled = jax.jit(lambda hyper: learned(remade, hyper))
    for method in (remade, other):
        compiled(traced(method))
    assert compiled._cache_size() == 1
    ends = [jax.tree.leaves(compiled(traced(method))) for method in (remade, other)]
    assert remade == other or any((a != b).any() for a, b in zip(*ends, strict=True))


def learned(method, hyper=None):
    """The parameters that are measured after some updates on the same batch."""
    hyper = dict(method.settings) | (traced(method) if hyper is None else hyper)
    start = BATCH.network.init(jax.random.key(1), (2,), 2)

    def update(carry, i):
        return method.step(hyper, *carry, replace(BATCH, update=i)), None

    first = start, method.init(hyper, start, len(BATCH.y))
    (params, state), _ = jax.lax.scan(update, first, jnp.arange(UPDATES, dtype=jnp.int32))
    return params if method.evaluated is None else method.evaluated(hyper, params, state)


def _unrolled(method, hyper, steps):
    params = {"w": jnp.zeros(3)}
    state = method.init(hyper, params, 1)
    for step in range(steps):
        params, state = method.step(hyper, params, state, quadratic(step))
    return params["w"]


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("value", (0, -0.1, float("nan"), float("inf"), "fast", None, True))
def test_learning_rates_that_are_not_positive_are_refused(name, value):
    with pytest.raises(
        ValueError, match=r"^learning_rate: got .*allowed: a number in \[1e-37, 1e\+37\]$"
    ):
        METHODS.make(name, {"learning_rate": value})


@pytest.mark.parametrize("value", (-0.1, 1, 1.5, float("nan"), "some", None))
def test_momentum_outside_its_range_is_refused(value):
    with pytest.raises(ValueError, match=r"^momentum: got .*allowed: a number in \[0, 1\)$"):
        sgd(momentum=value)


@pytest.mark.parametrize("value", (-1e-9, float("nan"), float("inf"), "some", None))
def test_negative_weight_decay_is_refused(value):
    with pytest.raises(
        ValueError, match=r"^weight_decay: got .*allowed: a number in \[0, 1e\+37\]$"
    ):
        sgd(weight_decay=value)


def test_unknown_methods_and_settings_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="^method: unknown name 'sdg', nearest: sgd"):
        METHODS.make("sdg", {})
    with pytest.raises(ValueError, match="^method sgd: setting: .*'learningrate', nearest: lea"):
        METHODS.make("sgd", {"learningrate": 0.1})
