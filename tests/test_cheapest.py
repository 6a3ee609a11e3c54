"""The cheapest achievable network: rescaling, the certificate of risk 0, and the search."""

from dataclasses import replace
from importlib import import_module

import jax
import numpy as np
import pytest

import simbias
from simbias.bounds import observe, records, zigzag
from simbias.bounds.cheapest import certified, cheapest, support_of
from simbias.bounds.rescaling import balanced
from simbias.bounds.zigzag import NORMS
from simbias.tasks.oracle import Layer, Rule, achievable_rule, explicit_network
from simbias.validation import control, validate

search = import_module("simbias.bounds.cheapest")  # the function hides it in its room
NOISY = simbias.tasks.get("noisy-lms-5", dim=2, noise=0.2)
UNSURE = replace(NOISY, blocks=NOISY.blocks[:1])  # half of its noise is an error


@pytest.fixture(scope="module")
def small():
    task = simbias.tasks.get("noisy-lms-5", dim=4)
    stop = simbias.Stop(max_updates=200)
    return simbias.training.Cell(task, simbias.MLP(8), simbias.sgd(), n_train=1000, stop=stop)


@pytest.fixture(scope="module")
def support(small):
    return support_of(small.block_task, 3)


@pytest.fixture(scope="module")
def of_one_coordinate(small):
    rule = achievable_rule(small.block_task)
    return explicit_network(Rule(0, rule.cuts, rule.first), np.eye(1), width=4, depth=1)


def random_layers(seed, sizes=(3, 5, 4, 2)):
    random = np.random.default_rng(seed)
    return [
        Layer(random.standard_normal((a, b)), random.standard_normal(b))
        for a, b in zip(sizes, sizes[1:], strict=False)
    ]


def outputs(layers, x):
    for layer in layers[:-1]:
        x = np.maximum(x @ layer.weight + layer.bias, 0)
    return x @ layers[-1].weight + layers[-1].bias


def squares(layers):
    return sum(float((part**2).sum()) for layer in layers for part in layer)


# rescaling


def test_a_unit_of_norm_5_and_20_is_balanced_at_10():
    layers = [
        Layer(np.array([[3.0]]), np.array([4.0])),
        Layer(np.array([[12.0, 16.0]]), np.zeros(2)),
    ]
    first, last = balanced(layers)
    assert first.weight[0, 0] == pytest.approx(6) and first.bias[0] == pytest.approx(8)
    assert last.weight[0] == pytest.approx([6, 8])


@pytest.mark.parametrize("seed", range(3))
def test_balancing_leaves_the_function_and_lessens_the_weights(seed):
    layers = random_layers(seed)
    even = balanced(layers)
    x = np.random.default_rng(9).standard_normal((50, 3))
    assert outputs(even, x) == pytest.approx(outputs(layers, x), rel=1e-9, abs=1e-9)
    assert squares(even) < squares(layers)
    assert squares(balanced(even)) == pytest.approx(squares(even), rel=1e-9)
    random = np.random.default_rng(seed)  # no rescaling of the units has smaller weights
    c = np.exp(0.2 * random.standard_normal(5))
    other = [
        Layer(even[0].weight * c, even[0].bias * c),
        Layer(even[1].weight / c[:, None], even[1].bias),
        even[2],
    ]
    assert squares(other) > squares(even)


def test_a_dead_unit_stays_as_it_is():
    layers = [
        Layer(np.array([[2.0, 0.0]]), np.zeros(2)),
        Layer(np.array([[1.0], [7.0]]), np.zeros(1)),
    ]
    even = balanced(layers)
    assert even[0].weight[0, 1] == 0 and even[1].weight[1, 0] == 7
    with pytest.raises(ValueError, match="^layers: got '3 inputs after 2 units'"):
        balanced([layers[0], Layer(np.ones((3, 1)), np.zeros(1))])


# the certificate of risk 0


def test_the_explicit_function_is_certified_and_its_negative_is_not(of_one_coordinate, support):
    first, last = of_one_coordinate
    assert certified(of_one_coordinate, support)
    assert not certified([first, Layer(-last.weight, -last.bias)], support)


def test_the_margin_of_the_explicit_function_is_half_a_gap(of_one_coordinate, support):
    # it rises with slope 1 from each cut, which lies in the middle of a gap of 0.2
    assert certified(of_one_coordinate, support, 0.1 - 1e-9)
    assert not certified(of_one_coordinate, support, 0.1 + 1e-9)


def test_a_cut_within_a_slab_is_noticed(of_one_coordinate, support):
    first, last = of_one_coordinate
    assert certified([Layer(first.weight, first.bias - 0.099), last], support)
    assert not certified([Layer(first.weight, first.bias - 0.101), last], support)


def test_a_dip_between_points_of_the_grid_is_noticed(of_one_coordinate, support):
    left, right = support.t[2, 10:12]
    middle, half = (left + right) / 2, (right - left) / 8
    first, last = of_one_coordinate
    knots = middle + half * np.array([-1, 0, 1])
    weight = np.concatenate([first.weight, np.ones((1, 3))], axis=1)
    bias = np.concatenate([first.bias, -knots])
    deep = 10 / half * support.sign[2] * np.array([-1, 2, -1])
    out = np.concatenate([last.weight, deep[:, None] * np.array([-0.5, 0.5])])
    dipped = [Layer(weight, bias), Layer(out, last.bias)]
    t = support.t[2, :, None]
    score = outputs(dipped, t) @ np.array([-1, 1])
    assert (support.sign[2] * score > 0).all()  # on the grid nothing is to be seen
    assert not certified(dipped, support)


