"""Fully connected networks: initial laws, forward pass, explicit weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import simbias
from simbias import MLP, networks
from simbias.models import Traced
from simbias.models.panel import panel
from simbias.networks.mlp import ACTIVATIONS
from simbias.registry import NETWORKS
from simbias.tasks.oracle import Layer
from simbias.validation.geometry import layers_of

TASK = simbias.tasks.get("noisy-lms-5", dim=4)
NUMPY = {
    "relu": lambda h: np.maximum(h, 0),
    "leaky-relu": lambda h: np.where(h > 0, h, 0.01 * h),
    "tanh": np.tanh,
    "gelu": lambda h: 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3))),
}


def begun(network, inputs, seed=0):
    """Parameters of two classes, by one program."""
    return jax.jit(lambda key: network.init(key, (inputs,), 2))(jax.random.key(seed))


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


@pytest.mark.parametrize(
    ("initialisation", "law", "biases"),
    [  # of a layer from 200 inputs to 100 units, times 2
        ("uniform", stats.uniform(-2 / np.sqrt(200), 4 / np.sqrt(200)), True),
        ("kaiming", stats.norm(0, 2 * np.sqrt(2 / 200)), False),
        ("xavier", stats.uniform(-2 * np.sqrt(6 / 300), 4 * np.sqrt(6 / 300)), False),
    ],
)
@pytest.mark.thorough
def test_initial_weights_follow_their_law_times_the_scale(initialisation, law, biases):
    network = MLP(100, 1, initialisation=initialisation, scale=2)
    first = network.init(jax.random.key(0), (200,))["layers"][0]
    weights = np.asarray(first["kernel"], float).ravel()
    assert stats.kstest(weights, law.cdf).pvalue > 1e-3
    other = stats.uniform if law.dist.name == "norm" else stats.norm
    wrong = other(*([-2 * law.std(), 4 * law.std()] if other is stats.uniform else [0, law.std()]))
    assert stats.kstest(weights, wrong.cdf).pvalue < 1e-3
    (weight, bias), _ = network.variances(200)
    assert weight == pytest.approx(law.var()) and bool(bias) == biases
    assert np.any(first["bias"]) == biases
    assert np.var(first["bias"]) == pytest.approx(bias, rel=0.4)


def test_what_is_usual_leaves_no_trace_in_settings_names_and_numbers():
    explicit = MLP(20, 1, "relu", "uniform", 1, 0, False)
    assert explicit == MLP(20, 1) and repr(explicit) == "MLP(width=20, depth=1, activation='relu')"
    assert set(explicit.settings) == {"name", "width", "depth", "activation"}
    # of jax.random.key(0), before there were any such settings
    first = explicit.init(jax.random.key(0), (5,))["layers"][0]
    assert (
        float(first["kernel"][0, 0]) == pytest.approx(0.3061750531196594, abs=1e-7)
        and explicit.label == "(20,1)"
    )
    departing = MLP(20, 1, "tanh", "kaiming", 0.5, 0.1, True)
    assert departing.label == "(20,1,tanh,kaiming,scale 0.5,dropout 0.1,layer norm)"
    again = NETWORKS.make("mlp", {k: v for k, v in departing.settings.items() if k != "name"})
    assert again == departing and eval(repr(departing)) == departing


@pytest.mark.thorough
def test_dropout_leaves_the_mean_and_silences_its_proportion_of_units_in_training_only():
    network = MLP(1000, 1, dropout=0.3)
    params = network.init(jax.random.key(0), (5,))
    params["layers"][0]["kernel"] = jnp.zeros((5, 1000))
    params["layers"][0]["bias"] = jnp.ones(1000)  # every unit is 1
    params["layers"][1]["kernel"] = jnp.eye(1000, 2) + jnp.full((1000, 2), 1e-3)
    x, keys = jnp.ones((400, 5)), jax.random.split(jax.random.key(1), 2)
    drawn, again = (network.apply_in_training(params, x, key) for key in keys)
    bias = params["layers"][1]["bias"][None]
    first = np.asarray(drawn - bias)
    assert np.asarray(network.apply(params, x) - bias) == pytest.approx(2.0, abs=1e-4)
    assert np.mean(first[:, 0] < 1.5) == pytest.approx(0.3, abs=0.1)  # the first unit is silent
    assert first.mean() == pytest.approx(2, abs=0.1) and not np.allclose(drawn, again)
    without = MLP(1000, 1)
    np.testing.assert_array_equal(
        without.apply_in_training(params, x, keys[0]), network.apply(params, x)
    )


@pytest.mark.thorough
def test_a_prelu_is_a_learned_multiple_of_what_is_negative_and_a_layer_norm_has_no_scale():
    x = jax.random.normal(jax.random.key(1), (6, 5))
    network = MLP(7, 1, "prelu")
    params, apply = begun(network, 5), jax.jit(network.apply)
    gradient = jax.jit(jax.grad(lambda params: network.apply(params, x).sum()))
    first, last = params["layers"][0], params["layers"][1]
    for slope in (0.25, -2.0):
        h = np.asarray(x @ first["kernel"] + first["bias"][None])
        expected = np.where(h > 0, h, slope * h) @ last["kernel"] + last["bias"][None]
        np.testing.assert_allclose(apply(params, x), expected, atol=1e-5)
        assert gradient(params)["prelus"][0]["negative_slope"]
        params["prelus"][0]["negative_slope"] = jnp.float32(-2.0)
    normed = MLP(7, 1, layer_norm=True)
    params = begun(normed, 5)
    h = np.asarray(x @ first["kernel"] + first["bias"][None])
    h = (h - h.mean(axis=1, keepdims=True)) / np.sqrt(h.var(axis=1, keepdims=True) + 1e-6)
    expected = np.maximum(h, 0) @ last["kernel"] + last["bias"][None]
    np.testing.assert_allclose(jax.jit(normed.apply)(params, x), expected, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    (MLP(8, 1, "prelu"), MLP(8, 1, layer_norm=True), networks.get("cnn")),
    ids=lambda net: net.label,
)
def test_what_is_no_affine_layers_is_said_to_be_none_where_layers_are_read(network):
    params = network.init(jax.random.key(0), (4,), 2)
    asked = panel(Traced(network, params), simbias.data(TASK, n_train=40))
    with pytest.raises(ValueError, match="^network: got .*, allowed: an MLP of affine layers$"):
        simbias.models.edited(asked, lambda hidden: hidden)
    with pytest.raises(ValueError, match="^network: got .*, allowed: an MLP of relu units$"):
        layers_of(asked, 0)
    cell = simbias.training.Cell(TASK, network, simbias.sgd(), n_train=40, batch=20)
    with pytest.raises(ValueError, match="^network: got .*, allowed: an MLP of relu units$"):
        simbias.validation.control(cell, "achievable")
    assert simbias.bounds.observe(asked).layers == ()
    if isinstance(network, MLP):
        with pytest.raises(ValueError, match="^network: got .*, allowed: .*: affine layers$"):
            network.to_layers(params)


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
    params, apply = begun(network, 50), jax.jit(network.apply)
    x = jax.random.normal(jax.random.key(1), (8, 50))
    logits = apply(params, x)
    assert logits.shape == (8, 2)
    np.testing.assert_allclose(apply(params, x[3:4])[0], logits[3], atol=1e-5)
    assert network.label and network.update_flops((50,), 2) > 0


@pytest.mark.parametrize("depth", (pytest.param(1, marks=pytest.mark.slow), 2))
@pytest.mark.thorough
def test_a_convolution_reads_seven_inputs_and_an_update_of_it_costs_three_passes(depth):
    network = networks.get("cnn", filters=3, depth=depth)
    params = begun(network, 12)
    x = jax.random.normal(jax.random.key(1), (4, 12))
    values = np.asarray(x, float)[..., None]
    for i in range(depth):
        layer = params["convolutions"][i]
        kernel = np.asarray(layer["kernel"], float).reshape(7, values.shape[2], 3)
        padded = np.pad(values, ((0, 0), (3, 3), (0, 0)))
        sums = [np.einsum("rkc,kcf->rf", padded[:, j : j + 7], kernel) for j in range(12)]
        values = np.maximum(np.stack(sums, axis=1) + np.asarray(layer["bias"]), 0)
    hidden, head = params["hidden"], params["logits"]
    h = np.maximum(values.reshape(4, -1) @ hidden["kernel"] + hidden["bias"][None], 0)
    expected = h @ head["kernel"] + head["bias"][None]
    np.testing.assert_allclose(jax.jit(network.apply)(params, x), expected, atol=1e-5)
    bound = 1 / np.sqrt(7)
    first = np.asarray(begun(networks.get("cnn"), 50)["convolutions"][0]["kernel"])
    assert first.shape == (7, 32) and 0.95 * bound < np.abs(first).max() <= bound
    # windows of 7 or 7 x 32 for 50 positions and 32 filters, 1600 x 50 and 50 x 2 weights
    products = 50 * 7 * 32 * (1 + 32 * (depth - 1)) + 1600 * 50 + 50 * 2
    flops = networks.get("cnn", depth=depth).update_flops((50,), 2)
    assert flops == pytest.approx(6 * products, rel=0.1)


@pytest.mark.parametrize("depth", (1, 2))
@pytest.mark.thorough
def test_gated_units_read_ten_inputs_a_step_the_last_filled_with_zeros(depth):
    network = networks.get("gru", width=6, depth=depth)
    params = begun(network, 23)
    x = jax.random.normal(jax.random.key(1), (4, 23))
    steps = np.pad(np.asarray(x, float), ((0, 0), (0, 7))).reshape(4, 3, 10)

    def sigmoid(values):
        return 1 / (1 + np.exp(-values))

    for i in range(depth):
        layer = jax.tree.map(lambda leaf: np.asarray(leaf, float), params["layers"][i])
        state, states = np.zeros((4, 6)), []
        for t in range(3):
            reset, keep, new = np.split(
                steps[:, t] @ layer["read"]["kernel"] + layer["read"]["bias"], 3, 1
            )
            by_state = state @ layer["recall"]["kernel"] + layer["recall"]["bias"]
            of_reset, of_keep, of_new = np.split(by_state, 3, 1)
            keep, new = sigmoid(keep + of_keep), np.tanh(new + sigmoid(reset + of_reset) * of_new)
            state = (1 - keep) * new + keep * state
            states.append(state)
        steps = np.stack(states, axis=1)
    expected = state @ params["logits"]["kernel"] + params["logits"]["bias"][None]
    np.testing.assert_allclose(jax.jit(network.apply)(params, x), expected, atol=1e-5)
    # 10 and 100 inputs of 300 gates at 5 steps, 100 x 2 weights
    products = 5 * (300 * (10 + 100) + (depth - 1) * 300 * 200) + 200
    flops = networks.get("gru", depth=depth).update_flops((50,), 2)
    assert flops == pytest.approx(6 * products, rel=0.1)


@pytest.mark.parametrize("argument", ("width", "depth"))
@pytest.mark.parametrize("value", (0, -1, 1.5, "wide", None, True))
def test_width_and_depth_below_one_are_refused(argument, value):
    with pytest.raises(ValueError, match=rf"^{argument}: got .*allowed: an integer in \[1, 10+\]$"):
        MLP(**{argument: value})


def test_unknown_activations_networks_and_settings_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="^activation: unknown name 'rellu', nearest: relu"):
        MLP(10, 1, "rellu")
    with pytest.raises(ValueError, match="^initialisation: unknown name 'kaimin', nearest: kaim"):
        MLP(10, 1, initialisation="kaimin")
    for argument, value in (("scale", 0), ("dropout", 1), ("dropout", -0.1), ("layer_norm", 1)):
        with pytest.raises(ValueError, match=f"^{argument}: got {value}, allowed: a"):
            MLP(10, 1, **{argument: value})
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


@pytest.mark.parametrize("classes", [2, 10])
def test_the_gradient_of_the_head_is_that_of_the_product(classes):
    network = MLP(6, 1)
    params = network.init(jax.random.key(3), (4,), classes)
    x = jax.random.normal(jax.random.key(4), (9, 4))
    weight = jax.random.normal(jax.random.key(5), (9, classes))

    def plain(params, x):
        first, last = params["layers"][0], params["layers"][1]
        hidden = jax.nn.relu(x @ first["kernel"] + first["bias"][None, :])
        return jnp.sum(weight * (hidden @ last["kernel"] + last["bias"][None, :]))

    def ours(params, x):
        return jnp.sum(weight * network.apply(params, x))

    for leaf, other in zip(
        jax.tree.leaves(jax.jit(jax.grad(ours, (0, 1)))(params, x)),
        jax.tree.leaves(jax.jit(jax.grad(plain, (0, 1)))(params, x)),
        strict=True,
    ):
        np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=1e-6)
