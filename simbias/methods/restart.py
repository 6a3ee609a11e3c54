"""Two-stage methods: a first network says which points weigh more for a second one.

The second starts where the first did, from the same initial parameters, and descends the mean loss
of a training set in which each point stands as often as it weighs.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simbias._types import Params, Settings
from simbias.methods.schedules import Schedule
from simbias.methods.stages import by_descent, descend, start
from simbias.training.method import Batch, Hyper, Method, State

Weigh = Callable[[Hyper, Params, Batch], Float[Array, " rows"]]


class _Twice(NamedTuple):
    velocity: State
    initial: Params
    weight: Float[Array, " n_train"]  # of mean 1 over the training set


def restarted(name: str, settings: Settings, weigh: Weigh, *, schedule: Schedule) -> Method:
    """A method that restarts on weighted points after ``first_updates`` updates.

    Args:
        name: the method's.
        settings: those of SGD, ``first_updates`` and what ``weigh`` reads.
        weigh: (hyper, params of the first network, the training set) -> weight of each point, of
            any positive mean.
        schedule: of the learning rate.

    Examples:
        Points of label 1 twice:

        >>> import simbias
        >>>         >>> from simbias.methods.restart import restarted
        >>> settings = sgd_settings(0.1, 0.0, 0.0) | {"first_updates": 1}
        >>> method = restarted("ones", settings, lambda hyper, params, batch: 1.0 + batch.y)
        >>> method.second is None
        False
    """

    def init(hyper: Hyper, params: Params, n_train: int) -> State:
        return _Twice(start(hyper, params), params, jnp.ones(n_train))

    def enter(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
        weight = weigh(hyper, params, batch)
        fresh = _Twice(start(hyper, state.initial), state.initial, weight / weight.mean())
        return state.initial, fresh

    then = enter, _weighted
    return by_descent(name, settings, init, _weighted, schedule=schedule, then=then)


def _weighted(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    weight = state.weight[batch.rows]  # all 1 in the first stage
    gradient = jax.grad(lambda params: (weight * batch.losses(params)).mean())(params)
    params, velocity = descend(hyper, params, state.velocity, gradient, batch)
    return params, state._replace(velocity=velocity)
