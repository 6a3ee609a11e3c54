"""Description length and growth function: golden values, counts by brute force."""

import math
from itertools import pairwise

import numpy as np
import pytest

from simbias.bounds import Observed
from simbias.bounds.capacity import (
    architecture_bits,
    log_growth,
    occam,
    parameter_count,
    vc_additive,
    vc_relative,
)
from simbias.tasks.oracle import Layer


def network(sizes, n, seed=0):
    random = np.random.default_rng(seed)
    layers = tuple(
        Layer(*(np.float32(random.normal(size=shape)) for shape in ((a, b), (b,))))
        for a, b in pairwise(sizes)
    )
    x = random.uniform(-1, 1, (n, sizes[0]))
    plain = Observed(layers=layers, x=x, y=np.zeros(n, int))
    return Observed(layers=layers, x=x, y=(plain.margins < 0).astype(int))


@pytest.mark.parametrize("n, value", ((40_000, 0.67), (100_000, 0.29)))
def test_golden_values_of_the_relative_bound_for_two_inputs(n, value):
    record = vc_relative(network((2, 100, 2), n))
    assert record.value == pytest.approx(value, abs=0.005)
    assert record.terms["training error"] == 0


def test_fifty_inputs_are_vacuous_at_every_published_size():
    for sizes in ((50, 100, 2), (50, 300, 300, 2)):
        observed = network(sizes, 40_000)
        assert vc_relative(observed).value > 5
        assert vc_additive(observed).value > 1


def test_growth_counts_at_most_all_labellings_and_all_of_few_points():
    assert log_growth((50, 100, 1), 10) == pytest.approx(10 * math.log(2))
    assert log_growth((1, 1), 1) == pytest.approx(math.log(2))
    values = [log_growth((2, 5, 1), m) for m in (10, 100, 1000, 10_000)]
    assert values == sorted(values)
    assert log_growth((2, 5, 5, 1), 1000) > log_growth((2, 5, 1), 1000)


def test_growth_of_two_layers_by_hand():
    # 2(2e m k i/W)^W patterns a layer: 9 weights to 3 units, then 13 in all to the single one
    first = math.log(2) + 9 * math.log(2 * math.e * 1000 * 3 * 1 / 9)
    second = math.log(2) + 13 * math.log(2 * math.e * 1000 * 1 * 2 / 13)
    assert log_growth((2, 3, 1), 1000) == pytest.approx(first + second, rel=1e-12)


def test_growth_of_one_layer_is_at_least_the_exact_count_of_half_lines():
    # one input, no hidden layer: m points have 2m labellings by a threshold
    for m in (2, 5, 50, 500):
        assert math.exp(log_growth((1, 1), m)) >= 2 * m


def test_growth_is_at_least_the_labellings_that_random_networks_give():
    random, points = np.random.default_rng(0), np.linspace(-1, 1, 12)[:, None]
    seen = set()
    for _ in range(20_000):
        w, b, v = random.normal(size=(3, 2))
        labels = np.maximum(points * w + b, 0) @ v + random.normal() > 0
        seen.add(tuple(labels))
    assert len(seen) > 30
    assert math.log(len(seen)) <= log_growth((1, 2, 1), 12)


def test_a_layer_with_fewer_signs_than_weights_counts_all_its_signs():
    # 30 weights up to the unit, 3 points: 2^3 patterns a unit, capped at 2^3 in all
    assert log_growth((29, 1), 3) == pytest.approx(3 * math.log(2))


def test_parameters_and_bits_of_an_architecture():
    assert parameter_count((50, 100, 2)) == 50 * 100 + 100 + 200 + 2
    # Elias gamma: 2 takes 3 bits, 100 takes 13; 3 takes 3 bits, 300 takes 17
    assert architecture_bits((50, 100, 2)) == 3 + 13
    assert architecture_bits((50, 300, 300, 2)) == 3 + 17 + 17


def test_architecture_code_is_prefix_free():
    # Kraft: over all depths and widths the masses add up to at most 1
    gamma = [2.0 ** -(2 * (v.bit_length() - 1) + 1) for v in range(1, 2**16)]
    assert 0.99 < sum(gamma) <= 1


def test_occam_pays_for_every_stored_bit():
    record = occam(network((2, 3, 2), 10_000))
    bits = 32 * (2 * 3 + 3 + 3 * 2 + 2) + 3 + 3
    assert record.terms["bits of weights"] + record.terms["bits of architecture"] == bits
    assert record.value == pytest.approx(
        1 - math.exp(-(bits * math.log(2) + math.log(20)) / 10_000)
    )


def test_occam_wants_weights_as_they_are_stored():
    observed = network((2, 3, 2), 100)
    first = observed.layers[0]
    wider = (Layer(first.weight + 1e-12, first.bias), *observed.layers[1:])
    record = occam(Observed(layers=wider, x=observed.x, y=observed.y))
    assert record.reason.startswith("weights are 32-bit numbers: 6 of 17 are not")
    assert occam(Observed(layers=wider, x=observed.x, y=observed.y, bits=64)).applicable
