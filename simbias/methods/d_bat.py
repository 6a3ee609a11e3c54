"""Diversity by disagreement: a second network that contradicts a first on points without labels.

The first is trained as by SGD. The second starts from an initialisation of its own and descends, on
labelled points, the loss, and on unlabelled ones, from under the task's shift,

    -alpha log(p1 (1 - p2) + p2 (1 - p1)),

with p1, p2 the two networks' probabilities of the label that the first predicts (of two classes: of
either). The networks are of one architecture; the first is kept in the method's state.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simbias._checks import real
from simbias._types import Params, Settings
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings
from simbias.methods.stages import (
    by_descent,
    descend,
    first_stage,
    initial_again,
    plain_step,
    start,
)
from simbias.training.method import Batch, Hyper, Method, State

Logits = Float[Array, "rows classes"]


class _Beside(NamedTuple):
    velocity: State
    first: Params  # as it ended; before that, as it started


def d_bat(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    first_updates: int = 1000,
    alpha: float = 0.1,
    schedule: Schedule = "constant",
) -> Method:
    """SGD, then SGD on a second network that also disagrees with the first on unlabelled points.

    What is evaluated and kept is the network in training: the first until it ends, then the second.
    It uses unlabelled points under the task's shift, and evaluates its gradient on them as well: an
    update of the second network costs two gradient evaluations, of the first one.

    Args:
        learning_rate, momentum, weight_decay: as for ``sgd``, of both stages.
        first_updates: updates of the first network, 1 to 2^24.
        alpha: weight of the disagreement, >= 0; published: 1e-4 to 1.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range.

    References:
        M. Pagliardini, M. Jaggi, F. Fleuret, S. P. Karimireddy, "Agree to disagree: diversity
        through disagreement for better transferability", ICLR 2023.

    Examples:
        >>> import simbias
        >>> method = simbias.methods.d_bat(alpha=0.01)
        >>> method.name, sorted(method.uses)
        ('d-bat', ['unlabelled'])
    """
    settings = sgd_settings(learning_rate, momentum, weight_decay) | {
        "first_updates": first_stage(first_updates),
        "alpha": real("alpha", alpha, 0, 1e9),
    }
    return by_descent(
        "d-bat",
        settings,
        _init,
        _first,
        schedule=schedule,
        then=(_enter, _second),
        uses=frozenset({"unlabelled"}),
        cost=_cost,
    )


def disagreement(first: Logits, second: Logits) -> Float[Array, " rows"]:
    """-log(p1 (1 - p2) + p2 (1 - p1)) of the label that the first predicts (pure).

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.d_bat import disagreement
        >>> equal, sure = jnp.zeros((1, 2)), jnp.array([[0.0, 20.0]])
        >>> print(disagreement(equal, equal), disagreement(sure, -sure).round(3))
        [0.6931472] [0.]
    """
    predicted = jax.nn.one_hot(first.argmax(axis=1), first.shape[1], dtype=bool)

    def logs(logits: Logits) -> tuple[Array, Array]:
        every = jax.nn.log_softmax(logits)
        own = jnp.where(predicted, every, 0).sum(axis=1)
        return own, jax.nn.logsumexp(jnp.where(predicted, -jnp.inf, every), axis=1)

    (p1, not_p1), (p2, not_p2) = logs(first), logs(second)
    apart: Float[Array, " rows"] = jnp.logaddexp(p1 + not_p2, p2 + not_p1)
    return -apart


def _cost(settings: Settings) -> int:
    return 2  # labelled and unlabelled points, in the second stage


def _init(hyper: Hyper, params: Params, n_train: int) -> State:
    return _Beside(start(hyper, params), params)


def _first(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    params, velocity = plain_step(hyper, params, state.velocity, batch)
    return params, state._replace(velocity=velocity)


def _enter(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    fresh = initial_again(params, batch)
    return fresh, _Beside(start(hyper, fresh), params)


def _second(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    assert batch.unlabelled is not None
    unlabelled = batch.at(batch.unlabelled, batch.y)
    first = batch.network.apply(state.first, batch.unlabelled)

    def loss(params: Params) -> Float[Array, ""]:
        apart = disagreement(first, unlabelled.logits(params)).mean()
        total: Float[Array, ""] = batch.loss(params) + hyper["alpha"] * apart
        return total

    params, velocity = descend(hyper, params, state.velocity, jax.grad(loss)(params), batch)
    return params, state._replace(velocity=velocity)