def test_a_coordinate_of_which_a_value_has_both_labels_has_no_support(small):
    with pytest.raises(ValueError, match="^coordinate: got 0, allowed: one of which each value"):
        support_of(small.block_task, 0)  # the noisy linear one


# the search


def measured(stack, norm):
    (record,) = records(observe(stack), bounds=[norm])
    return record.value


@pytest.mark.parametrize("norm", NORMS)
def test_norms_are_those_of_the_measures(norm, trained):
    first = trained.some([0])
    params, initial = (
        jax.tree.map(lambda leaf: leaf[0], tree) for tree in (first.params, first.initial)
    )
    pairs, start = (zigzag.pairs(first.cell.network.to_layers(tree)) for tree in (params, initial))
    assert float(np.exp(NORMS[norm](pairs, start))) == pytest.approx(
        measured(first, norm), rel=1e-4
    )


SEARCHED = [
    pytest.param(norm, marks=[] if norm == "spectral-product" else pytest.mark.slow)
    for norm in NORMS
]


@pytest.mark.parametrize("norm", SEARCHED)
@pytest.mark.thorough
def test_what_is_found_has_risk_0_the_margin_and_no_more_norm_than_the_start(norm, small):
    cheap = cheapest(small, norm, margin=2.0)
    assert validate(cheap, n_certify=20_000).risk.value[0] == 0
    observed = observe(cheap)
    assert observed.train_error == 0
    assert np.quantile(observed.margins, 0.1) == pytest.approx(2, rel=1e-4)
    explicit = control(small, "achievable")
    factor = 2 / float(np.quantile(observe(explicit).margins, 0.1))
    layers = balanced(small.network.to_layers(jax.tree.map(lambda leaf: leaf[0], explicit.params)))
    layers[-1] = Layer(layers[-1].weight * factor, layers[-1].bias * factor)
    at_margin = replace(
        explicit, params=jax.tree.map(lambda leaf: leaf[None], small.network.from_layers(layers))
    )
    assert measured(cheap, norm) < 0.999 * measured(at_margin, norm)
    assert [np.array_equal(a, b) for a, b in zip(
        jax.tree.leaves(cheap.initial), jax.tree.leaves(explicit.initial), strict=True
    )] == [True] * 4  # fmt: skip


@pytest.mark.thorough
def test_a_candidate_that_leaves_risk_0_is_never_taken(small, monkeypatch):
    real = search._descended

    def spoilt(norm, first, start, given):
        def cut_moved(layer, part):
            return np.asarray(layer[0]) * 1e-3, np.asarray(layer[1]) * 1e-3 + part

        (first, *rest) = jax.device_get(real(norm, first, start, given))
        return [cut_moved(first, 1e-4), *rest]

    monkeypatch.setattr(search, "_descended", spoilt)
    cheap = cheapest(small, "spectral-product")
    assert validate(cheap, n_certify=20_000).risk.value[0] == 0
    assert observe(cheap).train_error == 0


@pytest.mark.slow
def test_two_hidden_layers_are_searched_as_well(small):
    deep = replace(small, network=simbias.MLP(8, 2))
    cheap = cheapest(deep, "spectral-product", seeds=[3])
    assert cheap.seeds == (3,) and validate(cheap, n_certify=20_000).risk.value[0] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"norm": "path"}, "^norm: unknown name 'path', nearest: path-norm"),
        ({"margin": 0.0}, "^margin: got 0.0, allowed"),
        (
            {"task": UNSURE},
            "^task: got 'noisy-lms-5, of achievable risk 0.1.*', allowed: one whose",
        ),
        ({"network": simbias.MLP(3)}, "^width: got 3, allowed: an integer >= 4"),
    ],
)
def test_what_cannot_be_searched_is_said_in_one_line(change, words, small):
    given = {"norm": "path-norm", "margin": 1.0} | change
    parts = {key: given.pop(key) for key in ("task", "network") if key in given}
    with pytest.raises(ValueError, match=words) as error:
        cheapest(replace(small, **parts), **given)
    assert "\n" not in str(error.value)


# training from a network on


def test_training_from_the_initialisation_is_training(trained):
    begun = replace(trained, params=trained.initial)
    again = simbias.training.train_from(begun, n_select=2000)
    for a, b in zip(jax.tree.leaves(again.params), jax.tree.leaves(trained.params), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.slow
def test_training_keeps_a_rule_of_some_margin_and_the_initialisation(trained):
    start = cheapest(trained.cell, "l2-norm", seeds=2, margin=10.0)
    later = simbias.training.train_from(start, n_select=2000)
    assert later.updates.tolist() == [200, 200]
    assert (validate(later, n_certify=20_000).risk.high < 0.005).all()
    kernels = [stack.params["layers"][0]["kernel"] for stack in (later, start)]
    assert not np.array_equal(*kernels)
    for a, b in zip(jax.tree.leaves(later.initial), jax.tree.leaves(start.initial), strict=True):
        assert np.array_equal(a, b)
    # from the margins of the explicit network it is left for the simple rule
    explicit = simbias.training.train_from(control(trained.cell, "achievable"), n_select=2000)
    assert validate(explicit, n_certify=20_000).risk.low[0] > 0.04
