"""The network of Theorem 1, by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simbias
from simbias.networks import Committee
from simbias.quantities import Subject, declared
from simbias.training.stack import train


def f(kernel, x):
    """The theorem's network, unit by unit."""
    width = kernel.shape[1]
    signs = [1 if j < width // 2 else -1 for j in range(width)]
    hidden = np.maximum(np.asarray(x, np.float64) @ np.asarray(kernel, np.float64), 0)
    return sum(sign / math.sqrt(width) * hidden[:, j] for j, sign in enumerate(signs))


def test_its_logits_differ_by_f_and_its_hinge_loss_is_the_theorems():
    params = Committee(6).init(jax.random.key(0), (4,), 2)
    params = {"kernel": 20 * params["kernel"]}
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    y = np.arange(9) % 2
    logits = Committee(6).apply(params, x)
    expected = f(params["kernel"], x)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], expected, atol=1e-5)
    hinge = simbias.losses.hinge().points(logits, jnp.asarray(y))
    np.testing.assert_allclose(hinge, np.maximum(0, 1 - (2 * y - 1) * expected), atol=1e-5)


def test_its_weights_start_with_the_theorems_variance():
    kernel = Committee(1000).init(jax.random.key(1), (40,), 2)["kernel"]
    assert kernel.shape == (40, 1000)
    variance = 1 / (40 * 1000 * math.log(40) ** 4)
    assert abs(float(np.var(kernel)) / variance - 1) < 0.05  # 40,000 weights: deviation .007


def test_layers_compute_what_it_computes():
    net = Committee(6)
    params = net.init(jax.random.key(2), (4,), 2)
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    first, last = net.to_layers(params)
    scores = np.maximum(x @ first.weight + first.bias, 0) @ last.weight + last.bias
    np.testing.assert_allclose(net.apply(params, x), scores, atol=1e-6)


@pytest.mark.thorough
def test_the_ratio_of_weights_is_read_from_its_first_layer():
    task = simbias.tasks.get("lsn", dim=4)
    stack = train(
        task, Committee(6), simbias.sgd(learning_rate=1.0), n_train=400, batch=100, seeds=2,
        stop=simbias.Stop(max_updates=4, check_every=4), loss=simbias.losses.hinge(), n_select=100,
    )  # fmt: skip
    ratio = declared()["log_weight_ratio"].compute(Subject(stack, n_certify=100, confidence=0.95))
    kernel = np.asarray(stack.params["kernel"], np.float64)
    np.testing.assert_allclose(
        ratio.value,
        np.log(np.linalg.norm(kernel[:, 0], axis=1) / np.linalg.norm(kernel[:, 1], axis=1)),
    )


@pytest.mark.parametrize("width", (0, 3, 2.5))
def test_an_odd_width_is_refused(width):
    with pytest.raises(ValueError, match="width"):
        Committee(width)


def test_three_classes_and_one_input_are_refused():
    with pytest.raises(ValueError, match="classes"):
        Committee(4).init(jax.random.key(0), (4,), 3)
    with pytest.raises(ValueError, match="dim"):
        Committee(4).init(jax.random.key(0), (1,), 2)
