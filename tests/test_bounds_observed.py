"""What bounds look at: checked, drawn again from a stack, and held out from everything else."""

from dataclasses import replace

import jax
import numpy as np
import pytest
import streams

from simbias import MLP, data, sgd, tasks
from simbias._keys import stream
from simbias.bounds import BOUNDS, HeldOut, Observed, evaluate, observe, posterior
from simbias.bounds.observed import ACTIVATIONS, logit_difference
from simbias.tasks.oracle import Layer
from simbias.tasks.shifts import shifted
from simbias.training import Cell
from simbias.validation import control
from simbias.validation.exceptions import train_answers

X = np.ones((4, 3))
Y = np.array([0, 1, 0, 1])
LAYERS = (Layer(np.ones((3, 5)), np.ones(5)), Layer(np.ones((5, 2)), np.ones(2)))


def nan(layers):
    weight = layers[0].weight.copy()
    weight[0, :2] = np.nan
    return (Layer(weight, layers[0].bias), *layers[1:])


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(layers=nan(LAYERS)), "^layers: got '2 weights not finite in layer 0', allowed: fini"),
        (dict(initial=nan(LAYERS)), "^initial: got '2 weights not finite in layer 0'"),
        (dict(x=X[:0], y=Y[:0]), r"^x: got 'shape \(0, 3\)', allowed: at least one training point"),
        (dict(x=X * np.inf), "^x: got '12 entries not finite'"),
        (dict(y=Y[:2]), r"^y: got 'shape \(2,\)', allowed: 4 labels 0 or 1"),
        (dict(y=2 * Y), "^y: got "),
        (dict(layers=(), initial=LAYERS), "^initial: got 'layers', allowed: None"),
        (dict(layers=LAYERS[1:]), r"^layers: got 'layer 0 of shapes \(5, 2\) and \(2,\)'"),
        (dict(layers=LAYERS[:1]), r"^layers: got 'layer 0 of shapes .*two logits"),
        (dict(initial=(Layer(np.ones((3, 2)), np.ones(2)),)), r"^initial: got 'sizes \(3, 2\)'"),
        (dict(activation="sine"), "^activation: unknown name 'sine'"),
        (dict(bits=8), "^bits: got 8, allowed: 16, 32 or 64"),
        (
            dict(held_out=HeldOut(5, 4)),
            r"^held_out: errors: got 5, allowed: an integer in \[0, 4\]",
        ),
        (dict(held_out=HeldOut(-1, 4)), "^held_out: errors: got -1, allowed: an integer in"),
        (dict(held_out=HeldOut(0, 0)), "^held_out: points: got 0, allowed: an integer >= 1"),
        (
            dict(blocks=tasks.get("ms-7").blocks),
            "^blocks: got '50 laws', allowed: one for each coord",
        ),
        (dict(rotation=np.eye(2)), r"^rotation: got \(2, 2\), allowed: shape \(3, 3\)"),
    ),
)
def test_what_cannot_be_observed_is_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        Observed(**(dict(layers=LAYERS, x=X, y=Y) | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_logits_in_float64_agree_with_the_network_that_was_trained(activation):
    network = MLP(7, 2, activation)
    params = network.init(jax.random.key(0), (3,))
    x = np.random.default_rng(0).normal(size=(9, 3))
    logits = np.asarray(network.apply(params, np.float32(x)))
    layers = [
        Layer(*(np.float64(p[name]) for name in ("kernel", "bias")))
        for p in (params["layers"][i] for i in range(3))
    ]
    np.testing.assert_allclose(
        logit_difference(layers, x, activation), logits[:, 1] - logits[:, 0], atol=1e-6
    )


def test_ties_say_the_negative_label():
    observed = Observed(layers=(Layer(np.zeros((3, 2)), np.zeros(2)),), x=X, y=Y)
    assert observed.train_error == 0.5
    assert np.all(observed.margins == 0)


def test_what_is_observed_is_that_of_the_training_set(trained):
    for i in (0, 3):
        observed = observe(trained, i, held_out=1000)
        answers = train_answers(trained, i)
        np.testing.assert_array_equal(observed.y, answers.y)
        np.testing.assert_allclose(observed.margins, answers.margin, atol=1e-4)
        assert observed.train_error == pytest.approx(1 - trained.traces[i][-1, 2], abs=3e-4)
        assert observed.n == 4000 and observed.sizes == (50, 100, 2)
        assert observed.steps == (pytest.approx(0.1), pytest.approx(0.9), 200)
        start = np.asarray(trained.initial["layers"][0]["kernel"][i], np.float64)
        np.testing.assert_array_equal(observed.initial[0].weight, start)
        plain = observed.x @ observed.rotation.T
        assert np.abs(plain).max() <= 1 + 1e-5


@pytest.mark.thorough
def test_held_out_points_are_a_stream_of_their_own(cell, trained):
    keys = {
        name: tuple(jax.random.key_data(stream(streams.data_key(cell.task, 0), name)).tolist())
        for name in ("train", "select", "certify", "holdout")
    }
    assert len(set(keys.values())) == 4
    held = observe(trained, 0).held_out
    assert held.points == cell.n_train
    x, y = streams.points(cell.task, 0, cell.n_train, "holdout")
    params = jax.tree.map(lambda leaf: leaf[0], trained.params)
    logits = np.asarray(cell.network.apply(params, x @ trained.rotation[0]))
    wrong = int(np.sum((logits[:, 1] > logits[:, 0]) != (np.asarray(y) == 1)))
    assert abs(held.errors - wrong) <= 2


# without those that search first: posteriors, and the sharpness that is a measure
DIRECT = [
    name
    for name in BOUNDS.entries()
    if name != "sharpness" and BOUNDS.factory(name).family != "pac-bayes"
]


@pytest.mark.parametrize("bounds", (DIRECT, pytest.param(None, marks=pytest.mark.slow)))
@pytest.mark.thorough
def test_no_bound_is_violated_by_the_explicit_networks(bounds, monkeypatch):
    monkeypatch.setattr(posterior, "STEPS", 100)
    monkeypatch.setattr(posterior, "PRIOR_STEPS", 100)
    monkeypatch.setattr(posterior, "PAIRS", 20_000)
    cell = Cell(tasks.get("noisy-lms-7"), MLP(100, 1), sgd(), n_train=4000)
    for rule, risk in (("achievable", 0.0), ("simple", 0.05)):
        evaluations = evaluate(control(cell, rule), bounds=bounds, n_certify=20_000)
        assert all(each.valid is not False for each in evaluations)
        own = next(each for each in evaluations if each.record.bound == "occam")
        assert own.risk_low <= risk <= own.risk_high


def test_without_a_stored_initialisation_all_else_is_observed(trained):
    bare = observe(replace(trained, initial=None), 1)
    whole = observe(trained, 1)
    assert bare.initial is None and whole.initial is not None
    assert bare.held_out == whole.held_out
    np.testing.assert_array_equal(bare.margins, whole.margins)


def test_bad_stacks_are_refused_in_one_line(trained):
    poisoned = jax.tree.map(np.copy, trained.params)
    poisoned["layers"][0]["kernel"][0, 0, 0] = np.nan
    for call, message in (
        (lambda: observe("run", 0), "^learned: got 'run', allowed: a Stack, or a cl"),
        (lambda: observe(trained, 4), r"^i: got 4, allowed: an integer in \[0, 3\]$"),
        (lambda: observe(trained, 0, held_out=0), "^held_out: got 0"),
        (
            lambda: observe(replace(trained, params=poisoned), 0),
            "^layers: got '1 weights not finite in layer 0', allowed: finite numbers$",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.thorough
def test_a_control_has_the_random_initialisation_of_its_seed(cell, trained):
    stack = control(cell, "achievable", seeds=4)
    for first, other in zip(
        jax.tree.leaves(stack.initial), jax.tree.leaves(trained.initial), strict=True
    ):
        np.testing.assert_array_equal(first, other)
    evaluations = evaluate(
        stack.some([1]),
        bounds=["bartlett-foster-telgarsky", "distance-from-initialisation"],
        n_certify=20_000,
    )
    bound, distance = (first.record.value for first in evaluations)
    pairs = [
        (stack.params["layers"][i][part][1], trained.initial["layers"][i][part][1])
        for i in range(2)
        for part in ("kernel", "bias")
    ]
    away = np.sqrt(sum(np.sum((np.float64(first) - other) ** 2) for first, other in pairs))
    assert distance == pytest.approx(away, rel=1e-12) and away > 7
    # taken for its own initialisation, as if it had not moved, the solution would be certified
    assert bound == pytest.approx(145_989, rel=1e-3)
    alike = replace(stack.some([1]), initial=stack.some([1]).params)
    (still,) = evaluate(alike, bounds=["bartlett-foster-telgarsky"], n_certify=20_000)
    assert still.record.value < 0.3


@pytest.mark.parametrize("shift", ("none", "tilt=30"))
def test_the_rotation_leads_back_to_independent_coordinates_whether_points_are_tilted(shift):
    task = shifted(tasks.get("lms-7", dim=3), shift)
    observed = observe(lambda x: x[:, 0], data=data(task, n_train=500), held_out=10)
    unrotated = observed.x @ observed.rotation.T
    for j, block in enumerate(observed.blocks):
        for label, law in enumerate(block.laws):
            value = unrotated[observed.y == label, j][:, None]
            low, high, _ = np.array(law).T
            inside = (value >= low - 1e-5) & (value <= high + 1e-5)
            assert inside.any(axis=1).all()
