"""Group DRO: descent on the loss of the worst group, by weights of groups that follow their losses.

Exponentiated gradient ascent in the weights q, descent in the parameters: q_g grows by a factor
exp(step times the mean loss of group g), is normalised, and the loss is the sum of q_g times the
mean loss of group g.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simbias._checks import real, whole
from simbias._types import Params
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings
from simbias.methods.stages import by_descent, descend, start
from simbias.training.method import Batch, Hyper, Method, State


class _Weights(NamedTuple):
    velocity: State
    log_weight: Float[Array, " groups"]  # its exponentials add up to 1


def group_dro(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    group_step: float = 0.01,
    groups: int = 4,
    schedule: Schedule = "constant",
) -> Method:
    """SGD on a weighted sum of the groups' losses, where weight moves to the worst group.

    Batches are those of the task, where the published code draws all groups equally often; a group
    that a batch lacks has loss 0 in it, as there. It uses the group of each training point.

    Args:
        learning_rate, momentum, weight_decay: as for ``sgd``.
        group_step: step of the groups' log weights, eta, >= 0.
        groups: their number; 4 for a block task: label times exception. Training on a group of a
            number beyond it diverges at once.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range.

    References:
        S. Sagawa, P. W. Koh, T. B. Hashimoto, P. Liang, "Distributionally robust neural networks
        for group shifts", ICLR 2020, algorithm 1.

    Examples:
        >>> import simbias
        >>> method = simbias.methods.group_dro(group_step=0.1)
        >>> method.name, sorted(method.uses)
        ('group-dro', ['groups'])
    """
    settings = sgd_settings(learning_rate, momentum, weight_decay) | {
        "group_step": real("group_step", group_step, 0, 1e6),
        "groups": whole("groups", groups, most=10_000),
    }
    return by_descent(
        "group-dro",
        settings,
        _init,
        _step,
        schedule=schedule,
        static=frozenset({"groups"}),
        uses=frozenset({"groups"}),
    )


def group_means(
    values: Float[Array, " rows"], member: Float[Array, "rows groups"]
) -> Float[Array, " groups"]:
    """The mean of each group's values, 0 where it has none; ``member`` is 1 in the own group.

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.group_dro import group_means
        >>> member = jnp.array([[1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0]])
        >>> print(group_means(jnp.array([1.0, 2.0, 5.0]), member))
        [1.5 5.  0. ]
    """
    return values @ member / jnp.maximum(member.sum(axis=0), 1)


def members(group: Array, groups: int) -> Float[Array, "rows groups"]:
    """1 in the column of each row's own group, 0 elsewhere; NaN where there is no such column.

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.group_dro import members
        >>> print(members(jnp.array([1, 0]), 2))
        [[0. 1.]
         [1. 0.]]
    """
    is_own = group[:, None] == jnp.arange(groups, dtype=group.dtype)[None]
    return jnp.where((group >= groups)[:, None], jnp.nan, is_own.astype(jnp.float32))


def _init(hyper: Hyper, params: Params, n_train: int) -> State:
    groups = int(hyper["groups"])
    return _Weights(start(hyper, params), jnp.full(groups, -jnp.log(jnp.float32(groups))))


def _step(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    assert batch.group is not None
    member = members(batch.group, hyper["groups"])
    losses, pull_back = jax.vjp(lambda p: group_means(batch.losses(p), member), params)
    log_weight = jax.nn.log_softmax(state.log_weight + hyper["group_step"] * losses)
    (gradient,) = pull_back(jnp.exp(log_weight))
    params, velocity = descend(hyper, params, state.velocity, gradient, batch)
    return params, _Weights(velocity, log_weight)
