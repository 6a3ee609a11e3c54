"""Fully connected networks: initial laws, forward pass, explicit weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from simbias import MLP, networks
from simbias.networks.mlp import ACTIVATIONS
from simbias.registry import NETWORKS
from simbias.tasks.oracle import Layer

NUMPY = {
    "relu": lambda h: np.maximum(h, 0),
    "leaky-relu": lambda h: np.where(h > 0, h, 0.01 * h),
    "tanh": np.tanh,
    "gelu": lambda h: 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))),
}


@pytest.mark.parametrize("depth", (1, 2))
def test_weights_and_biases_start_uniform_within_one_over_root_fan_in(depth):
    params = MLP(100, depth).init(jax.random.key(0), (50,))
    assert len(params["layers"]) == depth + 1
    for i, fan_in in enumerate([50, 100, 100][: depth + 1]):
        bound = 1 / np.sqrt(fan_in)
        for name in ("kernel", "bias"):
            values = np.asarray(params["layers"][i][name], float).ravel()
            assert np.abs(values).max() <= bound
            if len(values) > 2:
                law = stats.uniform(-bound, 2 * bound)
                assert stats.kstest(values, law.cdf).pvalue > 1e-4
                # planted failure: a bound of sqrt(3 / fan-in), the variance-scaling default
                wide = stats.uniform(-1.73 * bound, 3.46 * bound)
                assert stats.kstest(values, wide.cdf).pvalue < 1e-2


def test_initialisation_depends_on_the_key_only():
    first, again, other = (MLP(100, 1).init(jax.random.key(seed), (50,)) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert (
        not np.isclose(first["layers"][0]["kernel"], other["layers"][0]["kernel"]).any(axis=1).all()
    )


def test_no_two_layers_start_with_the_same_numbers():
    layers = MLP(50, 2).init(jax.random.key(0), (50,))["layers"]
    assert not np.allclose(layers[0]["kernel"], layers[1]["kernel"])
    assert not np.allclose(layers[0]["bias"], layers[1]["bias"])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("depth", (1, 3))
def test_apply_equals_a_numpy_forward_pass(activation, depth, forward):
    network = MLP(20, depth, activation)
    params = network.init(jax.random.key(1), (5,))
    x = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    logits = network.apply(params, jnp.asarray(x))
    assert logits.shape == (64, 2) and logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, forward(params, x, NUMPY[activation]), atol=1e-5)
    for other in set(NUMPY) - {activation}:
        assert np.abs(logits - forward(params, x, NUMPY[other])).max() > 1e-4


def test_apply_by_hand():
    # one hidden unit: relu(2 x - 1), logits (h, 3 - h)
    network = MLP(1, 1)
    params = network.from_layers(
        [
            Layer(np.array([[2.0]]), np.array([-1.0])),
            Layer(np.array([[1.0, -1.0]]), np.array([0.0, 3.0])),
        ]
    )
    logits = network.apply(params, jnp.array([[0.0], [1.0], [3.0]]))
    np.testing.assert_allclose(logits, [[0, 3], [1, 2], [5, -2]])


def test_explicit_layers_have_the_shape_of_initial_ones():
    network = MLP(20, 2)
    initial = network.init(jax.random.key(0), (5,))
    layers = [
        Layer(np.asarray(initial["layers"][i]["kernel"], float), initial["layers"][i]["bias"])
        for i in range(3)
    ]
    back = network.from_layers(layers)
    assert jax.tree.structure(back) == jax.tree.structure(initial)
    jax.tree.map(np.testing.assert_array_equal, back, initial)


def test_apply_leaves_its_parameters_alone():
    network = MLP(20, 1)
    start, other = (network.init(jax.random.key(seed), (5,)) for seed in (0, 1))
    before = jax.tree.map(np.array, start)
    x = jnp.ones((3, 5))
    first = np.array(network.apply(start, x))
    network.apply(other, x)
    np.testing.assert_array_equal(network.apply(start, x), first)
    jax.tree.map(np.testing.assert_array_equal, start, before)


def test_an_update_costs_three_forward_passes():
    # forward: 2 (50 300 + 300 300 + 300 2) = 211200
    assert MLP(300, 2).update_flops((50,)) == 3 * 211_200


def test_labels_are_the_names_of_the_paper():
    assert MLP(300, 2).label == "(300,2)"
    assert MLP(100, 1, "tanh").label == "(100,1,tanh)"


@pytest.mark.parametrize("name", NETWORKS.entries())
def test_every_network_is_made_again_from_its_settings_and_is_hashable(name):
    network = networks.get(name)
    settings = dict(network.settings)
    assert settings.pop("name") == name
    assert networks.get(name, **settings) == network
    assert hash(networks.get(name, **settings)) == hash(network)


@pytest.mark.parametrize("name", NETWORKS.entries())
def test_every_network_gives_two_logits_a_row_independently_of_other_rows(name):
    network = networks.get(name)
    params = network.init(jax.random.key(0), (50,), 2)
    x = jax.random.normal(jax.random.key(1), (8, 50))
    logits = network.apply(params, x)
    assert logits.shape == (8, 2)
    np.testing.assert_allclose(network.apply(params, x[3:4])[0], logits[3], atol=1e-5)
    assert network.label and network.update_flops((50,), 2) > 0


@pytest.mark.parametrize("argument", ("width", "depth"))
@pytest.mark.parametrize("value", (0, -1, 1.5, "wide", None, True))
def test_width_and_depth_below_one_are_refused(argument, value):
    with pytest.raises(ValueError, match=rf"^{argument}: got .*allowed: an integer in \[1, 10+\]$"):
        MLP(**{argument: value})


def test_unknown_activations_networks_and_settings_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="^activation: unknown name 'rellu', nearest: relu"):
        MLP(10, 1, "rellu")
    with pytest.raises(ValueError, match="^network: unknown name 'mpl', nearest: mlp"):
        networks.get("mpl")
    with pytest.raises(
        ValueError, match="^network mlp: setting: unknown name 'widht', near.*width"
    ):
        networks.get("mlp", widht=3)


def test_numpy_widths_are_stored_as_plain_integers():
    network = MLP(np.int64(100), np.int32(2))
    assert network == MLP(100, 2)
    assert type(network.width) is int and type(network.depth) is int


def test_layers_come_back_as_they_were_given():
    draw = np.random.default_rng(0)
    layers = [
        Layer(draw.normal(size=shape).astype(np.float32), draw.normal(size=shape[1]))
        for shape in ((3, 5), (5, 5), (5, 2))
    ]
    network = MLP(5, 2)
    for first, other in zip(network.to_layers(network.from_layers(layers)), layers, strict=True):
        assert first.weight.dtype == np.float64
        np.testing.assert_allclose(first.weight, other.weight)
        np.testing.assert_allclose(first.bias, other.bias, rtol=1e-7)


def test_the_gradient_of_the_head_is_that_of_the_product():
    network = MLP(6, 1)
    params = network.init(jax.random.key(3), (4,))
    x = jax.random.normal(jax.random.key(4), (9, 4))
    weight = jax.random.normal(jax.random.key(5), (9, 2))

    def plain(params, x):
        first, last = params["layers"][0], params["layers"][1]
        hidden = jax.nn.relu(x @ first["kernel"] + first["bias"][None, :])
        return jnp.sum(weight * (hidden @ last["kernel"] + last["bias"][None, :]))

    def ours(params, x):
        return jnp.sum(weight * network.apply(params, x))

    for leaf, other in zip(
        jax.tree.leaves(jax.grad(ours, (0, 1))(params, x)),
        jax.tree.leaves(jax.grad(plain, (0, 1))(params, x)),
        strict=True,
    ):
        np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=1e-6)
