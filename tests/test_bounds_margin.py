"""Margin bounds: norms by hand and by brute force, and each step of the proofs in numbers."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from simbias.bounds import Observed
from simbias.bounds.margin import (
    frobenius_rademacher,
    golowich_frobenius,
    golowich_path,
    path_rademacher,
)
from simbias.bounds.norms import (
    absorbed,
    collapsed,
    log_frobenius_product,
    log_path_norm,
    log_spectral_product,
    spectral_norm,
)
from simbias.bounds.observed import logit_difference
from simbias.bounds.spectral import bartlett_foster_telgarsky, input_radius, neyshabur_spectral
from simbias.bounds.union import (
    LOG_STEP,
    above,
    best_margin,
    log_weight,
    margin_error,
    median_margin,
    ramp_loss,
)
from simbias.tasks.blocks import linear, slab
from simbias.tasks.oracle import Layer


def layers_of(sizes, seed=0, scale=1.0):
    random = np.random.default_rng(seed)
    return tuple(
        Layer(scale * random.normal(size=(a, b)), scale * random.normal(size=b))
        for a, b in zip(sizes[:-1], sizes[1:], strict=True)
    )


def homogeneous(matrices, x):
    """The bias-free network on inputs with the constant coordinate."""
    h = np.column_stack([x, np.ones(len(x))])
    for matrix in matrices[:-1]:
        h = np.maximum(h @ matrix.T, 0)
    return (h @ matrices[-1].T)[:, 0]


# the algebra


@pytest.mark.parametrize("sizes", ((3, 2), (3, 4, 2), (3, 4, 5, 2)))
def test_absorbing_biases_leaves_the_network_as_it_is(sizes):
    layers = layers_of(sizes)
    x = np.random.default_rng(1).normal(size=(50, 3))
    score = logit_difference(layers, x)
    np.testing.assert_allclose(homogeneous(absorbed(layers), x), score)
    # and it is homogeneous in each matrix
    for i in range(len(layers)):
        scaled = absorbed(layers)
        scaled[i] = 3 * scaled[i]
        np.testing.assert_allclose(homogeneous(scaled, x), 3 * score)


def test_collapsing_logits_keeps_their_difference():
    last = collapsed(layers_of((3, 4, 2)))[-1]
    first = layers_of((3, 4, 2))[-1]
    np.testing.assert_array_equal(last.weight[:, 0], first.weight[:, 1] - first.weight[:, 0])
    assert last.bias == first.bias[1] - first.bias[0]


def test_path_norm_sums_over_every_path():
    matrices = absorbed(layers_of((3, 4, 5, 2)))
    total = sum(
        abs(matrices[2][0, k] * matrices[1][k, j] * matrices[0][j, i])
        for i, j, k in product(range(4), range(5), range(6))
    )
    assert math.exp(log_path_norm(matrices)) == pytest.approx(total)


def test_norm_products_survive_overflow():
    matrices = [np.full((2, 2), 1e100)] * 4
    assert log_path_norm(matrices) == pytest.approx(4 * math.log(2e100) + math.log(2))
    assert log_frobenius_product(matrices) == pytest.approx(4 * math.log(2e100))
    assert (
        log_spectral_product([np.zeros((2, 2))]) == -math.inf == log_path_norm([np.zeros((1, 2))])
    )


def test_spectral_norm_is_never_below_the_largest_singular_value():
    random = np.random.default_rng(0)
    for shape in ((1, 7), (30, 30), (101, 51), (20, 90)):
        matrix = random.normal(size=shape)
        exact = np.linalg.svd(matrix, compute_uv=False)[0]
        assert exact <= spectral_norm(matrix) <= exact * (1 + 1e-8)
    v = random.normal(size=30)  # planted: power iteration is below it
    matrix = random.normal(size=(30, 30))
    for _ in range(10):
        v = matrix.T @ (matrix @ v)
        v /= np.linalg.norm(v)
    assert np.linalg.norm(matrix @ v) < spectral_norm(matrix)


# unions over grids


def test_proportions_of_the_confidence_add_up_to_one():
    total = sum(math.exp(log_weight(k)) for k in range(-100_000, 100_001))
    assert 0.9999 < total <= 1 + 1e-12


def test_numbers_are_rounded_up_to_the_grid():
    for value in (1e-9, 0.3, 1.0, 1.0001, 1e12):
        k = above(math.log(value))
        assert value * (1 - 1e-12) <= 1.1**k < 1.1 * value * (1 + 1e-12)
    assert 1.1 ** above(-math.inf) < 1e-20


def test_ramp_lies_between_the_error_and_the_margin_error():
    margins = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert ramp_loss(margins, 1.0) == pytest.approx((1 + 1 + 0.5) / 5)
    assert margin_error(margins, 1.0) == pytest.approx(4 / 5)
    for margin in (0.1, 1.0, 5.0):
        assert np.mean(margins <= 0) <= ramp_loss(margins, margin) <= margin_error(margins, margin)
    assert median_margin(margins) == 0.5


def test_best_margin_is_the_best_of_the_grid():
    margins = np.random.default_rng(0).exponential(size=500)
    for scale in (0.01, 3.0, 1e6):
        for cost in (1e-6, 1e-2, 10.0):
            value, terms = best_margin(
                margins,
                math.log(scale),
                ramp_loss,
                lambda k, cost=cost: math.log(cost) + k * LOG_STEP,
                lambda k: 0.01,
            )
            every = [
                ramp_loss(margins, scale * 1.1**-k) + cost * 1.1**k + 0.01
                for k in range(-300, 300)
                if scale * 1.1**-k <= median_margin(margins)
            ]
            assert math.exp(value) == pytest.approx(min(every))
            assert terms["margin"] <= median_margin(margins)


# the complexities, against what they bound


def expectation(x, supremum, draws=2000):
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (draws, len(x)))
    return np.mean([supremum(sign) for sign in signs]) / len(x)


def test_rademacher_complexities_of_linear_classes_are_below_their_bounds():
    x = np.random.default_rng(1).normal(size=(40, 6))
    by_frobenius = expectation(x, lambda e: np.linalg.norm(e @ x))
    by_path = expectation(x, lambda e: np.abs(e @ x).max())
    assert by_frobenius <= frobenius_rademacher(x, 1)
    assert by_path <= path_rademacher(x, 1) <= 3 * by_path


def test_rademacher_complexities_of_one_hidden_layer_are_below_their_bounds():
    # a unit class of two matrices has its supremum at one hidden unit: v relu(w x), |w| = |v| = 1
    x = np.random.default_rng(1).normal(size=(30, 2))
    angles = np.linspace(0, 2 * np.pi, 400)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    euclid = np.maximum(x @ directions, 0)
    l1 = np.maximum(x @ (directions / np.abs(directions).sum(axis=0)), 0)
    by_frobenius = expectation(x, lambda e: np.abs(e @ euclid).max())
    by_path = expectation(x, lambda e: np.abs(e @ l1).max())
    assert by_frobenius <= frobenius_rademacher(x, 2)
    assert by_path <= path_rademacher(x, 2)


def test_path_complexity_is_below_the_published_one():
    x = np.random.default_rng(1).normal(size=(30, 8))
    published = 2 / 30 * math.sqrt(3 + 1 + math.log(8)) * math.sqrt((x**2).sum(axis=0).max())
    assert path_rademacher(x, 3) < published


def test_incoming_l1_norms_of_one_and_the_path_norm_at_the_output_are_the_same_network():
    matrices = absorbed(layers_of((3, 4, 5, 2)))
    x = np.random.default_rng(1).normal(size=(20, 3))
    scaled, incoming = [], np.ones(4)
    for matrix in matrices[:-1]:
        rows = np.abs(matrix * incoming).sum(axis=1)
        scaled.append(matrix * incoming / rows[:, None])
        incoming = rows
    scaled.append(matrices[-1] * incoming)
    np.testing.assert_allclose(homogeneous(scaled, x), homogeneous(matrices, x))
    assert all(np.allclose(np.abs(matrix).sum(axis=1), 1) for matrix in scaled[:-1])
    assert np.abs(scaled[-1]).sum() == pytest.approx(math.exp(log_path_norm(matrices)))


def test_maurey_sparsification_reaches_the_radius_the_covering_needs():
    # Z A, |A|_{2,1} = b, is within b |Z|_F/sqrt(k) of some average of k scaled vertices
    random = np.random.default_rng(0)
    z, a = random.normal(size=(20, 5)), random.normal(size=(5, 4))
    lengths = np.linalg.norm(z, axis=0)
    b = np.linalg.norm(a, axis=0).sum()  # columns of A: incoming weights of a unit
    weight = np.abs(a) * lengths[:, None]
    assert weight.sum() <= b * np.linalg.norm(z) * (1 + 1e-12)
    k, best = 30, np.inf
    for _ in range(200):
        chosen = random.choice(20, size=k, p=(weight / weight.sum()).ravel())
        average = np.zeros((20, 4))
        for place in chosen:
            i, j = divmod(place, 4)
            average[:, j] += np.sign(a[i, j]) * z[:, i] / lengths[i] * weight.sum() / k
        best = min(best, np.linalg.norm(z @ a - average))
    assert best <= b * np.linalg.norm(z) / math.sqrt(k)


def test_perturbed_networks_move_no_more_than_the_lemma_says():
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (200, 3))
    size = math.sqrt(4)
    for sizes in ((3, 8, 2), (3, 8, 8, 2)):
        matrices = absorbed(layers_of(sizes, scale=0.3))
        norms = [spectral_norm(matrix) for matrix in matrices]
        depth = len(matrices)
        for proportion in (0.01, 0.3, 1.0):
            moved = []
            for matrix, norm in zip(matrices, norms, strict=True):
                u = random.normal(size=matrix.shape)
                moved.append(matrix + u * proportion * norm / depth / spectral_norm(u))
            change = np.abs(homogeneous(moved, x) - homogeneous(matrices, x)).max()
            assert change <= math.e * size * math.prod(norms) * proportion


def test_gaussian_perturbations_keep_margins_with_probability_one_half():
    # what the spectral PAC-Bayes bound needs of its standard deviation, at margin 1
    random = np.random.default_rng(0)
    matrices = absorbed(layers_of((3, 8, 8, 2), scale=0.3))
    norms = [spectral_norm(matrix) for matrix in matrices]
    beta = math.prod(norms) ** (1 / 3)
    scaled = [beta * matrix / norm for matrix, norm in zip(matrices, norms, strict=True)]
    x = random.uniform(-1, 1, (200, 3))
    side, depth, radius = 9, 3, 2.0
    s = 1 / (2 * math.sqrt(2) * math.e * depth * radius * beta**2)
    s /= math.sqrt(side * math.log(4 * side * depth))
    base = homogeneous(scaled, x)
    kept = [
        np.abs(homogeneous([m + s * random.normal(size=m.shape) for m in scaled], x) - base).max()
        < 0.5
        for _ in range(200)
    ]
    assert np.mean(kept) >= 0.5
    wide = [
        np.abs(
            homogeneous([m + 1000 * s * random.normal(size=m.shape) for m in scaled], x) - base
        ).max()
        < 0.5
        for _ in range(200)
    ]
    assert np.mean(wide) < 0.5  # planted: a deviation that does not


# the records


def labelled(layers, n=500, dim=3):
    x = np.random.default_rng(5).uniform(-1, 1, (n, dim))
    observed = Observed(
        layers=layers,
        x=x,
        y=np.zeros(n, int),
        initial=tuple(Layer(0.9 * a, 0.9 * b) for a, b in layers),
        blocks=(slab(7),) * dim,
    )
    return replace(observed, y=(observed.margins < 0).astype(int))


def test_distances_are_sums_over_units_of_incoming_norms():
    observed = labelled(layers_of((3, 4, 2)))
    w1, w2 = absorbed(observed.layers)
    moved = np.sqrt((0.1 * w1[:4]) ** 2 @ np.ones(4)).sum(), 0.1 * np.linalg.norm(w2)
    grid = [math.ceil(math.log(v) / LOG_STEP) for v in moved]
    norm = [math.ceil(math.log(spectral_norm(w)) / LOG_STEP) for w in (w1, w2)]
    ratio = sum(1.1 ** (2 / 3 * (b - s)) for b, s in zip(grid, norm, strict=True)) ** 1.5
    log_ratio = bartlett_foster_telgarsky(observed).terms["log10 distance ratio"]
    assert log_ratio == pytest.approx(math.log10(ratio))


def test_a_network_that_never_moved_pays_for_nothing_but_the_union():
    observed = labelled(layers_of((3, 4, 2)))
    still = bartlett_foster_telgarsky(replace(observed, initial=observed.layers))
    assert still.terms["complexity"] < 0.1 < bartlett_foster_telgarsky(observed).terms["complexity"]


def test_radius_comes_from_the_laws():
    observed = labelled(layers_of((3, 4, 2)))
    assert input_radius(observed) == pytest.approx(2, rel=2e-5)
    assert input_radius(replace(observed, blocks=(linear(),) * 3)) == pytest.approx(2, rel=2e-5)
    assert input_radius(replace(observed, blocks=None)) is None


def test_values_that_overflow_keep_their_logarithm():
    # a unit that never fires, with weights of 1e100 through five matrices
    layers = []
    for i, (weight, bias) in enumerate(layers_of((3, 4, 4, 4, 4, 2))):
        weight[-1 if i else 0, -1], bias[-1] = 1e100, -1e110 if i < 4 else bias[-1]
        layers.append(Layer(weight, bias))
    observed = labelled(tuple(layers))
    assert np.abs(observed.margins).max() < 1e3
    for bound in (golowich_path, golowich_frobenius, bartlett_foster_telgarsky, neyshabur_spectral):
        record = bound(observed)
        assert record.value == math.inf == record.terms["complexity"]
        assert 400 < record.log10 < 2000


def test_worse_margins_and_larger_norms_loosen_the_bound():
    observed = labelled(layers_of((3, 4, 2)))
    for bound in (golowich_path, bartlett_foster_telgarsky, neyshabur_spectral):
        clean = bound(observed)
        noisy = bound(replace(observed, y=np.where(np.arange(500) % 5, observed.y, 1 - observed.y)))
        assert noisy.value > clean.value
        assert noisy.terms["training error"] == pytest.approx(0.2)
