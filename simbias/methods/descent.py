"""Methods that descend a gradient by an optax transformation: what their files have in common.

A method of this form says which transformation turns gradients into updates, from its settings,
and which gradient it is: that of the mean loss on the batch, unless it says otherwise.
"""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import optax

from simbias._types import Params, Settings
from simbias.methods.schedules import Schedule, checked_schedule, scheduled, uses_budget
from simbias.training.method import (
    Batch,
    Hyper,
    Method,
    State,
    UpdateRule,
    one_gradient,
)

Transform = Callable[[Hyper], optax.GradientTransformation]
Gradient = Callable[[Hyper, Params, Batch], Params]
FLOAT32 = 1e-37, 1e37  # the range that the compiled program can hold


def gradient_of_loss(hyper: Hyper, params: Params, batch: Batch) -> Params:
    """The gradient of the mean loss on a batch."""
    return jax.grad(batch.loss)(params)


def descent(
    name: str,
    settings: Mapping[str, object],
    transform: Transform,
    *,
    schedule: Schedule = "constant",
    gradient: Gradient = gradient_of_loss,
    static: frozenset[str] = frozenset(),
    update_rule: Callable[[Settings], UpdateRule] | None = None,
    cost: Callable[[Settings], int] = one_gradient,
) -> Method:
    """The method w <- w + u, of the update u that a transformation makes of a gradient.

    Args:
        name: the registered name.
        settings: all but the schedule, which is one of them where it is not constant; those that
            end in ``learning_rate`` follow it.
        transform: settings -> the transformation.
        schedule: see ``simbias.methods.schedules``.
        gradient: (hyper, params, batch) -> a tree like the parameters.
        static: names of settings that are compiled in.
        update_rule, cost: as of a ``Method``.

    Raises:
        ValueError: a schedule out of range.

    Examples:
        >>> import optax
        >>> from simbias.methods.descent import descent
        >>> def transform(hyper):
        ...     return optax.sign_sgd(hyper["learning_rate"])
        >>> method = descent("signs", {"learning_rate": 0.001}, transform, schedule="cosine")
        >>> method.uses_budget, sorted(method.static)
        (True, ['schedule'])
    """
    rule = checked_schedule(schedule)
    departing = {} if rule == "constant" else {"schedule": rule}
    return Method(
        name,
        {**settings, **departing},
        partial(_init, transform),
        partial(_step, transform, gradient),
        static=static | departing.keys(),
        update_rule=update_rule,
        uses_budget=uses_budget(rule),
        cost=cost,
    )


def _init(transform: Transform, hyper: Hyper, params: Params, n_train: int) -> State:
    return transform(hyper).init(params)


def _step(
    transform: Transform,
    gradient: Gradient,
    hyper: Hyper,
    params: Params,
    state: State,
    batch: Batch,
) -> tuple[Params, State]:
    slopes = gradient(hyper, params, batch)
    updates, state = transform(scheduled(hyper, batch)).update(slopes, state, params)
    return optax.apply_updates(params, updates), state
