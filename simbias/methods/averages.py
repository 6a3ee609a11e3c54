"""Averages of the weights along SGD: what is evaluated and kept is the average.

An exponential moving average is a <- decay a + (1 - decay) w after every update, from the
initialisation on. Stochastic weight averaging takes the plain mean of weights late in training.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from simbias._checks import real, whole
from simbias._types import Params
from simbias.methods.descent import descent
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings, transform
from simbias.training.method import Batch, Hyper, Method, State, Step


class Averaged(NamedTuple):
    """What a method that averages keeps: the state of SGD, the average, and of how many weights."""

    descent: State
    average: Params
    weights: Int[Array, ""]


def ema(
    *,
    decay: float = 0.999,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
) -> Method:
    """SGD with an exponential moving average of its weights.

    Args:
        decay: of the average per update, in [0, 1); the default is PyTorch's.
        learning_rate, momentum, weight_decay, schedule: as of ``sgd``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        A. Tarvainen, H. Valpola, "Mean teachers are better role models", NeurIPS 2017.

    Examples:
        >>> import simbias
        >>> simbias.methods.ema(decay=0.99).settings["decay"]
        0.99
    """
    settings = {"decay": real("decay", decay, 0, 1, open_high=True)}
    settings |= sgd_settings(learning_rate, momentum, weight_decay)
    return _averaging(descent("ema", settings, transform, schedule=schedule), _ema)


def swa(
    *,
    start: float = 0.8,
    every: int = 1,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
) -> Method:
    """SGD with the mean of its weights from late in training on.

    Args:
        start: proportion of the budget after which the first weights are taken, in [0, 1); before,
            the weights themselves are evaluated. Its authors' code begins after 161 of 200 epochs.
        every: updates from weights that are taken to the next; its authors take one an epoch.
        learning_rate, momentum, weight_decay, schedule: as of ``sgd``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. G. Wilson, "Averaging weights leads
        to wider optima and better generalization", UAI 2018.

    Examples:
        >>> import simbias
        >>> simbias.methods.swa(start=0.5).uses_budget
        True
    """
    settings = {
        "start": real("start", start, 0, 1, open_high=True),
        "every": whole("every", every),
        **sgd_settings(learning_rate, momentum, weight_decay),
    }
    method = _averaging(descent("swa", settings, transform, schedule=schedule), _swa)
    return replace(method, uses_budget=True)


Average = Callable[[Hyper, Params, Averaged, Batch], tuple[Params, Int[Array, ""]]]


def _averaging(method: Method, average: Average) -> Method:
    return replace(
        method,
        init=partial(_init, method.init),
        step=partial(_step, method.step, average),
        evaluated=_average_of,
    )


def _init(
    init: Callable[[Hyper, Params, int], State], hyper: Hyper, params: Params, n_train: int
) -> Averaged:
    return Averaged(init(hyper, params, n_train), params, jnp.int32(0))


def _step(
    step: Step, average: Average, hyper: Hyper, params: Params, state: Averaged, batch: Batch
) -> tuple[Params, Averaged]:
    params, descended = step(hyper, params, state.descent, batch)
    return params, Averaged(descended, *average(hyper, params, state, batch))


def _average_of(hyper: Hyper, params: Params, state: Averaged) -> Params:
    """The average; the weights themselves where it is of none yet."""
    return jax.tree.map(lambda a, w: jnp.where(state.weights > 0, a, w), state.average, params)


def _ema(
    hyper: Hyper, params: Params, state: Averaged, batch: Batch
) -> tuple[Params, Int[Array, ""]]:
    average = optax.incremental_update(params, state.average, 1 - hyper["decay"])
    return average, state.weights + 1


def _swa(
    hyper: Hyper, params: Params, state: Averaged, batch: Batch
) -> tuple[Params, Int[Array, ""]]:
    assert batch.budget is not None
    # rounded: .8 of 200 updates is 160, though .8 has no exact float32
    begins = jnp.round(hyper["start"] * batch.budget).astype(jnp.int32)
    after = batch.update - begins
    taken = (after >= 0) & (after % jnp.int32(hyper["every"]) == 0)
    weight = taken / (state.weights + 1)
    average = optax.incremental_update(params, state.average, weight)
    return average, state.weights + taken
