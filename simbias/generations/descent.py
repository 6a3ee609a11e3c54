"""Networks as generators: descent on minibatches of points that have weights.

Rows of a minibatch are drawn in proportion to their weight, so that one program serves sets that
grow, points that a critic refused, and copies. Updates are counted in epochs of the total weight.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
import optax

from simbias._checks import check_keys, real, whole
from simbias._pinned import lenient
from simbias._types import AnyArray, Params, Settings
from simbias.generations.generator import Generator, Model, Set, Statistics, in_room, weighted

BatchLoss: TypeAlias = Callable[[Params, Set, AnyArray], AnyArray]  # parameters, points, key


def descend(
    loss: BatchLoss,
    start: Params,
    optimiser: optax.GradientTransformation,
    statistics: Statistics,
    key: AnyArray,
    *,
    epochs: float,
    batch: int,
) -> Model:
    """Parameters after some epochs, beside the total weight of what they were fitted to.

    Args:
        loss: mean over a minibatch.
        start: initial parameters.
        optimiser: of optax.
        statistics: of ``weighted``.
        key: of rows and of what the loss draws.
        epochs: of the total weight.
        batch: rows of a minibatch.
    """
    ends = jnp.cumsum(statistics["weight"])
    total = ends[-1]
    updates = jnp.ceil(epochs * total / batch).astype(jnp.int32)

    def step(i: AnyArray, state: tuple[Params, optax.OptState]) -> tuple[Params, optax.OptState]:
        params, memory = state
        for_rows, for_loss = jax.random.split(jax.random.fold_in(key, i))
        u = jax.random.uniform(for_rows, (batch,)) * total
        # a row without weight ends where the one before it does, which u is past too
        rows = jnp.minimum(jnp.searchsorted(ends, u, side="right"), len(ends) - 1)
        points = jax.tree.map(lambda leaf: leaf[rows], statistics["points"])
        gradient = jax.grad(loss)(params, points, for_loss)
        with lenient():
            moves, memory = optimiser.update(gradient, memory, params)
            return optax.apply_updates(params, moves), memory

    with lenient():
        memory = optimiser.init(start)
    params, _ = jax.lax.fori_loop(0, updates, step, (start, memory))
    return {"params": params, "points": total}


def trained(model: Model) -> AnyArray:
    """Whether a model was fitted to some points, and its parameters are finite."""
    finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(model["params"])])
    return (model["points"] > 0) & finite.all()


def numbers(
    settings: Settings,
    sizes: Mapping[str, int],
    rates: Mapping[str, float],
    *,
    from_zero: Collection[str] = (),
) -> tuple[dict[str, int], dict[str, float]]:
    """The settings of a generator, those that are whole and the others, in the order of defaults.

    Args:
        settings: as they were given.
        sizes: defaults of those that are whole, from 1 to 10,000.
        rates: defaults of the others, above 0.
        from_zero: which of these may be 0.

    Raises:
        ValueError: an unknown setting, or one out of range.
    """
    check_keys("generator", settings, {}, dict.fromkeys(sizes, int) | dict.fromkeys(rates, float))
    wholes = {
        name: whole(f"generator: {name}", settings.get(name, default), most=10_000)
        for name, default in sizes.items()
    }
    others = {
        name: real(
            f"generator: {name}",
            settings.get(name, default),
            0,
            open_low=name not in from_zero,
        )
        for name, default in rates.items()
    }
    return wholes, others


# a generator whose models are networks: one lineage is a core's work
network_generator = partial(
    Generator,
    gather=weighted,
    merge=in_room,
    additive=False,
    alive=trained,
    fault="no point was accepted, or descent diverged",
    lineages_at_once=1,
    generations_at_once=1,
)
