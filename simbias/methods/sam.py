"""Sharpness-aware minimisation: the gradient at the worst point near the weights, as g predicts.

SAM moves along the gradient at w + rho g / |g|. ASAM measures nearness in proportion to each
weight, so that rescaling layers changes nothing: at w + rho w^2 g / |w g|, entry by entry.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from simbias._checks import real
from simbias._types import Params, Settings
from simbias.methods.descent import FLOAT32, descent
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings, transform
from simbias.training.method import Batch, Hyper, Method

_LEAST_NORM = 1e-12  # of a gradient that is divided by its norm


def sam(
    *,
    rho: float = 0.05,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
) -> Method:
    """SGD on the gradient at the worst of the points within a distance.

    Args:
        rho: the distance, > 0.
        learning_rate, momentum, weight_decay, schedule: as of ``sgd``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-aware minimization for efficiently
        improving generalization", ICLR 2021, whose rho is the default.

    Examples:
        >>> import simbias
        >>> method = simbias.methods.sam(rho=0.1)
        >>> method.cost(method.settings)
        2
    """
    settings = {"rho": real("rho", rho, *FLOAT32)}
    settings |= sgd_settings(learning_rate, momentum, weight_decay)
    return descent(
        "sam", settings, transform, schedule=schedule, gradient=_sam, cost=_two_gradients
    )


def asam(
    *,
    rho: float = 0.5,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
) -> Method:
    """SAM with a distance in proportion to each weight.

    Args:
        rho: the distance, > 0.
        learning_rate, momentum, weight_decay, schedule: as of ``sgd``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        J. Kwon, J. Kim, H. Park, I. K. Choi, "ASAM: adaptive sharpness-aware minimization for
        scale-invariant learning of deep neural networks", ICML 2021; rho is that of its code.

    Examples:
        >>> import simbias
        >>> method = simbias.methods.asam(learning_rate=0.05)
        >>> method.settings["rho"], method.cost(method.settings)
        (0.5, 2)
    """
    settings = {"rho": real("rho", rho, *FLOAT32)}
    settings |= sgd_settings(learning_rate, momentum, weight_decay)
    return descent(
        "asam", settings, transform, schedule=schedule, gradient=_asam, cost=_two_gradients
    )


def _two_gradients(settings: Settings) -> int:
    return 2


def _sam(hyper: Hyper, params: Params, batch: Batch) -> Params:
    return _gradient_beside(hyper, params, batch, jnp.ones_like)


def _asam(hyper: Hyper, params: Params, batch: Batch) -> Params:
    return _gradient_beside(hyper, params, batch, jnp.abs)


def _gradient_beside(
    hyper: Hyper, params: Params, batch: Batch, unit: Callable[[jax.Array], jax.Array]
) -> Params:
    """The gradient at the worst point of a ball whose radius along a weight is rho units."""
    slopes = jax.grad(batch.loss)(params)
    scaled = jax.tree.map(lambda w, g: unit(w) * g, params, slopes)
    length = hyper["rho"] / (optax.global_norm(scaled) + _LEAST_NORM)
    worst = jax.tree.map(lambda w, s: w + length * unit(w) * s, params, scaled)
    return jax.grad(batch.loss)(worst)
