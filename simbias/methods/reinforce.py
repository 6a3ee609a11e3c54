"""REINFORCE: the task as a one-step bandit, in which a label is drawn and rewarded if it is right.

The network is a policy, pi(a | x) = softmax of its logits. For each point a label a is drawn, its
reward r is 1 if it is the point's and 0 otherwise, and the parameters ascend
(r - baseline) log pi(a | x). The mean of its gradient over draws is that of the probability of a
right label, whatever baseline does not depend on the draw.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simbias._checks import known, real
from simbias._types import Params
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings
from simbias.methods.stages import by_descent, descend, start
from simbias.training.method import Batch, Hyper, Method, State

BASELINES = ("none", "running")


class _Policy(NamedTuple):
    velocity: State
    reward: Float[Array, ""]  # the running mean


def reinforce(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    baseline: str = "running",
    decay: float = 0.99,
    schedule: Schedule = "constant",
) -> Method:
    """Policy gradient for reward 1 of a right label, by SGD.

    The loss of the cell is not descended, only reported.

    Args:
        learning_rate, momentum, weight_decay: as for ``sgd``.
        baseline: what is taken off a reward: ``"none"``, or ``"running"``, the exponential mean of
            the rewards of earlier updates, which begins at 0.
        decay: of that mean for each update, in [0, 1).
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range, or an unknown baseline.

    References:
        R. J. Williams, "Simple statistical gradient-following algorithms for connectionist
        reinforcement learning", Machine Learning 8, 1992.

    Examples:
        >>> import simbias
        >>> simbias.methods.reinforce(baseline="none").settings["baseline"]
        'none'
    """
    settings = sgd_settings(learning_rate, momentum, weight_decay) | {
        "baseline": known("baseline", baseline, BASELINES),
        "decay": real("decay", decay, 0, 1, open_high=True),
    }
    static = frozenset({"baseline"})
    return by_descent("reinforce", settings, _init, _step, schedule=schedule, static=static)


def surrogate(
    logits: Float[Array, "rows classes"], action: Array, reward: Float[Array, " rows"]
) -> Float[Array, ""]:
    """Minus the mean of reward times log-probability of the action: what an update descends.

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.reinforce import surrogate
        >>> print(surrogate(jnp.zeros((1, 2)), jnp.array([1]), jnp.array([1.0])).round(3))
        0.693
    """
    chosen = action[:, None] == jnp.arange(logits.shape[1], dtype=action.dtype)[None]
    log_policy = jnp.where(chosen, jax.nn.log_softmax(logits), 0).sum(axis=1)
    return -(reward * log_policy).mean()


def _init(hyper: Hyper, params: Params, n_train: int) -> State:
    return _Policy(start(hyper, params), jnp.zeros((), jnp.float32))


def _step(hyper: Hyper, params: Params, state: State, batch: Batch) -> tuple[Params, State]:
    key = jax.random.fold_in(batch.key, 1)  # dropout, if any, is drawn from the batch's own

    def descended(params: Params) -> tuple[Array, Array]:
        logits = batch.logits(params)
        action = jax.random.categorical(key, jax.lax.stop_gradient(logits))
        action = action.astype(jnp.int32)
        # of a soft label: what is expected of its draws
        reward = jnp.take_along_axis(batch.soft(logits.shape[-1]), action[:, None], axis=1)[:, 0]
        baseline = state.reward if hyper["baseline"] == "running" else 0.0
        return surrogate(logits, action, reward - baseline), reward.mean()

    gradient, reward = jax.grad(descended, has_aux=True)(params)
    params, velocity = descend(hyper, params, state.velocity, gradient, batch)
    running = hyper["decay"] * state.reward + (1 - hyper["decay"]) * reward
    return params, _Policy(velocity, running)
