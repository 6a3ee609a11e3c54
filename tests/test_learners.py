"""Methods, losses, networks and tasks of one's own, as a user would write them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import simbias
from simbias import tasks
from simbias.networks import Module
from simbias.training import Method, Stop
from simbias.training.method import Second, no_state

TASK = tasks.get("noisy-lms-7", dim=4)
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


def adam(learning_rate=1e-2):
    def made(hyper):
        return optax.adam(hyper["learning_rate"])

    def step(hyper, params, state, batch):
        gradient = jax.grad(batch.loss)(params)
        change, state = made(hyper).update(gradient, state, params)
        return optax.apply_updates(params, change), state

    return Method(
        "adam",
        {"learning_rate": learning_rate},
        lambda hyper, params, n: made(hyper).init(params),
        step,
    )


def descend(hyper, params, gradient):
    return jax.tree.map(lambda w, g: w - hyper["learning_rate"] * g, params, gradient)


def sam(learning_rate=0.1, rho=0.05):
    def step(hyper, params, state, batch):
        gradient = jax.grad(batch.loss)(params)
        scale = hyper["rho"] / (optax.global_norm(gradient) + 1e-12)
        worse = jax.tree.map(lambda w, g: w + scale * g, params, gradient)
        return descend(hyper, params, jax.grad(batch.loss)(worse)), state

    return Method("sam", {"learning_rate": learning_rate, "rho": rho}, no_state, step)


def spectral_decoupling(learning_rate=0.1, weight=0.1):
    def step(hyper, params, state, batch):
        def loss(params):
            logits = batch.logits(params)
            penalty = hyper["weight"] / 2 * jnp.mean(jnp.sum(logits**2, axis=1))
            return batch.objective.points(logits, batch.y).mean() + penalty

        return descend(hyper, params, jax.grad(loss)(params)), state

    return Method(
        "spectral-decoupling", {"learning_rate": learning_rate, "weight": weight}, no_state, step
    )


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
    return Method("last-layer", settings, no_state, first, second=stage, uses_budget=True)


def averaged(learning_rate=0.1, decay=0.9):
    def init(hyper, params, n_train):
        return params

    def step(hyper, params, average, batch):
        params = descend(hyper, params, jax.grad(batch.loss)(params))
        return params, optax.incremental_update(params, average, 1 - hyper["decay"])

    return Method(
        "averaged",
        {"learning_rate": learning_rate, "decay": decay},
        init,
        step,
        evaluated=lambda hyper, params, average: average,
    )


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


METHODS = (adam, sam, spectral_decoupling, last_layer, averaged)
NETWORKS = (Dropout, Convolutional, Recurrent)


@pytest.mark.parametrize("made", METHODS)
def test_a_method_of_ones_own_learns_more_than_a_guess(made):
    ended = final(train(made()))
    assert (ended["train_loss"] < 0.5).all() and (ended["select_accuracy"] > 0.75).all()


@pytest.mark.parametrize("made", NETWORKS)
def test_a_network_of_ones_own_learns_more_than_a_guess(made):
    ended = final(train(adam(), network=Module(made.__name__.lower(), made)))
    assert (ended["train_loss"] < 0.55).all() and (ended["select_accuracy"] > 0.7).all()
