"""Sharpness against a Hessian in full, mapped training sets, and the assumptions of stability."""

from dataclasses import replace

import numpy as np
import pytest

from simbias.bounds import HeldOut, Observed, Steps
from simbias.bounds.convergence import uniform_convergence
from simbias.bounds.measures import inverse_margin, sharpness
from simbias.bounds.stability import stability
from simbias.tasks.blocks import linear, slab
from simbias.tasks.oracle import Layer

SHAPES = ((3, 4), (4,), (4, 2), (2,))


def example(activation="relu", n=300):
    random = np.random.default_rng(0)
    parts = [random.normal(size=shape) for shape in SHAPES]
    x = random.uniform(-1, 1, (n, 3))
    layers = (Layer(*parts[:2]), Layer(*parts[2:]))
    return Observed(layers=layers, x=x, y=(x[:, 0] > 0).astype(int), activation=activation)


def gradient(observed, theta):
    """Of the mean cross-entropy of a ReLU network of one hidden layer, by hand."""
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES])[:-1]
    w1, b1, w2, b2 = (
        part.reshape(shape) for part, shape in zip(np.split(theta, ends), SHAPES, strict=True)
    )
    before = observed.x @ w1 + b1
    h, sign = np.maximum(before, 0), 2.0 * observed.y - 1
    f = (h @ w2 + b2) @ np.array([-1.0, 1.0])
    out = np.outer(-sign / (1 + np.exp(sign * f)) / observed.n, [-1.0, 1.0])
    back = out @ w2.T * (before > 0)
    return np.concatenate(
        [(observed.x.T @ back).ravel(), back.sum(0), (h.T @ out).ravel(), out.sum(0)]
    )


def test_sharpness_is_the_top_eigenvalue_of_the_hessian():
    observed = example()
    theta = np.concatenate([part.ravel() for layer in observed.layers for part in layer])
    step = 1e-6
    rows = [
        (gradient(observed, theta + step * e) - gradient(observed, theta - step * e)) / (2 * step)
        for e in np.eye(len(theta))
    ]
    hessian = np.array(rows)
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    record = sharpness(observed)
    assert record.value == pytest.approx(values[np.argmax(np.abs(values))], rel=2e-3)
    assert record.kind == "measure" and record.terms["iterations"] > 1


def test_inverse_margin_grows_as_margins_shrink():
    observed = replace(example(), y=(example().margins_at(example().x) > 0).astype(int))
    observed = replace(observed, y=np.where(observed.margins > 0, observed.y, 1 - observed.y))
    margin = inverse_margin(observed)
    last = observed.layers[1]
    scaled = replace(observed, layers=(observed.layers[0], Layer(3 * last.weight, 3 * last.bias)))
    assert inverse_margin(scaled).value == pytest.approx(margin.value)
    shifted = Layer(last.weight, last.bias + np.array([0.0, 0.05]))
    assert (
        inverse_margin(replace(observed, layers=(observed.layers[0], shifted))).value
        != margin.value
    )


# mapped copies of the training set


def memoriser():
    """Reads the label off the sign of a symmetric coordinate, as it happens to be in S."""
    random = np.random.default_rng(0)
    x = random.uniform(0.2, 1, (1000, 2)) * np.array([1.0, 1.0])
    y = random.integers(0, 2, 1000)
    x[:, 1] *= 2 * y - 1  # on this sample the sign of a slab coordinate is the label
    layers = (Layer(np.array([[0.0, 0.0], [0.0, 1.0]]), np.zeros(2)),)
    return Observed(
        layers=layers, x=x, y=y, held_out=HeldOut(500, 1000), blocks=(linear(), slab(7))
    )


def test_uniform_convergence_fails_on_a_network_that_memorised_signs():
    record = uniform_convergence(memoriser())
    assert record.terms["training error"] == 0 and record.terms["error, all flipped"] == 1
    assert 0.4 < record.value == 1 - record.terms["risk, high"] < 0.5
    # planted: a network that looks at nothing has nothing to lose
    blind = replace(memoriser(), layers=(Layer(np.zeros((2, 2)), np.zeros(2)),))
    assert uniform_convergence(blind).value == 0


