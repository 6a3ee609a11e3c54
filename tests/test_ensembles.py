"""Ensembles: members that are trained as if alone, and their mean as one classifier."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simbias
from simbias._pinned import lenient
from simbias.networks import Ensemble
from simbias.registry import METHODS
from simbias.training import Cell, Stop, cell_from_settings, train_from
from simbias.training.members import member_by_member
from simbias.training.method import Batch
from simbias.training.stack import train

TASK = simbias.tasks.get("noisy-lms-5", dim=4)
STOP = Stop(max_updates=200)
SGD = simbias.sgd(learning_rate=0.1, momentum=0.9)
PAIR = Ensemble(simbias.MLP(8), members=2)


def cell_of(network):
    return Cell(TASK, network, SGD, n_train=1000, stop=STOP)


@pytest.fixture(scope="module")
def pair():
    return train(TASK, PAIR, SGD, n_train=1000, stop=STOP, n_select=200)


def only(params, i):
    """Member i of a stack of ensembles, as a stack of networks."""
    return jax.tree.map(lambda leaf: leaf[:, i], params)


@pytest.mark.parametrize("i", (0, 1))
@pytest.mark.thorough
def test_a_member_is_the_network_that_is_trained_alone_from_its_start(pair, i):
    start = train(TASK, simbias.MLP(8), SGD, n_train=1000, stop=STOP, n_select=200)
    alone = train_from(replace(start, params=only(pair.initial, i)), n_select=200)
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a, b),
        alone.params,
        only(pair.params, i),
    )


@pytest.mark.thorough
def test_members_start_apart_and_stay_apart(pair):
    for params in (pair.initial, pair.params):
        kernel = params["layers"][0]["kernel"][0]
        assert kernel.shape == (2, 4, 8) and np.abs(kernel[0] - kernel[1]).min() > 1e-6


SLOW = (pytest.param(name, marks=pytest.mark.slow) for name in ("reinforce", "group-dro"))


@pytest.mark.parametrize("name", ["d-bat", *SLOW])
@pytest.mark.thorough
def test_a_member_is_given_its_own_state_and_key_and_no_other_member(name):
    method = METHODS.make(name, {})
    hyper, params = dict(method.settings), PAIR.init(jax.random.key(0), (4,), 2)
    batch = Batch(
        x=jax.random.normal(jax.random.key(1), (6, 4)),
        y=jnp.arange(6) % 2,
        rows=jnp.arange(6),
        group=jnp.arange(6) % 4,
        key=jax.random.key(2),
        update=jnp.int32(0),
        budget=None,
        network=PAIR,
        objective=simbias.losses.cross_entropy(),
        unlabelled=jnp.ones((6, 4)),
    )

    def last(trained_by, params, batch):
        """After an update, or what a second stage begins with and an update of it."""
        state = trained_by.init(hyper, params, 6)
        if trained_by.second is None:
            return trained_by.step(hyper, params, state, batch)
        entered = trained_by.second.enter(hyper, params, state, batch)
        return trained_by.second.step(hyper, *entered, batch)

    with lenient():
        mapped = member_by_member(method, PAIR)
        both = jax.jit(lambda params: last(mapped, params, batch))(params)
        own = replace(batch, network=PAIR.member, key=jax.random.fold_in(batch.key, 1))
        start = jax.tree.map(lambda leaf: leaf[1], params)
        alone = jax.jit(lambda start: last(method, start, own))(start)
        for leaf, other in zip(*map(jax.tree.leaves, (both, alone)), strict=True):
            np.testing.assert_allclose(leaf[1], other, rtol=1e-4, atol=1e-6)
    assert member_by_member(method, PAIR.member) is method


@pytest.mark.thorough
def test_scores_are_the_log_of_the_mean_probability(forward):
    params = jax.device_get(PAIR.init(jax.random.key(0), (4,), 3))
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    members = [jax.tree.map(lambda leaf, i=i: leaf[i], params) for i in range(2)]
    logits = [forward(member, x) for member in members]
    each = [np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in logits]
    mean = (each[0] + each[1]) / 2
    np.testing.assert_allclose(PAIR.apply(params, x), np.log(mean), atol=1e-5)
    # planted: the mean of logits is another classifier
    softened = (logits[0] + logits[1]) / 2
    assert np.abs(PAIR.apply(params, x) - (softened - np.log(np.exp(softened).sum()))).max() > 1e-3


@pytest.mark.thorough
def test_an_ensemble_is_measured_and_named_like_any_network(pair):
    report = simbias.validate(pair, n_certify=1000)
    assert report.risk.value[0] < 0.3
    assert pair.cell.name.startswith("noisy-lms-5/2 x (8,1)/")
    assert cell_from_settings(pair.cell.settings) == pair.cell
    assert pair.cell.settings["network"] == {
        "name": "ensemble", "members": 2, "of": "mlp", "width": 8, "depth": 1, "activation": "relu",
    }  # fmt: skip
    assert PAIR.update_flops((4,), 2) == 2 * simbias.MLP(8).update_flops((4,), 2)


def test_an_ensemble_of_a_network_without_a_registered_name_has_a_name_of_its_own():
    @jax.tree_util.register_static
    class Own(simbias.MLP):
        settings = {"name": "own"}

    cell = cell_of(Ensemble(Own(8), 2))
    assert cell.settings["network"] == {"name": "ensemble of own", "members": 2, "of": "own"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 0}, r"^members: got 0, allowed: an integer in \[1, 1000\]$"),
        ({"of": "mlpp"}, r"^network: unknown name 'mlpp', nearest: mlp"),
        ({"of": "ensemble"}, r"^of: got 'ensemble', allowed: a network that is no ensemble$"),
        ({"widht": 5}, r"^network mlp: setting: unknown name 'widht', nearest: width"),
    ],
)
def test_what_is_no_ensemble_is_refused_in_one_line(settings, message):
    with pytest.raises(ValueError, match=message):
        simbias.networks.get("ensemble", **settings)
    with pytest.raises(ValueError, match=r"^member: got '2 x \(8,1\)', allowed: a network that"):
        Ensemble(PAIR)


def test_an_update_of_an_ensemble_costs_the_gradients_of_all_members():
    assert cell_of(PAIR).cost == 2 * cell_of(simbias.MLP(8)).cost == 2
