"""Pretraining on the slabs: training begins at a mixture of a network that knows them and chance.

The first stage trains on labelled points whose simple coordinates say nothing, so that only the
other coordinates can be learned. The second begins at alpha times that network's parameters plus
1 - alpha times those of another initialisation, and trains on the task.
"""

import jax
import jax.numpy as jnp

from simbias._checks import real
from simbias._types import Params
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings
from simbias.methods.stages import (
    by_descent,
    first_stage,
    initial_again,
    plain_step,
    start,
)
from simbias.training.method import Batch, Hyper, Method, State


def pretraining(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    first_updates: int = 10_000,
    alpha: float = 0.5,
    schedule: Schedule = "constant",
) -> Method:
    """SGD on the task with its simple set randomised, then on the task, from alpha of the way.

    It uses labelled points under the task's shift.

    Args:
        learning_rate, momentum, weight_decay: as for ``sgd``, of both stages.
        first_updates: updates of the first stage, 1 to 2^24.
        alpha: part of the pretrained parameters in those that the second stage begins at, 0 to 1;
            the rest is a fresh initialisation.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range.

    References:
        H. Shah, K. Tamuly, A. Raghunathan, P. Jain, P. Netrapalli, "The pitfalls of simplicity
        bias in neural networks", NeurIPS 2020, appendix C.7.

    Examples:
        >>> import simbias
        >>> method = simbias.methods.pretraining(alpha=1.0)
        >>> method.name, sorted(method.uses)
        ('pretraining', ['shifted'])
    """
    settings = sgd_settings(learning_rate, momentum, weight_decay) | {
        "first_updates": first_stage(first_updates),
        "alpha": real("alpha", alpha, 0, 1),
    }
    return by_descent(
        "pretraining",
        settings,
        start,
        _first,
        schedule=schedule,
        then=(_enter, plain_step),
        uses=frozenset({"shifted"}),
    )


def _first(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    assert batch.shifted is not None
    return plain_step(hyper, params, state, batch.at(*batch.shifted))


def _enter(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    alpha = jnp.asarray(hyper["alpha"], jnp.float32)
    fresh = initial_again(params, batch)
    mixed = jax.tree.map(lambda own, other: alpha * own + (1 - alpha) * other, params, fresh)
    return mixed, start(hyper, mixed)
