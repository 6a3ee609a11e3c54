"""Networks that are no classifiers, beside one that is: named, left out, and of no influence."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from simbias import MLP, sgd, tasks, validate
from simbias.claims.networks import measurable
from simbias.plots import boundary, islands, training
from simbias.training import Cell
from simbias.training.stop import End
from simbias.validation import control, faults, measure_grids, measure_islands
from simbias.validation.geometry import layers_of
from simbias.validation.paired import paired
from simbias.validation.rays import crossings, first_crossing
from simbias.validation.reliance import Reliance
from simbias.validation.risk import count

POINTS = 2000
CELL = Cell(tasks.get("noisy-lms-7", dim=4), MLP(8, 2), sgd(), n_train=300, batch=100)


def spoiled():
    """Four achievable controls: sound, of NaN weights, of logits that overflow, given up."""
    stack = control(CELL, "achievable", seeds=4)
    for leaf in jax.tree.leaves(stack.params):
        leaf[1] = np.nan
        leaf[2] *= np.float32(3e25)  # finite, and 1e76 after three layers
    return replace(stack, end=np.array([0, 0, 0, End.LOST]))


@pytest.fixture(scope="module")
def mixed():
    return spoiled()


@pytest.fixture(scope="module")
def alone():
    return control(CELL, "achievable")


def test_every_fault_is_told_in_words(mixed):
    weights = sum(leaf[0].size for leaf in jax.tree.leaves(mixed.params))
    assert faults(mixed) == (
        "",
        f"{weights} of {weights} weights not finite",
        "logits not finite on 300 of 300 training points",
        "diverged: train loss over 100 times that of a guess at update 0",
    )


@pytest.mark.thorough
def test_the_validator_has_no_number_for_them_and_the_same_for_the_others(mixed, alone):
    report, expected = (validate(stack, n_certify=POINTS) for stack in (mixed, alone))
    assert report.faults == faults(mixed)
    parts = [(report, expected), (report.reliance, expected.reliance)]
    parts.append((report.exceptions, expected.exceptions))
    numbers = ("train_loss", "train_accuracy", "risk", "simple_agreement", "achievable_agreement")
    numbers += Reliance._fields + ("fitted", "fresh", "memorised")
    seen = []
    for part, other in parts:
        for name in filter(lambda name: hasattr(part, name), numbers):
            values, own = (np.array(getattr(each, name)) for each in (part, other))
            np.testing.assert_array_equal(values[..., :1], own)
            assert np.isnan(values[..., 1:]).all(), name
            seen.append(name)
    assert sorted(seen) == sorted(numbers)
    assert np.all(report.exceptions.counts > 0)  # of the training set, whatever the network


@pytest.mark.thorough
def test_logits_that_overflow_on_fresh_points_only_are_found_there():
    stack = control(CELL, "achievable")
    first, second, last = (stack.params["layers"][i] for i in range(3))
    # a unit that is on where the first coordinate is above .999: nowhere in the training set
    first["kernel"][0, :, 7], first["bias"][0, 7] = 1e38 * stack.rotation[0][0], -0.999e38
    second["kernel"][0, :, 7], second["kernel"][0, 7, 7] = 0, 1
    second["bias"][0, 7], last["kernel"][0, 7, 1] = 0, 1e6
    report = validate(stack, n_certify=20_000)
    (fault,) = report.faults
    assert fault.startswith("logits not finite on ") and fault.endswith(" of 20000 fresh points")
    assert np.isnan(report.risk.value).all() and np.isnan(report.train_accuracy).all()
    assert count(stack, 20_000).points == 0


@pytest.mark.thorough
def test_grids_and_islands_have_no_number_for_them_and_the_same_for_the_others(mixed, alone):
    options = dict(coordinates=[3], resolution=20, contexts=4, planes=1)
    report, expected = (measure_grids(stack, **options) for stack in (mixed, alone))
    assert report.faults == faults(mixed)
    for name in ("given", "counts", "majority_cuts", "slab_cuts", "distances"):
        values = getattr(report, name)
        np.testing.assert_array_equal(values[:1], getattr(expected, name))
        assert np.isnan(values[1:]).all(), name
    for name in ("simple_agreement", "achievable_agreement", "cuts", "cut_accuracy"):
        for values, own in zip(getattr(report, name), getattr(expected, name), strict=True):
            np.testing.assert_array_equal(values[:1], own)
            assert np.isnan(values[1:]).all(), name
    options = dict(sample=4, directions=2)
    report, expected = (measure_islands(stack, **options) for stack in (mixed, alone))
    assert report.faults == faults(mixed)
    assert [len(part.index) for part in report.training] == [
        len(expected.training[0].index),
        0,
        0,
        0,
    ]
    for name in ("fitted", "axis", "chord", "area", "relative", "size"):
        for values, own in zip(getattr(report, name), getattr(expected, name), strict=True):
            np.testing.assert_array_equal(values.value[:1], own.value)
            assert np.isnan(values.value[1:]).all(), name


@pytest.mark.thorough
def test_pairs_with_one_of_them_have_no_agreement(mixed):
    sound = control(CELL, "simple", seeds=4)
    for pairs in (paired(mixed, sound, points=500), paired(sound, mixed, points=500)):
        assert pairs.points.tolist() == [500, 0, 0, 0]
        for estimate in (pairs.agreement(0.9), pairs.difference(0.9)):
            assert np.isfinite(estimate.value[0]) and np.isnan(estimate.value[1:]).all()


def test_geometry_refuses_weights_that_are_not_finite(mixed, alone):
    with pytest.raises(ValueError, match="^learned: got 'seed 1, .* weights not finite'"):
        layers_of(mixed, 1)
    layers, ray = layers_of(alone, 0), np.zeros((1, 4))
    layers[0].bias[0] = np.inf
    for search in (first_crossing, crossings):
        with pytest.raises(ValueError, match="^layers: got '1 weights not finite'"):
            search(layers, ray, ray + 1, 1.0)


@pytest.mark.thorough
def test_figures_take_the_first_sound_network_and_refuse_a_bad_one_by_its_name(mixed):
    turned = mixed.some([2, 1, 0, 3])
    assert "seed 0" in boundary(turned, resolution=8, contexts=8).name
    assert "seed 0" in islands(turned, sample=4, directions=2).name
    for draw in (boundary, islands):
        with pytest.raises(ValueError, match="^seed: got '1, .* weights not finite', allowed: a n"):
            draw(mixed, seed=1)
        with pytest.raises(ValueError, match="^stack: got 'seed 1 .*; seed 2 .*', allowed: a netw"):
            draw(mixed.some([1, 2]))


def test_a_mean_over_traces_leaves_them_out_and_says_so(trained):
    ended = np.array([End.BUDGET, End.DIVERGED, End.BUDGET, End.LOST])
    display = training(replace(trained, end=ended))
    assert (display.seeds, display.left_out) == ((0, 2), (1, 3))
    assert display.finding.endswith("left out, no usable weights: seeds 1, 3")
    assert display.curves("train_loss").shape[0] == 2
    assert training(trained).left_out == () and "left out" not in training(trained).finding
    with pytest.raises(ValueError, match="^stack: got 'seed 0 diverged"):
        training(replace(trained, end=np.full(4, End.DIVERGED)))


def test_claims_are_judged_on_classifiers_only(mixed):
    assert measurable(mixed.cell, mixed).seeds == (0,)
    assert measurable(mixed.cell, mixed.some([1, 3])) is None
