"""Adversarial training: descent at inputs moved, within a ball, to where the loss is high.

Each input of a batch is moved by projected gradient ascent in the L2 norm: steps of one length
along the normalised gradient of its own loss, back onto the ball after each.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from simbias._checks import instance, real, whole
from simbias._types import Params, Settings
from simbias.methods.descent import descent
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings, transform
from simbias.training.method import Batch, Hyper, Method

Inputs = Float[Array, "rows *shape"]


def adversarial(
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    epsilon: float = 0.1,
    steps: int = 10,
    step_size: float = 2.5,
    random_start: bool = True,
    schedule: Schedule = "constant",
) -> Method:
    """SGD on points attacked by projected gradient ascent in the L2 norm.

    Args:
        learning_rate, momentum, weight_decay: as for ``sgd``.
        epsilon: radius of the ball around an input, in input units, >= 0.
        steps: of the attack, >= 1; an update costs one more gradient evaluation.
        step_size: length of a step of the attack, as a multiple of epsilon / steps, > 0.
        random_start: whether an attack starts at a uniform point of the ball, or at the input.
        schedule: of the learning rate, see ``simbias.methods.schedules``.

    Raises:
        ValueError: an argument outside its range.

    References:
        A. Madry, A. Makelov, L. Schmidt, D. Tsipras, A. Vladu, "Towards deep learning models
        resistant to adversarial attacks", ICLR 2018.

    Examples:
        >>> import simbias
        >>> method = simbias.methods.adversarial(epsilon=0.25, steps=7)
        >>> method.name, method.cost(method.settings), sorted(method.static)
        ('adversarial', 8, ['random_start', 'steps'])
    """
    instance("random_start", random_start, bool)
    settings = sgd_settings(learning_rate, momentum, weight_decay) | {
        "epsilon": real("epsilon", epsilon, 0, 1e18),
        "steps": whole("steps", steps, most=1000),
        "step_size": real("step_size", step_size, 0, 1e18, open_low=True),
        "random_start": random_start,
    }
    return descent(
        "adversarial",
        settings,
        transform,
        schedule=schedule,
        gradient=_gradient,
        static=frozenset({"steps", "random_start"}),
        cost=_cost,
    )


def attacked(
    losses: Callable[[Inputs], Float[Array, " rows"]],
    x: Inputs,
    *,
    start: Inputs,
    epsilon: Float[Array, ""],
    step: Float[Array, ""],
    steps: int,
) -> Inputs:
    """Inputs after projected gradient ascent of each one's own loss in its L2 ball (pure).

    Args:
        losses: of inputs, each row's own.
        x: the centres of the balls.
        start: where the ascent starts, relative to ``x``.
        epsilon: radius of the balls, in input units.
        step: length of a step, in input units.
        steps: their number (static).

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.adversarial import attacked
        >>> x = jnp.array([[3.0, 4.0]])
        >>> radius, step = jnp.float32(1.0), jnp.float32(0.5)
        >>> def losses(x):
        ...     return (x**2).sum(axis=1)
        >>> print(attacked(losses, x, start=0 * x, epsilon=radius, step=step, steps=5))
        [[3.6 4.8]]
    """

    def ascend(moved: Inputs, _: None) -> tuple[Inputs, None]:
        gradient = jax.grad(lambda moved: losses(x + moved).sum())(moved)
        length = _lengths(gradient)
        # a loss that is flat in float32 gives no direction
        direction = jnp.where(length > 0, gradient / jnp.where(length > 0, length, 1), 0)
        return within(moved + step * direction, epsilon), None

    moved, _ = jax.lax.scan(ascend, start, length=steps)
    return x + moved


def within(moved: Inputs, epsilon: Float[Array, ""]) -> Inputs:
    """The nearest vectors of an L2 norm of at most epsilon (pure).

    Examples:
        >>> import jax.numpy as jnp
        >>> from simbias.methods.adversarial import within
        >>> print(within(jnp.array([[3.0, 4.0], [0.0, 0.5]]), jnp.float32(1.0)))
        [[0.6 0.8]
         [0.  0.5]]
    """
    length = _lengths(moved)
    return jnp.where(length > epsilon, moved * (epsilon / jnp.where(length > 0, length, 1)), moved)


def anywhere_within(x: Inputs, epsilon: Float[Array, ""], key: Key[Array, ""]) -> Inputs:
    """Vectors drawn uniformly from the L2 ball, one for each input (pure).

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from simbias.methods.adversarial import anywhere_within
        >>> drawn = anywhere_within(jnp.zeros((1000, 2)), jnp.float32(1.0), jax.random.key(0))
        >>> round(float(jnp.linalg.norm(drawn, axis=1).mean()), 2)
        0.67
    """
    key_direction, key_radius = jax.random.split(key)
    direction: Inputs = jax.random.normal(key_direction, x.shape)
    uniform = jax.random.uniform(key_radius, (len(x), *[1] * (x.ndim - 1)))
    radius = epsilon * uniform ** jnp.float32(1 / max(1, x[0].size))
    drawn: Inputs = direction / _lengths(direction) * radius
    return drawn


def _lengths(vectors: Inputs) -> Float[Array, "rows *ones"]:
    """The L2 norm of each row, on axes of length 1."""
    axes = tuple(range(1, vectors.ndim))
    return jnp.sqrt(jnp.sum(vectors**2, axis=axes, keepdims=True))


def _gradient(hyper: Hyper, params: Params, batch: Batch) -> Params:
    epsilon = jnp.asarray(hyper["epsilon"], jnp.float32)
    begin = jnp.zeros_like(batch.x)
    if hyper["random_start"]:
        begin = anywhere_within(batch.x, epsilon, jax.random.fold_in(batch.key, 1))
    x = attacked(
        lambda x: batch.at(x, batch.y).losses(params),
        batch.x,
        start=begin,
        epsilon=epsilon,
        step=epsilon * hyper["step_size"] / hyper["steps"],
        steps=hyper["steps"],
    )
    return jax.grad(batch.at(x, batch.y).loss)(params)


def _cost(settings: Settings) -> int:
    return 1 + int(settings["steps"])
