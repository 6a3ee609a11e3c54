"""Sharpness against a Hessian in full, the sign-flip test, and the assumptions of stability."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from simbias import tasks
from simbias.bounds import HeldOut, Observed, Steps
from simbias.bounds.convergence import flips, is_symmetric, uniform_convergence
from simbias.bounds.measures import inverse_margin, sharpness
from simbias.bounds.stability import stability
from simbias.tasks.blocks import atoms, linear, normal, slab
from simbias.tasks.oracle import Layer

SHAPES = ((3, 4), (4,), (4, 2), (2,))


def example(activation="relu", n=300):
    made = np.random.default_rng(0)
    parts = [made.normal(size=shape) for shape in SHAPES]
    x = made.uniform(-1, 1, (n, 3))
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
    found = sharpness(observed)
    assert found.value == pytest.approx(values[np.argmax(np.abs(values))], rel=2e-3)
    assert found.kind == "measure" and found.terms["iterations"] > 1


def test_inverse_margin_grows_as_margins_shrink():
    observed = replace(example(), y=(example().margins_at(example().x) > 0).astype(int))
    observed = replace(observed, y=np.where(observed.margins > 0, observed.y, 1 - observed.y))
    one = inverse_margin(observed)
    last = observed.layers[1]
    scaled = replace(observed, layers=(observed.layers[0], Layer(3 * last.weight, 3 * last.bias)))
    assert inverse_margin(scaled).value == pytest.approx(one.value)
    shifted = Layer(last.weight, last.bias + np.array([0.0, 0.05]))
    assert (
        inverse_margin(replace(observed, layers=(observed.layers[0], shifted))).value != one.value
    )


# sign-flipped copies of the training set


@pytest.mark.parametrize(
    "block, symmetric",
    (
        (slab(3), True),
        (slab(5, noise=0.2), True),
        (slab(7), True),
        (normal(), True),
        (linear(), False),
        (linear(noise=0.1), False),
        (atoms("pair", {-1.0: 0.5, 1.0: 0.5}, {0.0: 1.0}), True),
        (atoms("skew", {-1.0: 0.4, 1.0: 0.6}, {0.0: 1.0}), False),
    ),
)
def test_slab_laws_are_sign_symmetric_and_linear_ones_are_not(block, symmetric):
    assert is_symmetric(block) == symmetric


def test_flips_touch_symmetric_coordinates_only():
    made = flips(tasks.get("noisy-lms-7").blocks)
    assert set(made) == {"all", "first half", "second half", "every other"}
    assert all(signs[0] == 1 for signs in made.values())
    assert np.sum(made["all"] == -1) == 49
    np.testing.assert_array_equal(made["first half"] * made["second half"], made["all"])
    assert flips((linear(),)) == {}


def test_flipped_samples_follow_the_law_of_the_sample(draws):
    x, y = draws("noisy-lms-7")
    signs = flips(tasks.get("noisy-lms-7").blocks)["all"]
    half = len(x) // 2
    for label in (0, 1):
        one, other = (part[half * i :][:half] for i, part in ((0, x), (1, x * signs)))
        one, other = one[y[:half] == label], other[y[half:][:half] == label]
        for j in (1, 30):
            assert stats.ks_2samp(one[:, j], other[:, j]).pvalue > 1e-3
        assert stats.ks_2samp(one[:, 0], -other[:, 0]).pvalue < 1e-9  # planted: the linear one


def memoriser():
    """Reads the label off the sign of a symmetric coordinate, as it happens to be in S."""
    made = np.random.default_rng(0)
    x = made.uniform(0.2, 1, (1000, 2)) * np.array([1.0, 1.0])
    y = made.integers(0, 2, 1000)
    x[:, 1] *= 2 * y - 1  # on this sample the sign of a slab coordinate is the label
    layers = (Layer(np.array([[0.0, 0.0], [0.0, 1.0]]), np.zeros(2)),)
    return Observed(
        layers=layers, x=x, y=y, held_out=HeldOut(500, 1000), blocks=(linear(), slab(7))
    )


def test_uniform_convergence_fails_on_a_network_that_memorised_signs():
    found = uniform_convergence(memoriser())
    assert found.terms["training error"] == 0 and found.terms["error, all flipped"] == 1
    assert 0.4 < found.value == 1 - found.terms["risk, high"] < 0.5
    # planted: a network that looks at nothing has nothing to lose
    blind = replace(memoriser(), layers=(Layer(np.zeros((2, 2)), np.zeros(2)),))
    assert uniform_convergence(blind).value == 0


def test_flips_are_made_in_the_unrotated_space():
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    plain = memoriser()
    turned = replace(
        plain,
        x=plain.x @ turn,
        layers=(Layer(turn.T @ plain.layers[0].weight, plain.layers[0].bias),),
        rotation=turn,
    )
    found = uniform_convergence(turned)
    assert found.value == pytest.approx(uniform_convergence(plain).value)


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
    found = stability(observed)
    assert found.value is None
    assert "smooth" not in found.reason and "plain" not in found.reason
    assert "c/t" in found.reason and "Lipschitz" in found.reason
