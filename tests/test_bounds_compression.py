"""Quantised networks and their codes: lengths by hand, a code that can be read back."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from simbias.bounds import Observed
from simbias.bounds.compression import (
    BITS,
    CODEBOOKS,
    _sequence_bits,
    best_code,
    compress,
    compression,
)
from simbias.bounds.observed import logit_difference
from simbias.tasks.oracle import Layer


@cache
def example(n=20_000, seed=0):
    random = np.random.default_rng(seed)
    layers = tuple(
        Layer(random.normal(size=(a, b)), random.normal(size=b)) for a, b in ((5, 12), (12, 2))
    )
    x = random.normal(size=(n, 5))
    return Observed(layers=layers, x=x, y=(logit_difference(layers, x) > 0).astype(int))


def test_sequence_bits_number_every_arrangement():
    assert _sequence_bits(np.array([3, 1])) == 2  # 4 arrangements
    assert _sequence_bits(np.array([4, 4])) == 7  # 70
    assert _sequence_bits(np.array([5, 0])) == 0
    assert _sequence_bits(np.array([2**12 - 1, 1])) == 12  # 4096, exactly
    for counts in ([10, 20, 30], [1, 1, 1, 1, 100]):
        exact = math.factorial(sum(counts)) // math.prod(map(math.factorial, counts))
        proportion = np.array(counts) / sum(counts)
        entropy = -sum(counts) * np.sum(proportion * np.log2(proportion))
        assert math.ceil(math.log2(exact)) == _sequence_bits(np.array(counts)) <= entropy + 1


@pytest.mark.parametrize("codebook", CODEBOOKS)
@pytest.mark.parametrize("bits", (1, 3, 8))
def test_weights_are_few_half_precision_numbers_near_their_own(bits, codebook):
    layers = example().layers
    code = compress(layers, bits, codebook)
    difference = layers[1].weight[:, 1] - layers[1].weight[:, 0]
    for layer, first in zip(code.layers, (layers[0].weight, None), strict=True):
        values = np.concatenate([layer.weight.ravel(), layer.bias])
        assert len(np.unique(values)) <= 2**bits + (first is None)  # and the zero logit
        assert np.array_equal(values.astype(np.float16).astype(float), values)
    assert np.all(code.layers[1].weight[:, 0] == 0) and code.layers[1].bias[0] == 0
    if bits == 8:
        np.testing.assert_allclose(code.layers[0].weight, layers[0].weight, atol=0.1)
        np.testing.assert_allclose(code.layers[1].weight[:, 1], difference, atol=0.1)


def test_k_means_finds_the_clusters_that_are_there():
    random = np.random.default_rng(0)
    atoms = np.array([-2.0, 0.0, 0.5, 3.0])
    weight = random.choice(atoms, (5, 12)) + random.normal(size=(5, 12)) * 1e-3
    layers = (Layer(weight, np.zeros(12)), example().layers[1])
    values = np.unique(compress(layers, 2, "k-means").layers[0].weight)
    np.testing.assert_allclose(values, atoms, atol=2e-3)


def test_every_part_of_the_code_is_paid_for():
    code = compress(example().layers, 3, "uniform")
    hidden, output = 5 * 12 + 12, 12 + 1
    assert code.lengths["centroids"] == 2 * 8 * 16
    assert code.lengths["counts"] == 8 * math.ceil(math.log2(hidden + 1)) + 8 * math.ceil(
        math.log2(output + 1)
    )
    assert code.lengths["search"] == 4 and 2**4 == len(BITS) * len(CODEBOOKS)
    assert code.lengths["architecture"] == 3 + 7  # depth 1 as 2, width 12
    assert code.length == sum(code.lengths.values())
    assert code.divergence == pytest.approx(
        (code.length + 2 * math.log2(code.length)) * math.log(2)
    )


@pytest.mark.parametrize("inputs, bits", ((7, 4), (6, 3), (8, 4)))
def test_a_count_may_be_none_or_all_of_the_weights(inputs, bits):
    # of 8 weights 0 to 8 may share a symbol: nine counts, four bits
    layers = (Layer(np.ones((inputs, 2)) * [0, 1], np.zeros(2)),)
    assert compress(layers, 1, "uniform").lengths["counts"] == 2 * bits


def test_masses_of_all_codes_add_up_to_less_than_one():
    # at most 2^l codes of length l >= 2, each of mass 2^-(l + 2 log2 l)
    assert sum(1 / length**2 for length in range(2, 10**6)) < 1


def test_the_best_code_is_the_best_of_all():
    observed = example()
    code, error, value = best_code(observed, 0.05)
    record = compression(observed)
    assert record.value == value and record.terms["training error"] == error
    assert record.terms["code length"] == code.length
    from simbias.bounds.certificates import kl_inverse

    for bits in BITS:
        for codebook in CODEBOOKS:
            other = compress(observed.layers, bits, codebook)
            wrong = np.mean((logit_difference(other.layers, observed.x) > 0) != (observed.y == 1))
            assert value <= kl_inverse(wrong, other.nats(observed.n, 0.05)) + 1e-12


def test_what_is_certified_is_the_quantised_network():
    code, error, value = best_code(example(), 0.05)
    x = np.random.default_rng(99).normal(size=(50_000, 5))
    y = logit_difference(example().layers, x) > 0
    risk = np.mean((logit_difference(code.layers, x) > 0) != y)
    assert error > 0 and abs(risk - error) < 0.01
    assert risk < value < 0.5


def test_weights_beyond_half_precision_are_inapplicable():
    layers = (
        Layer(1e6 * example().layers[0].weight, example().layers[0].bias),
        example().layers[1],
    )
    record = compression(replace(example(), layers=layers))
    assert record.value is None and record.reason.startswith("weights fit in half precision: up to")


@pytest.mark.parametrize("bits", (0, 9, 1.5))
def test_other_numbers_of_bits_are_refused(bits):
    with pytest.raises(ValueError, match="^bits: got .*allowed: an integer"):
        compress(example().layers, bits, "uniform")


def test_other_codebooks_are_refused():
    with pytest.raises(ValueError, match="^codebook: unknown name 'kmeans', nearest: k-means"):
        compress(example().layers, 2, "kmeans")
