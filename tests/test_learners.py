"""Methods, losses, networks and tasks of one's own, as a user would write them."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from own_tasks import Rings
from scipy.stats import ks_2samp

import simbias
from simbias import losses, tasks
from simbias.losses import Loss
from simbias.methods.descent import descent
from simbias.networks import Module
from simbias.tasks.oracle import attained_rule
from simbias.tasks.rules import follow, rule_table
from simbias.training import Cell, Method, Stop, cell_from_settings
from simbias.training.jobs import Job, train_jobs
from simbias.training.method import Second, no_state
from simbias.training.problem import problem_of, training_set
from simbias.training.stack import assemble

TASK = tasks.get("noisy-lms-7", dim=4)
UNTURNED = replace(TASK, rotated=False)
SHORT = Stop(max_updates=200, check_every=100)


def train(method, *, network=None, task=TASK, seeds=2, stop=SHORT, n_train=400, **more):
    network = simbias.MLP(16, 1) if network is None else network
    return simbias.train(
        task,
        network,
        method,
        n_train=n_train,
        batch=32,
        seeds=seeds,
        stop=stop,
        n_select=200,
        **more,
    )


def final(stack):
    return {name: np.array([t[-1, i] for t in stack.traces]) for i, name in enumerate(TRACE)}


TRACE = ("updates", "train_loss", "train_accuracy", "select_accuracy")


def descend(hyper, params, gradient):
    return jax.tree.map(lambda w, g: w - hyper["learning_rate"] * g, params, gradient)


def last_layer(learning_rate=0.1):
    """Half the budget on all layers, the other half on the last, groups weighing the same."""

    def first(hyper, params, state, batch):
        return descend(hyper, params, jax.grad(batch.loss)(params)), state

    def second(hyper, params, state, batch):
        def loss(head):
            of_group = jnp.sum(batch.group[:, None] == batch.group[None], axis=1)
            weight = 1 / of_group.astype(jnp.float32)
            losses = batch.losses({"layers": {**params["layers"], 1: head}})
            return jnp.sum(weight * losses) / jnp.sum(weight)

        head = descend(hyper, params["layers"][1], jax.grad(loss)(params["layers"][1]))
        return {"layers": {**params["layers"], 1: head}}, state

    def enter(hyper, params, state, batch):
        head = jax.tree.map(jnp.zeros_like, params["layers"][1])
        return {"layers": {**params["layers"], 1: head}}, state

    stage = Second(lambda hyper, budget: budget // 2, enter, second)
    settings = {"learning_rate": learning_rate}
    declared = {"second": stage, "uses_budget": True, "uses": {"groups"}}
    return Method("second-head", settings, no_state, first, **declared)


class Dropout(nnx.Module):
    def __init__(self, shape, classes, rngs):
        self.hidden = nnx.Linear(shape[0], 32, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.out = nnx.Linear(32, classes, rngs=rngs)

    def __call__(self, x):
        return self.out(self.dropout(nnx.relu(self.hidden(x))))


class Convolutional(nnx.Module):
    def __init__(self, shape, classes, rngs):
        self.convolution = nnx.Conv(1, 8, kernel_size=(3,), rngs=rngs)
        self.out = nnx.Linear(8 * shape[0], classes, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.relu(self.convolution(x[..., None])).reshape(len(x), -1))


class Recurrent(nnx.Module):
    def __init__(self, shape, classes, rngs):
        self.cell = nnx.RNN(nnx.GRUCell(1, 8, rngs=rngs))
        self.out = nnx.Linear(8, classes, rngs=rngs)

    def __call__(self, x):
        return self.out(self.cell(x[..., None])[:, -1])


def witness(**declared):
    """Changes nothing, and remembers what it has seen: -1 of what it was not given."""

    def init(hyper, params, n_train):
        return {
            "rows": jnp.zeros(n_train, jnp.int32),
            "bits": jnp.zeros(200, jnp.uint32),
            "budget": jnp.int32(0),
            "group": jnp.zeros(n_train, jnp.int32),
            "unlabelled": jnp.zeros((200, 32, 4)),
            "shifted": jnp.zeros((200, 32), jnp.int32),
        }

    def step(hyper, params, state, batch):
        def given(part):
            return -1 if part is None else part

        return params, {
            "rows": state["rows"].at[batch.rows].add(1),
            "bits": state["bits"].at[batch.update].set(jax.random.bits(batch.key)),
            "budget": jnp.int32(given(batch.budget)),
            "group": state["group"].at[batch.rows].set(given(batch.group)),
            "unlabelled": state["unlabelled"].at[batch.update].set(given(batch.unlabelled)),
            "shifted": state["shifted"]
            .at[batch.update]
            .set(given(batch.shifted and batch.shifted[1])),
        }

    return Method("witness", {}, init, step, **declared)


def one_now(first, *others):
    """Each compiles a program: one in every run of the tests, the others in slow ones."""
    return (first, *(pytest.param(other, marks=pytest.mark.slow) for other in others))


NETWORKS = one_now(Dropout, Convolutional, Recurrent)


@pytest.mark.slow  # it compiles a program
def test_a_method_of_ones_own_learns_more_than_a_guess():
    ended = final(train(last_layer()))
    assert (ended["train_loss"] < 0.5).all() and (ended["select_accuracy"] > 0.75).all()


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.thorough
def test_a_network_of_ones_own_learns_more_than_a_guess(make):
    ended = final(
        train(simbias.methods.adam(learning_rate=1e-2), network=Module(make.__name__.lower(), make))
    )
    assert (ended["train_loss"] < 0.55).all() and (ended["select_accuracy"] > 0.7).all()


def seen(method):
    """The training set of a network of 200 updates of 32 points, and what its method has seen."""
    cell = Cell(UNTURNED, simbias.MLP(4, 1), method, n_train=320, batch=32, stop=SHORT)
    (snapshot,) = train_jobs([Job(cell, 0)], n_select=10).values()
    return jax.device_get(training_set(cell, problem_of(cell, 0))), snapshot.state.method


@pytest.fixture(scope="module")
def seen_all():
    return seen(witness(uses_budget=True, uses={"groups", "unlabelled", "shifted"}))


def test_an_update_sees_its_rows_its_number_a_key_of_its_own_and_what_it_declares(seen_all):
    points, saw = seen_all
    assert saw["rows"].tolist() == [20] * 320
    assert len(set(saw["bits"].tolist())) == 200
    assert saw["budget"] == 200
    assert saw["group"].tolist() == (2 * points.y + points.exception).tolist()
    assert len(np.unique(saw["unlabelled"].reshape(-1, 4), axis=0)) == 6400  # none twice


@pytest.mark.slow  # it compiles a program
def test_an_update_sees_nothing_that_its_method_does_not_declare():
    _, saw = seen(witness())
    assert saw["rows"].tolist() == [20] * 320
    for name in ("budget", "group", "unlabelled", "shifted"):
        assert (saw[name] == -1).all()


def test_unlabelled_points_keep_each_law_and_part_the_simple_coordinate_from_others(seen_all):
    """Noise .1 leaves the simple rule wrong on a twentieth of the points of the task itself."""
    points, saw = seen_all
    fresh = saw["unlabelled"].reshape(-1, 4)

    def labels(j, x):
        rule = attained_rule(replace(UNTURNED, simple_set=(), blocks=UNTURNED.blocks[j : j + 1]))
        return np.asarray(follow(rule_table(rule), jnp.asarray(x[:, j : j + 1])))

    def agreement(x):
        return float(((x[:, 0] > 0) == labels(1, x)).mean())

    assert agreement(points.x) == pytest.approx(0.95, abs=4 * 0.22 / 320**0.5)
    assert agreement(fresh) == pytest.approx(0.5, abs=4 * 0.5 / 80)
    assert (labels(1, fresh) == labels(2, fresh)).all()
    assert (labels(1, fresh) == saw["shifted"].ravel()).all()
    for j in range(4):
        assert ks_2samp(points.x[:, j], fresh[:, j]).pvalue > 1e-4


@pytest.mark.parametrize(
    "use, words",
    [
        ("groups", "group of each"),
        ("unlabelled", "unlabelled points under a shift"),
        ("shifted", "uses labelled points under a shift"),
    ],
)
def test_a_method_is_refused_where_the_task_lacks_what_it_uses(use, words):
    method = witness(uses={use})
    line = f"^method: got 'witness, which .*{words}.*allowed: one that .*as rings has none$"
    with pytest.raises(ValueError, match=line):
        Cell(Rings(), simbias.MLP(4, 1), method, n_train=10, batch=10)
    assert Cell(TASK, simbias.MLP(4, 1), method, n_train=10, batch=10).method == method
    assert witness() != method
    with pytest.raises(ValueError, match="^uses: unknown name 'group', nearest: groups"):
        witness(uses={"group"})


def test_a_task_without_a_simple_set_has_no_points_with_it_randomised():
    assert tasks.get("ms-7").unlabelled is None
    with pytest.raises(ValueError, match="^method: got 'witness, .*as ms-7 has none$"):
        Cell(tasks.get("ms-7"), simbias.MLP(4, 1), witness(uses={"unlabelled"}), n_train=999)


@pytest.mark.thorough
def test_what_is_measured_and_kept_is_the_average_where_a_method_has_one():
    method = simbias.methods.ema(decay=0.9)
    cell = Cell(TASK, simbias.MLP(16, 1), method, n_train=400, batch=32, stop=SHORT)
    snapshots = train_jobs([Job(cell, 0), Job(cell, 1)], n_select=200)
    stack = assemble(cell, {job.seed: snapshot for job, snapshot in snapshots.items()})
    snapshot = snapshots[Job(cell, 0)]
    average, last = snapshot.state.method.average["layers"], snapshot.state.params["layers"]
    np.testing.assert_array_equal(stack.params["layers"][0]["kernel"][0], average[0]["kernel"])
    assert np.abs(average[0]["kernel"] - last[0]["kernel"]).max() > 1e-3
    report = simbias.validate(stack, n_certify=100)
    assert report.train_accuracy[0] == pytest.approx(stack.traces[0][-1, 2], abs=1e-6)


def test_methods_of_one_name_settings_and_code_are_one_whatever_they_close_over():
    method, other = last_layer(), last_layer(1e-3)
    assert method == last_layer() and hash(method) == hash(last_layer())
    assert method != other and method.compiled_in == other.compiled_in
    assert replace(method, step=method.second.step) != method
    assert replace(method, name="other") != method


def test_methods_that_descend_by_other_transformations_are_others():
    """Though their steps are made by one function."""

    def method(transform):
        return descent("own", {"learning_rate": 0.1}, transform)

    first, again = (method(lambda hyper: optax.sgd(hyper["learning_rate"])) for _ in range(2))
    assert first == again
    assert first != method(lambda hyper: optax.lion(hyper["learning_rate"]))


def test_settings_are_numbers_or_declared_static():
    def method_of(settings, static=()):
        return Method("own", settings, no_state, last_layer().step, static=static)

    method = method_of({"rate": 0.1, "kind": "slow", "sizes": [1, 2]}, {"kind", "sizes"})
    assert method.traced == {"rate": 0.1}
    assert dict(method.compiled_in.settings) == {"kind": "slow", "sizes": [1, 2]}
    assert method_of({"kind": "slow"}, {"kind"}) != method_of({"kind": "fast"}, {"kind"})
    for value in ("slow", None, True, [1]):
        with pytest.raises(ValueError, match="^setting kind: got .*declared static$"):
            method_of({"kind": value})
    with pytest.raises(ValueError, match="^static: unknown name 'kinds', nearest: kind"):
        method_of({"kind": 1}, {"kinds"})


@pytest.mark.thorough
def test_a_loss_of_another_name_is_another_cell_and_is_minimised():
    cells = [
        Cell(TASK, simbias.MLP(4, 1), simbias.sgd(), 100, batch=10, **more)
        for more in ({}, {"loss": losses.cross_entropy()}, {"loss": losses.hinge()})
    ]
    assert cells[0].identity == cells[1].identity != cells[2].identity
    assert cells[2].settings["loss"] == {"name": "hinge"}
    assert cell_from_settings(cells[2].settings) == cells[2]
    fitted = final(train(simbias.sgd(learning_rate=0.1, momentum=0.9), loss=losses.hinge()))
    assert (fitted["train_loss"] < 0.6).all() and (fitted["select_accuracy"] > 0.75).all()
    with pytest.raises(ValueError, match="^loss: got \"another function as 'hinge'\""):
        replace(cells[2], loss=Loss("hinge", {}, losses.square().points))


@pytest.mark.thorough
def test_hidden_layers_are_those_of_the_forward_pass(forward):
    network = simbias.MLP(5, 2)
    params = jax.device_get(network.init(jax.random.key(0), (3,), 4))
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    hidden = network.activations(params, x)
    assert [part.shape for part in hidden] == [(7, 5), (7, 5)]
    by_hand = np.maximum(x @ params["layers"][0]["kernel"] + params["layers"][0]["bias"], 0)
    np.testing.assert_allclose(hidden[0], by_hand, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(network.apply(params, x), forward(params, x), rtol=1e-4, atol=1e-5)
    image = network.init(jax.random.key(0), (2, 2), 3)
    assert network.apply(image, np.zeros((5, 2, 2), np.float32)).shape == (5, 3)


@pytest.mark.thorough
def test_dropout_is_drawn_anew_for_every_update_and_never_when_asked():
    network = Module("dropout", Dropout)
    params = network.init(jax.random.key(0), (4,), 2)
    x = np.ones((6, 4), np.float32)
    np.testing.assert_array_equal(network.apply(params, x), network.apply(params, x))
    first, again, other = (
        network.apply_in_training(params, x, jax.random.key(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_a_module_that_remembers_more_than_parameters_is_refused():
    class Normalised(nnx.Module):
        def __init__(self, shape, classes, rngs):
            self.norm = nnx.BatchNorm(shape[0], rngs=rngs)
            self.out = nnx.Linear(shape[0], classes, rngs=rngs)

        def __call__(self, x):
            return self.out(self.norm(x))

    with pytest.raises(ValueError, match="^network norm: got .*allowed: parameters only"):
        network = Module("norm", Normalised)
        network.apply(network.init(jax.random.key(0), (4,), 2), np.ones((2, 4), np.float32))
    with pytest.raises(
        ValueError, match="^network dropout: classes: got 2, allowed: 3, as the task"
    ):
        Module("dropout", Dropout).init(jax.random.key(0), (4,), 3)
