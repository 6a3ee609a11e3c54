"""Any transformation of optax, by its name."""

import json
from collections.abc import Callable
from functools import lru_cache
from inspect import isfunction

import jax
import jax.numpy as jnp
import optax
from optax import contrib

from simbias._checks import fail, known, real
from simbias._pinned import lenient, pinned
from simbias._registry import parameters_of
from simbias._types import PyTree, Settings
from simbias.methods.descent import FLOAT32, descent
from simbias.methods.schedules import Schedule
from simbias.training.method import Hyper, Method

_OURS = ("transform", "learning_rate", "schedule")
_LEFT_OUT = ("_", "scale_by_", "schedule_free")  # the last are evaluated at other weights


def optax_method(
    *,
    transform: str = "lion",
    learning_rate: float = 1e-3,
    schedule: Schedule = "constant",
    **options: object,
) -> Method:
    """Any optax transformation that has a learning rate, by name.

    Args:
        transform: a name in ``optax`` or ``optax.contrib``, such as ``lion``, ``lamb``,
            ``prodigy``; not those that draw random numbers, or are evaluated at other weights than
            they descend from.
        learning_rate: step size, > 0.
        schedule: of the learning rate, see ``simbias.methods.schedules``.
        options: further arguments of the transformation; they are compiled in.

    Raises:
        ValueError: an unknown transformation or option, or a transformation that needs more than
            gradients and parameters.

    References:
        DeepMind, "The DeepMind JAX Ecosystem", 2020 (https://optax.readthedocs.io).

    Examples:
        >>> import simbias
        >>> method = simbias.methods.optax_method(transform="lamb", weight_decay=0.01)
        >>> method.name, method.traced
        ('optax', {'learning_rate': 0.001})
    """
    make = _transformations()[known("transform", transform, _transformations())]
    parameters_of(make).check(f"optax.{transform}: option", options, beside=_OURS)
    rate = real("learning_rate", learning_rate, *FLOAT32)
    try:
        _try(transform, json.dumps(options, sort_keys=True))
    except Exception as error:  # whatever optax makes of an option
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
        words = f"a transformation of gradients and parameters alone, and its options ({reason})"
        raise fail("transform", transform, words) from None
    settings = {"transform": transform, "learning_rate": rate, **options}
    static = frozenset(settings) - {"learning_rate"}
    return descent("optax", settings, _transform, schedule=schedule, static=static)


@lru_cache
def _transformations() -> dict[str, Callable[..., optax.GradientTransformation]]:
    """The functions of optax that make a transformation from a learning rate."""
    functions = {
        name: getattr(module, name)
        for module in (contrib, optax)
        for name in dir(module)
        if not name.startswith(_LEFT_OUT) and isfunction(getattr(module, name))
    }
    return {
        name: function
        for name, function in functions.items()
        if "learning_rate" in parameters_of(function).names
    }


def _transform(hyper: Hyper) -> optax.GradientTransformation:
    make = _transformations()[hyper["transform"]]
    options = {name: value for name, value in hyper.items() if name not in _OURS}
    return make(hyper["learning_rate"], **options)


@lru_cache
@pinned
def _try(transform: str, options: str) -> None:
    """Trace an update of a matrix and a vector, so that a bad option is an error at once."""
    given: Settings = {"transform": transform, **json.loads(options)}

    def update(rate: jax.Array, params: dict[str, jax.Array]) -> PyTree:
        chosen = _transform({**given, "learning_rate": rate})
        return chosen.update(params, chosen.init(params), params)[1]

    with lenient():
        params = {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)}
        state = jax.eval_shape(update, jnp.float32(0.1), params)
    if any(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in jax.tree.leaves(state)):
        raise ValueError("it draws random numbers, the same for every seed")
