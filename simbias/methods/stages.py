"""What methods share that are SGD on a gradient of their own, with a state beside the velocity.

v <- momentum v + g + weight_decay w; w <- w - learning_rate v, whatever the gradient g is of. A
method of two stages goes over to the second after ``first_updates``; a schedule runs on through
both.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from simbias._checks import whole
from simbias._types import Params, PyTree, Settings
from simbias.methods.schedules import Schedule, checked_schedule, scheduled, uses_budget
from simbias.methods.sgd import transform
from simbias.training.method import Batch, Hyper, Method, Second, State, Step, one_gradient

_MOST_UPDATES = 2**24  # integers that float32 holds


def by_descent(
    name: str,
    settings: Settings,
    init: Callable[[Hyper, Params, int], State],
    step: Step,
    *,
    schedule: Schedule,
    then: tuple[Step, Step] | None = None,
    static: frozenset[str] = frozenset(),
    uses: frozenset[str] = frozenset(),
    cost: Callable[[Settings], int] = one_gradient,
) -> Method:
    """A method with a schedule, and with a second stage where there is one.

    Args:
        name, settings, init, step, static, uses, cost: as of a ``Method``; the settings hold those
            of ``sgd_settings``, and ``first_updates`` where there are two stages.
        schedule: of the learning rate.
        then: ``enter`` and ``step`` of the second stage.

    Raises:
        ValueError: a schedule out of range.

    Examples:
        >>> from simbias.methods.sgd import sgd_settings
        >>> from simbias.methods.stages import by_descent, plain_step, start
        >>> method = by_descent(
        ...     "own", sgd_settings(0.1, 0.0, 0.0), start, plain_step, schedule="constant"
        ... )
        >>> method.uses_budget, sorted(method.static)
        (False, [])
    """
    rule = checked_schedule(schedule)
    departing = {} if rule == "constant" else {"schedule": rule}
    return Method(
        name,
        {**settings, **departing},
        init,
        step,
        static=static | departing.keys(),
        second=None if then is None else Second(_first_ends, *then),
        uses_budget=uses_budget(rule),
        uses=uses,
        cost=cost,
    )


def first_stage(updates: object) -> int:
    """A number of updates of a first stage; raises ValueError.

    Examples:
        >>> from simbias.methods.stages import first_stage
        >>> first_stage(500)
        500
    """
    return whole("first_updates", updates, most=_MOST_UPDATES)


def _first_ends(hyper: Hyper, budget: Int[Array, ""] | None) -> Int[Array, ""]:
    return jnp.asarray(hyper["first_updates"]).astype(jnp.int32)


def start(hyper: Hyper, params: Params, n_train: int = 1) -> State:
    """The velocity before the first step.

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.sgd import sgd_settings
        >>> from simbias.methods.stages import start
        >>> hyper = sgd_settings(0.1, 0.9, 0.0)
        >>> [leaf.shape for leaf in jax.tree.leaves(start(hyper, {"w": jnp.ones(3)}))]
        [(3,)]
    """
    return transform(hyper).init(params)


def descend(
    hyper: Hyper, params: Params, velocity: State, gradient: PyTree, batch: Batch
) -> tuple[Params, State]:
    """Parameters and velocity after a step against a gradient."""
    change, velocity = transform(scheduled(hyper, batch)).update(gradient, velocity, params)
    return optax.apply_updates(params, change), velocity


def plain_step(hyper: Hyper, params: Params, velocity: State, batch: Batch) -> tuple[Params, State]:
    """A step of SGD on the mean loss of a batch, whose state is the velocity alone."""
    return descend(hyper, params, velocity, jax.grad(batch.loss)(params), batch)


def initial_again(params: Params, batch: Batch) -> Params:
    """Parameters of another initialisation of a batch's network, drawn by its key."""
    classes = jax.eval_shape(batch.network.apply, params, batch.x).shape[1]
    key = jax.random.fold_in(batch.key, 1)
    fresh: Params = batch.network.init(key, batch.x.shape[1:], classes)
    return fresh
