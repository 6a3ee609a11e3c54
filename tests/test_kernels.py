"""Infinitely wide networks of ReLUs: kernels against drawn networks and by hand, and regression."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simbias
from simbias import tasks, validate
from simbias.models.estimators import estimator
from simbias.networks.infinite import laws_of, relu_kernel

TASK = tasks.get("noisy-lms-7", dim=4)
USUAL = [(1 / 3, 1 / 12), (1 / 3, 0.0), (1 / 3, 0.0)]  # of 4 inputs


def test_two_points_at_a_right_angle_by_hand():
    # k_1 = [[a, 0], [0, a]] with a = w/2; one hidden layer: t = pi/2, so that
    # E[relu relu] = a/(2 pi) and E[step step] = 1/4; of a point with itself a/2 and 1/2
    x, (w, b), (v, c) = np.eye(2), (3.0, 0.0), (5.0, 0.25)
    a = w / 2
    kernel = relu_kernel(x, x, [(w, b), (v, c)])
    same, across = v * a / 2 + c, v * a / (2 * math.pi) + c
    np.testing.assert_allclose(kernel, [[same, across], [across, same]])
    tangent = relu_kernel(x, x, [(w, b), (v, c)], tangent=True)
    np.testing.assert_allclose(tangent, [[same + v * a / 2, across], [across, same + v * a / 2]])
    # opposite points: cos t = -1, no unit is on at both; a third has no direction
    x = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 0.0]])
    for asked in (False, True):
        np.testing.assert_allclose(
            relu_kernel(x[:1], x[1:], [(w, b), (v, c)], tangent=asked), c, atol=1e-12
        )


@pytest.mark.parametrize(
    "initialisation",
    ("uniform", *(pytest.param(n, marks=pytest.mark.slow) for n in ("kaiming", "xavier"))),
)
@pytest.mark.thorough
def test_the_kernels_are_those_of_wide_networks(initialisation):
    network = simbias.MLP(400, 2, initialisation=initialisation, scale=1.5)
    sizes, count = network.sizes(4), 200
    x = jax.random.normal(jax.random.key(1), (3, 4))
    variances = network.variances(4)

    def drawn(key):
        params = network.init(key, (4,))
        gradients = jax.jacrev(lambda p: network.apply(p, x)[:, 0])(params)["layers"]
        tangent = sum(
            variance * jnp.tensordot(gradient, gradient, (axes, axes))
            for i, (weight, bias) in enumerate(variances)
            for variance, gradient, axes in (
                (weight, gradients[i]["kernel"], (1, 2)),
                (bias, gradients[i]["bias"], (1,)),
            )
        )
        return network.apply(params, x)[:, 0], tangent

    keys = jax.random.split(jax.random.key(0), count)
    outputs, tangents = map(np.asarray, jax.jit(lambda keys: jax.lax.map(drawn, keys))(keys))
    points, laws = np.asarray(x, float), laws_of(variances, sizes)
    products = outputs[:, :, None] * outputs[:, None]
    for samples, expected in (
        (products, relu_kernel(points, points, laws)),
        (tangents, relu_kernel(points, points, laws, tangent=True)),
    ):
        error = samples.std(axis=0) / math.sqrt(count)
        # of finite width the kernels are off by its inverse
        assert np.all(np.abs(samples.mean(axis=0) - expected) < 4.5 * error + 0.01 * expected)
    own = np.diagonal(tangents, axis1=1, axis2=2)
    assert np.all(own.std(axis=0) < 0.2 * own.mean(axis=0))  # nearly the same for all networks


@pytest.mark.parametrize("name", ("nngp", "ntk"))
def test_regression_fits_its_labels_and_is_that_of_the_whole_kernel(name):
    fitted = simbias.train(TASK, estimator(name, depth=2), n_train=200, seeds=2)
    data, x = fitted.data[1], np.asarray(fitted.data[0].x[:5], float)
    train = np.asarray(data.x, float)
    tangent = name == "ntk"
    kernel = relu_kernel(train, train, USUAL, tangent=tangent)
    kernel += 1e-6 * np.diag(kernel).mean() * np.eye(200)
    weights = np.linalg.solve(kernel, 2.0 * data.y - 1)
    expected = relu_kernel(x, train, USUAL, tangent=tangent) @ weights
    np.testing.assert_allclose(fitted.members[1].scores(x)[:, 1], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fitted.members[1].scores(x)[:, 0], -expected, rtol=1e-4, atol=1e-5)
    report = validate(fitted, n_certify=2000)
    assert np.all(report.train_accuracy == 1) and np.all(report.risk.value < 0.1)
    smooth = simbias.train(TASK, estimator(name, ridge=10.0), n_train=200, seeds=2)
    assert np.all(validate(smooth, n_certify=2000).train_accuracy < 1)


def test_many_classes_have_a_function_each():
    x = np.eye(3, 4, dtype=np.float32).repeat(4, axis=0)
    model = estimator("nngp").make(0)
    model.fit(x, np.arange(3).repeat(4))
    assert model.decision_function(x).argmax(axis=1).tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_settings_of_kernels_are_checked_and_usual_ones_left_out():
    assert dict(estimator("ntk", depth=1, ridge=1e-6).settings) == {}
    assert estimator("nngp", depth=3).label == "nngp(depth=3)"
    for argument, value in (("depth", 0), ("ridge", -1), ("weight_variance", 0)):
        with pytest.raises(ValueError, match=f"^{argument}: got {value}, allowed: "):
            estimator("nngp", **{argument: value})
    model = estimator("nngp", ridge=0).make(0)
    with pytest.raises(ValueError, match="^ridge: got 0.*, allowed: a larger one: equal or nearly"):
        model.fit(np.ones((4, 3), np.float32), np.array([0, 1, 0, 1]))
    with pytest.raises(ValueError, match="^n_train: got .*, allowed: what fits into"):
        model.fit(np.zeros((10**6, 1), np.float32), np.zeros(10**6, int))
