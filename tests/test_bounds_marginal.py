"""Marginal-likelihood PAC-Bayes: kernels against drawn networks, coin flips, values by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from simbias.bounds import BOUNDS, Observed, marginal
from simbias.tasks.oracle import Layer

MEASURE = BOUNDS.factory("marginal-likelihood")
DELTA = 0.05


def observed(x, y, sizes=(20, 20)):
    shapes = zip((x.shape[1], *sizes), (*sizes, 2), strict=True)
    layers = tuple(Layer(np.ones(shape), np.ones(shape[1])) for shape in shapes)
    return Observed(layers=layers, x=x, y=np.asarray(y))


@pytest.mark.parametrize("sizes", ((9, 100, 2), (9, 100, 100, 2)))
def test_the_kernel_is_the_covariance_of_networks_at_initialisation(sizes):
    source = np.random.default_rng(0)
    x = source.uniform(-1, 1, (3, 9))
    outputs = []
    for _ in range(6000):
        h = x
        for i, (inputs, units) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            bound = 1 / math.sqrt(inputs)
            h = h @ source.uniform(-bound, bound, (inputs, units)) + source.uniform(
                -bound, bound, units
            )
            h = np.maximum(h, 0) if i < len(sizes) - 2 else h
        outputs.append(h[:, 1] - h[:, 0])
    kernel = marginal.covariance(observed(x, [0, 1, 0], sizes[1:-1]), x)
    error = np.diag(kernel).max() / math.sqrt(6000)
    np.testing.assert_allclose(np.cov(np.array(outputs).T), kernel, atol=4 * error)
    assert kernel[0, 0] - kernel[0, 1] > 2 * error  # it is not constant: no mistake hides in that


def test_values_follow_by_hand_from_two_points():
    # x = 1 and x = -1 are independent in the first layer, of variance 2/3 each
    record = MEASURE(observed(np.array([[1.0], [-1.0]] * 50), [1, 0] * 50, (2,)), delta=DELTA)
    diagonal, cross = (1 / 3 + 1 / 2) / 3, (1 / (3 * math.pi) + 1 / 2) / 3
    probability = 1 / 4 - math.asin(cross / diagonal) / (2 * math.pi)
    assert record.terms["distinct points"] == 2
    assert record.terms["nats of the labels"] == pytest.approx(-math.log(probability), rel=0.01)
    rate = (record.terms["nats of the labels"] + math.log(2 * math.sqrt(100) / DELTA)) / 100
    assert record.value == pytest.approx(1 - math.exp(-rate))
    assert record.kind == "measure" and record.certifies == "nothing"


def test_labels_that_a_rule_gives_cost_fewer_nats_than_coin_flips_which_are_never_below_a_half():
    source = np.random.default_rng(1)
    x = source.uniform(-1, 1, (150, 4))
    learnable = MEASURE(observed(x, (x[:, 0] > 0).astype(int)))
    assert learnable.value < 0.3
    for _ in range(5):
        flips = MEASURE(observed(x, source.integers(0, 2, 150)))
        assert flips.value >= 0.5 and flips.terms["nats a point"] > 0.9 * math.log(2)


def test_a_covariance_that_forgets_the_labels_is_caught(monkeypatch):
    source = np.random.default_rng(1)
    x, y = source.uniform(-1, 1, (150, 4)), source.integers(0, 2, 150)
    honest = marginal._distinct

    def forgetful(observation):
        points, sign = honest(observation)
        return points, np.ones_like(sign)

    monkeypatch.setattr(marginal, "_distinct", forgetful)
    assert MEASURE(observed(x, y)).value < 0.5


def test_it_is_about_the_architecture_and_the_sample_alone():
    source = np.random.default_rng(2)
    x, y = source.uniform(-1, 1, (30, 3)), source.integers(0, 2, 30)
    first = observed(x, y)
    moved = replace(first, layers=tuple(Layer(2 * w, b - 1) for w, b in first.layers))
    assert MEASURE(first).value == MEASURE(moved).value
    assert MEASURE(first).value != MEASURE(observed(x, y, (20,))).value


def test_too_many_points_and_inputs_with_both_labels_are_inapplicable():
    many = MEASURE(observed(np.zeros((2001, 1)), np.zeros(2001, int)))
    assert many.reason == "at most 2000 training points: 2001 points"
    both = MEASURE(observed(np.ones((4, 1)), [0, 1, 1, 1]))
    assert both.reason == "no input has both labels: 1 of 1 inputs"
