"""Mixup: training on points between two, and on the losses of both labels in that proportion."""

import jax

from simbias._checks import real
from simbias._keys import stream
from simbias._types import Params
from simbias.methods.descent import FLOAT32, descent
from simbias.methods.schedules import Schedule
from simbias.methods.sgd import sgd_settings, transform
from simbias.training.method import Batch, Hyper, Method


def mixup(
    *,
    alpha: float = 0.2,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    schedule: Schedule = "constant",
) -> Method:
    """SGD on mixtures of each batch with its own points in another order.

    The proportion is one draw of Beta(alpha, alpha) a batch; it and the order have a stream of
    random keys of their own.

    Args:
        alpha: both parameters of the beta distribution, > 0.
        learning_rate, momentum, weight_decay, schedule: as of ``sgd``.

    Raises:
        ValueError: an argument outside its range, or not a finite number.

    References:
        H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: beyond empirical risk
        minimization", ICLR 2018; the default is that of DomainBed (I. Gulrajani, D. Lopez-Paz,
        ICLR 2021).

    Examples:
        >>> import simbias
        >>> simbias.methods.mixup(alpha=1).settings["alpha"]
        1.0
    """
    settings = {"alpha": real("alpha", alpha, *FLOAT32)}
    settings |= sgd_settings(learning_rate, momentum, weight_decay)
    return descent("mixup", settings, transform, schedule=schedule, gradient=_gradient)


def _gradient(hyper: Hyper, params: Params, batch: Batch) -> Params:
    key_share, key_order = jax.random.split(stream(batch.key, "mixup"))
    share = jax.random.beta(key_share, hyper["alpha"], hyper["alpha"])
    order = jax.random.permutation(key_order, len(batch.y))
    mixed = batch.at(share * batch.x + (1 - share) * batch.x[order], batch.y)

    def loss(params: Params) -> jax.Array:
        logits = mixed.logits(params)
        own = batch.objective.points(logits, batch.y)
        other = batch.objective.points(logits, batch.y[order])
        return (share * own + (1 - share) * other).mean()

    return jax.grad(loss)(params)