def of_two_slabs(score):
    """The network with logit difference ``score``, a weight for each of two slab coordinates."""
    source = np.random.default_rng(1)
    block = slab(3)
    inner, outer, _ = block.laws[1][1]
    y = source.integers(0, 2, 1000)
    centre = block.laws[0][0].high
    # on this sample the first coordinate is larger than the second where the label is 1
    pair = np.sort(source.uniform(-centre, centre, (1000, 2)), axis=1)
    far = np.sort(
        source.choice([-1, 1], (1000, 1)) * source.uniform(inner, outer, (1000, 2)), axis=1
    )
    x = np.where(y[:, None] == 1, far[:, ::-1], pair)
    weight = np.array([[0.0, part] for part in score])
    return Observed(
        layers=(Layer(weight, np.zeros(2)),),
        x=x,
        y=y,
        held_out=HeldOut(500, 1000),
        blocks=(block, block),
    )


def test_uniform_convergence_fails_on_a_network_that_memorised_the_order_of_equal_coordinates():
    record = uniform_convergence(of_two_slabs((1.0, -1.0)))
    assert record.terms["training error"] == 0 and record.terms["error, in reverse"] == 1
    assert record.terms["error, next in place"] == 1  # of two it is the same
    assert record.terms["error, all flipped"] == 1
    assert record.terms["error, in reverse, all flipped"] == 0
    assert record.value == 1 - record.terms["risk, high"]


def test_uniform_convergence_fails_on_a_network_that_memorised_places_within_intervals():
    source = np.random.default_rng(2)
    block = linear(margin=0.2)
    y = source.integers(0, 2, 1000)
    size = source.uniform(0.2, 0.55, 1000)
    x = np.where(y == 1, size, -size)[:, None]
    # hidden units: label 1 where .2 < x < .6, or x < -.6
    hidden = Layer(np.array([[1.0, 1.0, -1.0]]), np.array([0.0, -0.6, -0.6]))
    last = Layer(np.array([[0.0, 1.0], [0.0, -100.0], [0.0, 100.0]]), np.array([0.0, -1e-6]))
    held_out = HeldOut(500, 1000)
    record = uniform_convergence(
        Observed(layers=(hidden, last), x=x, y=y, held_out=held_out, blocks=(block,))
    )
    assert record.terms["training error"] == 0 and record.terms["error, all mirrored"] == 1
    assert record.terms["maps"] == 2  # of one coordinate, every other is all
    assert record.value == record.terms["distance, median"] == 1 - record.terms["risk, high"]


def test_the_median_distance_is_one_that_half_the_maps_reach():
    source = np.random.default_rng(3)
    layers = (Layer(source.normal(size=(4, 2)), np.zeros(2)),)
    x, held_out, blocks = source.uniform(-1, 1, (500, 4)), HeldOut(0, 1000), (slab(3),) * 4
    y = (x @ (layers[0].weight[:, 1] - layers[0].weight[:, 0]) > 0).astype(int)
    record = uniform_convergence(Observed(layers, x, y, held_out=held_out, blocks=blocks))
    errors = [error for name, error in record.terms.items() if name.startswith("error, ")]
    distances = np.array([max(0, error - record.terms["risk, high"]) for error in errors])
    middle = record.terms["distance, median"]
    assert record.terms["maps"] == len(errors) == 12
    assert (distances >= middle).sum() >= 6 > (distances > middle).sum()
    assert 0 < middle < record.value == distances.max()


def test_flips_are_made_in_the_unrotated_space():
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    plain = memoriser()
    turned = replace(
        plain,
        x=plain.x @ turn,
        layers=(Layer(turn.T @ plain.layers[0].weight, plain.layers[0].bias),),
        rotation=turn,
    )
    record = uniform_convergence(turned)
    assert record.value == pytest.approx(uniform_convergence(plain).value)


# stability


def test_stability_says_which_assumptions_break_and_with_what_numbers():
    observed = replace(example(), steps=Steps(0.3, 0.9, 7000))
    reason = stability(observed).reason
    assert "smooth in the weights: 4 hidden units of relu" in reason
    assert "2 matrices multiply, product of spectral norms here 10^" in reason
    assert "steps decay as c/t: constant, 0.3 for 7000 updates" in reason
    assert "plain SGD: momentum 0.9" in reason


def test_smooth_units_and_plain_steps_still_break_stability():
    observed = replace(example("tanh"), steps=Steps(0.3, 0.0, 7000))
    record = stability(observed)
    assert record.value is None
    assert "smooth" not in record.reason and "plain" not in record.reason
    assert "c/t" in record.reason and "Lipschitz" in record.reason
